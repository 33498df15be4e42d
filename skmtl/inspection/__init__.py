"""Look at what was learned: importances that know about the task column."""

from skmtl.inspection._importance import column_importance

__all__ = ["column_importance"]
