"""Remove from features what is linearly predictive of a nuisance."""

from numbers import Number
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import Tags, check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skmtl._site import DocumentedEstimator
from skmtl._warnings import warn
from skmtl.design import (
    UNKNOWN,
    check_columns,
    encode_tasks,
    from_arrow,
    is_frame,
    locate_columns,
    locate_task_column,
    look_up_tasks,
    read_ids,
    read_weights,
    refuse_mask,
    rows_by_task,
    select_features,
    split_task_column,
    values_of,
    without_columns,
)
from skmtl.preprocessing._containers import (
    frame_with_tasks,
    insert_task_column,
    library_of,
    shorten,
)
from skmtl.preprocessing._erasure_map import Erasure

Array = NDArray[Any]


def _is_category(X: Any, position: int) -> bool:
    """Whether a column is categorical, or holds anything but numbers."""
    if hasattr(X, "iloc") and X.dtypes.iloc[position].name == "category":
        return True  # of numbers, perhaps
    values = values_of(X, position)
    if values.dtype.kind != "O":
        return values.dtype.kind not in "iuf"
    # An array with ids that are strings has objects in all columns.
    return not all(isinstance(v, Number) and not isinstance(v, bool) for v in values.tolist())


class NuisanceEraser(TransformerMixin, DocumentedEstimator):
    r"""Remove from the features everything that predicts a nuisance linearly.

    With features x, nuisances z (a site, a batch, an instrument; categories are one-hot encoded)
    and their covariances :math:`\Sigma_{xx}` and :math:`\Sigma_{xz}`, the transform is

    .. math::

        r(x) = x - \Sigma_{xx}^{1/2} P \, \Sigma_{xx}^{-1/2} (x - \bar x) , \qquad
        P \text{ the projection onto the columns of } \Sigma_{xx}^{-1/2} \Sigma_{xz} ,

    with the pseudo-inverse if :math:`\Sigma_{xx}` is singular. Among all affine maps with
    :math:`\operatorname{Cov}(r(x), z) = 0` it minimises the mean squared distortion
    :math:`\operatorname{E} \lVert r(x) - x \rVert^2`, in every norm that comes from an inner
    product (least-squares concept erasure). It is the linear, closed-form counterpart of training a
    network against an adversary that predicts the nuisance.

    Parameters
    ----------
    nuisance : list of str or int
        The columns of X that hold the nuisances, by name or position. They are dropped. Strings,
        categoricals and booleans are categories, for which a missing value is a category too;
        other columns are numbers, also those of objects that are all numbers.
    categorical : "auto" or list of str or int, default="auto"
        The nuisances that are categories. A list replaces the rule by type, for example for sites
        that are numbered.
    per_task : bool, default=False
        Whether to remove the covariance within each task, by a transform for each. If False, it
        is removed over all rows, and may remain within tasks.
    task_column : str, int or None, default=None
        The task column of X, by name or position; it is not a feature and stays unchanged.
        Required with ``per_task=True``.
    unknown_task : {"error", "mean"}, default="error"
        With ``per_task=True``, how ``transform`` treats tasks that were not seen in ``fit``: raise
        an error, or use the transform fitted on all rows.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        The features' mean.
    weights_, loadings_ : ndarrays of shapes (n_features, rank) and (rank, n_features)
        The transform is ``X - ((X - mean_) @ weights_) @ loadings_``. The rank is that of the
        covariance between features and nuisances.
    tasks_ : ndarray of shape (n_tasks,)
        With ``per_task=True``, the tasks seen in ``fit``; the three attributes above are then those
        of all rows.
    n_features_in_ : int
        Number of columns of X, nuisances and task column included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Raises
    ------
    ValueError
        In ``fit``, if X lacks a column, a numeric nuisance is missing (NaN) or infinite, or
        ``per_task=True`` without a task column.

    See Also
    --------
    skmtl.auxiliary.AuxiliaryTaskRegressor : Columns that the features should predict.

    Notes
    -----
    **What is guaranteed.** On the rows of ``fit``, weighted by ``sample_weight``, the result and
    the nuisances have zero covariance, so that no affine predictor of a nuisance has a smaller
    squared error than a constant. This holds up to rounding. It does not hold within each task
    unless ``per_task=True``, nor exactly for other rows, and a nonlinear predictor may still find
    the nuisance. With as many independent nuisances as features, or more, nothing but the mean
    remains, with a warning.

    The cost is that of a singular value decomposition of X. The result is dense.

    References
    ----------
    N. Belrose, D. Schneider-Joseph, S. Ravfogel, R. Cotterell, E. Raff and S. Biderman, "LEACE:
    perfect linear concept erasure in closed form", NeurIPS 2023,
    https://doi.org/10.48550/arXiv.2306.03819

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.preprocessing import NuisanceEraser
    >>> rng = np.random.default_rng(0)
    >>> site = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 3)) + np.outer(site, [2.0, 0.0, 1.0])
    >>> eraser = NuisanceEraser(nuisance=[-1])
    >>> erased = eraser.fit_transform(np.column_stack([X, site]))
    >>> erased.shape
    (200, 3)
    >>> bool(np.abs(np.cov(erased.T, site)[:3, 3]).max() < 1e-12)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "nuisance": ["array-like"],
        "categorical": [StrOptions({"auto"}), "array-like"],
        "per_task": ["boolean"],
        "task_column": [str, int, np.integer, None],
        "unknown_task": [StrOptions({"error", "mean"})],
    }

    def __init__(
        self,
        nuisance: Any,
        *,
        categorical: Any = "auto",
        per_task: bool = False,
        task_column: str | int | None = None,
        unknown_task: str = "error",
    ) -> None:
        self.nuisance = nuisance
        self.categorical = categorical
        self.per_task = per_task
        self.task_column = task_column
        self.unknown_task = unknown_task

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find what predicts the nuisances.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_columns)
            Features, nuisances and perhaps the task column.
        y : object, default=None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; zero leaves the row out.

        Returns
        -------
        self
        """
        self._validate_params()
        if self.per_task and self.task_column is None:
            raise ValueError(
                "per_task=True needs the tasks, got task_column=None. Set task_column to the name "
                "or position of their column."
            )
        X = self._read_columns(X)
        features, ids = self._split(without_columns(X, self._columns), self._place)
        weights = read_weights(sample_weight, (features.shape[0],))
        used = np.flatnonzero(weights > 0)
        if len(used) == 0:
            raise ValueError(
                "All sample weights are zero: no row is left. Give some rows a positive weight."
            )
        Z = self._read_nuisances(X)
        features, Z, weights = features[used], Z[used], weights[used]
        pooled = Erasure.of(features.astype(np.float64), Z, weights)
        self.mean_, self.weights_, self.loadings_ = pooled.mean, pooled.weights, pooled.loadings
        self._pooled, self._erasures = pooled, []
        if self.per_task:
            assert ids is not None
            self.tasks_, codes = encode_tasks(ids[used])
            self._erasures = [
                Erasure.of(features[rows].astype(np.float64), Z[rows], weights[rows])
                for _, rows in rows_by_task(codes)
            ]
        self._warn_of_nothing_left()
        return self

    def _warn_of_nothing_left(self) -> None:
        """Warn if all information in the features is removed."""
        whose = ""
        if self.per_task:
            emptied = self.tasks_[[erasure.empties for erasure in self._erasures]].tolist()
            whose = f" of the tasks {shorten(emptied)}"
        if emptied if self.per_task else self._pooled.empties:
            warn(
                f"Nothing but the mean remains of the features{whose}: the nuisances "
                f"{self._columns.names} have at least as many dimensions. Remove some, merge rare "
                f"categories, or take a categorical nuisance as a number."
            )

    def transform(self, X: Any) -> Any:
        """Remove the nuisances' part from the features.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit. The nuisance columns may hold anything, such as NaN; a data frame may lack
            them.

        Returns
        -------
        X_out : ndarray or data frame of shape (n_samples, n_columns - n_nuisances)
            The features and, if there is one, the task column. A data frame only if X is one and
            has a task column, or as set by ``set_output``.
        """
        check_is_fitted(self)
        rest = select_features(self, X, self._columns)
        features, ids = self._split(rest, self._place)
        if not self.per_task:
            return self._join(self._pooled(features), ids, rest)
        assert ids is not None
        codes = look_up_tasks(self.tasks_, ids)
        unknown = np.unique(ids[codes == UNKNOWN]).tolist()
        if unknown and self.unknown_task == "error":
            raise ValueError(
                f"Tasks {shorten(unknown)} were not seen in fit, which saw "
                f"{shorten(self.tasks_.tolist())}. Set unknown_task='mean' to use the transform "
                f"of all rows, or leave those rows out."
            )
        erased = np.empty_like(features)
        fitted = [*self._erasures, self._pooled]  # the code of unknown tasks is -1
        for code, rows in rows_by_task(codes):
            erased[rows] = fitted[code](features[rows])
        return self._join(erased, ids, rest)

    def _read_columns(self, X: Any) -> Any:
        """Locate the columns; returns X with columns that can be selected."""
        X = from_arrow(X)
        refuse_mask(X, "X", "Fill them: X.filled(numpy.nan), then impute.")
        if not hasattr(X, "shape"):
            X = np.asarray(X)
        if np.iscomplexobj(X):
            raise ValueError("Complex data not supported: X must be real.")
        if len(X.shape) != 2:
            check_array(X, dtype=None)  # raises
        check_columns(self, X, reset=True)
        self._columns = locate_columns(X, list(self.nuisance), self.task_column, "nuisance")
        self._place = None
        if self.task_column is not None:
            own = locate_task_column(X, self.task_column)
            self._place = self._columns.others().index(own)
        return X

    def _split(self, rest: Any, place: int | None) -> tuple[Array, Array | None]:
        """Validated features and task ids, from X without the nuisances."""
        ids = None
        if place is not None:
            rest, ids = split_task_column(rest, place)
            ids = read_ids(ids, warn=False)
        features = check_array(
            rest, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], estimator=self
        )
        return features.toarray() if sp.issparse(features) else features, ids

    def _read_nuisances(self, X: Any) -> Any:
        """The nuisances as numbers (n_samples, n_nuisances), sparse if there are categories."""
        positions = self._columns.positions
        categories = [j for j in positions if j in self._categories(X)]
        numeric = self._columns.pick([j for j in positions if j not in categories])
        Z = numeric.numbers(X)
        missing = np.isnan(Z).sum(axis=0).tolist()
        wrong = [name for name, count in zip(numeric.names, missing, strict=True) if count]
        if wrong:
            raise ValueError(
                f"The nuisance columns {wrong} contain NaN. Impute them, or leave the rows out."
            )
        if not categories:
            return Z
        coded = [OneHotEncoder().fit_transform(values_of(X, j)[:, None]) for j in categories]
        return sp.hstack([sp.csr_matrix(Z), *coded], format="csr")

    def _categories(self, X: Any) -> set[int]:
        """The positions of the nuisances that are categories."""
        positions = self._columns.positions
        if isinstance(self.categorical, str):
            return {j for j in positions if _is_category(X, j)}
        given = list(self.categorical)
        chosen = set(locate_columns(X, given, self.task_column, "categorical").positions)
        if not chosen <= set(positions):
            raise ValueError(
                f"categorical must name columns of 'nuisance', {list(self.nuisance)}; got "
                f"{given}. Remove the others, or add them to 'nuisance'."
            )
        return chosen

    def _join(self, features: Array, ids: Array | None, rest: Any) -> Any:
        """The features, with the task column where it was in X without the nuisances."""
        if ids is None:
            return features
        place = self._place
        assert place is not None
        if not is_frame(rest):
            return insert_task_column(features, ids, place)
        names = [str(name) for name in self.get_feature_names_out()]
        return frame_with_tasks(library_of(rest), features, names, ids, place, rest, place)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """The names of the columns that are kept.

        Parameters
        ----------
        input_features : array-like of str of shape (`n_features_in_`,), default=None
            Names of the columns of X, if none were seen in ``fit``.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self)
        names = np.asarray(_check_feature_names_in(self, input_features), dtype=object)
        kept: NDArray[Any] = names[self._columns.others()]
        return kept

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
