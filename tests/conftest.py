"""Shared fixtures: where the real data are, and reproducible property tests."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Parallel processes with several threads each would only wait for each other. NumPy reads this
    # when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Rewrite the assertions of these modules, so that failures are explained as in tests.
pytest.register_assert_rewrite("nonconvex_families", "numpydoc_sections", "problems")

settings.register_profile("skmtl", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("skmtl")

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Apply ``--brief`` to the cases that ``-m`` has left."""
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
