"""One BLAS thread for small matrices."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skmtl import TaskRelationRegressor
from skmtl._numerics import one_blas_thread


def blas_threads():
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


def test_the_limit_applies_inside_and_is_removed_afterwards():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_blas_thread():
            assert set(blas_threads()) <= {1}
            with one_blas_thread():
                assert set(blas_threads()) <= {1}
            assert set(blas_threads()) <= {1}
        assert blas_threads() == before


def test_an_error_removes_it():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert blas_threads() == before


def test_overlapping_threads_restore_the_number():
    inside, leave = threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        thread = threading.Thread(target=first)
        thread.start()
        inside.wait(10)
        with one_blas_thread():
            assert set(blas_threads()) <= {1}
            leave.set()
            thread.join()
        assert blas_threads() == before


def test_a_fit_restores_the_number():
    rng = np.random.default_rng(0)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        TaskRelationRegressor().fit(rng.normal(size=(60, 5)), rng.normal(size=(60, 4)))
        assert blas_threads() == before
