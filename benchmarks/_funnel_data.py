"""The data of benchmarks.funnel, and the scores of its contenders on them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from benchmarks._funnel_contenders import CONTENDERS, log_losses, predict_tuned
from benchmarks._report import Record
from skmtl.datasets import make_funnel

Array = NDArray[Any]

# Impressions for each click rate: the rarer the clicks, the more impressions.
SIZES = {0.01: 8_000, 0.05: 4_000, 0.2: 2_500}
N_FEATURES, N_TEST = 20, 20_000
# Share of all rows that would buy, had they clicked.
BOUGHT = 0.2
# Of the hidden feature on the log-odds of click and purchase.
CONFOUNDING = {"well specified": 0.0, "confounded": 1.5}
N_BINS = 10
ALL = "all arms together"


def scores(truth: Array, p: Array, weights: Array) -> dict[str, float]:
    """AUC, log-loss and calibration error of probabilities; the truth may be probabilities too."""
    both, twice = np.repeat([1, 0], len(p)), np.tile(p, 2)
    signs = np.concatenate([weights * truth, weights * (1 - truth)])
    order = np.argsort(p, kind="stable")
    reached = np.cumsum(weights[order])
    bins = np.minimum((N_BINS * (reached - weights[order] / 2) / reached[-1]).astype(int), 9)
    gaps = np.bincount(bins, (weights * (p - truth))[order], N_BINS)
    return {
        "auc": float(roc_auc_score(both, twice, sample_weight=signs)),
        "log_loss": float(np.average(log_losses(truth, p), weights=weights)),
        "calibration": float(np.abs(gaps).sum() / (weights * truth).sum()),
    }


def run_simulated(rate: float, world: str, seed: int) -> list[Record]:
    """Fit all contenders to a simulated funnel, and score them against the known probabilities."""
    made = make_funnel(
        SIZES[rate] + N_TEST,
        N_FEATURES,
        rates=(rate, BOUGHT),
        confounding=CONFOUNDING[world],
        random_state=seed,
    )
    train, test = slice(None, SIZES[rate]), slice(SIZES[rate], None)
    everyone, clicks = np.ones(N_TEST), made.joint_proba[test, 0]
    targets = {
        "joint": (made.joint_proba[test, 1], everyone),
        "given a click": (made.conditional_proba[test, 1], clicks),
        "had all clicked": (made.interventional_proba[test, 1], everyone),
    }
    about = {"data": "simulated", "rate": rate, "world": world, "seed": seed}
    records = []
    for contender in CONTENDERS:
        found = predict_tuned(
            contender, made.data[train], made.target[train], made.data[test], seed
        )
        for name, (truth, weights) in targets.items():
            fitted = found.get("joint" if name == "joint" else "conditional")
            if fitted is not None:
                more = {"quantity": name, "method": contender.name, "alpha": fitted[1]}
                records.append(about | more | scores(truth, fitted[0], weights))
    return records


@lru_cache(maxsize=1)
def read_hillstrom(home: Path) -> tuple[Array, Array, Array]:
    """Features (n, 11), visit and conversion (n, 2), and the arm of each row."""
    with np.load(home / "hillstrom.npz", allow_pickle=False) as file:
        columns = [file["recency"], np.log(file["history"]), file["mens"], file["womens"]]
        columns.append(file["newbie"])
        for name in ("zip_code", "channel"):
            columns += [file[name] == value for value in np.unique(file[name])]
        Y = np.column_stack([file["visit"], file["conversion"]]).astype(float)
        return np.column_stack(columns).astype(float), Y, file["segment"]


def run_hillstrom(home: Path, arms: str, split: int, n_rows: int) -> list[Record]:
    """Fit all contenders to half of the rows; ``arms`` is "by arm" or ALL."""
    X, Y, segment = read_hillstrom(home)
    if n_rows < len(X):
        keep = np.random.default_rng(0).permutation(len(X))[:n_rows]
        X, Y, segment = X[keep], Y[keep], segment[keep]
    names = np.unique(segment)
    strata = 3 * np.searchsorted(names, segment) + Y.sum(axis=1).astype(int)
    halves = StratifiedKFold(2, shuffle=True, random_state=split // 2)
    train, test = list(halves.split(X, strata))[split % 2]
    records = []
    for contender in CONTENDERS:
        found: dict[str, Array] = {}
        chosen: dict[str, list[Any]] = {}
        for name in names if arms != ALL else [None]:
            rows, new = (part[(segment[part] == name) | (name is None)] for part in (train, test))
            A, B = X[rows], X[new]
            if name is None:
                A, B = (
                    np.column_stack([X[part], segment[part][:, None] == names[:-1]])
                    for part in (rows, new)
                )
            scaler = StandardScaler().fit(A)
            predicted = predict_tuned(
                contender, scaler.transform(A), Y[rows], scaler.transform(B), split
            )
            for what, (p, alpha) in predicted.items():
                found.setdefault(what, np.full(len(X), np.nan))[new] = p
                chosen.setdefault(what, []).append(alpha)
        for what, p in found.items():
            used = test if what == "joint" else test[Y[test, 0] > 0]
            quantity = "joint" if what == "joint" else "given a click"
            about = {"data": "hillstrom", "world": arms, "seed": split, "quantity": quantity}
            about |= {"method": contender.name, "alpha": chosen[what]}
            records.append(about | scores(Y[used, 1], p[used], np.ones(len(used))))
    return records
