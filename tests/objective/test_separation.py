"""Separable labels: no finite minimiser, and a warning."""

import warnings

import numpy as np
import pytest
from problems import separable, stacked

from skmtl import (
    CappedBlockSparseClassifier,
    GroupOverlapClassifier,
    MultiTaskRegressor,
    SparseTaskRelationClassifier,
)

SEPARABLE = [
    CappedBlockSparseClassifier(),
    CappedBlockSparseClassifier(penalty="mcp"),
    CappedBlockSparseClassifier(0.0),
    GroupOverlapClassifier(0.0, random_state=0),
    SparseTaskRelationClassifier(0.0),
]


class TestSeparableLabels:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    @pytest.mark.parametrize("model", SEPARABLE, ids=str)
    def test_warns_and_stops(self, model, layout):
        X, Y = separable()
        params = {}
        if layout == "stacked":
            (X, Y), params = stacked(X, Y), {"task_column": -1}
        with pytest.warns(UserWarning, match="no finite minimiser.*Increase alpha"):
            model.set_params(**params).fit(X, Y)
        assert model.n_iter_ < 1000

    def test_inseparable_labels_do_not_warn(self):
        X, Y = separable()
        flipped = np.vstack([X, X]), np.vstack([Y, 1 - Y[:, ::-1]])
        for model in SEPARABLE:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message=".*no finite minimiser")
                model.set_params(task_column=None).fit(*flipped)

    def test_only_tasks_whose_loss_recedes_are_separated(self):
        X, Y = separable()
        mixed = np.column_stack([Y[:, 0], X @ np.arange(1, X.shape[1] + 1) + 100])
        loss = {0: "logistic", 1: "squared"}
        with pytest.warns(UserWarning, match="no finite minimiser.*Increase alpha"):
            MultiTaskRegressor(alpha=0.0, loss=loss).fit(X, mixed)
        # Each row with both classes.
        X, mixed = np.vstack([X, X]), np.vstack([mixed, [1, 0] + mixed * [-1, 1]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            MultiTaskRegressor(alpha=0.0, loss=loss).fit(X, mixed)

    def test_a_loss_with_a_minimum_does_not_warn(self):
        X, Y = separable()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            CappedBlockSparseClassifier(loss="squared_hinge").fit(X, Y)
