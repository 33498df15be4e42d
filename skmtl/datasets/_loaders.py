"""Loaders for real data: from scikit-learn, from files, or from the network."""

import gzip
import math
import os
import zipfile
import zlib
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml, get_data_home, load_digits
from sklearn.utils import Bunch

from skmtl.preprocessing import insert_task_column

_N_MNIST_TEST = 10_000
_IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def load_digits_tasks() -> Bunch:
    """Load scikit-learn's digits as ten tasks, one for each digit.

    Returns
    -------
    bunch : Bunch
        With ``data`` (1797, 64), grey values from 0 to 1; ``target`` (1797,), the digits; ``Y``
        (1797, 10), 1 in the digit's column and 0 in all others; ``task_names`` (10,);
        ``image_shape`` (8, 8).

    References
    ----------
    E. Alpaydin, C. Kaynak (1998). Optical recognition of handwritten digits. UCI Machine Learning
    Repository. https://doi.org/10.24432/C50P49

    Examples
    --------
    >>> from skmtl.datasets import load_digits_tasks
    >>> digits = load_digits_tasks()
    >>> digits.data.shape, digits.Y.shape
    ((1797, 64), (1797, 10))
    """
    digits = load_digits()
    return Bunch(
        data=digits.data / 16.0,
        target=digits.target,
        Y=(digits.target[:, np.newaxis] == np.arange(10)).astype(np.int64),
        task_names=np.array([f"is {digit}" for digit in range(10)]),
        image_shape=(8, 8),
    )


def fetch_mnist(data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load the 70000 handwritten digits of MNIST.

    Local files are used if there are any. Otherwise the data are downloaded by scikit-learn's
    ``fetch_openml``, which caches them.

    Parameters
    ----------
    data_home : path, default=None
        Folder with ``mnist.npz`` (arrays X, y, is_test) or with the four files of the original
        distribution, ``train-images-idx3-ubyte`` and so on, plain or ``.gz``; also the cache
        folder of ``fetch_openml``. None: scikit-learn's data folder.

    Returns
    -------
    bunch : Bunch
        With ``data`` (70000, 784) uint8, ``target`` (70000,) int, ``is_test`` (70000,) bool, True
        for the last 10000, and ``image_shape`` (28, 28).

    Raises
    ------
    OSError
        If there are no local files and the download fails; the message says which files to put
        into which folder.
    ValueError
        If a file is damaged.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998). Gradient-based learning applied to document
    recognition. Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791

    Examples
    --------
    >>> from skmtl.datasets import fetch_mnist
    >>> mnist = fetch_mnist("folder/with/the/files")  # doctest: +SKIP
    >>> mnist.data.shape  # doctest: +SKIP
    (70000, 784)
    """
    folder = Path(get_data_home(data_home=data_home))
    if (folder / "mnist.npz").is_file():
        arrays = read_npz(folder / "mnist.npz", required=("X", "y", "is_test"))
        X, y, is_test = arrays["X"], arrays["y"], arrays["is_test"]
    else:
        found = [_find_idx(folder, name) for name in _IDX_NAMES]
        if None not in found:
            X, y, is_test = _read_mnist_idx([path for path in found if path is not None])
        else:
            X, y = _fetch_mnist_openml(folder)
            is_test = np.arange(len(y)) >= len(y) - _N_MNIST_TEST
    return Bunch(
        data=X.astype(np.uint8, copy=False),
        target=y.astype(np.int64),
        is_test=is_test.astype(bool),
        image_shape=(28, 28),
    )


def load_npz(path: str | os.PathLike[str], *, stack: bool = False) -> Bunch:
    """Load a data set from an npz file.

    The file holds X (n, d) and the labels: y (n,), or Y (n, n_tasks) for tasks that share their
    rows. With y, an array ``task`` (n,) may give each row's task. Pickled objects are never loaded.

    Parameters
    ----------
    path : path
        The npz file.
    stack : bool, default=False
        Whether to append ``task`` to ``data`` as its last column: the stacked layout, for
        estimators with ``task_column=-1``. The name "task" is appended to ``feature_names``, if
        present.

    Returns
    -------
    bunch : Bunch
        With ``data`` (X), ``target`` (y, or Y if there is no y), and all other arrays under their
        own names, e.g. ``task``, ``feature_names``, ``target_names``, ``is_test``.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not an npz file, holds pickled objects, or lacks X, labels, or with
        ``stack=True`` the array ``task``.

    See Also
    --------
    skmtl.preprocessing.stack_tasks : Converts lists of per-task arrays to the stacked layout.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from skmtl.datasets import load_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.npz")
    ...     np.savez(path, X=np.ones((3, 2)), y=np.arange(3), task=np.array([0, 0, 1]))
    ...     bunch = load_npz(path, stack=True)
    >>> bunch.data
    array([[1., 1., 0.],
           [1., 1., 0.],
           [1., 1., 1.]])
    """
    path = Path(path)
    arrays = read_npz(path, required=("X", "task") if stack else ("X",))
    labels = "y" if "y" in arrays else "Y"
    if labels not in arrays:
        raise ValueError(
            f"{path} has no labels, neither an array 'y' nor 'Y'; it holds {sorted(arrays)}. Read "
            f"other files with numpy.load."
        )
    data, target = arrays.pop("X"), arrays.pop(labels)
    if stack:
        data = insert_task_column(data, arrays["task"], data.shape[1])
        if "feature_names" in arrays:
            arrays["feature_names"] = np.append(arrays["feature_names"], "task")
    return Bunch(**arrays | {"data": data, "target": target})


def read_npz(path: Path, required: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return all arrays of an npz file, which must hold the required ones."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an npz file, or is damaged.")
    arrays = {}
    with np.load(path, allow_pickle=False) as archive:
        absent = [name for name in required if name not in archive.files]
        if absent:
            raise ValueError(f"{path} has no array {absent[0]!r}; it holds {archive.files}.")
        for name in archive.files:
            try:
                arrays[name] = archive[name]
            except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(
                    f"The array {name!r} of {path} cannot be read: it is damaged, or holds pickled "
                    f"objects, which are never loaded."
                ) from error
    return arrays


def _find_idx(folder: Path, name: str) -> Path | None:
    """Find the file by its usual names, plain or compressed."""
    for stem in (name, name.replace("-idx", ".idx")):
        for candidate in (folder / stem, folder / f"{stem}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _read_mnist_idx(paths: list[Path]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Read X, y and is_test from the four IDX files, in the order of ``_IDX_NAMES``."""
    arrays = [_read_idx(path, n_dims) for path, n_dims in zip(paths, (3, 1, 3, 1), strict=True)]
    for images, labels, path in zip(arrays[::2], arrays[1::2], paths[1::2], strict=True):
        if len(images) != len(labels):
            raise ValueError(f"{path} has {len(labels)} labels for {len(images)} images.")
    X = np.concatenate([images.reshape(len(images), -1) for images in arrays[::2]])
    y = np.concatenate(arrays[1::2])
    return X, y, np.arange(len(y)) >= len(arrays[1])


def _read_idx(path: Path, n_dims: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    It consists of two zero bytes, the type 8, the number of dimensions, the shape and the values.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: it cannot be decompressed.") from error
    header = 4 + 4 * n_dims
    if content[:4] != bytes([0, 0, 8, n_dims]) or len(content) < header:
        raise ValueError(f"{path} is not an IDX file of {n_dims}-D unsigned bytes, or is damaged.")
    shape = [int(size) for size in np.frombuffer(content[4:header], dtype=">u4")]
    if n_dims == 3 and shape[1:] != [28, 28]:
        raise ValueError(f"{path} holds images of {shape[1]} x {shape[2]} instead of 28 x 28.")
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path} is damaged: its header announces {math.prod(shape)} values, but it holds "
            f"{len(content) - header}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _fetch_mnist_openml(folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Load X and y from scikit-learn's cache or from openml.org."""
    try:
        bunch = fetch_openml(
            "mnist_784",
            version=1,
            as_frame=False,
            data_home=str(folder),
            parser="pandas" if find_spec("pandas") else "liac-arff",
        )
    except (OSError, ValueError, EOFError, HTTPException) as error:
        raise OSError(
            f"MNIST was not found, and could not be downloaded from openml.org ({error}). Put "
            f"mnist.npz (arrays X, y, is_test), or the files {', '.join(_IDX_NAMES)} (plain or "
            f".gz), into {folder}, or pass the folder that contains them as data_home."
        ) from error
    return np.asarray(bunch.data), np.asarray(bunch.target).astype(np.int64)
