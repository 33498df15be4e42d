"""The pages of the documentation: the API reference is complete, and names and links resolve."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

import skmtl
from docs.house import FILES, MOVED, package_of
from skmtl import BlockSparseRegressor, LowRankRegressor
from skmtl._site import SITE
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.penalties import L21, Ridge

DOCS = Path(__file__).resolve().parent.parent / "docs"
INDEX = DOCS / "api" / "index.rst"
# The names in the API reference, in their order there.
LISTED = re.findall(r"^   (skmtl\.[\w.]+)$", INDEX.read_text(), re.MULTILINE)
# Exported for other packages of skmtl, and not for users.
INTERNAL = {
    "design": None,  # all names that are not listed
    "estimators": None,  # users import them from skmtl
    "objective": None,
    "solvers": None,
    "inspection": {
        *("FittedTasks", "LinearModel", "count_of", "feature_names", "find_last"),
        *("find_task_column", "holm", "largest"),
    },
    "losses": {
        *("FunnelLoss", "GivenSlopesLoss", "OffsetLoss", "SmoothQuantileLoss", "log_reached"),
        "losses_by_name",
    },
    "metrics": {"TaskScorer"},
    "model_selection": {"Delegation", "check_estimator", "make_folds", "rows_of_data"},
    "penalties": {
        *("Composite", "FactoredPenalty", "RowConcave", "RowMajoriser", "TaskPrecision"),
        *("Terms", "split"),
    },
    "preprocessing": {"insert_task_column"},
    "skmtl": {"__version__"},
    "warmup": {"count_compiled"},
}


def exported(package: str) -> set[str]:
    """The public names of a package or module of skmtl, or of skmtl itself."""
    module = importlib.import_module("skmtl" if package == "skmtl" else f"skmtl.{package}")
    names = getattr(module, "__all__", None)
    if names is not None:
        return set(names)
    found = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    return found


PACKAGES = sorted(
    {"skmtl"}
    | {name for name in map(package_of, FILES) if not name.startswith("_") and name not in MOVED}
)


def test_no_name_is_listed_twice():
    assert len(LISTED) == len(set(LISTED))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_listed(package):
    prefix = "skmtl." if package == "skmtl" else f"skmtl.{package}."
    listed = {
        name.removeprefix(prefix)
        for name in LISTED
        if name.startswith(prefix) and "." not in name.removeprefix(prefix)
    }
    names = exported(package)
    assert listed <= names, "the API reference lists what the package does not export"
    internal = INTERNAL.get(package, set())
    if internal is None:
        return
    assert internal <= names and not internal & listed
    # Estimators of subpackages that skmtl exports too are listed there.
    elsewhere = set() if package == "skmtl" else set(skmtl.__all__)
    assert names - internal - elsewhere == listed - elsewhere


@pytest.mark.parametrize("name", LISTED)
def test_listed_names_have_docstrings(name):
    module, _, attribute = name.rpartition(".")
    value = getattr(importlib.import_module(module), attribute)
    assert inspect.getdoc(value)


def test_estimators_link_to_their_pages():
    found = []
    for name in LISTED:
        module, _, attribute = name.rpartition(".")
        value = getattr(importlib.import_module(module), attribute)
        if isinstance(value, type) and issubclass(value, BaseEstimator):
            # Without the constructor, whose parameters may be required.
            assert value.__new__(value)._get_doc_link() == f"{SITE}/api/generated/{name}.html"
            found.append(name)
    assert len(found) > 60


@pytest.mark.parametrize(
    "estimator",
    [
        BlockSparseRegressor(),
        AuxiliaryTaskRegressor(LowRankRegressor(), auxiliary=[-1]),
        L21() + Ridge(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_the_html_view_holds_the_link(estimator):
    view = estimator_html_repr(estimator)
    cls = type(estimator)
    module = "skmtl" if hasattr(skmtl, cls.__name__) else ".".join(cls.__module__.split(".")[:2])
    assert f'href="{SITE}/api/generated/{module}.{cls.__name__}.html"' in view


def test_classes_of_users_have_no_link():
    class Mine(BlockSparseRegressor):
        pass

    assert Mine()._get_doc_link() == ""
