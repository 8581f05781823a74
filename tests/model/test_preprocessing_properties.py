"""Whatever bytes come in, pixels or the one documented error come out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from model.preprocessing import ImageError, InputSpec, prepare, prepare_pixels

FIXTURES = Path(__file__).parent / "fixtures"
FILES = [file.read_bytes() for file in sorted(FIXTURES.iterdir()) if file.suffix != ".md"]
SIGNATURES = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"RIFF\x10\x00\x00\x00WEBP",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"BM",
]
SPEC = InputSpec(max_pixels=1_000_000)
REASONS = {"empty", "too-large", "too-many-pixels", "unsupported-format", "not-an-image", "truncated"}
PATIENT = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(data: bytes) -> NDArray[np.uint8] | ImageError:
    """What becomes of the bytes; any other exception is a failed test."""
    try:
        return prepare(data, SPEC)
    except ImageError as error:
        return error


def check(data: bytes) -> None:
    """Pixels of the right shape, or an error that says what and why."""
    result = outcome(data)
    if isinstance(result, ImageError):
        assert result.reason in REASONS
        assert result.detail.endswith(".")
        assert "\n" not in result.detail
    else:
        assert result.shape == (28, 28)
        assert result.dtype == np.uint8


@PATIENT
@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    """Bytes of no format."""
    check(data)


@PATIENT
@given(st.sampled_from(SIGNATURES), st.binary(max_size=500))
def test_any_bytes_behind_a_signature(signature: bytes, rest: bytes) -> None:
    """Bytes that begin like an image."""
    check(signature + rest)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A whole file in which some bytes were changed, taken out or put in."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 6))):
        # Headers are where a changed byte does most.
        at = draw(st.integers(0, min(200, len(data)) if draw(st.booleans()) else len(data)))
        gone = draw(st.integers(0, 4))
        data[at : at + gone] = draw(st.binary(max_size=4))
    return bytes(data)


@PATIENT
@given(damaged_files())
def test_any_damage(data: bytes) -> None:
    """A whole file in which a few bytes are wrong."""
    check(data)


@PATIENT
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 4])),
    )
)
def test_any_picture(picture: NDArray[np.uint8]) -> None:
    """Any size from one pixel on, any depth, gray or colour, with or without alpha."""
    pixels = prepare(cv2.imencode(".png", picture)[1].tobytes(), SPEC)

    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8


@PATIENT
@given(hnp.arrays(np.uint8, (28, 28), elements=st.integers(0, 255)))
def test_a_picture_of_the_right_size_on_black_passes(image: NDArray[np.uint8]) -> None:
    """Bit for bit, when its border is dark."""
    image[0], image[-1], image[:, 0] = 0, 0, 0
    before = image.copy()

    np.testing.assert_array_equal(before, prepare_pixels(image, SPEC))
