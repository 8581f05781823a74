"""How preprocessing does on photos: `python -m benchmarks.photos --data DIR`, with `photos/` in it.

Three sets, none of them a test: photos that people took at home; their garments cut out and laid on a white
ground, as a shop would show them; and validation images of Fashion-MNIST, enlarged and inverted. Each becomes
pixels with the settings of now and of before, and with each step of the way between.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from broker.settings_reader import read_settings
from model.classifier import Classifier
from model.cutting_out import cut_out
from model.data import VALIDATION, class_of, load_dataset
from model.decoding import decode
from model.evaluation import judge
from model.ground import difference_from, ground_of
from model.image_formats import read_header
from model.preprocessing import InputSpec, prepare_pixels

NOW = InputSpec()
BEFORE = replace(NOW, version="zalando-2", resize="subsample", cut_out_spread=255.0)
SETTINGS = {
    "zalando-2": BEFORE,
    "+ averaged": replace(BEFORE, resize="area"),
    "+ cut out": replace(BEFORE, cut_out_spread=NOW.cut_out_spread),
    "zalando-3": NOW,
}
WHITE = 250
ENLARGED = 1500
Labelled = list[tuple[NDArray[np.uint8], int]]


def main() -> None:
    """Print a line for each set and setting."""
    parser = argparse.ArgumentParser(prog="photos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of fashion-mnist/ and photos/")
    parser.add_argument("--bundle", type=Path, help="[the configured one]")
    options = parser.parse_args()
    settings = read_settings(None, {}).settings.model
    classifier = Classifier.open(options.bundle or settings.bundle, settings.engine, settings.threads)
    home = list(photos(options.data / "photos"))
    sets: dict[str, Labelled] = {
        "home photos": home,
        "their garments on white": list(on_white(home)),
        "enlarged validation images": list(enlarged(options.data / "fashion-mnist")),
    }
    print(f"{classifier.version} in {classifier.engine}")
    for name, pictures in sets.items():
        for words, spec in SETTINGS.items():
            print(f"{name:27} {words:10} {measured(classifier, pictures, spec)}")


def measured(classifier: Classifier, pictures: Labelled, spec: InputSpec) -> str:
    """Return how many pictures are right (mean of the classes), how many suspect, and the others right."""
    pixels = np.stack([prepare_pixels(picture, spec) for picture, _ in pictures])
    labels = np.array([label for _, label in pictures], np.intp)
    answer = classifier.classify(pixels)
    figures = judge(answer.probabilities, labels, classifier.classes)
    trusted = np.array(answer.verdicts) == "ok"
    right = float((answer.labels == labels)[trusted].mean())
    return (
        f"{len(pictures):5,} images, balanced accuracy {figures.balanced_accuracy:.1%},"
        f" suspect {1 - trusted.mean():.1%}, of the others right {right:.1%}"
    )


def photos(folder: Path) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield the photos below a folder, decoded as the agent does, with their class."""
    for file in sorted(folder.glob("*/*")):
        label, content = class_of(file.parent.name), file.read_bytes()
        if label is not None:
            yield decode(content, read_header(content), 4 * NOW.thumbnail), label


def on_white(home: Labelled) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield each photo's garment, where one is found, on an even ground, with a soft edge."""
    for picture, label in home:
        colours = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture
        height, width = colours.shape[:2]
        half = (width // 2, height // 2)
        small = cv2.resize(colours, half, interpolation=cv2.INTER_AREA).astype(np.uint8)
        ground = ground_of(small)
        kept = cut_out(small, difference_from(small, ground) > ground.spread)
        if kept is not None:
            mask = cv2.GaussianBlur(cv2.resize(kept.astype(np.float32), (width, height)), (0, 0), 1.5)[
                ..., None
            ]
            yield (colours * mask + WHITE * (1 - mask)).astype(np.uint8), label


def enlarged(folder: Path) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield validation images as dark garments on white, 150 to 400 pixels high."""
    images, dice = load_dataset(folder, VALIDATION), np.random.default_rng(3)
    for index in dice.permutation(len(images))[:ENLARGED]:
        edge = int(dice.integers(150, 400))
        large = 255 - cv2.resize(images.images[index], (edge, edge), interpolation=cv2.INTER_CUBIC)
        picture = np.full((round(1.3 * edge), round(1.25 * edge)), 255, np.uint8)
        top, left = dice.integers(5, edge // 5, 2)
        picture[top : top + edge, left : left + edge] = large
        yield picture, int(images.labels[index])


if __name__ == "__main__":
    main()
