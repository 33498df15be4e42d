"""Import of the optional libraries, when they are needed."""

import importlib
from typing import Any

_EXTRAS = {"pyarrow": "arrow"}


def import_optional(module: str, caller: str) -> Any:
    """Import a module of an optional library.

    Raises
    ------
    ImportError
        If it is missing; the message says how to install it.
    """
    library = module.split(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{caller} needs {library}. Install it by pip install "
            f"skmtl[{_EXTRAS.get(library, library)}]."
        ) from error
