"""StructureSearch*CV: planted structures, selection, honesty, halving, and scikit-learn's tools."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skmtl import (
    BlockSparseRegressor,
    FusedTaskRegressor,
    IndependentTaskRegressor,
    LowRankClassifier,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    StructureSearchClassifierCV,
    StructureSearchRegressorCV,
    TaskRelationRegressor,
)
from skmtl.datasets import make_block_sparse, make_clustered_tasks
from skmtl.estimators.tuning import Ending, PathScores
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, StructureSearchDisplay
from skmtl.model_selection._structure_compare import Comparison
from skmtl.model_selection._structure_report import report
from skmtl.model_selection._structure_results import (
    Difference,
    NestedEstimate,
    StructureScore,
    select,
)
from skmtl.model_selection._structure_rounds import run_rounds, thin
from skmtl.model_selection._structures import BASELINES, CONVEX, STRUCTURES
from skmtl.penalties import L21

FEW = ["independent", "pooled", "block_sparse"]


@pytest.fixture(scope="module")
def shared():
    return make_block_sparse(50, 10, 4, n_informative=3, noise=2.0, random_state=0)


@pytest.fixture(scope="module")
def stacked():
    return make_block_sparse(20, 6, 4, n_informative=3, noise=2.0, layout="stacked", random_state=0)


@pytest.fixture(scope="module")
def fitted(shared):
    return StructureSearchRegressorCV([*FEW, "low_rank"], cv=4).fit(shared.data, shared.target)


def _found(search):
    """The best structure and those not distinguishable from it."""
    return {search.results_.best, *search.results_.ties}


# Planted structures


def _planted(W, n, noise, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, len(W)))
    return X, X @ W + noise * rng.standard_normal((n, W.shape[1]))


@pytest.fixture(scope="module")
def unrelated():
    rng = np.random.default_rng(1)
    return _planted(rng.standard_normal((6, 5)), 60, 1.0)


def test_unrelated_tasks_are_independent(unrelated):
    names = [*FEW, "low_rank", "relation"]
    search = StructureSearchRegressorCV(names, alphas=10, refit="one_se").fit(*unrelated)
    assert search.best_structure_ == "independent"
    assert "pooled" not in _found(search)
    assert search.report().startswith("No structure")


def test_unrelated_tasks_have_no_clear_gain(unrelated):
    search = StructureSearchRegressorCV([*FEW, "low_rank", "relation"], alphas=10).fit(*unrelated)
    assert search.best_structure_ == search.results_.best
    assert "independent" in _found(search) and "pooled" not in _found(search)
    gain, relative = (
        compare(search.best_structure_)
        for compare in (search.results_.difference, search.results_.relative)
    )
    assert gain.mean > 0 and not gain.is_clear and relative.mean < 0.05
    assert "not distinguishable from no change: no structure is better by more" in search.report()


def test_equal_tasks_are_pooled():
    rng = np.random.default_rng(1)
    X, Y = _planted(np.repeat(rng.standard_normal((12, 1)), 6, axis=1), 40, 2.0)
    search = StructureSearchRegressorCV([*FEW, "low_rank", "relation"], alphas=10).fit(X, Y)
    assert search.best_structure_ == "pooled"
    for name in ("independent", "block_sparse", "low_rank", "relation"):
        assert search.results_.difference("pooled", name).mean > 0


def test_common_features_are_block_sparse():
    made = make_block_sparse(60, 30, 6, n_informative=3, noise=2.0, random_state=0)
    search = StructureSearchRegressorCV([*FEW, "low_rank", "graph"], alphas=10)
    search.fit(made.data, made.target)
    assert search.best_structure_ == "block_sparse"
    gain = search.results_.relative("block_sparse")
    assert gain.low > 0 and f"lowers the mean squared error by {100 * gain.mean:.1f}%" in (
        search.report()
    )


def test_clusters_are_found():
    made = make_clustered_tasks(
        20, 12, 8, n_clusters=2, spread=0.2, noise=2.0, layout="stacked", random_state=0
    )
    names = [*FEW, "low_rank", "clustered"]
    search = StructureSearchRegressorCV(
        names, alphas=8, params={"n_clusters": 2}, task_column=-1
    ).fit(made.data, made.target)
    # The tasks' centres are on a line, so that they also have rank two.
    assert "clustered" in _found(search) and search.best_structure_ in ("clustered", "low_rank")
    assert search.results_.relative("clustered").mean > 0.2


# Scores and selection


@pytest.mark.filterwarnings("ignore:The .* alpha:UserWarning")
@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_scores_are_those_of_separate_searches(layout):
    made = make_block_sparse(40, 6, 4, n_informative=2, noise=1.0, layout=layout, random_state=0)
    column = -1 if layout == "stacked" else None
    alphas = [1.0, 0.3, 0.1]
    structures = {"rows": BlockSparseRegressor(), "between": TaskRelationRegressor()}
    search = StructureSearchRegressorCV(
        [*FEW, *structures.items()], alphas=alphas, params={"tol": 1e-9}, task_column=column, cv=3
    ).fit(made.data, made.target)
    models = structures | {
        "independent": IndependentTaskRegressor(),
        "pooled": PooledTaskRegressor(),
    }
    for name, model in models.items():
        alone = AlphaSearchCV(
            clone(model).set_params(tol=1e-9, task_column=column), alphas=alphas, cv=3
        ).fit(made.data, made.target)
        place = list(alone.alphas_).index(alone.alpha_)
        assert search.results_[name].params["alpha"] == alone.alpha_
        np.testing.assert_allclose(search.results_[name].scores, -alone.mse_path_[place], rtol=1e-5)
    np.testing.assert_allclose(
        search.results_["rows"].scores, search.results_["block_sparse"].scores, rtol=1e-6
    )


def test_scores_of_rows_that_take_no_moments_equal_those_of_fits():
    # More tasks than labels have rank: objectives made for some penalties are rotated.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 20))
    Y = X @ rng.standard_normal((20, 15)) + rng.standard_normal((9, 15))
    names = ["independent", "low_rank", "graph", "block_sparse", "dirty"]
    cv = list(KFold(3).split(X))
    search = StructureSearchRegressorCV(names, alphas=[20.0, 5.0], params={"tol": 1e-8}, cv=cv)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, Y)
    for name in names:
        model = search.make(name)
        for score, (train, test) in zip(search.results_[name].scores, cv, strict=True):
            error = ((model.fit(X[train], Y[train]).predict(X[test]) - Y[test]) ** 2).mean()
            assert -score == pytest.approx(error, rel=1e-4), name


def test_classifiers_are_scored_by_log_loss_with_missing_labels():
    made = make_block_sparse(
        60, 6, 4, n_informative=2, missing=0.3, classification=True, random_state=0
    )
    cv = list(StratifiedTaskKFold(3, random_state=0).split(made.data, made.target))
    search = StructureSearchClassifierCV([*FEW, "low_rank"], alphas=[0.1, 0.01], cv=cv)
    search.fit(made.data, made.target)
    model = search.make("low_rank")
    for score, (train, test) in zip(search.results_["low_rank"].scores, cv, strict=True):
        p = model.fit(made.data[train], made.target[train]).predict_proba(made.data[test])
        seen = ~np.isnan(made.target[test])
        expected = log_loss(made.target[test][seen], p[seen], labels=[0, 1])
        assert -score == pytest.approx(expected, rel=1e-2)
    assert "log loss" in search.report() or "No structure" in search.report()
    assert search.predict_proba(made.data).shape == made.target.shape


def test_weights_count_as_repeated_rows(shared):
    weights = np.random.default_rng(0).integers(1, 4, len(shared.data))
    repeated = np.repeat(np.arange(len(shared.data)), weights)
    cv = list(KFold(3).split(shared.data))
    again = [
        (np.flatnonzero(np.isin(repeated, train)), np.flatnonzero(np.isin(repeated, test)))
        for train, test in cv
    ]
    search = StructureSearchRegressorCV(FEW, alphas=[1.0, 0.1], params={"tol": 1e-9})
    weighted = clone(search).set_params(cv=cv).fit(shared.data, shared.target, weights)
    copied = search.set_params(cv=again).fit(shared.data[repeated], shared.target[repeated])
    for name in FEW:
        np.testing.assert_allclose(
            weighted.results_[name].scores, copied.results_[name].scores, rtol=1e-4
        )
    np.testing.assert_allclose(weighted.coef_, copied.coef_, atol=1e-5)


def _row(name, scores, **params):
    return StructureScore(
        name, {"alpha": 1.0} | params, np.array(scores), np.array(scores), 1.0, 0.0, True, False
    )


def test_one_standard_error_selects_the_simpler_structure():
    rows = [
        _row("independent", [-3.0, -3.0, -3.0, -3.0]),
        _row("pooled", [-1.0, -2.0, -1.0, -2.1]),
        _row("low_rank", [-1.3, -1.6, -1.3, -1.7]),
    ]
    # Behind the best by 0.05 on average, with an error of 0.36 sqrt(1 / 4 + 1 / 3).
    assert select(rows, "pooled", 1 / 3, None, "one_se").selected == "pooled"
    found = select(rows, "pooled", 1 / 3, None, "best")
    assert found.selected == found.best == "low_rank"
    assert found.ties == ["pooled"]
    # A small but constant lag is not within an error.
    rows[1] = _row("pooled", [-1.35, -1.65, -1.35, -1.75])
    assert select(rows, "pooled", 1 / 3, None, "one_se").selected == "low_rank"


def test_refit_of_the_best_differs_only_in_the_selection(fitted, shared):
    simple = clone(fitted).set_params(refit="one_se").fit(shared.data, shared.target)
    assert fitted.best_structure_ == fitted.results_.best == simple.results_.best
    means = {row.structure: row.mean for row in fitted.results_.structures}
    assert fitted.best_score_ == max(means.values())
    order = [*STRUCTURES]
    assert order.index(simple.best_structure_) <= order.index(fitted.best_structure_)


def test_interval_is_corrected_for_overlapping_training_sets():
    found = Difference.of(np.array([1.0, 2.0, 3.0, 4.0]), 0.0, 1 / 3)
    assert found.mean == 2.5
    assert found.se == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * 5 / 3))
    assert found.high - found.mean == pytest.approx(3.182446 * found.se)
    alone = Difference.of(np.array([1.0]), 0.0, 1 / 3)
    assert np.isnan(alone.se) and not alone.is_clear


def test_refitted_estimator_equals_a_fit_with_its_parameters(fitted, shared):
    model = fitted.make(fitted.best_structure_)
    assert {"alpha": fitted.best_params_["alpha"]}.items() <= model.get_params().items()
    model.fit(shared.data, shared.target)
    np.testing.assert_array_equal(fitted.coef_, model.coef_)
    np.testing.assert_array_equal(fitted.predict(shared.data), model.predict(shared.data))
    assert fitted.score(shared.data, shared.target) == model.score(shared.data, shared.target)
    assert fitted.n_features_in_ == 10 and model.tol == BlockSparseRegressor().tol


def test_auto_scores_all_convex_structures():
    made = make_block_sparse(24, 4, 3, n_informative=2, random_state=0)
    search = StructureSearchRegressorCV(alphas=3, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(made.data, made.target)
    assert [row.structure for row in search.results_.structures] == list(CONVEX)
    # Three tasks are in at most three clusters.
    assert search.make("clustered").n_clusters == 2


def test_a_single_task_has_two_structures(shared):
    for y in (shared.target[:, 0], shared.target[:, :1]):
        search = StructureSearchRegressorCV(alphas=5).fit(shared.data, y)
        names = [row.structure for row in search.results_.structures]
        assert names == ["independent", "block_sparse"]
        assert search.predict(shared.data).shape == y.shape


def test_classes_of_a_vector(shared):
    y = np.array(["a", "b", "c"])[np.digitize(shared.target[:, 0], [-2, 2])]
    search = StructureSearchClassifierCV(FEW, alphas=[0.1, 0.01]).fit(shared.data, y)
    assert list(search.classes_) == ["a", "b", "c"]
    assert set(search.predict(shared.data)) <= {"a", "b", "c"}
    assert search.predict_proba(shared.data).shape == (50, 3)


def test_estimators_of_the_user(shared):
    grid = {"l1_ratio": [1.0, 0.5]}
    structures = {"mine": (BlockSparseRegressor(), grid), "rank": LowRankRegressor(power=2)}
    search = StructureSearchRegressorCV(structures, alphas=6, params={"fit_intercept": False})
    search.fit(shared.data, shared.target)
    assert [r.structure for r in search.results_.structures] == [*BASELINES, *structures]
    assert search.best_structure_ in structures  # the baselines were not named
    assert search.make("mine").l1_ratio in grid["l1_ratio"]
    assert not search.make("rank").fit_intercept and search.make("rank").power == 2


def test_any_penalty_equals_the_structure_of_the_same_penalty(shared):
    search = StructureSearchRegressorCV(
        [*FEW, ("mine", MultiTaskRegressor(penalty=L21()))], alphas=[1.0, 0.1], cv=3
    ).fit(shared.data, shared.target)
    scores = search.results_["mine"].scores
    np.testing.assert_allclose(scores, search.results_["block_sparse"].scores, rtol=1e-3)


def test_scores_with_an_offset_are_those_of_the_estimator(shared):
    offset = 5.0 * np.random.default_rng(0).standard_normal((len(shared.data), 1))
    X, Y = np.hstack([shared.data, offset]), shared.target + offset
    mine = BlockSparseRegressor(offset_column=-1)
    search = StructureSearchRegressorCV(
        {"mine": mine}, alphas=[1.0, 0.1], cv=KFold(3), params={"offset_column": -1, "tol": 1e-8}
    ).fit(X, Y)
    expected = cross_val_score(
        search.make("mine"), X, Y, cv=KFold(3), scoring="neg_mean_squared_error"
    )
    np.testing.assert_allclose(search.results_["mine"].scores, expected, rtol=1e-4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_equal_values_of_common_parameters_are_no_conflict(shared, container):
    chain = container(np.eye(4, k=1) + np.eye(4, k=-1))
    prior = {task: np.arange(10.0) for task in range(4)}
    mine = FusedTaskRegressor(graph=chain.copy(), prior_coef=dict(prior))
    search = StructureSearchRegressorCV(
        {"mine": mine}, alphas=[1.0], cv=2, graph=chain, params={"prior_coef": prior}
    )
    assert search.fit(shared.data, shared.target).best_structure_ == "mine"
    with pytest.raises(ValueError, match="sets graph for all structures"):
        clone(search).set_params(graph=2 * chain).fit(shared.data, shared.target)


def test_parameters_and_graph_reach_the_structures_that_have_them(shared):
    search = StructureSearchRegressorCV(
        ["independent", "graph", "clustered"],
        graph="chain",
        params={"n_clusters": 3, "task_weight": "balanced"},
        alphas=3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(shared.data, shared.target)
    assert search.make("graph").graph == "chain"
    assert search.make("clustered").n_clusters == 3
    assert search.make("independent").task_weight == "balanced"
    assert "n_clusters" not in search.results_["clustered"].params


# Results, report and plot


def test_results_are_a_frame(fitted):
    frame = fitted.results_.to_frame()
    assert isinstance(frame, pd.DataFrame) and len(frame) == 4
    frame = frame.set_index("structure")
    assert frame["selected"].sum() == 1 and frame.loc[fitted.best_structure_, "selected"]
    baseline = frame.loc[fitted.results_.baseline]
    np.testing.assert_allclose(frame["difference"], frame["score"] - baseline["score"])
    np.testing.assert_allclose(frame["relative"], -frame["difference"] / baseline["score"])
    assert (frame["low"] <= frame["difference"]).all() and (frame["seconds"] > 0).all()
    with pytest.raises(KeyError, match="No structure 'tree'; there are"):
        fitted.results_["tree"]


def test_report_says_what_it_shows(fitted):
    text = fitted.report()
    assert "optimistic; nested=True" in text
    assert f"The best score is that of {fitted.results_.best}" in text
    rows = [_row("independent", [-2.0, -2.1, -1.9]), _row("low_rank", [-1.0, -1.1, -0.8])]
    rows[1] = StructureScore(**vars(rows[1]) | {"baseline_scores": rows[0].scores})
    results = select(rows, "independent", 0.5, "log loss", "best")
    expected = "Sharing lowers the log loss by 51.7% [40.3, 63.0] against separate models."
    assert report(results, None).startswith(expected)
    nested = NestedEstimate(rows[0].scores, rows[0].scores, ["low_rank"] * 3, ["pooled"] * 3, 0.5)
    text = report(results, nested)
    assert text.startswith("With sharing the log loss equals that of one pooled model.")
    assert "in each of 3 outer folds" in text and "low_rank 3x" in text
    assert "optimistic" not in text
    text = report(select(rows, "independent", 0.5, None, "best"), None)
    assert text.startswith("Sharing raises the score by 1.03 [")


def test_nested_gain_relative_to_scores_that_are_no_error():
    zero = np.array([-0.1, 0.0, 0.1])
    nested = NestedEstimate(zero + 0.2, zero, ["low_rank"] * 3, ["pooled"] * 3, 0.5)
    assert nested.difference.mean == pytest.approx(0.2) and np.isnan(nested.relative.mean)
    rows = [_row("independent", [0.1, 0.2, 0.3]), _row("low_rank", [0.3, 0.4, 0.5])]
    text = report(select(rows, "independent", 0.5, None, "best"), nested)
    assert text.startswith("Sharing raises the score by 0.2 [")


def test_report_says_whether_any_gain_is_clear():
    alone = _row("independent", [-2.0, -2.1, -1.9])
    wide = _row("low_rank", [-1.0, -2.2, -1.0])
    narrow = _row("graph", [-1.9, -1.99, -1.81])
    wide, narrow = (
        StructureScore(**vars(row) | {"baseline_scores": alone.scores}) for row in (wide, narrow)
    )
    text = report(select([alone, wide], "independent", 0.5, "log loss", "best"), None)
    assert "against separate models, which is not distinguishable from no change: no str" in text
    results = select([alone, narrow, wide], "independent", 0.5, "log loss", "best")
    assert results.selected == "low_rank" and results.difference("graph").low > 0
    text = report(results, None)
    assert "against separate models, which is not distinguishable from no change. The best" in text


def test_report_names_the_quantile_loss(shared):
    search = StructureSearchRegressorCV(
        ["graph"], alphas=[1.0, 0.1], cv=2, params={"loss": "quantile", "quantile": 0.8}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(shared.data[:30], shared.target[:30])
    assert search.results_.error == "mean quantile loss"
    text = search.report()
    assert "squared" not in text and ("mean quantile loss" in text or "No structure" in text)


def test_report_of_a_single_task_does_not_speak_of_sharing(shared):
    y = shared.target[:, 0]
    search = StructureSearchRegressorCV("block_sparse", alphas=[1.0, 0.1], cv=3, nested=True)
    text = search.fit(shared.data, y).report()
    assert text.startswith("The search ") and "against the independent structure" in text
    simple = clone(search).set_params(nested=False).fit(shared.data, y)
    assert simple.report().startswith("The block_sparse structure ")
    assert "haring" not in text + simple.report()
    constant = clone(simple).fit(shared.data, np.ones(len(y)))
    assert constant.report().startswith(
        "With the block_sparse structure the mean squared error equals that of the independent"
    )
    pooled = select([_row("independent", [-1.0, -1.1])], "independent", 0.5, "log loss", "best")
    assert report(pooled, None).startswith("No structure has a better score than separate models.")


def test_report_of_an_error_that_a_baseline_does_not_have():
    rows = [_row("independent", [0.0, 0.0]), _row("low_rank", [-0.2, -0.4])]
    rows = [StructureScore(**vars(row) | {"baseline_scores": rows[0].scores}) for row in rows]
    rows[0] = StructureScore(**vars(rows[0]) | {"eligible": False})
    text = report(select(rows, "independent", 0.5, "mean squared error", "best"), None)
    assert text.startswith("Sharing raises the mean squared error by 0.3 [")


def test_report_of_a_single_fold_has_no_interval(shared):
    fold = [(np.arange(40), np.arange(40, 50))]
    search = StructureSearchRegressorCV(FEW, alphas=[1.0, 0.1], cv=fold)
    text = search.fit(shared.data, shared.target).report()
    assert "nan" not in text and "distinguishable" not in text
    assert "against separate models; a single fold gives no interval." in text


def test_nested_estimate_is_of_rows_that_took_no_part(shared):
    search = StructureSearchRegressorCV(FEW, alphas=[1.0, 0.1], cv=KFold(3), nested=True)
    search.fit(shared.data, shared.target)
    for k, (train, test) in enumerate(KFold(3).split(shared.data)):
        inner = clone(search).set_params(nested=False).fit(shared.data[train], shared.target[train])
        assert search.nested_.selected[k] == inner.best_structure_
        error = ((inner.predict(shared.data[test]) - shared.target[test]) ** 2).mean()
        assert -search.nested_.scores[k] == pytest.approx(error, rel=1e-3)
    assert "nested cross-validation" in search.report()
    assert search.set_params(nested=False).fit(shared.data, shared.target).nested_ is None


def test_plot_draws_every_structure(fitted):
    pytest.importorskip("matplotlib").use("Agg")
    display = StructureSearchDisplay.from_estimator(fitted)
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == [
        *("independent", "pooled", "block sparse", "low rank")
    ]
    assert "mean squared error removed" in display.ax_.get_xlabel()
    again = StructureSearchDisplay.from_results(fitted.results_, ax=display.ax_)
    assert again.figure_ is display.figure_
    drawn = sum(len(each.lines[0].get_xdata()) for each in display.errorbars_.values())
    assert drawn + len(display.ax_.texts) == 4  # within the axes, or beyond them with a number
    piped = StructureSearchDisplay.from_estimator(make_pipeline(fitted), ax=display.ax_)
    assert piped.results is fitted.results_
    display.figure_.clear()


@pytest.mark.turns(2)
@pytest.mark.parametrize("name", ["my_own_structure_of_these_tasks", 9 * "long_names_", 60 * "n"])
@pytest.mark.parametrize("error", ["mean squared error", "mean absolute percentage error"])
def test_plot_fits_into_its_figure_with_long_names(name, error):
    pytest.importorskip("matplotlib").use("Agg")
    base = np.array([-1.0, -1.1, -0.9])
    rows = [_row("independent", base), _row("pooled", base - 0.1), _row("graph", base + 0.05)]
    rows += [_row(name, base + 0.1), _row("relation", base + [0.0, 0.0, 0.3])]
    rows = [StructureScore(**vars(row) | {"baseline_scores": base}) for row in rows]
    rows[1] = StructureScore(**vars(rows[1]) | {"eligible": False})
    results = select(rows, "independent", 0.5, error, "best")
    display = StructureSearchDisplay.from_results(results)
    display.figure_.canvas.draw()
    ax, frame = display.ax_, display.figure_.bbox
    for artist in (ax.xaxis.label, ax.title, ax.get_legend(), *ax.get_yticklabels()):
        box = artist.get_window_extent()
        assert box.x0 >= frame.x0 and box.x1 <= frame.x1, artist
        assert box.y0 >= frame.y0 and box.y1 <= frame.y1, artist
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(low.y1 <= high.y0 for high, low in zip(boxes, boxes[1:], strict=False))
    display.figure_.clear()


def test_plot_names_what_it_needs(fitted):
    with pytest.raises(NotFittedError):
        StructureSearchDisplay.from_estimator(StructureSearchRegressorCV())
    with pytest.raises(TypeError, match="needs a StructureSearchRegressorCV or .*, got AlphaSearc"):
        StructureSearchDisplay.from_estimator(AlphaSearchCV(BlockSparseRegressor()))
    with pytest.raises(TypeError, match="takes results_ of a fitted search, got StructureSearchRe"):
        StructureSearchDisplay.from_results(fitted)


# Paths and budget


def test_paths_end_where_the_score_has_fallen():
    alphas = np.geomspace(1.0, 0.1, 12)

    def ends(*means):
        scores = np.repeat(np.array(means)[:, None], 2, axis=1)
        return PathScores(alphas, True, True, scores).is_done(Ending(patience=3, fall=0.01))

    assert not ends(-2.0, -1.0, -1.5, -2.0)  # the best is too close
    assert ends(-2.0, -1.0, -1.5, -2.0, -1.02)
    assert not ends(-2.0, -1.0, -1.5, -2.0, -1.005)  # not low enough
    assert not ends(*[np.nan] * 8) and ends(*[np.nan] * 12)


def test_a_tiny_budget_drops_all_but_the_best_structure_and_the_baselines():
    made = make_block_sparse(60, 20, 6, n_informative=3, noise=1.0, random_state=0)
    names = ["independent", "pooled", "block_sparse", "low_rank", "relation", "graph"]
    search = StructureSearchRegressorCV(names, alphas=5, budget=1e-9, random_state=0)
    search.fit(made.data, made.target)
    shares = {row.structure: row.share for row in search.results_.structures}
    assert sorted(shares.values()) == [0.25, 0.25, 0.5, 1.0, 1.0, 1.0]
    assert {name for name, share in shares.items() if share == 1.0} == set(FEW)
    assert search.best_structure_ == "block_sparse"
    assert "To keep to the budget" in search.report() and "dropped at" in repr(search.results_)
    full = clone(search).set_params(budget=1e6).fit(made.data, made.target)
    assert {row.share for row in full.results_.structures} == {1.0}


def test_rounds_keep_the_better_half_that_fits():
    scores = {"a": 0.0, "b": 1.0, "c": 5.0, "d": 4.0, "e": 3.0, "f": 2.0}
    calls = []

    def score(names, share):
        calls.append((names, share))
        return {name: scores[name] for name in names}

    rounds = run_rounds([*scores], ["a"], score, lambda found: (found, 1.0), 1e-9)
    assert calls == [([*scores], 0.25), (["a", "c", "d", "e"], 0.5), (["a", "c"], 1.0)]
    assert list(rounds) == [0.25, 0.5, 1.0] and list(rounds[1.0]) == ["a", "c"]
    calls.clear()
    run_rounds([*scores], ["a"], score, lambda found: (found, 1.0), 1e9)
    assert calls == [([*scores], 0.25), ([*scores], 1.0)]
    calls.clear()
    run_rounds([*scores], ["a"], score, lambda found: (found, 1.0), None)
    assert calls == [([*scores], 1.0)]


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_thinned_folds_are_nested_and_keep_all_tasks(layout):
    made = make_block_sparse(
        40, 5, 5, missing=0.7 if layout == "shared" else 0.0, classification=True, layout=layout,
        random_state=0,
    )  # fmt: skip
    search = StructureSearchClassifierCV(FEW, task_column=-1 if layout == "stacked" else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = Comparison(search._settings(), made.data, made.target, None, None)
    data = comparison.data
    for fold in comparison.folds:
        quarter, half = (thin(data, fold, share, search, 3) for share in (0.25, 0.5))
        assert set(quarter.train) <= set(half.train) <= set(fold.train)
        assert len(quarter.train) < len(half.train) < len(fold.train)
        kept, whole = data.take(quarter.train), data.take(fold.train)
        for sign in (-1, 1):
            counts = [part.per_task((part.y * sign > 0) * part.weights) for part in (kept, whole)]
            assert (counts[0][counts[1] > 0] > 0).all()


# scikit-learn's tools


@pytest.mark.filterwarnings("ignore:The selected alpha:UserWarning")
def test_pipeline_cross_validate_and_grid_search():
    made = make_block_sparse(60, 10, 4, n_informative=3, noise=0.5, random_state=0)
    search = StructureSearchRegressorCV(FEW, alphas=[1.0, 0.1], cv=3)
    pipeline = make_pipeline(StandardScaler(), search)
    result = cross_validate(pipeline, made.data, made.target, cv=3, scoring="r2")
    assert (result["test_score"] > 0.5).all()
    grid = GridSearchCV(search, {"refit": ["best", "one_se"]}, cv=2)
    assert grid.fit(made.data, made.target).best_estimator_.coef_.shape == (4, 10)


def test_stacked_frames_groups_and_pickle(stacked):
    frame = pd.DataFrame(stacked.data, columns=[*"abcdef", "task"])
    search = StructureSearchRegressorCV(FEW, alphas=[1.0, 0.1], task_column="task")
    groups = np.arange(len(frame)) // 2
    search.fit(frame, stacked.target, groups=groups)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(frame), search.predict(frame))
    assert again.report() == search.report()
    assert list(search.feature_names_in_) == list(frame.columns)
    assert not hasattr(search, "predict_proba") and not is_classifier(search)


def test_threads_do_not_change_the_result(fitted, shared):
    two = clone(fitted).set_params(n_jobs=2).fit(shared.data, shared.target)
    for row in fitted.results_.structures:
        np.testing.assert_allclose(two.results_[row.structure].scores, row.scores)
    assert two.best_structure_ == fitted.best_structure_


def test_scorers(shared):
    search = StructureSearchRegressorCV(FEW, alphas=[1.0, 0.1], scoring="r2", cv=3)
    search.fit(shared.data, shared.target)
    assert np.isnan(search.results_.relative("pooled").mean)
    assert "the score by" in search.report() or "No structure" in search.report()
    search.set_params(scoring="neg_mean_absolute_error").fit(shared.data, shared.target)
    assert search.results_.error == "mean absolute error"


def test_balanced_classes_and_scaled_tasks(shared):
    Y = (shared.target > 2).astype(float)
    search = StructureSearchClassifierCV(
        FEW, alphas=[0.1, 0.01], params={"class_weight": "balanced"}
    ).fit(shared.data, Y)
    assert search.best_estimator_.class_weight == "balanced"
    scaled = StructureSearchRegressorCV(FEW, alphas=[0.1, 0.01], params={"scale_tasks": True})
    units = shared.target * [1.0, 10.0, 100.0, 1000.0]
    scaled.fit(shared.data, units)
    plain = StructureSearchRegressorCV(FEW, alphas=[0.1, 0.01], params={"scale_tasks": True})
    plain.fit(shared.data, shared.target)
    assert scaled.best_score_ == pytest.approx(plain.best_score_, rel=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"structures": "cluster"}, "Unknown structure 'cluster'. Known are"),
        ({"structures": []}, "structures is empty"),
        ({"structures": ["pooled", "pooled"]}, "Two structures are called 'pooled'"),
        ({"structures": {"pooled": LowRankRegressor()}}, "Two structures are called 'pooled'"),
        ({"structures": [LowRankRegressor()]}, "A structure must be one of"),
        ({"structures": {"x": LowRankClassifier()}}, "must be a regressor"),
        ({"structures": {"x": (LowRankRegressor(), {"alpha": [1.0]})}}, "without alpha"),
        (
            {"structures": {"x": LowRankRegressor(scale_tasks=True)}},
            "must have the same scale_tasks: .*Pass params={'scale_tasks': True}",
        ),
        (
            {"structures": {"x": LowRankRegressor(offset_column=-1)}},
            "must have the same offset_column: .*Pass params={'offset_column': -1}",
        ),
        (
            {"structures": {"x": LowRankRegressor(prior_coef=np.zeros(10))}},
            "must have the same prior_coef: .*Pass params={'prior_coef': array",
        ),
        (
            {"structures": {"x": LowRankRegressor(loss="quantile")}},
            "must have the same loss: .*Pass params={'loss': 'quantile'}",
        ),
        (
            {
                "structures": {"x": (LowRankRegressor(), {"quantile": [0.5, 0.9]})},
                "params": {"loss": "quantile"},
            },
            "must have the same quantile: .*Pass params={'quantile': 0.9}",
        ),
        (
            {"structures": {"x": MultiTaskRegressor(loss="logistic")}},
            "must have the same loss: .*use loss='squared', or leave 'x' out",
        ),
        (
            {"structures": {"x": MultiTaskRegressor(loss=dict.fromkeys(range(4), "huber"))}},
            "must have the same loss: .*select its alpha by AlphaSearchCV",
        ),
        (
            {"structures": {"x": LowRankRegressor(task_column=-1)}},
            "sets task_column for all structures: 'x' has -1, .*Pass task_column=-1 to the search",
        ),
        (
            {"structures": {"x": FusedTaskRegressor(graph="chain")}, "graph": "complete"},
            "Pass graph='chain' to the search",
        ),
        ({"params": {"alpha": 1.0}}, "alpha is selected by cross-validation; pass alphas"),
        ({"params": {"graph": "chain"}}, "pass graph to the search"),
        ({"params": {"n_cluster": 2}}, "'n_cluster', which no structure has"),
        (
            {"cv": [(np.arange(40), np.arange(40, 50))], "refit": "one_se"},
            "needs at least two folds",
        ),
        (
            {"cv": [(np.arange(25), np.arange(25, 50))] * 2, "nested": True},
            "Pass a number of folds or a splitter",
        ),
        ({"refit": "1se"}, "'refit' parameter of StructureSearchRegressorCV"),
        ({"budget": 0}, "'budget' parameter of StructureSearchRegressorCV"),
        ({"params": {"loss": "logistic"}}, "'loss' parameter of IndependentTaskRegressor"),
    ],
)
def test_errors_name_the_remedy(shared, params, message):
    params = {"structures": FEW, "alphas": [1.0]} | params
    with pytest.raises(ValueError, match=message):
        StructureSearchRegressorCV(**params).fit(shared.data, shared.target)


def test_other_errors(shared):
    with pytest.raises(TypeError, match="takes an estimator of skmtl .*, not Ridge"):
        StructureSearchRegressorCV({"x": Ridge()}).fit(shared.data, shared.target)
    with pytest.raises(NotFittedError):
        StructureSearchRegressorCV().report()
    with pytest.raises(NotFittedError):
        StructureSearchRegressorCV().predict(shared.data)


def test_warns_at_the_end_of_the_grid(shared):
    search = StructureSearchRegressorCV(FEW, alphas=[100.0, 10.0, 2.0])
    with pytest.warns(UserWarning, match="is the smallest of the grid"):
        search.fit(shared.data, shared.target)


@pytest.mark.slow
def test_check_estimator_with_all_structures():
    # tests/laws checks the classifier with few structures, and the classifier of each structure.
    search = StructureSearchRegressorCV(alphas=[0.1], cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(search, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed and len(results) > 40


@pytest.mark.slow
@pytest.mark.parametrize("classifier", [False, True], ids=["regressor", "classifier"])
@pytest.mark.parametrize("layout", ["shared", "stacked"])
@pytest.mark.parametrize("name", [*STRUCTURES])
def test_every_structure_can_be_selected_and_has_the_scores_of_its_fits(name, layout, classifier):
    made = make_block_sparse(
        30, 5, 3, n_informative=2, layout=layout, classification=classifier, random_state=0
    )
    X, y = made.data, made.target
    column = -1 if layout == "stacked" else None
    cv = list(StratifiedTaskKFold(3, task_column=column, random_state=0).split(X, y))
    kind = StructureSearchClassifierCV if classifier else StructureSearchRegressorCV
    search = kind(
        [name], alphas=[0.1], params={"tol": 1e-7}, cv=cv, random_state=0, task_column=column
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
        assert search.best_structure_ == name
        assert type(search.best_estimator_) is STRUCTURES[name].kind(classifier=classifier)
        model = search.make(name)
        for score, (train, test) in zip(search.results_[name].scores, cv, strict=True):
            model.fit(X[train], y[train])
            if classifier:
                Z = model.decision_function(X[test])
                error = np.logaddexp(0, (1 - 2 * y[test]) * Z).mean()
            else:
                error = ((model.predict(X[test]) - y[test]) ** 2).mean()
            assert -score == pytest.approx(error, rel=1e-3 if model._is_convex else 1e-2)
