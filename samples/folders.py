"""Fashion-MNIST's images as folders of pictures, as they are or spoilt: `python -m samples.folders DATA OUT`.

For the tutorial, and for trying what a spoilt delivery does. The images are training images, so that nothing is
chosen by the test's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from model.data import Dataset, load_dataset

# Folder: how many pictures, and what happens to each.
FOLDERS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "good": (600, lambda picture: picture),
    "blurred": (600, lambda picture: cv2.GaussianBlur(picture, (0, 0), 3.0)),
    "inverted": (200, lambda picture: 255 - picture),
    "good-again": (600, lambda picture: picture),
}


def write_folders(images: Dataset, out: Path) -> dict[str, list[Path]]:
    """Write the folders below `out`; a file's name ends in what it shows. Returns the files by folder."""
    order = iter(np.random.default_rng(7).permutation(len(images)))
    return {
        folder: [_write(images, int(next(order)), out / folder, change) for _ in range(count)]
        for folder, (count, change) in FOLDERS.items()
    }


def _write(images: Dataset, index: int, folder: Path, change: Callable[[Any], Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shown = images.classes[images.labels[index]].replace("/", "_")
    file = folder / f"{index:05d} {shown}.png"
    cv2.imwrite(str(file), change(images.images[index]))
    return file


def main() -> None:
    """Write the folders that the command line names."""
    data, out = (Path(argument) for argument in sys.argv[1:])
    for folder, files in write_folders(load_dataset(data, "train"), out).items():
        print(f"{len(files)} pictures in {out / folder}")


if __name__ == "__main__":
    main()
