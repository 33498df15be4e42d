"""The export says what to install."""

import sys

import pytest

from skmtl.onnx import register_converters, to_onnx


def test_skl2onnx_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    for call in (register_converters, lambda: to_onnx(object())):
        with pytest.raises(
            ImportError, match=r"needs skl2onnx. Install it by pip install skmtl\[onnx\]"
        ):
            call()
