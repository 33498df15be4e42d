"""Which structure do the tasks share? All of them on the same folds, and a fit of the best."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl._site import DocumentedEstimator
from skmtl._warnings import warn
from skmtl.estimators import (
    CallbackSupportMixin,
    FitTask,
    estimator,
    fit_as,
    follow,
    parameter,
    strength,
)
from skmtl.model_selection._alpha import read_alphas
from skmtl.model_selection._cv_search import CV_CONSTRAINTS, CV_TEXTS
from skmtl.model_selection._delegation import Delegation
from skmtl.model_selection._structure_compare import Comparison, Settings, make_reader
from skmtl.model_selection._structure_entrants import check_params
from skmtl.model_selection._structure_report import report
from skmtl.model_selection._structure_results import StructureResults
from skmtl.model_selection._structure_rounds import N_ROUNDS


@estimator
class _StructureSearch(CallbackSupportMixin, DocumentedEstimator):
    r"""All structures on the same folds.

    Every structure s is an estimator with a penalty of its own,

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \, \Omega_s(W) ,

    whose strengths are selected by cross-validation. The two baselines, "independent" and
    "pooled", are always scored as well. The structure with the best mean score is fitted to all
    rows; see ``refit``. From the simplest to the most flexible, the structures are
    "independent", "pooled", "graph", "block_sparse", "low_rank", "relation", "clustered", "fused",
    "dirty", "robust", "sparse_low_rank"; if named, also "tree", which learns a tree of the tasks,
    and "capped", "sparse_relation" and "group_overlap", whose objectives are not convex. With a
    single task only "independent" and "block_sparse" differ, and the others are left out.

    Attributes
    ----------
    results_ : StructureResults
        The scores of all structures; ``results_.to_frame()`` is a pandas data frame with a row for
        each: the selected strengths, score, corrected standard error, difference from the better
        baseline with its 95% interval, share of the training rows, and seconds.
    best_structure_ : str
        The structure that was refitted.
    best_params_ : dict
        Its selected parameters, with ``alpha``.
    best_score_ : float
        Its mean score over folds; the greater the better.
    best_estimator_ : estimator
        The estimator with these parameters, fitted to all rows. Its fitted attributes are also
        attributes of the search.
    nested_ : NestedEstimate or None
        With ``nested=True``: the scores of the whole search and of the better baseline on rows that
        took no part in their selection.
    coef_ : ndarray of shape (n_tasks, n_features), or (n_features,) for a 1-D regression target
    intercept_ : ndarray of shape (n_tasks,), or float for a 1-D regression target
    tasks_ : ndarray of shape (n_tasks,)
    objective_ : float
    dual_gap_ : float
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Notes
    -----
    In each fold the models share the moments or the design of the data, and each path over alpha
    is warm-started unless the objective is not convex. A path ends early if the mean score has
    fallen. Paths are fitted to ten times the ``tol`` of the final fit. The training rows of all
    folds are in memory at the same time.

    Standard errors and intervals are those of Nadeau and Bengio: since training sets overlap, the
    variance between J folds is multiplied by 1 / J + n_test / n_train instead of 1 / J. Differences
    are taken within folds, which removes what folds have in common. Intervals do not account for
    the number of structures, and the score of the best of many is optimistic: ``report`` says so,
    unless ``nested=True``, which searches again in the training rows of each fold and costs as many
    times more. With few rows the selection depends on how they are split into folds; averages over
    several splits, as by :class:`~skmtl.model_selection.RepeatedStratifiedTaskKFold`, depend less
    on it.

    If the first round does not fit into the ``budget``, the structures are compared on a quarter,
    then on half of the training rows, and the worse half is dropped each time (successive halving);
    the baselines are never dropped. The budget bounds the cross-validation, not the final fit, and
    is an aim: a round that has begun is completed.

    ``score`` is that of ``best_estimator_``, independent of ``scoring``. Other methods are called
    on ``best_estimator_``.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52, 2003,
    https://doi.org/10.1023/A:1024068626366

    S. Varma and R. Simon, "Bias in error estimation when using cross-validation for model
    selection", BMC Bioinformatics 7:91, 2006, https://doi.org/10.1186/1471-2105-7-91

    K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter
    optimization", AISTATS 2016, https://proceedings.mlr.press/v51/jamieson16.html
    """

    structures: Any = strength(
        "auto",
        [str, "array-like", list, tuple, dict],
        '"auto", str, list or dict',
        """
        "auto": all structures with a convex objective except the tree. Otherwise names of
        structures, or estimators of your own as tuples (name, estimator) or (name, estimator,
        grid), in a list or a dict by name. A grid is a dict of lists. Estimators of your own count
        as more flexible than the named structures, in the order given. They must have the same
        ``loss`` and read data in the same way as the others; pass ``loss``, ``scale_tasks``,
        ``class_weight``, ``offset_column`` and ``prior_coef`` by ``params``.
        """,
    )
    alphas: Any = parameter(
        20,
        CV_CONSTRAINTS["alphas"],
        "int or array-like of shape (n_alphas,)",
        """
        The number of strengths in the geometric grid of each model, or the strengths themselves for
        all models. Grids descend three decades from the strength at which all coefficients are
        zero; for ridge penalties and squared norms five decades, from a strength at which they are
        almost zero.
        """,
        group="grid",
    )
    graph: Any = parameter(
        None,
        [StrOptions({"chain", "complete"}), "array-like", "sparse matrix", list, dict, None],
        "graph or None",
        """
        The graph of the tasks for the structures that take one, "graph" and "fused", as in
        :class:`~skmtl.GraphRegularizedRegressor`. None: the complete graph.
        """,
    )
    params: Any = parameter(
        None,
        [dict, None],
        "dict or None",
        """
        Further parameters of the estimators, each for all structures that have it: for example
        ``loss``, ``fit_intercept``, ``task_weight``, ``tol``. Those of the catalogue's grids, such
        as ``n_clusters``, are then not selected.
        """,
    )
    cv: Any = parameter(None, *CV_TEXTS["cv"], group="search")
    scoring: Any = parameter(None, *CV_TEXTS["scoring"], group="search")
    refit: str = parameter(
        "best",
        [StrOptions({"best", "one_se"})],
        '{"best", "one_se"}',
        """
        "best": refit the structure with the best mean score. "one_se": the simplest structure whose
        difference from the best, on the same folds, is at most one standard error; use it if a
        simple model counts more than its error. On the four data sets of ``python -m
        benchmarks.structure_search``, "best" had the lower test error on three, and the same on the
        fourth.
        """,
        group="search",
    )
    nested: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether to estimate the score of the whole search by nested cross-validation.",
        group="search",
    )
    budget: float | None = parameter(
        None,
        [Interval(Real, 0, None, closed="neither"), None],
        "float or None",
        "Seconds for the cross-validation, by successive halving; None: no limit. See Notes.",
        group="search",
    )
    n_jobs: int | None = parameter(None, *CV_TEXTS["n_jobs"], group="search")
    random_state: Any = parameter(
        None,
        ["random_state"],
        "int, RandomState or None",
        """
        Draws the shares of the training rows with a ``budget``, and starts the structures that are
        not convex. The folds do not depend on it.
        """,
        group="search",
    )
    task_column: str | int | None = parameter(
        None,
        [str, Integral, None],
        "str, int or None",
        """
        None: the shared layout, one X for all tasks and a column of y per task, or a 1-D y. A
        column's name (data frames) or position (-1: the last): the stacked layout, where each row
        of X (n_samples, n_features + 1) belongs to one task, whose id is in that column.
        """,
        group="data",
    )

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Compare the structures by cross-validation, and fit the selected one to all rows.

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
        n_rounds = 1 if self.budget is None else N_ROUNDS
        return follow(
            self,
            lambda task: self._search(X, y, sample_weight, groups, task),
            X,
            y,
            sample_weight,
            size=n_rounds + self.nested + 1,
        )

    def _search(self, X: Any, y: Any, sample_weight: Any, groups: Any, task: FitTask) -> Self:
        comparison = Comparison(self._settings(), X, y, sample_weight, groups)
        results = comparison.run(task)
        wanted = self.nested and not comparison.stopped
        self.nested_ = comparison.nested(task) if wanted else None
        chosen = results[results.selected]
        if chosen.at_end and chosen.params["alpha"] > 0:
            warn(
                f"The selected alpha of the structure {chosen.structure}, "
                f"{chosen.params['alpha']:.3g}, is the smallest of the grid; a smaller one may be "
                f"better. Pass smaller alphas as a list."
            )
        self.results_: StructureResults = results
        self.best_structure_, self.best_score_ = chosen.structure, chosen.mean
        self.best_params_ = dict(chosen.params)
        self._candidates = {
            row.structure: comparison.model(results, row.structure) for row in results.structures
        }
        self.best_estimator_ = fit_as(task, self.make(chosen.structure), X, y, sample_weight)
        return self

    def make(self, structure: str) -> Any:
        """An unfitted estimator of a structure, with the parameters selected for it.

        Parameters
        ----------
        structure : str
            One of the structures in ``results_``.

        Returns
        -------
        estimator
        """
        check_is_fitted(self, "results_")
        return clone(self._candidates[self.results_[structure].structure])

    def report(self) -> str:
        """What the search found, in plain sentences.

        Returns
        -------
        str
        """
        check_is_fitted(self, "results_")
        return report(self.results_, self.nested_)

    def _settings(self) -> Settings:
        classifier = isinstance(self, ClassifierMixin)
        check_params(self.params, classifier=classifier)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        return Settings(
            structures=self.structures,
            options={"random_state": seed} | self._options(),
            classifier=classifier,
            cv=self.cv,
            scoring=self.scoring,
            alphas=read_alphas(self.alphas),
            refit=self.refit,
            budget=None if self.budget is None else self.budget / (1 + self.nested),
            n_jobs=self.n_jobs,
            seed=seed,
        )

    def _options(self) -> dict[str, Any]:
        """The parameters of all structures that have them."""
        options = {"task_column": self.task_column} | dict(self.params or {})
        return options if self.graph is None else options | {"graph": self.graph}

    def _unfitted(self) -> Any:
        """An estimator that reads data as all structures do."""
        return make_reader(self._options(), classifier=isinstance(self, ClassifierMixin))


@estimator
class StructureSearchRegressorCV(Delegation, RegressorMixin, _StructureSearch):
    """Regression tasks, with the structure that they share selected by cross-validation.

    See Also
    --------
    AlphaSearchCV : Selects the strength of one estimator.
    skmtl.inspection.transfer_gain : For each task, whether sharing helped.

    Examples
    --------
    >>> from skmtl import StructureSearchRegressorCV
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(80, 20, 8, n_informative=3, random_state=0)
    >>> names = ["independent", "pooled", "block_sparse", "low_rank"]
    >>> search = StructureSearchRegressorCV(names).fit(dataset.data, dataset.target)
    >>> search.best_structure_
    'block_sparse'
    >>> search.report()  # doctest: +ELLIPSIS
    'Sharing lowers the mean squared error by ...% [..., ...] against separate models. The best ...'
    """


@estimator
class StructureSearchClassifierCV(Delegation, ClassifierMixin, _StructureSearch):
    """Classification tasks, with the structure that they share selected by cross-validation.

    Attributes
    ----------
    classes_ : ndarray

    Notes
    -----
    Where labels are missing (NaN), ``GridSearchCV`` and ``cross_val_score`` of a classifier need
    ``cv=StratifiedTaskKFold()`` of :mod:`skmtl.model_selection`: given a number of folds,
    scikit-learn stratifies by y and raises "Input y contains NaN" before any fit. The folds within
    the search do not.

    See Also
    --------
    AlphaSearchCV : Selects the strength of one estimator.
    skmtl.inspection.transfer_gain : For each task, whether sharing helped.

    Examples
    --------
    >>> from skmtl import StructureSearchClassifierCV
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(
    ...     60, 12, 6, n_informative=3, classification=True, random_state=0
    ... )
    >>> names = ["independent", "pooled", "block_sparse"]
    >>> search = StructureSearchClassifierCV(names).fit(dataset.data, dataset.target)
    >>> search.best_structure_
    'block_sparse'
    """
