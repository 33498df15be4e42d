"""The base classes of all estimators, with the fit that they share."""

from skmtl.estimators.base._beside import Beside
from skmtl.estimators.base._callbacks import SILENT, CallbackSupportMixin, FitTask, fit_as, follow
from skmtl.estimators.base._classifier import MULTICLASS_LOSS, TaskClassifier
from skmtl.estimators.base._estimator import TaskEstimator
from skmtl.estimators.base._fit import Fit, Report, completed
from skmtl.estimators.base._known import apart_from_known, around_prior
from skmtl.estimators.base._linear import linear_predictor
from skmtl.estimators.base._new_task import NewTasks
from skmtl.estimators.base._new_task_regressor import NewTaskRegressor
from skmtl.estimators.base._parameters import (
    QuickValidation,
    absent,
    estimator,
    parameter,
    strength,
)
from skmtl.estimators.base._prior import KnownTasks, Prior
from skmtl.estimators.base._regressor import TaskRegressor
from skmtl.estimators.base._restored import Restored

__all__ = [
    "MULTICLASS_LOSS",
    "SILENT",
    "Beside",
    "CallbackSupportMixin",
    "Fit",
    "FitTask",
    "KnownTasks",
    "NewTaskRegressor",
    "NewTasks",
    "Prior",
    "QuickValidation",
    "Report",
    "Restored",
    "TaskClassifier",
    "TaskEstimator",
    "TaskRegressor",
    "absent",
    "apart_from_known",
    "around_prior",
    "completed",
    "estimator",
    "fit_as",
    "follow",
    "linear_predictor",
    "parameter",
    "strength",
]
