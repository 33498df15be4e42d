"""Read the structures that a user names or gives, as models whose alpha is to be selected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid

from skmtl.model_selection._alpha import check_estimator
from skmtl.model_selection._same_params import accepts, is_same, overrides
from skmtl.model_selection._structures import BASELINES, CONVEX, STRUCTURES, Structure

# What is left of the catalogue with a single task.
_SINGLE = ("independent", "block_sparse")
# The same in all models: they determine how labels are read, and the loss F, in which a structure
# would otherwise differ from the others too. The quantile counts only with its loss.
_COMMON = ("scale_tasks", "class_weight", "offset_column", "prior_coef", "loss", "quantile")
_GIVEN_ELSEWHERE = {
    "alpha": "alpha is selected by cross-validation; pass alphas",
    "task_column": "pass task_column to the search",
    "graph": "pass graph to the search",
}


@dataclass(frozen=True)
class Entrant:
    """A structure and its models.

    Attributes
    ----------
    name : str
    models : list of estimators
        One for each combination of the parameters that are selected together with alpha.
    grid : tuple of str
        The names of these parameters.
    family : str
        Models of a family differ only in their penalty, and in what of the coefficients is pooled.
    eligible : bool
        Whether the structure may be selected; if not, it only serves as a baseline.
    """

    name: str
    models: list[Any]
    grid: tuple[str, ...]
    family: str
    eligible: bool = True

    def parameters(self, number: int) -> dict[str, Any]:
        """The values of the parameters in the grid of a model."""
        return {name: getattr(self.models[number], name) for name in self.grid}


def read_structures(
    structures: Any, options: Mapping[str, Any], *, classifier: bool, n_tasks: int
) -> list[Entrant]:
    """The structures in ascending order of flexibility, including both baselines.

    Parameters
    ----------
    structures : "auto", str, sequence or dict
    options : mapping
        Parameters of all models that have them.
    classifier : bool
    n_tasks : int

    Raises
    ------
    ValueError
        If there is no structure, a name is unknown or occurs twice, or an estimator does not suit.
    """
    names, own = _read_names(structures)
    if n_tasks == 1:
        # Every other structure of a single task equals one of these.
        names = [name for name in names if name in _SINGLE] or list(_SINGLE[: not own])
    baselines = BASELINES if n_tasks > 1 else BASELINES[:1]
    entrants = []
    for name, structure in STRUCTURES.items():
        if name in names or name in baselines:
            entrants.append(
                _of_catalogue(structure, options, classifier, n_tasks, eligible=name in names)
            )
    reader = entrants[0].models[0]
    return entrants + [_of_user(*entry, options, reader) for entry in own]


def check_params(params: Mapping[str, Any] | None, *, classifier: bool) -> None:
    """Raise unless some structure has each of the parameters, which no other argument sets."""
    known = {
        name
        for structure in STRUCTURES.values()
        for name in structure.kind(classifier=classifier)._get_param_names()  # type: ignore[attr-defined]
    }
    for name, value in (params or {}).items():
        if name in _GIVEN_ELSEWHERE:
            raise ValueError(
                f"params must not contain {name!r}, got {value!r}: {_GIVEN_ELSEWHERE[name]}."
            )
        if name not in known:
            raise ValueError(
                f"params contains {name!r}, which no structure has. Known are "
                f"{sorted(known - _GIVEN_ELSEWHERE.keys())}; pass parameters of an estimator of "
                f"your own to that estimator."
            )


def _read_names(structures: Any) -> tuple[list[str], list[tuple[str, Any, Any]]]:
    """The names from the catalogue, and (name, estimator, grid) of the user's own structures."""
    if isinstance(structures, str):
        structures = CONVEX if structures == "auto" else [structures]
    if isinstance(structures, Mapping):
        structures = [
            (name, *value) if isinstance(value, tuple) else (name, value)
            for name, value in structures.items()
        ]
    names, own = [], []
    for entry in structures if isinstance(structures, Iterable) else [structures]:
        if isinstance(entry, str):
            if entry not in STRUCTURES:
                raise ValueError(
                    f"Unknown structure {entry!r}. Known are {[*STRUCTURES]}; pass any other as a "
                    f"tuple (name, estimator) or (name, estimator, grid)."
                )
            names.append(entry)
        elif isinstance(entry, tuple) and len(entry) in (2, 3) and isinstance(entry[0], str):
            own.append((entry[0], entry[1], entry[2] if len(entry) == 3 else {}))
        else:
            raise ValueError(
                f"A structure must be one of {[*STRUCTURES]}, a tuple (name, estimator) or (name, "
                f"estimator, grid); got {entry!r}."
            )
    every = names + [name for name, _, _ in own]
    if not every:
        raise ValueError('structures is empty. Use "auto", or name at least one structure.')
    twice = {name for name in every if every.count(name) > 1}
    taken = twice or {name for name, _, _ in own if name in BASELINES}
    if taken:
        raise ValueError(
            f"Two structures are called {min(taken)!r}. Give each structure a name of its own."
        )
    return names, own


def _of_catalogue(
    structure: Structure,
    options: Mapping[str, Any],
    classifier: bool,
    n_tasks: int,
    *,
    eligible: bool,
) -> Entrant:
    models = structure.candidates(classifier=classifier, options=options)
    # At most as many clusters as tasks.
    fitting = [m for m in models if (getattr(m, "n_clusters", None) or 1) <= n_tasks]
    grid = tuple(name for name in structure.grid if name not in options)
    return Entrant(structure.name, fitting or models, grid, "catalogue", eligible)


def _of_user(
    name: str, estimator: Any, grid: Any, options: Mapping[str, Any], reader: Any
) -> Entrant:
    """An estimator of the user, with the options that it has."""
    check_estimator(estimator, "A search over structures")
    if is_classifier(estimator) != is_classifier(reader):
        kind = "classifier" if is_classifier(reader) else "regressor"
        raise ValueError(f"The structure {name!r} must be a {kind}, got {estimator!r}.")
    if not isinstance(grid, Mapping) or "alpha" in grid:
        raise ValueError(
            f"The grid of the structure {name!r} must be a dict of lists without alpha, which is "
            f"selected from alphas; got {grid!r}."
        )
    base = clone(estimator)
    known = base.get_params(deep=False)
    shared = {key: value for key, value in options.items() if key in known}
    for key in ("task_column", "graph"):
        if key in shared and overrides(base, key, shared[key]):
            raise ValueError(
                f"The search sets {key} for all structures: {name!r} has {known[key]!r:.200}, the "
                f"search {shared[key]!r:.200}. Pass {key}={known[key]!r:.200} to the search."
            )
    base.set_params(**shared)
    lists = {key: list(values) for key, values in grid.items()}
    models = [clone(base).set_params(**values) for values in ParameterGrid(lists)]
    for model in models:
        _check_common(name, model, reader)
    return Entrant(name, models, tuple(grid), name)


def _check_common(name: str, model: Any, reader: Any) -> None:
    """Raise unless a model of the user reads data, and measures errors, as the others do."""
    for key in _COMMON:
        given, needed = getattr(model, key, None), getattr(reader, key, None)
        if is_same(given, needed) or (key == "quantile" and reader.loss != "quantile"):
            continue
        remedy = f"Pass params={{{key!r}: {given!r:.200}}} to the search"
        if not accepts(reader, key, given):
            remedy = (
                f"The others do not accept it: use {key}={needed!r:.200}, or leave {name!r} out, "
                f"and select its alpha by AlphaSearchCV"
            )
        raise ValueError(
            f"All structures must have the same {key}: {name!r} has {given!r:.200}, the others "
            f"{needed!r:.200}. {remedy}."
        )
