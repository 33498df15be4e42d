"""Exported graphs, run by onnxruntime, predict what the estimators predict."""

import numpy as np
import pandas as pd
import pytest
from report_problems import FEATURES, STACKED, N, X, Z, each_layout, every, fitted
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import MultiTaskLasso
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
)
from skmtl.funnel import EntireSpaceClassifier
from skmtl.model_selection import AlphaSearchCV, AlphaSearchIC, StratifiedTaskKFold
from skmtl.onnx import register_converters, to_onnx
from skmtl.preprocessing import TaskTransformer

REASON = "pip install skmtl[onnx]"
skl2onnx = pytest.importorskip("skl2onnx", reason=REASON)
onnxruntime = pytest.importorskip("onnxruntime", reason=REASON)
types = pytest.importorskip("skl2onnx.common.data_types")

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": bool,
    "tensor(int8)": np.int8,
    "tensor(string)": object,
}
IDS = np.repeat([7, 3, 9], N)
BY_NUMBER = np.column_stack([STACKED[FEATURES], IDS])
Y_STACKED = Z.ravel(order="F")


def run(graph, rows):
    """The outputs of a graph, by name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, and need not be printed too
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {}
    for one in session.get_inputs():
        values = rows[[one.name]].to_numpy() if isinstance(rows, pd.DataFrame) else rows
        feed[one.name] = np.asarray(values).astype(TYPES[one.type])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def check(model, rows, graph, rtol=1e-5):
    """Compare a graph's outputs with the predictions of the model."""
    out = run(graph, rows)
    predicted = model.predict(rows)
    if set(out) == {"variable"}:
        found = out["variable"] if predicted.ndim == 2 else out["variable"][:, 0]
        assert found.shape == predicted.shape
        np.testing.assert_allclose(found, predicted, rtol=rtol, atol=rtol)
        return
    np.testing.assert_array_equal(out["label"], predicted)
    if "probabilities" in out:
        p = model.predict_proba(rows)
        assert out["probabilities"].shape == p.shape
        np.testing.assert_allclose(out["probabilities"], p, rtol=0, atol=rtol)
    else:
        z = model.decision_function(rows)
        np.testing.assert_allclose(out["scores"].reshape(z.shape), z, rtol=rtol, atol=rtol)


@every
@each_layout
def test_every_estimator(name, layout):
    model, rows, _, _ = fitted(name, layout)
    # A data frame has an input for each column, in float64.
    double = isinstance(rows, pd.DataFrame)
    check(model, rows, to_onnx(model, rows if double else None), 1e-12 if double else 1e-5)


class TestOffsets:
    @pytest.mark.parametrize("n_offsets", [1, 3])
    @pytest.mark.parametrize("loss", ["squared", "poisson"])
    def test_shared(self, n_offsets, loss):
        offset = np.random.default_rng(0).normal(size=(N, n_offsets))
        labels = np.round(np.exp((Z + offset) / 2)) if loss == "poisson" else Z + offset
        rows = np.column_stack([X[:, :1], offset, X[:, 1:]])
        columns = list(range(1, 1 + n_offsets))
        model = BlockSparseRegressor(0.1, loss=loss, offset_column=columns).fit(rows, labels)
        check(model, rows, to_onnx(model))
        check(model, rows, to_onnx(model, rows), 1e-12)
        single = BlockSparseRegressor(0.1, loss=loss, offset_column=1)
        single.fit(rows[:, :5], labels[:, 0])
        check(single, rows[:, :5], to_onnx(single))

    @pytest.mark.parametrize("unknown", ["error", "mean"])
    def test_stacked(self, unknown):
        rows = STACKED.copy()
        rows.insert(0, "exposure", np.random.default_rng(1).normal(size=len(rows)))
        y = np.round(np.exp((Y_STACKED + rows["exposure"]) / 2))
        settings = {"loss": "poisson", "offset_column": "exposure", "unknown_task": unknown}
        model = BlockSparseRegressor(0.1, task_column="fruit", **settings).fit(rows, y)
        if unknown == "mean":
            rows = rows.assign(fruit=["plum", *rows["fruit"][1:]])
        check(model, rows, to_onnx(model, rows), 1e-12)
        matrix = np.column_stack([rows["exposure"], BY_NUMBER])
        settings["offset_column"] = 0
        by_number = BlockSparseRegressor(0.1, task_column=-1, **settings).fit(matrix, y)
        check(by_number, matrix, to_onnx(by_number))

    @pytest.mark.parametrize("loss", ["logistic", "multinomial", "squared_hinge"])
    def test_classes(self, loss):
        offset = np.random.default_rng(2).normal(size=(N, 3))
        rows, y = np.column_stack([X, offset]), (Z + offset).argmax(axis=1)
        model = BlockSparseClassifier(0.01, loss=loss, offset_column=[-3, -2, -1]).fit(rows, y)
        check(model, rows, to_onnx(model))


class TestInputs:
    @pytest.mark.parametrize("column", [-1, 0, 2])
    @pytest.mark.parametrize("unknown", ["error", "mean"])
    def test_ids_in_a_matrix(self, column, unknown):
        position = column % 5
        rows = np.insert(BY_NUMBER[:, :4], position, IDS, axis=1)
        model = BlockSparseRegressor(0.1, task_column=column, unknown_task=unknown)
        model.fit(rows, Y_STACKED)
        check(model, rows, to_onnx(model))
        check(model, rows, to_onnx(model, rows), 1e-12)
        other = rows.copy()
        other[0, position] = 8
        other[1, position] = 7.5  # between two tasks
        for graph in (to_onnx(model), to_onnx(model, rows)):
            if unknown == "mean":
                check(model, other, graph)
            else:
                with pytest.raises(Exception, match="out of data bounds"):
                    run(graph, other)

    def test_unknown_names(self):
        model = BlockSparseRegressor(0.1, task_column="fruit", unknown_task="mean")
        model.fit(STACKED, Y_STACKED)
        rows = STACKED.assign(fruit=["plum", *STACKED["fruit"][1:]])
        check(model, rows, to_onnx(model, rows), 1e-12)
        assert model.predict(rows)[0] != model.predict(STACKED)[0]

    def test_prior_of_new_tasks(self):
        model = ClusteredTaskRegressor(1.0, task_column=-1, unknown_task="prior")
        model.fit(BY_NUMBER, Y_STACKED)
        rows = BY_NUMBER.copy()
        rows[::2, -1] = 100
        check(model, rows, to_onnx(model))

    def test_integer_ids_in_a_column_of_their_own(self):
        large = STACKED.assign(fruit=IDS + 2**60)
        model = BlockSparseRegressor(0.1, task_column="fruit").fit(large, Y_STACKED)
        check(model, large, to_onnx(model, large), 1e-12)

    def test_large_ids_need_more_than_float32(self):
        rows = BY_NUMBER + [0, 0, 0, 0, 2**24]
        model = BlockSparseRegressor(0.1, task_column=-1).fit(rows, Y_STACKED)
        with pytest.raises(ValueError, match="exceed 16777216.*or a DoubleTensorType"):
            to_onnx(model)
        check(model, rows, to_onnx(model, rows), 1e-12)
        large = STACKED.assign(fruit=IDS + 2**60)
        model = BlockSparseRegressor(0.1, task_column=1).fit(large, Y_STACKED)
        with pytest.raises(ValueError, match="exceed 9007199254740992.*Int64TensorType"):
            to_onnx(model, BY_NUMBER)

    def test_types_of_frames(self):
        for ids in (
            STACKED["fruit"].astype("category"),
            STACKED["fruit"].astype("string"),
            pd.Series(IDS).astype("int8"),
            pd.Series(IDS == 7),
        ):
            rows = STACKED.assign(fruit=ids.to_numpy() if ids.dtype != "category" else ids)
            model = BlockSparseClassifier(0.01, task_column="fruit")
            model.fit(rows, pd.Series(np.where(Y_STACKED > 0, "yes", "no"), dtype=object))
            check(model, rows, to_onnx(model, rows), 1e-12)

    def test_several_matrices(self):
        model = BlockSparseRegressor(0.1, task_column=2).fit(
            np.insert(X, 2, np.arange(N) % 3, axis=1), Z[:, 0]
        )
        parts = [
            ("left", types.FloatTensorType([None, 2])),
            ("task", types.Int64TensorType([None, 1])),
            ("right", types.DoubleTensorType([None, 2])),
        ]
        graph = to_onnx(model, initial_types=parts)
        ids = np.arange(N)[:, None] % 3
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        feed = {"left": X[:, :2].astype(np.float32), "task": ids, "right": X[:, 2:]}
        (found,) = session.run(None, feed)
        expected = model.predict(np.insert(X, 2, ids[:, 0], axis=1))
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5, atol=1e-6)

    def test_errors(self):
        by_name = BlockSparseRegressor(0.1, task_column="fruit").fit(STACKED, Y_STACKED)
        with pytest.raises(ValueError, match="ids .* are strings such as 'fig'.*StringTensor"):
            to_onnx(by_name)
        by_number = BlockSparseRegressor(0.1, task_column=-1).fit(BY_NUMBER, Y_STACKED)
        strings = [("X", types.StringTensorType([None, 5]))]
        with pytest.raises(ValueError, match="holds features and must be numeric"):
            to_onnx(by_number, initial_types=strings)
        with pytest.raises(ValueError, match="have 4 columns.*was fitted on 5"):
            to_onnx(by_number, X)
        days = pd.date_range("2024-01-01", periods=3).repeat(N)
        dated = BlockSparseRegressor(0.1, task_column="fruit")
        dated.fit(STACKED.assign(fruit=days), Y_STACKED)
        with pytest.raises(ValueError, match="must be strings or integers for ONNX"):
            to_onnx(dated)
        for unfitted in (BlockSparseRegressor(), make_pipeline(BlockSparseRegressor())):
            with pytest.raises(NotFittedError):
                to_onnx(unfitted)
        funnel = EntireSpaceClassifier(0.01).fit(X, np.cumprod(Z > -1, axis=1))
        with pytest.raises(TypeError, match="depend on several"):
            to_onnx(funnel)


class TestOutputs:
    @pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "multinomial"])
    @pytest.mark.parametrize(
        "names", [["a", "b"], ["a", "b", "c"], [2, 5, 7], [1.0, 2.0], [True, False]]
    )
    def test_classes(self, loss, names):
        names = np.array(list(names))
        y = names[np.digitize(Z[:, 0], [-0.8, 0.8]) % len(names)]
        model = BlockSparseClassifier(0.01, loss=loss).fit(X, y)
        graph = to_onnx(model)
        check(model, X, graph)
        kind = {"U": object, "f": np.float32}.get(names.dtype.kind, names.dtype)
        assert run(graph, X)["label"].dtype == kind

    @pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
    @pytest.mark.parametrize("stacked", [False, True])
    def test_losses_of_classifiers(self, loss, stacked):
        model = BlockSparseClassifier(0.01, loss=loss, task_column=-1 if stacked else None)
        rows, labels = (BY_NUMBER, Y_STACKED > 0) if stacked else (X, Z > 0)
        check(model.fit(rows, labels), rows, to_onnx(model))

    def test_small_probabilities(self):
        # Beyond the range of float32, all one-against-rest probabilities would be zero.
        y = np.digitize(Z[:, 0], [-0.8, 0.8])
        model = BlockSparseClassifier(0.01).fit(X, y)
        model.intercept_ = model.intercept_ - 150
        p = model.predict_proba(X)
        assert p.std() > 0.1
        check(model, X, to_onnx(model))

    @pytest.mark.parametrize("stacked", [False, True])
    def test_counts(self, stacked):
        model = BlockSparseRegressor(0.1, loss="poisson", task_column=-1 if stacked else None)
        rows, z = (BY_NUMBER, Y_STACKED) if stacked else (X, Z)
        check(model.fit(rows, np.round(np.exp(z))), rows, to_onnx(model))

    def test_a_loss_for_each_task(self):
        Y = np.column_stack([Z[:, 0], Z[:, 1] > 0, np.round(np.exp(Z[:, 2]))])
        losses = {0: "squared", 1: "logistic", 2: "poisson"}
        model = MultiTaskRegressor(0.01, loss=losses).fit(X, Y)
        check(model, X, to_onnx(model))

    @pytest.mark.parametrize("target_opset", [11, 15, None])
    def test_older_opsets(self, target_opset):
        for model, rows, y in (
            (BlockSparseRegressor(0.1, task_column=-1), BY_NUMBER, Y_STACKED),
            (BlockSparseClassifier(0.01), X, np.digitize(Z[:, 0], [-0.8, 0.8])),
        ):
            check(model.fit(rows, y), rows, to_onnx(model, target_opset=target_opset))

    def test_one_feature_and_one_task(self):
        model = BlockSparseRegressor(0.1).fit(X[:, :1], Z[:, :1])
        check(model, X[:, :1], to_onnx(model))
        rows = np.column_stack([X[:, :1], np.zeros(N)])
        model = BlockSparseRegressor(0.1, task_column=1).fit(rows, Z[:, 0])
        check(model, rows, to_onnx(model))


class TestComposition:
    def test_pipelines(self):
        for last, labels in (
            (BlockSparseRegressor(0.1), Z),
            (BlockSparseClassifier(0.01), Z > 0),
            (BlockSparseClassifier(0.01), Z[:, 0] > 0),
        ):
            model = make_pipeline(StandardScaler(), last).fit(X, labels)
            check(model, X, to_onnx(model))

    def test_stacked_pipelines(self):
        scaler = ColumnTransformer(
            [("scale", StandardScaler(), slice(0, 4))], remainder="passthrough"
        )
        model = make_pipeline(scaler, BlockSparseRegressor(0.1, task_column=-1))
        check(model.fit(BY_NUMBER, Y_STACKED), BY_NUMBER, to_onnx(model))

    @pytest.mark.parametrize("column", [0, 2, -1, "fruit"])
    @pytest.mark.parametrize("inner", [StandardScaler(), make_pipeline(StandardScaler(), PCA(2))])
    def test_transformers_beside_the_task_column(self, column, inner):
        rows, y = STACKED, Y_STACKED
        if column != "fruit":
            rows = np.insert(BY_NUMBER[:, :4], column % 5, IDS, axis=1)
        model = make_pipeline(
            TaskTransformer(inner, task_column=column),
            BlockSparseRegressor(0.1, task_column=column),
        )
        if column == "fruit":
            model.set_output(transform="pandas")
        model.fit(rows, y)
        check(model, rows, to_onnx(model, rows), 1e-10)
        if column != "fruit":
            check(model, rows, to_onnx(model))

    def test_a_transformer_for_each_task(self):
        scaler = TaskTransformer(StandardScaler(), task_column=-1, per_task=True)
        model = make_pipeline(scaler, BlockSparseRegressor(0.1, task_column=-1))
        with pytest.raises(ValueError, match="per_task=True.*Use per_task=False"):
            to_onnx(model.fit(BY_NUMBER, Y_STACKED))

    def test_searches(self):
        grid = {"alpha": [0.01, 0.1]}
        model = GridSearchCV(BlockSparseRegressor(), grid, cv=2).fit(X, Z)
        check(model, X, to_onnx(model))
        classifier = BlockSparseClassifier()
        model = GridSearchCV(classifier, grid, cv=StratifiedTaskKFold(2)).fit(X, Z > 0)
        check(model, X, to_onnx(model))
        for search in (
            AlphaSearchCV(BlockSparseRegressor(), alphas=3, cv=2),
            AlphaSearchIC(BlockSparseRegressor(), alphas=3),
        ):
            model = search.fit(X, Z)
            check(model, X, to_onnx(model))
            model = make_pipeline(StandardScaler(), search).fit(X, Z)
            check(model, X, to_onnx(model))

    def test_by_the_interface_of_skl2onnx(self):
        register_converters()

        class Derived(PooledTaskRegressor):
            pass

        register_converters()
        model = Derived(0.1).fit(X, Z)
        graph = skl2onnx.convert_sklearn(
            model, initial_types=[("rows", types.FloatTensorType([None, None]))]
        )
        check(model, X, graph)

    def test_other_estimators_are_unchanged(self):
        model = MultiTaskLasso(0.1).fit(X, Z)
        before = skl2onnx.to_onnx(model, X.astype(np.float32)).SerializeToString()
        register_converters()
        assert skl2onnx.to_onnx(model, X.astype(np.float32)).SerializeToString() == before

    def test_converted_tasks_agree_with_a_refit_in_the_other_layout(self):
        shared = BlockSparseRegressor(0.1, tol=1e-10).fit(X, Z)
        stacked = clone(shared).set_params(task_column="fruit").fit(STACKED, Y_STACKED)
        one = run(to_onnx(shared, X), X)["variable"]
        other = run(to_onnx(stacked, STACKED), STACKED)["variable"]
        np.testing.assert_allclose(other[:, 0], one.ravel(order="F"), atol=1e-6)
