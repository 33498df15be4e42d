"""Jobs in threads and processes: the caller's warnings, filters and configuration."""

import threading
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from skmtl import BlockSparseRegressorCV, ClusteredTaskRegressorCV, TaskRelationClassifierCV
from skmtl._parallel import run_parallel
from skmtl._warnings import warn
from skmtl.datasets import make_block_sparse
from skmtl.inspection import transfer_gain
from skmtl.metrics import make_task_scorer, roc_auc_score

BACKENDS = ["threading", "loky"]


def warns_twice(number):
    warn("the same", ConvergenceWarning)
    warn(f"of {number}", ConvergenceWarning)
    warnings.warn("from elsewhere", RuntimeWarning, stacklevel=1)
    return number**2


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_warning_of_a_job_reaches_the_caller_once(n_jobs, backend):
    with joblib.parallel_config(backend), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        assert run_parallel(warns_twice, [(1,), (2,), (3,)], n_jobs) == [1, 4, 9]
    found = [(str(w.message), w.category) for w in caught]
    own = [("the same", ConvergenceWarning)] + [(f"of {k}", ConvergenceWarning) for k in (1, 2, 3)]
    assert [each for each in found if each[1] is ConvergenceWarning] == own
    assert set(found) == {*own, ("from elsewhere", RuntimeWarning)}
    # At the calling line in this file.
    assert {w.filename for w in caught if w.category is ConvergenceWarning} == {__file__}


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_callers_filters_hold_for_jobs(backend):
    with joblib.parallel_config(backend), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        run_parallel(warns_twice, [(1,), (2,)], 2)
    assert not caught
    with joblib.parallel_config(backend), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ConvergenceWarning, match="the same"):
            run_parallel(warns_twice, [(1,), (2,)], 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_jobs_see_the_callers_configuration(backend):
    with joblib.parallel_config(backend), sklearn.config_context(assume_finite=True):
        found = run_parallel(sklearn.get_config, [(), ()], 2)
    assert [each["assume_finite"] for each in found] == [True, True]


def test_jobs_whose_changes_of_the_filters_overlap_leave_them_as_they_were():
    inside = threading.Barrier(2, timeout=10)
    left = threading.Event()

    def change(first):
        # The first to enter leaves first; the second then restores the first one's settings.
        if not first:
            inside.wait()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if first:
                inside.wait()
            inside.wait()
            assert first or left.wait(10)
        left.set()

    before = warnings.filters[:]
    run_parallel(change, [(True,), (False,)], 2, prefer="threads")
    assert warnings.filters == before


def fit_block_sparse(dataset):
    Y = dataset.target.copy()
    BlockSparseRegressorCV(alphas=3, cv=4, n_jobs=2).fit(dataset.data, Y)


def fit_with_a_scorer(dataset):
    scorer = make_task_scorer(roc_auc_score, response_method="decision_function")
    labels = (dataset.target > 0).astype(int)
    model = TaskRelationClassifierCV(alphas=3, cv=4, n_jobs=2, scoring=scorer, tol=1e-2)
    model.fit(dataset.data, labels)


def fit_clusters(dataset):
    model = ClusteredTaskRegressorCV(n_clusters=2, alphas=3, cv=4, n_jobs=2, tol=1e-2)
    model.fit(dataset.data, dataset.target)


def measure_gain(dataset):
    with joblib.parallel_config("threading"):
        transfer_gain(
            Ridge(), dataset.data, dataset.target, cv=4, n_jobs=2, baselines={"0": Ridge(9)}
        )


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "fit",
    [fit_block_sparse, fit_with_a_scorer, fit_clusters, measure_gain],
    ids=lambda f: f.__name__,
)
def test_the_users_filters_are_left_alone(fit):
    dataset = make_block_sparse(40, 6, 3, n_informative=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The same list object: entries appended to a copy would be lost.
        before, kept = warnings.filters, warnings.filters[:]
        for _ in range(8):
            fit(dataset)
            assert warnings.filters is before and warnings.filters == kept


def test_a_fold_that_did_not_converge_says_so_at_the_users_line():
    dataset = make_block_sparse(60, 40, 5, n_informative=8, random_state=0)
    model = BlockSparseRegressorCV(alphas=[1e-4], max_iter=1, tol=1e-12, cv=3, solver="fista")
    messages = {}
    for n_jobs in (None, 2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.set_params(n_jobs=n_jobs).fit(dataset.data, dataset.target)
        stopped = [w for w in caught if w.category is ConvergenceWarning]
        messages[n_jobs] = [str(w.message) for w in stopped]
        assert {w.filename for w in stopped} == {__file__}
    # Three folds and the fit to all rows.
    assert messages[None] == messages[2] and len(messages[2]) == 4
    assert np.unique(messages[2]).size == 4
