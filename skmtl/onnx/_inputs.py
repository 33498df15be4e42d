"""The inputs of a conversion: features and ids of tasks, in one matrix or several columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.inspection import LinearModel
from skmtl.onnx._graph import Graph

Array = NDArray[Any]

# From here on, neighbouring integers are the same float32.
_EXACT = 2**24


@dataclass(frozen=True)
class Part:
    """An input, of which some columns are features.

    Attributes
    ----------
    name : str
    kind : str
        "float", "double", "int" or "string".
    width : int
    task : int or None
        The position of the task column in it.
    """

    name: str
    kind: str
    width: int
    task: int | None


def read_inputs(model: LinearModel, inputs: list[Any]) -> list[Part]:
    """The inputs of an operator of skl2onnx, checked.

    Raises
    ------
    ValueError
        If they do not have the columns of the fit, or their types are not those of the columns.
    """
    expected = model.coef.shape[1] + (model.task_position is not None)
    parts: list[Part] = []
    start = 0
    for given in inputs:
        width = given.type.shape[1] if len(given.type.shape) == 2 else None
        if width is None and len(inputs) == 1:
            width = expected
        if not isinstance(width, int):
            raise ValueError(
                f"The input {given.raw_name!r} of {model.name} needs a number of columns, got the "
                f"shape {given.type.shape}. Pass for example FloatTensorType([None, {expected}])."
            )
        position = None if model.task_position is None else model.task_position - start
        inside = position is not None and 0 <= position < width
        kind = _kind(model, given)
        parts.append(Part(given.full_name, kind, width, position if inside else None))
        start += width
    if start != expected:
        raise ValueError(
            f"The inputs of the conversion have {start} columns, but {model.name} was fitted on "
            f"{expected}. Pass the columns of the fit, the task column included."
        )
    for part in parts:
        _check_part(model, part)
    return parts


def _kind(model: LinearModel, given: Any) -> str:
    """What the input holds."""
    from skl2onnx.common import data_types as types

    kinds = {
        "float": (types.FloatTensorType,),
        "double": (types.DoubleTensorType,),
        "string": (types.StringTensorType,),
        "int": (types.Int64TensorType, types.Int32TensorType, types.BooleanTensorType),
    }
    for kind, classes in kinds.items():
        if isinstance(given.type, classes):
            return kind
    raise ValueError(
        f"The input {given.raw_name!r} of {model.name} must hold floats, integers or strings, got "
        f"{type(given.type).__name__}. Pass FloatTensorType for features."
    )


def _check_part(model: LinearModel, part: Part) -> None:
    """Raise unless the type of an input is that of its columns."""
    only_ids = part.task is not None and part.width == 1
    if part.kind == "string" and not only_ids:
        raise ValueError(
            f"The input {part.name!r} of {model.name} holds features and must be numeric. Pass a "
            f"separate input of strings for the task column, and floats for the features."
        )
    if part.task is None:
        return
    texts = model.tasks.dtype.kind in "UO"
    if texts != (part.kind == "string"):
        ids, other = (
            ("strings", "a StringTensorType([None, 1])") if texts else ("numbers", "numeric")
        )
        raise ValueError(
            f"The task ids of {model.name} are {ids} such as {model.tasks.tolist()[0]!r}: the "
            f"input {part.name!r} with the task column must be {other}."
        )
    if part.kind == "float" and np.abs(model.tasks.astype(np.float64)).max() > _EXACT:
        raise ValueError(
            f"The task ids of {model.name} exceed {_EXACT}, beyond which float32 does not hold all "
            f"integers. Pass a DoubleTensorType, or an Int64TensorType([None, 1]) for the task "
            f"column."
        )


def precision(parts: list[Part]) -> Any:
    """The type of the linear predictors."""
    features = [part.kind for part in parts if part.width > (part.task is not None)]
    return np.float64 if "double" in features else np.float32


def add_features(graph: Graph, parts: list[Part]) -> str:
    """The features as one matrix."""
    found = []
    for part in parts:
        name = part.name
        if part.task is not None and part.width == 1:
            continue
        if part.task is not None:
            name = graph.columns(name, [j for j in range(part.width) if j != part.task])
        found.append(graph.cast(name, graph.dtype))
    return found[0] if len(found) == 1 else graph.node("Concat", *found, axis=1)


def add_places(graph: Graph, parts: list[Part], tasks: Array, other: int) -> str:
    """The position of each row's task (n,), or ``other`` if it is none of ``tasks``."""
    part = next(part for part in parts if part.task is not None)
    name = part.name if part.width == 1 else graph.columns(part.name, [part.task or 0])
    if part.kind == "string":
        return graph.flat(graph.look_up(name, tasks, other))
    whole = graph.cast(name, np.int64)
    places = graph.look_up(whole, tasks.astype(np.int64), other)
    if part.kind != "int":
        # An id with a fractional part is none of the tasks.
        dtype = np.float64 if part.kind == "double" else np.float32
        same = graph.node("Equal", graph.cast(whole, dtype), name)
        places = graph.node("Where", same, places, graph.constant(np.array(other, np.int64)))
    return graph.flat(places)
