"""Studies of relations between tasks that have different losses."""

import numpy as np
import pytest
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import IndependentTaskClassifier, IndependentTaskRegressor, MultiTaskRegressor
from skmtl.inspection import select_auxiliary_tasks, task_affinity, transfer_gain
from skmtl.inspection._separate import SeparateTasks
from skmtl.inspection._transfer_models import alpha_grid
from skmtl.model_selection import alpha_max
from skmtl.penalties import L21, Ridge

LOSS = {0: "squared", 1: "poisson", 2: "logistic", 3: "quantile"}
SMOOTH = {task: LOSS[task] for task in range(3)}


@pytest.fixture(scope="module")
def mixed():
    """X, and an amount, a count, a class and another amount."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(75, 3))
    z = X @ rng.normal(size=(3, 4))
    noise = rng.normal(size=75)
    Y = [z[:, 0] + noise, rng.poisson(np.exp(z[:, 1] / 2)), z[:, 2] + noise > 0, z[:, 3] - noise]
    return X, np.column_stack(Y).astype(float)


@pytest.fixture(scope="module")
def amounts():
    """X and four amounts with missing labels."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3))
    Y = X @ np.outer([1, 2, 0], [1, 1, 1, 0.0]) + rng.normal(size=(60, 4))
    Y[:10, 1] = np.nan
    return X, Y


@pytest.mark.slow
def test_separate_fits_are_those_of_the_baselines(mixed):
    X, Y = mixed
    Y = Y.copy()
    Y[:20, 0] = Y[30:40, 2] = np.nan
    rng = np.random.default_rng(2)
    A, columns = np.column_stack([X, rng.normal(size=(75, 4))]), [3, 4, 5, 6]
    model = MultiTaskRegressor(loss=LOSS, quantile=0.7, scale_tasks=True, tol=1e-6)
    model.set_params(offset_column=columns)
    found = SeparateTasks(model).fit(A, Y)
    for task, loss in LOSS.items():
        seen = ~np.isnan(Y[:, task])
        alone = IndependentTaskClassifier("cv", offset_column=3, tol=1e-6)
        if loss != "logistic":
            alone = IndependentTaskRegressor(
                "cv", loss=loss, quantile=0.7, scale_tasks=True, offset_column=3, tol=1e-6
            )
        own = A[:, [0, 1, 2, 3 + task]]
        alone.fit(own[seen], Y[seen][:, [task]])
        np.testing.assert_allclose(found.model_.coef_[task], alone.coef_[0], atol=1e-3)
        mean = alone.predict_proba(own) if loss == "logistic" else alone.predict(own)
        np.testing.assert_allclose(found.predict(A)[:, task], mean[:, 0], atol=1e-2)


def test_gains_by_hand(mixed):
    X, Y = mixed
    X, Y = X[:40], Y[:40]
    model = MultiTaskRegressor(0.1, penalty=L21(), loss=LOSS, quantile=0.7, tol=1e-3)
    model = make_pipeline(StandardScaler(), model)
    folds = KFold(2)
    result = transfer_gain(model, X, Y, baselines=["independent"], cv=folds, tune=False)
    assert result.loss_name == "squared error or quantile loss"
    gains = result["independent"].gain
    by_fold = []
    for train, test in folds.split(X):
        own = model.fit(X[train], Y[train]).predict(X[test])
        scaler = StandardScaler().fit(X[train])
        alone = SeparateTasks(model[-1]).fit(scaler.transform(X[train]), Y[train])
        other = alone.predict(scaler.transform(X[test]))
        losses = []
        for predicted in (own, other):
            error = Y[test] - predicted
            squared = (error**2).mean(axis=0)
            pinball = np.where(error[:, 3] > 0, 0.7 * error[:, 3], -0.3 * error[:, 3]).mean()
            losses.append([*squared[:3], pinball])
        by_fold.append(np.subtract(losses[1], losses[0]))
    np.testing.assert_allclose(gains, np.mean(by_fold, axis=0), atol=1e-8)


def test_gains_with_selected_strengths(mixed):
    X, Y = mixed
    model = MultiTaskRegressor(loss=SMOOTH)
    result = transfer_gain(model, X, Y[:, :3], baselines=["independent"], cv=2, n_repeats=1)
    assert np.isfinite(result["independent"].gain).all()
    assert result.loss_name == "mean squared error"


def test_one_loss_given_by_task_changes_nothing(amounts):
    X, Y = amounts
    by_task = MultiTaskRegressor(0.1, loss=dict.fromkeys(range(4), "squared"))
    plain = MultiTaskRegressor(0.1)
    settings = {"cv": KFold(3), "tune": False}
    gains = transfer_gain(by_task, X, Y, baselines=[("plain", plain)], **settings)["plain"].gain
    np.testing.assert_allclose(gains, 0, atol=1e-12)


# Huber's loss with a large delta is the squared loss.
HUBER = {"loss": {0: "squared", 1: "huber", 2: "squared", 3: "huber"}, "huber_delta": 1e6}


@pytest.mark.parametrize("tune", [False, True])
def test_affinity(amounts, tune):
    X, Y = amounts
    settings = {"kind": "leave_one_out", "tune": tune, "random_state": 0}
    plain = task_affinity(MultiTaskRegressor(0.1, tol=1e-8), X, Y, **settings)
    found = task_affinity(MultiTaskRegressor(0.1, **HUBER, tol=1e-8), X, Y, **settings)
    # The mean squared error of labels with the squared loss, and half of it with Huber's.
    halves = np.array([[1.0], [0.5], [1.0], [0.5]])
    np.testing.assert_allclose(found.matrix, halves * plain.matrix, atol=1e-5)
    assert found.loss_name == "the loss of the task"


@pytest.mark.turns(2)
@pytest.mark.parametrize(("main", "factor"), [(0, 1.0), (1, 0.5)])
def test_auxiliary_tasks(amounts, main, factor):
    X, Y = amounts
    settings = {"main": main, "tune": False, "max_tasks": 1, "random_state": 0}
    plain = select_auxiliary_tasks(MultiTaskRegressor(0.1, tol=1e-8), X, Y, **settings)
    given = MultiTaskRegressor(0.1, **HUBER, tol=1e-8)
    found = select_auxiliary_tasks(given, X, Y, **settings)
    np.testing.assert_allclose(found.losses, factor * plain.losses, rtol=1e-4)
    assert found.gain == pytest.approx(factor * plain.gain, abs=1e-4)
    assert found.tasks.tolist() == plain.tasks.tolist()


def test_auxiliary_tasks_of_a_class(mixed):
    X, Y = mixed
    model, settings = MultiTaskRegressor(0.1, loss=SMOOTH), {"tune": False, "random_state": 0}
    found = select_auxiliary_tasks(model, X, Y[:, :3], main=2, max_tasks=1, **settings)
    # Better than the loss of the constant 1/2.
    assert found.losses[0] < np.log(2)


def test_tasks_without_a_minimiser_may_be_left_out(mixed):
    X, Y = mixed
    labels = Y.copy()
    labels[:, 1] = 0
    model = MultiTaskRegressor(0.1, loss=LOSS)
    with pytest.warns(UserWarning, match=r"the same in the tasks \[1\]"):
        model.fit(X, labels)
    assert not model.coef_[1].any() and model.coef_[[0, 2, 3]].any(axis=1).all()


class TestErrors:
    def test_baselines(self, mixed):
        X, Y = mixed
        model = MultiTaskRegressor(loss=LOSS)
        with pytest.raises(ValueError, match=r"baselines=\['independent'\]"):
            transfer_gain(model, X, Y)
        with pytest.raises(ValueError, match="does not take groups"):
            transfer_gain(model, X, Y, baselines=["independent"], groups=np.arange(75) // 3)
        logistic = MultiTaskRegressor(loss="logistic")
        with pytest.raises(ValueError, match="loss='logistic'"):
            transfer_gain(logistic, X, Y > 0, baselines=["pooled"])

    def test_of_the_data_are_not_taken_for_a_lack_of_alpha_max(self, mixed):
        X, Y = mixed
        assert alpha_grid(MultiTaskRegressor(penalty=Ridge()), X, Y)[0] > 0
        with pytest.raises(ValueError, match="No finite alpha"):
            alpha_max(MultiTaskRegressor(penalty=Ridge()), X, Y)
        broken = MultiTaskRegressor(penalty=L21(-1.0))
        with pytest.raises(ValueError, match="'alpha' parameter of L21"):
            alpha_grid(broken, X, Y)
