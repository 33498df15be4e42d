"""A funnel of stages, fitted over all rows."""

from dataclasses import replace
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._warnings import warn
from skmtl.design import TaskData, read_classification, read_scored
from skmtl.estimators import (
    Beside,
    Fit,
    MultiTaskClassifier,
    NonConvexEstimator,
    Report,
    StagedFit,
    Stages,
    TaskClassifier,
    absent,
    estimator,
    parameter,
    strength,
)
from skmtl.funnel._labels import as_binary, check_nested, mean_log_likelihood, separated
from skmtl.funnel._likelihood import EntireSpace, Likelihood, PseudoLabels, WithOffset
from skmtl.funnel._propensity import corrected_labels, inverse_weights, propensities
from skmtl.funnel._stages import Descent, FixedScale
from skmtl.losses import FunnelLoss, LogisticLoss, Loss, log_reached
from skmtl.objective import BaseObjective
from skmtl.penalties import L21, Penalty, TraceNorm
from skmtl.solvers import Progress

Array = NDArray[Any]


class _OneLayout:
    """The values of parameters that a funnel does not have."""

    loss: Any = "logistic"
    intercept: Any = "free"
    task_column: Any = None
    unknown_task: Any = "error"
    task_weight: Any = None
    prior_coef: Any = None


@estimator
class EntireSpaceClassifier(NonConvexEstimator, TaskClassifier, _OneLayout):
    r"""A funnel such as impression, click, purchase, fitted over all impressions.

    .. math::

        \min_{W, b} \; \tfrac{1}{S} \sum_i s_i \sum_k \ell(y_{ik}, q_{ik}) + \alpha \, \Omega(W) ,
        \qquad
        q_{ik} = \prod_{j \le k} \sigma(x_i w_j + b_j + o_{ij}) , \quad
        \ell(y, q) = -y \log q - (1 - y) \log(1 - q)

    where W (n_features, n_stages) has a column :math:`w_j` for each stage, :math:`y_{ik}` is 1 if
    row i has reached stage k, :math:`o_{ij}` are the offsets (zero without ``offset_column``),
    :math:`s_i` are the weights (zero where a label is missing) and S is the largest sum of the
    weights of a stage. Purchases are rare and seen only after a click. A
    model of the purchase given a click that is fitted to the rows with a click has few labels, and
    is applied to rows unlike these; here every impression has a label of the purchase. The penalty
    lets the stages share features or directions.

    Attributes
    ----------
    propensities_ : ndarray of shape (n_samples, n_stages)
        Only with ``propensity``: the estimated probability of reaching the stage before each, for
        the rows of ``fit`` that have a label; 1 for the first.

    See Also
    --------
    make_stage_scorer : Scores of one stage, for a grid search.
    HurdleRegressor : The last stage is an amount.
    skmtl.BlockSparseClassifier : Separate stages: NaN for rows that have not reached the stage.

    Notes
    -----
    The terms are the likelihoods of the labels of each stage alone (a composite likelihood, since
    the labels of a row are not independent). The likelihood of all stages together would be a
    product of one factor for each, the fit of stage k to the rows that have reached stage k - 1.

    The objective is not convex. The fit starts from these separate fits, with the same penalty, and
    takes penalised weighted least-squares steps that never increase it. With ``warm_start`` the
    separate fits start from the previous coefficients.

    The grids of alpha of ``alpha_max`` and ``AlphaSearchCV`` are those of the separate fits; the
    coefficients of the entire space may be zero only at a larger alpha.

    With ``propensity`` the stages are fitted separately, each to the rows that have reached the one
    before, and the conditional probability is corrected for the selection of these rows, as far as
    the features explain it. This problem is convex, except that the propensities are estimated
    first.

    A missing label (NaN) is left out of the sum: the purchase is not known yet. It is not taken as
    0, so that rows without a click need a 0 for the purchase.

    Where labels are missing (NaN), ``GridSearchCV`` and ``cross_val_score`` need
    ``cv=StratifiedTaskKFold()`` of :mod:`skmtl.model_selection`: given a number of folds,
    scikit-learn stratifies by y and raises "Input y contains NaN" before any fit.

    References
    ----------
    X. Ma, L. Zhao, G. Huang, Z. Wang, Z. Hu, X. Zhu and K. Gai, "Entire space multi-task model: an
    effective approach for estimating post-click conversion rate", SIGIR 2018,
    https://doi.org/10.1145/3209978.3210104

    W. Zhang, W. Bao, X.-Y. Liu, K. Yang, Q. Lin, H. Wen and R. Ramezani, "Large-scale causal
    approaches to debiasing post-click conversion rate estimation with multi-task learning", WWW
    2020 (inverse propensities and the doubly robust loss), https://doi.org/10.1145/3366423.3380037

    Examples
    --------
    >>> from skmtl.datasets import make_funnel
    >>> from skmtl.funnel import EntireSpaceClassifier
    >>> dataset = make_funnel(2000, random_state=0)
    >>> model = EntireSpaceClassifier(alpha=0.002).fit(dataset.data, dataset.target)
    >>> joint = model.predict_proba(dataset.data)
    >>> bool((joint[:, 1] <= joint[:, 0]).all())
    True
    """

    alpha: float = strength(
        0.01,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the penalty, >= 0.",
    )
    penalty: Any = parameter(
        "block",
        [StrOptions({"block", "trace", "none"}), Penalty],
        '{"block", "trace", "none"} or Penalty',
        """
        "block": the L2,1 norm, so that the stages use the same features. "trace": the trace norm,
        so that they use the same directions. "none": no penalty. Or any penalty of
        :mod:`skmtl.penalties`, which ``alpha`` multiplies; a superposition only with
        ``propensity="inverse"``.
        """,
    )
    propensity: str | None = parameter(
        None,
        [StrOptions({"inverse", "doubly_robust"}), None],
        '{"inverse", "doubly_robust"} or None',
        """
        None: the entire space, as above. "inverse": the stages separately, where each row counts
        with the inverse of its probability of reaching the stage before; these weights are clipped
        and add up to the number of rows. "doubly_robust": also rows that have not reached the
        stage before, with the labels that the separate fits predict, corrected by the weighted
        errors of the others.
        """,
    )
    least_propensity: float = parameter(
        0.01,
        [Interval(Real, 0, 1, closed="right")],
        "float",
        "With ``propensity``: smaller probabilities are raised to this one, in (0, 1].",
    )
    loss: Any = absent()
    intercept: Any = absent()
    task_column: Any = absent()
    unknown_task: Any = absent()
    task_weight: Any = absent()
    offset_column: Any = parameter(
        None,
        text="""
        Columns of X, by name or position, that are no features but are added to the linear
        predictors, in ``fit`` and in ``predict``: one column for all stages, or a list of one for
        each stage. They are known parts of the log-odds of a stage given the one before, such as
        the log-odds that another model predicts; the column of a stage without one holds zeros.
        They are not penalised. Keep them out of scaling and other transformations of the features.
        """,
        group="data",
    )
    prior_coef: Any = absent()

    _separation_remedy = "Increase alpha"

    def _own_loss(self) -> Loss:
        return FunnelLoss()

    _not_in_batches = "its objective is not convex. Use fit"

    def _read(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        self._check_penalty()
        check_nested(y, sample_weight)
        data, self.classes_ = read_classification(self, X, y, sample_weight)
        if data.layout == "classes" and data.n_tasks > 1:
            raise ValueError(
                f"Only binary classification is supported. A 1-D y is a single stage with two "
                f"classes, got {len(self.classes_)} classes. Pass a matrix with a column of 0 and "
                f"1 for each stage."
            )
        return data

    def _check_penalty(self) -> None:
        """Raise if the steps cannot handle the penalty."""
        if isinstance(self.penalty, str) or self.propensity == "inverse":
            return
        if any(part.n_superposed > 1 for part in self.penalty.summands):
            raise ValueError(
                f"penalty must not be a superposition unless propensity='inverse', got "
                f"{self.penalty!r}. Use a single norm or a sum, such as L1() + L21()."
            )

    def _warn_of_data(self, data: TaskData) -> None:
        left_out = ~self._learnable(data) & (data.label_counts > 0)
        if left_out.any():
            warn(
                f"In the stages {data.tasks[left_out].tolist()} all rows that reached the stage "
                f"before have the same label, or there is no such row: these stages have no finite "
                f"estimate, and a constant is fitted instead. Merge or drop them, or collect more "
                f"rows."
            )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        penalty: Penalty | None = self._separate_model(1.0)._get_penalty(data)
        return penalty

    def _separate_model(self, total: float) -> Any:
        """An estimator of each stage alone, for losses divided by ``total``."""
        known: dict[str, Penalty] = {"block": L21(), "trace": TraceNorm()}
        none = isinstance(self.penalty, str) and self.penalty == "none"
        penalty = known.get(self.penalty) if isinstance(self.penalty, str) else self.penalty
        names = ("fit_intercept", "max_iter", "tol", "solver", "verbose")
        model: Any = MultiTaskClassifier(
            alpha=0.0 if none else self.alpha,
            penalty=penalty,
            **{name: getattr(self, name) for name in names},
        )
        model.max_stages = self.max_stages
        model._beside = Beside(LogisticLoss(), FixedScale(total))
        return model

    def _learnable(self, data: TaskData) -> Array:
        learnable: Array = self._separate_model(1.0)._learnable(separated(data))
        return learnable

    def _objective(self, data: TaskData) -> BaseObjective:
        """The objective of the separate stages, from which grids of alpha are computed."""
        model = self._separate_model(_total(data))
        objective: BaseObjective = model._objective(separated(data))
        return objective

    def _fit_data(
        self,
        data: TaskData,
        start: Fit | None = None,
        prepared: BaseObjective | None = None,
        report: Report | None = None,
    ) -> Fit:
        total = _total(data)
        model = self._separate_model(total)
        separate = model._fit_data(separated(data), start)
        if not separate.learned.any():
            return StagedFit(**vars(separate))
        scale = max(_null_value(data.select(separate.learned), total), np.finfo(float).tiny)
        if self.propensity is not None:
            self.propensities_ = propensities(data, separate, self.least_propensity)
        if self.propensity == "inverse":
            weights = inverse_weights(data, self.propensities_, data.totals)
            fit = model._fit_data(replace(data, weights=weights), separate)
            return StagedFit(
                **{**vars(fit), "n_iter": separate.n_iter + fit.n_iter},
                objectives=(fit.objective,),
                stationarity=fit.dual_gap / scale,
            )
        return self._descend(data, separate, model, scale, total, report)

    def _descend(
        self,
        data: TaskData,
        separate: Fit,
        model: Any,
        scale: float,
        total: float,
        report: Report | None,
    ) -> Fit:
        """A stationary point, from the separate fits."""
        learned = separate.learned
        part = data.select(learned)
        likelihood: Likelihood = EntireSpace(part.y, part.weights / total)
        if self.propensity is not None:
            labels, weights = corrected_labels(data, separate, self.propensities_)
            likelihood = PseudoLabels(labels[:, learned], weights[:, learned] / total)
        if part.offset is not None:
            likelihood = WithOffset(likelihood, part.offset)
        penalty = model._get_penalty(part)
        descent = Descent(model, part, likelihood, penalty)
        tol = max(self.tol, 1e-12 if part.X.dtype == np.float64 else 1e-6)

        def fit_after(stages: Stages) -> Fit:
            return _fit_after(separate, stages)

        def reported(stages: Stages) -> bool:
            point, value, ended = stages.point, stages.objectives[-1], stages.stationarity <= tol
            spent = stages.n_iter >= self.max_iter
            now = Progress(point, value, np.nan, point, stages.n_iter, spent, ended, tol * scale)
            return report is not None and report(now, lambda: fit_after(stages))

        start = separate.coef[learned], separate.intercept[learned]
        stages = descent.run(*start, scale, tol, None if report is None else reported)
        if stages.is_separated:
            warn(
                "The objective seems to have no minimum: log-odds exceed 500. With doubly robust "
                "labels, few rows with small propensities can cause this. Increase alpha or "
                "least_propensity, or scale the features (StandardScaler)."
            )
        elif stages.stationarity > tol and not stages.stopped:
            warn(
                f"Stopped after {len(stages.objectives) - 1} stages with stationarity "
                f"{stages.stationarity:.3g}; the tolerance is {tol:.3g}. Increase max_stages, "
                f"max_iter, alpha or tol, or scale the features (StandardScaler).",
                ConvergenceWarning,
            )
        return fit_after(stages)

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        self.dual_gap_ = fit.dual_gap  # the inverse propensities give a convex problem
        if self.propensity is None:
            self.__dict__.pop("propensities_", None)
        return self

    def decision_function(self, X: Any) -> Array:
        """The log-odds of reaching each stage.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray of shape (n_samples, n_stages), or (n_samples,) for a 1-D y
        """
        reached, missed = log_reached(np.asarray(self._predictor(X), dtype=np.float64))
        odds = np.asarray(reached - missed)
        return odds if self._layout == "shared" else np.asarray(odds[:, 0])

    def predict_conditional_proba(self, X: Any) -> Array:
        """The probability of each stage given the one before.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray of shape (n_samples, n_stages)
        """
        conditional: Array = expit(self._predictor(X))
        return conditional

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The mean over rows of the log-likelihood of their labels, one stage at a time.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.
        y : array-like of shape (n_samples, n_stages), or (n_samples,)
            NaN where a label is missing.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_stages), optional

        Returns
        -------
        float
        """
        z = self._predictor(X)
        if self._layout == "shared":
            y, sample_weight = read_scored(self, y, sample_weight)
        else:
            y = as_binary(y, self.classes_)
        return mean_log_likelihood(z, y, sample_weight)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = False
        return tags


def _fit_after(separate: Fit, stages: Stages) -> StagedFit:
    """The fit after some stages, with the constants of stages that are not learned."""
    coef, intercept, learned = separate.coef.copy(), separate.intercept.copy(), separate.learned
    coef[learned], intercept[learned] = stages.point.W.T, stages.point.b
    return StagedFit(
        coef=coef,
        intercept=intercept,
        objective=stages.objectives[-1],
        dual_gap=np.nan,
        n_iter=separate.n_iter + stages.n_iter,
        learned=learned,
        objectives=tuple(stages.objectives),
        stationarity=stages.stationarity,
    )


def _total(data: TaskData) -> float:
    """The number of rows, as the largest sum of the weights of a stage."""
    return float(data.totals.max())


def _null_value(data: TaskData, total: float) -> float:
    """The objective of the entire space with zero coefficients and each stage's own rate.

    With offsets, the intercepts are those of rows whose offset is the mean.
    """
    own = separated(data)
    rates = own.per_task(own.weights * (own.y > 0)) / np.maximum(own.totals, 1e-300)
    rates = np.clip(rates, 1e-12, 1 - 1e-12)
    Z = np.tile(np.log(rates / (1 - rates)), (len(data.y), 1))
    if data.offset is not None:
        means = own.per_task(own.weights * data.offset) / np.maximum(own.totals, 1e-300)
        Z += data.offset - means
    return EntireSpace(data.y, data.weights / total).value(Z)
