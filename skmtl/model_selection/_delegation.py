"""Searches predict with the estimator that they have selected and refitted."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

from numpy.typing import NDArray
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])


def _if_model_has(method: str) -> Callable[[Method], Method]:
    """A decorator for methods that exist if the search's model has them."""
    decorator: Callable[[Method], Method] = available_if(
        lambda search: hasattr(search._model(), method)
    )
    return decorator


class Delegation:
    """The methods and fitted attributes of ``best_estimator_``, for a search."""

    # A method of the search: an unfitted estimator with the same methods and tags.
    _unfitted: Callable[[], Any]

    def _model(self) -> Any:
        """The selected estimator, or before fit one that has the same methods."""
        best = vars(self).get("best_estimator_")
        return self._unfitted() if best is None else best

    @_if_model_has("predict")
    def predict(self, X: Any) -> Array:
        """Predict with the selected estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        predicted: Array = self._best().predict(X)
        return predicted

    @_if_model_has("predict_proba")
    def predict_proba(self, X: Any) -> Array:
        """Probabilities from the selected estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        probabilities: Array = self._best().predict_proba(X)
        return probabilities

    @_if_model_has("decision_function")
    def decision_function(self, X: Any) -> Array:
        """Linear predictors of the selected estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        predictors: Array = self._best().decision_function(X)
        return predictors

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The score of the selected estimator: R2 or accuracy.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        return float(self._best().score(X, y, sample_weight))

    def _best(self) -> Any:
        """The selected, fitted estimator."""
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def __getattr__(self, name: str) -> Any:
        # Only called if normal lookup fails: look among the fitted attributes of the estimator.
        best = vars(self).get("best_estimator_")
        if best is not None and name.endswith("_") and not name.startswith("_"):
            return getattr(best, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_tags__(self) -> Tags:
        # Those of the estimator, except that the search is not a transformer.
        tags = deepcopy(get_tags(self._unfitted()))
        tags.transformer_tags = None
        return tags
