"""The parser, the shapes and the converter of TaskTransformer, as skl2onnx asks for them."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmtl.onnx._graph import Graph
from skmtl.onnx._inputs import Columns, Part, add_features, precision, read_inputs


def parse_transformer(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare the outputs: the features before the task column, its ids, and those after it."""
    from skl2onnx import get_model_alias
    from skl2onnx.common.data_types import FloatTensorType

    _check(model)
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs.extend(inputs)
    for name, _ in _outputs(model):
        operator.outputs.append(scope.declare_local_variable(name, FloatTensorType()))
    return list(operator.outputs)


def infer_transformer_shapes(operator: Any) -> None:
    """Set the types and shapes of the outputs; the ids keep their type."""
    from skl2onnx.common import data_types as types

    model = operator.raw_operator
    parts = read_inputs(_columns(model), operator.inputs)
    floats = types.DoubleTensorType if precision(parts) == np.float64 else types.FloatTensorType
    ids = {
        "float": types.FloatTensorType,
        "double": types.DoubleTensorType,
        "int": types.Int64TensorType,
        "string": types.StringTensorType,
    }[_task_part(parts).kind]
    for variable, (name, width) in zip(operator.outputs, _outputs(model), strict=True):
        variable.type = (ids if name == "task" else floats)([None, width])


def convert_transformer(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of the inner transformer, and those that leave the ids unchanged."""
    from skl2onnx.algebra.onnx_operator import OnnxSubEstimator
    from skl2onnx.common import data_types as types

    model = operator.raw_operator
    parts = read_inputs(_columns(model), operator.inputs)
    graph = Graph(scope, container, precision(parts))
    floats = types.DoubleTensorType if graph.dtype == np.float64 else types.FloatTensorType
    features = add_features(graph, parts), floats([None, model.n_features_in_ - 1])
    transformed = scope.get_unique_variable_name("transformed")
    inner = OnnxSubEstimator(
        model.transformer_,
        features,
        op_version=container.target_opset,
        output_names=[transformed],
    )
    inner.add_to(scope, container)
    place, n_out = model._place, model._n_out
    chosen = {"before": range(place), "after": range(place, n_out)}
    for variable, (name, _) in zip(operator.outputs, _outputs(model), strict=True):
        if name == "task":
            part = _task_part(parts)
            ids = part.name if part.width == 1 else graph.columns(part.name, [part.task or 0])
            if part.kind == "int":
                graph.cast(ids, np.int64, out=variable.full_name)
            else:
                graph.node("Identity", ids, out=variable.full_name)
        else:
            found = graph.columns(graph.cast(transformed, graph.dtype), list(chosen[name]))
            graph.node("Identity", found, out=variable.full_name)


def _check(model: Any) -> None:
    """Raise unless it is fitted, with one transformer for all rows."""
    check_is_fitted(model)
    if model.per_task:
        raise ValueError(
            "TaskTransformer(per_task=True) has a transformer for each task, which the export to "
            "ONNX does not support. Use per_task=False, or transform the rows before the graph."
        )


def _outputs(model: Any) -> list[tuple[str, int]]:
    """The names and numbers of columns of the outputs, in the order of the columns."""
    place, n_out = model._place, model._n_out
    found = [("before", place), ("task", 1), ("after", n_out - place)]
    return [(name, width) for name, width in found if width > 0]


def _columns(model: Any) -> Columns:
    return Columns(type(model).__name__, model.n_features_in_, model._position, model.tasks_)


def _task_part(parts: list[Part]) -> Part:
    """The input with the task column."""
    return next(part for part in parts if part.task is not None)
