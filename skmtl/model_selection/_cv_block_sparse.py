"""Block sparsity with a strength chosen by cross-validation."""

from typing import Any, ClassVar

from skmtl.estimators import BlockSparseClassifier, BlockSparseRegressor
from skmtl.model_selection._cv import TaskCV, constraints_without_alpha
from skmtl.model_selection._cv_docs import document_cv


@document_cv
class BlockSparseRegressorCV(TaskCV, BlockSparseRegressor):
    r"""Regression tasks that share their few relevant features; alpha by cross-validation.

    .. math::

        \min_{W, b} \; F(W, b)
        + \alpha \rho \sum_j f_j \bigl[ (1 - \kappa) \lVert W_{j\cdot} \rVert_2
        + \kappa \lVert W_{j\cdot} \rVert_1 \bigr]
        + \tfrac{\alpha (1 - \rho)}{2} \lVert W \rVert_F^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} :math:`\rho` is ``l1_ratio``, :math:`\kappa` ``sparsity`` (0) and :math:`f_j`
    ``feature_weight`` (1). The sum of the Euclidean norms of W's rows (the L2,1 norm) lets a
    feature enter for all tasks or for none; sparsity lets tasks drop some of those that enter.
    Alpha is chosen from a grid by the scores of held-out rows; see :class:`BlockSparseRegressor`.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        The number of strengths of a geometric grid, or the strengths themselves, finite and
        >= 0. The grid begins at the smallest alpha at which all coefficients are zero
        (``l1_ratio=0``: where at most 1% of the loss without them can be gained).
    eps : float, default=1e-3
        The smallest strength of the grid over the largest, in (0, 1).
    l1_ratio : float or list of float, default=1.0
        Share of the block norm in the penalty, in [0, 1]; the rest is a ridge. The best of a
        list is chosen.
    norm : {"l2", "linf"}, default="l2"
        What the block norm sums over features: the Euclidean norm of a row of W, or its largest
        absolute entry (:math:`\lVert W \rVert_{1,\infty}`, for tasks of similar size).
    sparsity : float, default=0.0
        Share :math:`\kappa` of the entries' L1 norm in that of a row, in [0, 1).
    feature_weight : array-like of shape (n_features,), dict, Series or None, default=None
        A factor :math:`f_j \geq 0` for each feature, the task column left out, on the norms of its
        row; a dict names columns of a data frame. Where one is 0 and ``l1_ratio`` less than 1,
        ``alphas`` must be a list.
    positive : bool, default=False
        Restrict the coefficients to W >= 0.
    refit_support : bool, default=False
        Fit the chosen coefficients again without the norms, in every fold too: alpha is chosen
        for the refitted coefficients.
    {cv}
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    l1_ratio_ : float
        The chosen share.
    {chosen}
    {attributes}
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    Notes
    -----
    {cv_notes}

    {notes}

    References
    ----------
    G. Obozinski, B. Taskar and M. Jordan, "Joint covariate selection and joint subspace
    selection for multiple classification problems", Stat. Comput. 20, 2010,
    https://doi.org/10.1007/s11222-008-9111-x

    {cv_references}

    See Also
    --------
    BlockSparseRegressor : The same for a given alpha.
    sklearn.linear_model.MultiTaskLassoCV : The same estimator for complete dense data.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressorCV
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = BlockSparseRegressorCV(alphas=20, rule="1se").fit(made.data, made.target)
    >>> bool(model.support_[made.support].all())
    True
    >>> model.mse_path_.shape
    (20, 5)
    """

    _plain = BlockSparseRegressor
    _varied: ClassVar[str | None] = "l1_ratio"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints_without_alpha(BlockSparseRegressor),
        "l1_ratio": [*BlockSparseRegressor._parameter_constraints["l1_ratio"], "array-like"],
    }

    def __init__(
        self,
        alphas: Any = 100,
        *,
        eps: float = 1e-3,
        l1_ratio: Any = 1.0,
        norm: str = "l2",
        sparsity: float = 0.0,
        feature_weight: Any = None,
        positive: bool = False,
        refit_support: bool = False,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
        loss: str = "squared",
        huber_delta: float = 1.35,
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        scale_tasks: bool = False,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alphas = alphas
        self.eps = eps
        self.l1_ratio = l1_ratio
        self.norm = norm
        self.sparsity = sparsity
        self.feature_weight = feature_weight
        self.positive = positive
        self.refit_support = refit_support
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
        self.loss = loss
        self.huber_delta = huber_delta
        self.fit_intercept = fit_intercept
        self.intercept = intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.scale_tasks = scale_tasks
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose


@document_cv
class BlockSparseClassifierCV(TaskCV, BlockSparseClassifier):
    r"""Classification tasks that share their few features; alpha by cross-validation.

    .. math::

        \min_{W, b} \; F(W, b)
        + \alpha \rho \sum_j f_j \bigl[ (1 - \kappa) \lVert W_{j\cdot} \rVert_2
        + \kappa \lVert W_{j\cdot} \rVert_1 \bigr]
        + \tfrac{\alpha (1 - \rho)}{2} \lVert W \rVert_F^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} :math:`\rho` is ``l1_ratio``, :math:`\kappa` ``sparsity`` (0) and :math:`f_j`
    ``feature_weight`` (1). The sum of the Euclidean norms of W's rows (the L2,1 norm) lets a
    feature enter for all tasks or for none; sparsity lets tasks drop some of those that enter.
    Labels count as :math:`y_i = \pm 1`. A 1-D y with more than two classes gives one task per
    class against the rest, or, with ``loss="multinomial"``, all of them together:

    .. math::

        F = \tfrac{1}{S} \sum_i s_i \Bigl[ \log \sum_{k=1}^K \exp(x_i w_k + b_k)
        - (x_i w_{y_i} + b_{y_i}) \Bigr] , \qquad \sum_k b_k = 0 ,

    with a column :math:`w_k` of W (n_features, n_classes) for each of the K classes, and
    :math:`y_i` the class of row i.

    Alpha is chosen from a grid by the scores of held-out rows; see :class:`BlockSparseClassifier`.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        The number of strengths of a geometric grid, or the strengths themselves, finite and
        >= 0. The grid begins at the smallest alpha at which all coefficients are zero
        (``l1_ratio=0``: where at most 1% of the loss without them can be gained).
    eps : float, default=1e-3
        The smallest strength of the grid over the largest, in (0, 1).
    l1_ratio : float or list of float, default=1.0
        Share of the block norm in the penalty, in [0, 1]; the rest is a ridge. The best of a
        list is chosen.
    norm : {"l2", "linf"}, default="l2"
        What the block norm sums over features: the Euclidean norm of a row of W, or its largest
        absolute entry (:math:`\lVert W \rVert_{1,\infty}`, for tasks of similar size).
    sparsity : float, default=0.0
        Share :math:`\kappa` of the entries' L1 norm in that of a row, in [0, 1).
    feature_weight : array-like of shape (n_features,), dict, Series or None, default=None
        A factor :math:`f_j \geq 0` for each feature, the task column left out, on the norms of its
        row; a dict names columns of a data frame. Where one is 0 and ``l1_ratio`` less than 1,
        ``alphas`` must be a list.
    positive : bool, default=False
        Restrict the coefficients to W >= 0.
    refit_support : bool, default=False
        Fit the chosen coefficients again without the norms, in every fold too: alpha is chosen
        for the refitted coefficients.
    {cv}
    {multiclass_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    l1_ratio_ : float
        The chosen share.
    {chosen}
    {attributes}
    {classes}
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    Notes
    -----
    {cv_notes}

    {notes}

    {one_class}

    References
    ----------
    G. Obozinski, B. Taskar and M. Jordan, "Joint covariate selection and joint subspace
    selection for multiple classification problems", Stat. Comput. 20, 2010,
    https://doi.org/10.1007/s11222-008-9111-x

    {cv_references}

    See Also
    --------
    BlockSparseClassifier : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> from skmtl import BlockSparseClassifierCV
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(n_features=20, classification=True, random_state=0)
    >>> model = BlockSparseClassifierCV(alphas=20, eps=0.01).fit(made.data, made.target)
    >>> model.scores_path_.shape
    (20, 5)
    """

    _plain = BlockSparseClassifier
    _varied: ClassVar[str | None] = "l1_ratio"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints_without_alpha(BlockSparseClassifier),
        "l1_ratio": [*BlockSparseClassifier._parameter_constraints["l1_ratio"], "array-like"],
    }

    def __init__(
        self,
        alphas: Any = 100,
        *,
        eps: float = 1e-3,
        l1_ratio: Any = 1.0,
        norm: str = "l2",
        sparsity: float = 0.0,
        feature_weight: Any = None,
        positive: bool = False,
        refit_support: bool = False,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
        loss: str = "logistic",
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        class_weight: Any = None,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alphas = alphas
        self.eps = eps
        self.l1_ratio = l1_ratio
        self.norm = norm
        self.sparsity = sparsity
        self.feature_weight = feature_weight
        self.positive = positive
        self.refit_support = refit_support
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept = intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose
