"""T-shirts, pullovers, shirts, coats, dresses and trousers, seen from the front."""

from collections.abc import Sequence

from samples.canvas import Canvas, Colour, Pattern, Point, mirrored

Cloth = tuple[Colour, Colour | None, Pattern | None]
"""The first colour and, where there is a pattern, the second and the pattern."""


def darker(colour: Colour, share: float = 0.6) -> Colour:
    """Return the colour of a seam or of the inside of a garment."""
    red, green, blue = (round(part * share) for part in colour)
    return red, green, blue


def _fill(canvas: Canvas, outline: Sequence[Point], cloth: Cloth, *, folds: float = 0.08) -> None:
    colour, second, pattern = cloth
    canvas.cloth(outline, colour, second=second, pattern=pattern, folds=folds)


def _neckline(canvas: Canvas, colour: Colour, depth: float, half: float = 0.085, top: float = 0.05) -> None:
    """Show the inside of the back above a hole with a rib around it."""
    canvas.cloth(
        [(0.5 - half, top), (0.5 + half, top), (0.5, top + depth)], darker(colour, 0.5), radius=0.02, folds=0
    )
    rim = [(0.5 - half, top), (0.5, top + depth * 1.25), (0.5 + half, top)]
    canvas.strap(rim, darker(colour, 0.75), 0.016)


def _hem(canvas: Canvas, left: Point, right: Point, colour: Colour) -> None:
    canvas.strap([left, right], darker(colour, 0.7), 0.007)


def t_shirt(
    canvas: Canvas, cloth: Cloth, *, neck: float = 0.07, sleeve: float = 0.0, flare: float = 0.0
) -> None:
    """Draw a T-shirt; `neck` is how deep it is cut, `sleeve` how much longer its sleeves are."""
    colour = cloth[0]
    half = [
        (0.41, 0.05), (0.31, 0.08), (0.22, 0.16), (0.12 - sleeve / 3, 0.29 + sleeve),
        (0.225 - sleeve / 3, 0.36 + sleeve), (0.30, 0.28), (0.305, 0.55), (0.29 - flare, 0.95),
    ]  # fmt: skip
    _fill(canvas, mirrored(half), cloth)
    _neckline(canvas, colour, neck)
    _hem(canvas, (0.297 - flare, 0.92), (0.703 + flare, 0.92), colour)
    canvas.strap([(0.315, 0.09), (0.30, 0.28)], darker(colour, 0.75), 0.006)
    canvas.strap([(0.685, 0.09), (0.70, 0.28)], darker(colour, 0.75), 0.006)


def _long_sleeved(width: float, cuff: float, hem: float, gap: float = 0.05) -> list[Point]:
    """Outline the left half of a garment whose long sleeves hang beside the body, `gap` away at the cuff."""
    side = 0.5 - width
    return [
        (0.415, 0.05), (side + 0.01, 0.085), (side - 0.065, 0.16), (side - 0.115, 0.42), (side - 0.155, cuff),
        (side - gap, cuff + 0.015), (side - 0.4 * gap, 0.50), (side + 0.005, 0.36), (side + 0.01, 0.6), (side, hem),
    ]  # fmt: skip


def pullover(canvas: Canvas, cloth: Cloth, *, neck: float = 0.05, collar: bool = False) -> None:
    """Draw a pullover with ribbed cuffs and hem, perhaps with a roll neck."""
    colour, width, cuff, hem = cloth[0], 0.215, 0.95, 0.85
    _fill(canvas, mirrored(_long_sleeved(width, cuff, hem)), cloth, folds=0.10)
    side = 0.5 - width
    for mirror in (1, -1):
        ends = [(side - 0.140, cuff - 0.05), (side - 0.054, cuff - 0.035)]
        canvas.strap([(0.5 + mirror * (x - 0.5), y) for x, y in ends], darker(colour, 0.7), 0.012)
        seam = [(side + 0.015, 0.09), (side - 0.005, 0.34)]
        canvas.strap([(0.5 + mirror * (x - 0.5), y) for x, y in seam], darker(colour, 0.75), 0.006)
    canvas.strap([(side + 0.012, hem - 0.06), (0.988 - side, hem - 0.06)], darker(colour, 0.7), 0.012)
    if collar:
        roll = mirrored([(0.42, 0.015), (0.405, 0.08), (0.43, 0.105)])
        canvas.cloth(roll, darker(colour, 0.85))
    else:
        _neckline(canvas, colour, neck)


def shirt(canvas: Canvas, cloth: Cloth, *, short: bool = False, pocket: bool = True) -> None:
    """Draw a shirt: collar, button placket, cuffs and a rounded tail."""
    colour, side = cloth[0], 0.30
    if short:
        half = [
            (0.41, 0.05), (0.31, 0.085), (0.21, 0.17), (0.13, 0.34), (0.235, 0.385), (0.305, 0.29),
            (0.31, 0.6), (0.295, 0.9), (0.34, 0.95),
        ]  # fmt: skip
    else:
        half = [*_long_sleeved(0.20, 0.86, 0.89)[:-1], (side, 0.90), (0.35, 0.955)]
    _fill(canvas, mirrored(half), cloth)
    edge = darker(colour, 0.45)
    canvas.cloth([(0.42, 0.045), (0.58, 0.045), (0.5, 0.13)], darker(colour, 0.4), folds=0)
    for mirror in (1, -1):
        collar = [(0.415, 0.03), (0.385, 0.08), (0.43, 0.155), (0.497, 0.115), (0.43, 0.06)]
        leaf = [(0.5 + mirror * (x - 0.5), y) for x, y in collar]
        canvas.cloth(leaf, darker(colour, 0.9), radius=0.008, shade=0.5)
    canvas.strap([(0.478, 0.12), (0.478, 0.955)], edge, 0.006)
    canvas.strap([(0.522, 0.12), (0.522, 0.955)], edge, 0.006)
    for button in range(7):
        canvas.dot((0.5, 0.17 + 0.115 * button), 0.009, (240, 240, 235))
    if pocket:
        canvas.strap(
            [(0.56, 0.29), (0.66, 0.29), (0.66, 0.40), (0.61, 0.42), (0.56, 0.40), (0.56, 0.29)], edge, 0.006
        )
    if not short:
        for mirror in (1, -1):
            canvas.strap(
                [(0.5 + mirror * (x - 0.5), y) for x, y in [(0.158, 0.80), (0.238, 0.812)]], edge, 0.007
            )


def coat(
    canvas: Canvas, cloth: Cloth, *, double: bool = False, hem: float = 0.90, zip_: bool = False
) -> None:
    """Draw a coat or jacket: lapels, the edge where it closes, buttons or a zip, pockets."""
    colour = cloth[0]
    edge = darker(colour, 0.35)
    half = _long_sleeved(0.225, 0.90, hem, gap=0.03)
    half[-1] = (0.265, hem)
    _fill(canvas, mirrored(half), cloth, folds=0.12)
    canvas.cloth([(0.42, 0.045), (0.58, 0.045), (0.5, 0.24)], darker(colour, 0.3), folds=0)
    for mirror in (1, -1):
        lapel = [
            (0.42, 0.03),
            (0.36, 0.085),
            (0.345, 0.20),
            (0.395, 0.21),
            (0.494, 0.36),
            (0.494, 0.27),
            (0.44, 0.11),
        ]
        canvas.cloth(
            [(0.5 + mirror * (x - 0.5), y) for x, y in lapel], darker(colour, 0.88), radius=0.008, shade=0.55
        )
        pocket = [(0.31, 0.62), (0.42, 0.60)]
        canvas.strap([(0.5 + mirror * (x - 0.5), y) for x, y in pocket], edge, 0.014)
        canvas.strap([(0.5 + mirror * (x - 0.5), y) for x, y in [(0.295, 0.1), (0.288, 0.34)]], edge, 0.007)
    front = 0.5 if zip_ else 0.515
    canvas.strap([(front, 0.33), (front, hem)], edge, 0.018 if zip_ else 0.01)
    for row in range(0 if zip_ else 4):
        for column in (0.46, 0.54) if double else (0.475,):
            canvas.dot((column, 0.42 + 0.12 * row), 0.014, edge)


def dress(
    canvas: Canvas, cloth: Cloth, *, hem: float = 0.24, waist: float = 0.10, sleeves: float = 0.0
) -> None:
    """Draw a dress: `hem` and `waist` are half its width there, `sleeves` the length of its sleeves."""
    colour = cloth[0]
    if sleeves:
        top = [(0.43, 0.04), (0.36, 0.06), (0.29, 0.09 + sleeves), (0.345, 0.12 + sleeves), (0.385, 0.18)]
    else:
        top = [(0.425, 0.02), (0.395, 0.025), (0.39, 0.12), (0.365, 0.20)]
    _fill(canvas, mirrored([*top, (0.5 - waist, 0.40), (0.5 - hem, 0.97)]), cloth, folds=0.14)
    if sleeves:
        _neckline(canvas, colour, 0.05, half=0.065, top=0.04)
    else:
        canvas.clear([(0.43, -0.01), (0.57, -0.01), (0.56, 0.09), (0.5, 0.14), (0.44, 0.09)])
    canvas.strap([(0.5 - waist, 0.40), (0.5, 0.41), (0.5 + waist, 0.40)], darker(colour, 0.6), 0.02)


def trouser(
    canvas: Canvas, cloth: Cloth, *, leg: float = 0.13, spread: float = 0.03, hem: float = 0.97
) -> None:
    """Draw trousers; `leg` is the width of a leg at its end, `spread` how far the legs stand apart."""
    colour = cloth[0]
    edge = darker(colour, 0.55)
    outer = 0.5 - spread - leg
    half = [
        (0.365, 0.03),
        (0.345, 0.16),
        (outer + 0.005, 0.55),
        (outer, hem),
        (outer + leg, hem),
        (0.493, 0.30),
    ]
    _fill(canvas, mirrored(half), cloth, folds=0.13)
    canvas.strap([(0.362, 0.075), (0.638, 0.075)], edge, 0.008)
    canvas.strap([(0.5, 0.05), (0.5, 0.30)], edge, 0.008)
    for mirror in (1, -1):
        canvas.strap(
            [(0.5 + mirror * (x - 0.5), y) for x, y in [(0.42, 0.08), (0.405, 0.14), (0.352, 0.17)]],
            edge,
            0.006,
        )
    canvas.dot((0.5, 0.055), 0.011, (215, 200, 150))
