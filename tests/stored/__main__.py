"""``python -m tests.stored``: write the files that later versions must still read.

A new version adds files; those of older versions stay as they are.
"""

import pickle
from pathlib import Path

import numpy as np

from skmtl import BlockSparseRegressor, TaskRelationClassifier, TaskRelationRegressor
from tests.statistics_cases import make_case

FOLDER = Path(__file__).parent


def main(version: str) -> None:
    """Write fitted estimators, with data and their predictions, and statistics."""
    stacked, shared = make_case("stacked"), make_case("shared")
    classes = (shared.y > shared.y.mean(axis=0)).astype(float)
    models = {
        "block": (BlockSparseRegressor(0.1).fit(shared.X, shared.y), shared.X),
        "relation": (
            TaskRelationRegressor(0.1, task_column=-1).fit(stacked.X, stacked.y),
            stacked.X,
        ),
        "classes": (TaskRelationClassifier(0.1).fit(shared.X, classes), shared.X),
    }
    kept = {
        name: {"model": model, "X": X[:20], "predicted": np.asarray(model.predict(X[:20]))}
        for name, (model, X) in models.items()
    }
    (FOLDER / f"estimators-{version}.pkl").write_bytes(pickle.dumps(kept, protocol=4))
    stacked.statistics().save(FOLDER / f"statistics-{version}.npz")


if __name__ == "__main__":
    from skmtl import __version__

    main(__version__)
