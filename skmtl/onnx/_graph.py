"""Nodes of an ONNX graph, each named by its output."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ML = "ai.onnx.ml"


class Graph:
    """Adds nodes and constants to the graph of a conversion.

    Parameters
    ----------
    scope, container : of skl2onnx
        Where names are made and nodes are kept.
    dtype : numpy dtype
        Of the linear predictors, float32 or float64.
    """

    def __init__(self, scope: Any, container: Any, dtype: Any) -> None:
        self._scope = scope
        self._container = container
        self.dtype = np.dtype(dtype)

    def node(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """The output of a new node."""
        name = self._scope.get_unique_variable_name(operator.lower()) if out is None else out
        label = self._scope.get_unique_operator_name(operator)
        self._container.add_node(operator, list(inputs), [name], name=label, **attributes)
        return str(name)

    def constant(self, values: Any) -> str:
        """An array of floats, integers, booleans or strings; floats get the graph's precision."""
        values = np.asarray(values)
        if values.dtype.kind == "f":
            values = values.astype(self.dtype)
        name = self._scope.get_unique_variable_name("constant")
        content: Any = values.ravel().tolist()
        if values.dtype.kind in "UO":
            content = [str(value).encode() for value in content]
        kind = proto_type(values.dtype)
        self._container.add_initializer(name, kind, list(values.shape), content)
        return str(name)

    def cast(self, name: str, dtype: Any, out: str | None = None) -> str:
        """The values as another type."""
        return self.node("Cast", name, out=out, to=proto_type(np.dtype(dtype)))

    def columns(self, name: str, positions: list[int]) -> str:
        """Some columns of a matrix."""
        return self.node("Gather", name, self.constant(np.array(positions, np.int64)), axis=1)

    def flat(self, name: str) -> str:
        """The entries as a vector."""
        return self.node("Reshape", name, self.constant(np.array([-1], np.int64)))

    def look_up(self, name: str, keys: Array, other: int) -> str:
        """The position of each string or integer among the keys, or ``other``."""
        kind = "strings" if keys.dtype.kind in "UO" else "int64s"
        values = [str(key).encode() for key in keys] if kind == "strings" else keys.tolist()
        attributes: dict[str, Any] = {
            f"keys_{kind}": values,
            "values_int64s": list(range(len(keys))),
        }
        return self.node(
            "LabelEncoder", name, op_domain=_ML, op_version=2, default_int64=other, **attributes
        )


def proto_type(dtype: Any) -> int:
    """The number of a type in ONNX."""
    from onnx import TensorProto

    if dtype.kind in "UO":
        return int(TensorProto.STRING)
    if dtype.kind == "f":
        return int(TensorProto.DOUBLE if dtype.itemsize == 8 else TensorProto.FLOAT)
    return int(TensorProto.BOOL if dtype.kind == "b" else TensorProto.INT64)
