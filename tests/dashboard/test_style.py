"""Contrast of the page's colours, computed from its style (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re

import pytest

from dashboard.plain_pages import STYLE

TEXT = ("ink", "faint", "link", "good", "doubt", "bad")
GROUNDS = ("ground", "paper", "mark")
SELECTORS = {"light": ":root", "dark": "body.body--dark"}


def colours(scheme: str) -> dict[str, str]:
    """Return a scheme's variables."""
    block = STYLE.split(f"{SELECTORS[scheme]} {{", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    """Black on white, and the gray that just passes."""
    assert 21.0 == contrast("#000000", "#ffffff")
    assert 4.54 == round(contrast("#767676", "#ffffff"), 2)


@pytest.mark.parametrize("scheme", SELECTORS)
def test_text_can_be_read_on_every_ground(scheme: str) -> None:
    """At least 4.5 to 1, whatever the text says; what only marks, 3 to 1."""
    found = colours(scheme)
    weak = {
        (text, ground): round(contrast(found[text], found[ground]), 2)
        for text in TEXT
        for ground in GROUNDS
        if contrast(found[text], found[ground]) < 4.5
    }
    assert {} == weak
    assert all(contrast(found["bar"], found[ground]) >= 3 for ground in GROUNDS)


def test_every_colour_is_a_variable() -> None:
    """So that both schemes have it; black under pixels and the shadow of a box apart."""
    body = STYLE.split("body.body--dark {", 1)[1].split("}", 1)[1]
    assert {"#000"} == set(re.findall(r"#[0-9a-f]{3,8}\b", body))


def test_motion_is_left_out_where_it_is_not_wanted() -> None:
    """By the browser's own setting."""
    assert "@media (prefers-reduced-motion: reduce)" in STYLE
