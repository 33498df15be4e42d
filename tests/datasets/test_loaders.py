"""Readers for files, including damaged ones. No network."""

import gzip
import importlib
import io
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.utils import Bunch

from skmtl.datasets import fetch_mnist, load_digits_tasks, load_npz

loaders = importlib.import_module("skmtl.datasets._loaders")


# --- digits and MNIST ---------------------------------------------------------------------------


def test_digits() -> None:
    digits = load_digits_tasks()
    assert digits.data.shape == (1797, 64)
    assert (digits.data.min(), digits.data.max()) == (0.0, 1.0)
    assert digits.image_shape == (8, 8)
    assert len(digits.task_names) == digits.Y.shape[1] == 10
    np.testing.assert_array_equal(digits.Y.argmax(axis=1), digits.target)
    np.testing.assert_array_equal(digits.Y.sum(axis=1), 1)


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    return header + values.astype(np.uint8).tobytes()


def small_mnist() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (6, 28, 28)),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 6),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (4, 28, 28)),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 4),
    }


def write_idx(folder: Path, *, dot: bool = False, packed: bool = False) -> dict[str, np.ndarray]:
    arrays = small_mnist()
    for name, values in arrays.items():
        name = name.replace("-idx", ".idx") if dot else name
        content = gzip.compress(idx(values)) if packed else idx(values)
        (folder / (f"{name}.gz" if packed else name)).write_bytes(content)
    return arrays


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(loaders, "fetch_openml", fail)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_from_idx(tmp_path: Path, dot: bool, packed: bool) -> None:
    train, train_y, test, test_y = write_idx(tmp_path, dot=dot, packed=packed).values()
    mnist = fetch_mnist(tmp_path)
    assert mnist.data.dtype == np.uint8
    assert mnist.target.dtype == np.int64
    assert mnist.image_shape == (28, 28)
    np.testing.assert_array_equal(mnist.data, np.concatenate([train, test]).reshape(10, 784))
    np.testing.assert_array_equal(mnist.target, np.concatenate([train_y, test_y]))
    np.testing.assert_array_equal(mnist.is_test, np.arange(10) >= 6)
    mnist.data[0, 0] = 1  # writable


@pytest.mark.usefixtures("offline")
def test_mnist_from_npz(tmp_path: Path) -> None:
    X = np.arange(3 * 784, dtype=np.uint8).reshape(3, 784)
    is_test = np.array([False, False, True])
    np.savez(tmp_path / "mnist.npz", X=X, y=np.array([1, 2, 3], np.uint8), is_test=is_test)
    mnist = fetch_mnist(str(tmp_path))
    np.testing.assert_array_equal(mnist.data, X)
    np.testing.assert_array_equal(mnist.is_test, is_test)
    assert mnist.target.dtype == np.int64
    np.savez(tmp_path / "mnist.npz", X=X, y=np.arange(3))
    with pytest.raises(ValueError, match=r"mnist\.npz has no array 'is_test'; it holds"):
        fetch_mnist(tmp_path)


def test_mnist_from_openml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Any] = {}

    def fetch(name: str, **kwargs: Any) -> Bunch:
        calls.update(kwargs, name=name)
        target = (np.arange(12_000) % 10).astype(str).astype(object)
        return Bunch(data=np.full((12_000, 784), 255.0), target=target)

    monkeypatch.setattr(loaders, "fetch_openml", fetch)
    mnist = fetch_mnist(tmp_path)
    assert calls["name"] == "mnist_784"
    assert calls["version"] == 1
    assert calls["as_frame"] is False
    assert calls["data_home"] == str(tmp_path)
    assert mnist.data.dtype == np.uint8
    np.testing.assert_array_equal(mnist.target, np.arange(12_000) % 10)
    np.testing.assert_array_equal(mnist.is_test, np.arange(12_000) >= 2000)


@pytest.mark.usefixtures("offline")
def test_mnist_offline_names_the_remedy(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(OSError, match=r"no route to host.*mnist\.npz.*t10k-labels") as caught:
        fetch_mnist(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", b"", "not an IDX file of 3-D"),
        ("train-images-idx3-ubyte", idx(np.zeros(5)), "not an IDX file of 3-D"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 28, 28)))[:-1], "4704 values.* 4703"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 27, 28))), "27 x 28 instead of 28 x 28"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros(4)) + b"!", "announces 4 values.* 5"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros(3)), "3 labels for 4 images"),
    ],
)
def test_mnist_damaged_idx(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write_idx(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        fetch_mnist(tmp_path)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("keep", [-12, 20])
def test_mnist_damaged_gzip(tmp_path: Path, keep: int) -> None:
    write_idx(tmp_path, packed=True)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"{path.name}.*cannot be decompressed"):
        fetch_mnist(tmp_path)
    path.write_bytes(b"no gzip at all")
    with pytest.raises(ValueError, match=f"{path.name}.*cannot be decompressed"):
        fetch_mnist(tmp_path)


# --- load_npz ---------------------------------------------------------------------------------


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "small.npz"
    X, y, task = np.ones((3, 2), np.float32), np.arange(3), np.array([4, 4, 9])
    np.savez(path, X=X, y=y, task=task, feature_names=np.array(["a", "b"]), year=y)
    bunch = load_npz(path)
    assert set(bunch) == {"data", "target", "task", "feature_names", "year"}
    np.testing.assert_array_equal(bunch.data, X)
    np.testing.assert_array_equal(bunch.target, y)
    bunch = load_npz(str(path), stack=True)
    np.testing.assert_array_equal(bunch.data, np.column_stack([X, task]))
    assert bunch.data.dtype == np.float32
    assert bunch.feature_names.tolist() == ["a", "b", "task"]
    np.testing.assert_array_equal(bunch.task, task)


def test_npz_string_ids_and_matrix_labels(tmp_path: Path) -> None:
    path = tmp_path / "small.npz"
    np.savez(path, X=np.eye(2), y=np.arange(2), task=np.array(["b", "a"]))
    data = load_npz(path, stack=True).data
    assert data.dtype == object
    assert data[:, -1].tolist() == ["b", "a"]
    np.savez(path, X=np.eye(2), Y=np.ones((2, 4)), target_names=np.array(list("abcd")))
    bunch = load_npz(path)
    assert bunch.target.shape == (2, 4)
    assert bunch.target_names.tolist() == list("abcd")
    np.savez(path, X=np.eye(2), y=np.arange(2), Y=np.ones((2, 4)))
    assert load_npz(path).target.shape == (2,)
    assert load_npz(path).Y.shape == (2, 4)


def test_npz_errors(tmp_path: Path) -> None:
    path = tmp_path / "small.npz"
    with pytest.raises(FileNotFoundError, match=r"There is no file .*small\.npz"):
        load_npz(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"small\.npz is not an npz file"):
        load_npz(path)
    np.savez(path, train0=np.arange(3))
    with pytest.raises(ValueError, match=r"no array 'X'; it holds \['train0'\]"):
        load_npz(path)
    np.savez(path, X=np.eye(2))
    with pytest.raises(ValueError, match="has no labels.*'y' nor 'Y'"):
        load_npz(path)
    np.savez(path, X=np.eye(2), y=np.arange(2))
    with pytest.raises(ValueError, match="no array 'task'"):
        load_npz(path, stack=True)
    np.savez(path, X=np.eye(2), y=np.array(["a", None], dtype=object))
    with pytest.raises(ValueError, match=r"array 'y' of .*small\.npz.*pickled"):
        load_npz(path)


def test_npz_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, X=np.arange(1000.0).reshape(100, 10), y=np.arange(100))
    content = bytearray(buffer.getvalue())
    content[4000] ^= 255
    path = tmp_path / "small.npz"
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="array 'X' .*damaged"):
        load_npz(path)


# --- the real files, if present -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "target", "n_missing"),
    [
        ("computer_survey.npz", (3800, 14), (3800,), 0),
        ("sarcos_test4449.npz", (4449, 21), (4449, 7), 0),
        ("mtr_rf1.npz", (9125, 64), (9125, 8), 3264),
        ("mtr_wq.npz", (1060, 16), (1060, 14), 0),
        ("mtr_scpf.npz", (1137, 23), (1137, 3), 9255),
        ("ml_yeast.npz", (2417, 103), (2417, 14), 0),
        ("ml_emotions.npz", (593, 72), (593, 6), 0),
    ],
)
def test_real_files(data_file: Any, name: str, data: Any, target: Any, n_missing: int) -> None:
    bunch = load_npz(data_file(name), stack=name == "computer_survey.npz")
    assert (bunch.data.shape, bunch.target.shape) == (data, target)
    assert len(bunch.feature_names) == data[1]
    # Features of rf1 and scpf need an imputer before any fit; labels are complete.
    assert np.isnan(bunch.data).sum() == n_missing
    assert np.isfinite(bunch.target).all()
    if name.startswith("ml_"):
        assert set(np.unique(bunch.target)) == {0, 1}
        assert 0 < bunch.is_test.sum() < len(bunch.data)
        assert len(bunch.label_names) == target[1]
    elif name == "mtr_scpf.npz":
        np.testing.assert_array_equal(bunch.target, np.round(bunch.target))
        assert (bunch.target >= 0).all()
    elif name == "computer_survey.npz":
        np.testing.assert_array_equal(np.abs(bunch.data[:, :-1]), 1)
        np.testing.assert_array_equal(np.unique(bunch.data[:, -1], return_counts=True)[1], 20)


def test_real_school_stacked(data_file: Any) -> None:
    bunch = load_npz(data_file("school.npz"), stack=True)
    assert bunch.data.shape == (15362, 28)
    sizes = np.unique(bunch.data[:, -1], return_counts=True)[1]
    assert (len(sizes), sizes.min(), sizes.max()) == (139, 22, 251)


@pytest.mark.usefixtures("offline")
def test_real_mnist(data_file: Any) -> None:
    mnist = fetch_mnist(data_file("mnist.npz").parent)
    assert mnist.data.shape == (70_000, 784)
    assert mnist.data.dtype == np.uint8
    np.testing.assert_array_equal(mnist.is_test, np.arange(70_000) >= 60_000)
    assert (np.bincount(mnist.target) > 6000).all()
