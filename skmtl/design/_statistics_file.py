"""Statistics in npz files: arrays and one JSON text, without pickles."""

import json
import os
import zipfile
from dataclasses import fields
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from skmtl.design._sums import Sums

Array = NDArray[Any]
File = str | os.PathLike[str] | BinaryIO

_FORMAT, _VERSION = "skmtl.TaskStatistics", 1
_PARAMS = ("task_column", "offset_column", "memory_limit")


def write(file: File, statistics: Any, names: Array, sums: Sums) -> None:
    """Write statistics, with their tasks and sums.

    Raises
    ------
    ValueError
        If the tasks' names are neither numbers, strings nor dates.
    """
    if names.dtype.kind == "O":
        raise ValueError(
            f"Names of tasks of mixed types cannot be stored without pickles, got "
            f"{names.tolist()[:3]}. Convert the columns of y or the task ids to strings."
        )
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "layout": statistics._layout,
        "n_batches": statistics.n_batches_,
        "n_features_in": int(statistics.n_features_in_),
        "categories": _plain(statistics._categories),
        **{name: getattr(statistics, name) for name in _PARAMS},
    }
    arrays = {field.name: getattr(sums, field.name) for field in fields(sums)}
    columns = getattr(statistics, "feature_names_in_", None)
    if columns is not None:
        arrays["feature_names_in"] = columns.astype(str)
    arrays |= {"header": np.array(json.dumps(header)), "tasks": names}
    if not isinstance(file, (str, os.PathLike)):
        np.savez(file, **arrays)
        return
    with open(file, "wb") as opened:  # np.savez would append .npz to the name
        np.savez(opened, **arrays)


def _plain(categories: list[Any] | None) -> list[Any] | None:
    """Categories as JSON has them; None if it has no such type."""
    if categories is None or not all(isinstance(one, (str, int, float)) for one in categories):
        return None
    return list(categories)


def read(file: File) -> tuple[dict[str, Any], dict[str, Any], str, Array, Sums]:
    """The parameters, attributes, layout, tasks and sums in a file."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(str(arrays["header"]))
    except FileNotFoundError:
        raise
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{_name(file)} is damaged, or not a file of TaskStatistics.save ({error}). "
            f"Collect the statistics again."
        ) from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError(f"{_name(file)} is not a file of TaskStatistics.save.")
    if header["version"] > _VERSION:
        raise ValueError(
            f"{_name(file)} has version {header['version']} of the format, and this release "
            f"of skmtl reads versions up to {_VERSION}. Update skmtl."
        )
    sums = Sums(**{field.name: arrays[field.name] for field in fields(Sums)})
    _check(file, sums, arrays["tasks"])
    params = {name: header[name] for name in _PARAMS}
    attributes: dict[str, Any] = {
        "n_features_in_": header["n_features_in"],
        "_n_batches": header["n_batches"],
        "_categories": header["categories"],
    }
    if "feature_names_in" in arrays:
        attributes["feature_names_in_"] = arrays["feature_names_in"].astype(object)
    return params, attributes, header["layout"], arrays["tasks"], sums


def _name(file: File) -> str:
    return repr(os.fspath(file)) if isinstance(file, (str, os.PathLike)) else "The file object"


def _check(file: File, sums: Sums, names: Array) -> None:
    """Raise unless the arrays fit together and are finite."""
    n, d = len(names), sums.n_features
    shapes = Sums.empty(n, d, sums.n_grams)
    fitting = sums.n_grams in (1, n) and all(
        getattr(sums, field.name).shape == getattr(shapes, field.name).shape
        for field in fields(sums)
    )
    if not fitting or not all(np.isfinite(getattr(sums, f.name)).all() for f in fields(sums)):
        raise ValueError(
            f"{_name(file)} is damaged: its arrays do not fit together, or are not finite. "
            f"Collect the statistics again."
        )
