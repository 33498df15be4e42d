"""The parser, the shapes and the converter of a linear model, as skl2onnx asks for them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.inspection import LinearModel
from skmtl.onnx._graph import Graph
from skmtl.onnx._inputs import Columns, Part, add_features, add_places, precision, read_inputs

Array = NDArray[Any]


def parse(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> list[Any]:
    """Declare the outputs: "variable", or "label" and "probabilities" or "scores"."""
    from skl2onnx import get_model_alias
    from skl2onnx.common.data_types import FloatTensorType

    linear = _read(model)
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs.extend(inputs)
    floats = FloatTensorType()
    if not linear.classifier:
        outputs = [("variable", floats)]
    else:
        what = "scores" if linear.links[0] is None else "probabilities"
        outputs = [("label", floats), (what, floats)]
    for name, kind in outputs:
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return list(operator.outputs)


def infer_shapes(operator: Any) -> None:
    """Set the types and shapes of the outputs."""
    from skl2onnx.common import data_types as types

    model = _read(operator.raw_operator)
    parts = read_inputs(_columns(model), operator.inputs)
    double = precision(parts) == np.float64
    floats = types.DoubleTensorType if double else types.FloatTensorType
    n_tasks = 1 if model.layout == "stacked" else len(model.coef)
    if not model.classifier:
        operator.outputs[0].type = floats([None, n_tasks])
        return
    assert model.classes is not None
    labels = {
        "f": floats,
        "b": types.BooleanTensorType,
        "U": types.StringTensorType,
        "O": types.StringTensorType,
    }.get(model.classes.dtype.kind, types.Int64TensorType)
    shared = model.layout == "shared"
    operator.outputs[0].type = labels([None, n_tasks] if shared else [None])
    two = not shared and n_tasks == 1 and model.links[0] is not None
    operator.outputs[1].type = floats([None, 2 if two else n_tasks])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes that predict."""
    model = _read(operator.raw_operator)
    parts = read_inputs(_columns(model), operator.inputs)
    graph = Graph(scope, container, precision(parts))
    z = _add_predictors(graph, model, parts)
    names = [output.full_name for output in operator.outputs]
    if not model.classifier:
        graph.node("Identity", _add_means(graph, model, z), out=names[0])
        return
    graph.node("Identity", _add_labels(graph, model, z), out=names[0])
    graph.node("Identity", _add_probabilities(graph, model, z), out=names[1])


def _read(model: Any) -> LinearModel:
    """The linear model, if ONNX has types for its names; offsets are features."""
    linear = LinearModel.read(model, "The conversion to ONNX").without_offsets()
    names = [("task ids", linear.tasks)] if linear.layout == "stacked" else []
    names += [] if linear.classes is None else [("classes", linear.classes)]
    for what, values in names:
        texts = values.dtype.kind == "U" or (
            values.dtype.kind == "O" and all(isinstance(value, str) for value in values)
        )
        whole = values.dtype.kind in "iub"
        if not (texts or whole or (what == "classes" and values.dtype.kind == "f")):
            raise ValueError(
                f"The {what} of {linear.name} must be strings or integers for ONNX, got "
                f"{values.tolist()[0]!r}. Convert them before fit."
            )
    return linear


def _columns(model: LinearModel) -> Columns:
    """The columns of the fit."""
    position = model.task_position
    count = model.coef.shape[1] + (position is not None)
    return Columns(model.name, count, position, model.tasks)


def _add_predictors(graph: Graph, model: LinearModel, parts: list[Part]) -> str:
    """The linear predictors: (n, n_tasks), or (n, 1) in the stacked layout."""
    features = add_features(graph, parts)
    coef, intercept = model.coef, model.intercept
    if model.layout != "stacked":
        products = graph.node("MatMul", features, graph.constant(coef.T.astype(graph.dtype)))
        return graph.node("Add", products, graph.constant(intercept.astype(graph.dtype)))
    if model.unknown is not None:
        coef = np.vstack([coef, model.unknown[0]])
        intercept = np.append(intercept, model.unknown[1])
    # Without a row for unknown tasks this position does not exist, and the runtime raises an error.
    places = add_places(graph, parts, model.tasks, other=len(model.tasks))
    own = graph.node("Gather", graph.constant(coef.astype(graph.dtype)), places, axis=0)
    ones = graph.constant(np.ones((coef.shape[1], 1), graph.dtype))
    products = graph.node("MatMul", graph.node("Mul", features, own), ones)
    column = graph.constant(intercept[:, None].astype(graph.dtype))
    return graph.node("Add", products, graph.node("Gather", column, places, axis=0))


def _add_means(graph: Graph, model: LinearModel, z: str) -> str:
    """The mean responses, each task by its own link."""
    means = z
    for link, operator in (("log", "Exp"), ("logit", "Sigmoid")):
        chosen = np.array([own == link for own in model.links])
        if model.layout == "stacked":
            chosen = chosen[:1]
        if chosen.all():
            return graph.node(operator, z)
        if chosen.any():
            means = graph.node("Where", graph.constant(chosen), graph.node(operator, z), means)
    return means


def _add_labels(graph: Graph, model: LinearModel, z: str) -> str:
    """The labels: 0 and 1 by task (n, n_tasks), or classes (n,)."""
    many = model.layout == "classes" and len(model.coef) > 1
    if many:
        codes = graph.node("ArgMax", z, axis=1, keepdims=0)
    else:
        codes = graph.cast(graph.node("Greater", z, graph.constant(0.0)), np.int64)
    if model.layout == "shared":
        return codes
    codes = codes if many else graph.flat(codes)
    return graph.node("Gather", graph.constant(model.classes), codes, axis=0)


def _add_probabilities(graph: Graph, model: LinearModel, z: str) -> str:
    """The probabilities of the labels; without a link the linear predictors."""
    link = model.links[0]
    if link is None:
        return z
    if link == "softmax":
        return graph.node("Softmax", z, axis=1)
    if model.layout == "shared":
        return graph.node("Sigmoid", z)
    if model.layout == "stacked" or len(model.coef) == 1:
        both = graph.node("Neg", z), z
        return graph.node("Concat", *(graph.node("Sigmoid", side) for side in both), axis=1)
    # One against rest: p / sum(p), from log(p) = min(z, 0) - log(1 + exp(-|z|)), as float32 has no
    # small p.
    far = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    tail = graph.node("Log", graph.node("Add", far, graph.constant(1.0)))
    logs = graph.node("Sub", graph.node("Min", z, graph.constant(0.0)), tail)
    return graph.node("Softmax", logs, axis=1)
