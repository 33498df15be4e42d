"""The structures that tasks may share, by name, from the simplest to the most flexible."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import skmtl.estimators as estimators


@dataclass(frozen=True)
class Structure:
    """A structure, and the estimators that are tried for it.

    Attributes
    ----------
    name : str
    family : str
        The name of its estimators without the ending Regressor or Classifier.
    fixed : mapping
        Parameters that differ from the estimators' defaults.
    grid : mapping
        Parameters that are selected together with ``alpha``, and their values.
    """

    name: str
    family: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def kind(self, *, classifier: bool) -> type:
        """The class of its estimators."""
        kind: type = getattr(
            estimators, self.family + ("Classifier" if classifier else "Regressor")
        )
        return kind

    def make(self, *, classifier: bool, options: Mapping[str, Any]) -> Any:
        """An estimator with its fixed parameters and those options that its class has."""
        kind = self.kind(classifier=classifier)
        known = kind._get_param_names()  # type: ignore[attr-defined]
        return kind(**dict(self.fixed) | {name: options[name] for name in known if name in options})

    def candidates(self, *, classifier: bool, options: Mapping[str, Any]) -> list[Any]:
        """Estimators with all combinations of the grid's values, except of those in options."""
        grid = {name: values for name, values in self.grid.items() if name not in options}
        return [
            self.make(classifier=classifier, options=options).set_params(
                **dict(zip(grid, values, strict=True))
            )
            for values in product(*grid.values())
        ]


def _by_name(*structures: Structure) -> dict[str, Structure]:
    return {structure.name: structure for structure in structures}


# From the simplest to the most flexible: first the two baselines, then structures with one idea,
# then sums of two ideas, and last those whose objective is not convex.
STRUCTURES = _by_name(
    Structure("independent", "IndependentTask"),
    Structure("pooled", "PooledTask"),
    Structure("graph", "GraphRegularized", {"graph": "complete"}, {"ridge": (0.1, 0.01)}),
    Structure("block_sparse", "BlockSparse"),
    Structure("low_rank", "LowRank"),
    Structure("relation", "TaskRelation", grid={"ridge": (0.0, 1.0)}),
    Structure(
        "clustered",
        "ClusteredTask",
        {"between": 0.1},
        {"n_clusters": (2, 5), "mean": (0.0, 0.1)},
    ),
    Structure("fused", "FusedTask", {"graph": "complete"}, {"sparse": (0.1, 0.0)}),
    Structure("dirty", "DirtyModel", grid={"norm": ("l2", "linf")}),
    Structure("robust", "RobustTask", grid={"structure": ("low_rank", "block")}),
    Structure("sparse_low_rank", "SparseLowRank"),
    Structure("tree", "TreeGuided"),
    Structure("capped", "CappedBlockSparse", grid={"penalty": ("capped", "mcp")}),
    Structure("sparse_relation", "SparseTaskRelation", grid={"sparsity": (0.1, 0.03)}),
    Structure("group_overlap", "GroupOverlap"),
)
BASELINES = ("independent", "pooled")
# The structures that are tried by default: all with a convex objective, except the tree, which
# takes a fit of its own to learn.
CONVEX = tuple(STRUCTURES)[: [*STRUCTURES].index("tree")]
