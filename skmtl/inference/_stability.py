"""Stability selection by complementary pairs of half-samples."""

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from skmtl._parallel import run_parallel
from skmtl._warnings import warn
from skmtl.inference._complementary import LabelledRows
from skmtl.inference._half_selection import FitSelector, Half, Indices, PathSelector
from skmtl.inference._rows import indexable
from skmtl.inference._selection_bounds import (
    ASSUMPTIONS,
    bound_false,
    largest_selection,
    least_threshold,
)
from skmtl.inference._stability_result import StabilitySelection

Array = NDArray[Any]

# With q^2 = 0.8 max_false p the threshold without assumptions is 0.9 (Meinshausen and Bühlmann).
_SHARE = 0.8
# joblib's verbosity at which some of a few dozen tasks are reported; at twice this all are.
_JOBLIB = 10

_CONSTRAINTS: dict[str, list[Any]] = {
    "estimator": [HasMethods(["fit", "get_params"])],
    "n_subsamples": [Interval(Integral, 2, None, closed="left")],
    "threshold": [Interval(Real, 0.5, 1, closed="right"), None],
    "max_false": [Interval(Real, 0, None, closed="neither")],
    "n_selected": [Interval(Integral, 1, None, closed="left"), None],
    "select": [StrOptions({"path", "fit"})],
    "assumption": [StrOptions(set(ASSUMPTIONS))],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def stability_selection(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    groups: Any = None,
    n_subsamples: int = 50,
    threshold: float | None = None,
    max_false: float = 1.0,
    n_selected: int | None = None,
    select: str = "path",
    assumption: str = "r-concave",
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> StabilitySelection:
    r"""Find the features that are selected again and again on halves of the rows.

    Stability selection with complementary pairs [1]_: the rows are split at random into two halves
    ``n_subsamples`` times, features are selected on each half, and those are kept whose frequency
    over all halves reaches a threshold. The expected number of kept features that a half selects
    with low probability is bounded: these count as falsely selected, see Notes.

    Parameters
    ----------
    estimator : estimator
        With ``select="path"`` an estimator of skmtl that sets the coefficients of whole features to
        zero and has a parameter ``alpha``, whose value is not used, such as
        :class:`~skmtl.BlockSparseRegressor`. With ``select="fit"`` any estimator with sparse
        ``coef_``, alone, in a pipeline or in a search.
    X, y : as in the estimator's fit
        At least two features. The features should be standardised, as for any sparse fit.
    sample_weight : as in the estimator's fit, default=None
        A label of weight zero counts as missing.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group, such as a patient's, are in the same half.
    n_subsamples : int, default=50
        B, the number of pairs of halves; the estimator is fitted to 2 B half-samples.
    threshold : float, default=None
        The least frequency of a selected feature, in (0.5, 1]. None: the smallest with a bound of
        at most ``max_false``.
    max_false : float, default=1.0
        The largest bound on the expected number of selected features of low selection probability.
        Not used if both ``threshold`` and ``n_selected`` are given, or ``threshold`` with
        ``select="fit"``.
    n_selected : int, default=None
        q, the number of features to select on each half with ``select="path"``, less than the
        number p of features. None: with a ``threshold`` the largest with a bound of at most
        ``max_false``; otherwise the square root of 0.8 max_false p, rounded down [2]_.
    select : {"path", "fit"}, default="path"
        How features are selected on a half. "path": the first ``n_selected`` whose coefficients
        become non-zero as ``alpha`` decreases. "fit": those with a non-zero coefficient in the
        estimator, fitted as it is.
    assumption : {"r-concave", "unimodal", "none"}, default="r-concave"
        What the bound assumes of the frequencies; see Notes.
    n_jobs : int or None, default=None
        Number of processes for the half-samples.
    random_state : int, RandomState instance or None, default=None
        Makes the halves reproducible.
    verbose : int, default=0
        1: report a few times on standard error how many pairs after the first are done; 2 or more:
        after each pair.

    Returns
    -------
    StabilitySelection
        With ``frequencies``, ``task_frequencies``, ``threshold``, ``bound`` and ``selected``.
        Prints as a summary; ``to_frame()`` returns a row per feature, and ``plot()`` draws the
        frequencies.

    Raises
    ------
    TypeError
        With ``select="path"`` if the estimator is not a plain estimator of skmtl with ``alpha``;
        with ``select="fit"`` if it has no ``coef_``.
    ValueError
        If the estimator does not set coefficients of whole features to zero; if X has fewer than
        two features; if a task has labels in fewer than two rows or groups; if no threshold, or no
        ``n_selected``, has a bound of at most ``max_false``.

    See Also
    --------
    StabilitySelectionDisplay : Draws the frequencies.
    skmtl.BlockSparseRegressorCV : Selects the strength that predicts best, and more features.

    Notes
    -----
    **Halves.** In the stacked layout a half contains half of the rows of each task, and in the
    shared layout half of all rows; with missing labels or ``groups`` the halves are as equal as
    possible in each task. Those of a classifier have the same share of each class. An odd row is
    left out.

    **Selection on a half.** "path" fits a grid of alphas from the strength at which all
    coefficients are zero, each from the previous solution, and stops when q features have entered.
    If the last step adds more, those with the largest coefficients (Euclidean norms over the
    tasks) are taken. If the grid, three decades of 100 values, ends before, fewer features are
    selected. The bound holds for the given q, so that nothing is estimated. With "fit" q is
    estimated by the mean number of features selected. A feature counts as selected in a task if its
    coefficient in that task is non-zero as well; norms over whole rows, such as that of
    :class:`~skmtl.BlockSparseRegressor`, select it in all tasks at once. The callbacks of
    ``estimator`` are not called with "path".

    **What the bound says.** Let :math:`\hat S_{n/2}` be the features selected on a half,
    :math:`q = E|\hat S_{n/2}|`, and :math:`L` the features that a half-sample selects with
    probability at most :math:`\theta = q / p`, no more than an average feature. Let
    :math:`\hat S_\tau` be those with a frequency of at least :math:`\tau`. Then [1]_

    .. math::

        E|\hat S_\tau \cap L| \le
        \begin{cases}
        q^2 / (p\,(2\tau - 1)) & \text{none} \\
        C(\tau, B)\, q^2 / p & \text{unimodal} \\
        p \min\{D(\theta^2, 2\tau - 1, B, -1/2),\; D(\theta, \tau, 2B, -1/4)\} & \text{r-concave}
        \end{cases}

    Rows (or groups) must be independent, and those of a task identically distributed. The first
    bound then holds for every distribution, estimator and dependence of the features. The second,
    with :math:`C = 1 / (2 (2 \tau - 1 - 1 / (2B)))` for :math:`\tau \le 3/4` and
    :math:`4 (1 - \tau + 1 / (2B)) / (1 + 1/B)` above, holds if for each feature in L the
    distribution of the number of pairs of which both halves select it is unimodal. The third holds
    if this distribution is -1/2-concave, and that of the number of halves -1/4-concave, where
    :math:`D(\eta, t, B, r)` is the largest probability :math:`P(X \ge t)` of r-concave variables
    with values 0, 1/B, ..., 1 and mean at most :math:`\eta`. The paper justifies it by simulations,
    in which it gives the most accurate bound. An assumption implies the weaker ones, and each bound
    is the least of those that it implies. ``bounds`` of the result contains all three.

    The bound is not on features without an effect: one that is correlated with an effective feature
    may have a high selection probability, and is then not in L. It is on features, not on single
    tasks.

    **Measured.** ``python -m benchmarks.stability``, 200 features, 8 of them effective, independent
    or correlated, in both layouts: the mean number of selected features in L is at most 0.20 ± 0.15
    (bound 0.88). With correlated features 0.50 to 1.10 features without an effect are selected,
    nearly all correlated with an effective one. 3.4 to 5.2 of the effective features are found.
    :class:`~skmtl.BlockSparseRegressorCV` finds 7.3 to 7.8 of them, with 25 to 29 features without
    an effect (with ``rule="1se"`` 6.2 to 7.0, and 4 to 10).

    References
    ----------
    .. [1] R. D. Shah and R. J. Samworth. Variable selection with error control: another look at
       stability selection. Journal of the Royal Statistical Society B 75, 55-80, 2013.
       https://doi.org/10.1111/j.1467-9868.2011.01034.x
    .. [2] N. Meinshausen and P. Bühlmann. Stability selection. Journal of the Royal Statistical
       Society B 72, 417-473, 2010. https://doi.org/10.1111/j.1467-9868.2010.00740.x

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inference import stability_selection
    >>> dataset = make_block_sparse(80, n_features=30, n_tasks=3, n_informative=3, random_state=0)
    >>> result = stability_selection(
    ...     BlockSparseRegressor(), dataset.data, dataset.target, n_subsamples=20, random_state=0
    ... )
    >>> result.selected.tolist() == dataset.coef.any(axis=0).nonzero()[0].tolist()
    True
    >>> bool(result.bound <= 1)
    True
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="stability_selection")
    X, y = indexable(X), indexable(y)
    rows = LabelledRows.read(estimator, X, y, sample_weight, groups)
    aim = _Aim(n_subsamples, threshold, max_false, assumption)
    selector: PathSelector | FitSelector
    if select == "path":
        selector = PathSelector.read(estimator, X, y, sample_weight)
        selector = replace(selector, n_selected=aim.read_size(n_selected, selector.n_features))
    elif n_selected is not None:
        raise ValueError(
            "n_selected is the number of features to select with select='path'. With select='fit' "
            "choose the estimator's alpha instead."
        )
    else:
        selector = FitSelector(estimator, X, y, sample_weight)
    rng = check_random_state(random_state)
    jobs = [(selector, *rows.draw(rng)) for _ in range(n_subsamples)]
    # The first pair shows whether the estimator selects features at all.
    halves = list(_select_pair(*jobs[0]))
    selector.check(halves)
    reports = _JOBLIB * min(int(verbose), 2)
    for pair in run_parallel(_select_pair, jobs[1:], n_jobs, verbose=reports):
        halves += pair
    selector.check(halves)
    _report(halves)
    return _result(selector, aim, halves)


@dataclass(frozen=True)
class _Aim:
    """The parameters of the bound."""

    n_pairs: int
    threshold: float | None
    max_false: float
    assumption: str

    def bounds(self, n_selected: float, n_features: int, threshold: float) -> dict[str, float]:
        """The bound by assumption."""
        given = n_selected, n_features, threshold, self.n_pairs
        return {assumption: bound_false(*given, assumption) for assumption in ASSUMPTIONS}

    def find_threshold(self, n_selected: float, n_features: int) -> float | None:
        """The given threshold, or the least one with a low enough bound."""
        if self.threshold is not None:
            return float(self.threshold)
        given = n_selected, n_features, self.max_false, self.n_pairs, self.assumption
        return least_threshold(*given)

    def read_size(self, n_selected: int | None, n_features: int) -> int:
        """The given number of features to select on each half, or one that fits the others."""
        if n_features < 2:
            raise ValueError(
                f"stability_selection needs 2 or more features to choose from, got {n_features}."
            )
        if n_selected is not None and n_selected >= n_features:
            raise ValueError(
                f"n_selected must be less than the number of features, {n_features}; got "
                f"{n_selected}. Pass {n_features - 1} or less."
            )
        at = 1.0 if self.threshold is None else float(self.threshold)
        most = largest_selection(n_features, at, self.max_false, self.n_pairs, self.assumption)
        if self.threshold is not None and n_selected is not None:
            most = n_features - 1
        if n_selected is None:
            usual = max(1, int(np.sqrt(_SHARE * self.max_false * n_features)))
            n_selected = min(usual, most) if self.threshold is None else most
        if not 1 <= n_selected <= most:
            least = bound_false(1, n_features, at, self.n_pairs, self.assumption)
            # 5% more, so that the rounded number is large enough.
            enough = f"Pass max_false={1.05 * least:.2g}"
            remedy = f"Pass n_selected={most} or less" if most else enough
            what = f"with n_selected={n_selected}, of" if n_selected else "for"
            raise ValueError(
                f"The bound on falsely selected features cannot be as low as "
                f"max_false={self.max_false:g} {what} {n_features} features. {remedy}, or more "
                f"n_subsamples."
            )
        return int(n_selected)


def _select_pair(
    selector: PathSelector | FitSelector, first: Indices, second: Indices
) -> tuple[Half, Half]:
    return selector(first), selector(second)


def _report(halves: list[Half]) -> None:
    """Issue the warnings of the fits, one for all fits that did not converge."""
    messages = [message for half in halves for message in dict.fromkeys(half.messages)]
    early = [text for text, category in messages if issubclass(category, ConvergenceWarning)]
    if early:
        warn(
            f"{len(early)} fits to half-samples did not converge. The first: {early[0]}",
            ConvergenceWarning,
        )
    others = (each for each in messages if not issubclass(each[1], ConvergenceWarning))
    for text, category in dict.fromkeys(others):
        warn(text, category)


def _result(
    selector: PathSelector | FitSelector, aim: _Aim, halves: list[Half]
) -> StabilitySelection:
    """Frequencies over all halves, the threshold and its bounds."""
    frequencies = np.mean([half.features for half in halves], axis=0)
    n_features, names = len(frequencies), halves[0].feature_names
    n_selected = selector.count(frequencies)
    threshold = aim.find_threshold(n_selected, n_features)
    if threshold is None:
        threshold = 1.0
        bound = aim.bounds(n_selected, n_features, threshold)[aim.assumption]
        warn(
            f"On average {n_selected:.3g} of {n_features} features were selected on a half-sample, "
            f"too many for max_false={aim.max_false:g}: even at threshold 1 the bound is "
            f"{bound:.3g}. Increase the estimator's alpha or max_false."
        )
    return StabilitySelection(
        frequencies=frequencies,
        task_frequencies=np.mean([half.entries for half in halves], axis=0),
        # Frequencies are multiples of 1 / (2 B) up to rounding error.
        support=frequencies >= threshold - 1e-9,
        threshold=threshold,
        bounds=aim.bounds(n_selected, n_features, threshold),
        assumption=aim.assumption,
        n_selected=n_selected,
        n_subsamples=aim.n_pairs,
        select=selector.select,
        features=np.array(names, dtype=object),
        tasks=np.asarray(halves[0].tasks),
        has_names=names != [f"x{j}" for j in range(n_features)],
        estimator_name=halves[0].model_name,
    )
