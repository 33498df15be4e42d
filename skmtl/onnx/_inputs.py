"""The inputs of a conversion: features and ids of tasks, in one matrix or several columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.onnx._graph import Graph

Array = NDArray[Any]

# Beyond these, neighbouring integers are the same number.
_EXACT = {"float": 2**24, "double": 2**53}


@dataclass(frozen=True)
class Columns:
    """The columns that an estimator was fitted on.

    Attributes
    ----------
    name : str
        The estimator's class.
    count : int
    task : int or None
        The position of the task column.
    tasks : ndarray
        The ids.
    """

    name: str
    count: int
    task: int | None
    tasks: Array


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


def read_inputs(columns: Columns, inputs: list[Any]) -> list[Part]:
    """The inputs of an operator of skl2onnx, checked.

    Raises
    ------
    ValueError
        If they do not have the columns of the fit, or their types are not those of the columns.
    """
    expected = columns.count
    parts: list[Part] = []
    start = 0
    for given in inputs:
        width = given.type.shape[1] if len(given.type.shape) == 2 else None
        if width is None and len(inputs) == 1:
            width = expected
        if not isinstance(width, int):
            raise ValueError(
                f"The input {given.raw_name!r} of {columns.name} needs a number of columns, got "
                f"the shape {given.type.shape}. Pass FloatTensorType([None, {expected}]), for "
                f"example."
            )
        position = None if columns.task is None else columns.task - start
        inside = position is not None and 0 <= position < width
        kind = _kind(columns, given)
        parts.append(Part(given.full_name, kind, width, position if inside else None))
        start += width
    if start != expected:
        raise ValueError(
            f"The inputs of the conversion have {start} columns, but {columns.name} was fitted on "
            f"{expected}. Pass the columns of the fit, the task column included."
        )
    for part in parts:
        _check_part(columns, part)
    return parts


def _kind(columns: Columns, given: Any) -> str:
    """What the input holds."""
    from skl2onnx.common import data_types as types

    kinds = {
        "float": (types.FloatTensorType,),
        "double": (types.DoubleTensorType,),
        "string": (types.StringTensorType,),
        "int": (
            types.Int64TensorType,
            types.Int32TensorType,
            types.Int16TensorType,
            types.Int8TensorType,
            types.UInt32TensorType,
            types.UInt16TensorType,
            types.UInt8TensorType,
            types.BooleanTensorType,
        ),
    }
    for kind, classes in kinds.items():
        if isinstance(given.type, classes):
            return kind
    raise ValueError(
        f"The input {given.raw_name!r} of {columns.name} must hold floats, integers or strings, "
        f"got {type(given.type).__name__}. Pass FloatTensorType for features."
    )


def _check_part(columns: Columns, part: Part) -> None:
    """Raise unless the type of an input is that of its columns."""
    only_ids = part.task is not None and part.width == 1
    if part.kind == "string" and not only_ids:
        raise ValueError(
            f"The input {part.name!r} of {columns.name} holds features and must be numeric. Pass a "
            f"separate input of strings for the task column, and floats for the features."
        )
    if part.task is None:
        return
    texts = columns.tasks.dtype.kind in "UO"
    if texts != (part.kind == "string"):
        ids, other = (
            ("strings", "a StringTensorType([None, 1])") if texts else ("numbers", "numeric")
        )
        raise ValueError(
            f"The task ids of {columns.name} are {ids} such as {columns.tasks.tolist()[0]!r}: the "
            f"input {part.name!r} with the task column must be {other}."
        )
    exact = _EXACT.get(part.kind)
    if exact is not None and max(map(abs, columns.tasks.tolist())) > exact:
        raise ValueError(
            f"The task ids of {columns.name} exceed {exact}, beyond which a {part.kind} does not "
            f"hold all integers. Pass a separate Int64TensorType([None, 1]) for the task column"
            f"{', or a DoubleTensorType' if part.kind == 'float' else ''}."
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
