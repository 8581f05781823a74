"""Make a bundle of networks that `model.teaching` taught.

    python -m model.taught TAUGHT --data DATA --out BUNDLES

They are finished with more imitated photos, by the teachers' answers, and each becomes the mean of its
weights before and after (Wortsman et al. 2022): little accuracy is lost, and much of what was won on photos
stays.
"""

from __future__ import annotations

import argparse
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from model.bundle import sha256
from model.data import DataError, load_dataset, split_dataset
from model.network import build_network
from model.packing import answers_of, fingerprints, pack
from model.trainer import Recipe, Trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.data import Dataset

# Bfloat16 on one machine and single precision on another: the logits of 16 images differ by less than this.
CHECK_DISTANCE = 0.05
NORMALISATION = ("gamma", "beta", "mean", "variance")
FINISHED_SHARE = 0.7  # of the weights that are packed
_FINISH: dict[str, Any] = {
    "warm_up_epochs": 0.3,
    "weight_decay": 2e-4,
    "label_smoothing": 0.05,
    "photo_share": 0.5,
    "erased_share": 0.15,
    "plain_share": 0.0,
    "teacher_share": 0.7,
}
FINISH = {
    "first": {**_FINISH, "epochs": 6, "peak_rate": 0.02},
    "second": {**_FINISH, "epochs": 2, "peak_rate": 0.012, "warm_up_epochs": 0.1, "averaging": 0.99},
}


def read_taught(file: Path, check_images: NDArray[np.uint8]) -> tuple[Any, dict[str, Any]]:
    """Build the Keras network of one `.npz`; return it with its widths and blocks.

    Its logits for `check_images` must be those in the file. Raises `DataError` for a file that is no such
    network.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = dict(content)
        shape = {name: tuple(sizes) for name, sizes in json.loads(str(arrays["shape"])).items()}
        network = build_network(widths=shape["widths"], blocks=shape["blocks"])
        for layer in network.layers:
            if layer.weights:
                layer.set_weights([arrays[name] for name in _names(layer.name)])
        apart = float(np.abs(answers_of(network, check_images).logits - arrays["check"]).max())
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: no taught network: {str(error).splitlines()[0]}") from error
    if not apart < CHECK_DISTANCE:
        raise DataError(f"{file}: its logits differ by {apart:.3g} from those of the machine that taught it")
    return network, shape


def _names(layer: str) -> list[str]:
    """Name the arrays of a layer in Keras' order."""
    if layer.endswith("_norm"):
        return [f"{layer}/{part}" for part in NORMALISATION]
    return ["logits", "logits/bias"] if layer == "logits" else [layer]


def finish(network: Any, recipe: Recipe, training: Dataset, teacher: NDArray[np.float32]) -> Any:
    """Train on with a recipe; return the network with the weighted mean of its weights before and after."""
    before = network.get_weights()
    trainer = Trainer(recipe, training, start=network, teacher=teacher)
    for epoch in range(recipe.epochs):
        for _ in trainer.epoch(epoch):
            pass
    after = trainer.averaged.get_weights()
    pairs = zip(before, after, strict=True)
    network.set_weights([(1 - FINISHED_SHARE) * one + FINISHED_SHARE * other for one, other in pairs])
    return network


def main(argv: list[str] | None = None) -> Path:
    """Read the two networks, finish and pack them; return the bundle's directory."""
    parser = argparse.ArgumentParser(prog="python -m model.taught", description="Pack taught networks.")
    parser.add_argument("taught", type=Path, help="what model.teaching wrote")
    parser.add_argument("--first", default="first", help="which network answers first")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(argv)
    training, validation = split_dataset(load_dataset(given.data, "train"), quick=False)
    with np.load(given.taught / "teachers.npz", allow_pickle=False) as content:
        teacher = content["training"].astype(np.float32)
    networks, recipes = [], {}
    for name, settings in zip((given.first, "second"), FINISH.values(), strict=True):
        network, shape = read_taught(given.taught / f"{name}.npz", validation.images[:16])
        recipe = Recipe(**shape, **settings)
        networks.append(finish(network, recipe, training, teacher))
        recipes[name] = {**asdict(recipe), "sha256": sha256(given.taught / f"{name}.npz")}
    told = json.loads((given.taught / "teaching.json").read_text(encoding="utf-8"))
    history = told.pop("history")
    code = {
        "teaching": told,
        "finish": recipes,
        "history": [
            {"network": part, **point}
            for part, name in zip(("first", "second"), recipes, strict=True)
            for point in history[name]
        ],
    }
    first, second = networks
    return pack(
        first, training, validation, given.out, second=second, code=code, data=fingerprints(given.data)
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(f"{main()}\n")
