"""The decision map of ``choosing.rst`` and its table of families, for ``drawings.py``.

The map is an inline SVG, so that the theme's colours, light or dark, apply to it. What the table
states about the classes is read from them where they know it; tests/test_docs.py checks the rest.
``python docs/decision_map.py FILE`` writes the map to a file.
"""

import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import skmtl
import skmtl.auxiliary
import skmtl.funnel
import skmtl.kernels
import skmtl.pretraining

QUESTION = "What do your tasks have in common?"


@dataclass(frozen=True)
class Leaf:
    """An answer, and the estimators for it.

    Attributes
    ----------
    answer : str
    name : str
        The class as users import it from skmtl, without the ending Regressor or Classifier if both
        exist.
    page : str or None
        The page of the user guide; None: the page of the class.
    """

    answer: str
    name: str
    page: str | None

    @property
    def regressor(self) -> str:
        """The full name of the class, or of the regressor."""
        return f"skmtl.{self.name.replace('*', 'Regressor')}"

    @property
    def label(self) -> str:
        """The name in the map."""
        return self.name.rpartition(".")[2]


def _family(name: str) -> str:
    return f"guide/families/{name}"


# The situations from the top of the map down, and the estimators for each.
MAP: tuple[tuple[str, tuple[Leaf, ...]], ...] = (
    (
        "I do not know: let the data decide",
        (Leaf("score all structures on the same folds", "StructureSearch*CV", None),),
    ),
    (
        "The same few features matter",
        (
            Leaf("to all tasks", "BlockSparse*", _family("block_sparse")),
            Leaf(
                "to all tasks, and large effects must not be shrunk",
                "CappedBlockSparse*",
                _family("capped_block_sparse"),
            ),
            Leaf(
                "to all tasks, and each may add some of its own",
                "DirtyModel*",
                _family("dirty_model"),
            ),
            Leaf("to the tasks of one branch of a tree", "TreeGuided*", _family("tree_guided")),
        ),
    ),
    (
        "The same few directions (combinations of features) matter",
        (
            Leaf("to all tasks", "LowRank*", _family("low_rank")),
            Leaf(
                "and I want the correlations between the tasks",
                "TaskRelation*",
                _family("task_relation"),
            ),
            Leaf(
                "each task combines only a few of them", "GroupOverlap*", _family("group_overlap")
            ),
            Leaf(
                "except for single coefficients of single tasks",
                "SparseLowRank*",
                _family("sparse_low_rank"),
            ),
        ),
    ),
    (
        "Some tasks are more alike than others",
        (
            Leaf("in clusters, known or unknown", "ClusteredTask*", _family("clustered")),
            Leaf("all alike, except for a few outliers", "RobustTask*", _family("robust")),
            Leaf(
                "neighbours in a known graph or order: similar",
                "GraphRegularized*",
                _family("graph_regularized"),
            ),
            Leaf(
                "neighbours in a known graph or order: equal, apart from jumps",
                "FusedTask*",
                _family("fused"),
            ),
            Leaf(
                "neighbours in a graph that is to be learned",
                "SparseTaskRelation*",
                _family("sparse_task_relation"),
            ),
        ),
    ),
    (
        "One model is nearly right for all",
        (
            Leaf("exactly right, up to the intercepts", "PooledTask*", _family("baselines")),
            Leaf(
                "each task adapts the pooled model",
                "pretraining.PretrainedTask*",
                _family("pretrained"),
            ),
            Leaf("only where it predicts better", "SafeTransfer*", _family("baselines")),
        ),
    ),
    (
        "Nothing",
        (Leaf("fit each task separately", "IndependentTask*", _family("baselines")),),
    ),
    (
        "Something else",
        (
            Leaf("a penalty or sum of penalties of my own", "MultiTask*", _family("own_penalties")),
            Leaf(
                "nonlinear functions, by Gaussian processes or SVMs",
                "kernels.TaskKernel",
                _family("kernels"),
            ),
        ),
    ),
    (
        "The targets play different roles",
        (
            Leaf(
                "some are known in training alone",
                "auxiliary.AuxiliaryTask*",
                "guide/auxiliary",
            ),
            Leaf(
                "each is possible only after the one before it",
                "funnel.EntireSpaceClassifier",
                "guide/funnel",
            ),
            Leaf("a yes or no, and an amount if yes", "funnel.HurdleRegressor", "guide/funnel"),
        ),
    ),
)


@dataclass(frozen=True)
class Family:
    """A row of the table.

    Attributes
    ----------
    name : str
        As in :class:`Leaf`, without the star.
    shares : str
        What the tasks share.
    tuned : tuple of str
        The parameters to select, the most important first.
    cost : str
        What an iteration costs on top of the products with X.
    peers : str
        Names of the same model in other packages.
    convex : str, optional
        Whether it is convex and certified, if there is more to say than ``is_convex``.
    """

    name: str
    shares: str
    tuned: tuple[str, ...]
    cost: str
    peers: str
    convex: str = ""

    def kind(self, ending: str) -> type:
        """The regressor or the classifier."""
        module, _, name = f"skmtl.{self.name}{ending}".rpartition(".")
        cls: type = getattr(sys.modules[module], name)
        return cls

    @property
    def is_convex(self) -> bool:
        """Whether the objective is convex."""
        return bool(self.kind("Regressor")._is_convex)  # type: ignore[attr-defined]

    @property
    def certified(self) -> str:
        """Whether it is convex and certified."""
        return self.convex or ("yes, by a duality gap" if self.is_convex else "no; stationarity")

    @property
    def search(self) -> str:
        """What selects its strengths by cross-validation, in reStructuredText."""
        name = f"{self.name}RegressorCV"
        if hasattr(skmtl, name):
            return f":class:`{self.name}*CV <skmtl.{name}>`"
        rules = self.kind("Regressor")._parameter_constraints  # type: ignore[attr-defined]
        if "alpha" not in rules:
            return "its ``fit``, by cross-validation"
        if any("cv" in getattr(rule, "options", ()) for rule in rules["alpha"]):
            return '``alpha="cv"``'
        return ":class:`AlphaSearchCV <skmtl.model_selection.AlphaSearchCV>`"

    @property
    def learns_new_tasks(self) -> bool:
        """Whether a fitted model can be extended by further tasks."""
        return hasattr(self.kind("Regressor"), "fit_new_task")

    def losses(self, ending: str) -> set[str]:
        """The losses of the regressor or the classifier."""
        rules = self.kind(ending)._parameter_constraints["loss"]  # type: ignore[attr-defined]
        losses = set().union(*(rule.options for rule in rules if hasattr(rule, "options")))
        # Refused in fit, since the non-convex fits need a gradient.
        return losses if self.is_convex else losses - {"quantile"}


_SMALLER = "an eigendecomposition of W'W or WW', whichever is smaller"
FAMILIES = (
    Family(
        "BlockSparse",
        "the same few features",
        ("alpha", "sparsity", "l1_ratio"),
        "only features in the working set are visited",
        "scikit-learn MultiTaskLasso, MultiTaskElasticNet; MALSAR Least_L21; RMTL L21; glmnet "
        "mgaussian; mutar GroupLasso",
    ),
    Family(
        "CappedBlockSparse",
        "the same few features, not shrunk",
        ("alpha", "threshold", "gamma"),
        "a convex problem in each of a few stages",
        "MALSAR Least_msmtfl_capL1",
    ),
    Family(
        "DirtyModel",
        "a few features, plus some of each task",
        ("alpha", "private", "norm"),
        "a prox for each of two parts",
        "MALSAR Least_Dirty; mutar DirtyModel",
    ),
    Family(
        "TreeGuided",
        "features within branches of a tree",
        ("alpha", "tree"),
        "one pass over the tree for each feature",
        "",
    ),
    Family(
        "LowRank",
        "few directions",
        ("alpha",),
        _SMALLER,
        "MALSAR Least_Trace; RMTL Trace",
    ),
    Family(
        "TaskRelation",
        "a covariance between tasks",
        ("alpha", "ridge"),
        _SMALLER,
        "multi-task relationship learning (MTRL)",
    ),
    Family(
        "GroupOverlap",
        "latent tasks, a few for each task",
        ("alpha", "n_latent", "ridge"),
        "a lasso for each task, then a ridge, in each stage",
        "GO-MTL",
    ),
    Family(
        "SparseLowRank",
        "few directions, plus single coefficients",
        ("alpha", "sparse"),
        f"{_SMALLER}, and a soft threshold",
        "MALSAR Least_SparseTrace",
    ),
    Family(
        "ClusteredTask",
        "centres of clusters",
        ("alpha", "n_clusters", "between", "mean"),
        f"{_SMALLER}; known clusters: one linear system",
        "MALSAR Least_CMTL, Least_CASO; RMTL CMTL",
    ),
    Family(
        "RobustTask",
        "few directions or features, except for outlier tasks",
        ("alpha", "outlier", "structure"),
        "a prox for each of two parts",
        "MALSAR Least_RMTL, Least_rMTFL",
    ),
    Family(
        "GraphRegularized",
        "similar coefficients of neighbours",
        ("alpha", "ridge", "sparse", "block"),
        "one linear system for all tasks",
        "MALSAR Least_SRMTL, Least_TGL; RMTL Graph",
    ),
    Family(
        "FusedTask",
        "equal coefficients of neighbours, apart from jumps",
        ("alpha", "sparse", "block"),
        "an exact prox along an order; a dual variable for each edge of another graph",
        "MALSAR Least_CFGLasso",
    ),
    Family(
        "SparseTaskRelation",
        "a sparse graph, which is learned",
        ("alpha", "sparsity"),
        "a graphical lasso on the tasks in each stage",
        "",
    ),
    Family(
        "PooledTask",
        "all coefficients",
        ("alpha", "intercept"),
        "one Gram matrix for all tasks together",
        "scikit-learn Ridge on all rows; lme4, statsmodels: random intercepts",
    ),
    Family(
        "pretraining.PretrainedTask",
        "a pooled lasso, which tasks adapt",
        ("alpha", "pretraining", "pooled_alpha"),
        "a pooled lasso, then a separate lasso for each task",
        "ptLasso",
        "yes, each of the two fits",
    ),
    Family(
        "SafeTransfer",
        "what the chosen estimator shares, where it helps",
        ("estimator", "gate"),
        "three fits, each with a cross-validation",
        "",
        "its component fits only",
    ),
    Family(
        "IndependentTask",
        "nothing",
        ("alpha",),
        "one Gram matrix for each task",
        "scikit-learn MultiOutputRegressor(Ridge())",
    ),
    Family(
        "MultiTask",
        "what the penalty says",
        ("alpha", "penalty"),
        "the prox of the penalty, or of each of its summands",
        "",
    ),
)

# Positions in units of the SVG, which is scaled to the width of the page.
_WIDTH, _ROW, _GAP, _TOP = 764, 40, 14, 64
_BRANCH, _BRANCH_WIDTH, _ANSWER, _LEAF, _LEAF_WIDTH = 26, 184, 248, 562, 200
_TRUNK = 12
_LINE = 16  # between lines of text

STYLE = """
.decision-map { overflow-x: auto; margin: 1rem 0; }
.decision-map svg { width: 100%; min-width: 600px; height: auto; font-size: 13.5px; }
.decision-map text { fill: var(--pst-color-text-base, currentColor); }
.decision-map .box { fill: var(--pst-color-surface, none);
  stroke: var(--pst-color-border, currentColor); }
.decision-map .line { fill: none; stroke: var(--pst-color-text-muted, currentColor);
  stroke-opacity: 0.6; }
.decision-map a { color: var(--pst-color-link, currentColor); }
.decision-map a .box { stroke: var(--pst-color-primary, currentColor); }
.decision-map a text { fill: var(--pst-color-link, currentColor);
  font-family: var(--pst-font-family-monospace, monospace); }
.decision-map a:hover .box, .decision-map a:focus .box { stroke-width: 2.5; }
.decision-map a:hover text { text-decoration: underline; }
.decision-map .question { font-weight: 600; font-size: 16px; }
"""


def _text(lines: list[str], x: float, y: float, kind: str = "") -> str:
    """Lines of text, centred vertically at y."""
    first = y - _LINE * (len(lines) - 1) / 2
    spans = "".join(
        f'<tspan x="{x:g}" y="{first + k * _LINE:g}">{escape(line)}</tspan>'
        for k, line in enumerate(lines)
    )
    named = f' class="{kind}"' if kind else ""
    return f'<text dominant-baseline="central"{named}>{spans}</text>'


def _box(x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="box" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'


def _line(path: str) -> str:
    return f'<path class="line" d="{path}"/>'


def draw(link: Callable[[Leaf], str]) -> str:
    """The map as an SVG with a style; ``link`` gives the address of a leaf."""
    parts: list[str] = []
    y = float(_TOP)
    last = y
    for situation, leaves in MAP:
        height = _ROW * len(leaves)
        last = middle = y + height / 2
        lines = textwrap.wrap(situation, 22)
        tall = _LINE * len(lines) + 14
        parts.append(_line(f"M {_TRUNK} {middle:g} H {_BRANCH}"))
        parts.append(_box(_BRANCH, middle - tall / 2, _BRANCH_WIDTH, tall))
        parts.append(_text(lines, _BRANCH + 10, middle))
        right = _BRANCH + _BRANCH_WIDTH
        for k, leaf in enumerate(leaves):
            at = y + _ROW * (k + 0.5)
            bend = (right + _ANSWER - 8) / 2
            parts.append(
                _line(
                    f"M {right} {middle:g} C {bend} {middle:g} {bend} {at:g} {_ANSWER - 8} {at:g}"
                )
            )
            parts.append(_text(textwrap.wrap(leaf.answer, 39), _ANSWER, at))
            parts.append(_line(f"M {_LEAF - 18} {at:g} H {_LEAF}"))
            parts.append(
                f'<a href="{escape(link(leaf))}">{_box(_LEAF, at - 15, _LEAF_WIDTH, 30)}'
                f"{_text([leaf.label], _LEAF + 10, at)}</a>"
            )
        y += height + _GAP
    parts.insert(0, _line(f"M {_TRUNK} {_TOP - 18} V {last:g}"))
    parts.insert(1, _text([QUESTION], 0, _TOP - 36, "question"))
    described = "Decision map: from what the tasks have in common to an estimator"
    return (
        f'<style>{STYLE}</style><div class="decision-map"><svg viewBox="0 0 {_WIDTH} {y:g}" '
        f'xmlns="http://www.w3.org/2000/svg" role="group" aria-label="{described}">'
        f"{''.join(parts)}</svg></div>"
    )


def _loss_cell(family: Family) -> str:
    """The losses, in words."""
    usual = FAMILIES[0].losses("Regressor")
    regression = family.losses("Regressor") - {"logistic"}
    text = "all" if regression == usual else f"all but {', '.join(sorted(usual - regression))}"
    classes = sorted(name.replace("_", " ") for name in family.losses("Classifier"))
    return f"{text}; {', '.join(classes)}"


def table() -> str:
    """The table of families, in reStructuredText."""
    rows = [
        (
            "Estimator",
            "Tasks share",
            "Convex, certified",
            "Losses: regression; classification",
            "Layouts",
            "Cost per iteration, besides products with X",
            "Parameters to tune",
            "Selected by",
            "New tasks",
            "Elsewhere",
        )
    ]
    for family in FAMILIES:
        label = family.name.rpartition(".")[2]
        has_column = "task_column" in family.kind("Regressor")._parameter_constraints  # type: ignore[attr-defined]
        rows.append(
            (
                f":class:`{label}* <skmtl.{family.name}Regressor>`",
                family.shares,
                family.certified,
                _loss_cell(family),
                "shared, stacked" if has_column else "shared",
                family.cost,
                ", ".join(f"``{name}``" for name in family.tuned),
                family.search,
                "yes" if family.learns_new_tasks else "",
                family.peers,
            )
        )
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        for k, cell in enumerate(row):
            lines.append(f"   {'*' if k == 0 else ' '} - {cell}".rstrip())
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(
        draw(lambda leaf: f"{leaf.page or f'api/generated/{leaf.regressor}'}.html")
    )
