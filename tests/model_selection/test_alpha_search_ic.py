"""AlphaSearchIC selects alpha by an information criterion."""

import pickle
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

import skmtl
from skmtl import BlockSparseRegressor, BlockSparseRegressorCV, LowRankRegressor
from skmtl.datasets import make_block_sparse
from skmtl.model_selection import AlphaSearchIC, path
from skmtl.penalties import L21

REGRESSORS = [
    getattr(skmtl, name)
    for name in skmtl.__all__
    if name.endswith("Regressor") and name != "SafeTransferRegressor"
]
REFUSED = {
    skmtl.CappedBlockSparseRegressor,
    skmtl.GroupOverlapRegressor,
    skmtl.SparseTaskRelationRegressor,
    skmtl.TreeGuidedRegressor,
}


def _default(cls):
    return cls(penalty=L21()) if cls is skmtl.MultiTaskRegressor else cls()


PRECISIONS = (
    "weights are precisions, not numbers of repetitions, so that the number of labels differs"
)
WEIGHTED = {
    "check_sample_weight_equivalence_on_dense_data": PRECISIONS,
    "check_sample_weight_equivalence_on_sparse_data": PRECISIONS,
}


@pytest.fixture(scope="module")
def shared():
    return make_block_sparse(100, 20, 4, n_informative=3, noise=1.0, random_state=0)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [BlockSparseRegressor, LowRankRegressor])
def test_check_estimator(cls):
    search = AlphaSearchIC(cls(), alphas=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(search, expected_failed_checks=WEIGHTED, on_fail=None)
    assert not {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert len(results) > 40


@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
def test_is_the_path_and_the_fit_at_its_minimum(shared, criterion):
    model = BlockSparseRegressor(tol=1e-10)
    search = AlphaSearchIC(model, criterion=criterion, alphas=30, eps=0.01)
    assert search.fit(shared.data, shared.target) is search
    alphas, coefs, _, criteria = path(
        model, shared.data, shared.target, alphas=30, eps=0.01, criterion=criterion
    )
    np.testing.assert_array_equal(search.alphas_, alphas)
    np.testing.assert_array_equal(search.criterion_, criteria.values)
    np.testing.assert_array_equal(search.degrees_of_freedom_, criteria.degrees_of_freedom)
    np.testing.assert_array_equal(search.degrees_of_freedom_error_, np.zeros(30))
    assert search.alpha_ == alphas[np.nanargmin(criteria.values)]
    np.testing.assert_allclose(search.coef_, coefs[:, :, criteria.best], atol=1e-5)
    residuals = shared.target - search.predict(shared.data)
    assert search.noise_variance_ == pytest.approx((residuals**2).mean(), rel=1e-4)
    assert search.best_estimator_.alpha == search.alpha_
    assert model.alpha == 1.0 and not hasattr(model, "coef_")


def test_the_stricter_criterion_selects_fewer_features(shared):
    sizes = [
        AlphaSearchIC(BlockSparseRegressor(), criterion=criterion, ebic_gamma=gamma)
        .fit(shared.data, shared.target)
        .support_.sum()
        for criterion, gamma in (("aic", 1), ("bic", 1), ("ebic", 0), ("ebic", 1))
    ]
    assert sizes[0] > sizes[1] == sizes[2] >= sizes[3] >= 3


@pytest.mark.turns(2)
@pytest.mark.parametrize("cls", REGRESSORS)
def test_every_regressor_is_compared_or_refused_with_a_remedy(cls, shared):
    X, Y = shared.data[:40, :6], shared.target[:40]
    search = AlphaSearchIC(_default(cls), criterion="bic", alphas=8)
    if cls in REFUSED:
        with pytest.raises(ValueError, match=r"criterion is not available.*AlphaSearchCV"):
            search.fit(X, Y)
        return
    search.fit(X, Y)
    assert np.isfinite(search.criterion_).any()
    assert (search.degrees_of_freedom_ >= 0.99).all()
    assert (search.degrees_of_freedom_ <= 28.01).all()
    # The path begins with few degrees of freedom, and ends with more.
    assert search.degrees_of_freedom_[0] < search.degrees_of_freedom_[-1]


def test_a_known_variance_is_used(shared):
    search = AlphaSearchIC(BlockSparseRegressor(), noise_variance=1.0, criterion="bic")
    search.fit(shared.data, shared.target)
    assert search.noise_variance_ == 1.0
    # With more noise, less is worth its degrees of freedom.
    noisy = clone(search).set_params(noise_variance=30.0).fit(shared.data, shared.target)
    assert noisy.alpha_ > search.alpha_


def test_scaled_tasks_are_compared_in_their_units(shared):
    units = np.array([1.0, 10.0, 1e3, 1e-2])
    model = BlockSparseRegressor(scale_tasks=True, tol=1e-8)
    first = AlphaSearchIC(model, alphas=20).fit(shared.data, shared.target)
    second = AlphaSearchIC(model, alphas=20).fit(shared.data, shared.target * units)
    np.testing.assert_allclose(first.criterion_, second.criterion_, rtol=1e-6)
    np.testing.assert_allclose(first.coef_ * units[:, None], second.coef_, rtol=1e-4, atol=1e-7)


def test_frames_stacked_rows_and_pipelines(shared):
    frame = pd.DataFrame(shared.data).add_prefix("x")
    rows = pd.concat([frame.assign(task=name) for name in "abcd"], ignore_index=True)
    y = shared.target.ravel(order="F")
    search = AlphaSearchIC(BlockSparseRegressor(task_column="task"), alphas=20).fit(rows, y)
    expected = AlphaSearchIC(BlockSparseRegressor(), alphas=20).fit(frame, shared.target)
    np.testing.assert_allclose(search.criterion_, expected.criterion_, rtol=1e-4)
    assert search.tasks_.tolist() == list("abcd")
    assert expected.feature_names_in_.tolist() == list(frame.columns)
    assert search.score(rows, y) > 0.5
    pipeline = make_pipeline(StandardScaler(), AlphaSearchIC(BlockSparseRegressor(), alphas=10))
    assert cross_val_score(pipeline, shared.data, shared.target, cv=3).min() > 0.5
    assert is_regressor(search)


def test_unfitted_and_pickled(shared):
    search = AlphaSearchIC(BlockSparseRegressor(), alphas=5)
    with pytest.raises(NotFittedError):
        search.predict(shared.data)
    search.fit(shared.data, shared.target)
    check_is_fitted(search)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(shared.data), search.predict(shared.data))


def test_wrong_parameters(shared):
    for wrong, message in (
        ({"criterion": "cp"}, "'criterion' parameter of AlphaSearchIC"),
        ({"ebic_gamma": -1}, "'ebic_gamma' parameter"),
        ({"noise_variance": 0.0}, "'noise_variance' parameter"),
        ({"alphas": 0}, "'alphas' parameter"),
        ({"eps": 1.0}, "'eps' parameter"),
    ):
        with pytest.raises(ValueError, match=message):
            AlphaSearchIC(BlockSparseRegressor(), **wrong).fit(shared.data, shared.target)
    with pytest.raises(TypeError, match=r"AlphaSearchIC takes.*without cross-validation"):
        AlphaSearchIC(BlockSparseRegressorCV()).fit(shared.data, shared.target)


def test_warns_at_the_edges(shared):
    model = BlockSparseRegressor()
    with pytest.warns(UserWarning, match=r"smallest of the grid.*Lower eps"):
        AlphaSearchIC(model, alphas=3, eps=0.5).fit(shared.data, shared.target)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(12, 40)), rng.normal(size=(12, 3))
    with pytest.warns(UserWarning, match=r"AIC still decreases.*half of the 36 labels"):
        AlphaSearchIC(model, criterion="aic").fit(X, X[:, :3] * 9 + Y)
    with pytest.raises(ValueError, match="more than one row of labels, got n_samples=1"):
        AlphaSearchIC(model).fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match=r"No fit has fewer degrees of freedom.*AlphaSearchCV"):
        AlphaSearchIC(model, alphas=[1e-6]).fit(X[:2], Y[:2])


@pytest.mark.skipif(not find_spec("sklearn.callback"), reason="since scikit-learn 1.9")
def test_a_callback_may_end_the_path(shared):
    from sklearn.callback import AutoPropagatedCallback  # noqa: F401

    seen = []

    class Stop:
        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            seen.append(context.task_name)
            return seen.count("fit") == 4 and context.task_name == "fit"

        def teardown(self, estimator, context):
            pass

    search = AlphaSearchIC(BlockSparseRegressor(), alphas=[1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
    search.set_callbacks(Stop())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(shared.data, shared.target)
    assert search.alphas_.tolist() == [1.0, 0.9, 0.8, 0.7]
    assert search.criterion_.shape == (4,)
