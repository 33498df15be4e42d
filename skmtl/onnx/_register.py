"""Registration of the converters, and a conversion in one call."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from skmtl.estimators import TaskEstimator
from skmtl.model_selection import (
    AlphaSearchCV,
    AlphaSearchIC,
    StructureSearchClassifierCV,
    StructureSearchRegressorCV,
)
from skmtl.onnx._convert import convert, infer_shapes, parse
from skmtl.onnx._transformer import (
    convert_transformer,
    infer_transformer_shapes,
    parse_transformer,
)
from skmtl.preprocessing import TaskTransformer

_ALIAS = "SkmtlLinearModel"
_SEARCHES: list[type] = [
    AlphaSearchCV,
    AlphaSearchIC,
    StructureSearchClassifierCV,
    StructureSearchRegressorCV,
]


def register_converters() -> None:
    """Make the estimators of skmtl known to skl2onnx, alone and as steps of pipelines.

    Then ``skl2onnx.convert_sklearn`` and ``skl2onnx.to_onnx`` convert them. Derived classes are
    included if they are defined before the call, which may be repeated.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    to_onnx : Calls it, and converts.

    Examples
    --------
    >>> from skmtl.onnx import register_converters
    >>> register_converters()  # doctest: +SKIP
    """
    register = _skl2onnx().update_registered_converter
    # These options are accepted because pipelines pass them on; probabilities are always a tensor.
    options = {"zipmap": [False, True, "columns"], "nocl": [False, True]}
    for one in [*_derived(TaskEstimator), *_SEARCHES]:
        register(one, _ALIAS, infer_shapes, convert, parser=parse, options=options)
    register(
        TaskTransformer,
        "SkmtlTaskTransformer",
        infer_transformer_shapes,
        convert_transformer,
        parser=parse_transformer,
    )


def to_onnx(estimator: Any, X: Any = None, *, initial_types: Any = None, **options: Any) -> Any:
    r"""Convert a fitted estimator, or a pipeline that contains one, to ONNX.

    Every runtime of ONNX then predicts without Python. In the stacked layout the graph looks up
    the coefficients of each row's task by its id.

    Parameters
    ----------
    estimator : fitted estimator of skmtl
        Or a pipeline or search that ends in one, whose other steps skl2onnx can convert.
    X : array or pandas data frame, default=None
        A few rows, whose columns and types determine the inputs: "X" for an array, and an input
        (n_samples, 1) for each column of a data frame, under its name. Only with a data frame can
        task ids be strings.
    initial_types : list of (name, type of skl2onnx), default=None
        The inputs, instead of X. If both are None: "X", a float32 matrix of all columns.
    **options : passed to ``skl2onnx.to_onnx``
        Such as ``target_opset``.

    Returns
    -------
    onnx.ModelProto
        A regressor has the output "variable" of shape (n_samples, n_tasks), with one column for a
        1-D y. A classifier has "label", as from ``predict``, and "probabilities", a tensor as from
        ``predict_proba``; with the squared hinge loss instead "scores", the linear predictors, with
        one column for two classes. They are computed in float64 if a float64 input holds features,
        otherwise in float32.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    TypeError
        If the predictions are not functions of one linear predictor each.
    ValueError
        If the inputs are not the columns of the fit, the types of the task column and of the ids
        differ, or ONNX has no type for the ids or classes.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    skmtl.inspection.to_dict : An export that needs no other package.

    Notes
    -----
    Rows of tasks that fit did not see are predicted as ``unknown_task`` says; with "error" the
    runtime raises an error. float32 represents integer ids up to :math:`2^{24}`; larger ones need a
    float64 matrix, or an integer input for the task column. Pipelines may contain a
    :class:`~skmtl.preprocessing.TaskTransformer` with ``per_task=False``. Dates as task ids are not
    supported.

    References
    ----------
    The ONNX specification and skl2onnx: https://onnx.ai/sklearn-onnx

    Examples
    --------
    Requires ``pip install "skmtl[onnx]"``::

        from skmtl.onnx import to_onnx
        import onnxruntime

        model = BlockSparseRegressor(0.1, task_column="school").fit(frame, y)
        graph = to_onnx(model, frame[:1])
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        inputs = {name: frame[[name]].to_numpy() for name in frame}
        (predicted,) = session.run(None, inputs)
    """
    skl2onnx = _skl2onnx()
    check_is_fitted(estimator)
    register_converters()
    while "best_estimator_" in vars(estimator):
        estimator = estimator.best_estimator_
    if X is None and initial_types is None:
        from skl2onnx.common.data_types import FloatTensorType

        initial_types = [("X", FloatTensorType([None, estimator.n_features_in_]))]
    return skl2onnx.to_onnx(estimator, X, initial_types=initial_types, **options)


def _skl2onnx() -> Any:
    """The package skl2onnx."""
    try:
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            "The export to ONNX needs skl2onnx. Install it by pip install skmtl[onnx]."
        ) from error
    return skl2onnx


def _derived(base: type) -> list[type]:
    """All classes derived from a class."""
    found: dict[type, None] = {}
    classes: list[type] = base.__subclasses__()
    for own in classes:
        found |= dict.fromkeys([own, *_derived(own)])
    return list(found)
