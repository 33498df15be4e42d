"""Non-convex row sparsity: features are selected without shrinking large coefficients."""

from numbers import Real
from typing import Any

from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators._by_feature import ConstrainedFeatures
from skmtl.estimators._feature_groups import (
    FEATURE_GROUPS,
    check_group_weights,
    read_feature_groups,
)
from skmtl.estimators._feature_weight import read_feature_weight
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    StageReport,
    Stages,
    descend,
    separates,
    start_of,
)
from skmtl.estimators._signs import given_signs, read_signs
from skmtl.estimators._support import RowSupport
from skmtl.estimators.base import (
    Fit,
    TaskClassifier,
    TaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import (
    L1,
    L21,
    CappedRows,
    FeatureGroups,
    MinimaxRows,
    Penalty,
    Positive,
    RowConcave,
)
from skmtl.solvers import FISTA, Point, choose_solver

Array = NDArray[Any]

_POSITIVE = [Interval(Real, 0, None, closed="neither")]


@estimator
class _CappedBlockSparse(ConstrainedFeatures, RowSupport, NonConvexEstimator):
    r"""A penalty that is concave in the norms of the rows of W.

    :math:`\theta` is ``threshold`` and :math:`\gamma` is ``gamma``. Rows of W whose norm exceeds
    :math:`\theta`, or :math:`\gamma \alpha`, are not shrunk.

    With ``feature_groups``, the sum is over groups g of :math:`p_g` features instead of single
    rows: :math:`r_g = \lVert W_g \rVert_F` with :math:`\alpha \sqrt{p_g}` in place of
    :math:`\alpha`, or :math:`\alpha \min(\lVert W_g \rVert_1, p_g \theta)`. ``feature_weight``
    multiplies :math:`\alpha` of a row or group.

    Notes
    -----
    Not convex. Each stage replaces the penalty by its tangents at the current norms of the rows,
    which lie above it: a weighted lasso or group lasso in which large rows are unpenalised. The
    stages start from the unweighted problem, and none raises the objective. Within a stage a row
    can at most double in size, so that the problem has a certificate. The fit is deterministic.

    References
    ----------
    P. Gong, J. Ye and C. Zhang, "Multi-stage multi-task feature learning", JMLR 14, 2013,
    https://jmlr.org/papers/v14/gong13a.html

    T. Zhang, "Analysis of multi-stage convex relaxation for sparse regularization", JMLR 11,
    2010, https://jmlr.org/papers/v11/zhang10a.html

    C.-H. Zhang, "Nearly unbiased variable selection under minimax concave penalty", Ann. Statist.
    38(2), 2010, https://doi.org/10.1214/09-AOS729
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the penalty, >= 0: its slope at zero.",
    )
    penalty: str = parameter(
        "capped",
        [StrOptions({"capped", "mcp"})],
        '{"capped", "mcp"}',
        """
        "capped": the capped l1 norm of the rows, which also sets single entries of small rows to
        zero. "mcp": the minimax concave penalty of their Euclidean norms.
        """,
    )
    threshold: float = parameter(
        1.0,
        _POSITIVE,
        "float",
        r"""
        Norm beyond which the capped penalty is constant, > 0, in the units of the coefficients.
        As it grows, the fit approaches a lasso with penalty :math:`\alpha \sum_{jt} |W_{jt}|`.
        """,
    )
    gamma: float = parameter(
        3.0,
        _POSITIVE,
        "float",
        """
        Range of the minimax concave penalty divided by ``alpha``, > 0. As it grows, the fit
        approaches that of :class:`BlockSparseRegressor`.
        """,
    )
    feature_groups: Any = parameter(None, *FEATURE_GROUPS)
    solver: str = parameter(
        "auto",
        kind='{"auto", "admm", "block", "fista", "newton"}',
        text="""
        For the convex relaxation from which the stages start. The stages are solved by FISTA.
        """,
    )

    _separation_remedy = "Increase alpha, threshold (penalty='capped') or gamma (penalty='mcp')"

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        n_features = data.X.shape[1]
        groups, weights = self._rows(n_features)
        if self.alpha == 0:
            return self._constrained(None, n_features)
        norm: Penalty = L1(self.alpha) if self.penalty == "capped" else L21(self.alpha)
        if self.penalty == "mcp" and groups is not None:
            norm = FeatureGroups(self.alpha, groups, weights=weights)
            return self._constrained(norm, n_features, weigh=False)
        return self._constrained(norm, n_features)

    def _rows(self, n_features: int) -> tuple[Array | None, Array | None]:
        """The groups and the weights of the features; None: each is a group, or weighs 1."""
        groups = read_feature_groups(self, n_features)
        weights = read_feature_weight(self, n_features)
        check_group_weights(self, groups, weights)
        return groups, weights

    def _concave(self, n_features: int) -> RowConcave:
        groups, weights = self._rows(n_features)
        rows: dict[str, Any] = {"alpha": self.alpha, "groups": groups, "weights": weights}
        if self.penalty == "capped":
            return CappedRows(**rows, threshold=self.threshold)
        return MinimaxRows(**rows, gamma=self.gamma)

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        return self._concave(len(W)).value(W)

    def _stages(
        self, objective: BaseObjective, warm: Fit | None, report: StageReport | None
    ) -> Stages:
        concave = self._concave(objective.n_features)
        signs = read_signs(self, objective.n_features)
        scale, tol = objective.null_value, self._tolerance(objective)
        enough = INNER * tol * scale
        origin, n_iter, gap = start_of(objective, warm), 0, 0.0
        if warm is None:
            solver = choose_solver(self.solver, objective)
            origin, gap, n_iter = descend(objective, solver, origin, enough, self.max_iter)
        value = objective.loss_value(origin) + concave.value(origin.W)
        stages = Stages(origin, [value], n_iter, report=report, verbose=self.verbose)
        if self.alpha == 0:
            stages.stationarity = gap / scale if scale > 0 else 0.0
            stages.is_separated = objective.is_separated(origin)
            return stages
        while True:
            majoriser = concave.majoriser(stages.point.W)
            free = majoriser.slopes == 0

            def separated(point: Point, free: Array = free) -> bool:
                # Scaling up the unpenalised rows would lower the objective without bound.
                return bool(free.any()) and separates(objective, point.W * free[:, None], point.b)

            stages.is_separated = separated(stages.point)
            stage = objective.with_penalty(
                majoriser if signs is None else Positive(majoriser, given_signs(signs))
            )
            upper, bound = stage.bounds(stages.point)
            gain = max(upper - max(bound, 0.0), 0.0)
            worthwhile = stages.measure(gain, scale)
            ended = stages.stationarity <= tol or len(stages.objectives) > self.max_stages
            left = self.max_iter - stages.n_iter
            if ended or not worthwhile or stages.is_separated or left <= 0:
                break
            target = max(enough, INNER * gain)
            point, _, n_iter = descend(stage, FISTA, stages.point, target, left, separated)
            value = objective.loss_value(point) + concave.value(point.W)
            if not stages.add(point, value, n_iter):
                break
        return stages


@estimator
class CappedBlockSparseRegressor(_CappedBlockSparse, TaskRegressor):
    r"""Regression tasks that share few features, whose coefficients are not shrunk.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    with one of two penalties that are concave in the norms of the rows,

    .. math::

        \Omega(W) = \alpha \sum_j \min(\lVert W_{j\cdot} \rVert_1, \theta)
        \qquad \text{or} \qquad
        \Omega(W) = \sum_j \begin{cases}
        \alpha r_j - r_j^2 / (2 \gamma) & r_j \le \gamma \alpha \\
        \gamma \alpha^2 / 2 & r_j > \gamma \alpha \end{cases} ,
        \quad r_j = \lVert W_{j\cdot} \rVert_2 .

    See Also
    --------
    BlockSparseRegressor : The convex penalty.

    Examples
    --------
    >>> from skmtl import CappedBlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = CappedBlockSparseRegressor(alpha=0.5, penalty="mcp")
    >>> model = model.fit(dataset.data, dataset.target)
    >>> bool((model.support_ == dataset.support).all())
    True
    """


@estimator
class CappedBlockSparseClassifier(_CappedBlockSparse, TaskClassifier):
    r"""Classification tasks that share few features, whose coefficients are not shrunk.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    with one of two penalties that are concave in the norms of the rows,

    .. math::

        \Omega(W) = \alpha \sum_j \min(\lVert W_{j\cdot} \rVert_1, \theta)
        \qquad \text{or} \qquad
        \Omega(W) = \sum_j \begin{cases}
        \alpha r_j - r_j^2 / (2 \gamma) & r_j \le \gamma \alpha \\
        \gamma \alpha^2 / 2 & r_j > \gamma \alpha \end{cases} ,
        \quad r_j = \lVert W_{j\cdot} \rVert_2 .

    Notes
    -----
    Large rows are unpenalised. If they separate the labels of a task, they grow without bound, and
    the fit stops with a warning. Increase ``threshold`` or ``gamma``.

    See Also
    --------
    BlockSparseClassifier : The convex penalty.

    Examples
    --------
    >>> from skmtl import CappedBlockSparseClassifier
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(300, 20, n_informative=3, classification=True, random_state=0)
    >>> model = CappedBlockSparseClassifier(alpha=0.1, threshold=1.0)
    >>> model = model.fit(dataset.data, dataset.target)
    >>> bool((model.support_ == dataset.support).all())
    True
    """

    alpha: float = strength(0.01)
    threshold: float = parameter(10.0)
    gamma: float = parameter(
        3.0,
        text="""
        Range of the minimax concave penalty divided by ``alpha``, > 0. As it grows, the fit
        approaches that of :class:`BlockSparseClassifier`. A small ``alpha`` needs a large
        ``gamma``, since the curvature of the logistic loss is at most 1/4.
        """,
    )
    solver: str = parameter("auto", kind='{"auto", "block", "fista", "newton"}')
