"""Cross-validate structures on the same folds, and estimate the score of the whole search."""

from dataclasses import dataclass, replace
from numbers import Integral, Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

from skmtl._warnings import warn
from skmtl.design import TaskData, as_label_array
from skmtl.estimators import (
    SILENT,
    FitTask,
    Fold,
    Measure,
    PathScores,
    score_paths,
    stopped_too_early,
)
from skmtl.model_selection._cv_folds import make_folds, rows_of_data
from skmtl.model_selection._cv_search import make_measure, read_unbalanced
from skmtl.model_selection._structure_entrants import Entrant, read_structures
from skmtl.model_selection._structure_results import (
    NestedEstimate,
    StructureResults,
    StructureScore,
    select,
)
from skmtl.model_selection._structure_rounds import run_rounds, thin
from skmtl.model_selection._structures import BASELINES, STRUCTURES

Array = NDArray[Any]

# Held-out scores need less accuracy than the final fit, by this factor of its tol.
_ROUGH = 10.0


@dataclass(frozen=True)
class Settings:
    """How structures are compared; see the parameters of the estimators."""

    structures: Any
    options: dict[str, Any]
    classifier: bool
    cv: Any
    scoring: Any
    alphas: Array | int
    refit: str
    budget: float | None
    n_jobs: int | None
    seed: int


@dataclass(frozen=True, eq=False)
class _Trial:
    """A structure's paths in a round, and the place (model, alpha) of the best score."""

    paths: list[PathScores]

    @property
    def place(self) -> tuple[int, int]:
        means = [path.scores.mean(axis=1) for path in self.paths]
        tops = [np.where(np.isnan(mean), -np.inf, mean).max(initial=-np.inf) for mean in means]
        model = int(np.argmax(tops))
        mean = means[model]
        return model, int(np.where(np.isnan(mean), -np.inf, mean).argmax())

    @property
    def scores(self) -> Array:
        model, column = self.place
        found: Array = self.paths[model].scores[column]
        return found

    @property
    def alpha(self) -> float:
        model, column = self.place
        return float(self.paths[model].alphas[column])

    @property
    def at_end(self) -> bool:
        """Whether the best alpha is the last of a grid of several."""
        model, column = self.place
        return 0 < column == len(self.paths[model].alphas) - 1

    @property
    def seconds(self) -> float:
        return sum(path.seconds for path in self.paths)


class Comparison:
    """Structures that are compared on the same data and folds.

    Parameters
    ----------
    settings : Settings
    X, y, sample_weight, groups : as passed to fit
    """

    def __init__(self, settings: Settings, X: Any, y: Any, sample_weight: Any, groups: Any) -> None:
        self.settings, self.given = settings, (X, y, sample_weight, groups)
        self.task, self.stopped = SILENT, False
        self.reader = make_reader(settings.options, classifier=settings.classifier)
        self.reader._validate_params()
        self.data: TaskData = self.reader._read(X, y, sample_weight)
        self.entrants = {entrant.name: entrant for entrant in self._read_entrants()}
        self.folds, keep = make_folds(
            settings.cv, self.reader, self.data, X, y, sample_weight, groups
        )
        self.models = {
            name: [self._for_path(model, keep) for model in entrant.models]
            for name, entrant in self.entrants.items()
        }
        self.measure: Measure = make_measure(
            settings.scoring, self.reader, self.reader, self.data, X, y, sample_weight
        )
        self.unbalanced = read_unbalanced(self.reader, self.data, X, y, sample_weight)

    def _read_entrants(self) -> list[Entrant]:
        given = self.settings
        return read_structures(
            given.structures,
            given.options,
            classifier=given.classifier,
            n_tasks=self.data.n_tasks,
        )

    def _for_path(self, model: Any, keep: bool) -> Any:
        """A model with the settings of the fits in the folds."""
        model = clone(model).set_params(alpha=1.0, tol=_ROUGH * model.tol)
        model._validate_params()
        return model if keep else model.set_params(unknown_task="mean")

    @property
    def ratio(self) -> float:
        """The mean over folds of the number of held-out labels divided by that for training."""
        counts = (self.data.weights > 0).reshape(len(self.data.y), -1).sum(axis=1)
        sizes = [(counts[fold.test].sum(), counts[fold.train].sum()) for fold in self.folds]
        return float(np.mean([n_test / n_train for n_test, n_train in sizes]))

    def run(self, task: FitTask = SILENT) -> StructureResults:
        """Score all structures, in several rounds if there is a budget, and select one.

        If callbacks that follow ``task`` stop the search, those that have scores are compared.
        """
        self.task = task
        baselines = [name for name in BASELINES if name in self.entrants]
        rounds = run_rounds(
            list(self.entrants),
            baselines,
            self._score,
            lambda trial: (float(trial.scores.mean()), trial.seconds),
            self.settings.budget,
        )
        full = rounds[1.0]
        if self.stopped:
            self._check_stop(full)
        baseline = max(baselines, key=lambda name: float(full[name].scores.mean()))
        rows = []
        for name, entrant in self.entrants.items():
            if not any(name in trials for trials in rounds.values()):
                continue  # a callback stopped the search
            share = max(share for share, trials in rounds.items() if name in trials)
            trial = rounds[share][name]
            rows.append(
                StructureScore(
                    structure=name,
                    params=entrant.parameters(trial.place[0]) | {"alpha": trial.alpha},
                    scores=trial.scores,
                    baseline_scores=rounds[share][baseline].scores,
                    share=share,
                    seconds=sum(
                        trials[name].seconds for trials in rounds.values() if name in trials
                    ),
                    eligible=entrant.eligible,
                    at_end=trial.at_end,
                )
            )
        return select(
            rows,
            baseline,
            self.ratio,
            self.error,
            self.settings.refit,
            single=self.data.n_tasks == 1,
        )

    def _check_stop(self, trials: dict[str, _Trial]) -> None:
        """Warn that a callback has stopped the search; raise if nothing can be selected."""
        eligible = [name for name in trials if self.entrants[name].eligible]
        lacking = [name for name in BASELINES if name in self.entrants and name not in trials]
        if lacking or not eligible:
            what = f"the baseline {lacking[0]}" if lacking else "any structure to select"
            raise stopped_too_early(f"before {what} had scores in all folds")
        warn(
            f"A callback stopped the search: {len(trials)} of {len(self.entrants)} structures have "
            f"scores, of which some end before the last strength. They are compared, and the "
            f"selected one is fitted to all rows."
        )

    def _score(self, names: list[str], share: float) -> dict[str, _Trial]:
        """The paths of structures on all folds, with a share of the training rows."""
        thinned = [
            thin(self.data, fold, share, self.reader, self.settings.seed) for fold in self.folds
        ]
        pairs = [(name, model) for name in names for model in self.models[name]]
        task = self.task.subtask(f"{share:.0%} of the rows", len(pairs), parallel=True)
        paths = iter(
            score_paths(
                [model for _, model in pairs],
                [self.entrants[name].family for name, _ in pairs],
                self.data,
                thinned,
                self.measure,
                unbalanced=self.unbalanced,
                alphas=self.settings.alphas,
                n_jobs=self.settings.n_jobs,
                task=task,
                names=[name for name, _ in pairs],
            )
        )
        trials = {name: _Trial([next(paths) for _ in self.models[name]]) for name in names}
        task.end()
        self.stopped = any(path.stopped for trial in trials.values() for path in trial.paths)
        if self.stopped and share < 1:
            raise stopped_too_early(f"in a round with {share:.0%} of the training rows")
        return {
            name: trial
            for name, trial in trials.items()
            if any(len(path.scores) for path in trial.paths)
        }

    def model(self, results: StructureResults, name: str) -> Any:
        """A structure's estimator with the selected parameters, for a fit to all rows."""
        return clone(self.entrants[name].models[0]).set_params(**results[name].params)

    @property
    def error(self) -> str | None:
        """The name of the error if scores are minus an error."""
        scoring = self.settings.scoring
        if scoring is None:
            names = {"quantile": "mean quantile loss", "squared_hinge": "mean loss"}
            usual = "log loss" if self.settings.classifier else "mean squared error"
            return names.get(self.reader.loss, usual)
        scorer = check_scoring(self.reader, scoring=scoring)
        is_error = getattr(scorer, "_sign", 1) < 0 or not getattr(scorer, "greater_is_better", True)
        if not is_error:
            return None
        return (
            scoring.removeprefix("neg_").replace("_", " ") if isinstance(scoring, str) else "error"
        )

    def nested(self, task: FitTask) -> NestedEstimate | None:
        """Repeat the search on the training rows of each fold, and score it on the others.

        Returns None if a callback stops this.
        """
        cv = self.settings.cv
        if not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split")):
            raise ValueError(
                f"nested=True splits the training rows of each fold again, which the splits "
                f"cv={cv!r:.100} cannot. Pass a number of folds or a splitter, or nested=False."
            )
        X, y, sample_weight, _ = self.given
        name = type(self.reader).__name__
        rows = rows_of_data(self.reader, self.data, X, as_label_array(y, name), sample_weight)
        found, repeats = [], task.subtask("nested cross-validation", len(self.folds))
        for fold in self.folds:
            repeat = repeats.subtask("fold")
            found.append(self._nested_fold(fold, np.sort(rows[fold.train])))
            if repeat.end() and len(found) < len(self.folds):
                warn("A callback stopped the nested cross-validation: nested_ is None.")
                repeats.end()
                return None
        repeats.end()
        scores, others, selected, baselines = zip(*found, strict=True)
        return NestedEstimate(
            np.array(scores), np.array(others), list(selected), list(baselines), self.ratio
        )

    def _nested_fold(self, fold: Fold, rows: Array) -> tuple[float, float, str, str]:
        """The scores of a search in the training rows and of its baseline, and their names."""
        parts = [
            part if part is None or isinstance(part, Number) else _safe_indexing(part, rows)
            for part in self.given
        ]
        budget = self.settings.budget
        # The budget is for the search in all rows and those in the outer folds together.
        share = None if budget is None else budget / len(self.folds)
        inner = Comparison(replace(self.settings, budget=share), *parts)
        results = inner.run()
        scores = [
            self._held_out(inner.model(results, name), fold)
            for name in (results.selected, results.baseline)
        ]
        return scores[0], scores[1], results.selected, results.baseline

    def _held_out(self, model: Any, fold: Fold) -> float:
        """The score of a model fitted to the training rows of a fold."""
        (path,) = score_paths(
            [model],
            [None],
            self.data,
            [fold],
            self.measure,
            unbalanced=self.unbalanced,
            alphas=np.array([model.alpha]),
            n_jobs=None,
        )
        return float(path.scores[0, 0])


def make_reader(options: dict[str, Any], *, classifier: bool) -> Any:
    """The simplest structure's estimator, which reads the data for all."""
    reader = STRUCTURES[BASELINES[0]].make(classifier=classifier, options=options)
    assert is_classifier(reader) == classifier
    return reader
