"""The plot of a path and of its scores."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import MultiTaskLassoCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifierCV,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    GraphRegularizedRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.inspection import PathDisplay
from skmtl.model_selection import AlphaSearchCV, path


def made(**options: Any) -> Any:
    return make_block_sparse(30, 8, 4, n_informative=3, noise=3.0, random_state=0, **options)


def band(display: PathDisplay) -> Any:
    """Lower and upper ends of the band of standard errors, at the alphas of the line."""
    vertices = display.score_band_.get_paths()[0].vertices
    x = display.score_line_.get_xdata()
    ends = [vertices[np.isclose(vertices[:, 0], alpha), 1] for alpha in x]
    return np.array([[end.min(), end.max()] for end in ends]).T


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_draws_path_and_scores_of_a_search(figures: Any, layout: str) -> None:
    data = made(layout=layout)
    plain = BlockSparseRegressor(task_column=-1 if layout == "stacked" else None)
    search = AlphaSearchCV(plain, alphas=20, eps=0.01, rule="1se").fit(data.data, data.target)
    display = PathDisplay.from_estimator(search, data.data, data.target)
    _, coefs, _ = path(plain, data.data, data.target, alphas=search.alphas_)
    norms = np.linalg.norm(coefs, axis=0)
    assert len(display.norm_lines_) == 8
    for line, norm in zip(display.norm_lines_, norms, strict=True):
        assert_allclose(line.get_xdata(), search.alphas_)
        assert_allclose(line.get_ydata(), norm)
    assert_array_equal(display.support_line_.get_ydata(), (norms > 0).sum(axis=0))
    mse = search.mse_path_
    mean, error = mse.mean(axis=1), mse.std(axis=1, ddof=1) / np.sqrt(5)
    assert_allclose(display.score_line_.get_ydata(), mean)
    assert_allclose(band(display), [mean - error, mean + error])
    # The marks are those of the rules, computed here from the errors.
    best = mean.argmin()
    simplest = np.flatnonzero(mean <= mean[best] + error[best])[0]
    assert display.marks_ == {
        "selected": search.alpha_,
        "best": search.alphas_[best],
        "one standard error": search.alphas_[simplest],
    }
    assert search.alpha_ == search.alphas_[simplest] != search.alphas_[best]
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == [
        f"selected, one standard error: {search.alpha_:.3g}",
        f"best: {search.alphas_[best]:.3g}",
    ]
    assert list(display.axes_) == ["norms", "support", "score"]
    assert display.axes_["score"].get_ylabel() == "mean squared\nerror"
    left, right = display.ax_.get_xlim()
    assert left > right  # weaker penalties to the right
    named = {text.get_text() for text in display.ax_.texts}
    at = search.best_estimator_.coef_
    assert named == {f"x{j}" for j in np.flatnonzero(at.any(axis=0))} or len(named) == 6


@pytest.mark.filterwarnings("ignore:The selected alpha")
def test_scores_of_a_search_are_named_by_the_loss_within(figures: Any) -> None:
    data = made()
    search = AlphaSearchCV(GraphRegularizedRegressor(loss="quantile"), alphas=2, cv=2)
    display = PathDisplay.from_estimator(search.fit(data.data, data.target))
    assert display.ax_.get_ylabel().split() == ["mean", "quantile", "loss"]


def test_search_with_patience_and_scorer_in_a_pipeline(figures: Any) -> None:
    pd = pytest.importorskip("pandas")
    data = made()
    frame = pd.DataFrame(data.data, columns=list("abcdefgh"))
    search = AlphaSearchCV(BlockSparseRegressor(), alphas=20, patience=2, scoring="r2")
    pipe = make_pipeline(StandardScaler(), search).fit(frame, data.target)
    scores = search.scores_path_.mean(axis=1)
    assert np.isnan(scores[-1])
    display = PathDisplay.from_estimator(pipe, frame, data.target)
    assert_allclose(display.score_line_.get_ydata(), scores)
    fitted = ~np.isnan(display.norm_lines_[0].get_ydata())
    assert_array_equal(fitted, ~np.isnan(scores))
    assert_array_equal(fitted, ~np.isnan(display.support_line_.get_ydata()))
    # The axis ends with the scores.
    assert display.ax_.get_xlim()[1] > 0.9 * search.alphas_[fitted].min()
    assert display.features == list("abcdefgh")
    assert display.axes_["score"].get_ylabel() == "r2"
    assert display.marks_["selected"] == display.marks_["best"] == search.alpha_


def test_grid_of_several_models_without_data(figures: Any) -> None:
    data = made(classification=True)
    search = BlockSparseClassifierCV(8, l1_ratio=[0.2, 1.0], eps=0.05).fit(data.data, data.target)
    display = PathDisplay.from_estimator(search)
    row = [0.2, 1.0].index(search.l1_ratio_)
    assert_allclose(display.score_line_.get_xdata(), search.alphas_[row])
    means = search.scores_path_.mean(axis=2)
    assert_allclose(display.score_line_.get_ydata(), means[row])
    (other,) = (line for line in display.ax_.lines if line.get_label().startswith("l1_ratio"))
    assert_allclose(other.get_xydata().T, [search.alphas_[1 - row], means[1 - row]])
    assert list(display.axes_) == ["score"] and display.ax_.get_ylabel() == "minus mean\nloss"
    assert f"l1_ratio={search.l1_ratio_}" in display.ax_.get_title()
    # With common alphas for all models.
    data, alphas = made(), [10.0, 0.3, 1e-6]
    search = BlockSparseRegressorCV(alphas, l1_ratio=[0.2, 0.5, 1.0]).fit(data.data, data.target)
    display = PathDisplay.from_estimator(search, data.data, data.target)
    assert len(display.others) == 2
    plain = BlockSparseRegressor(l1_ratio=search.l1_ratio_)
    assert_allclose(display.coefs, path(plain, data.data, data.target, alphas=alphas)[1])


def test_result_of_path_on_given_axes(figures: Any) -> None:
    rng = np.random.default_rng(0)
    alphas, coefs = np.array([0.0, 0.1, 1.0]), rng.standard_normal((2, 9, 3))
    figure, axes = figures.subplots(1, 2)
    display = PathDisplay.from_result(
        alphas, coefs, features=list("abcdefghi"), ax=axes[0], max_labelled=2, lw=3.0
    )
    assert {line.get_linewidth() for line in display.norm_lines_} == {3.0}
    assert display.ax_ is axes[0] and display.figure_ is figure and display.marks_ == {}
    assert list(display.axes_) == ["norms", "support"]
    norms = np.linalg.norm(coefs, axis=0)
    assert_allclose(display.norm_lines_[3].get_xydata(), [[1.0, norms[3, 2]], [0.1, norms[3, 1]]])
    names = {text.get_text() for text in axes[0].texts}
    assert names == {"abcdefghi"[j] for j in np.argsort(-norms[:, 1])[:2]}
    scores = rng.standard_normal((3, 1))  # with one fold there are no standard errors
    display = PathDisplay.from_result(alphas, scores_path=scores, alpha=0.1, ax=axes[1])
    assert display.ax_ is axes[1] and display.score_band_ is None
    assert display.marks_ == {"selected": 0.1, "best": alphas[scores.argmax()]}
    zeros = PathDisplay.from_result(alphas, 0 * coefs)
    assert not zeros.ax_.texts and not zeros.support_line_.get_ydata().any()


def test_scikit_learns_searches_have_scores(figures: Any) -> None:
    data = made()
    search = MultiTaskLassoCV(alphas=[10.0, 1.0, 0.3, 0.1, 0.01], cv=3).fit(data.data, data.target)
    display = PathDisplay.from_estimator(search)
    assert display.marks_["best"] == search.alpha_
    with pytest.raises(TypeError, match="estimators of skmtl only.*Leave out X and y"):
        PathDisplay.from_estimator(search, data.data, data.target)


def test_errors(figures: Any) -> None:
    with pytest.raises(NotFittedError):
        PathDisplay.from_estimator(AlphaSearchCV(BlockSparseRegressor()))
    for wrong in (BlockSparseRegressor(), StandardScaler(), 3):
        with pytest.raises(TypeError, match=r"scores over a grid of alphas.*Use AlphaSearchCV\("):
            PathDisplay.from_estimator(wrong)
    data = made()
    search = AlphaSearchCV(BlockSparseRegressor(), alphas=[10.0, 0.3, 1e-6]).fit(
        data.data, data.target
    )
    with pytest.raises(ValueError, match="Pass both X and y"):
        PathDisplay.from_estimator(search, data.data)
    with pytest.raises(ValueError, match="A path has alphas.*Pass the result of path"):
        PathDisplay.from_result([1.0, 0.1])
    with pytest.raises(ValueError, match="one of them positive"):
        PathDisplay.from_result([0.0], np.zeros((2, 3, 1)))
    with pytest.raises(ValueError, match=r"coefs must be .* for 2 alphas, got \(2, 3, 4\)"):
        PathDisplay.from_result([1.0, 0.1], np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="NaN at all positive alphas.*only the scores"):
        PathDisplay.from_result([1.0, 0.0], np.dstack([np.full((2, 3), np.nan), np.ones((2, 3))]))
    with pytest.raises(ValueError, match="mse_path or scores_path, not both"):
        PathDisplay.from_result([1.0], mse_path=[[1.0]], scores_path=[[1.0]])
