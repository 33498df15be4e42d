"""Loader for the School data: exam scores of pupils in 139 schools."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skmtl.datasets._loaders import load_npz, read_npz

_SCHOOL, _SPLITS = "school.npz", "school_splits.npz"


def load_school(path: str | os.PathLike[str] | None = None) -> Bunch:
    """Load the School data: exam scores of 15362 pupils in 139 schools, one task per school.

    Parameters
    ----------
    path : path, default=None
        The file ``school.npz`` (arrays X, y and task), under any name, or the folder that contains
        it. None: the folder given by the environment variable SKMTL_DATA. The data are not part of
        this package.

    Returns
    -------
    bunch : Bunch
        With ``data`` (15362, 28), the school last; ``target`` (15362,); ``tasks`` (139,);
        ``feature_names`` (28,), the last "task"; ``splits``, a list of pairs (train, test) of
        row numbers read from ``school_splits.npz`` (train0, test0, train1, ...) in the same folder,
        or None if that file does not exist; and all other arrays of the file under their own names.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or ``path`` is None and SKMTL_DATA is not set.
    ValueError
        If the file is damaged or lacks an array, or the splits do not match its rows.

    Notes
    -----
    The usual splits, with 75% of the rows for training, are those of Argyriou et al. [2]_.

    References
    ----------
    .. [1] B. Bakker, T. Heskes (2003). Task clustering and gating for Bayesian multitask learning.
       Journal of Machine Learning Research 4, 83-99.
       https://www.jmlr.org/papers/v4/bakker03a.html
    .. [2] A. Argyriou, T. Evgeniou, M. Pontil (2008). Convex multi-task feature learning. Machine
       Learning 73, 243-272. https://doi.org/10.1007/s10994-007-5040-8

    Examples
    --------
    >>> from skmtl.datasets import load_school
    >>> school = load_school("folder/with/the/files")  # doctest: +SKIP
    >>> school.data.shape, len(school.splits)  # doctest: +SKIP
    ((15362, 28), 10)
    """
    if path is None:
        folder = os.environ.get("SKMTL_DATA")
        if not folder:
            raise FileNotFoundError(
                f"The School data are not part of this package. Pass the path of {_SCHOOL} or of "
                f"its folder, or set the environment variable SKMTL_DATA to that folder."
            )
        path = folder
    file = Path(path)
    if file.is_dir():
        file = file / _SCHOOL
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no file {file}. Pass the path of {_SCHOOL} or of its folder, or set the "
            f"environment variable SKMTL_DATA to that folder."
        )
    bunch = load_npz(file, stack=True)
    bunch["tasks"] = np.unique(bunch.pop("task"))
    splits_file = file.with_name(_SPLITS)
    bunch["splits"] = _read_splits(splits_file, len(bunch.data)) if splits_file.is_file() else None
    return bunch


def _read_splits(path: Path, n_rows: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Read pairs of row numbers, and check that they match the number of rows."""
    arrays = read_npz(path, required=("train0", "test0"))
    splits: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    while f"train{len(splits)}" in arrays:
        k = len(splits)
        if f"test{k}" not in arrays:
            raise ValueError(f"{path} has an array 'train{k}' but no 'test{k}'.")
        train, test = arrays[f"train{k}"], arrays[f"test{k}"]
        rows = np.concatenate([train, test])
        known = rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() < n_rows
        if not known or len(np.unique(rows)) < len(rows):
            raise ValueError(
                f"Split {k} of {path} does not belong to this data set: it must hold distinct "
                f"row numbers from 0 to {n_rows - 1}."
            )
        splits.append((train.astype(np.intp), test.astype(np.intp)))
    return splits
