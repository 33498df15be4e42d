"""The coefficients of the non-convex penalties, beside those of the convex one and the truth."""

from _coefficients import show

from skmtl import BlockSparseRegressor, CappedBlockSparseRegressor, IndependentTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.model_selection import AlphaSearchCV

dataset = make_block_sparse(40, 30, 10, n_informative=4, random_state=1)


def fitted(model):
    """The coefficients of an estimator with alpha by cross-validation."""
    return AlphaSearchCV(model, alphas=8, eps=0.03).fit(dataset.data, dataset.target).coef_


panels = {
    "true coefficients": dataset.coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(dataset.data, dataset.target).coef_,
    "block-sparse": fitted(BlockSparseRegressor()),
    "penalty='mcp'": fitted(CappedBlockSparseRegressor(penalty="mcp")),
    "capped, threshold=1": fitted(CappedBlockSparseRegressor(threshold=1.0)),
    "capped, threshold=5": fitted(CappedBlockSparseRegressor(threshold=5.0)),
}
show(panels, dataset.coef)
