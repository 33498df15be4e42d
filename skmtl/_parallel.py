"""Calls of a function on many arguments in threads or processes, with the caller's warnings."""

import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import joblib
from sklearn import config_context, get_config

from skmtl._warnings import Message, gather_warnings, warn

# The text, category, file and line of a warning from another library.
Foreign = tuple[str, type[Warning], str, int]


def run_parallel(
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    n_jobs: int | None,
    prefer: str | None = None,
    verbose: int = 0,
) -> list[Any]:
    """Return ``function(*each)`` for each of the arguments, in their order.

    scikit-learn's ``Parallel`` sets the warning filters within each job, and so do its validation
    and scorers. The filters belong to the process: if several threads set them at the same time,
    one may restore filters that another has set. They are therefore restored here after the last
    job. The calling thread issues the warnings of this library, each once, at the user's line.
    ``verbose`` is joblib's.
    """
    job = _Job(function)
    with warnings.catch_warnings():
        jobs = (joblib.delayed(job)(*each) for each in arguments)
        done = joblib.Parallel(n_jobs=n_jobs, prefer=prefer, verbose=verbose)(jobs)
    for message in dict.fromkeys(message for _, own, _ in done for message in own):
        warn(*message)
    for text, category, file, line in dict.fromkeys(each for _, _, other in done for each in other):
        warnings.warn_explicit(text, category, file, line)
    return [result for result, _, _ in done]


class _Job:
    """A function that also returns the warnings that have not been issued to the user."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.config, self.process = get_config(), os.getpid()

    def __call__(self, *args: Any) -> tuple[Any, list[Message], list[Foreign]]:
        with config_context(**self.config), gather_warnings() as own:
            if os.getpid() == self.process:
                return self.function(*args), own, []
            # Another process does not have the user's filters.
            with warnings.catch_warnings(record=True) as others:
                warnings.simplefilter("always")
                result = self.function(*args)
        foreign = [(str(w.message), w.category, w.filename, w.lineno) for w in others]
        return result, own, foreign
