"""Block-sparse estimators that select alpha and l1_ratio by cross-validation."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skmtl.estimators import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.model_selection._cv import TaskClassifierCV, TaskCV, TaskRegressorCV


@estimator
class _BlockSparseCV(TaskCV):
    """Selects the strength and the share of the row norms.

    Attributes
    ----------
    l1_ratio_ : float
        The selected share of the row norms.
    """

    alphas: Any = strength(
        100,
        text="""
        The number of strengths in a geometric grid, or the strengths themselves, finite and >= 0.
        The grid starts at the smallest alpha at which all coefficients are zero (for
        ``l1_ratio=0``, at a strength at which the objective is at most 1% below the loss with zero
        coefficients).
        """,
    )
    eps: float = parameter(1e-3)
    l1_ratio: Any = parameter(
        1.0,
        [Interval(Real, 0, 1, closed="both"), "array-like"],
        "float or list of float",
        """
        Share of the row norms in the penalty, in [0, 1]; the rest is a ridge. From a list, the
        best value is selected.
        """,
    )
    feature_weight: Any = parameter(
        None,
        text=r"""
        A factor :math:`f_j \geq 0` for each feature (without the task column) that multiplies the
        norm of its row; a dict gives factors by column name of a data frame. If a factor is 0 and
        ``l1_ratio`` is less than 1, ``alphas`` must be given as strengths.
        """,
    )
    refit_support: bool = parameter(
        False,
        text="""
        Refit the selected coefficients without the norms, also in every fold, so that alpha is
        selected by the scores of the refitted coefficients.
        """,
    )

    _varied: ClassVar[str | None] = "l1_ratio"


@estimator
class BlockSparseRegressorCV(_BlockSparseCV, TaskRegressorCV, BlockSparseRegressor):
    r"""Regression tasks that share their few relevant features; alpha by cross-validation.

    Alpha is selected from a grid by the scores of held-out rows. The objective is that of
    :class:`BlockSparseRegressor`:

    See Also
    --------
    BlockSparseRegressor : The same for a given alpha.
    sklearn.linear_model.MultiTaskLassoCV : The same estimator for complete dense data.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressorCV
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = BlockSparseRegressorCV(alphas=20, rule="1se").fit(dataset.data, dataset.target)
    >>> bool(model.support_[dataset.support].all())
    True
    >>> model.mse_path_.shape
    (20, 5)
    """

    _plain = BlockSparseRegressor


@estimator
class BlockSparseClassifierCV(_BlockSparseCV, TaskClassifierCV, BlockSparseClassifier):
    r"""Classification tasks that share their few features; alpha by cross-validation.

    Alpha is selected from a grid by the scores of held-out rows. The objective is that of
    :class:`BlockSparseClassifier`:

    See Also
    --------
    BlockSparseClassifier : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> from skmtl import BlockSparseClassifierCV
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(n_features=20, classification=True, random_state=0)
    >>> model = BlockSparseClassifierCV(alphas=20, eps=0.01).fit(dataset.data, dataset.target)
    >>> model.scores_path_.shape
    (20, 5)
    """

    _plain = BlockSparseClassifier
