"""Cells that a spreadsheet would run."""

import pytest

from broker.spreadsheet import safe_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\nx",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A1",
        "=cmd|' /C calc'!A0",
    ],
)
def test_formula_is_shown_instead_of_run(text: str) -> None:
    """A leading apostrophe makes a spreadsheet take the cell for text."""
    assert "'" + text == safe_cell(text)


@pytest.mark.parametrize("text", ["", "a.png", "1", "a=b", "'x", "größe", " -1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    """Nothing else is touched."""
    assert text == safe_cell(text)
