"""Plots, read as the XML that they are."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from dashboard.plots import Aside, Axes, Frame, Mark, bound_above, lines, reliability, small, stacks

AXES = Axes("A title", "share", "day", percent=True)


def read(picture: Markup) -> ET.Element:
    """Return the picture as a tree: it is well-formed."""
    return ET.fromstring(picture)


def of_class(picture: Markup, name: str) -> list[ET.Element]:
    """Return the elements of a class."""
    return [one for one in read(picture).iter() if name in one.get("class", "").split()]


def test_plot_says_what_it_shows() -> None:
    """For those who cannot see it, and beside its axes."""
    picture = lines(AXES, ["1", "2"], [0.5, 0.75], Frame(0, 1, 2), bound=None)
    texts = ["".join(one.itertext()) for one in read(picture).iter("text")]

    assert ("img", "A title: share over day") == (read(picture).get("role"), read(picture).get("aria-label"))
    assert ["0 %", "25 %", "50 %", "75 %", "100 %", "1", "2", "share", "day"] == texts


def test_line_breaks_where_there_is_no_value() -> None:
    """A single value between two gaps is a dot alone; the threshold is dashed."""
    picture = lines(AXES, list("abcde"), [0.5, 0.5, None, 0.5, None], Frame(0, 1, 5), bound=0.25)

    assert (1, 3, 1) == tuple(len(of_class(picture, name)) for name in ("line", "dot", "dash"))


def test_band_marks_and_doubts_stand_beside_the_values() -> None:
    """A band breaks where the line does; a mark leads somewhere; what is not to be believed is hollow."""
    aside = Aside(
        band=[(0.4, 0.6), (0.4, 0.6), None, (0.4, 0.6)],
        marks=[Mark(1, 2, "low <confidence>", "#alert-1")],
        hollow=[False, True, False, False],
    )
    frame = Frame(0, 1, 4)
    picture = lines(AXES, list("abcd"), [0.5, 0.5, None, 0.5], frame, bound=None, aside=aside)
    (mark,) = of_class(picture, "mark")

    assert (2, 1) == (len(of_class(picture, "band")), len(of_class(picture, "hollow")))
    assert frame.x(3) - frame.x(1) == pytest.approx(float(mark.get("width", "")))
    assert [("#alert-1", "low <confidence>\N{WARNING SIGN}")] == [
        (one.get("href"), "".join(one.itertext())) for one in read(picture).iter("a")
    ]


def test_bars_stand_on_each_other() -> None:
    """The heights add up to the frame's; a value of nothing has no bar."""
    frame = Frame(0, 1, 2)
    picture = stacks(AXES, ["1", "2"], [("Bag", [0.25, 0]), ("Coat", [0.75, 1])], frame)
    bars = of_class(picture, "bar")

    assert ["bar s0", "bar s1", "bar s1"] == [one.get("class") for one in bars]
    assert frame.y(0) - frame.y(1) == sum(float(one.get("height", "")) for one in bars[:2])
    assert "1, Bag: 25 %" == "".join(bars[0].itertext())


def test_bar_that_nobody_sees_is_left_out_and_keeps_its_place() -> None:
    """Those above it stand as high as they should."""
    thin = [("a", [0.001]), ("b", [0.5])]
    thin_bars = of_class(stacks(AXES, ["1"], thin, Frame(0, 1, 1)), "bar")
    assert ["bar s1"] == [one.get("class") for one in thin_bars]
    both = of_class(stacks(AXES, ["1"], [("a", [0.002]), ("b", [0.5])], Frame(0, 1, 1)), "bar")
    assert 2 == len(both)
    assert float(str(thin_bars[0].get("y"))) - float(str(both[1].get("y"))) == pytest.approx(0.2, abs=0.11)


def test_reliability_counts_the_images_of_each_bin() -> None:
    """An empty bin has no bar."""
    picture = reliability(AXES, [(0, 0.0, 0.0), (12, 0.75, 0.5)])

    assert 1 == len(of_class(picture, "bar"))
    assert ["12"] == ["".join(one.itertext()) for one in of_class(picture, "count")]
    assert not of_class(reliability(AXES, [(12, 0.75, 0.5)] * 15), "count")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"])))
def test_texts_are_escaped(text: str) -> None:
    """Whatever somebody calls a class."""
    picture = stacks(AXES, ["1"], [(text, [0.5])], Frame(0, 1, 1))

    assert f"1, {text}: 50 %" == "".join(of_class(picture, "bar")[0].itertext())


@given(st.integers(1, 500))
def test_texts_below_an_axis_fit(count: int) -> None:
    """However many steps there are, and in a small plot too."""
    for frame in (Frame(0, 1, count), small(Frame(0, 1, count))):
        picture = lines(AXES, ["11-22 13:16"] * count, [None] * count, frame, bound=None)
        places = [
            float(one.get("x", "")) for one in read(picture).iter("text") if "11-22" in (one.text or "")
        ]

        assert all(b - a > 66 for a, b in pairwise(places))


@pytest.mark.parametrize(("value", "bound"), [(0, 1), (1, 1), (230, 240), (0.07, 0.08), (5, 5), (1001, 1200)])
def test_axis_ends_at_a_round_number(value: float, bound: float) -> None:
    """Not far above what it has to hold."""
    assert bound == pytest.approx(bound_above(value))


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1.25, "1.25"), (1500, "1,500"), (5e9, "5,000,000,000")]
)
def test_tick_is_written_out(value: float, text: str) -> None:
    """Without an exponent."""
    assert text == Axes("", "", "").tick(value)
