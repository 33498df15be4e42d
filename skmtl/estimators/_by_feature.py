"""Weights and signs of the features, for families whose penalty is a norm of the rows of W."""

from typing import Any

from skmtl.estimators._feature_weight import read_feature_weight
from skmtl.estimators._signs import POSITIVE, given_signs, read_signs
from skmtl.estimators.base import TaskEstimator, estimator, parameter
from skmtl.penalties import Penalty, Positive, Superposition, WeightedRows


@estimator
class ConstrainedFeatures(TaskEstimator):
    """An estimator whose penalty allows weights and signs of the features."""

    feature_weight: Any = parameter(
        None,
        ["array-like", dict, None],
        "array-like of shape (n_features,), dict, Series or None",
        r"""
        A factor :math:`f_j > 0` for each feature (without the task column) that multiplies the
        norms of its row. A dict or a pandas Series gives factors by column name of a data frame;
        other columns have 1.
        """,
    )
    positive: Any = parameter(
        False,
        *POSITIVE,
        """
        True: restrict the coefficients to W >= 0. A sign per feature (without the task column)
        restricts its coefficients in all tasks: +1 to be >= 0, -1 to be <= 0; 0 leaves them free. A
        dict or a pandas Series gives signs by column name of a data frame; other columns have 0.
        Needs ``alpha > 0``.
        """,
    )

    def _constrained(
        self, penalty: Penalty | None, n_features: int, *, weigh: bool = True
    ) -> Penalty | None:
        """A penalty with the weights and signs of the features.

        The norms of a superposition are weighted and restricted one by one: any W of the right
        signs is a sum of parts of these signs, none of whose entries is larger than before.
        """
        name = type(self).__name__
        weights, signs = read_feature_weight(self, n_features), read_signs(self, n_features)
        if weights is not None and not weights.all():
            raise ValueError(
                f"The 'feature_weight' parameter of {name} must be positive, got "
                f"{self.feature_weight!r:.200}. Use a small weight for a feature that should "
                f"always be selected; BlockSparseRegressor and BlockSparseClassifier allow 0."
            )
        if signs is not None and penalty is None:
            raise ValueError(
                f"positive in {name} needs a norm on the coefficients: no dual bound exists "
                f"without one. {self._norm_remedy}"
            )
        if weights is None and signs is None:
            return penalty
        if penalty is None:
            return None
        if penalty.n_superposed > 1:
            parts = [self._constrained(part, n_features) for part in penalty.parts]
            return Superposition(*(part for part in parts if part is not None))
        if weights is not None and weigh:
            penalty = WeightedRows(penalty, weights)
        return penalty if signs is None else Positive(penalty, given_signs(signs))

    # How to obtain a norm.
    _norm_remedy = "Use alpha > 0."
