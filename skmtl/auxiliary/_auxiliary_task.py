"""Estimators whose main tasks are fitted together with auxiliary targets."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    clone,
)
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._site import DocumentedEstimator
from skmtl.auxiliary._losses import read_losses
from skmtl.auxiliary._problem import AuxiliaryProblem, join_auxiliary, warn_of_tasks
from skmtl.auxiliary._weight import WEIGHTS, choose_weight, score_weights
from skmtl.design import (
    ColumnsAside,
    Companions,
    TaskData,
    as_label_array,
    check_columns,
    from_arrow,
    has_bounded_squares,
    locate_columns,
    read_weights,
    refuse_mask,
    select_features,
    without_columns,
)
from skmtl.estimators import Fit, QuickValidation, TaskEstimator
from skmtl.model_selection import make_folds, rows_of_data

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])


def _if_estimator_has(method: str) -> Callable[[Method], Method]:
    """A decorator for methods that exist if the estimator has them."""
    decorator: Callable[[Method], Method] = available_if(
        lambda wrapper: hasattr(wrapper.estimator, method)
    )
    return decorator


class _AuxiliaryTask(MetaEstimatorMixin, QuickValidation):
    """The common parts of AuxiliaryTaskRegressor and AuxiliaryTaskClassifier.

    Derived before scikit-learn's mixins, whose score does not know missing labels or tasks.
    """

    _kind: ClassVar[str]  # how the names of the estimators that it takes end
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit"])],
        "auxiliary": [list, "array-like"],  # a list is recognised at once
        "weight": [Interval(Real, 0, None, closed="left"), StrOptions({"cv"})],
        "losses": [str, dict, None],
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        auxiliary: Any = (),
        weight: float | str = 1.0,
        losses: Any = None,
        cv: Any = None,
    ) -> None:
        self.estimator = estimator
        self.auxiliary = auxiliary
        self.weight = weight
        self.losses = losses
        self.cv = cv

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the main tasks together with the auxiliary ones.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_columns)
            Features, auxiliary targets (NaN where they are missing), and in the stacked layout the
            task column.
        y : array-like
            The main target or targets, as in the estimator's fit. With a matrix y, rows whose main
            labels are all missing (NaN) still contribute their auxiliary labels.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Non-negative; zero leaves the label out. With a weight per label, the auxiliary labels
            of a row have the largest of its weights.

        Returns
        -------
        self
        """
        self._validate_params()
        model = self._clone_estimator()
        X = self._read_columns(X)
        problem, empty = self._read_tasks(model, X, y, sample_weight)
        self.weight_ = self._selected_weight(problem, X, y, sample_weight)
        model, data, fit = problem.fit(self.weight_)
        warn_of_tasks(model, data, empty if self.weight_ > 0 else [])
        return self._set_fit(problem, model, data, fit)

    def _clone_estimator(self) -> Any:
        """An unfitted copy of the estimator, checked."""
        name, given = type(self).__name__, self.estimator
        if not isinstance(given, TaskEstimator) or type(given).fit is not TaskEstimator.fit:
            raise TypeError(
                f"{name} takes an estimator of skmtl that fits all tasks together with given "
                f"parameters, such as BlockSparse{self._kind}(), not {type(given).__name__}. To "
                f"select its parameters, search over estimator__alpha by GridSearchCV."
            )
        classifies = isinstance(given, ClassifierMixin)
        if classifies != isinstance(self, ClassifierMixin):
            other = "Classifier" if classifies else "Regressor"
            raise TypeError(
                f"{name} cannot take {type(given).__name__}. Use AuxiliaryTask{other}, or an "
                f"estimator whose name ends in {self._kind}."
            )
        if given.task_weight is not None:
            raise ValueError(
                f"The estimator's task_weight must be None, got {given.task_weight!r}: 'weight' "
                f"says how much the auxiliary tasks count. Use sample_weight to weigh main tasks."
            )
        if isinstance(getattr(given, "alpha", None), str):
            raise ValueError(
                f"The estimator's alpha must be a number, got {given.alpha!r}. Search over "
                f"estimator__alpha by GridSearchCV."
            )
        if getattr(given, "unknown_task", None) == "prior":
            raise ValueError(
                f"The estimator's unknown_task must be 'error' or 'mean', got 'prior': {name} has "
                f"no prior for new tasks. Use unknown_task='mean'."
            )
        model: Any = clone(given)
        model._validate_params()
        if getattr(model, "loss", None) == "multinomial":
            raise ValueError(
                f"The estimator's loss must treat classes separately, got {given.loss!r}. Use "
                f"loss='logistic', which fits each class against the rest."
            )
        return model

    def _read_columns(self, X: Any) -> Any:
        """Locate the auxiliary columns; returns X with columns that can be selected."""
        if type(X) is not np.ndarray:
            X = from_arrow(X)
            refuse_mask(X, "X", "Fill them: X.filled(numpy.nan) for auxiliary columns.")
            X = X if hasattr(X, "shape") else np.asarray(X)
        if np.iscomplexobj(X):
            raise ValueError("Complex data not supported: X must be real.")
        if len(X.shape) != 2 or len(self.auxiliary) == 0:
            # Without auxiliary columns the estimator validates X.
            self._columns = ColumnsAside(
                "auxiliary", [], [], X.shape[1] if len(X.shape) == 2 else 0
            )
            return X
        check_columns(self, X, reset=True)
        task_column = self.estimator.task_column
        self._columns = locate_columns(X, list(self.auxiliary), task_column, "auxiliary")
        return X

    def _features(self, X: Any) -> Any:
        """The columns of X that the estimator is fitted to."""
        return without_columns(X, self._columns)

    def _read_tasks(
        self, model: Any, X: Any, y: Any, sample_weight: Any
    ) -> tuple[AuxiliaryProblem, list[Any]]:
        """The tasks, and the names of the auxiliary columns without a label."""
        features, columns = self._features(X), self._columns
        if columns.positions and isinstance(model.task_column, Integral):
            own = int(model.task_column) % columns.width
            model.task_column = columns.others().index(own)
        for name in ("offset_column", "prior_coef"):
            if getattr(model, name) is not None:
                raise ValueError(
                    f"{name} is not available with auxiliary tasks, whose predictors it does not "
                    f"concern. Leave it out, or fit the estimator to the main tasks alone."
                )
        main: TaskData = model._read(features, y, sample_weight)
        if not columns.positions:
            check_columns(self, X, reset=True)
            return AuxiliaryProblem(model, main, None, model._own_loss()), []
        auxiliary, targets = list(self.auxiliary), columns.numbers(X)
        own = model._own_loss()
        losses, labels = read_losses(self.losses, model, own, auxiliary, columns, targets)
        n_rows, empty = len(labels), []
        if sample_weight is None and has_bounded_squares(labels):
            others = Companions(labels, np.ones(labels.shape), columns.names)
        else:
            raw = as_label_array(y, type(self).__name__)
            weights = self._row_weights(sample_weight, raw, main)
            weights = np.where(np.isnan(labels), 0.0, weights[:, None])
            others = Companions(np.where(weights > 0, labels, 1.0), weights, columns.names)
            seen = np.asarray(weights.any(axis=0))
            empty = [name for k, name in enumerate(columns.names) if not seen[k]]
        rows = np.arange(n_rows)  # other layouts may sort rows or leave some out
        if main.codes is not None or len(main.y) < n_rows:
            raw = as_label_array(y, type(self).__name__)
            rows = rows_of_data(model, main, features, raw, sample_weight)
        problem = join_auxiliary(model, features, main, rows, others, own, losses)
        return problem, empty

    def _row_weights(self, sample_weight: Any, labels: Array, main: TaskData) -> Array:
        """The weight of each row's auxiliary labels (n_samples,)."""
        tasks = main.all_tasks if labels.ndim == 2 and main.layout == "shared" else None
        weights = read_weights(sample_weight, labels.shape, tasks)
        return weights if weights.ndim == 1 else np.asarray(weights.max(axis=1))

    def _selected_weight(
        self, problem: AuxiliaryProblem, X: Any, y: Any, sample_weight: Any
    ) -> float:
        """``weight``, or the one that predicts held-out main labels best."""
        for name in {"weights_", "weight_scores_"} & vars(self).keys():
            delattr(self, name)
        if not isinstance(self.weight, str):
            return float(self.weight)
        if problem.joined is None:
            return 0.0
        model, main = problem.model, problem.main
        features = self._features(X)
        folds, keep = make_folds(self.cv, model, main, features, y, sample_weight)
        if not keep:
            model.unknown_task = "mean"
        self.weights_, self.weight_scores_ = WEIGHTS.copy(), score_weights(problem, folds)
        return float(WEIGHTS[choose_weight(self.weight_scores_)])

    def _set_fit(self, problem: AuxiliaryProblem, model: Any, data: TaskData, fit: Fit) -> Self:
        """Set the fitted attributes."""
        self.estimator_ = model._set_fit(data, fit)
        n_main = problem.main.n_tasks
        self.tasks_coef_, self.tasks_intercept_ = model.coef_, model.intercept_
        if data.layout == "single":
            self.tasks_coef_ = model.coef_[None]
            self.tasks_intercept_ = np.atleast_1d(model.intercept_)
        self.auxiliary_tasks_ = data.tasks[n_main:]
        # Predicts the main tasks only.
        self._main = problem.model
        TaskEstimator._set_fit(self._main, problem.main, problem.main_part(fit))
        self.coef_, self.intercept_ = self._main.coef_, self._main.intercept_
        self.tasks_ = self._main.tasks_
        self.objective_, self.dual_gap_, self.n_iter_ = fit.objective, fit.dual_gap, fit.n_iter
        if isinstance(self, ClassifierMixin):
            self.classes_ = self._main.classes_
        return self

    def predict(self, X: Any) -> Array:
        """Predict the main tasks.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit. The auxiliary columns may hold anything, such as NaN; a data frame may lack
            them.

        Returns
        -------
        ndarray of shape (n_samples, n_tasks), or (n_samples,) if y was 1-D
        """
        check_is_fitted(self)
        predicted: Array = self._main.predict(select_features(self, X, self._columns))
        return predicted

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The estimator's score of the main tasks: R2 or accuracy.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        check_is_fitted(self)
        features = select_features(self, X, self._columns)
        return float(self._main.score(features, y, sample_weight))

    def _main_model(self) -> Any:
        """The fitted model of the main tasks, of features without auxiliary columns."""
        check_is_fitted(self)
        return self._main

    @property
    def _layout(self) -> str:
        # Scorers for label matrices ask for it.
        layout: str = self._main._layout
        return layout

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if not isinstance(self.estimator, TaskEstimator):
            return tags
        inner = get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        tags.input_tags.allow_nan = len(self.auxiliary) > 0
        tags.classifier_tags = inner.classifier_tags
        return tags


class AuxiliaryTaskRegressor(_AuxiliaryTask, RegressorMixin, DocumentedEstimator):
    r"""Main regression tasks, fitted together with targets that exist only in training.

    .. math::

        \min_{W, b} \; F_{\text{main}}(W, b)
        + \omega \sum_a \tfrac{1}{S_a} \sum_{i \in a} s_i \, \ell_a(u_{ia}, x_i w_a + b_a)
        + \alpha \, \Omega(W) ,
        \qquad
        F_{\text{main}} = \tfrac{T}{S} \sum_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    where W (n_features, n_tasks + n_auxiliary) has a column for each main and each auxiliary task,
    :math:`u_{ia}` is the label of row i in the auxiliary column a, :math:`S_a` the sum of the
    weights of these labels, :math:`\omega` is ``weight`` and :math:`\alpha \, \Omega` the
    estimator's penalty; other symbols are as in the estimator. A measurement of tomorrow, a
    by-product or an expensive test can thus teach the main task which features matter, although it
    is not known when the model predicts. ``alpha`` has the scale of the main tasks alone.

    In the stacked layout each auxiliary column gives every task a companion, and
    :math:`\tfrac{1}{S_a}` becomes :math:`\tfrac{T}{S_a}`, where T counts the tasks with labels in
    that column.

    Parameters
    ----------
    estimator : regressor of skmtl
        What the tasks share, such as :class:`~skmtl.BlockSparseRegressor` or
        :class:`~skmtl.LowRankRegressor`. ``task_weight`` must be None. With ``scale_tasks=True``
        the labels of auxiliary tasks are divided by their standard deviations too, so that their
        units do not matter.
    auxiliary : list of str or int, default=()
        The columns of X that are targets in ``fit``, by name or position, and never features.
    weight : float or "cv", default=1.0
        How much the mean loss of each auxiliary target counts beside that of a main task, >= 0. At
        0 the main tasks are fitted alone. "cv": selected from 0, 0.03, 0.1, 0.3, 1, 3 and 10 by the
        held-out loss of the main tasks; 0 unless another is better by one standard error of the
        difference over folds.
    losses : str, dict or None, default=None
        The losses of auxiliary tasks: one for all, or by column as in ``auxiliary``: "squared",
        "huber", "quantile", "poisson", "gamma", "tweedie", "logistic" or "squared_hinge" (the last
        two for labels 0 and 1). None: the estimator's.
    cv : int, splitter, iterable of (train, test) or None, default=None
        The folds for ``weight="cv"``, as in :class:`~skmtl.model_selection.AlphaSearchCV`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_tasks, n_features), or (n_features,) for a 1-D y
        Coefficients of the main tasks.
    intercept_ : ndarray of shape (n_tasks,), or float for a 1-D y
    tasks_ : ndarray of shape (n_tasks,)
        The main tasks.
    tasks_coef_ : ndarray of shape (n_tasks + n_auxiliary, n_features)
        Coefficients of all tasks, the main ones first; without auxiliary ones if ``weight_`` is 0
        or no auxiliary column has a label.
    tasks_intercept_ : ndarray of shape (n_tasks + n_auxiliary,)
    auxiliary_tasks_ : ndarray of shape (n_auxiliary,)
        The columns; in the stacked layout pairs (task, column).
    weight_ : float
        The weight used.
    weights_, weight_scores_ : ndarrays of shape (n_weights,) and (n_weights, n_folds)
        With ``weight="cv"``: the candidates, and minus the mean squared error of held-out main
        labels.
    estimator_ : estimator
        The estimator fitted to all tasks, for its own attributes, such as ``task_covariance_``. A
        single main target is called "main" there. It cannot fit new tasks.
    objective_, dual_gap_ : float
        The objective above, and an upper bound on its suboptimality.
    n_iter_ : int
    n_features_in_ : int
        Number of columns of X, auxiliary and task column included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Raises
    ------
    ValueError
        In ``fit``, if X lacks an auxiliary column, a loss is not defined for its labels, or the
        estimator sets ``task_weight`` or ``unknown_task="prior"``.
    TypeError
        In ``fit``, if the estimator is not one of skmtl, or selects its own parameters.

    See Also
    --------
    skmtl.inspection.select_auxiliary_tasks : Which tasks help the main one.
    skmtl.preprocessing.NuisanceEraser : Columns that the features should not predict.

    Notes
    -----
    Convex if the estimator is. Grid searches reach the estimator's parameters by
    ``estimator__alpha``. Parameters that describe the tasks (a graph, a tree, an order) concern all
    tasks, main and auxiliary; such an estimator cannot be fitted with weight 0, nor with "cv". If
    auxiliary tasks have other losses than the main ones, tasks in the stacked layout are fitted as
    columns of a label matrix, which takes memory for n_samples * n_tasks * (1 + n_columns) labels.

    References
    ----------
    R. Caruana, "Multitask learning", Machine Learning 28, 1997,
    https://doi.org/10.1023/A:1007379606734

    V. Vapnik and A. Vashist, "A new learning paradigm: learning using privileged information",
    Neural Networks 22, 2009, https://doi.org/10.1016/j.neunet.2009.06.042

    Examples
    --------
    Half of the features matter, for the main target and for two noisy by-products:

    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.auxiliary import AuxiliaryTaskRegressor
    >>> rng = np.random.default_rng(0)
    >>> W = np.vstack([rng.normal(size=(3, 3)), np.zeros((3, 3))])
    >>> features = rng.normal(size=(40, 6))
    >>> targets = features @ W + rng.normal(size=(40, 3))
    >>> X, y = np.column_stack([features, targets[:, 1:]]), targets[:, 0]
    >>> model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.3), auxiliary=[6, 7]).fit(X, y)
    >>> model.coef_.shape, model.tasks_coef_.shape
    ((6,), (3, 6))
    >>> X[:, 6:] = np.nan
    >>> model.predict(X).shape
    (40,)
    """

    _kind: ClassVar[str] = "Regressor"


class AuxiliaryTaskClassifier(_AuxiliaryTask, ClassifierMixin, DocumentedEstimator):
    r"""Main classification tasks, fitted together with targets that exist only in training.

    .. math::

        \min_{W, b} \; F_{\text{main}}(W, b)
        + \omega \sum_a \tfrac{1}{S_a} \sum_{i \in a} s_i \, \ell_a(u_{ia}, x_i w_a + b_a)
        + \alpha \, \Omega(W) ,
        \qquad
        F_{\text{main}} = \tfrac{T}{S} \sum_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    where W (n_features, n_tasks + n_auxiliary) has a column for each main and each auxiliary task,
    :math:`u_{ia}` is the label of row i in the auxiliary column a, :math:`S_a` the sum of the
    weights of these labels, :math:`\omega` is ``weight`` and :math:`\alpha \, \Omega` the
    estimator's penalty. A 1-D y with more than two classes gives a
    main task for each class against the rest. See :class:`AuxiliaryTaskRegressor`.

    Parameters
    ----------
    estimator : classifier of skmtl
        What the tasks share, such as :class:`~skmtl.BlockSparseClassifier`. ``task_weight`` must be
        None, and ``loss`` not "multinomial". ``class_weight`` concerns the main tasks only.
    auxiliary : list of str or int, default=()
        The columns of X that are targets in ``fit``, by name or position, and never features.
    weight : float or "cv", default=1.0
        How much the mean loss of each auxiliary target counts beside that of a main task, >= 0. At
        0 the main tasks are fitted alone. "cv": selected from 0, 0.03, 0.1, 0.3, 1, 3 and 10 by the
        held-out loss of the main tasks; 0 unless another is better by one standard error of the
        difference over folds.
    losses : str, dict or None, default=None
        The losses of auxiliary tasks: one for all, or by column as in ``auxiliary``: "squared",
        "huber", "quantile", "poisson", "gamma", "tweedie", "logistic" or "squared_hinge" (the last
        two for labels 0 and 1). None: the estimator's for columns of 0 and 1, "squared" for others;
        standardise these, since class labels have no units.
    cv : int, splitter, iterable of (train, test) or None, default=None
        The folds for ``weight="cv"``, as in :class:`~skmtl.model_selection.AlphaSearchCV`.

    Attributes
    ----------
    classes_ : ndarray
        Class labels; for a matrix y the positions of its columns.
    coef_ : ndarray of shape (n_tasks, n_features)
        Coefficients of the main tasks.
    intercept_ : ndarray of shape (n_tasks,)
    tasks_ : ndarray of shape (n_tasks,)
        The main tasks.
    tasks_coef_ : ndarray of shape (n_tasks + n_auxiliary, n_features)
        Coefficients of all tasks, the main ones first; without auxiliary ones if ``weight_`` is 0
        or no auxiliary column has a label.
    tasks_intercept_ : ndarray of shape (n_tasks + n_auxiliary,)
    auxiliary_tasks_ : ndarray of shape (n_auxiliary,)
        The columns; in the stacked layout pairs (task, column).
    weight_ : float
        The weight used.
    weights_, weight_scores_ : ndarrays of shape (n_weights,) and (n_weights, n_folds)
        With ``weight="cv"``: the candidates, and minus the mean loss of held-out main labels.
    estimator_ : estimator
        The estimator fitted to all tasks, for its own attributes, such as ``task_covariance_``. Its
        predictions treat every task as a classification task; for others use ``tasks_coef_``.
    objective_, dual_gap_ : float
        The objective above, and an upper bound on its suboptimality.
    n_iter_ : int
    n_features_in_ : int
        Number of columns of X, auxiliary and task column included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Raises
    ------
    ValueError, TypeError
        As :class:`AuxiliaryTaskRegressor`.

    See Also
    --------
    AuxiliaryTaskRegressor : Regression, with more explanation.

    References
    ----------
    R. Caruana, "Multitask learning", Machine Learning 28, 1997,
    https://doi.org/10.1023/A:1007379606734

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import BlockSparseClassifier
    >>> from skmtl.auxiliary import AuxiliaryTaskClassifier
    >>> rng = np.random.default_rng(0)
    >>> features = rng.normal(size=(60, 5))
    >>> y = features[:, 0] - features[:, 1] + rng.normal(size=60) > 0
    >>> severity = features[:, 0] - features[:, 1] + 0.3 * rng.normal(size=60)
    >>> X = np.column_stack([features, severity])
    >>> model = AuxiliaryTaskClassifier(BlockSparseClassifier(0.05), auxiliary=[-1]).fit(X, y)
    >>> model.predict_proba(X).shape, model.tasks_coef_.shape
    ((60, 2), (2, 5))
    """

    _kind: ClassVar[str] = "Classifier"

    @_if_estimator_has("decision_function")
    def decision_function(self, X: Any) -> Array:
        """Linear predictors of the main tasks.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in predict.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        check_is_fitted(self)
        z: Array = self._main.decision_function(select_features(self, X, self._columns))
        return z

    @_if_estimator_has("predict_proba")
    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the main tasks' classes.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in predict.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        check_is_fitted(self)
        p: Array = self._main.predict_proba(select_features(self, X, self._columns))
        return p
