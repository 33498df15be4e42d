"""The sections of a numpydoc docstring."""

import inspect
import re


def entries(cls, title):
    """The entries of a section by name: the rest of the head line, and the text below."""
    doc = inspect.cleandoc(cls.__doc__)
    section = re.search(rf"(?ms)^{title}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", doc).group(1)
    found = {}
    for entry in re.split(r"(?m)^(?=\S)", section)[1:]:
        head, _, text = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        for name in names.split(","):
            assert name.strip() not in found, f"{name} twice"
            found[name.strip()] = kind, text
    return found
