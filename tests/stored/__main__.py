"""``python -m tests.stored``: write the files that later versions must still read.

A new version adds files. Those that exist are never replaced, so that the tests read what an older
version has written.
"""

import pickle
import warnings
from pathlib import Path

import numpy as np

import skmtl
from skmtl.penalties import L1, L21, Ridge, Superposition
from tests.statistics_cases import make_case

FOLDER = Path(__file__).parent
N_STORED = 12
# Parameters that a family needs, or that make its fit store more.
PARAMS = {
    "MultiTask": {"penalty": Superposition(L21(0.1), L1(0.1)) + Ridge(0.01)},
    "GraphRegularized": {"graph": "chain"},
    "StructureSearch": {"structures": ["independent", "block_sparse"], "alphas": 4, "cv": 3},
}
SEARCH = {"alphas": 4, "cv": 3}


def estimators() -> dict[str, dict[str, object]]:
    """Every public estimator, fitted, with rows and what it predicts for them."""
    kept = {}
    for name in sorted(name for name in skmtl.__all__ if name[0].isupper()):
        family = name.removesuffix("CV").removesuffix("Regressor").removesuffix("Classifier")
        params = SEARCH if name.endswith("CV") else {}
        params = {**params, **PARAMS.get(family, {})}
        # A layout for each kind, so that the files hold both.
        classify = "Classifier" in name
        case = make_case("shared" if classify else "stacked", n=48, n_features=4, n_tasks=3)
        y = (case.y > case.y.mean(axis=0)).astype(float) if classify else case.y
        model = getattr(skmtl, name)(**params, **case.params)
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is stored need not be a good fit
            model.fit(case.X, y)
        X = case.X[:N_STORED]
        kept[name] = {"model": model, "X": X, "predicted": np.asarray(model.predict(X))}
        if hasattr(model, "predict_proba"):
            kept[name]["probabilities"] = np.asarray(model.predict_proba(X))
    return kept


def main(version: str) -> None:
    """Write the fitted estimators, and statistics in two layouts."""
    path = FOLDER / f"families-{version}.pkl"
    if not path.exists():
        path.write_bytes(pickle.dumps(estimators(), protocol=4))
    for name, layout in (("statistics", "stacked"), ("missing", "missing")):
        path = FOLDER / f"{name}-{version}.npz"
        if not path.exists():
            make_case(layout).statistics().save(path)


if __name__ == "__main__":
    main(skmtl.__version__)
