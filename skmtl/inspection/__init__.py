"""Inspection of fitted models: feature importances, and the gain from sharing across tasks."""

from skmtl.inspection._importance import column_importance
from skmtl.inspection._transfer import transfer_gain
from skmtl.inspection._transfer_display import TransferGainDisplay
from skmtl.inspection._transfer_result import TransferGain

__all__ = [
    "TransferGain",
    "TransferGainDisplay",
    "column_importance",
    "transfer_gain",
]
