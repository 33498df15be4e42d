"""Designs with their dense NumPy equivalents, and objectives on them."""

import numpy as np
import scipy.sparse as sp

from skmtl.design import PooledDesign, SharedDesign, StackedDesign
from skmtl.losses import LogisticLoss, SquaredLoss
from skmtl.objective import Objective
from skmtl.penalties import L1, L21, Ridge

N_TASKS, N_FEATURES = 3, 5


class Case:
    """A design and its dense NumPy equivalent."""

    def __init__(self, layout, centre, pooled, sparse, weighted, *, dtype=np.float64, seed=0):
        rng = np.random.default_rng(seed)
        self.rng, self.centre, self.pooled = rng, centre, pooled
        n = 40
        X = rng.standard_normal((n, N_FEATURES)) * [1, 3, 0.2, 1, 1] + [0, 2, 0, 5, 0]
        if sparse:
            X[rng.random(X.shape) < 0.4] = 0
        X = X.astype(dtype)
        container = sp.csr_array(X) if sparse else X
        if layout == "shared":
            omega = rng.uniform(0.1, 2, (n, N_TASKS)) * (rng.random((n, N_TASKS)) > 0.2)
            if weighted == "rows":
                omega = rng.uniform(0.1, 2, (n, 1)) * [1.0, 0.5, 4.0]
            design = SharedDesign(container, omega, centre=centre)
            rows = [np.arange(n)] * N_TASKS
            omegas = list(omega.T)
        else:
            starts = np.array([0, 1, 23, 40])
            omega = rng.uniform(0.1, 2, n)
            design = StackedDesign(container, starts, omega, centre=centre)
            rows = [np.arange(a, b) for a, b in zip(starts[:-1], starts[1:], strict=True)]
            omegas = [omega[r] for r in rows]
        self.omega, self.layout = omega, layout
        self.design = (
            PooledDesign(design, common_intercept=centre == "common") if pooled else design
        )
        X = X.astype(np.float64)
        self.raw, self.omegas = [X[r] for r in rows], omegas
        overall = sum(w @ X for w, X in zip(omegas, self.raw, strict=True)) / sum(
            map(np.sum, omegas)
        )
        self.means = [np.zeros(N_FEATURES)] * N_TASKS
        if centre == "common":
            self.means = [overall] * N_TASKS
        elif centre == "task":
            self.means = [w @ X / w.sum() for w, X in zip(omegas, self.raw, strict=True)]
        self.centred = [X - m for X, m in zip(self.raw, self.means, strict=True)]

    def random_W(self):
        return self.rng.standard_normal((N_FEATURES, 1 if self.pooled else N_TASKS))

    def columns(self, W):
        return [W[:, 0 if self.pooled else t] for t in range(N_TASKS)]

    def labels(self, by_task):
        """Per-task vectors in the labels' shape."""
        return np.stack(by_task, axis=1) if self.layout == "shared" else np.concatenate(by_task)

    def by_task(self, U):
        if self.layout == "shared":
            return list(U.T)
        return np.split(U, [1, 23])

    def grams(self, U):
        """Per task the Gram matrix with weights U around its U-mean (or none)."""
        out = []
        for X, u in zip(self.raw, self.by_task(U), strict=True):
            if self.centre is not None and u.sum() > 0:
                X = X - u @ X / u.sum()
            out.append(X.T @ (u[:, None] * X))
        return out


def objective_of(loss, penalty, *, centre="task", pooled=False, seed=0):
    """An objective whose labels are not separable."""
    case = Case("shared", centre, pooled, False, "labels", seed=seed)
    z = case.design.forward(case.random_W())
    z = z / z.std() + 2 * case.rng.standard_normal(case.omega.shape)
    y = np.where(z > 0.3, 1.0, -1.0) if isinstance(loss, LogisticLoss) else z
    return Objective(case.design, y, loss, penalty)


LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss()}
PENALTIES = {
    "l21": L21(2.0),
    "l21-ridge": L21(1.0) + Ridge(0.5),
    "l1": L1(1.5),
    "ridge": Ridge(0.7),
}
SMOOTH = {"ridge": Ridge(0.7), "ridge-each": Ridge(np.array([0.1, 1.0, 5.0])), "none": None}
