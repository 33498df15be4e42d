"""Shared fixtures: where the real data are, and reproducible property tests."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Parallel processes with several threads each would only wait for each other. NumPy reads this
    # when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Rewrite the assertions of these modules, so that failures are explained as in tests.
pytest.register_assert_rewrite("nonconvex_families", "numpydoc_sections", "problems")

settings.register_profile("skmtl", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("skmtl")

_GOLDEN = (5**0.5 - 1) / 2
REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which .ci/run tests the oldest supported releases."""
    parser.addoption(
        "--brief",
        action="append",
        default=[],
        metavar="PATH",
        help="run only the first and the last case of each parametrised test in this folder or "
        "file of tests/; may be repeated",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Mark cases as slow before ``-m`` selects, and apply ``--brief`` to those that are left."""
    _take_turns(items)
    yield
    _be_brief(config, items)


def _take_turns(items: list[pytest.Item]) -> None:
    """Of a test marked ``turns(k)``, mark all but about one in k cases as slow."""
    counts: dict[str, int] = {}
    for item in items:
        marker = item.get_closest_marker("turns")
        if marker is not None:
            test = item.nodeid.partition("[")[0]
            number = counts[test] = counts.get(test, -1) + 1
            # Multiples of the golden ratio: in step with no parameter, and evenly spread.
            if number * _GOLDEN % 1 >= 1 / marker.args[0]:
                item.add_marker(pytest.mark.slow)


def _be_brief(config: pytest.Config, items: list[pytest.Item]) -> None:
    paths = {REPOSITORY / "tests" / path for path in config.getoption("--brief")}
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if not paths.isdisjoint((item.path, *item.path.parents)):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = {item for group in cases.values() for item in group[1:-1]}
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))


def _skip(needed: str) -> None:
    pytest.skip(f"real data not found: set SKMTL_DATA to the folder with {needed}")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of the real data sets; skip the test if there is none."""
    folder = Path(os.environ.get("SKMTL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        _skip("school.npz and the others")
    return folder


@pytest.fixture(scope="session")
def data_file(data_dir: Path) -> Callable[[str], Path]:
    """Return a function from a file's name to its path, which skips the test if it is missing."""

    def find(name: str) -> Path:
        path = data_dir / name
        if not path.is_file():
            _skip(name)
        return path

    return find
