"""The order of tasks from categories, names and numbers."""

import itertools
import warnings

import numpy as np
import pytest

from skmtl import FusedTaskClassifier, FusedTaskRegressor, GraphRegularizedRegressor

WEEKS = ["week 1", "week 2", "week 3", "week 10"]


@pytest.fixture
def by_week():
    """Features, labels and each row's week; labels change after the third week."""
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(80, 2)), np.repeat([3, 0, 2, 1], 20)
    y = X @ [1.0, 2.0] + np.where(codes == 3, 5.0, 0.0) * X[:, 0] + 0.1 * rng.normal(size=80)
    return X, y, np.array(WEEKS)[codes], codes


def _edges(model):
    return [tuple(edge) for edge in model.edges_.tolist()]


CHAIN = list(itertools.pairwise(WEEKS))


def test_ordered_categories_are_the_chain(by_week):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y, weeks, codes = by_week
    numbered = FusedTaskRegressor(0.1, task_column=-1, tol=1e-10)
    numbered.fit(np.column_stack([X, codes]), y)
    ordered = pd.Categorical(weeks, categories=[*WEEKS, "week 11"], ordered=True)
    frame = pd.DataFrame(X, columns=["u", "v"]).assign(week=ordered)
    enum = pl.DataFrame(X, schema=["u", "v"]).with_columns(
        week=pl.Series(weeks.tolist(), dtype=pl.Enum(WEEKS))
    )
    for data in (frame, enum, frame[["week", "u", "v"]]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = FusedTaskRegressor(0.1, task_column="week", tol=1e-10).fit(data, y)
        assert _edges(model) == CHAIN
        names = model.tasks_.tolist()
        rows = [names.index(week) for week in WEEKS]
        np.testing.assert_allclose(model.coef_[rows], numbered.coef_, atol=1e-7)
    labels = pd.Series(ordered.remove_unused_categories())
    assert _edges(FusedTaskClassifier(0.1).fit(X, labels)) == CHAIN
    graph = GraphRegularizedRegressor(0.1, graph="chain", task_column="week").fit(frame, y)
    names = graph.tasks_.tolist()
    for first, second in itertools.combinations(WEEKS, 2):
        entry = graph.laplacian_[names.index(first), names.index(second)]
        assert entry == (-1.0 if (first, second) in CHAIN else 0.0)


def test_strings_in_alphabetical_order_warn(by_week):
    pd = pytest.importorskip("pandas")
    X, y, weeks, _ = by_week
    alphabetical = "'week 1', 'week 10', 'week 2', 'week 3'"
    frame = pd.DataFrame(X, columns=["u", "v"]).assign(week=weeks)
    for data in (frame, frame.astype({"week": "category"})):
        with pytest.warns(UserWarning, match=f"alphabetical order: {alphabetical}.*'order'"):
            FusedTaskRegressor(0.1, task_column="week").fit(data, y)
        with pytest.warns(UserWarning, match=f"alphabetical order: {alphabetical}.*'graph'"):
            GraphRegularizedRegressor(0.1, graph="chain", task_column="week").fit(data, y)
    with pytest.warns(UserWarning, match="alphabetical order"):
        FusedTaskClassifier(0.1).fit(X, weeks)
    Y = pd.DataFrame(np.column_stack([y, -y, y, y]), columns=WEEKS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Columns are in the user's own order, and a complete graph needs none.
        assert _edges(FusedTaskRegressor(0.1).fit(X, Y)) == CHAIN
        GraphRegularizedRegressor(0.1, task_column="week").fit(frame, y)
        FusedTaskRegressor(0.1, graph="complete", task_column="week").fit(frame, y)
        FusedTaskRegressor(0.1, order=WEEKS, task_column="week").fit(frame, y)


def test_an_order_by_name(by_week):
    pd = pytest.importorskip("pandas")
    X, y, weeks, codes = by_week
    frame = pd.DataFrame(X, columns=["u", "v"]).assign(week=weeks)
    places = {"week 10": 10, "week 2": 2, "week 1": 1, "week 3": 3}
    for order in (
        places,
        pd.Series(places),
        pd.Series(places) / 2,
        WEEKS,
        np.array(WEEKS),
        pd.Series(WEEKS),
        pd.Series(WEEKS, index=[7, 1, 3, 5]),
        pd.Index(WEEKS),
    ):
        model = FusedTaskRegressor(0.1, order=order, task_column="week").fit(frame, y)
        assert _edges(model) == CHAIN
    for order, message in (
        (pd.Series({**places, "week 3": 1}), "a different place on the chain"),
        (pd.Series({**places, "week 3": np.nan}), "a different place on the chain"),
        (pd.Series(places)[:3], r"misses \['week 3'\]"),
        (pd.Series(places).rename({"week 1": "week 0"}), r"unknown \['week 0'\]"),
        (np.ma.array(WEEKS, mask=[True, False, False, False]), "must not have masked entries"),
    ):
        with pytest.raises(ValueError, match=message):
            FusedTaskRegressor(0.1, order=order, task_column="week").fit(frame, y)
    # For numeric tasks the argument is ambiguous.
    numbered = np.column_stack([X, codes])
    with pytest.raises(ValueError, match="index and values are both names of tasks"):
        FusedTaskRegressor(0.1, order=pd.Series([2, 0, 1, 3]), task_column=-1).fit(numbered, y)
    same = FusedTaskRegressor(0.1, order=pd.Series([0, 1, 3, 2]), task_column=-1).fit(numbered, y)
    assert _edges(same) == [(0, 1), (1, 3), (3, 2)]
