"""Constructor parameters that are declared once: signatures, rules and docstrings."""

import ast
import inspect
import pickle
import re
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpydoc_sections import entries
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval, InvalidParameterError

import skmtl
from skmtl.estimators import absent, estimator, parameter, strength

CLASSES = [getattr(skmtl, name) for name in skmtl.__all__ if name[0].isupper()]
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
AT_LEAST_0 = [Interval(Real, 0, None, closed="left")]


@estimator
class Base(BaseEstimator):
    """The base.

    What the base describes.

    Attributes
    ----------
    coef_ : ndarray
        Of the base.

    Notes
    -----
    Of the base.
    """

    tol: float = parameter(1e-4, AT_LEAST_0, "float", "Tolerance.", group="solving")
    loss: str = parameter("squared", [str], "str", "Loss.", group="loss")


@estimator
class Family(Base):
    """A family.

    What the family describes.

    Attributes
    ----------
    coef_ : ndarray
        Of the family.
    support_ : ndarray

    Notes
    -----
    Of the family.
    """

    alpha: float = strength(1.0, AT_LEAST_0, "float", "Strength.")
    ridge: float = parameter(0.0, AT_LEAST_0, "float", "A ridge.")


@estimator
class Plain(Family):
    """What users see.

    Examples
    --------
    >>> 1
    1
    """

    loss: str = parameter("logistic")
    tol: float = parameter(1e-3, text="Another text.")


@estimator
class Search(Plain):
    """A search."""

    alpha: Any = absent()
    alphas: Any = strength(30, ["array-like"], "array-like", "A grid.")

    _plain: ClassVar[type] = Plain


class TestMechanism:
    def test_signature_has_groups_in_order_and_the_nearest_default(self):
        assert str(inspect.signature(Plain)) == (
            "(alpha: float = 1.0, *, ridge: float = 0.0, loss: str = 'logistic', "
            "tol: float = 0.001) -> None"
        )
        assert [*inspect.signature(Search).parameters] == ["alphas", "ridge", "loss", "tol"]

    def test_constructor_reads_like_one_that_is_written(self):
        assert "self.ridge = ridge" in inspect.getsource(Plain.__init__)
        assert Plain.__init__.__qualname__ == "Plain.__init__"
        assert Plain(2.0, ridge=1.0).get_params() == {
            "alpha": 2.0,
            "ridge": 1.0,
            "loss": "logistic",
            "tol": 1e-3,
        }
        with pytest.raises(TypeError, match="positional"):
            Plain(1.0, 2.0)
        with pytest.raises(TypeError, match="unexpected keyword argument 'alpha'"):
            Search(alpha=1.0)

    def test_parameters_are_not_class_attributes(self):
        assert not hasattr(Plain, "alpha") and not hasattr(Base, "tol")

    def test_rules_are_inherited(self):
        assert Plain._parameter_constraints["ridge"] == AT_LEAST_0
        with pytest.raises(InvalidParameterError, match="'ridge' parameter of Plain"):
            Plain(ridge=-1.0)._validate_params()

    def test_docstring_is_composed(self):
        doc = inspect.cleandoc(Plain.__doc__)
        assert doc.startswith("What users see.\n\nWhat the base describes.\n\nWhat the family")
        assert "tol : float, default=1e-3\n    Another text." in doc
        assert "coef_ : ndarray\n    Of the family.\nsupport_ : ndarray\n" in doc
        assert "Of the family.\n\nOf the base." in doc
        assert doc.endswith(">>> 1\n1")
        assert "alpha :" not in Search.__doc__

    def test_groups_are_known(self):
        with pytest.raises(ValueError, match="group of a parameter must be one of .* got 'other'"):
            parameter(1.0, group="other")

    def test_first_declaration_is_complete(self):
        with pytest.raises(
            TypeError, match=r"'tolerance' .* missing are \['rule', 'kind', 'text'\]"
        ):

            @estimator
            class Misspelt(Plain):
                """The base declares ``tol``."""

                tolerance: float = parameter(1e-3)

    def test_users_subclass_has_its_own_constructor(self):
        class Own(skmtl.BlockSparseRegressor):
            def __init__(self, alpha=0.5, extra=1):
                super().__init__(alpha)
                self.extra = extra

        X = np.random.default_rng(0).standard_normal((20, 3))
        model = clone(Own(extra=2)).fit(X, X[:, :2])
        assert model.get_params() == {"alpha": 0.5, "extra": 2} and model.tol == 1e-4

    def test_each_class_has_its_own_rules_and_names(self):
        class Coarse(skmtl.BlockSparseRegressor):
            _parameter_constraints = skmtl.BlockSparseRegressor._parameter_constraints | {
                "tol": [Interval(Real, 0.01, None, closed="left")]
            }

        skmtl.BlockSparseRegressor()._validate_params()
        for _ in range(2):
            with pytest.raises(InvalidParameterError, match="'tol' parameter of Coarse"):
                Coarse()._validate_params()
        Coarse(tol=0.1)._validate_params()
        Coarse._parameter_constraints = {"tol": [str]}
        with pytest.raises(InvalidParameterError, match="'tol' parameter of Coarse"):
            Coarse(tol=0.1)._validate_params()
        Coarse._get_param_names().clear()
        assert "tol" in Coarse().get_params()

    def test_a_parameter_is_validated_in_each_fit(self):
        model = skmtl.BlockSparseRegressor()
        model._validate_params()
        with pytest.raises(InvalidParameterError, match="'alpha' .* Got -1 instead"):
            model.set_params(alpha=-1)._validate_params()
        model.set_params(alpha=1.0)._validate_params()


class TestClone:
    def test_only_what_can_change_is_copied(self):
        model = skmtl.BlockSparseRegressor(0.2, feature_weight=np.ones(4), max_iter=10_001)
        copied = clone(model)
        assert type(copied) is type(model) and copied is not model
        assert copied.feature_weight is not model.feature_weight
        np.testing.assert_array_equal(copied.feature_weight, model.feature_weight)
        own, others = copied.get_params(), model.get_params()
        assert own.pop("feature_weight") is not others.pop("feature_weight")
        assert own == others
        copied.set_params(alpha=3.0)
        assert model.alpha == 0.2

    def test_penalties_are_cloned(self):
        model = skmtl.MultiTaskRegressor(penalty=skmtl.penalties.L21(0.3))
        penalty = clone(model).penalty
        assert penalty is not model.penalty and penalty.alpha == 0.3

    def test_a_fitted_estimator_becomes_unfitted(self):
        X = np.random.default_rng(0).normal(size=(20, 3))
        model = skmtl.BlockSparseRegressor(0.1).fit(X, X[:, :2])
        assert vars(clone(model)) == vars(skmtl.BlockSparseRegressor(0.1))

    def test_requests_of_metadata_are_kept(self):
        with config_context(enable_metadata_routing=True):
            model = skmtl.BlockSparseRegressor().set_fit_request(sample_weight=True)
            assert clone(model).get_metadata_routing().fit.requests == {"sample_weight": True}

    def test_constructors_must_not_change_parameters(self):
        class Doubled(skmtl.BlockSparseRegressor):
            def __init__(self, alpha=1.0):
                super().__init__(2 * alpha)

        with pytest.raises(RuntimeError, match="modifies parameter alpha"):
            clone(Doubled(1.0))

    def test_a_parameter_may_be_a_property(self):
        class Computed(skmtl.BlockSparseRegressor):
            @property
            def tol(self):
                return self._tol

            @tol.setter
            def tol(self, value):
                self._tol = value

        assert clone(Computed(tol=0.5)).tol == 0.5
        with pytest.raises(InvalidParameterError, match="'tol' parameter of Computed"):
            Computed(tol=-1.0)._validate_params()


class TestPublicClasses:
    @each_class
    def test_every_parameter_has_a_rule_and_a_text(self, cls):
        parameters = inspect.signature(cls).parameters
        assert [*cls._parameter_constraints] == [*parameters]
        documented = entries(cls, "Parameters")
        assert [*documented] == [*parameters]
        for name, (head, text) in documented.items():
            default = parameters[name].default
            stated = ast.literal_eval(re.search(r"default=(.*)$", head).group(1))
            assert stated == default and type(stated) is type(default), name
            assert text.strip(), name
        # The defaults satisfy the constraints.
        cls()._validate_params()

    @each_class
    def test_attributes_are_named_once(self, cls):
        names = [*entries(cls, "Attributes")]
        assert len(set(names)) == len(names) and {"coef_", "objective_", "n_iter_"} <= {*names}

    @each_class
    def test_own_text_is_what_the_source_says(self, cls):
        source = inspect.getsource(cls)
        written = ast.get_docstring(ast.parse(source).body[0])
        assert "{" not in re.sub(
            r":math:`.*?`|\.\. math::\n\n(?:    .*\n|\n)*", "", written, flags=re.S
        )
        assert cls.__doc__.startswith(written.split("\n\n")[0])
        assert "__init__" not in vars(cls) or "def __init__" not in source

    @each_class
    def test_copies_are_equal(self, cls):
        model = cls()
        for copied in (clone(model), pickle.loads(pickle.dumps(model))):
            assert repr(copied) == repr(model)
        assert cls.__name__ in model._repr_html_()


def test_every_declared_parameter_belongs_to_a_class():
    declared = {
        name
        for path in (Path(skmtl.__file__).parent / "estimators").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") in ("parameter", "strength")
        for name in [node.target.id]
    }
    assert declared <= {name for cls in CLASSES for name in inspect.signature(cls).parameters}
