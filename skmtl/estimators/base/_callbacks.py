"""scikit-learn's callbacks, as far as the installed release has them.

They came with scikit-learn 1.9. With older releases estimators have no ``set_callbacks``, and no
fit is followed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

from skmtl.estimators.base._fit import Fit

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Without callbacks."""

    def with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


__all__ = ["SILENT", "CallbackSupportMixin", "FitTask", "fit_as", "follow", "is_followed"]

Result = TypeVar("Result")
# Called when a callback asks for the fitted estimator: its fitted attributes.
Attributes = Callable[[], dict[str, Any]]


class FitTask:
    """A task of a fit, such as a fold or the iterations up to a certificate.

    This class is for fits that nobody follows: all methods do nothing.
    """

    def subtask(
        self,
        name: str,
        size: int | None = 0,
        *,
        number: int | None = None,
        parallel: bool = False,
        all_rows: bool = False,
        begin: bool = True,
    ) -> "FitTask":
        """A task within this one, which begins now unless ``begin`` is false.

        Parameters
        ----------
        name : str
        size : int or None
            Its largest number of subtasks; None: unknown.
        number : int, optional
            Needed if the subtasks of this task are parallel; otherwise they are numbered in order.
        parallel : bool
            Whether its own subtasks do not follow one another.
        all_rows : bool
            Whether it uses all the data that this task uses, which the callbacks then see.
        begin : bool
        """
        return self

    def begin(self) -> None:
        """Tell the callbacks that the task begins."""

    def end(self, attributes: Attributes | None = None) -> bool:
        """Tell the callbacks that the task has ended, and return whether one asks to stop."""
        return False

    def iterations(self, attributes: Callable[[Fit], dict[str, Any]]) -> "Iterations | None":
        """A report that makes a subtask of the iterations up to each certificate."""
        return None

    def passed_to(self, model: Any) -> Any:
        """A context in which the fit of another estimator takes the place of this task."""
        return nullcontext()


SILENT = FitTask()


class Iterations(Protocol):
    """A :data:`Report`, and what to do after the last one."""

    def __call__(self, progress: Any, fit: Callable[[], Fit]) -> bool: ...

    def close(self) -> None: ...


class _FollowedTask(FitTask):
    """A task that callbacks follow.

    Parameters
    ----------
    estimator : estimator
        On which the callbacks are set.
    context : sklearn.callback.CallbackContext
    given : dict
        The training data as passed to fit; empty for tasks on parts of them.
    """

    def __init__(self, estimator: Any, context: Any, given: dict[str, Any]) -> None:
        self.estimator, self.context, self.given = estimator, context, given

    def subtask(
        self,
        name: str,
        size: int | None = 0,
        *,
        number: int | None = None,
        parallel: bool = False,
        all_rows: bool = False,
        begin: bool = True,
    ) -> FitTask:
        context = self.context.subcontext(name, number, size, not parallel)
        # Tasks on some of the rows may be sent to other processes, which need not get all data.
        task = _FollowedTask(self.estimator, context, self.given if all_rows else {})
        if begin:
            task.begin()
        return task

    def begin(self) -> None:
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def end(self, attributes: Attributes | None = None) -> bool:
        stop = self.context.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.given
        )
        return bool(stop)

    def iterations(self, attributes: Callable[[Fit], dict[str, Any]]) -> "Iterations":
        return _FollowedIterations(self, attributes)

    def passed_to(self, model: Any) -> Any:
        return self._passed_to(model)

    @contextmanager
    def _passed_to(self, model: Any) -> Iterator[None]:
        with self.context.propagate_callback_context(model):
            yield


class _FollowedIterations:
    """Makes a task of the iterations up to each certificate.

    Parameters
    ----------
    task : _FollowedTask
        The fit.
    attributes : callable
        Returns the fitted attributes that belong to a :class:`Fit`.
    """

    def __init__(self, task: _FollowedTask, attributes: Callable[[Fit], dict[str, Any]]) -> None:
        self.task, self.attributes = task, attributes
        self.current: FitTask | None = self._begin()

    def _begin(self) -> FitTask:
        return self.task.subtask("iterations", all_rows=True)

    def __call__(self, progress: Any, fit: Callable[[], Fit]) -> bool:
        if self.current is None:  # after the last certificate of one of several starts
            self.current = self._begin()
        stop = self.current.end(lambda: self.attributes(fit()))
        self.current = None if stop or progress.ended else self._begin()
        return stop

    def close(self) -> None:
        """End iterations that did not lead to a certificate."""
        if self.current is not None:
            self.current.end()


def is_followed(estimator: Any) -> bool:
    """Whether callbacks are set on an estimator."""
    return "_skl_callbacks" in vars(estimator)


def follow(
    estimator: Any,
    fit: Callable[[FitTask], Result],
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    size: int | None = None,
    name: str = "fit",
) -> Result:
    """Call ``fit`` with a task that the callbacks of an estimator follow.

    Parameters
    ----------
    estimator : estimator
    fit : callable
    X, y, sample_weight : as passed to fit
    size : int or None
        The largest number of subtasks; None: unknown.
    name : str
        Of the task.
    """
    if not is_followed(estimator):
        return fit(SILENT)
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    given = {"X": X, "y": y, "metadata": metadata}
    result: Result = _follow(estimator, fit, given, size, name)
    return result


def fit_as(task: FitTask, model: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """Fit the estimator that a search has selected, as the last subtask of the search."""
    refit = task.subtask("refit", all_rows=True, begin=False)
    with refit.passed_to(model):
        refit.begin()
        model.fit(X, y, sample_weight)
    refit.end()
    return model


@with_callbacks  # type: ignore[untyped-decorator]
def _follow(
    estimator: Any,
    fit: Callable[[FitTask], Result],
    given: dict[str, Any],
    size: int | None,
    name: str,
) -> Result:
    context = estimator._init_callback_context(task_name=name, max_subtasks=size)
    task = _FollowedTask(estimator, context, given)
    task.begin()
    result = fit(task)
    # After fit, the estimator itself is fitted.
    task.end(dict if name == "fit" else None)
    return result
