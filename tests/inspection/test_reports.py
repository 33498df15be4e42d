"""Tables, summaries, exports and models of single tasks; the laws are in tests/laws."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_problems import (
    FEATURES,
    STACKED,
    TASKS,
    N,
    X,
    Z,
    documented_predictor,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskLasso,
    PoissonRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskRegressor,
    MultiTaskRegressor,
)
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.funnel import EntireSpaceClassifier
from skmtl.inspection import coef_frame, summary, task_model, to_dict
from skmtl.losses import SquaredLoss

FRAME, Y = pd.DataFrame(X, columns=FEATURES), pd.DataFrame(Z, columns=TASKS)
Y_STACKED = Z.ravel(order="F")
COUNTS = np.round(np.exp(Z))
PREDICT, SOURCE = documented_predictor()


def intervals(seed=0, **changes):
    """What coefficient_intervals returns, for the tasks and features above."""
    rng = np.random.default_rng(seed)
    d, n_tasks = len(FEATURES), len(TASKS)
    coef = rng.normal(size=(d, n_tasks))
    fields = {
        "coef": coef,
        "standard_errors": rng.uniform(size=(d, n_tasks)),
        "intervals": np.stack([coef - 1, coef + 2], axis=-1),
        "p_values": rng.uniform(size=d),
        "adjusted_p_values": rng.uniform(size=d),
        "features": FEATURES,
        "tasks": np.array(TASKS),
    }
    return SimpleNamespace(**fields | changes)


def exported(model):
    return json.loads(json.dumps(to_dict(model), allow_nan=False))


class TestCoefFrame:
    def test_rows_and_columns(self):
        model = BlockSparseRegressor(0.1).fit(FRAME, Y)
        frame = coef_frame(model)
        assert frame.columns.tolist() == ["task", "feature", "coef"]
        assert frame["task"].tolist() == [task for task in TASKS for _ in range(5)]
        assert frame["feature"].tolist() == ["(intercept)", *FEATURES] * 3
        by_name = frame.set_index(["task", "feature"])["coef"]
        assert by_name["kiwi", "v"] == model.coef_[1, 1]
        assert by_name["pear", "(intercept)"] == model.intercept_[2]
        without = coef_frame(model, intercept=False)
        assert without["feature"].tolist() == FEATURES * 3
        np.testing.assert_array_equal(without["coef"], model.coef_.ravel())

    def test_pipelines_and_searches(self):
        model = make_pipeline(StandardScaler(), SelectKBest(k=2), BlockSparseRegressor(0.1))
        model.set_params(selectkbest__score_func=lambda X, y: np.array([0.0, 3.0, 1.0, 2.0]))
        search = GridSearchCV(model, {"blocksparseregressor__alpha": [0.1, 0.2]}, cv=2)
        frame = coef_frame(search.fit(FRAME, Y), intercept=False)
        assert frame["feature"].tolist() == ["v", "x"] * 3
        last = search.best_estimator_[-1]
        np.testing.assert_array_equal(frame["coef"], last.coef_.ravel())

    def test_classes(self):
        y = np.array(["high", "low", "mid"])[np.digitize(Z[:, 0], [-0.8, 0.8])]
        model = BlockSparseClassifier(0.01).fit(X, y)
        assert coef_frame(model)["task"].unique().tolist() == ["high", "low", "mid"]

    def test_estimators_of_scikit_learn(self):
        frame = coef_frame(Lasso(0.1, fit_intercept=False).fit(FRAME, Y["kiwi"]))
        assert frame["coef"][0] == 0 and frame["feature"].tolist() == ["(intercept)", *FEATURES]
        model = MultiTaskLasso(0.1).fit(X, Z)
        frame = coef_frame(model, intercept=False)
        np.testing.assert_array_equal(frame["coef"], model.coef_.ravel())

        model.intercept_ = np.zeros(2)  # not one for each task
        assert "(intercept)" not in set(coef_frame(model)["feature"])

    def test_auxiliary_tasks(self):
        rows = FRAME.assign(later=Z[:, 2])[["u", "later", "v", "w", "x"]]
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.1), auxiliary=["later"])
        model.fit(rows, Y[["fig", "kiwi"]])
        frame = coef_frame(model, intercept=False)
        assert frame["feature"].tolist() == FEATURES * 2
        found = PREDICT(exported(model), X)
        np.testing.assert_allclose(found, model.predict(rows), rtol=1e-10)

    def test_intervals_of_a_result(self):
        model, result = BlockSparseRegressor(0.1).fit(FRAME, Y), intervals()
        frame = coef_frame(model, result)
        columns = ["estimate", "se", "low", "high", "p", "p_adjusted"]
        assert frame.columns.tolist() == ["task", "feature", "coef", *columns]
        assert frame[frame["feature"] == "(intercept)"][columns].isna().all(axis=None)
        row = frame.set_index(["task", "feature"]).loc[("pear", "v")]
        expected = [
            model.coef_[2, 1],
            result.coef[1, 2],
            result.standard_errors[1, 2],
            *result.intervals[1, 2],
            result.p_values[1],
            result.adjusted_p_values[1],
        ]
        assert row.tolist() == expected
        no_tests = intervals(p_values=None, adjusted_p_values=None)
        assert coef_frame(model, no_tests).columns.tolist()[-1] == "high"

    def test_intervals_as_a_pair(self):
        model = BlockSparseRegressor(0.1).fit(FRAME, Y)
        low, high = model.coef_ - 1, model.coef_ + 1
        frame = coef_frame(model, (low, high), intercept=False)
        np.testing.assert_allclose(frame["high"] - frame["low"], 2)
        np.testing.assert_allclose(frame["high"] - frame["coef"], 1)

    def test_intervals_of_another_fit(self):
        model = BlockSparseRegressor(0.1).fit(FRAME, Y)
        with pytest.raises(ValueError, match=r"features \['x', 'w', 'v', 'u'\], but"):
            coef_frame(model, intervals(features=FEATURES[::-1]))
        with pytest.raises(ValueError, match="for the tasks.*for this estimator"):
            coef_frame(model, intervals(tasks=TASKS[::-1]))
        with pytest.raises(ValueError, match="for 3 tasks and 2 features.*has 3 and 4"):
            coef_frame(model, intervals(coef=np.zeros((2, 3))))
        with pytest.raises(ValueError, match=r"pair \(low, high\).*\(3, 4\)"):
            coef_frame(model, (model.coef_.T, model.coef_.T))
        for other in (3, "ab"):
            with pytest.raises(ValueError, match=f"pair \\(low, high\\).*; got {other}"):
                coef_frame(model, other)

    def test_errors(self):
        with pytest.raises(NotFittedError):
            coef_frame(BlockSparseRegressor())
        with pytest.raises(TypeError, match="coef_frame needs.*KNeighborsRegressor has no coef_"):
            coef_frame(KNeighborsRegressor().fit(X, Z))


class TestSummary:
    model = MultiTaskLasso(0.1).fit(X, Z)

    def by_hand(self):
        """A model with known coefficients."""
        model = BlockSparseRegressor(0.1, tol=1e-6).fit(FRAME, Y)
        model.coef_ = np.array([[0.0, 3.0, 0.0, -1.0], [0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5]])
        model.intercept_ = np.array([1.0, -2.0, 0.25])
        model.objective_, model.dual_gap_, model.n_iter_ = 1.5, 2e-7, 12
        return model

    def test_text(self):
        assert repr(summary(self.by_hand())) == (
            "BlockSparseRegressor: 3 tasks, 4 features, loss = squared, alpha = 0.1\n"
            "objective 1.5, duality gap 2e-07, iterations 12\n"
            "Support: 2 of 4 features in some task, 0 in all; 4 of 12 coefficients are not zero\n"
            "\n"
            "Features by the norm of their coefficients\n"
            "  feature   norm   tasks  lowest  highest\n"
            "  v            5  2 of 3       0        4\n"
            "  x        1.118  2 of 3      -1      0.5\n"
            "\n"
            "Tasks\n"
            "  task  intercept  features  largest\n"
            "  fig           1         2  v +3, x -1\n"
            "  kiwi         -2         1  v +4\n"
            "  pear       0.25         1  x +0.5"
        )

    def test_attributes(self):
        report = summary(self.by_hand())
        np.testing.assert_allclose(report.norms, [0, 5, 0, np.sqrt(1.25)])
        assert report.n_tasks_using.tolist() == [0, 2, 0, 2]
        assert report.results == {"objective": 1.5, "duality gap": 2e-7, "iterations": 12}

    def test_lengths(self):
        text = repr(summary(self.by_hand(), max_features=1, max_tasks=2))
        assert "coefficients, 1 of 2\n" in text and "Tasks, 2 of 3\n" in text
        assert "pear" not in text and "  x " not in text
        for wrong in ({"max_features": 0}, {"max_tasks": 0}, {"max_tasks": 1.5}):
            with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least 1"):
                summary(self.by_hand(), **wrong)

    def test_html_escapes_names(self):
        rows = FRAME.rename(columns={"v": "<v & w>"})
        html = summary(BlockSparseRegressor(0.01).fit(rows, Y))._repr_html_()
        assert "&lt;v &amp; w&gt;" in html and "<v" not in html
        assert html.count("<table>") == html.count("</table>") == 2

    def test_html_is_well_formed(self):
        from xml.etree import ElementTree

        tree = ElementTree.fromstring(summary(self.by_hand())._repr_html_())
        rows = tree.findall("table/tbody/tr")
        assert [cell.text for cell in rows[0]] == ["v", "5", "2 of 3", "0", "4"]

    def test_non_convex_fits_have_no_gap(self):
        report = summary(CappedBlockSparseRegressor(0.1).fit(FRAME, Y))
        assert "stationarity" in report.results and "duality gap" not in report.results

    def test_no_feature_is_used(self):
        report = summary(BlockSparseRegressor(1e6).fit(FRAME, Y))
        assert "Support: 0 of 4 features" in repr(report)
        assert "Features by" not in repr(report) and "fig" in report._repr_html_()

    def test_estimators_of_scikit_learn(self):
        text = repr(summary(Lasso(0.1).fit(FRAME, Y["kiwi"])))
        assert text.startswith("Lasso: 1 task, 4 features, alpha = 0.1\n")
        with pytest.raises(TypeError, match="summary needs"):
            summary(KNeighborsRegressor().fit(X, Z))
        with pytest.raises(NotFittedError):
            summary(BlockSparseRegressor())

    def test_selected_strength(self):
        search = GridSearchCV(BlockSparseRegressor(), {"alpha": [0.3]}, cv=2).fit(X, Z)
        assert "alpha = 0.3" in repr(summary(search))


class TestToDict:
    def test_fields(self):
        model = BlockSparseRegressor(0.1, task_column="fruit").fit(STACKED, Y_STACKED)
        found = exported(model)
        assert found["format"] == "skmtl.linear" and found["version"] == 1
        assert (found["estimator"], found["type"]) == ("BlockSparseRegressor", "regressor")
        assert (found["layout"], found["task_column"]) == ("stacked", "fruit")
        assert (found["tasks"], found["features"]) == (TASKS, FEATURES)
        assert found["loss"] == ["squared"] * 3 and found["link"] == ["identity"] * 3
        assert found["unknown_task"] is None and found["classes"] is None
        np.testing.assert_array_equal(found["coef"], model.coef_)

    def test_the_documented_predictor_is_short(self):
        assert len(SOURCE.splitlines()) <= 25

    @pytest.mark.parametrize("unknown", ["error", "mean", "prior"])
    def test_unknown_tasks(self, unknown):
        model = ClusteredTaskRegressor(1.0, task_column="fruit", unknown_task=unknown)
        model.fit(STACKED, Y_STACKED)
        rows = STACKED.assign(fruit=["plum", *STACKED["fruit"][1:]])
        arguments = exported(model), rows[FEATURES].to_numpy(), rows["fruit"].to_numpy()
        if unknown == "error":
            with pytest.raises(KeyError, match="plum"):
                PREDICT(*arguments)
        else:
            np.testing.assert_allclose(PREDICT(*arguments), model.predict(rows), rtol=1e-10)

    def test_new_tasks(self):
        model = ClusteredTaskRegressor(1.0, task_column="fruit").fit(STACKED, Y_STACKED)
        rows = STACKED[:5].assign(fruit="plum")
        model = model.fit_new_task(rows, Y_STACKED[:5])
        found = exported(model)
        assert found["tasks"] == [*TASKS, "plum"] and len(found["loss"]) == 4
        predicted = PREDICT(found, rows[FEATURES].to_numpy(), ["plum"] * 5)
        np.testing.assert_allclose(predicted, model.predict(rows), rtol=1e-10)

    @pytest.mark.parametrize("loss", ["logistic", "multinomial"])
    @pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"], [3, 5, 9], [False, True]])
    def test_classes(self, loss, names):
        y = np.array(names)[np.digitize(Z[:, 0], [-0.8, 0.8]) % len(names)]
        model = BlockSparseClassifier(0.01, loss=loss).fit(X, y)
        found = exported(model)
        np.testing.assert_array_equal(PREDICT(found, X), model.predict(X))
        p = PREDICT(found, X, proba=True)
        np.testing.assert_allclose(p, model.predict_proba(X), rtol=1e-9)

    def test_squared_hinge(self):
        model = BlockSparseClassifier(0.01, loss="squared_hinge").fit(X, Z > 0)
        assert exported(model)["link"] == [None] * 3
        np.testing.assert_array_equal(PREDICT(exported(model), X), model.predict(X))

    def test_a_loss_for_each_task(self):
        labels = pd.DataFrame({"a": Z[:, 0], "b": Z[:, 1] > 0, "c": COUNTS[:, 2]})
        losses = {"a": "huber", "b": "logistic", "c": "poisson"}
        model = MultiTaskRegressor(0.01, loss=losses).fit(X, labels.astype(float))
        found = exported(model)
        assert found["loss"] == ["huber", "logistic", "poisson"]
        assert found["link"] == ["identity", "logit", "log"]
        np.testing.assert_allclose(PREDICT(found, X), model.predict(X), rtol=1e-10)

    def test_single_precision_is_exact(self):
        model = BlockSparseRegressor(0.1).fit(X.astype(np.float32), Z)
        assert model.coef_.dtype == np.float32
        np.testing.assert_array_equal(exported(model)["coef"], model.coef_)

    def test_numbers_of_numpy(self):
        rows = STACKED.assign(fruit=np.repeat(np.array([7, 3, 9], dtype=np.int8), N))
        model = BlockSparseRegressor(0.1, task_column=np.int64(1)).fit(rows, Y_STACKED)
        assert exported(model)["tasks"] == [3, 7, 9] and exported(model)["task_column"] == 1

    def test_searches_and_trivial_pipelines(self):
        search = GridSearchCV(BlockSparseRegressor(), {"alpha": [0.3]}, cv=2).fit(X, Z)
        np.testing.assert_allclose(PREDICT(exported(search), X), search.predict(X))
        pipeline = make_pipeline("passthrough", BlockSparseRegressor(0.1)).fit(X, Z)
        np.testing.assert_allclose(PREDICT(exported(pipeline), X), pipeline.predict(X))

    def test_errors(self):
        pipeline = make_pipeline(StandardScaler(), BlockSparseRegressor(0.1)).fit(X, Z)
        with pytest.raises(ValueError, match=r"steps \['standardscaler'\].*pipeline\[-1\]"):
            to_dict(pipeline)
        np.testing.assert_allclose(
            PREDICT(exported(pipeline[-1]), pipeline[0].transform(X)), pipeline.predict(X)
        )
        with pytest.raises(TypeError, match="to_dict needs .* of skmtl.*got Lasso"):
            to_dict(Lasso().fit(X, Z))
        for unfitted in (
            BlockSparseRegressor(),
            Lasso(),
            pipeline.set_params().steps and clone(pipeline[-1]),
        ):
            with pytest.raises(NotFittedError):
                to_dict(unfitted)
        funnel = EntireSpaceClassifier(0.01).fit(X, np.cumprod(Z > -1, axis=1))
        with pytest.raises(TypeError, match="EntireSpaceClassifier depend on several"):
            to_dict(funnel)

    def test_columns_that_are_no_features(self):
        model = BlockSparseRegressor(0.1).fit(X, Z)
        model.coef_ = model.coef_[:, :3]
        with pytest.raises(ValueError, match="has 4 columns and 3 features"):
            to_dict(model)

    def test_losses_without_a_link(self, monkeypatch):
        model = BlockSparseRegressor(0.1).fit(X, Z)
        monkeypatch.setattr(SquaredLoss, "link", None)
        with pytest.raises(TypeError, match="link of the loss.*SquaredLoss"):
            to_dict(model)

    def test_dates(self):
        days = pd.date_range("2024-01-01", periods=3)
        model = BlockSparseRegressor(0.1, task_column="fruit")
        model.fit(STACKED.assign(fruit=days.repeat(N)), Y_STACKED)
        with pytest.raises(ValueError, match="no type for the task ids, such as datetime"):
            to_dict(model)
        # As names of columns they are only for readers.
        model = BlockSparseRegressor(0.1).fit(X, pd.DataFrame(Z, columns=days))
        assert exported(model)["tasks"][0].startswith("2024-01-01")


class TestTaskModel:
    @pytest.mark.parametrize(
        ("loss", "kind"),
        [("squared", LinearRegression), ("huber", LinearRegression), ("poisson", PoissonRegressor)],
    )
    def test_regressors(self, loss, kind):
        model = BlockSparseRegressor(0.1, loss=loss).fit(FRAME, COUNTS)
        one = task_model(model, 2)
        assert type(one) is kind
        np.testing.assert_allclose(one.predict(FRAME), model.predict(FRAME)[:, 2], rtol=1e-10)
        assert one.feature_names_in_.tolist() == FEATURES

    def test_classifiers(self):
        labels = np.array(["no", "yes"])[(Y_STACKED > 0).astype(int)]
        model = BlockSparseClassifier(0.01, task_column="fruit").fit(STACKED, labels)
        one, rows = task_model(model, "kiwi"), STACKED["fruit"] == "kiwi"
        assert type(one) is LogisticRegression
        p = model.predict_proba(STACKED)[rows]
        np.testing.assert_allclose(one.predict_proba(STACKED[rows][FEATURES]), p, rtol=1e-10)
        predicted = one.predict(STACKED[rows][FEATURES])
        np.testing.assert_array_equal(predicted, model.predict(STACKED)[rows])

    def test_squared_hinge(self):
        model = BlockSparseClassifier(0.01, loss="squared_hinge").fit(X, Z > 0)
        one = task_model(model, 1)
        assert type(one) is LinearSVC
        np.testing.assert_allclose(one.decision_function(X), model.decision_function(X)[:, 1])
        np.testing.assert_array_equal(one.predict(X), model.predict(X)[:, 1])

    @pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"]])
    def test_multinomial(self, names):
        y = np.array(names)[np.digitize(Z[:, 0], [-0.8, 0.8]) % len(names)]
        model = BlockSparseClassifier(0.01, loss="multinomial").fit(X, y)
        one = task_model(model)
        np.testing.assert_allclose(one.predict_proba(X), model.predict_proba(X), rtol=1e-9)
        np.testing.assert_array_equal(one.predict(X), model.predict(X))
        with pytest.raises(ValueError, match="one model: pass task=None, not 'a'"):
            task_model(model, "a")

    def test_two_classes(self):
        y = np.array(["low", "high"])[(Z[:, 0] > 0).astype(int)]
        model = BlockSparseClassifier(0.01).fit(X, y)
        one = task_model(model)
        np.testing.assert_allclose(one.predict_proba(X), model.predict_proba(X), rtol=1e-10)
        np.testing.assert_array_equal(one.predict(X), model.predict(X))

    def test_a_loss_for_each_task(self):
        labels = np.column_stack([Z[:, 0], Z[:, 1] > 0, COUNTS[:, 2]])
        losses = {0: "squared", 1: "logistic", 2: "poisson"}
        model = MultiTaskRegressor(0.01, loss=losses).fit(X, labels)
        p = task_model(model, 1).predict_proba(X)[:, 1]
        np.testing.assert_allclose(p, model.predict(X)[:, 1], rtol=1e-10)

    def test_is_a_copy(self):
        model = BlockSparseRegressor(0.1).fit(X, Z)
        before = model.coef_.copy()
        task_model(model, 0).coef_[:] = 0
        np.testing.assert_array_equal(model.coef_, before)

    def test_errors(self):
        model = BlockSparseRegressor(0.1).fit(X, Y)
        for wrong in (None, "plum", 0):
            with pytest.raises(
                ValueError, match=f"got {wrong!r}. Pass one of 'fig', 'kiwi', 'pear'"
            ):
                task_model(model, wrong)
        with pytest.raises(TypeError, match="task_model needs"):
            task_model(MultiTaskLasso().fit(X, Z), 0)


class TestShap:
    """SHAP explains the model of each task."""

    shap = staticmethod(lambda: pytest.importorskip("shap", reason="pip install shap"))

    @pytest.mark.parametrize("stacked", [False, True])
    @pytest.mark.parametrize("classify", [False, True])
    def test_linear_explainer(self, stacked, classify):
        shap = self.shap()
        cls = BlockSparseClassifier if classify else BlockSparseRegressor
        labels = (Z > 0).astype(float) if classify else Z
        if stacked:
            model = cls(0.01, task_column="fruit").fit(STACKED, labels.ravel(order="F"))
        else:
            model = cls(0.01).fit(FRAME, pd.DataFrame(labels, columns=TASKS))
        for t, task in enumerate(TASKS):
            explainer = shap.LinearExplainer(task_model(model, task), FRAME)
            found = explainer.shap_values(FRAME)
            # For independent features they are known.
            expected = (FRAME - FRAME.mean()) * model.coef_[t]
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
            z = X @ model.coef_[t] + model.intercept_[t]
            np.testing.assert_allclose(explainer.expected_value + found.sum(axis=1), z)


def with_offsets(names=("o",), loss="poisson"):
    """Labels of three tasks, and X with offsets between the features."""
    rng = np.random.default_rng(5)
    columns = {name: rng.normal(size=N) for name in names}
    rows = FRAME.copy()
    for place, (name, values) in enumerate(columns.items(), 1):
        rows.insert(place, name, values)
    Z_moved = Z + np.column_stack(list(columns.values()))
    return rows, np.round(np.exp(Z_moved / 2)) if loss == "poisson" else Z_moved


class TestOffsets:
    @pytest.mark.parametrize("names", [["o"], ["o", "p", "q"]])
    @pytest.mark.parametrize("loss", ["squared", "poisson"])
    def test_shared(self, names, loss):
        rows, labels = with_offsets(names, loss)
        model = BlockSparseRegressor(0.1, loss=loss, offset_column=names).fit(rows, labels)
        found, offset = exported(model), rows[names].to_numpy()
        assert found["offset_columns"] == names and found["features"] == FEATURES
        predicted = PREDICT(found, rows[FEATURES].to_numpy(), offset=offset)
        np.testing.assert_allclose(predicted, model.predict(rows), rtol=1e-10)
        for task in range(3):
            alone = task_model(model, task)
            assert alone.feature_names_in_.tolist() == list(rows.columns)
            own = alone.coef_[[rows.columns.get_loc(name) for name in names]]
            assert own.tolist() == ([1.0] if len(names) == 1 else np.eye(3)[task].tolist())
            mean = alone.predict(rows)
            np.testing.assert_allclose(mean, model.predict(rows)[:, task], rtol=1e-10)

    @pytest.mark.parametrize("unknown", ["error", "mean"])
    def test_stacked(self, unknown):
        rows = STACKED.copy()
        rows.insert(3, "o", np.random.default_rng(0).normal(size=len(rows)))
        y = np.round(np.exp((Y_STACKED + rows["o"]) / 2))
        model = BlockSparseRegressor(
            0.1, loss="poisson", task_column="fruit", offset_column="o", unknown_task=unknown
        ).fit(rows, y)
        if unknown == "mean":
            rows = rows.assign(fruit=["plum", *rows["fruit"][1:]])
        found = exported(model)
        assert found["offset_columns"] == ["o"] and found["task_column"] == "fruit"
        values = rows[FEATURES].to_numpy(), rows["fruit"].to_numpy(), rows[["o"]].to_numpy()
        np.testing.assert_allclose(PREDICT(found, *values), model.predict(rows), rtol=1e-10)
        alone, kiwi = task_model(model, "kiwi"), rows[rows["fruit"] == "kiwi"]
        mean = alone.predict(kiwi.drop(columns="fruit"))
        np.testing.assert_allclose(mean, model.predict(kiwi), rtol=1e-10)

    @pytest.mark.parametrize("loss", ["logistic", "multinomial"])
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_classes(self, loss, n_classes):
        rng = np.random.default_rng(1)
        one_each = n_classes if loss == "multinomial" or n_classes > 2 else 1
        offset = rng.normal(size=(N, one_each))
        y = np.digitize(Z[:, 0] + offset[:, -1], [-0.8, 0.8]) % n_classes
        rows, columns = np.column_stack([offset, X]), list(range(one_each))
        model = BlockSparseClassifier(0.01, loss=loss, offset_column=columns).fit(rows, y)
        found = exported(model)
        assert found["offset_columns"] == columns
        np.testing.assert_array_equal(PREDICT(found, X, offset=offset), model.predict(rows))
        p = PREDICT(found, X, offset=offset, proba=True)
        np.testing.assert_allclose(p, model.predict_proba(rows), rtol=1e-9)
        if loss == "multinomial":
            alone = task_model(model)
            np.testing.assert_allclose(alone.predict_proba(rows), p, rtol=1e-9)

    def test_by_position_from_the_end(self):
        rows = np.column_stack([X, Z[:, 0]])
        model = BlockSparseRegressor(0.1, offset_column=-1).fit(rows, Z + Z[:, :1])
        assert exported(model)["offset_columns"] == [-1]
        predicted = task_model(model, 1).predict(rows)
        np.testing.assert_allclose(predicted, model.predict(rows)[:, 1], rtol=1e-10)
        assert len(coef_frame(model)) == 3 * 5
        assert exported(BlockSparseRegressor(0.1).fit(X, Z))["offset_columns"] is None
