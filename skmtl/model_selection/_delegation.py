"""Estimators that predict with another one, such as the one that a search has refitted."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

Method = TypeVar("Method", bound=Callable[..., Any])


def _if_model_has(method: str) -> Callable[[Method], Method]:
    """A decorator for methods that exist if the search's model has them."""
    decorator: Callable[[Method], Method] = available_if(
        lambda search: hasattr(search._model(), method)
    )
    return decorator


class Delegation:
    """The methods and fitted attributes of ``best_estimator_``, or of another fitted estimator."""

    # A method: an unfitted estimator with the same methods and tags.
    _unfitted: Callable[[], Any]
    # The attribute that holds the fitted one.
    _fitted_as = "best_estimator_"

    def _model(self) -> Any:
        """The fitted estimator, or before fit one that has the same methods."""
        fitted = vars(self).get(self._fitted_as)
        return self._unfitted() if fitted is None else fitted

    @_if_model_has("predict")
    def predict(self, X: Any) -> Any:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        return self._apply("predict", X)

    @_if_model_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Probabilities from the fitted estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        return self._apply("predict_proba", X)

    @_if_model_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Linear predictors of the fitted estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        return self._apply("decision_function", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The score of the fitted estimator: R2 or accuracy.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        # Searches of scikit-learn take weights by name alone, and only with metadata routing.
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._best().score(X, y, **weights))

    def _apply(self, method: str, X: Any) -> Any:
        """What a method of the fitted estimator returns for rows."""
        return getattr(self._best(), method)(X)

    def _best(self) -> Any:
        """The fitted estimator."""
        check_is_fitted(self, self._fitted_as)
        return getattr(self, self._fitted_as)

    def __getattr__(self, name: str) -> Any:
        # Only called if normal lookup fails: look among the fitted attributes of the estimator.
        best = vars(self).get(self._fitted_as)
        if best is not None and name.endswith("_") and not name.startswith("_"):
            return getattr(best, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_tags__(self) -> Tags:
        # Those of the estimator, except that this is not a transformer.
        tags = deepcopy(get_tags(self._unfitted()))
        tags.transformer_tags = None
        return tags
