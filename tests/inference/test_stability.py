"""Stability selection: against scikit-learn's paths, layouts, parameters, errors, and its bound."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import MultiTaskLasso, lasso_path
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    DirtyModelRegressor,
    FusedTaskRegressor,
    LowRankRegressor,
    PooledTaskRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.inference import StabilitySelection, stability_selection
from skmtl.inference._complementary import LabelledRows
from skmtl.model_selection import SafeTransferRegressor


def problem(n=60, d=20, n_tasks=3, seed=0):
    """Rows, labels, and the positions of three features with an effect."""
    dataset = make_block_sparse(n, d, n_tasks, n_informative=3, noise=1.0, random_state=seed)
    return dataset.data, dataset.target, np.flatnonzero(dataset.coef.any(axis=0))


def stacked(X, y, names=(0, 1, 2)):
    """Every row once per task."""
    tasks = np.repeat(np.asarray(names), len(X))
    return np.column_stack([np.tile(X, (len(names), 1)), tasks]), y.T.ravel()


def quick(estimator, X, y, **options):
    return stability_selection(estimator, X, y, **{"n_subsamples": 6, "random_state": 0} | options)


def halves(estimator, X, y, n_pairs, seed=0):
    """The halves that stability_selection draws."""
    rows, rng = LabelledRows.read(estimator, X, y, None, None), np.random.RandomState(seed)
    return [half for _ in range(n_pairs) for half in rows.draw(rng)]


class TestSelection:
    def test_path_selects_what_enters_scikit_learns_path_first(self):
        X, y, _ = problem()
        target = y[:, 0]
        result = quick(BlockSparseRegressor(tol=1e-10), X, target, n_selected=4)
        counts = np.zeros(20)
        parts = halves(BlockSparseRegressor(), X, target, 6)
        for half in parts:
            centred = X[half] - X[half].mean(axis=0)
            own = target[half] - target[half].mean()
            top = np.abs(centred.T @ own).max() / len(half)
            alphas = np.geomspace(top, top / 1000, 100)
            _, coefs, _ = lasso_path(centred, own, alphas=alphas, tol=1e-12, max_iter=100_000)
            first = np.where((coefs != 0).any(axis=1), (coefs != 0).argmax(axis=1), 100)
            sizes = np.abs(coefs[np.arange(20), np.minimum(first, 99)])
            counts[np.lexsort((-sizes, first))[:4]] += 1
        assert (result.frequencies == counts / len(parts)).all()
        assert result.frequencies.sum() == pytest.approx(4)
        assert result.n_selected == 4 and result.low_probability == 4 / 20

    def test_fit_selects_the_support_of_scikit_learns_fit(self):
        X, y, _ = problem()
        result = quick(BlockSparseRegressor(0.3, tol=1e-10), X, y, select="fit", threshold=0.9)
        supports = [
            MultiTaskLasso(0.3, tol=1e-10).fit(X[half], y[half]).coef_ != 0
            for half in halves(BlockSparseRegressor(), X, y, 6)
        ]
        assert np.allclose(result.task_frequencies, np.mean(supports, axis=0))
        assert np.allclose(result.frequencies, np.mean([s.any(axis=0) for s in supports], axis=0))
        assert result.n_selected == pytest.approx(np.mean([s.any(axis=0).sum() for s in supports]))
        outside = quick(MultiTaskLasso(0.3, tol=1e-10), X, y, select="fit", threshold=0.9)
        assert (outside.frequencies == result.frequencies).all()

    @pytest.mark.parametrize("estimator", [BlockSparseRegressor(), DirtyModelRegressor()])
    def test_finds_the_features_with_an_effect(self, estimator):
        X, y, effective = problem()
        result = quick(estimator, X, y)
        assert result.selected.tolist() == effective.tolist()
        assert result.bound <= 1 and 0.5 < result.threshold <= 1
        assert result.task_frequencies.shape == (3, 20)

    def test_tasks_of_a_feature_that_only_some_tasks_use(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(120, 10))
        y = 0.3 * rng.normal(size=(120, 3))
        y[:, 0] += 2 * X[:, 4]
        result = quick(DirtyModelRegressor(), X, y, n_selected=1)
        assert result.frequencies[4] == 1 and result.task_frequencies[0, 4] == 1
        assert (result.task_frequencies[1:, 4] < 0.5).all()
        assert (result.task_frequencies <= result.frequencies).all()

    def test_classifier(self):
        X, y, effective = problem(120)
        labels = (y > np.median(y, axis=0)).astype(int)
        assert quick(BlockSparseClassifier(), X, labels).selected.tolist() == effective.tolist()
        classes = np.digitize(y[:, 0], np.quantile(y[:, 0], [1 / 3, 2 / 3]))
        result = quick(BlockSparseClassifier(), X, classes)
        assert set(result.selected) <= set(effective) and len(result.selected) >= 2
        assert result.task_frequencies.shape == (3, 20)


class TestData:
    def test_stacked_rows_in_any_order(self):
        X, y, effective = problem()
        X, y = stacked(X, y)
        order = np.random.default_rng(0).permutation(len(y))
        result = quick(BlockSparseRegressor(task_column=-1), X[order], y[order])
        assert result.selected.tolist() == effective.tolist()
        assert result.tasks.tolist() == [0, 1, 2]

    def test_sparse_and_single_precision(self):
        X, y, _ = problem()
        X[np.abs(X) < 0.5] = 0
        dense = quick(BlockSparseRegressor(tol=1e-8), X, y)
        for other in (sp.csr_array(X), sp.csc_array(X), X.tolist()):
            frequencies = quick(BlockSparseRegressor(tol=1e-8), other, y).frequencies
            assert (frequencies == dense.frequencies).all()
        single = quick(BlockSparseRegressor(), X.astype(np.float32), y)
        assert (single.selected == dense.selected).all()

    def test_names_of_a_data_frame(self):
        X, y, effective = problem()
        names = [f"gene{j}" for j in range(20)]
        frame = pd.DataFrame(X, columns=names)
        result = quick(BlockSparseRegressor(), frame, pd.DataFrame(y, columns=["a", "b", "c"]))
        assert result.selected.tolist() == [names[j] for j in effective]
        table = result.to_frame()
        assert table.columns.tolist() == ["frequency", "selected", "task a", "task b", "task c"]
        assert table.index[:3].isin(result.selected).all() and table["selected"].sum() == 3
        assert f"{names[effective[0]]} (" in repr(result)
        frame, target = pd.concat([frame] * 3, ignore_index=True), y.T.ravel()
        frame.insert(4, "school", np.repeat(["p", "q", "r"], 60))
        for select, alpha in (("path", 1.0), ("fit", 0.4)):
            model = BlockSparseRegressor(alpha, task_column="school")
            result = quick(model, frame, target, select=select)
            assert result.features.tolist() == names and result.tasks.tolist() == ["p", "q", "r"]
            assert result.selected.tolist() == [names[j] for j in effective]

    def test_missing_labels_and_weights(self):
        X, y, effective = problem(90)
        holes = np.random.default_rng(0).random(y.shape) < 0.3
        masked = np.where(holes, np.nan, y)
        assert quick(BlockSparseRegressor(), X, masked).selected.tolist() == effective.tolist()
        # A weight of zero leaves the label out.
        weighted = quick(BlockSparseRegressor(), X, y, sample_weight=1.0 - holes)
        assert (weighted.frequencies == quick(BlockSparseRegressor(), X, masked).frequencies).all()
        weights = np.ones(90)
        weights[60:] = 0
        y[60:] = 1e6
        zero = quick(BlockSparseRegressor(), X, y, sample_weight=weights)
        assert zero.selected.tolist() == effective.tolist()

    def test_scaled_tasks_and_constant_features(self):
        X, y, effective = problem()
        X[:, [j for j in range(20) if j not in effective][:2]] = 3.0
        y = y * [1.0, 1000.0, 1.0]
        result = quick(BlockSparseRegressor(scale_tasks=True), X, y)
        assert result.selected.tolist() == effective.tolist()

    def test_groups(self):
        """The copies of a row in the other half would make everything seem stable."""
        X, y, _ = problem()
        X, y, groups = np.tile(X, (3, 1)), np.tile(y, (3, 1)), np.tile(np.arange(60), 3)
        apart = quick(BlockSparseRegressor(), X, y, groups=groups).frequencies
        assert set(halves_of_groups(X, y, groups)) == {0}
        assert np.sum(apart > 0) > 3

    def test_without_an_effect_the_features_are_rarely_selected(self):
        result = quick(BlockSparseRegressor(), problem()[0], np.ones((60, 2)))
        assert not result.selected.size and not result.frequencies.any()


def halves_of_groups(X, y, groups):
    """The numbers of groups that are in both halves."""
    rows = LabelledRows.read(BlockSparseRegressor(), X, y, None, groups)
    rng = np.random.RandomState(0)
    for _ in range(5):
        first, second = rows.draw(rng)
        yield len(set(groups[first]) & set(groups[second]))


class TestParameters:
    def test_defaults_of_the_size_and_the_threshold(self):
        X, y, _ = problem()
        result = quick(BlockSparseRegressor(), X, y)
        assert result.n_selected == 4  # the square root of 0.8 * 20
        lower = quick(BlockSparseRegressor(), X, y, threshold=8 / 12, n_selected=4)
        assert result.threshold == 0.75 and lower.bound > 1 >= result.bound
        for assumption in ("none", "unimodal", "r-concave"):
            other = quick(BlockSparseRegressor(), X, y, assumption=assumption)
            assert other.bound <= 1 and other.bound == other.bounds[assumption]
        assert quick(BlockSparseRegressor(), X, y, assumption="none").bound == pytest.approx(
            16 / 20 / (2 * 11 / 12 - 1)
        )

    def test_given_threshold_and_size(self):
        X, y, _ = problem()
        result = quick(BlockSparseRegressor(), X, y, threshold=0.7, assumption="none")
        assert result.n_selected == 3  # 9 / 20 / (2 * 0.75 - 1) = 0.9
        both = quick(BlockSparseRegressor(), X, y, threshold=0.7, n_selected=10)
        assert both.bound > 1 and both.threshold == 0.7
        assert (both.support == (both.frequencies > 0.7)).all()

    @pytest.mark.slow
    def test_processes(self):
        X, y, _ = problem()
        one, two = (quick(BlockSparseRegressor(), X, y, n_jobs=jobs) for jobs in (None, 2))
        assert (one.frequencies == two.frequencies).all()

    @pytest.mark.parametrize("select", ["path", "fit"])
    def test_seeds(self, select):
        X, y, _ = problem()
        model = BlockSparseRegressor(0.5)
        one = quick(model, X, y, select=select)
        assert (one.frequencies == quick(model, X, y, select=select).frequencies).all()
        assert model.get_params() == BlockSparseRegressor(0.5).get_params()
        assert not hasattr(model, "coef_")
        other = quick(model, X, y, select=select, random_state=1)
        assert (one.frequencies != other.frequencies).any()

    def test_pipelines_searches_and_cv_estimators(self):
        X, y, effective = problem()
        frame = pd.DataFrame(X * 7, columns=[f"gene{j}" for j in range(20)])
        pipeline = make_pipeline(StandardScaler(), BlockSparseRegressor(0.5))
        result = quick(pipeline, frame, y, select="fit", n_subsamples=3)
        assert result.selected.tolist() == [f"gene{j}" for j in effective]
        assert result.estimator_name == "BlockSparseRegressor"
        search = GridSearchCV(BlockSparseRegressor(), {"alpha": [0.3, 0.6]}, cv=2)
        found = quick(search, X, y, select="fit", n_subsamples=3, threshold=0.9)
        assert set(effective) <= set(found.selected)
        cv = BlockSparseRegressorCV(alphas=5, cv=2)
        found = quick(cv, X, y, select="fit", n_subsamples=3, threshold=1.0)
        assert set(effective) <= set(found.selected)

    def test_progress(self, capfd):
        X, y, _ = problem()
        quick(BlockSparseRegressor(), X, y, verbose=2)
        printed = capfd.readouterr()
        assert "5 out of   5" in printed.out + printed.err


class TestErrors:
    @pytest.mark.parametrize(
        "estimator", [PooledTaskRegressor(), LowRankRegressor(), FusedTaskRegressor()]
    )
    def test_dense_estimators(self, estimator):
        X, y, _ = problem()
        with pytest.raises(ValueError, match="does not select features.*BlockSparseRegressor"):
            quick(estimator, X, y)

    def test_dense_fits(self):
        X, y, _ = problem()
        with pytest.raises(ValueError, match="non-zero coefficients of all 20 features"):
            quick(PooledTaskRegressor(), X, y, select="fit")
        mixture = SafeTransferRegressor("graph", alphas=2, cv=2)
        with pytest.raises(ValueError, match="half of the rows SafeTransferRegressor has non-zero"):
            quick(mixture, X, y, select="fit")

    def test_features_that_a_step_selects(self):
        from sklearn.feature_selection import SelectKBest, f_regression

        X, y, _ = problem()
        pipeline = make_pipeline(SelectKBest(f_regression, k=12), BlockSparseRegressor(0.5))
        with pytest.raises(ValueError, match="a step of the pipeline selects features"):
            quick(pipeline, X, y[:, 0], select="fit")

    def test_estimators_without_a_path(self):
        X, y, _ = problem()
        for estimator in (BlockSparseRegressorCV(), MultiTaskLasso()):
            with pytest.raises(TypeError, match="select='path'"):
                quick(estimator, X, y)
        with pytest.raises(TypeError, match="SafeTransferRegressor mixes several .* Pass an est"):
            quick(SafeTransferRegressor("graph"), X, y)
        with pytest.raises(ValueError, match="n_selected is the number of features to select"):
            quick(MultiTaskLasso(), X, y, select="fit", n_selected=3)

    def test_unattainable_bounds(self):
        X, y, _ = problem()
        with pytest.raises(ValueError, match="n_selected=15, of 20 features. Pass n_selected=4"):
            quick(BlockSparseRegressor(), X, y, n_selected=15, assumption="none")
        with pytest.raises(ValueError, match="max_false=0.01 for 20 features. Pass max_false=0.05"):
            quick(BlockSparseRegressor(), X, y, max_false=0.01, assumption="none")
        with pytest.raises(ValueError, match="less than the number of features, 20; got 20"):
            quick(BlockSparseRegressor(), X, y, n_selected=20, threshold=0.9)
        with pytest.raises(ValueError, match="Pass max_false=") as refused:
            quick(BlockSparseRegressor(), X[:, :6], y, max_false=0.01, n_subsamples=5)
        enough = float(str(refused.value).split("Pass max_false=")[1].split(",")[0])
        quick(BlockSparseRegressor(), X[:, :6], y, max_false=enough, n_subsamples=5)
        with pytest.raises(ValueError, match="2 or more features"):
            quick(BlockSparseRegressor(), X[:, :1], y)
        with pytest.warns(UserWarning, match="too many for max_false=1: even at threshold 1"):
            result = quick(BlockSparseRegressor(0.2), X, y, select="fit", assumption="none")
        assert result.threshold == 1 and result.bound > 1

    def test_one_warning_for_all_fits_that_stop_early(self):
        X, y, _ = problem()
        with pytest.warns(UserWarning) as caught:
            quick(BlockSparseRegressor(max_iter=1, tol=1e-14), X, y)
        texts = [str(each.message) for each in caught]
        assert sum("half-samples did not converge" in text for text in texts) == 1
        assert len(texts) == 1

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("threshold", 0.5),
            ("max_false", 0),
            ("n_subsamples", 1),
            ("assumption", "normal"),
            ("select", "cv"),
            ("n_selected", 0),
        ],
    )
    def test_parameters_out_of_range(self, name, value):
        X, y, _ = problem()
        with pytest.raises(ValueError, match=f"The '{name}' parameter of stability_selection"):
            quick(BlockSparseRegressor(), X, y, **{name: value})


@pytest.mark.slow
def test_bounds_hold_where_all_features_are_alike():
    """Without effects every feature has a low selection probability, q / p."""
    rng = np.random.default_rng(0)
    counts = []
    for seed in range(20):
        X, y = rng.normal(size=(40, 30)), rng.normal(size=(40, 2))
        result = quick(BlockSparseRegressor(), X, y, n_subsamples=12, random_state=seed)
        counts.append([(result.frequencies >= t).sum() for t in (0.525, 0.6, 0.8)])
    assert isinstance(result, StabilitySelection)
    low = np.mean(counts, axis=0) - 2 * np.std(counts, axis=0, ddof=1) / np.sqrt(20)
    for k, threshold in enumerate((0.525, 0.6, 0.8)):
        given = quick(
            BlockSparseRegressor(), X, y, n_subsamples=12, threshold=threshold, n_selected=4
        )
        assert low[k] <= given.bound <= given.bounds["unimodal"] <= given.bounds["none"]
    assert np.mean(counts, axis=0)[0] > 0  # the least threshold does select some
