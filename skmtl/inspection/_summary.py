"""A short report on a fitted estimator, as text and HTML."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.inspection._fitted import FittedTasks, check_count, count_of, largest

Array = NDArray[Any]
# The title of a table, its header, and its rows of text.
Table = tuple[str, list[str], list[list[str]]]

# The number of a task's features that are named.
_NAMED = 3


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """The result of :func:`summary`; printed as text, and as HTML in notebooks.

    Attributes
    ----------
    estimator_name : str
    coef : ndarray of shape (n_tasks, n_features)
    intercept : ndarray of shape (n_tasks,), or None
    tasks : ndarray of shape (n_tasks,)
    features : list of str
    norms : ndarray of shape (n_features,)
        The Euclidean norm of each feature's coefficients over the tasks.
    support : bool ndarray of shape (n_features,)
        Mask of the features that some task uses.
    n_tasks_using : int ndarray of shape (n_features,)
        The number of tasks in which the feature's coefficient is not zero.
    settings, results : dict
        Parameters (loss, alpha), and objective, duality gap (of non-convex estimators the
        stationarity) and number of iterations, as far as the estimator has them.
    max_features, max_tasks : int or None
        The length of the printed tables.
    """

    estimator_name: str
    coef: Array
    intercept: Array | None
    tasks: Array
    features: list[str]
    norms: Array
    support: Array
    n_tasks_using: Array
    settings: dict[str, Any]
    results: dict[str, float]
    max_features: int | None
    max_tasks: int | None

    def __repr__(self) -> str:
        blocks = ["\n".join(self._head())]
        for title, header, rows in self._tables():
            blocks.append(f"{title}\n{_aligned([header, *rows])}")
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        head, *lines = self._head()
        parts = [f"<p><b>{escape(head)}</b></p>", *(f"<p>{escape(line)}</p>" for line in lines)]
        parts += [_html_table(*table) for table in self._tables()]
        return f"<div>{''.join(parts)}</div>"

    def _head(self) -> list[str]:
        """What the estimator is and how well it is fitted; which features it uses."""
        n_tasks, n_features = self.coef.shape
        settings = [f"{name} = {_short(value)}" for name, value in self.settings.items()]
        size = f"{count_of(n_tasks, 'task')}, {count_of(n_features, 'feature')}"
        lines = [", ".join([f"{self.estimator_name}: {size}", *settings])]
        if self.results:
            lines.append(", ".join(f"{name} {value:.4g}" for name, value in self.results.items()))
        used, everywhere = int(self.support.sum()), int((self.n_tasks_using == n_tasks).sum())
        text = f"Support: {used} of {count_of(n_features, 'feature')}"
        if n_tasks > 1:
            text += f" in some task, {everywhere} in all; "
            text += f"{np.count_nonzero(self.coef)} of {self.coef.size} coefficients are not zero"
        lines.append(text)
        return lines

    def _tables(self) -> Iterator[Table]:
        """The features with the largest norms, and the tasks."""
        n_tasks, n_features = self.coef.shape
        shown = [j for j in largest(self.norms, self.max_features) if self.support[j]]
        if shown:
            title = "Features by the norm of their coefficients"
            title += _of(len(shown), int(self.support.sum()))
            rows = [
                [
                    self.features[j],
                    f"{self.norms[j]:.4g}",
                    f"{self.n_tasks_using[j]} of {n_tasks}",
                    f"{self.coef[:, j].min():.4g}",
                    f"{self.coef[:, j].max():.4g}",
                ]
                for j in shown
            ]
            yield title, ["feature", "norm", "tasks", "lowest", "highest"], rows
        count = n_tasks if self.max_tasks is None else min(self.max_tasks, n_tasks)
        rows = [
            [
                str(self.tasks[t]),
                "" if self.intercept is None else f"{self.intercept[t]:.4g}",
                str(np.count_nonzero(self.coef[t])),
                self._largest_of(t),
            ]
            for t in range(count)
        ]
        yield "Tasks" + _of(count, n_tasks), ["task", "intercept", "features", "largest"], rows

    def _largest_of(self, task: int) -> str:
        """The names and values of a task's largest coefficients."""
        coef = self.coef[task]
        places = [j for j in largest(np.abs(coef), _NAMED) if coef[j] != 0]
        return ", ".join(f"{self.features[j]} {coef[j]:+.3g}" for j in places)


def summary(
    estimator: Any, *, max_features: int | None = 10, max_tasks: int | None = 10
) -> Summary:
    """Return a short report on a fitted estimator, readable as text and as HTML.

    Parameters
    ----------
    estimator : fitted estimator with ``coef_``
        Of skmtl or scikit-learn, or a pipeline or search that ends in one. The features have the
        names that they have after the steps of a pipeline.
    max_features, max_tasks : int or None, default=10
        List at most this many features, those with the largest norms over the tasks, and at most
        this many tasks, in the order of the fit. None: all.

    Returns
    -------
    Summary
        The support, objective, duality gap, features and tasks: printed by ``print``, displayed as
        tables in notebooks, and available as attributes. Norms are in the units of the
        coefficients, so that features are comparable if they have the same scale.

    Raises
    ------
    TypeError
        If the estimator has no coefficients.
    ValueError
        If ``max_features`` or ``max_tasks`` is not a positive integer.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    coef_frame : All coefficients as a data frame.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inspection import summary
    >>> data = make_block_sparse(60, 8, 3, n_informative=2, noise=0.1, random_state=0)
    >>> report = summary(BlockSparseRegressor(0.1).fit(data.data, data.target))
    >>> print(str(report).splitlines()[0])
    BlockSparseRegressor: 3 tasks, 8 features, loss = squared, alpha = 0.1
    >>> int(report.support.sum())
    2
    """
    check_count(max_features, "max_features")
    check_count(max_tasks, "max_tasks")
    fitted = FittedTasks.read(estimator, "summary")
    coef = np.asarray(fitted.coef, dtype=np.float64)
    using = np.count_nonzero(coef, axis=0)
    return Summary(
        estimator_name=fitted.name,
        coef=coef,
        intercept=fitted.intercept,
        tasks=fitted.tasks,
        features=fitted.features,
        norms=np.linalg.norm(coef, axis=0),
        support=using > 0,
        n_tasks_using=using,
        settings=_settings(fitted.model),
        results=_results(fitted.model),
        max_features=max_features,
        max_tasks=max_tasks,
    )


def _settings(model: Any) -> dict[str, Any]:
    """The loss, and the strength that was used."""
    found = {"loss": getattr(model, "loss", None)}
    found["alpha"] = getattr(model, "alpha_", getattr(model, "alpha", None))
    return {name: value for name, value in found.items() if value is not None}


def _results(model: Any) -> dict[str, float]:
    """The objective, how far it may be from its minimum, and the number of iterations."""
    names = {
        "objective": "objective_",
        "duality gap": "dual_gap_",
        "stationarity": "stationarity_",
        "iterations": "n_iter_",
    }
    found = {name: getattr(model, attribute, None) for name, attribute in names.items()}
    # Some estimators of scikit-learn have a number of iterations per task.
    numbers = {name: float(value) for name, value in found.items() if isinstance(value, Real)}
    return {name: value for name, value in numbers.items() if not np.isnan(value)}


def _short(value: Any) -> str:
    """A parameter as text on one line."""
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of(shown: int, total: int) -> str:
    return "" if shown == total else f", {shown} of {total}"


def _aligned(rows: list[list[str]]) -> str:
    """A table as text, with the first and the last column of words on the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = {0} | ({len(widths) - 1} if rows[0][-1] == "largest" else set())
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if k in words else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _html_table(title: str, header: list[str], rows: list[list[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>"
    return f"<table>{caption}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
