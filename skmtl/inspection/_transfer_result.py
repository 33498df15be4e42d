"""The result of transfer_gain, and its statistics."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skmtl._resampling import corrected_error
from skmtl.inspection._transfer_hierarchy import GainModel, fit_gains, moderate

Array = NDArray[Any]

# The level of all tests and labels; intervals cover 1 - LEVEL.
LEVEL = 0.05
MIN_LABELS = 10
VERDICTS = ("helped", "hurt", "unclear", "too few labels")
# Relative differences up to this are rounding error, and must not give a gain its sign.
_TIE = 1e-12


@dataclass(frozen=True)
class MeanGain:
    """A mean over tasks: standard error, 95% interval and p-value."""

    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class OverallGain:
    """Mean gain over the tasks with enough labels.

    Attributes
    ----------
    gain, relative_gain : float
        The mean; the same divided by the baseline's mean loss.
    se, low, high, p : float
        For the given tasks: only their rows are random.
    population : MeanGain
        For a population from which the tasks are a random sample: wider. NaN if only one task has
        enough labels.
    """

    gain: float
    relative_gain: float
    se: float
    low: float
    high: float
    p: float
    population: MeanGain


@dataclass(frozen=True, eq=False)
class BaselineGain:
    """The gains of each task over one baseline.

    Attributes
    ----------
    name : str
    fold_gains : ndarray of shape (n_folds, n_tasks)
        The baseline's loss minus the estimator's; NaN where a test set has no label of a task.
    loss_estimator, loss_baseline : ndarrays of shape (n_tasks,)
        Means over folds.
    gain, relative_gain : ndarrays of shape (n_tasks,)
        Mean over folds, positive if sharing helped; the same divided by ``loss_baseline``.
    se, low, high, p, p_holm : ndarrays of shape (n_tasks,)
        From each task's own labels: corrected standard error, 95% interval, p-value, and the
        p-value adjusted for the number of tasks. NaN for tasks with too few labels.
    model : GainModel
        From all tasks together: mean and spread of the gains, the share of tasks helped, and each
        task's shrunk ``gain``, its interval (``low``, ``high``), and the ``probability`` that
        sharing helped.
    verdict : ndarray of shape (n_tasks,)
        "helped" if that probability is at least 0.95, "hurt" if it is at most 0.05, otherwise
        "unclear" or "too few labels".
    overall : OverallGain
    share_hurt : float
        Proportion of "hurt" among the tasks with enough labels.
    """

    name: str
    fold_gains: Array
    loss_estimator: Array
    loss_baseline: Array
    gain: Array
    relative_gain: Array
    se: Array
    low: Array
    high: Array
    p: Array
    p_holm: Array
    model: GainModel
    verdict: Array
    overall: OverallGain
    share_hurt: float


@dataclass(frozen=True, eq=False, repr=False)
class TransferGain:
    """The result of :func:`transfer_gain`; ``result["pooled"]`` holds the gains over a baseline.

    Attributes
    ----------
    estimator_name, loss_name : str
    tasks, n_labels : ndarrays of shape (n_tasks,)
        The tasks' names and numbers of labels.
    n_folds : int
        Number of test sets in all repeats.
    baselines : dict
        The :class:`BaselineGain` of each baseline, by name.
    """

    estimator_name: str
    loss_name: str
    tasks: Array
    n_labels: Array
    n_folds: int
    baselines: dict[str, BaselineGain]

    # TransferGainDisplay, set in its own file, which imports this one.
    _display: ClassVar[Any]

    def __getitem__(self, baseline: str) -> BaselineGain:
        if baseline not in self.baselines:
            raise KeyError(f"No baseline {baseline!r}; there are {[*self.baselines]}.")
        return self.baselines[baseline]

    def to_frame(self) -> Any:
        """Return the results as a pandas data frame, one row per baseline and task.

        Returns
        -------
        pandas.DataFrame
            With the columns task, n_labels, baseline, loss_estimator, loss_baseline; from each
            task alone gain, relative_gain, se, low, high, p, p_holm; from all tasks together
            shrunk, shrunk_low, shrunk_high, probability; verdict.
        """
        import pandas as pd

        own = ("loss_estimator", "loss_baseline", "gain", "relative_gain", "se", "low", "high")
        shrunk = {"shrunk": "gain", "shrunk_low": "low", "shrunk_high": "high"}
        parts = [
            pd.DataFrame(
                {"task": self.tasks, "n_labels": self.n_labels, "baseline": part.name}
                | {key: getattr(part, key) for key in (*own, "p", "p_holm")}
                | {key: getattr(part.model, name) for key, name in shrunk.items()}
                | {"probability": part.model.probability, "verdict": part.verdict}
            )
            for part in self.baselines.values()
        ]
        return pd.concat(parts, ignore_index=True)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the gains by :meth:`TransferGainDisplay.from_result`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        **options : dict
            Other parameters of that method.

        Returns
        -------
        TransferGainDisplay
        """
        return self._display.from_result(self, ax=ax, **options)

    def __repr__(self) -> str:
        lines = [
            f"{self.estimator_name} on {len(self.tasks)} tasks: gain in {self.loss_name} "
            f"(positive: sharing helped), {self.n_folds} test sets"
        ]
        for part in self.baselines.values():
            lines += _summary(self, part)
        return "\n".join(lines)


def _summary(result: TransferGain, part: BaselineGain) -> list[str]:
    overall = part.overall
    share = f" ({overall.relative_gain:+.1%})" if np.isfinite(overall.relative_gain) else ""
    lines = [f"against {part.name}: mean gain {overall.gain:.3g}{share}"]
    if not np.isfinite(overall.population.se):
        lines.append("  one task has enough labels; there is no mean over tasks to test")
    else:
        lines += [
            f"  for these tasks: 95% interval {_interval(overall)}",
            f"  for a population of such tasks: {_interval(overall.population)}",
        ]
    return lines + _between_tasks(result, part)


def _interval(mean: OverallGain | MeanGain) -> str:
    return f"[{mean.low:.3g}, {mean.high:.3g}], p = {mean.p:.2g}"


def _between_tasks(result: TransferGain, part: BaselineGain) -> list[str]:
    """What the gains of all tasks together say: first about their distribution, then verdicts."""
    model = part.model
    counts = {verdict: int((part.verdict == verdict).sum()) for verdict in VERDICTS}
    helped, spread = model.share_helped, model.spread
    if not np.isfinite(helped.value):
        return []
    if model.p_common > LEVEL:
        # To count the other verdicts would present one finding as that of many tasks.
        few = counts["too few labels"]
        left_out = f"; {few} too few labels" if few else ""
        return [
            f"  the tasks' gains are not distinguishable from one common gain (p = "
            f"{model.p_common:.2g}); standard deviation between tasks at most {spread.high:.3g}"
            f"{left_out}"
        ]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return [
        f"  between tasks: standard deviation {spread.value:.3g} [{spread.low:.3g}, "
        f"{spread.high:.3g}], sharing helped an estimated {helped.value:.0%} of them",
        f"  verdicts (posterior probability at least {1 - LEVEL:.2f}): {verdicts}",
        *_hurt_most(result, part),
    ]


def _hurt_most(result: TransferGain, part: BaselineGain) -> list[str]:
    """The tasks that sharing hurt most."""
    model, hurt = part.model, np.flatnonzero(part.verdict == "hurt")
    if not len(hurt):
        return []
    worst = hurt[np.argsort(model.gain[hurt])][:5]
    names = ", ".join(
        f"{result.tasks[t]} ({model.gain[t]:.3g} [{model.low[t]:.3g}, {model.high[t]:.3g}])"
        for t in worst
    )
    return [f"  hurt: {names}" + (", ..." if len(hurt) > len(worst) else "")]


def compare(
    name: str,
    losses: Array,
    baseline_losses: Array,
    n_test: Array,
    n_train: Array,
    n_labels: Array,
) -> BaselineGain:
    """Compute the gains over one baseline from the losses of both models.

    Parameters
    ----------
    name : str
    losses, baseline_losses : ndarrays of shape (n_folds, n_tasks)
        NaN where undefined.
    n_test, n_train : ndarrays of shape (n_folds, n_tasks)
        Numbers of each task's labels in the fold's test and training set.
    n_labels : ndarray of shape (n_tasks,)
    """
    gains = baseline_losses - losses
    scale = np.fmax(np.abs(losses), np.abs(baseline_losses))
    gains[np.abs(gains) <= _TIE * scale] = 0.0
    seen = ~np.isnan(gains)
    n_seen = seen.sum(axis=0)
    enough = (n_labels >= MIN_LABELS) & (n_seen >= 2)
    ratios = np.where(seen, n_test / np.maximum(n_train, 1), np.nan)

    gain = _mean(gains)
    loss_baseline = _mean(np.where(seen, baseline_losses, np.nan))
    se, df = np.full(len(gain), np.nan), np.full(len(gain), np.nan)
    for t in np.flatnonzero(enough):
        se[t] = corrected_error(gains[seen[:, t], t], ratios[seen[:, t], t].mean())
        df[t] = n_seen[t] - 1
    p = p_values(gain, se, df)
    half = stats.t.ppf(1 - LEVEL / 2, df) * se
    overall, common = _overall(gains, loss_baseline, enough, n_test.sum(1), n_train.sum(1))
    model = _model(gain, se, _mean(np.where(seen, n_test, np.nan)), common)
    verdict = np.where(enough, "unclear", "too few labels").astype(object)
    verdict[model.probability >= 1 - LEVEL] = "helped"
    verdict[model.probability <= LEVEL] = "hurt"
    hurt = np.count_nonzero(verdict == "hurt")
    return BaselineGain(
        name=name,
        fold_gains=gains,
        loss_estimator=_mean(np.where(seen, losses, np.nan)),
        loss_baseline=loss_baseline,
        gain=gain,
        relative_gain=_divide(gain, loss_baseline),
        se=se,
        low=gain - half,
        high=gain + half,
        p=p,
        p_holm=holm(p),
        model=model,
        verdict=verdict,
        overall=overall,
        share_hurt=hurt / enough.sum() if enough.any() else np.nan,
    )


def _model(gain: Array, se: Array, n_test: Array, common: float) -> GainModel:
    """The hierarchical model of gains, with moderated variances.

    A task's variance is proportional to the variance of its labels' gains, divided by the number of
    its labels. The first factor is moderated.
    """
    variance = np.full(len(gain), np.nan)
    enough = ~np.isnan(se)
    variance[enough] = moderate(se[enough] ** 2 * n_test[enough]) / n_test[enough]
    independent = variance[enough].sum() / max(1, enough.sum()) ** 2
    return fit_gains(gain, variance, max(0.0, common - float(independent)))


def _overall(
    gains: Array, loss_baseline: Array, enough: Array, n_test: Array, n_train: Array
) -> tuple[OverallGain, float]:
    """Mean gain over tasks, and the variance of its error for the given tasks.

    For the given tasks this is the corrected variance of the mean gain of each test set, whose
    errors may be correlated between tasks. For a population of tasks, that of the tasks' gains
    divided by T is added, as for any sample of size T. The errors of single tasks are thus counted
    twice; counting them once gives intervals that are too short.
    """
    kept = gains[:, enough]
    gain = _mean(kept)
    n_tasks = len(gain)
    mean = float(gain.mean()) if n_tasks else np.nan
    total = loss_baseline[enough].mean() if n_tasks else np.nan
    relative = float(_divide(np.array([mean]), total)[0])
    if n_tasks < 2:
        none = MeanGain(np.nan, np.nan, np.nan, np.nan)
        return OverallGain(mean, relative, np.nan, np.nan, np.nan, np.nan, none), 0.0
    # Residuals, so that a task without test labels in a fold does not shift the fold's mean.
    by_fold = _mean((kept - gain).T)
    tested = ~np.isnan(by_fold)
    ratio = float((n_test[tested] / n_train[tested]).mean())
    within, n_folds = corrected_error(by_fold[tested], ratio) ** 2, int(tested.sum())
    between = float(np.var(gain, ddof=1)) / n_tasks
    parts = between**2 / (n_tasks - 1) + within**2 / (n_folds - 1)
    df = (between + within) ** 2 / parts if parts > 0 else 1.0
    given, population = _test(mean, within, n_folds - 1), _test(mean, between + within, df)
    ends = given.se, given.low, given.high, given.p
    return OverallGain(mean, relative, *ends, population), within


def _test(mean: float, variance: float, df: float) -> MeanGain:
    error = float(np.sqrt(variance))
    half = float(stats.t.ppf(1 - LEVEL / 2, df)) * error
    p = float(p_values(np.array([mean]), np.array([error]), np.array([df]))[0])
    return MeanGain(error, mean - half, mean + half, p)


def p_values(gain: Array, se: Array, df: Array) -> Array:
    """Two-sided p-values of the t-test; 1 for a gain of exactly 0, NaN if ``se`` is NaN."""
    t = np.zeros(len(gain))
    moved = gain != 0
    with np.errstate(divide="ignore"):
        t[moved] = np.abs(gain[moved]) / se[moved]
    return np.where(np.isnan(se), np.nan, 2 * stats.t.sf(t, df))


def holm(p: Array) -> Array:
    """Holm's adjusted p-values; NaN stays NaN and is not counted as a test.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6(2),
    1979, https://www.jstor.org/stable/4615733
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def _mean(values: Array) -> Array:
    """Mean of each column without NaN; NaN, without a warning, if all values are NaN."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    totals = np.where(known, values, 0.0).sum(axis=0)
    means = np.full(values.shape[1], np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means


def _divide(gain: Array, loss: Any) -> Array:
    """gain / loss, where 0 / 0 is 0 and any other gain over a loss of 0 is NaN."""
    loss = np.broadcast_to(loss, gain.shape)
    ratio = np.where(gain == 0, 0.0, np.nan)
    np.divide(gain, loss, out=ratio, where=loss > 0)
    return ratio
