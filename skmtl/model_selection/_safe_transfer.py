"""Mixtures of a shared fit and each task's separate fit: unrelated tasks lose little."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skmtl.design import TaskData, task_factors
from skmtl.estimators import (
    Fit,
    FitTask,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    absent,
    estimator,
    follow,
    linear_predictor,
    parameter,
    strength,
)
from skmtl.model_selection._alpha import check_estimator
from skmtl.model_selection._cv_folds import make_folds
from skmtl.model_selection._cv_search import CV_TEXTS, read_unbalanced
from skmtl.model_selection._safe_experts import Expert, Training
from skmtl.model_selection._safe_gate import cross_fitted_gains, shared_alone
from skmtl.model_selection._safe_weights import HeldOutLabels, simplex_weights
from skmtl.model_selection._same_params import accepts, overrides
from skmtl.model_selection._structures import STRUCTURES

Array = NDArray[Any]


@estimator
class _SafeTransfer(TaskEstimator):
    r"""A mixture of three fits for each task, whose weights are chosen on held-out labels.

    .. math::

        w_t = v_{t1} w_t^{separate} + v_{t2} w_t^{shared} + v_{t3} w_t^{trimmed} ,
        \qquad v_t \ge 0 , \; \sum_e v_{te} = 1 ,

    and the same for the intercepts. The separate fit is that of
    :class:`~skmtl.IndependentTaskRegressor` or its classifier with one ``alpha`` for all tasks. The
    shared fit is ``estimator``, fitted to all tasks. The trimmed fit is ``estimator`` again, fitted
    to those tasks alone whose held-out labels the shared fit predicts better than the separate fit;
    in the other tasks it is the separate fit. Each fit selects its ``alpha`` by cross-validation.

    A task for which the mixture does not lower the loss of held-out labels reliably keeps its
    separate fit: :math:`v_t = (1, 0, 0)`.

    Attributes
    ----------
    weights_ : ndarray of shape (n_tasks, 3)
        The weights of the separate, the shared and the trimmed fit.
    pool_ : ndarray of shape (n_tasks,)
        Mask of the tasks to which the trimmed fit was fitted. If they are all tasks the weight of
        the trimmed fit is zero, as it is the shared fit; if they are fewer than two, there is none.
    gains_, gain_errors_ : ndarrays of shape (n_tasks,)
        The mean loss of held-out labels with the separate fit minus that with the mixture, as a
        fraction of the former, and its standard error; the weights were computed without the
        label's fold. If test sets overlap, as in repeated cross-validation, each label counts once:
        the linear predictors of the fits without it are averaged, and its fold is the first.
    shared_gains_, shared_gain_errors_ : ndarrays of shape (n_tasks,)
        The same for the shared fit alone.
    alphas_ : ndarray of shape (3,)
        The selected strengths; NaN if there is no trimmed fit.
    expert_coefs_ : ndarray of shape (3, n_tasks, n_features)
        The coefficients of the three component fits.
    expert_intercepts_ : ndarray of shape (3, n_tasks)
        Their intercepts.
    objective_ : float
        The loss F of the training labels, without a penalty; the mixture minimises no objective.
    dual_gap_ : float
        NaN, since there is no objective.
    n_iter_ : int
        The iterations of the three fits to all rows.

    Notes
    -----
    The weights of a task minimise the loss of its held-out labels, predicted by fits without their
    fold, over the simplex (stacking). This problem is convex; it is solved exactly for the squared
    loss and up to a Frank-Wolfe gap of 1e-8 of the separate fit's loss otherwise. The gain of the
    mixture is measured on labels that neither the fits nor the weights have seen.

    A task takes its mixture if its gain exceeds ``gate`` standard errors. With few labels this test
    has little power, even if all tasks gain the same. A task therefore also takes its mixture if
    its gain given those of all tasks exceeds ``gate`` posterior standard deviations, unless the
    task's own labels show a loss of more than half a standard error. The model is normal: gains
    vary between tasks with unknown mean and spread, over which it integrates with flat priors, and
    the variance of each estimate is averaged with that of all tasks, which counts as 40 labels.

    The folds also select ``alpha``, and the tasks of the trimmed fit are chosen on all held-out
    labels, so that the gains are slightly optimistic. ``python -m benchmarks.safe_transfer``
    measures what unrelated tasks lose and related tasks keep.

    References
    ----------
    L. Breiman, "Stacked regressions", Machine Learning 24, 1996,
    https://doi.org/10.1007/BF00117832

    M. J. van der Laan, E. C. Polley and A. E. Hubbard, "Super learner", Statistical Applications in
    Genetics and Molecular Biology 6(1), 2007, https://doi.org/10.2202/1544-6115.1309

    C. N. Morris, "Parametric empirical Bayes inference: theory and applications", Journal of the
    American Statistical Association 78(381), 1983 (gains given those of all tasks),
    https://doi.org/10.1080/01621459.1983.10477920

    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
    microarray experiments", Statistical Applications in Genetics and Molecular Biology 3(1), 2004
    (averaged variances), https://doi.org/10.2202/1544-6115.1027
    """

    estimator: Any = strength(
        "clustered",
        [StrOptions(set(STRUCTURES)), HasMethods(["fit"])],
        "str or estimator of skmtl",
        """
        What the tasks share: an estimator with a parameter ``alpha``, whose own value is not used,
        or the name of a structure: "independent", "pooled", "graph", "block_sparse", "low_rank",
        "relation", "clustered", "fused", "dirty", "robust", "sparse_low_rank", "tree", "capped",
        "sparse_relation" or "group_overlap". A named structure also selects its other parameters
        from a few values, such as the number of clusters. Parameters that an estimator has in
        common with this one, such as ``loss`` and ``task_column``, are set here, for all fits.
        """,
    )
    gate: float = parameter(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        A task takes its mixture if the gain exceeds this many standard errors, >= 0. Lower values
        gain more where tasks are related, and lose more where they are not.
        """,
    )
    alphas: int = parameter(
        20,
        [Interval(Integral, 1, None, closed="left")],
        "int",
        "The number of strengths in the geometric grid of each fit.",
        group="grid",
    )
    cv: Any = parameter(None, *CV_TEXTS["cv"], group="search")
    n_jobs: int | None = parameter(None, *CV_TEXTS["n_jobs"], group="search")
    warm_start: Any = absent()

    _not_stated = "it mixes three fits. Pass one of the estimators that it mixes"
    _not_in_batches = "it mixes three fits. Fit one of the estimators that it mixes"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the components, and mix them for each task.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            (n_samples, n_features), or with a task column (n_samples, n_features + 1).
        y : array-like
            (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Non-negative; zero leaves the label out. One per label only with a matrix y.
        groups : array-like of shape (n_samples,), optional
            Rows of one group, such as a patient's, are never split between training and test set.
            Passed to ``cv``, or to :class:`~skmtl.model_selection.StratifiedTaskKFold` if ``cv`` is
            a number or None.

        Returns
        -------
        self
        """
        self._validate_params()
        return follow(
            self,
            lambda task: self._fit(X, y, sample_weight, task, groups),
            X,
            y,
            sample_weight,
            size=3,
        )

    def _fit(self, X: Any, y: Any, sample_weight: Any, task: FitTask, groups: Any = None) -> Self:
        own, shared = self._own_model(), self._shared_models()
        data = self._read(X, y, sample_weight)
        shared = [model for model in shared if _fits_tasks(model, data)]
        for model in [own, *shared]:
            self._copy_names(model)
            model._validate_params()
        self._shared_model = shared[0]
        self._warn_of_data(data)
        folds, keep = make_folds(self.cv, self, data, X, y, sample_weight, groups)
        if not keep:
            for model in [own, *shared]:
                model.set_params(unknown_task="mean")
        unbalanced = read_unbalanced(self, data, X, y, sample_weight)
        training = Training(data, unbalanced, folds, self.alphas, self.n_jobs, task)
        experts = self._fit_experts(training, own, shared)
        return self._mix(training, experts)

    def _own_model(self) -> Any:
        """The estimator of each task alone."""
        options = self._common() | {"solver": "auto", "intercept": "free"}
        return STRUCTURES["independent"].make(classifier=is_classifier(self), options=options)

    def _shared_models(self) -> list[Any]:
        """The estimators of all tasks, which differ only in their penalty."""
        classifier, common = is_classifier(self), self._common()
        if isinstance(self.estimator, str):
            structure = STRUCTURES[self.estimator]
            return structure.candidates(classifier=classifier, options=common)
        name = type(self).__name__
        check_estimator(self.estimator, name)
        if is_classifier(self.estimator) != classifier:
            kind = "classifier" if classifier else "regressor"
            raise TypeError(
                f"{name} takes a {kind}, not {type(self.estimator).__name__}. Use the other class, "
                f"SafeTransfer{'Regressor' if classifier else 'Classifier'}, or a {kind}."
            )
        known = self.estimator.get_params(deep=False)
        common = {key: value for key, value in common.items() if key in known}
        for key, value in common.items():
            if overrides(self.estimator, key, value):
                given = f"{key}={known[key]!r}"
                remedy = f"Pass {given} to {name}"
                if not accepts(self, key, known[key]):
                    remedy = f"{name} does not accept {given}: use {key}={value!r} in the estimator"
                raise ValueError(
                    f"{name} sets {key} for all fits: the estimator's must be the same, got "
                    f"{known[key]!r} and {value!r}. {remedy}."
                )
        model: Any = clone(self.estimator)
        return [model.set_params(**common)]

    def _common(self) -> dict[str, Any]:
        """The parameters of all experts."""
        own = {"estimator", "gate", "alphas", "cv", "n_jobs"}
        return {name: getattr(self, name) for name in self._get_param_names() if name not in own}

    def _copy_names(self, model: Any) -> None:
        """Set what reading the data sets."""
        for name in ("n_features_in_", "feature_names_in_", "classes_"):
            if hasattr(self, name):
                setattr(model, name, getattr(self, name))

    def _fit_experts(self, training: Training, own: Any, shared: list[Any]) -> list[Expert]:
        """The separate, the shared and, unless it equals one of them, the trimmed fit."""
        experts = [training.fit([own], "separate fits"), training.fit(shared, "shared fit")]
        labels = _held_out_labels(training, experts)
        first = cross_fitted_gains(labels, self._get_loss(), shared_alone)
        self.shared_gains_, self.shared_gain_errors_ = first.gains, first.errors
        self.pool_ = first.gains > 0
        if self.pool_.sum() < 2 or self.pool_.all():
            return experts
        return [*experts, training.fit_part(shared, self.pool_).completed(experts[0])]

    def _mix(self, training: Training, experts: list[Expert]) -> Self:
        """Set the weights, and the fitted attributes of the mixture."""
        data, loss = training.data, self._get_loss()
        labels = _held_out_labels(training, experts)
        gains = cross_fitted_gains(labels, loss)
        found = simplex_weights(labels, loss)
        taken = gains.passes(self.gate)
        weights = np.where(taken[:, None], found, np.eye(len(experts))[0])
        coefs = np.stack([expert.coef for expert in experts])
        intercepts = np.stack([expert.intercept for expert in experts])
        coef = np.einsum("te,etj->tj", weights, coefs).astype(coefs.dtype)
        intercept = np.einsum("te,et->t", weights, intercepts)
        learned = np.any([expert.learned for expert in experts], axis=0)
        value = self._loss_of(data, coef, intercept, learned)
        n_iter = sum(expert.n_iter for expert in experts)
        self._set_fit(data, Fit(coef, intercept, value, np.nan, n_iter, learned))
        self.gains_, self.gain_errors_ = gains.gains, gains.errors
        self._set_experts(data, experts, weights)
        return self

    def _set_experts(self, data: TaskData, experts: list[Expert], weights: Array) -> None:
        """Set the attributes of the three experts, in y's units."""
        lacking = 3 - len(experts)
        self.weights_ = np.pad(weights, ((0, 0), (0, lacking)))
        self.alphas_ = np.array([expert.alpha for expert in experts] + [np.nan] * lacking)
        if lacking:
            # The trimmed fit is the shared fit if it is fitted to all tasks.
            same = experts[1] if self.pool_.all() else experts[0]
            self.alphas_[2] = same.alpha if self.pool_.all() else np.nan
            experts = [*experts, same]
        fits = [(expert.coef, expert.intercept) for expert in experts]
        if data.scales is not None:
            fits = [self._get_loss().rescale(*fit, data.scales) for fit in fits]
        self.expert_coefs_ = np.stack([coef for coef, _ in fits])
        if data.prior is not None:
            self.expert_coefs_ = (data.prior + self.expert_coefs_).astype(self.coef_.dtype)
        self.expert_intercepts_ = np.stack([intercept for _, intercept in fits])

    def _loss_of(self, data: TaskData, coef: Array, intercept: Array, learned: Array) -> float:
        """The loss F of the training labels of the tasks that have a minimiser."""
        if not learned.any():
            return 0.0
        part = data.select(learned)
        z = linear_predictor(part.X, part.codes, coef[learned], intercept[learned], part.offset)
        sums = part.per_task(part.weights * self._get_loss().value(part.y, z))
        factors = task_factors(self.task_weight, part)
        total = sums.sum() if factors is None else factors @ sums
        return float(total * part.n_tasks / part.weights.sum())

    def _targets_compete(self, data: TaskData) -> bool:
        competing: bool = self._shared_model._targets_compete(data)
        return competing


def _held_out_labels(training: Training, experts: list[Expert]) -> HeldOutLabels:
    """The held-out labels of all tasks, and the experts' predictors for them.

    Each label counts once: if several folds hold it out, its predictors are averaged, and its fold
    is the first of them.
    """
    rows, first, places = np.unique(training.rows, return_index=True, return_inverse=True)
    data = training.data.take(rows)
    sizes = [len(fold.test) for fold in training.folds]
    folds = np.repeat(np.arange(len(sizes)), sizes)[first]
    Z = _row_means(np.stack([expert.held_out for expert in experts], axis=-1), places)
    observed = data.weights > 0
    positions = np.nonzero(observed)
    tasks = positions[1] if data.codes is None else data.codes[observed]
    return HeldOutLabels(
        tasks,
        folds[positions[0]],
        data.y[observed],
        data.weights[observed],
        Z[observed],
        data.n_tasks,
    )


def _row_means(values: Array, places: Array) -> Array:
    """The means of the values (n, ...) that have the same place, in the order of the places."""
    counts = np.bincount(places)
    sums = np.zeros((len(counts), *values.shape[1:]))
    np.add.at(sums, places, values)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def _fits_tasks(model: Any, data: TaskData) -> bool:
    """Whether there are enough tasks for the number of clusters of a named structure."""
    return (getattr(model, "n_clusters", None) or 0) <= max(data.n_tasks, 2)


@estimator
class SafeTransferRegressor(_SafeTransfer, TaskRegressor):
    r"""Regression tasks that share what helps them; unrelated tasks keep their separate fits.

    See Also
    --------
    skmtl.model_selection.AlphaSearchCV : The shared fit, with alpha by cross-validation.
    IndependentTaskRegressor : The separate fits.
    skmtl.inspection.transfer_gain : How much each task gains from sharing.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import SafeTransferRegressor
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(10, 1)), 8, axis=1)
    >>> W[:, 6:] = rng.normal(size=(10, 2))
    >>> X = rng.normal(size=(40, 10))
    >>> Y = X @ W + 3 * rng.normal(size=(40, 8))
    >>> model = SafeTransferRegressor("graph").fit(X, Y)
    >>> separate = model.weights_[:, 0]
    >>> bool(separate[:6].mean() < separate[6:].mean())
    True
    """


@estimator
class SafeTransferClassifier(_SafeTransfer, TaskClassifier):
    r"""Classification tasks that share what helps them; unrelated tasks keep their separate fits.

    The linear predictors are mixed, not the probabilities.

    See Also
    --------
    skmtl.model_selection.AlphaSearchCV : The shared fit, with alpha by cross-validation.
    IndependentTaskClassifier : The separate fits.
    skmtl.inspection.transfer_gain : How much each task gains from sharing.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import SafeTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(10, 1)), 8, axis=1)
    >>> W[:, 6:] = rng.normal(size=(10, 2))
    >>> X = rng.normal(size=(80, 10))
    >>> Y = X @ W + 3 * rng.normal(size=(80, 8)) > 0
    >>> model = SafeTransferClassifier("graph").fit(X, Y)
    >>> separate = model.weights_[:, 0]
    >>> bool(separate[:6].mean() < separate[6:].mean())
    True
    """
