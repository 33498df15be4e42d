"""The coefficients that block-sparse estimators make, beside separate fits and the truth."""

from _coefficients import show

from skmtl import BlockSparseRegressor, IndependentTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.model_selection import AlphaSearchCV

dataset = make_block_sparse(40, 30, 10, n_informative=4, random_state=0)


def fitted(model):
    """The coefficients of an estimator with alpha by cross-validation."""
    return AlphaSearchCV(model, alphas=12, eps=0.01).fit(dataset.data, dataset.target).coef_


panels = {
    "true coefficients": dataset.coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(dataset.data, dataset.target).coef_,
    "block-sparse": fitted(BlockSparseRegressor()),
    "norm='linf'": fitted(BlockSparseRegressor(norm="linf")),
    "sparsity=0.7": fitted(BlockSparseRegressor(sparsity=0.7)),
    "refit_support=True": fitted(BlockSparseRegressor(refit_support=True)),
}
show(panels, dataset.coef)
