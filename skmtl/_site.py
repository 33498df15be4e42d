"""The address of the documentation, and the link to it in the HTML view of estimators."""

import sys
from typing import ClassVar

from sklearn.base import BaseEstimator

SITE = "https://skmtl.readthedocs.io/en/stable"


class DocumentedEstimator(BaseEstimator):
    """An estimator whose HTML view links to its page in the API reference of this package."""

    _doc_link_module: ClassVar[str] = "skmtl"
    _doc_link_template: ClassVar[str] = f"{SITE}/api/generated/{{module}}.{{name}}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """The public module of the class, which is not the file that defines it, and its name."""
        cls = type(self)
        # The package is imported whenever one of its modules is.
        is_at_top = getattr(sys.modules["skmtl"], cls.__name__, None) is cls
        module = "skmtl" if is_at_top else ".".join(cls.__module__.split(".")[:2])
        return {"module": module, "name": cls.__name__}
