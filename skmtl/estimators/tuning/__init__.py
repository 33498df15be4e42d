"""Cross-validation over alpha: folds, warm-started paths, scores, and the selection.

The caller supplies the folds, from a splitter or from fold numbers.
"""

from skmtl.estimators.tuning._choice import choose
from skmtl.estimators.tuning._even_folds import N_FOLDS, even_folds
from skmtl.estimators.tuning._fold import Fold, Measure
from skmtl.estimators.tuning._grid import make_grid, ridge_grid
from skmtl.estimators.tuning._held_out import predict_folds
from skmtl.estimators.tuning._measures import HeldOutLoss, TaskLosses
from skmtl.estimators.tuning._part_folds import part_folds
from skmtl.estimators.tuning._path import follow_path, prepare_objective
from skmtl.estimators.tuning._paths import score_paths
from skmtl.estimators.tuning._row_folds import RowFolds
from skmtl.estimators.tuning._scorer import HeldOutScore
from skmtl.estimators.tuning._search import Search, grid_ratio, score_fold, search_grids
from skmtl.estimators.tuning._together import Ending, PathScores
from skmtl.estimators.tuning._top import NoFiniteAlpha, top_alpha
from skmtl.estimators.tuning._watch import stopped_too_early

__all__ = [
    "N_FOLDS",
    "Ending",
    "Fold",
    "HeldOutLoss",
    "HeldOutScore",
    "Measure",
    "NoFiniteAlpha",
    "PathScores",
    "RowFolds",
    "Search",
    "TaskLosses",
    "choose",
    "even_folds",
    "follow_path",
    "grid_ratio",
    "make_grid",
    "part_folds",
    "predict_folds",
    "prepare_objective",
    "ridge_grid",
    "score_fold",
    "score_paths",
    "search_grids",
    "stopped_too_early",
    "top_alpha",
]
