"""The pages of the documentation: the API reference is complete, and names and links resolve."""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

import skmtl
from docs import decision_map
from docs.house import FILES, MOVED, package_of
from skmtl import BlockSparseRegressor, LowRankRegressor
from skmtl._site import SITE
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.penalties import L21, Ridge

if not FILES:
    pytest.skip("reads the sources, which are not beside the tests", allow_module_level=True)

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
        *("FittedTasks", "LinearModel", "check_task_column", "count_of", "feature_names"),
        *("find_last", "find_task_column", "holm", "largest"),
    },
    "losses": {
        *("FunnelLoss", "GivenSlopesLoss", "OffsetLoss", "SmoothQuantileLoss", "log_reached"),
        *("LOSS_NAMES", "loss_by_name", "losses_by_name", "mixed", "with_offset"),
    },
    "metrics": {"TaskScorer"},
    "model_selection": {"Delegation", "check_estimator", "make_folds", "rows_of_data"},
    "penalties": {
        *("CappedRows", "Composite", "FactoredPenalty", "MinimaxRows", "RowConcave"),
        *("RowMajoriser", "TaskPrecision", "Terms", "split"),
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


def test_listed_names_have_docstrings():
    assert not [name for name in LISTED if not inspect.getdoc(find(name))]


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


# The decision map.

LEAVES = [leaf for _, leaves in decision_map.MAP for leaf in leaves]
# The families of estimators that skmtl itself exports.
FAMILIES = {name.removesuffix("Regressor") for name in skmtl.__all__ if name.endswith("Regressor")}


def pages_of(index: Path) -> set[str]:
    """The pages in the toctrees of an index."""
    entries = re.findall(r"^   ([\w/]+)$", index.read_text(), re.MULTILINE)
    return {f"{index.parent.relative_to(DOCS)}/{entry}" for entry in entries}


def test_the_map_and_the_table_hold_every_family():
    in_map = {leaf.name.removesuffix("*") for leaf in LEAVES}
    in_table = {family.name for family in decision_map.FAMILIES}
    assert len(in_table) == len(decision_map.FAMILIES)
    assert in_map >= FAMILIES and in_table >= FAMILIES
    # The table has a row for each leaf that is a family of linear models of all targets.
    others = {"StructureSearch*CV", "kernels.TaskKernel", "auxiliary.AuxiliaryTask"}
    others |= {"funnel.EntireSpaceClassifier", "funnel.HurdleRegressor"}
    assert in_map - others == in_table


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.label)
def test_leaves_of_the_map_lead_to_pages(leaf):
    assert leaf.regressor in LISTED
    assert leaf.page is None or leaf.page in pages_of(DOCS / "guide" / "index.rst")


def test_the_drawing_has_a_link_for_each_leaf_and_fits_its_boxes():
    svg = decision_map.draw(lambda leaf: f"{leaf.regressor}.html")
    assert re.findall(r'<a href="([^"]+)"', svg) == [f"{leaf.regressor}.html" for leaf in LEAVES]
    # Two lines of an answer fit in a row, and a name of this length fits in its box.
    assert max(len(leaf.answer) for leaf in LEAVES) <= 2 * 38
    assert max(len(leaf.label) for leaf in LEAVES) <= 22


@pytest.mark.parametrize("family", decision_map.FAMILIES, ids=lambda family: family.name)
def test_the_table_names_parameters_that_exist(family):
    for ending in ("Regressor", "Classifier"):
        known = family.kind(ending)._parameter_constraints
        assert set(family.tuned) <= set(known)
        assert "task_column" in known


def test_the_pages_for_other_packages_explain_the_names_in_the_table():
    peers = "; ".join(family.peers for family in decision_map.FAMILIES)
    for package, pattern in {
        "malsar": r"Least_\w+",
        "rmtl": r"RMTL (\w+)",
        "scikit_learn": r"MultiTask\w+|MultiOutputRegressor",
        "mutar": r"mutar (\w+)",
    }.items():
        names = set(re.findall(pattern, peers))
        page = (DOCS / "coming_from" / f"{package}.rst").read_text()
        assert len(names) > 1 and all(name in page for name in names), package


@pytest.mark.parametrize(
    "family",
    [family for family in decision_map.FAMILIES if not family.is_convex],
    ids=lambda family: family.name,
)
def test_only_convex_families_take_the_quantile_loss(family):
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert "quantile" not in family.losses("Regressor")
    with pytest.raises(ValueError, match="quantile"):
        family.kind("Regressor")(loss="quantile").fit(X, X[:, :2])
    assert "quantile" in decision_map.FAMILIES[0].losses("Regressor")


# Links and names in the pages.

WRITTEN = [
    path
    for path in sorted(DOCS.rglob("*"))
    if path.suffix in {".rst", ".md"}
    and not {"_build", "_templates", "generated", "auto_examples", "backreferences"}
    & set(path.relative_to(DOCS).parts)
]
# Every page that has a source, or that a table of contents names: a build fails if one is missing.
PAGES = {str(path.relative_to(DOCS).with_suffix("")) for path in WRITTEN}
PAGES |= {
    str(Path(path.relative_to(DOCS).parent, entry))
    for path in WRITTEN
    for entry in re.findall(r"^   ([\w/]+)$", path.read_text(), re.MULTILINE)
}
ROLES = re.compile(r":(?:class|func|meth|attr|mod|obj|data):`(?:[^`<]*<)?~?(skmtl[\w.]*)>?`")


def find(name: str):
    """The object of this full name."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[k:]:
            found = getattr(found, attribute)
        return found
    raise AttributeError(name)


def has_page(name: str) -> bool:
    """Whether a name, or the class of a method, is in the API reference, or names a package."""
    if inspect.ismodule(find(name)):
        return name.rpartition(".")[2] in PACKAGES
    return name in LISTED or name.rpartition(".")[0] in LISTED


def test_names_in_pages_resolve():
    for page in WRITTEN:
        for name in set(ROLES.findall(page.read_text())):
            assert has_page(name), f"{page}: {name} has no page in the API reference"


def test_names_in_docstrings_resolve():
    # Internal docstrings may refer to internal names.
    for path in FILES:
        for name in set(ROLES.findall(path.read_text())):
            assert find(name) is not None, f"{path.name} refers to {name}"


def test_names_in_public_docstrings_have_pages():
    for name in LISTED:
        value = find(name)
        docs = [inspect.getdoc(value) or ""]
        if isinstance(value, type):
            members = (getattr(value, each, None) for each in dir(value) if each[0] != "_")
            docs += [inspect.getdoc(each) or "" for each in members if inspect.isroutine(each)]
        for other in set(ROLES.findall("\n".join(docs))):
            assert has_page(other), f"{name}: {other} has no page"


def test_links_between_pages_resolve():
    for page in WRITTEN:
        check_links(page)


def check_links(page):
    """Raise if a page links to one that does not exist."""
    folder = page.relative_to(DOCS).parent
    text = page.read_text()
    targets = re.findall(r":doc:`(?:[^`<]*<)?([\w/.-]+)>?`", text)
    # A link to a built page, whose heading must exist if it is that of CONTRIBUTING.
    for target, anchor in re.findall(r"<([\w/.-]+)\.html(?:#([\w-]+))?>`__", text):
        targets.append(target)
        if target.endswith("contributing"):
            headings = (DOCS.parent / "CONTRIBUTING.md").read_text()
            names = re.findall(r"^#+ (.*)$", headings, re.MULTILINE)
            assert anchor in {name.lower().replace(" ", "-") for name in names}
    for target in targets:
        place = target.lstrip("/") if target.startswith("/") else str(folder / target)
        place = str((DOCS / place).resolve().relative_to(DOCS))
        # The gallery is made by the build.
        assert place in PAGES or place.startswith("auto_examples/"), f"{page}: no page {target}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_linked_from_the_repository_exist(name):
    root = DOCS.parent
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", (root / name).read_text()):
        assert (root / target).exists(), f"{name} links to {target}"


def test_llms_txt_lists_pages_that_exist():
    lines = (DOCS / "llms.txt").read_text().splitlines()
    # The format of https://llmstxt.org: a title, a summary, then lists of links with a note each.
    assert lines[0] == "# skmtl" and lines[2].startswith("> ")
    sections = [line for line in lines if line.startswith("## ")]
    assert sections[-1] == "## Optional" and len(sections) > 3
    start = lines.index(sections[0])
    links = []
    for line in lines[start:]:
        if line and not line.startswith("## "):
            found = re.fullmatch(rf"- \[[^]]+\]\({re.escape(SITE)}/([\w/]+)\.html\): .+", line)
            assert found, line
            links.append(found[1])
    assert len(links) == len(set(links))
    for link in links:
        assert link in PAGES or link == "auto_examples/index", f"no page {link}"
    # Every page of the guide is among them.
    assert pages_of(DOCS / "guide" / "index.rst") <= set(links)


# A cell of a table that names one of our classes, and the next cell, with its parameters.
CELLS = re.compile(r"- :class:`[^`]*?~?(skmtl[\w.]+)>?`[^\n]*\n     - (.*(?:\n       .*)*)")


@pytest.mark.parametrize("page", sorted((DOCS / "coming_from").glob("*.rst")), ids=lambda p: p.stem)
def test_parameters_in_the_tables_for_other_packages_exist(page):
    for name, cell in CELLS.findall(page.read_text()):
        cls = find(name)
        if not isinstance(cls, type):
            continue
        rules = dict(cls._parameter_constraints)
        if "MultiTask" in cell:
            # An estimator for a variant.
            rules |= skmtl.MultiTaskRegressor._parameter_constraints
        for literal in re.findall(r"``([^`]+)``", cell):
            for parameter, value in re.findall(r"\b(\w+)=(?:\"([^\"]*)\")?", literal):
                assert parameter in rules, f"{name} has no {parameter}"
                options = [rule.options for rule in rules[parameter] if hasattr(rule, "options")]
                assert not value or value in set().union(*options), f"{parameter}={value!r}"
