"""
Many targets, few directions
============================

**Question.** I predict dozens of targets from the same features. Are all of them driven by a few
combinations of the features, and can I compute these combinations for new rows?
"""

# %%
# 40 simulated targets depend on three directions of 30 features; there are 50 rows.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import IndependentTaskRegressor, LowRankRegressor
from skmtl.datasets import make_low_rank_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_low_rank_tasks(50 + 1000, 30, 40, rank=3, noise=6.0, random_state=0)
X, Y = dataset.data[:50], dataset.target[:50]
X_test, Y_test = dataset.data[50:], dataset.target[50:]

# %%
# The trace norm penalises the singular values of the coefficients, and sets most of them to zero.

low_rank = AlphaSearchCV(LowRankRegressor(), alphas=25, rule="1se").fit(X, Y).best_estimator_
separate = IndependentTaskRegressor(alpha="cv").fit(X, Y)
for name, model in {"separate": separate, "low rank": low_rank}.items():
    error = np.sqrt(np.mean((model.predict(X_test) - Y_test) ** 2))
    print(f"{name}: test RMSE {error:.2f}")
print("number of directions:", low_rank.rank_)

# %%
# ``transform`` returns the coordinates of rows along the learned directions, sorted by their
# importance. In a simulation the leading three can be compared with the true directions.

coordinates = low_rank.transform(X_test)
print("coordinates of new rows:", coordinates.shape)
leading = low_rank.components_[:3]
cosines = np.linalg.svd(dataset.components @ leading.T, compute_uv=False)
print("cosines of the angles to the true directions:", np.round(cosines, 2))

# %%
# On the left the singular values, and on the right the new rows in the first two coordinates,
# coloured by a label that the model did not see:

fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
spectra = {"separate": separate.coef_, "low rank": low_rank.coef_, "true": dataset.coef}
for (name, coef), colour in zip(spectra.items(), ["tab:orange", "tab:blue", "black"], strict=True):
    values = np.linalg.svd(coef, compute_uv=False)
    axes[0].plot(np.arange(1, 31), values, "o-", color=colour, markersize=3, label=name)
axes[0].set(xlabel="direction", ylabel="singular value")
axes[0].legend()
strongest = np.argmax(np.linalg.norm(dataset.coef, axis=1))
points = axes[1].scatter(
    coordinates[:, 0], coordinates[:, 1], c=Y_test[:, strongest], cmap="viridis", s=8
)
axes[1].set(xlabel="first coordinate", ylabel="second coordinate")
fig.colorbar(points, label=f"target {strongest}")
plt.show()

# %%
# **Answer.** The singular values show three large directions and a few small ones, whereas those of
# separate models decay slowly. The error falls from 7.32 to 6.91, where the noise alone accounts
# for 6. ``transform`` turns 30 features into 8 coordinates, of which the first three carry most.
# They nearly span the true directions: two of the three cosines are above 0.9, and the third is
# 0.77.
