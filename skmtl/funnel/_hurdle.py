"""Amounts that are often zero: whether, and how much, as two tasks."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from skmtl._site import DocumentedEstimator
from skmtl._warnings import gather_warnings, warn
from skmtl.design import listed_offsets, read_columns, read_weights, spread_offset
from skmtl.estimators import MultiTaskRegressor
from skmtl.penalties import L21, Penalty, TraceNorm

Array = NDArray[Any]

_PENALTIES: dict[str, Penalty] = {"block": L21(), "trace": TraceNorm()}


class HurdleRegressor(RegressorMixin, DocumentedEstimator):
    r"""An amount that may be zero: the probability that it is not, and how much it is then.

    .. math::

        \min_{W, b} \; \tfrac{1}{S} \sum_i s_i \log(1 + e^{-h_i (x_i w_1 + b_1 + o_{i1})})
        + \tfrac{1}{2 S_+ \tau^2} \sum_{i: y_i > 0} s_i (\log y_i - x_i w_2 - b_2 - o_{i2})^2
        + \alpha \, \Omega(W D)

    where :math:`h_i` is 1 if :math:`y_i > 0` and -1 otherwise, :math:`o_i` are the offsets (zero
    without ``offset_column``), :math:`\tau` is the standard deviation of the logarithms of the
    positive amounts, less their offset, S and :math:`S_+` are the sums of the weights of all and of
    positive amounts, and D = diag(1, :math:`1 / \tau`). The penalty lets the two parts share
    features or directions. The prediction is :math:`\hat p(x) \, \exp(x w_2 + b_2 + o_2) \, r`,
    where r corrects for the logarithm.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty, >= 0.
    penalty : {"block", "trace", "none"} or Penalty, default="block"
        "block": the L2,1 norm, so that both parts use the same features. "trace": the trace norm.
        "none": no penalty. Or any penalty of :mod:`skmtl.penalties`; with ``L1()`` or ``Ridge()``
        the two parts are separate.
    correction : {"smearing", "lognormal"}, default="smearing"
        The factor r. "smearing": the mean of :math:`e^{\text{residual}}` over the rows of ``fit``
        with a positive amount. "lognormal": :math:`e^{\hat\sigma^2 / 2}`, exact if the residuals
        are normal.
    fit_intercept : bool, default=True
    offset_column : str, int, list or None, default=None
        A list of two columns of X, by name or position, that are no features but are added to the
        log-odds that the amount is not zero and to the expected logarithm of the amount, in ``fit``
        and in ``predict``: the logarithm of the exposure for the latter, for example, and a column
        of zeros for the former. A single column is added to both. They are not penalised.
    max_iter : int, default=10000
    tol : float, default=1e-4
        The fit stops when its duality gap is at most ``tol`` times the objective with zero
        coefficients.

    Attributes
    ----------
    coef_ : ndarray of shape (2, n_features)
        Of the log-odds that the amount is not zero, and of the logarithm of the amount.
    intercept_ : ndarray of shape (2,)
    correction_ : float
        r.
    objective_, dual_gap_ : float
        The objective, and an upper bound on its suboptimality.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Raises
    ------
    ValueError
        In ``fit``, if an amount is negative, or none is positive.

    See Also
    --------
    EntireSpaceClassifier : All stages are events.

    References
    ----------
    J. Mullahy, "Specification and testing of some modified count data models", Journal of
    Econometrics 33(3), 1986 (hurdle models), https://doi.org/10.1016/0304-4076(86)90002-3

    N. Duan, "Smearing estimate: a nonparametric retransformation method", Journal of the American
    Statistical Association 78(383), 1983, https://doi.org/10.1080/01621459.1983.10478017

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.funnel import HurdleRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 5))
    >>> amount = np.exp(X[:, 0] + 0.5 * rng.normal(size=400))
    >>> y = np.where(X[:, 0] + rng.normal(size=400) > 0, amount, 0.0)
    >>> model = HurdleRegressor(alpha=0.1).fit(X, y)
    >>> bool((model.predict(X) <= model.predict_conditional(X)).all())
    True
    >>> (model.coef_ != 0).astype(int)
    array([[1, 0, 0, 0, 0],
           [1, 0, 0, 0, 0]])
    """

    # X has no task column.
    task_column = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty": [StrOptions({"block", "trace", "none"}), Penalty],
        "correction": [StrOptions({"smearing", "lognormal"})],
        "fit_intercept": ["boolean"],
        "offset_column": [str, Integral, list, tuple, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        penalty: Any = "block",
        correction: str = "smearing",
        fit_intercept: bool = True,
        offset_column: Any = None,
        max_iter: int = 10_000,
        tol: float = 1e-4,
    ) -> None:
        self.alpha = alpha
        self.penalty = penalty
        self.correction = correction
        self.fit_intercept = fit_intercept
        self.offset_column = offset_column
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit both parts together.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Amounts >= 0.
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; zero leaves the row out.

        Returns
        -------
        self
        """
        self._validate_params()
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        amounts = column_or_1d(
            check_array(y, ensure_2d=False, input_name="y", dtype=np.float64), warn=True
        )
        weights = read_weights(sample_weight, amounts.shape)
        X = self._columns(X, reset=True)
        check_consistent_length(X, amounts)
        self._check_amounts(amounts[weights > 0])
        positive = amounts > 0
        logs = np.full(len(amounts), np.nan)
        np.log(amounts, out=logs, where=positive)
        self._model = self._two_tasks()
        labels = np.column_stack([positive, logs])
        if positive[weights > 0].all():
            self._fit_certain(X, labels, weights)
        else:
            self._model.fit(X, labels, sample_weight=weights)
        for name in ("coef_", "intercept_", "objective_", "dual_gap_", "n_iter_"):
            setattr(self, name, getattr(self._model, name))
        self.correction_ = self._factor(X, logs, weights * positive)
        return self

    @staticmethod
    def _check_amounts(amounts: Array) -> None:
        if not len(amounts):
            raise ValueError(
                "All sample weights are zero: there is no amount to fit. Give some rows a positive "
                "weight."
            )
        if (amounts < 0).any():
            raise ValueError(
                f"y must hold amounts >= 0, got {amounts.min():.4g}. Fit negative amounts by "
                f"another regressor, or set them to 0."
            )
        if not (amounts > 0).any():
            raise ValueError(
                "y must hold a positive amount, but all are 0: there is nothing to learn about "
                "how much it is. Collect rows with a positive amount."
            )

    def _two_tasks(self) -> Any:
        """The estimator of both parts."""
        given = self.penalty
        none = isinstance(given, str) and given == "none"
        params: dict[str, Any] = {
            "alpha": 0.0 if none else self.alpha,
            "penalty": _PENALTIES.get(given) if isinstance(given, str) else given,
            "loss": {0: "logistic", 1: "squared"},
            "task_weight": "balanced",
            "scale_tasks": True,
            "fit_intercept": self.fit_intercept,
            "offset_column": [-2, -1] if listed_offsets(self) else None,
            "max_iter": self.max_iter,
            "tol": self.tol,
        }
        return MultiTaskRegressor(**params)

    def _columns(self, X: Any, *, reset: bool) -> Any:
        """The columns for the estimator of both parts: the features, and last the two offsets."""
        features, _, _, offset = read_columns(self, X, reset=reset)
        if offset is None:
            return features
        columns = spread_offset(offset, np.array(["not zero", "amount"]))
        if sp.issparse(features):
            return sp.hstack([features, columns.astype(features.dtype)], format="csr")
        return np.column_stack([features, columns.astype(features.dtype)])

    def _fit_certain(self, X: Any, labels: Array, weights: Array) -> None:
        """Fit amounts that are never zero: their probability is 1."""
        with gather_warnings() as gathered:
            self._model.fit(X, labels, sample_weight=weights)
        for message, category in gathered:
            # Others are about labels that the user does not know.
            if issubclass(category, ConvergenceWarning):
                warn(message, category)
        self._model.intercept_[0] = np.inf
        warn(
            "No amount in y is 0: the probability of a positive amount is taken as 1. Use a "
            "regressor of log(y) instead, or check that rows with amount 0 have not been left out."
        )

    def _factor(self, X: Any, logs: Array, weights: Array) -> float:
        """The correction r, from the residuals of the positive amounts."""
        used = weights > 0
        residuals = logs[used] - np.asarray(self._model.predict(X), dtype=np.float64)[used, 1]
        if self.correction == "smearing":
            return float(np.average(np.exp(residuals), weights=weights[used]))
        return float(np.exp(np.average(residuals**2, weights=weights[used]) / 2))

    def _parts(self, X: Any) -> tuple[Array, Array]:
        """The probability that the amount is not zero, and the expected logarithm if it is not."""
        check_is_fitted(self)
        X = self._columns(X, reset=False)
        both = np.asarray(self._model.predict(X), dtype=np.float64)
        return both[:, 0], both[:, 1]

    def predict(self, X: Any) -> Array:
        """Predict the mean amount, zeros included.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        p, logs = self._parts(X)
        with np.errstate(divide="ignore"):
            # Far from the data p may be 0, and the amount infinite.
            amounts: Array = np.exp(np.log(p) + logs) * self.correction_
        return amounts

    def predict_positive_proba(self, X: Any) -> Array:
        """The probability that the amount is not zero.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._parts(X)[0]

    def predict_conditional(self, X: Any) -> Array:
        """The mean amount of rows whose amount is not zero.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        _, logs = self._parts(X)
        amounts: Array = np.exp(logs) * self.correction_
        return amounts

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags
