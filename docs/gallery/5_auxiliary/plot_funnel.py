"""
Purchases are rare, clicks are not
==================================

**Question.** Only those who click can buy, and few do. How do I estimate the probability of a
purchase for everyone who sees the page?
"""

# %%
# A simulated funnel with 20,000 impressions, of which about 5% lead to a click and about 0.5% to a
# purchase. Both stages depend on five of 20 features.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from skmtl import BlockSparseClassifier, IndependentTaskClassifier
from skmtl.datasets import make_funnel
from skmtl.funnel import EntireSpaceClassifier

dataset = make_funnel(20000 + 50000, 20, random_state=0)
X, Y = dataset.data[:20000], dataset.target[:20000]
X_test, Y_test = dataset.data[20000:], dataset.target[20000:]
print("clicks and purchases:", Y.sum(axis=0))

# %%
# Four models of the purchase: from all impressions, ignoring the clicks; click times purchase given
# a click, the second fitted to those who clicked, as separate ridges or as two tasks of a
# block-sparse model, which share their features; and the entire-space model, in which both factors
# are fitted together on all impressions and share their features too.

purchase = IndependentTaskClassifier(alpha="cv").fit(X, Y[:, [1]])
given_click = np.where(Y[:, 0] == 1, Y[:, 1], np.nan)
both = np.column_stack([Y[:, 0], given_click])
stages = IndependentTaskClassifier(alpha="cv").fit(X, both)
block = BlockSparseClassifier(alpha=0.001).fit(X, both)
entire = EntireSpaceClassifier(alpha=0.001).fit(X, Y)
scores = {
    "purchase alone": purchase.predict_proba(X_test)[:, 0],
    "two ridges": stages.predict_proba(X_test).prod(axis=1),
    "two block-sparse tasks": block.predict_proba(X_test).prod(axis=1),
    "entire space": entire.predict_proba(X_test)[:, 1],
}
true = dataset.joint_proba[20000:, 1]
for name, score in scores.items():
    area = roc_auc_score(Y_test[:, 1], score)
    error = np.mean(np.abs(np.log(score) - np.log(true)))
    print(f"{name}: AUC {area:.3f}, mean error of the log probability {error:.2f}")
print(f"true probabilities: AUC {roc_auc_score(Y_test[:, 1], true):.3f}")

# %%
# Estimated against true probabilities of a purchase, for 3,000 new impressions:

fig, axes = plt.subplots(2, 2, figsize=(7, 7), sharex=True, sharey=True, layout="constrained")
for (name, score), ax in zip(scores.items(), axes.flat, strict=True):
    ax.loglog(true[:3000], score[:3000], ".", color="tab:blue", markersize=3, alpha=0.3)
    ax.loglog([1e-5, 0.3], [1e-5, 0.3], color="grey", linestyle="--")
    ax.set(title=name, xlim=(1e-5, 0.5), ylim=(1e-5, 0.5))
fig.supxlabel("true probability")
fig.supylabel("predicted probability")
plt.show()

# %%
# **Answer.** Let the stages share their features. With only 77 purchases, the two block-sparse
# tasks and the entire-space model both have an AUC of 0.762, against 0.773 for the true
# probabilities; the purchase alone reaches 0.737, and separate ridges of the two stages 0.747. The
# many clicks tell the models which features matter, so that their probabilities are also closer to
# the true ones. Fitting over the entire space adds nothing here.
