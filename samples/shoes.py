"""Sandals, sneakers, ankle boots and bags, seen from the side; toes point to the left."""

from samples.canvas import Canvas, Colour
from samples.tops import Cloth, darker


def sneaker(
    canvas: Canvas, cloth: Cloth, *, sole: Colour = (225, 225, 220), stripe: Colour | None = None
) -> None:
    """Draw a low running shoe: rubber sole, laces, heel tab."""
    colour, second, pattern = cloth
    upper = [
        (0.035, 0.655), (0.05, 0.585), (0.13, 0.535), (0.25, 0.50), (0.38, 0.43), (0.52, 0.345), (0.60, 0.335),
        (0.66, 0.40), (0.76, 0.425), (0.86, 0.385), (0.93, 0.345), (0.955, 0.37), (0.945, 0.47), (0.965, 0.655),
    ]  # fmt: skip
    canvas.cloth(upper, colour, second=second, pattern=pattern, folds=0.06)
    canvas.cloth(
        [(0.60, 0.345), (0.66, 0.405), (0.76, 0.428), (0.86, 0.388), (0.72, 0.37)], darker(colour, 0.35)
    )
    rubber = [
        (0.025, 0.64),
        (0.5, 0.655),
        (0.975, 0.635),
        (0.975, 0.70),
        (0.93, 0.735),
        (0.10, 0.735),
        (0.03, 0.70),
    ]
    canvas.cloth(rubber, sole, folds=0.02)
    canvas.strap([(0.05, 0.725), (0.5, 0.732), (0.95, 0.722)], (70, 70, 70), 0.012)
    canvas.strap([(0.05, 0.60), (0.17, 0.585), (0.235, 0.515)], darker(colour, 0.55), 0.01)
    canvas.strap([(0.84, 0.40), (0.83, 0.52), (0.86, 0.64)], darker(colour, 0.55), 0.01)
    for lace in range(5):
        x, y = 0.335 + 0.058 * lace, 0.47 - 0.032 * lace
        canvas.strap([(x - 0.02, y - 0.012), (x + 0.045, y + 0.045)], (245, 245, 245), 0.014)
    if stripe is not None:
        canvas.strap([(0.40, 0.62), (0.52, 0.59), (0.66, 0.46)], stripe, 0.035)


def boot(canvas: Canvas, cloth: Cloth, *, heel: float = 0.06, top: float = 0.17, laces: bool = False) -> None:
    """Draw an ankle boot; `heel` is the height of its heel, `top` where the shaft ends."""
    colour, second, pattern = cloth
    ground = 0.86 - heel
    upper = [
        (0.055, ground), (0.06, ground - 0.10), (0.13, ground - 0.155), (0.28, ground - 0.215),
        (0.42, ground - 0.33), (0.475, ground - 0.45), (0.48, top + 0.015), (0.70, top + 0.03), (0.91, top - 0.005),
        (0.915, 0.45), (0.90, 0.60), (0.935, ground - 0.06), (0.93, ground),
    ]  # fmt: skip
    canvas.cloth(upper, colour, second=second, pattern=pattern, folds=0.10)
    edge = darker(colour, 0.3)
    canvas.cloth([(0.045, ground - 0.012), (0.5, ground - 0.005), (0.94, ground - 0.012), (0.935, ground + 0.035),
                  (0.06, ground + 0.03)], edge, folds=0.02, radius=0.02)  # fmt: skip
    canvas.cloth(
        [(0.70, ground + 0.02), (0.935, ground + 0.02), (0.92, 0.875), (0.715, 0.875)], edge, radius=0.008
    )
    if laces:
        canvas.strap([(0.47, top + 0.05), (0.49, 0.50), (0.36, ground - 0.22)], darker(colour, 0.55), 0.012)
        for row in range(5):
            canvas.strap(
                [(0.44 + 0.008 * row, 0.58 - 0.07 * row), (0.58, 0.60 - 0.07 * row)], (235, 225, 200), 0.016
            )
    else:  # an elastic gore at the ankle
        canvas.cloth(
            [(0.60, top + 0.04), (0.76, top + 0.04), (0.71, 0.55), (0.645, 0.55)], darker(colour, 0.5)
        )
    canvas.strap([(0.79, top + 0.03), (0.81, 0.55), (0.78, ground)], darker(colour, 0.65), 0.008)


def flat_sandal(canvas: Canvas, cloth: Cloth, *, straps: int = 3) -> None:
    """Draw a flat sandal: a thin sole and straps, with the ground between them."""
    colour = cloth[0]
    sole = [(0.03, 0.645), (0.12, 0.63), (0.45, 0.645), (0.75, 0.625), (0.965, 0.61), (0.975, 0.66), (0.9, 0.70),
            (0.5, 0.70), (0.08, 0.695)]  # fmt: skip
    canvas.cloth(sole, darker(colour, 0.6), folds=0.05)
    for strap in range(straps):
        x = 0.16 + 0.15 * strap
        arch = [
            (x, 0.645),
            (x + 0.05, 0.54 - 0.035 * strap),
            (x + 0.12, 0.535 - 0.035 * strap),
            (x + 0.17, 0.65),
        ]
        canvas.strap(arch, colour, 0.042)
    canvas.strap([(0.70, 0.635), (0.77, 0.47), (0.93, 0.44), (0.955, 0.62)], colour, 0.035)
    canvas.strap([(0.56, 0.64), (0.66, 0.50), (0.80, 0.455)], colour, 0.03)
    canvas.dot((0.745, 0.50), 0.018, (220, 200, 120))


def heeled_sandal(canvas: Canvas, cloth: Cloth, *, heel: float = 0.25) -> None:
    """Draw a sandal with a high, thin heel."""
    colour = cloth[0]
    ground, back = 0.82, 0.82 - heel
    sole = [(0.06, ground - 0.03), (0.30, ground - 0.035), (0.52, ground - 0.10), (0.72, back - 0.03), (0.90, back - 0.045),
            (0.905, back), (0.74, back + 0.03), (0.56, ground - 0.045), (0.32, ground), (0.07, ground)]  # fmt: skip
    canvas.cloth(sole, darker(colour, 0.7), folds=0.04)
    canvas.cloth(
        [(0.80, back), (0.905, back - 0.02), (0.875, ground + 0.005), (0.845, ground + 0.005)],
        darker(colour, 0.5),
    )
    canvas.strap(
        [(0.11, ground - 0.03), (0.19, ground - 0.17), (0.33, ground - 0.15), (0.35, ground - 0.03)],
        colour,
        0.045,
    )
    canvas.strap(
        [(0.27, ground - 0.15), (0.55, back - 0.12), (0.70, back - 0.22), (0.88, back - 0.20)], colour, 0.026
    )
    canvas.strap([(0.885, back - 0.03), (0.90, back - 0.14), (0.87, back - 0.30), (0.72, back - 0.27), (0.70, back - 0.20)],
                 colour, 0.03)  # fmt: skip


def bag(
    canvas: Canvas,
    cloth: Cloth,
    *,
    top: float = 0.36,
    flap: bool = False,
    handle: float = 0.26,
    belt: bool = False,
) -> None:
    """Draw a handbag; `top` is where its body begins, `handle` how high its handle stands."""
    colour, second, pattern = cloth
    edge = darker(colour, 0.5)
    grip = [
        (0.33, top + 0.04),
        (0.35, top - handle * 0.8),
        (0.5, top - handle),
        (0.65, top - handle * 0.8),
        (0.67, top + 0.04),
    ]
    if belt:
        grip = [(0.13, top + 0.05), (0.22, top - handle * 0.7), (0.5, top - handle * 1.1), (0.78, top - handle * 0.7),
                (0.87, top + 0.05)]  # fmt: skip
    canvas.strap(grip, darker(colour, 0.75), 0.032)
    body = [(0.13, top), (0.5, top - 0.01), (0.87, top), (0.925, 0.86), (0.5, 0.88), (0.075, 0.86)]
    canvas.cloth(body, colour, second=second, pattern=pattern, radius=0.008, folds=0.07)
    if flap:
        canvas.cloth([(0.12, top - 0.01), (0.88, top - 0.01), (0.885, top + 0.22), (0.5, top + 0.30), (0.115, top + 0.22)],
                     darker(colour, 0.85), radius=0.008, shade=0.5)  # fmt: skip
        canvas.dot((0.5, top + 0.25), 0.028, (215, 190, 110))
    else:
        canvas.strap([(0.12, top + 0.05), (0.88, top + 0.05)], edge, 0.012)
        for x in (0.33, 0.67):
            canvas.dot((x, top + 0.06), 0.018, (215, 190, 110))
    canvas.strap([(0.10, 0.83), (0.90, 0.83)], edge, 0.007)
