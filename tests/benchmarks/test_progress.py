"""The bar of long benchmarks."""

import io
import sys

import pytest

from benchmarks import _progress
from benchmarks._progress import ProgressBar, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_silent_unless_stderr_is_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), "fits")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("module", [None, "tqdm", "rich"])
def test_bar_counts_on_a_terminal(monkeypatch: pytest.MonkeyPatch, module: str | None) -> None:
    if module is not None:
        pytest.importorskip(module)
    found = _progress.find_spec
    only = {module: found(module)} if module else {}
    monkeypatch.setattr(_progress, "find_spec", only.get)
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(track(iter("abc"), "fits", total=3)) == ["a", "b", "c"]
    with ProgressBar(2) as bar:
        bar.advance("seed 0")
    if module is None:
        assert "fits 3/3, 0 s" in stream.getvalue() and "1/2, 0 s seed 0" in stream.getvalue()
        assert stream.getvalue().endswith("\r")
    else:
        assert stream.getvalue()
