"""The base of the baselines: a ridge whose strength may be selected by cross-validation."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.design import TaskData, TaskSummary
from skmtl.estimators._ridge_cv import select_ridge
from skmtl.estimators._signs import POSITIVE, given_signs, read_positive, read_signs
from skmtl.estimators.base import Fit, Report, TaskEstimator, estimator, parameter
from skmtl.objective import BaseObjective
from skmtl.penalties import ChosenEntries, Penalty, Ridge


@estimator
class RidgeTasks(TaskEstimator):
    """A ridge, whose strength is given or selected by cross-validation.

    Attributes
    ----------
    alpha_ : ndarray of shape (n_tasks,)
        The strengths used.
    alphas_, cv_losses_ : ndarrays of shape (n_alphas,) and (n_alphas, n_tasks)
        Only if ``alpha`` is selected: the grid, and the mean loss of each task's held-out labels.

    Notes
    -----
    Convex; strictly so for alpha > 0.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634
    """

    positive: Any = parameter(
        False,
        *POSITIVE,
        """
        True: restrict the coefficients to W >= 0. A sign per feature (without the task column)
        restricts its coefficients in all tasks: +1 to be >= 0, -1 to be <= 0; 0 leaves them free. A
        dict or a pandas Series gives signs by column name of a data frame; other columns have 0.
        Needs ``alpha > 0``.
        """,
    )

    # The strengths that each value of ``alpha`` selects, as in :func:`select_ridge`.
    _selects: ClassVar[dict[str, str]]

    def _given_alpha(self, data: TaskData) -> float | NDArray[Any]:
        """``alpha_`` if ``alpha`` is not selected."""
        raise NotImplementedError

    def _ridge(self, data: TaskData, alpha: float | NDArray[Any], n_columns: int) -> Penalty | None:
        """A ridge on W (n_features, n_columns), with the signs of the features."""
        n_features, least = data.X.shape[1], np.min(alpha)
        signs = read_signs(self, n_features)
        if signs is None:
            return Ridge(alpha) if (np.asarray(alpha) > 0).any() else None
        if least == 0:
            raise ValueError(
                f"positive in {type(self).__name__} needs alpha > 0 (for every task): no dual "
                f"bound exists without a penalty. Use a small alpha."
            )
        everywhere = np.ones((n_features, n_columns), dtype=bool)
        return ChosenEntries(everywhere, True, given_signs(signs)) + Ridge(alpha)

    def _before_batches(self, data: TaskSummary) -> None:
        self.alpha_ = self._given_alpha(data)

    def _fit_data(
        self,
        data: TaskData,
        start: Fit | None = None,
        prepared: BaseObjective | None = None,
        report: Report | None = None,
    ) -> Fit:
        if not isinstance(self.alpha, str):
            self.alpha_ = self._given_alpha(data)
            return super()._fit_data(data, start, prepared, report)
        strengths = self._selects[self.alpha]
        selected, self.alphas_, self.cv_losses_ = select_ridge(self, data, strengths=strengths)
        self.alpha_ = float(selected[0]) if strengths == "one" else selected
        every = self.alpha_
        if strengths != "one":
            # Estimators take a number for each task, also to fit only some of them.
            every = np.ones(len(data.all_tasks))
            every[data.positions] = selected
        # By position, because the copy knows no names.
        positive = read_positive(self, data.X.shape[1])
        model = clone(self).set_params(alpha=every, positive=positive)
        fit: Fit = model._fit_data(data, start, report=report)
        return fit
