"""Draws the sample pictures: `.venv/bin/python -m samples.draw [FOLDER]`. The same pictures every time."""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from samples.canvas import Canvas
from samples.patterns import below, between, dots, pinstripes, plaid, stripes
from samples.shoes import bag, boot, flat_sandal, heeled_sandal, sneaker
from samples.tops import coat, dress, pullover, shirt, t_shirt, trouser

PICTURES = Path(__file__).resolve().parent / "pictures"
Draw = Callable[[Canvas], None]

NAVY, SKY, TEAL, FOREST = (38, 52, 92), (120, 160, 205), (30, 110, 115), (45, 85, 60)
WINE, ROSE, CORAL, RUST = (110, 30, 48), (200, 110, 125), (215, 95, 80), (160, 80, 45)
CAMEL, SAND, COCOA, BLACK = (175, 135, 90), (205, 185, 150), (90, 62, 48), (38, 38, 42)
GRAY, SILVER, PLUM, MUSTARD = (110, 112, 118), (175, 178, 182), (85, 55, 100), (190, 145, 50)
IVORY, OLIVE, DENIM = (228, 224, 212), (100, 105, 65), (70, 95, 140)

GARMENTS: dict[str, dict[str, Draw]] = {
    "T-shirt_top": {
        "navy": lambda c: t_shirt(c, (NAVY, None, None)),
        "coral": lambda c: t_shirt(c, (CORAL, None, None), neck=0.12),
        "striped": lambda c: t_shirt(c, (SILVER, NAVY, stripes(14)), sleeve=0.02),
        "band": lambda c: t_shirt(c, (TEAL, IVORY, between(0.38, 0.52))),
        "gray": lambda c: t_shirt(c, (GRAY, None, None), flare=0.02),
    },
    "Trouser": {
        "jeans": lambda c: trouser(c, (DENIM, None, None)),
        "black": lambda c: trouser(c, (BLACK, None, None), leg=0.11),
        "camel": lambda c: trouser(c, (CAMEL, None, None), leg=0.15, spread=0.015),
        "pinstripe": lambda c: trouser(c, (GRAY, SILVER, pinstripes(36)), spread=0.04),
        "olive": lambda c: trouser(c, (OLIVE, None, None), leg=0.12, spread=0.06),
    },
    "Pullover": {
        "rust": lambda c: pullover(c, (RUST, None, None)),
        "forest": lambda c: pullover(c, (FOREST, None, None), collar=True),
        "striped": lambda c: pullover(c, (WINE, ROSE, stripes(9, 0.3))),
        "blocks": lambda c: pullover(c, (SILVER, NAVY, below(0.45))),
        "plum": lambda c: pullover(c, (PLUM, None, None), neck=0.07),
    },
    "Dress": {
        "wine": lambda c: dress(c, (WINE, None, None)),
        "dotted": lambda c: dress(c, (NAVY, IVORY, dots(16)), hem=0.20),
        "teal": lambda c: dress(c, (TEAL, None, None), hem=0.15, waist=0.11),
        "rose": lambda c: dress(c, (ROSE, None, None), sleeves=0.10, hem=0.18),
        "mustard": lambda c: dress(c, (MUSTARD, None, None), hem=0.27),
    },
    "Coat": {
        "camel": lambda c: coat(c, (CAMEL, None, None)),
        "navy": lambda c: coat(c, (NAVY, None, None), double=True),
        "olive": lambda c: coat(c, (OLIVE, None, None), zip_=True),
        "charcoal": lambda c: coat(c, (GRAY, None, None), double=True, hem=0.92),
        "cocoa": lambda c: coat(c, (COCOA, None, None)),
    },
    "Sandal": {
        "brown": lambda c: flat_sandal(c, (COCOA, None, None)),
        "heeled": lambda c: heeled_sandal(c, (BLACK, None, None)),
        "red": lambda c: heeled_sandal(c, (WINE, None, None), heel=0.20),
        "tan": lambda c: flat_sandal(c, (RUST, None, None), straps=2),
        "navy": lambda c: flat_sandal(c, (NAVY, None, None), straps=3),
    },
    "Shirt": {
        "plaid": lambda c: shirt(c, (SAND, WINE, plaid(14))),
        "blue": lambda c: shirt(c, (SKY, None, None)),
        "striped": lambda c: shirt(c, (SILVER, NAVY, pinstripes(28, 0.3))),
        "short": lambda c: shirt(c, (TEAL, IVORY, dots(22, 0.2)), short=True),
        "flannel": lambda c: shirt(c, (FOREST, IVORY, plaid(11)), pocket=False),
    },
    "Sneaker": {
        "blue": lambda c: sneaker(c, (DENIM, None, None), stripe=IVORY),
        "black": lambda c: sneaker(c, (BLACK, None, None)),
        "red": lambda c: sneaker(c, (CORAL, None, None), stripe=BLACK),
        "gray": lambda c: sneaker(c, (GRAY, None, None), sole=(150, 150, 150)),
        "green": lambda c: sneaker(c, (FOREST, None, None), stripe=MUSTARD),
    },
    "Bag": {
        "brown": lambda c: bag(c, (COCOA, None, None)),
        "flap": lambda c: bag(c, (WINE, None, None), flap=True, belt=True),
        "shopper": lambda c: bag(c, (SAND, NAVY, stripes(7, 0.35)), top=0.33, handle=0.28),
        "black": lambda c: bag(c, (BLACK, None, None), flap=True, top=0.42, handle=0.22),
        "mustard": lambda c: bag(c, (MUSTARD, None, None), top=0.44, belt=True, handle=0.3),
    },
    "Ankle boot": {
        "chelsea": lambda c: boot(c, (COCOA, None, None)),
        "black": lambda c: boot(c, (BLACK, None, None), heel=0.10),
        "laced": lambda c: boot(c, (RUST, None, None), laces=True),
        "suede": lambda c: boot(c, (CAMEL, None, None), top=0.24),
        "wine": lambda c: boot(c, (WINE, None, None), laces=True, heel=0.09),
    },
}
FORMATS = (
    (".png", [cv2.IMWRITE_PNG_COMPRESSION, 9]),
    (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 88]),
    (".webp", [cv2.IMWRITE_WEBP_QUALITY, 82]),
    (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    (".webp", [cv2.IMWRITE_WEBP_QUALITY, 90]),
)


def draw_all(folder: Path) -> int:
    """Draw every garment into a folder per class below `folder`; return how many."""
    count = 0
    for garment, styles in GARMENTS.items():
        (folder / garment).mkdir(parents=True, exist_ok=True)
        for (name, draw), (suffix, options) in zip(styles.items(), FORMATS, strict=True):
            canvas = Canvas(np.random.default_rng(count))
            draw(canvas)
            file = folder / garment / f"{name}{suffix}"
            file.write_bytes(cv2.imencode(suffix, canvas.picture()[..., ::-1], options)[1].tobytes())
            count += 1
    return count


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    print(f"{draw_all(target)} pictures in {target}")
