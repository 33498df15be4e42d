"""The algebra of penalties: traits of sums and wrappers, and imports of their files."""

import ast
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import skmtl.penalties
from skmtl import MultiTaskRegressor
from skmtl.penalties import (
    L1,
    L21,
    ChosenEntries,
    FeatureGroups,
    FusedTasks,
    GraphTotalVariation,
    L1Inf,
    PairwiseFusion,
    Penalty,
    PenaltySum,
    Positive,
    Ridge,
    SparseGroup,
    SquaredTraceNorm,
    Superposition,
    TaskGroup,
    Terms,
    TraceNorm,
    TreeGroup,
    WeightedRows,
    split,
)
from skmtl.reference import solve

SHAPE = (4, 3)
FACTORS = np.array([0.5, 2.0, 0.0, 1.0])
TREE = TreeGroup(0.6, [[0, 1, 2], [2], [2, 0], [1]], [0.5, 2.0, 1.0, 0.4])
TIGHT = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}


class TaskNorms(Penalty):
    """The norm in CONTRIBUTING, which is not part of the package."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def value(self, W):
        return float(self.alpha * np.linalg.norm(W, axis=0).sum())

    def prox(self, V, step):
        norms = np.maximum(np.linalg.norm(V, axis=0), np.finfo(V.dtype).tiny)
        return V * np.maximum(0, 1 - step * self.alpha / norms)

    def dual_norm(self, G):
        return float(np.linalg.norm(G, axis=0).max() / self.alpha)

    def to_cvxpy(self, W):
        # A minimum over further variables is a pair.
        bounds = cp.Variable(W.shape[1])
        return self.alpha * cp.sum(bounds), [cp.norm(W, 2, axis=0) <= bounds]


class AbsoluteTaskNorms(TaskNorms):
    is_absolute = True


ABSOLUTE = {
    "L1": L1(0.7),
    "L21": L21(1.3),
    "L1Inf": L1Inf(0.9),
    "SparseGroup": SparseGroup(0.9, 0.4),
    "SparseGroup-linf": SparseGroup(0.9, 0.4, "linf"),
    "TaskGroup": TaskGroup(0.6),
    "TreeGroup": TREE,
    "WeightedRows": WeightedRows(SparseGroup(0.9, 0.4), FACTORS),
    "FeatureGroups": FeatureGroups(0.9, np.arange(SHAPE[0]) // 2, 0.4),
    "FeatureGroups-linf": FeatureGroups(0.9, np.arange(SHAPE[0]) // 2, 0.4, norm="linf"),
    "fused-not": FusedTasks(0.7, 0.0, 0.5, 0.8),
    "sum": split(L1(0.4) + L21(0.3))[0],
    "own": AbsoluteTaskNorms(0.7),
}
numbers = st.floats(-100, 100, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
matrices = arrays(np.float64, SHAPE, elements=numbers)


class TestFiles:
    """Norms import the base and shared files; the algebra imports these, but no norm."""

    SHARED = {
        "_base", "_box", "_derivatives", "_forms", "_fusion", "_graph_form", "_roots", "_shrinkage",
        "_sparse_rows", "_spectral_box", "_task_precision", "_thresholds", "_weights",
    }  # fmt: skip
    ALGEBRA = {"_by_feature", "_concave", "_factored", "_split", "_superposition", "_terms"}
    # A former file, which only forwards.
    FORMER = "_spectral"

    @staticmethod
    def _imports():
        """The files of the folder that each of its files imports, at any depth."""
        folder = Path(skmtl.penalties.__file__).parent
        return {
            path.stem: {
                node.module.split(".")[2]
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ImportFrom)
                and (node.module or "").startswith("skmtl.penalties.")
            }
            for path in folder.glob("_*.py")
            if path.stem != "__init__"
        }

    def test_no_circle(self):
        left = self._imports()
        while left:
            ready = [name for name, needed in left.items() if not needed & left.keys()]
            assert ready, f"a circle among {sorted(left)}"
            left = {name: needed for name, needed in left.items() if name not in ready}

    def test_only_the_package_init_imports_norms(self):
        imports = self._imports()
        assert imports.keys() >= self.SHARED | self.ALGEBRA
        del imports[self.FORMER]
        for name, needed in imports.items():
            allowed = self.SHARED | self.ALGEBRA if name in self.ALGEBRA else self.SHARED
            assert needed <= allowed, f"{name} must not import {sorted(needed - allowed)}"


class TestAbsolute:
    @pytest.mark.parametrize("penalty", [pytest.param(p, id=name) for name, p in ABSOLUTE.items()])
    @given(W=matrices, shares=arrays(np.float64, SHAPE, elements=st.floats(0, 1)))
    def test_depends_on_absolute_values_and_does_not_decrease(self, penalty, W, shares):
        assert penalty.is_absolute
        value = penalty.value(W)
        assert penalty.value(np.abs(W)) == pytest.approx(value, rel=1e-12)
        assert penalty.value(W * shares) <= value * (1 + 1e-12)

    @pytest.mark.parametrize(
        "penalty",
        [
            TraceNorm(),
            FusedTasks(0.3, 0.5, 0.2),
            WeightedRows(PairwiseFusion(0.3, 0.5, 0.2), np.ones(4)),
            GraphTotalVariation(np.ones((3, 3))),
            L1() + L21(),
            TaskNorms(),
            "l1",
        ],
        ids=repr,
    )
    def test_undeclared_penalties_are_rejected(self, penalty):
        rule = r"(?s)'penalty' parameter of Positive must be .* set is_absolute = True in its class"
        with pytest.raises(ValueError, match=rule):
            Positive(penalty).check(*SHAPE)

    @pytest.mark.parametrize("penalty", [TREE, AbsoluteTaskNorms(0.7)], ids=["tree", "own"])
    @pytest.mark.parametrize("seed", range(3))
    def test_prox_and_dual_norm_are_cvxpys(self, penalty, seed):
        V, W = np.random.default_rng(seed).standard_normal(SHAPE), cp.Variable(SHAPE)
        positive = Positive(penalty)
        positive.check(*SHAPE)
        value, constraints = positive.stated(W)
        problem = cp.Problem(cp.Minimize(cp.sum_squares(W - V) / (2 * 0.3) + value), constraints)
        problem.solve(solver="CLARABEL", **TIGHT)
        np.testing.assert_allclose(positive.prox(V, 0.3), W.value, atol=1e-5)
        problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(V, W))), [value <= 1, *constraints])
        problem.solve(solver="CLARABEL", **TIGHT)
        assert positive.dual_norm(V) == pytest.approx(problem.value, rel=1e-6)
        # G scaled by it is feasible.
        scale = positive.dual_scale(V)
        assert 0 < scale < 1 and positive.conjugate(scale * V) == 0
        assert positive.conjugate(1.001 * V / positive.dual_norm(V)) == np.inf

    @pytest.mark.parametrize("solver", ["auto", "fista", "admm"])
    def test_a_users_norm_is_fitted(self, solver):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((40, 5))
        Y = X @ np.abs(rng.standard_normal((5, 4))) * [1, 1, 0, -1] + rng.standard_normal((40, 4))
        model = MultiTaskRegressor(
            0.3, penalty=Positive(AbsoluteTaskNorms()), tol=1e-12, solver=solver
        )
        model.fit(X, Y)
        best = solve(model, X, Y)
        np.testing.assert_allclose(model.coef_, best.coef_, atol=3e-5)
        assert model.objective_ == pytest.approx(best.objective, rel=1e-7)
        assert (model.coef_ >= 0).all() and not model.coef_[3].any() and model.coef_.any()


class TestZeros:
    @pytest.mark.parametrize(
        "penalty",
        [
            L1(0.0),
            Ridge(0.0),
            FusedTasks(1.0, 0.0),
            FusedTasks(0.0),
            WeightedRows(L21(0.0), np.ones(4)),
            L1(0.0) + Ridge(0.0),
            Superposition(L1(0.0), L21(1.0)),
        ],
        ids=repr,
    )
    def test_is_zero(self, penalty):
        assert penalty.is_zero and penalty.without_zeros() is None

    @pytest.mark.parametrize(
        "penalty",
        [
            L1(0.1),
            Ridge(np.zeros(3)),
            FusedTasks(1.0, 0.0, 0.1),
            ChosenEntries(np.ones(SHAPE, dtype=bool)),
            WeightedRows(L21(0.1), np.zeros(4)),
            Superposition(L1(0.2), L21(1.0)),
        ],
        ids=repr,
    )
    def test_is_not_zero(self, penalty):
        assert not penalty.is_zero and penalty.without_zeros() is penalty

    def test_sums_lose_their_zeros(self):
        block, ridge = L21(0.2), Ridge(0.1)
        assert (L1(0.0) + block).without_zeros() is block
        kept = (block + L1(0.0) + ridge).without_zeros()
        assert isinstance(kept, PenaltySum) and kept.parts == (block, ridge)


class TestMerging:
    V = np.random.default_rng(0).standard_normal(SHAPE)

    @pytest.mark.parametrize(
        ("parts", "same"),
        [
            ((L1(0.1), L21(0.3)), SparseGroup(0.4, 0.1 / 0.4)),
            ((L21(0.2), L21(0.3)), L21(0.5)),
            ((L1(0.2), L1(0.3)), L1(0.5)),
        ],
        ids=repr,
    )
    def test_equals_the_single_norm(self, parts, same):
        merged, quadratic = split(PenaltySum(parts) + Ridge(0.1))
        assert quadratic is not None
        assert merged.row_thresholds == pytest.approx(same.row_thresholds, rel=1e-15)
        np.testing.assert_array_equal(merged.prox(self.V, 0.7), same.prox(self.V, 0.7))
        assert merged.value(self.V) == same.value(self.V)
        assert merged.dual_norm(self.V) == same.dual_norm(self.V)
        twice, W = merged.scaled(2.0), cp.Constant(self.V)
        assert float(twice.to_cvxpy(W).value) == pytest.approx(2 * same.value(self.V), rel=1e-9)

    @pytest.mark.parametrize(
        "parts",
        [
            (SparseGroup(0.4, 0.3), L1(0.1)),
            (SparseGroup(0.4, 0.3), SparseGroup(0.2, 0.9)),
            (SparseGroup(0.4, 0.3), FusedTasks(0.5, 0.7, 0.1, 0.2, [2, 0, 1])),
            (L21(0.1), FusedTasks(0.5, 0.0, 0.1, 0.2)),
        ],
        ids=repr,
    )
    def test_row_thresholds_are_merged_into_one_prox(self, parts):
        merged, _ = split(PenaltySum(parts))
        assert merged.has_prox
        assert merged.value(self.V) == pytest.approx(sum(part.value(self.V) for part in parts))
        W = cp.Variable(SHAPE)
        squares = cp.sum_squares(W - self.V) / (2 * 0.3)
        problem = cp.Problem(cp.Minimize(squares + sum(part.to_cvxpy(W) for part in parts)))
        problem.solve(solver="CLARABEL", **TIGHT)
        np.testing.assert_allclose(merged.prox(self.V, 0.3), W.value, atol=1e-5)

    @pytest.mark.parametrize(
        ("whole", "kinds"),
        [
            (TraceNorm() + L1(), [L1, TraceNorm]),
            (L1(0.0) + L21(0.0), [L1, L21]),
            (L1Inf() + L1(), [L1, L1Inf]),
            (WeightedRows(L21(), np.ones(4)) + L1(), [L1, WeightedRows]),
            (SparseGroup(0.4, 0.3, "linf") + L1(), [L1, SparseGroup]),
            (GraphTotalVariation(np.ones((3, 3))), [GraphTotalVariation]),
        ],
        ids=repr,
    )
    def test_what_does_not_merge_becomes_terms(self, whole, kinds):
        terms, _ = split(whole)
        assert isinstance(terms, Terms) and [type(part) for part in terms.parts] == kinds

    def test_quadratics_have_a_form(self):
        assert split(Ridge(0.1) + SquaredTraceNorm())[1].alpha == 0.1
        assert split(SquaredTraceNorm())[1] is None


class TestParts:
    def test_all_but_superpositions_have_one_part(self):
        V = np.random.default_rng(0).standard_normal((1, *SHAPE))
        block = L21(0.3)
        assert block.n_superposed == (block + L1(0.1)).n_superposed == 1
        assert block.value_of_parts(V) == block.value(V[0])
        np.testing.assert_array_equal(block.prox_of_parts(V, 0.2), [block.prox(V[0], 0.2)])
        assert Superposition(block, L1(0.1)).n_superposed == 2
        assert not block.named_parts
        assert [*(block + L1(0.1)).named_parts] == ["l21", "l1"]
