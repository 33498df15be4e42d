"""A transformer that leaves the task column unchanged."""

from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import TransformerMixin, clone
from sklearn.utils import Tags, check_consistent_length, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, has_fit_parameter

from skmtl._site import DocumentedEstimator
from skmtl.design import (
    UNKNOWN,
    check_columns,
    encode_tasks,
    from_arrow,
    is_frame,
    locate_task_column,
    look_up_tasks,
    read_ids,
    read_weights,
    split_task_column,
)
from skmtl.preprocessing._by_task import SAME_COLUMNS, map_tasks
from skmtl.preprocessing._containers import (
    NUMERIC,
    frame_with_tasks,
    insert_task_column,
    library_of,
    shorten,
    take_rows,
)


class TaskTransformer(TransformerMixin, DocumentedEstimator):
    """Apply a transformer to all columns except the task column.

    The task column keeps its values and its name. If it is given by position, it also keeps its
    position, so that the next step finds it by the same ``task_column``. The output is a data frame
    if the input is one (pandas or Polars), and an array if the input is an array.

    Parameters
    ----------
    transformer : transformer
        Any object with ``fit`` and ``transform``; it is cloned.
    task_column : str or int
        Name (data frames) or position of the task column; -1 is the last. A column given by name
        becomes the last column of the output. Positions >= 0 count from the first column and
        negative ones from the last, in the input and in the output, even if the transformer
        changes the number of columns.
    per_task : bool, default=False
        Whether to fit one clone on the rows of each task instead of one on all rows. All clones
        must give the same columns, as standardisation does and one-hot encoding may not.
    unknown_task : {"error", "mean"}, default="error"
        With ``per_task=True``, how ``transform`` treats tasks that were not seen in ``fit``:
        "error" raises an error, "mean" applies a clone fitted on the rows of all tasks.

    Attributes
    ----------
    transformer_ : transformer or None
        The clone fitted on all rows; None if ``per_task=True`` and ``unknown_task="error"``.
    transformers_ : dict
        The clone of each task, by task id; empty if ``per_task=False``.
    tasks_ : ndarray of shape (n_tasks,)
        The task ids seen in ``fit``, sorted.
    n_features_in_ : int
        Number of columns seen in ``fit``, including the task column.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in ``fit``, if all are strings.

    See Also
    --------
    stack_tasks : Converts lists of per-task data to the stacked layout.

    Notes
    -----
    Sparse output is never converted to dense: if the inner transformer returns a sparse matrix,
    the output is sparse, also for data frames, and the task ids must be numbers.

    ``fit_transform`` uses the inner ``fit_transform``, which differs from ``fit`` followed by
    ``transform`` for some transformers, e.g. scikit-learn's TargetEncoder.

    Column names come from the ``get_feature_names_out`` of the inner transformer. If it has no such
    method, they are those of the data frame that it returns, the names of the input if the number
    of columns is the same, or ``x0``, ``x1``, ... If the columns of the input have no names, the
    task column is named "task".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skmtl.preprocessing import TaskTransformer
    >>> X = np.array([[1.0, 0], [3.0, 0], [10.0, 1], [30.0, 1]])
    >>> TaskTransformer(StandardScaler(), task_column=-1, per_task=True).fit_transform(X)
    array([[-1.,  0.],
           [ 1.,  0.],
           [-1.,  1.],
           [ 1.,  1.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "transformer": [HasMethods(["fit", "transform"])],
        "task_column": [str, Integral],
        "per_task": ["boolean"],
        "unknown_task": [StrOptions({"error", "mean"})],
    }

    def __init__(
        self,
        transformer: Any,
        *,
        task_column: str | int,
        per_task: bool = False,
        unknown_task: str = "error",
    ) -> None:
        self.transformer = transformer
        self.task_column = task_column
        self.per_task = per_task
        self.unknown_task = unknown_task

    def fit(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the transformer, or one clone per task.

        Parameters
        ----------
        X : data frame, array or sparse matrix of shape (n_samples, n_features + 1)
            The features and the task column.
        y : array-like of shape (n_samples,), default=None
            Passed on to the transformer if given.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. The transformer must accept them if they are given, as
            StandardScaler does.

        Returns
        -------
        self : TaskTransformer

        Raises
        ------
        ValueError
            If ``sample_weight`` is given and the transformer does not accept it, or if all rows of
            a task have weight 0 and ``per_task=True``.
        """
        # Also transforms: the output tells the number of columns of a transformer without names.
        self._fit(from_arrow(X), y, sample_weight)
        return self

    def fit_transform(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Fit and transform the same data.

        Parameters
        ----------
        X : data frame, array or sparse matrix of shape (n_samples, n_features + 1)
            The features and the task column.
        y : array-like of shape (n_samples,), default=None
            Passed on to the transformer if given.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. The transformer must accept them if they are given, as
            StandardScaler does.

        Returns
        -------
        X_out : data frame, ndarray or CSR of shape (n_samples, n_columns_out + 1)

        Raises
        ------
        ValueError
            If ``sample_weight`` is given and the transformer does not accept it, or if all rows of
            a task have weight 0 and ``per_task=True``.
        """
        X = from_arrow(X)
        return self._join(*self._fit(X, y, sample_weight), X)

    def transform(self, X: Any) -> Any:
        """Transform all columns except the task column.

        Parameters
        ----------
        X : data frame, array or sparse matrix of shape (n_samples, n_features + 1)
            The features and the task column.

        Returns
        -------
        X_out : data frame, ndarray or CSR of shape (n_samples, n_columns_out + 1)

        Raises
        ------
        ValueError
            If ``per_task=True``, ``unknown_task="error"`` and a task was not seen in ``fit``.
        """
        check_is_fitted(self)
        X = from_arrow(X)
        X = X if hasattr(X, "shape") else np.asarray(X)
        if len(X.shape) == 2:
            check_columns(self, X, reset=False)
        features, ids = _split(X, self.task_column, warn=False)
        if not self.transformers_:
            return self._join(self.transformer_.transform(features), ids, X)
        codes = look_up_tasks(self.tasks_, ids)
        unknown = np.unique(ids[codes == UNKNOWN]).tolist()
        if unknown and self.transformer_ is None:
            raise ValueError(
                f"Tasks {shorten(unknown)} were not seen in fit, which saw "
                f"{shorten(self.tasks_.tolist())}. Set unknown_task='mean' to use a transformer "
                f"fitted on the rows of all tasks, or leave those rows out."
            )
        # UNKNOWN is -1: the last transformer is applied to unknown tasks.
        fitted = [*self.transformers_.values(), self.transformer_]
        values = map_tasks(
            codes,
            lambda code, rows: fitted[code].transform(take_rows(features, rows)),
            [*self.tasks_.tolist(), unknown],
        )
        return self._join(values, ids, X)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the output columns, including the task column.

        Parameters
        ----------
        input_features : array-like of str of shape (`n_features_in_`,), default=None
            Names of the columns of X, if none were seen in ``fit``.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self)
        names = list(_check_feature_names_in(self, input_features))
        task = names.pop(self._position)
        if input_features is None and not hasattr(self, "feature_names_in_"):
            task = "task"
        fitted = [t for t in [*self.transformers_.values(), self.transformer_] if t is not None]
        names_out = list(self._names_from(fitted[0], names))
        if task in names_out:
            raise ValueError(
                f"The transformer gives a column {task!r}, which is the task column's name. "
                f"Rename the task column."
            )
        names_out.insert(self._place, task)
        return np.array(names_out, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        if not hasattr(self.transformer, "__sklearn_tags__"):
            return tags
        inner = get_tags(self.transformer)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.target_tags.required = inner.target_tags.required
        return tags

    def _fit(
        self, X: Any, y: ArrayLike | None, sample_weight: ArrayLike | None
    ) -> tuple[Any, NDArray[Any]]:
        """Fit; return the transformed features and the task ids."""
        self._validate_params()
        X = X if hasattr(X, "shape") else np.asarray(X)
        features, ids = _split(X, self.task_column, warn=True)
        check_columns(self, X, reset=True)
        if y is not None:
            check_consistent_length(ids, y)
        weights = self._read_weights(sample_weight, len(ids))
        self._position = locate_task_column(X, self.task_column)
        self.tasks_, codes = encode_tasks(ids)
        self.transformer_: Any = None
        self.transformers_: dict[Any, Any] = {}
        if not self.per_task:
            self.transformer_, values = _fit_clone(self.transformer, features, y, weights)
        else:
            tasks = self.tasks_.tolist()

            def fit_task(code: int, rows: NDArray[np.intp]) -> Any:
                y_task = None if y is None else take_rows(y, rows)
                own = None if weights is None else _weights_of_task(weights[rows], tasks[code])
                fitted, out = _fit_clone(self.transformer, take_rows(features, rows), y_task, own)
                self.transformers_[tasks[code]] = fitted
                return out

            values = map_tasks(codes, fit_task, tasks)
            if self.unknown_task == "mean":
                self.transformer_, _ = _fit_clone(self.transformer, features, y, weights)
        self._n_out = values.shape[1]
        self._place = self._find_place()
        self._own_names = [str(name) for name in values.columns] if is_frame(values) else None
        self._check_same_names()
        return values, ids

    def _read_weights(self, sample_weight: ArrayLike | None, n_rows: int) -> NDArray[Any] | None:
        """Checked weights; None if none are given."""
        if sample_weight is None:
            return None
        if not has_fit_parameter(self.transformer, "sample_weight"):
            raise ValueError(
                f"The fit method of {type(self.transformer).__name__} does not accept "
                f"sample_weight. Leave the weights out, or pass a transformer that accepts them, "
                f"such as StandardScaler."
            )
        weights: NDArray[Any] = read_weights(sample_weight, (n_rows,))
        return weights

    def _find_place(self) -> int:
        """The position of the task column in the output."""
        n_out: int = self._n_out
        column = self.task_column
        if isinstance(column, str):
            return n_out
        place = int(column) if column >= 0 else n_out + 1 + int(column)
        if not 0 <= place <= n_out:
            raise ValueError(
                f"The task column cannot stay at task_column={self.task_column}: the transformer "
                f"gives {n_out} columns for {self.n_features_in_ - 1}. Use a data frame and the "
                f"column's name, or make it the first column (0) or the last (-1)."
            )
        return place

    def _check_same_names(self) -> None:
        """Raise if the columns of the tasks' transformers have different names."""
        fitted = list(self.transformers_.items())
        if self.transformers_ and self.transformer_ is not None:
            fitted.append(("all tasks", self.transformer_))
        names_in = [f"x{j}" for j in range(self.n_features_in_)]
        names_in = list(getattr(self, "feature_names_in_", names_in))
        del names_in[self._position]
        all_names = [self._names_from(inner, names_in) for _, inner in fitted]
        for (task, _), names in zip(fitted, all_names, strict=True):
            if names != all_names[0]:
                raise ValueError(
                    f"The transformer gives the columns {shorten(names)} for task {task!r}, but "
                    f"{shorten(all_names[0])} for task {fitted[0][0]!r}. {SAME_COLUMNS}"
                )

    def _names_from(self, inner: Any, names_in: list[str]) -> list[str]:
        """Return the names of the output columns of a fitted inner transformer."""
        try:
            return [str(name) for name in inner.get_feature_names_out(names_in)]
        except AttributeError:  # a pipeline has the method even if one of its steps does not
            pass
        if self._own_names is not None:
            return self._own_names
        return names_in if len(names_in) == self._n_out else [f"x{j}" for j in range(self._n_out)]

    def _join(self, values: Any, ids: NDArray[Any], X: Any) -> Any:
        """Insert the task column into the transformed features."""
        if not (is_frame(values) or sp.issparse(values)):
            values = np.asarray(values)
        if values.shape != (len(ids), self._n_out):
            raise ValueError(
                f"The transformer must return {self._n_out} columns, as in fit, for each of the "
                f"{len(ids)} rows, but returned the shape {values.shape}."
            )
        requested = getattr(self, "_sklearn_output_config", {}).get("transform")
        library = requested or get_config()["transform_output"]
        if library == "default":
            library = library_of(X) if is_frame(X) else ""
        if sp.issparse(values) or not library:
            return insert_task_column(values, ids, self._place)
        names = self.get_feature_names_out().tolist()
        return frame_with_tasks(library, values, names, ids, self._place, X, self._position)


def _split(X: Any, task_column: str | int, *, warn: bool) -> tuple[Any, NDArray[Any]]:
    """Split off the task ids; convert the features from objects to numbers if possible."""
    features, ids = split_task_column(X, task_column)
    if len(ids) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if features.shape[1] == 0:
        raise ValueError(
            f"Found array with 1 feature(s) (shape={X.shape}) while a minimum of 2 is required: "
            f"the task column and at least one feature to transform."
        )
    if isinstance(features, np.ndarray) and features.dtype == object:
        try:
            numbers = np.array(features.tolist())
        except ValueError:  # entries are sequences of different lengths
            numbers = features
        if numbers.dtype.kind in NUMERIC and numbers.shape == features.shape:
            features = numbers
    return features, read_ids(ids, warn=warn)


def _weights_of_task(weights: NDArray[Any], task: Any) -> NDArray[Any]:
    """The weights of a task's rows, of which some must be positive."""
    if not weights.any():
        raise ValueError(
            f"All rows of task {task!r} have weight 0: no transformer can be fitted to them. Leave "
            f"these rows out, or use per_task=False."
        )
    return weights


def _fit_clone(
    transformer: Any, features: Any, y: Any, weights: NDArray[Any] | None
) -> tuple[Any, Any]:
    """Return a fitted clone and its output on the training data."""
    inner = clone(transformer)
    labels = () if y is None else (y,)
    weighted = {} if weights is None else {"sample_weight": weights}
    if hasattr(inner, "fit_transform"):
        values = inner.fit_transform(features, *labels, **weighted)
    else:
        values = inner.fit(features, *labels, **weighted).transform(features)
    if len(getattr(values, "shape", ())) != 2 or values.shape[0] != features.shape[0]:
        raise ValueError(
            f"{type(inner).__name__} must return a 2-D array with one row for each of the "
            f"{features.shape[0]} rows, got the shape {getattr(values, 'shape', None)}."
        )
    return inner, values
