"""Random problems by seed; ``python -m tests.fuzz --cases 2000`` for more."""

import pytest

from tests.fuzz.__main__ import run
from tests.fuzz.cases import draw


@pytest.mark.turns(5)
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_a_documented_error_or_a_certified_fit(first):
    counts, violations = run(20, first)
    assert not violations
    assert counts["fitted"] and counts["compared with cvxpy"]


def test_cases_are_determined_by_their_seeds():
    assert str(draw(3)) == str(draw(3)) != str(draw(4))
