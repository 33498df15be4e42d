"""benchmarks.criteria runs, and scores what it states."""

import json

import numpy as np
import pytest

from benchmarks import criteria
from skmtl import BlockSparseRegressor
from skmtl.model_selection import AlphaSearchIC


def test_quick_run_scores_the_selected_features(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(criteria, "SIZES", ((30, 12),))
    monkeypatch.setattr(criteria, "N_ALPHAS", 12)
    raw = tmp_path / "raw.json"
    records = criteria.main(["--quick", "--jobs", "1", "--json", str(raw)])
    printed = capsys.readouterr().out
    assert "Selection of alpha: stacked layout" in printed
    assert json.loads(raw.read_text())["records"] == records
    assert len(records) == 2 * 2 * 6
    for layout in criteria.LAYOUTS:
        X, y, (W, b, _) = criteria.simulate(layout, 30, 12, 2.0, 0)
        model = BlockSparseRegressor(task_column=None if layout == "shared" else -1, tol=1e-6)
        for kind in ("aic", "bic", "ebic"):
            (record,) = [
                r for r in records if (r["layout"], r["method"], r["seed"]) == (layout, kind, 0)
            ]
            search = AlphaSearchIC(model, criterion=kind, alphas=12, eps=criteria.EPS).fit(X, y)
            matters = W.any(axis=0)
            assert record["false"] == (search.support_ & ~matters).sum()
            assert record["missed"] == (~search.support_ & matters).sum()
            assert record["exact"] == (search.support_ == matters).all()
            # The excess risk, by new rows.
            rng = np.random.default_rng(0)
            distances = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
            new = rng.multivariate_normal(np.zeros(12), 0.5**distances, 20_000)
            errors = new @ (search.coef_ - W).T + search.intercept_ - b
            assert record["risk"] == pytest.approx((errors**2).mean(), rel=0.05)


def test_the_signal_has_the_stated_variance():
    X, _, (W, _, covariance) = criteria.simulate("shared", 50_000, 10, 2.0, 3)
    np.testing.assert_allclose(np.cov(X.T), covariance, atol=0.03)
    assert (X @ W.T).var(axis=0).mean() == pytest.approx(2.0, rel=0.03)
    assert W.any(axis=0).sum() == 5
