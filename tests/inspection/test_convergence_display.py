"""The display of duality gaps."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseRegressorCV,
    CappedBlockSparseRegressor,
    IndependentTaskClassifier,
    LowRankRegressor,
    SafeTransferRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.inspection import ConvergenceDisplay
from skmtl.model_selection import AlphaSearchCV

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _agg():
    with plt.rc_context({"backend": "Agg"}):
        yield
        plt.close("all")


@pytest.fixture(scope="module")
def data():
    found = make_block_sparse(40, 8, 3, n_informative=3, random_state=0)
    return found.data, found.target


class TestFromEstimator:
    def test_curve_ends_at_the_dual_gap(self, data):
        model = LowRankRegressor(0.1, solver="fista", tol=1e-6)
        display = ConvergenceDisplay.from_estimator(model, *data)
        fitted = LowRankRegressor(0.1, solver="fista", tol=1e-6).fit(*data)
        x, gaps = display.line_.get_data()
        assert gaps[-1] == fitted.dual_gap_ and x[-1] == fitted.n_iter_
        assert x[0] == 0 and (np.diff(gaps) <= 0).all()
        assert display.objectives[-1] == fitted.objective_
        assert fitted.dual_gap_ <= display.tolerance < gaps[0]
        assert display.tolerance_line_.get_ydata()[0] == display.tolerance
        assert display.ax_.get_yscale() == "log" and display.ax_.get_xlabel() == "iteration"
        assert not hasattr(model, "coef_")

    def test_seconds_are_those_since_the_start(self, data):
        display = ConvergenceDisplay.from_estimator(LowRankRegressor(), *data, x="seconds")
        x = display.line_.get_xdata()
        assert (x > 0).all() and (np.diff(x) > 0).all()
        assert display.ax_.get_xlabel() == "seconds"

    def test_several_curves_on_the_same_axes(self, data):
        _, ax = plt.subplots()
        for solver in ("fista", "admm"):
            model = LowRankRegressor(0.1, solver=solver)
            display = ConvergenceDisplay.from_estimator(model, *data, ax=ax)
            assert display.ax_ is ax and display.figure_ is ax.figure
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == [
            "LowRankRegressor (solver='fista')",
            "LowRankRegressor (solver='admm')",
            "tolerance",
        ]
        assert display.tolerance_line_ is None  # the same for both
        assert len({line.get_marker() for line in ax.lines[::2]}) == 2

    def test_final_fit_of_a_search_in_a_pipeline(self, data):
        model = make_pipeline(StandardScaler(), BlockSparseRegressorCV(alphas=[1.0, 0.1], cv=2))
        display = ConvergenceDisplay.from_estimator(model, *data, name="final fit", c="C3", ms=7)
        assert display.gaps[-1] == model.fit(*data)[-1].dual_gap_
        assert display.line_.get_color() == "C3" and display.line_.get_markersize() == 7
        assert display.name == "final fit"

    def test_stacked_layout(self):
        found = make_block_sparse(
            40, 5, 3, n_informative=3, layout="stacked", classification=True, random_state=0
        )
        model = IndependentTaskClassifier(0.1, task_column=-1)
        display = ConvergenceDisplay.from_estimator(model, found.data, found.target)
        assert display.gaps[-1] == model.fit(found.data, found.target).dual_gap_

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (AlphaSearchCV(LowRankRegressor()), "pass its best_estimator_"),
            (CappedBlockSparseRegressor(), "Plot objectives_"),
            (SafeTransferRegressor("low_rank", alphas=2, cv=2), "mixes several fits"),
        ],
    )
    def test_estimators_without_a_gap(self, model, message, data):
        with pytest.raises(TypeError, match=message):
            ConvergenceDisplay.from_estimator(model, *data)


class TestFromResult:
    rows = [(0, 5.0, 2.0, 0.1), (10, 4.0, 0.0, 0.2)]

    def test_rows(self):
        display = ConvergenceDisplay.from_result(self.rows, x="seconds")
        np.testing.assert_array_equal(display.line_.get_xydata(), [(0.1, 2.0), (0.2, 0.0)])
        assert display.tolerance_line_ is None and display.ax_.get_legend() is None
        assert display.plot() is display

    @pytest.mark.parametrize("history", [[], [(1, 2.0, 3.0)], [1.0, 2.0, 3.0, 4.0]])
    def test_bad_history(self, history):
        with pytest.raises(ValueError, match="Use from_estimator"):
            ConvergenceDisplay.from_result(history)

    def test_bad_axis(self):
        with pytest.raises(ValueError, match="x must be one of"):
            ConvergenceDisplay.from_result(self.rows, x="minutes")
