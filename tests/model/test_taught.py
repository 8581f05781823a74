"""Networks that another machine taught become Keras' networks, or are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")

from model.data import DataError, Dataset  # noqa: E402  after its skip
from model.network import build_network  # noqa: E402
from model.packing import answers_of  # noqa: E402
from model.taught import FINISHED_SHARE, finish, read_taught  # noqa: E402
from model.trainer import Recipe  # noqa: E402

IMAGES = np.random.default_rng(5).integers(0, 256, (16, 28, 28)).astype(np.uint8)
SHAPES = [{"widths": (0, 4, 6), "blocks": (1, 1)}, {"widths": (4, 4, 6), "blocks": (2, 1)}]
NAMES = {"gamma": 0, "beta": 1, "mean": 2, "variance": 3}


def arrays_of(network: Any, shape: dict[str, Any]) -> dict[str, Any]:
    """Return a network as `model.teaching` writes it."""
    found: dict[str, Any] = {}
    for layer in network.layers:
        weights = layer.get_weights()
        if len(weights) == 4:
            found |= {f"{layer.name}/{name}": weights[place] for name, place in NAMES.items()}
        elif weights:
            found |= dict(zip((layer.name, f"{layer.name}/bias"), weights, strict=False))
    return found | {"shape": np.array(json.dumps(shape)), "check": answers_of(network, IMAGES).logits}


def shaken(shape: dict[str, Any]) -> Any:
    """Return a network none of whose weights is as it begins."""
    keras.utils.set_random_seed(3)
    network = build_network(**shape)
    random = np.random.default_rng(4)
    network.set_weights([np.abs(random.normal(0.3, 0.2, each.shape)) for each in network.get_weights()])
    return network


@pytest.mark.parametrize("shape", SHAPES)
def test_network_comes_back_as_it_was(tmp_path: Path, shape: dict[str, Any]) -> None:
    """The same weights in the same layers, whichever the first layer is."""
    network = shaken(shape)
    np.savez(tmp_path / "first.npz", **arrays_of(network, shape))

    found, found_shape = read_taught(tmp_path / "first.npz", IMAGES)

    assert shape == found_shape
    for mine, theirs in zip(network.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_network_that_answers_otherwise_here_is_refused(tmp_path: Path) -> None:
    """As when a layer is computed in another way there."""
    arrays = arrays_of(shaken(SHAPES[0]), SHAPES[0])
    np.savez(tmp_path / "first.npz", **{**arrays, "check": arrays["check"] + 1})
    with pytest.raises(DataError, match="its logits differ by 1"):
        read_taught(tmp_path / "first.npz", IMAGES)


@pytest.mark.parametrize("damage", ["no file", "no zip", "no layer", "another shape"])
def test_file_that_holds_no_network_is_one_line(tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with it."""
    file = tmp_path / "first.npz"
    arrays = arrays_of(shaken(SHAPES[0]), SHAPES[0])
    if damage == "no layer":
        del arrays["quarter_down"]
    if damage == "another shape":
        arrays["shape"] = np.array(json.dumps(SHAPES[1]))
    if damage == "no zip":
        file.write_bytes(b"PK, and nothing else")
    elif damage != "no file":
        np.savez(file, **arrays)
    with pytest.raises(DataError, match=r"^\S+first.npz: no taught network: .+"):
        read_taught(file, IMAGES)


def test_finished_network_is_a_mean_of_before_and_after() -> None:
    """With a rate of nothing the kernels stay; the collected statistics move by the share that counts."""
    network = shaken(SHAPES[0])
    before = {layer.name: layer.get_weights() for layer in network.layers}
    labels = np.arange(16) % 10
    training = Dataset(IMAGES, labels, tuple("abcdefghij"), tuple(str(one) for one in range(16)))
    teacher = np.eye(10, dtype=np.float32)[labels]
    recipe = Recipe(widths=(0, 4, 6), blocks=(1, 1), epochs=1, batch=16, peak_rate=0.0)

    found = finish(network, recipe, training, teacher)

    np.testing.assert_allclose(before["stem"][0], found.get_layer("stem").get_weights()[0], rtol=1e-6)
    moved = found.get_layer("stem_norm").get_weights()[2] - before["stem_norm"][2]
    assert np.abs(moved).max() > 0
    assert 0 < FINISHED_SHARE < 1
