"""
How strong should the penalty be?
=================================

**Question.** I do not know which ``alpha`` to use. Which rule should select it?
"""

# %%
# The answer depends on what the model is for. Ten tasks share 5 of 50 features here.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import BlockSparseRegressor, BlockSparseRegressorCV
from skmtl.datasets import make_block_sparse
from skmtl.inspection import PathDisplay
from skmtl.model_selection import AlphaSearchIC

dataset = make_block_sparse(60 + 2000, 50, 10, n_informative=5, noise=2.0, random_state=0)
X, Y = dataset.data[:60], dataset.target[:60]
X_test, Y_test = dataset.data[60:], dataset.target[60:]

# %%
# Cross-validation compares a whole path of penalty strengths. Its display shows the norms of the
# features' coefficients, the number of features in use, and the error on held-out rows.

search = BlockSparseRegressorCV(alphas=40).fit(X, Y)
display = PathDisplay.from_estimator(search, X, Y)
display.figure_.set_size_inches(6.4, 5.5)
print({name: round(alpha, 3) for name, alpha in display.marks_.items()})
plt.show()

# %%
# Three rules: the smallest error over the folds; the strongest penalty whose error is within one
# standard error of the smallest; and the extended BIC, which needs no folds.

models = {
    "best": search,
    "one standard error": BlockSparseRegressorCV(alphas=40, rule="1se").fit(X, Y),
    "extended BIC": AlphaSearchIC(BlockSparseRegressor(), alphas=40).fit(X, Y),
}
for name, model in models.items():
    used = np.any(model.coef_ != 0, axis=0)
    missed = (dataset.support & ~used).sum()
    error = np.mean((model.predict(X_test) - Y_test) ** 2)
    print(
        f"{name}: alpha {model.alpha_:.3f}, {used.sum()} features, {missed} relevant ones missed, "
        f"test MSE {error:.2f}"
    )

# %%
criterion = models["extended BIC"]
fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
ax.semilogx(criterion.alphas_, criterion.criterion_, color="tab:blue")
ax.axvline(criterion.alpha_, color="grey", linestyle="--", label="selected")
ax.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
ax.set_xticks([], minor=True)
ax.set(xlabel="alpha", ylabel="extended BIC")
ax.legend()
plt.show()

# %%
# **Answer.** For prediction, take the smallest cross-validated error: it has the best error on new
# rows (4.72), but it includes nine irrelevant features. For a list of features, take the
# one-standard-error rule or the extended BIC: they select 5 and 6 features here, with none of the
# relevant ones missed, at the price of more shrinkage and a larger error (5.27 and 5.00). The
# extended BIC needs one path instead of one for each fold.
