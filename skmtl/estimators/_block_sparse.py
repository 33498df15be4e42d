"""Block sparsity: all tasks use the same few features."""

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators._feature_groups import (
    FEATURE_GROUPS,
    check_group_weights,
    read_feature_groups,
)
from skmtl.estimators._feature_weight import read_feature_weight
from skmtl.estimators._priors import group_precisions, row_precisions
from skmtl.estimators._refit import refit_selected
from skmtl.estimators._signs import POSITIVE, given_signs, read_signs
from skmtl.estimators._support import RowSupport
from skmtl.estimators.base import (
    MULTICLASS_LOSS,
    Fit,
    KnownTasks,
    NewTaskRegressor,
    NewTasks,
    Prior,
    Report,
    TaskClassifier,
    completed,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import (
    L21,
    ChosenEntries,
    FeatureGroups,
    L1Inf,
    Penalty,
    Positive,
    Ridge,
    SparseGroup,
    WeightedRows,
)


@estimator
class _BlockSparse(NewTasks, RowSupport):
    r"""A penalty on the rows of W.

    :math:`\rho` is ``l1_ratio``, :math:`\kappa` ``sparsity`` (0) and :math:`f_j`
    ``feature_weight`` (1). The sum of the Euclidean norms of W's rows (the L2,1 norm) lets a
    feature enter for all tasks or for none; sparsity lets tasks drop some of those that enter.

    With ``feature_groups``, the features of a group enter together. The sum is then over groups g
    of :math:`p_g` features, whose rows are :math:`W_g`:

    .. math::

        \alpha \rho \sum_g f_g \bigl[ (1 - \kappa) \sqrt{p_g} \, \lVert W_g \rVert_F
        + \kappa \lVert W_g \rVert_1 \bigr] .

    With ``norm="linf"``, the norm of a row is its largest absolute entry, and that of a group is
    :math:`p_g \max_{j \in g, t} |W_{jt}|` instead of :math:`\sqrt{p_g} \, \lVert W_g \rVert_F`. A
    group of equal coefficients costs as much as its features alone with either norm.

    Notes
    -----
    Convex. The prior for a new task has the mean task as its mean. The norm of a row is the minimum
    of :math:`(\lVert W_{j\cdot} \rVert^2 / \eta_j + \eta_j) / 2`, attained at :math:`\eta_j =
    \lVert W_{j\cdot} \rVert`; this makes the precision of feature j :math:`\alpha \rho f_j (1 -
    \kappa) / \eta_j + \alpha (1 - \rho)`, plus :math:`\alpha \rho f_j \kappa` divided by the mean
    absolute value of the row. With groups, the norm of the row is the group's Frobenius norm
    divided by :math:`\sqrt{p_g}`, or its largest absolute entry. Features that no task uses keep
    the coefficient zero. The penalty itself would shrink a new task to zero, which predicts tasks
    with few labels worse than shrinkage to the mean task does. Where gradient steps would be taken
    in all of many features, groups are fitted on working sets of groups.

    References
    ----------
    M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped variables",
    JRSS B 68(1), 2006, https://doi.org/10.1111/j.1467-9868.2005.00532.x (``feature_groups``)

    G. Obozinski, B. Taskar and M. Jordan, "Joint covariate selection and joint subspace
    selection for multiple classification problems", Stat. Comput. 20, 2010,
    https://doi.org/10.1007/s11222-008-9111-x

    N. Simon, J. Friedman, T. Hastie and R. Tibshirani, "A sparse-group lasso",
    J. Comput. Graph. Statist. 22(2), 2013, https://doi.org/10.1080/10618600.2012.681250
    (``sparsity``)

    J. Peng et al., "Regularized multivariate regression for identifying master predictors with
    application to integrative genomics study of breast cancer", Ann. Appl. Stat. 4(1), 2010,
    https://doi.org/10.1214/09-AOAS271 (``sparsity``, ``feature_weight``)

    A. Belloni and V. Chernozhukov, "Least squares after model selection in high-dimensional
    sparse models", Bernoulli 19(2), 2013, https://doi.org/10.3150/11-BEJ410 (``refit_support``)
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
        """,
    )
    l1_ratio: float = parameter(
        1.0,
        [Interval(Real, 0, 1, closed="both")],
        "float",
        "Share of the row norms in the penalty, in [0, 1]; the rest is a ridge.",
    )
    norm: str = parameter(
        "l2",
        [StrOptions({"l2", "linf"})],
        '{"l2", "linf"}',
        r"""
        The norm of a row or group of W: Euclidean, or its largest absolute entry
        (:math:`\lVert W \rVert_{1,\infty}`, for tasks of similar size).
        """,
    )
    sparsity: float = parameter(
        0.0,
        [Interval(Real, 0, 1, closed="left")],
        "float",
        r"""
        Share :math:`\kappa` of the L1 norm of the entries in the penalty of a row, in [0, 1): the
        sparse group lasso. The closer to 1, the more each task selects features of its own.
        """,
    )
    feature_weight: Any = parameter(
        None,
        ["array-like", dict, None],
        "array-like of shape (n_features,), dict, Series or None",
        r"""
        A factor :math:`f_j \geq 0` for each feature (without the task column) that multiplies the
        norm of its row, not the ridge. A feature with factor 0 is always used, penalised by the
        ridge alone. With ``l1_ratio=1`` this is equivalent to scaling the feature by 1 / f. A dict
        or a pandas Series gives factors by column name of a data frame; other columns have 1.
        """,
    )
    feature_groups: Any = parameter(None, *FEATURE_GROUPS)
    positive: Any = parameter(
        False,
        *POSITIVE,
        """
        True: restrict the coefficients to W >= 0. A sign per feature (without the task column)
        restricts its coefficients in all tasks: +1 to be >= 0, -1 to be <= 0; 0 leaves them free. A
        dict or a pandas Series gives signs by column name of a data frame; other columns have 0.
        Every restricted feature must be penalised: without a ridge and with weight 0, or with
        ``alpha=0``, it is an error.
        """,
    )
    refit_support: bool = parameter(
        False,
        ["boolean"],
        "bool",
        """
        After the fit, refit the selected coefficients without the norms, which undoes their
        shrinkage. Rows and entries of W that are zero stay zero, and W >= 0 still holds. The ridge
        remains, plus 1e-9 times the smallest curvature of a selected feature, so that separable
        classes have a minimiser. ``objective_``, ``dual_gap_`` and ``n_iter_`` are those of the
        penalised fit, which selected the coefficients.
        """,
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        block, ridge = self._get_block(data), Ridge(self.alpha * (1 - self.l1_ratio))
        signs = read_signs(self, data.X.shape[1])
        if signs is not None:
            free = None if block is None else block.free_rows
            if ridge.alpha == 0 and (block is None or (free is not None and signs[free].any())):
                raise ValueError(
                    f"positive=True needs a penalty on every feature in {type(self).__name__}, and "
                    f"signs one on every feature that they restrict: no dual bound exists without "
                    f"one. Use alpha > 0 and feature_weight > 0, or a "
                    f"ridge (l1_ratio < 1)."
                )
            everywhere = np.ones((data.X.shape[1], data.n_tasks), dtype=bool)
            allowed = given_signs(signs)
            if block is None:
                block = ChosenEntries(everywhere, True, allowed)
            else:
                block = Positive(block, allowed)
        if ridge.alpha == 0:
            return block
        return ridge if block is None else block + ridge

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        if read_signs(self, len(known.coef)) is not None:
            raise ValueError(
                f"New tasks in {type(self).__name__} need positive=False: a Gaussian prior allows "
                f"negative coefficients. Fit again without positive=True."
            )
        strength = self.alpha * self.l1_ratio
        weights = read_feature_weight(self, len(known.coef))
        entries, rows = strength * self.sparsity, strength * (1 - self.sparsity)
        largest = self.norm == "linf"
        factors = np.ones(len(known.coef)) if weights is None else weights
        ridge, mean = self.alpha * (1 - self.l1_ratio), known.mean
        precisions = np.full(len(mean), ridge)
        if strength > 0:
            penalised = factors > 0
            groups, W = read_feature_groups(self, len(known.coef)), known.coef[penalised]
            if groups is None:
                each = row_precisions(W, entries, rows, largest=largest)
            else:
                each = group_precisions(W, groups[penalised], entries, rows, largest=largest)
            precisions[penalised] += factors[penalised] * each
        return Prior.of_precisions(mean, precisions, n_averaged=known.coef.shape[1])

    def _get_block(self, data: TaskData) -> Penalty | None:
        """The norm on the rows of W, or None if no row is penalised."""
        strength = self.alpha * self.l1_ratio
        weights = read_feature_weight(self, data.X.shape[1])
        if strength == 0 or (weights is not None and not weights.any()):
            return None
        groups = read_feature_groups(self, data.X.shape[1])
        if groups is not None:
            return self._get_groups(strength, groups, weights)
        block: Penalty = L21(strength) if self.norm == "l2" else L1Inf(strength)
        if self.sparsity > 0:
            block = SparseGroup(strength, self.sparsity, self.norm)
        return block if weights is None else WeightedRows(block, weights)

    def _get_groups(
        self, strength: float, groups: NDArray[np.intp], weights: NDArray[Any] | None
    ) -> Penalty:
        """The norm of groups of rows of W."""
        check_group_weights(self, groups, weights)
        return FeatureGroups(strength, groups, self.sparsity, weights, self.norm)

    @property
    def _refits(self) -> bool:  # type: ignore[override]
        return self.refit_support

    def _minimise(
        self, objective: BaseObjective, start: Fit | None, dtype: Any, report: Report | None = None
    ) -> Fit:
        if not self.refit_support:
            return super()._minimise(objective, start, dtype, report)
        report = completed(report, lambda fit: self._refitted(objective, fit, dtype))
        return self._refitted(objective, super()._minimise(objective, start, dtype, report), dtype)

    def _refitted(self, objective: BaseObjective, fit: Fit, dtype: Any) -> Fit:
        """The fit with coefficients from a second fit without the norms."""
        coef, intercept = refit_selected(
            objective,
            fit.coef.T,
            fit.intercept,
            ridge=self.alpha * (1 - self.l1_ratio),
            signs=read_signs(self, objective.n_features),
            max_iter=self.max_iter,
            tol=self.tol,
        )
        return replace(fit, coef=coef.T.astype(dtype), intercept=intercept)


@estimator
class BlockSparseRegressor(_BlockSparse, NewTaskRegressor):
    r"""Regression tasks that share their few relevant features (L2,1 norm).

    .. math::

        \min_{W, b} \; F(W, b)
        + \alpha \rho \sum_j f_j \bigl[ (1 - \kappa) \lVert W_{j\cdot} \rVert_2
        + \kappa \lVert W_{j\cdot} \rVert_1 \bigr]
        + \tfrac{\alpha (1 - \rho)}{2} \lVert W \rVert_F^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    With a complete matrix y and the defaults this is scikit-learn's MultiTaskLasso /
    MultiTaskElasticNet for the same ``alpha`` and ``l1_ratio``; with a single task it is Lasso /
    ElasticNet.

    See Also
    --------
    sklearn.linear_model.MultiTaskElasticNet : The same estimator for complete dense data.
    IndependentTaskRegressor : A separate ridge for each task (``l1_ratio=0``).

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = BlockSparseRegressor(alpha=0.5).fit(dataset.data, dataset.target)
    >>> bool((model.support_ == dataset.support).all())
    True

    Four groups of five features, which enter together, the first feature with a positive sign:

    >>> groups = np.repeat(["age", "diet", "dose", "site"], 5)
    >>> signs = np.array([1] + 19 * [0])
    >>> model = BlockSparseRegressor(0.5, feature_groups=groups, positive=signs)
    >>> model = model.fit(dataset.data, dataset.target)
    >>> bool((model.coef_[:, 0] >= 0).all())
    True
    """


@estimator
class BlockSparseClassifier(_BlockSparse, TaskClassifier):
    r"""Classification tasks that share their few relevant features (L2,1 norm).

    .. math::

        \min_{W, b} \; F(W, b)
        + \alpha \rho \sum_j f_j \bigl[ (1 - \kappa) \lVert W_{j\cdot} \rVert_2
        + \kappa \lVert W_{j\cdot} \rVert_1 \bigr]
        + \tfrac{\alpha (1 - \rho)}{2} \lVert W \rVert_F^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    A 1-D y with more than two classes gives one task per class against the rest, or, with
    ``loss="multinomial"``, all of them together:

    .. math::

        F = \tfrac{1}{S} \sum_i s_i \Bigl[ \log \sum_{k=1}^K \exp(x_i w_k + b_k)
        - (x_i w_{y_i} + b_{y_i}) \Bigr] , \qquad \sum_k b_k = 0 ,

    with a column :math:`w_k` of W (n_features, n_classes) for each of the K classes, and
    :math:`y_i` the class of row i.

    References
    ----------
    N. Simon, J. Friedman and T. Hastie, "A blockwise descent algorithm for group-penalized
    multiresponse and multinomial regression", 2013, https://doi.org/10.48550/arXiv.1311.6529

    See Also
    --------
    sklearn.linear_model.LogisticRegression : ``loss="multinomial", l1_ratio=0``, with
        C = 1 / (n_samples * alpha).
    IndependentTaskClassifier : A separate ridge for each task (``l1_ratio=0``).

    Examples
    --------
    >>> from skmtl import BlockSparseClassifier
    >>> from skmtl.datasets import load_digits_tasks
    >>> digits = load_digits_tasks()
    >>> model = BlockSparseClassifier(alpha=0.05).fit(digits.data, digits.target)
    >>> model.coef_.shape
    (10, 64)
    >>> bool(model.support_.sum() < 40)
    True
    >>> model = BlockSparseClassifier(alpha=0.05, loss="multinomial")
    >>> model = model.fit(digits.data, digits.target)
    >>> model.predict_proba(digits.data[:5]).shape
    (5, 10)
    """

    alpha: float = strength(0.01)
    loss: str = parameter("logistic", *MULTICLASS_LOSS)
