"""The pretrained lasso: a pooled fit is an offset of the tasks' own fits, and guides them."""

import copy
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators import (
    Fit,
    Fold,
    HeldOutLoss,
    Report,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    around_prior,
    choose,
    completed,
    estimator,
    even_folds,
    follow_path,
    make_grid,
    parameter,
    part_folds,
    prepare_objective,
    search_grids,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import L1, Penalty, WeightedRows

Array = NDArray[Any]

N_ALPHAS = 20
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# The smallest strength of a grid divided by the largest, at which all deviations are zero.
_EPS = 1e-3
# Without pretraining=0, the penalty outside the pooled support would be infinite.
_LEAST = 1e-9
# The pooled fit is so exact that its support is that of the minimiser.
_TOL = 1e-6


@dataclass(frozen=True)
class _Stage:
    """One of the two fits: whether tasks are pooled, and the features' factors in the penalty."""

    pools: bool
    weights: Array | None


@dataclass(frozen=True)
class _TwoStages(Fit):
    """The tasks' own fits, the pooled one, their strengths, and ``pretraining``."""

    pooled: Fit | None = None
    chosen: tuple[float, float, float] = (np.nan, np.nan, np.nan)


@estimator
class _PretrainedTask(TaskEstimator):
    r"""A pooled lasso, whose predictor is an offset of a lasso of each task.

    Coefficients that the tasks share are learned from all labels, and those of a single task from
    its own. With :math:`\rho` = ``pretraining``, :math:`\mathcal S` the support of the pooled
    coefficients :math:`w_0`, and strengths :math:`\alpha_0` = ``pooled_alpha`` and
    :math:`\alpha`:

    .. math::

        w_0 = \arg\min_{w, b} \; F(w 1', b) + \alpha_0 \lVert w \rVert_1 , \qquad
        W = (1 - \rho) w_0 1' + \arg\min_{D, b} \; F((1 - \rho) w_0 1' + D, b)
        + \alpha \sum_t \sum_j f_j |D_{jt}| , \qquad
        f_j = 1 \text{ for } j \in \mathcal S, \; 1 / \rho \text{ otherwise} ,

    and :math:`F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)`.
    At :math:`\rho = 1` the tasks are fitted alone; at :math:`\rho = 0` they keep the pooled
    coefficients, and only those in :math:`\mathcal S` are adapted.

    Attributes
    ----------
    alpha_, pooled_alpha_, pretraining_ : float
        The values used.
    pooled_coef_ : ndarray of the shape of ``coef_``
        The coefficients :math:`w_0` of the pooled fit, the same for all tasks.
    pooled_intercept_ : ndarray of the shape of ``intercept_``
        The intercepts of the pooled fit, one for each task.
    objective_, dual_gap_ : float
        Those of the second fit.
    n_iter_ : int
        The sum over both fits.

    Notes
    -----
    Two convex problems, each with a certificate. In R, ``ptLasso`` has :math:`\rho` as ``alpha``;
    it selects a strength for each task, here one is selected for all. The fit of a 1-D y with more
    than two classes does not pool the classes, as they have no common coefficients.

    References
    ----------
    E. Craig, M. Pilanci, T. Le Menestrel, B. Narasimhan, M. A. Rivas, S.-E. Gullaksen,
    R. Dehghannasiri, J. Salzman, J. Taylor and R. Tibshirani, "Pretraining and the lasso", 2024,
    https://doi.org/10.48550/arXiv.2401.12911
    """

    alpha: Any = strength(
        1.0,
        [Interval(Real, 0, None, closed="left"), StrOptions({"cv"})],
        'float or "cv"',
        """
        Strength of the penalty on the tasks' own deviations, >= 0, one for all tasks. "cv":
        selected from 20 values by five-fold cross-validation of the loss, in which the pooled fit
        is repeated for each fold, with the strength selected for all rows.
        """,
    )
    pooled_alpha: Any = parameter(
        None,
        [Interval(Real, 0, None, closed="left"), StrOptions({"cv"}), None],
        'float, "cv" or None',
        """
        Strength of the penalty in the pooled fit, >= 0, or "cv" as for ``alpha``. None: "cv" if
        ``alpha`` is, otherwise ``alpha`` times the number of tasks, which penalises pooled
        coefficients as much as equal coefficients in all tasks.
        """,
    )
    pretraining: Any = parameter(
        0.5,
        [Interval(Real, 0, 1, closed="both"), StrOptions({"cv"})],
        'float or "cv"',
        r"""
        :math:`\rho` in [0, 1]: 0 keeps the pooled coefficients, apart from an adaptation of those
        that are not zero; 1 ignores them. "cv": selected from 0, 0.25, 0.5, 0.75 and 1, together
        with ``alpha``.
        """,
    )

    _stage: _Stage | None = None
    _not_stated = (
        "it minimises two objectives, one after the other. State the second with "
        "MultiTaskRegressor or MultiTaskClassifier, with prior_coef and "
        "WeightedRows(L1(), weights)"
    )
    _not_in_batches = (
        "it minimises two objectives, one after the other. Fit MultiTaskRegressor or "
        "MultiTaskClassifier twice, the second time with prior_coef"
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        if self._stage is None or self._stage.weights is None:
            return L1(self.alpha)
        return WeightedRows(L1(self.alpha), self._stage.weights)

    def _pooling(self, data: TaskData) -> str | None:
        if self._stage is None or not self._stage.pools or data.layout == "classes":
            return None
        return "coefficients" if data.n_tasks > 1 else None

    def _targets_compete(self, data: TaskData) -> bool:
        return True

    def _takes_moments(self, data: TaskData) -> bool:
        # The pooled fit needs the rows.
        return self._stage is not None and super()._takes_moments(data)

    def _fit_data(
        self,
        data: TaskData,
        start: Fit | None = None,
        prepared: BaseObjective | None = None,
        report: Report | None = None,
    ) -> Fit:
        if self._stage is not None:
            return super()._fit_data(data, start, prepared, report)
        pooled_alpha = self._pooled_strength(data)
        pooled = self._fit_pooled(pooled_alpha, data)
        share, alpha = self._own_strengths(pooled_alpha, pooled, data)
        own, model, prior = self._own_problem(share, pooled, data)
        model.alpha = alpha

        def complete(fit: Fit) -> Fit:
            coef = (prior + fit.coef).astype(fit.coef.dtype)
            values = vars(fit) | {"coef": coef, "n_iter": pooled.n_iter + fit.n_iter}
            return _TwoStages(**values, pooled=pooled, chosen=(alpha, pooled_alpha, share))

        if start is not None:
            start = replace(start, coef=(start.coef - prior).astype(start.coef.dtype))
        return complete(model._fit_data(own, start, report=completed(report, complete)))

    def _at(self, stage: _Stage, alpha: float) -> Any:
        """A copy that fits one stage, and keeps what was set when the data were read."""
        model = copy.copy(self)
        model._stage, model.alpha = stage, alpha
        if getattr(model, "class_weight", None) is not None:
            model.class_weight = None  # part of the data's weights
        return model

    def _fit_pooled(self, alpha: float, data: TaskData) -> Fit:
        model = self._at(_Stage(True, None), alpha)
        model.tol = min(self.tol, _TOL)
        fit: Fit = model._fit_data(data)
        return fit

    def _own_problem(
        self, share: float, pooled: Fit, data: TaskData
    ) -> tuple[TaskData, Any, Array]:
        """The data of the deviations, the model that fits them, and what they deviate from."""
        prior = (1 - share) * pooled.coef.astype(np.float64)
        weights = np.where(pooled.coef.any(axis=0), 1.0, 1 / max(share, _LEAST))
        # In the units of the data, which the folds must not change.
        own = replace(around_prior(self, data, prior), scales=None)
        return own, self._at(_Stage(False, weights), 1.0), prior

    def _pooled_strength(self, data: TaskData) -> float:
        """The strength of the pooled fit, by cross-validation unless it is given."""
        alpha = self.pooled_alpha
        if alpha is None:
            alpha = self.alpha if isinstance(self.alpha, str) else self.alpha * data.n_tasks
        if not isinstance(alpha, str):
            return float(alpha)
        if not self._learnable(data).any():
            return 1.0
        found = search_grids(
            [self._at(_Stage(True, None), 1.0)],
            data,
            self._folds(data),
            HeldOutLoss(data),
            unbalanced=data,
            alphas=N_ALPHAS,
            eps=None,
            rule="best",
            n_jobs=None,
        )
        return found.alpha

    def _own_strengths(
        self, pooled_alpha: float, pooled: Fit, data: TaskData
    ) -> tuple[float, float]:
        """``pretraining`` and the strength of the own fits, by cross-validation unless given.

        The pooled fit is repeated without the held-out rows of each fold: it has seen the others,
        so that too small a share would seem best.
        """
        shares = SHARES if isinstance(self.pretraining, str) else (float(self.pretraining),)
        searched = isinstance(self.alpha, str)
        if len(shares) == 1 and not searched:
            return shares[0], float(self.alpha)
        if not self._learnable(data).any():
            return shares[-1], 1.0 if searched else float(self.alpha)
        grids = []
        for share in shares:
            own, model, _ = self._own_problem(share, pooled, data)
            prepared = prepare_objective(model, own)
            grid = make_grid(model, own, prepared, N_ALPHAS, _EPS) if searched else [self.alpha]
            grids.append(np.asarray(grid, dtype=np.float64))
        folds = self._folds(data)
        scores = np.empty((len(shares), len(grids[0]), len(folds)))
        for k, fold in enumerate(folds):
            seen = self._fit_pooled(pooled_alpha, data.take(fold.train))
            for row, (share, grid) in enumerate(zip(shares, grids, strict=True)):
                own, model, _ = self._own_problem(share, seen, data)
                part = own.take(fold.train)
                judge = HeldOutLoss(own)(fold, part)
                fits = follow_path(model, part, grid, prepare_objective(model, part))
                scores[row, :, k] = [judge(model, fit) for fit in fits]
        choice = choose(scores, "best")
        return shares[choice.row], float(grids[choice.row][choice.column])

    def _folds(self, data: TaskData) -> list[Fold]:
        """Folds that spread the labels of every task, and its classes, evenly.

        Those of statistics are their parts: the pseudo-rows of a part are no sample of its rows.
        """
        if data.condensed is not None:
            folds = part_folds(data, type(self).__name__)[0]
        else:
            folds = even_folds(data, is_classifier(self), np.random.default_rng(0))
        folds = [f for f in folds if len(f.test) and (data.take(f.train).label_counts > 0).all()]
        if len(folds) < 2 and data.condensed is not None:
            raise ValueError(
                "'cv' needs two or more folds without which every task still has labels. Collect "
                "TaskStatistics for folds that each hold labels of every task, or set alpha, "
                "pooled_alpha and pretraining to numbers."
            )
        if len(folds) < 2:
            raise ValueError(
                f"'cv' needs two or more labels of each task, got n_samples={len(data.y)} labelled "
                f"rows. Set alpha, pooled_alpha and pretraining to numbers."
            )
        return folds

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        if isinstance(fit, _TwoStages) and fit.pooled is not None:
            self.alpha_, self.pooled_alpha_, self.pretraining_ = fit.chosen
            # In cross-validation, tasks without a label may have been removed from the fit.
            if len(fit.pooled.coef) == data.n_tasks:
                super()._set_fit(data, fit.pooled)
                self.pooled_coef_, self.pooled_intercept_ = self.coef_, self.intercept_
        return super()._set_fit(data, fit)


@estimator
class PretrainedTaskRegressor(_PretrainedTask, TaskRegressor):
    """Regression tasks whose own fits start from a pooled one (the pretrained lasso).

    See Also
    --------
    skmtl.PooledTaskRegressor : The pooled fit alone, with a ridge.
    skmtl.IndependentTaskRegressor : The tasks' own fits alone, with a ridge.
    skmtl.DirtyModelRegressor : Shared and own coefficients in one convex problem.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.pretraining import PretrainedTaskRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 30))
    >>> W = np.zeros((30, 4))
    >>> W[:3], W[3:7] = 1.0, np.eye(4)
    >>> Y = X @ W + rng.normal(size=(60, 4))
    >>> model = PretrainedTaskRegressor("cv", pretraining=0.5).fit(X, Y)
    >>> bool(model.score(X, Y) > 0.5)
    True
    """


@estimator
class PretrainedTaskClassifier(_PretrainedTask, TaskClassifier):
    """Classification tasks whose own fits start from a pooled one (the pretrained lasso).

    See Also
    --------
    skmtl.PooledTaskClassifier : The pooled fit alone, with a ridge.
    skmtl.IndependentTaskClassifier : The tasks' own fits alone, with a ridge.
    skmtl.DirtyModelClassifier : Shared and own coefficients in one convex problem.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.pretraining import PretrainedTaskClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 20))
    >>> W = np.zeros((20, 3))
    >>> W[:2], W[2:5] = 2.0, np.eye(3)
    >>> Y = X @ W + rng.logistic(size=(100, 3)) > 0
    >>> model = PretrainedTaskClassifier(0.05, pretraining=0.5).fit(X, Y)
    >>> bool((model.pooled_coef_ == model.pooled_coef_[0]).all())
    True
    """

    alpha: Any = strength(0.01)
