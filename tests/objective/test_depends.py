"""Copies of objectives keep the cached values that hold for them, and no others."""

import numpy as np
import pytest

from skmtl.design import SharedDesign
from skmtl.losses import SquaredLoss
from skmtl.objective import Objective, SuperposedObjective
from skmtl.objective._depends import depends_on, forget
from skmtl.penalties import L1, L21, Ridge, Superposition


class Base:
    n_computed = 0

    @depends_on("loss", "penalty")
    def both(self):
        self.n_computed += 1
        return self.n_computed

    @depends_on("features")
    def other(self):
        return object()


class Derived(Base):
    @property
    def other(self):
        return 5


@pytest.mark.parametrize("kind", [Base, Derived])
def test_only_what_depends_on_a_part_is_forgotten(kind):
    objective = kind()
    assert [objective.both, objective.both] == [1, 1]
    other = objective.other
    forget(objective, "penalty")
    assert objective.both == 2 and objective.other is other
    forget(objective, "features")
    assert objective.both == 2
    assert objective.other == 5 if kind is Derived else objective.other is not other
    forget(objective, "loss")
    assert objective.both == 3


def make(X, Y, penalty):
    return Objective(
        SharedDesign(X, np.full(Y.shape, 1 / Y.size), centre=True), Y, SquaredLoss(), penalty
    )


def test_another_penalty_and_fewer_features_give_the_values_of_a_new_objective():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 5)), rng.normal(size=(30, 3))
    X -= X.mean(axis=0)
    objective = make(X, Y, L21(0.1))
    assert objective.curvature and objective.thresholds and objective.column_squares.any()
    changed = objective.with_penalty(Ridge(2.0) + L21(0.3))
    rows = np.array([0, 3])
    part, _ = changed.restricted(rows, changed.null)
    for found, new in (
        (changed, make(X, Y, Ridge(2.0) + L21(0.3))),
        (part, make(X[:, rows], Y, Ridge(2.0) + L21(0.3))),
    ):
        assert found.curvature[0] == pytest.approx(new.curvature[0], rel=1e-6)
        np.testing.assert_allclose(found.column_squares, new.column_squares)
        np.testing.assert_allclose(found.thresholds.ridges, new.thresholds.ridges)
        assert found.null_value == pytest.approx(new.null_value)


def test_another_superposition_gives_the_values_of_a_new_objective():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 5)), rng.normal(size=(30, 3))
    X -= X.mean(axis=0)
    objective = SuperposedObjective(make(X, Y, Superposition(L21(0.1), L1(0.2))))
    point = objective.start(rng.normal(size=(10, 3)))
    values = objective.curvature[0], objective.value(point)
    penalty = Ridge(2.0) + Superposition(L21(0.3), L1(0.1))
    changed, new = (
        objective.with_penalty(penalty),
        SuperposedObjective(make(X, Y, penalty)),
    )
    assert changed.curvature[0] == pytest.approx(new.curvature[0], rel=1e-6)
    assert changed.curvature[0] != values[0]
    assert changed.value(point) == pytest.approx(new.value(new.start(point.W)))
    np.testing.assert_allclose(changed.bounds(point), new.bounds(new.start(point.W)))
    assert objective.value(point) == values[1]
