"""What a picture takes is known by its header, and no more than that is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.decoding import decode, decoded_bytes
from model.image_formats import read_header
from model.preprocessing import ImageError, InputSpec, prepare

FIXTURES = Path(__file__).parent / "fixtures"
PICTURES = sorted(
    file.name
    for file in FIXTURES.iterdir()
    if file.suffix not in (".md", ".avif") and file.name != "float.tiff"
)
ENOUGH = 4 * InputSpec().thumbnail
MIB = 1 << 20
# Prepares the file of standard input and prints by how many bytes the process grew at its largest. The
# system's `ru_maxrss` would count what the parent had taken when it started this process.
GROWTH = """
import sys
import cv2, numpy as np
from model.preprocessing import InputSpec, prepare
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
data = sys.stdin.buffer.read()
limit = int(sys.argv[1])
small = np.full((60, 60, 4), 60000, np.uint16)
prepare(cv2.imencode(".png", small)[1].tobytes(), InputSpec())
before = peak()
prepare(data, InputSpec(max_decoded_bytes=limit))
print(peak() - before)
"""
# The same with so many bytes of address space left; prints how it ended.
STARVED = """
import resource, sys
import cv2, numpy as np
from model.preprocessing import ImageError, InputSpec, prepare
data = sys.stdin.buffer.read()
cv2.setNumThreads(1)
prepare(cv2.imencode(".png", np.full((60, 60, 4), 60000, np.uint16))[1].tobytes(), InputSpec())
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
try:
    prepare(data, InputSpec())
except ImageError as error:
    print(error.reason)
else:
    print("prepared")
"""


def in_a_process(code: str, data: bytes, number: int) -> str:
    """What a fresh process prints that runs the code on the data."""
    command = [sys.executable, "-c", code, str(number)]
    root = Path(__file__).parents[2]
    return (
        subprocess.run(command, input=data, capture_output=True, check=True, cwd=root).stdout.decode().strip()
    )


def large(channels: int, kind: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """16 million pixels with a garment, which as a file are small."""
    most = np.iinfo(kind).max
    picture = np.full((4000, 4000, channels), most, kind)
    picture[500:3000, 800:2500, :3] = most // 5
    return picture


def encoded(picture: NDArray[Any], suffix: str = ".png", settings: tuple[int, ...] = ()) -> bytes:
    """A picture as a file."""
    return cv2.imencode(suffix, picture, settings)[1].tobytes()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_large_picture_takes_twice_its_decoded_size_at_most(
    channels: int, kind: type[np.unsignedinteger[Any]]
) -> None:
    """Neither more bits nor transparency is widened for the whole picture at once."""
    decoded = 16_000_000 * channels * np.dtype(kind).itemsize

    growth = int(in_a_process(GROWTH, encoded(large(channels, kind)), 256 * MIB))

    assert growth < 2.2 * decoded + 8 * MIB


@pytest.mark.parametrize("mib", [10, 40, 80, 130])
def test_a_lack_of_memory_is_an_image_error(mib: int) -> None:
    """Wherever memory ends, the process goes on with one of the documented reasons."""
    ended = in_a_process(STARVED, encoded(large(4, np.uint8)), mib * MIB)

    assert ended in {"not-an-image", "too-many-pixels", "prepared"}


def test_sixteen_bits_of_sixteen_million_pixels_are_refused_by_the_header() -> None:
    """They would take 128 MB; the sentence says what they take and what is given."""
    with pytest.raises(ImageError, match="4000 x 4000 pixels takes 128,000,000 bytes") as caught:
        prepare(encoded(large(4, np.uint16)), InputSpec())

    assert caught.value.reason == "too-many-pixels"
    assert f"{InputSpec().max_decoded_bytes:,}" in caught.value.detail


@pytest.mark.parametrize("name", PICTURES)
def test_no_picture_takes_more_than_its_header_says(name: str) -> None:
    """The count by the header covers what comes out, whatever the format, palette or alpha."""
    data = (FIXTURES / name).read_bytes()
    header = read_header(data)
    stored: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)

    assert decode(data, header, ENOUGH).nbytes <= decoded_bytes(header, ENOUGH)
    assert stored.nbytes <= decoded_bytes(header, ENOUGH)


def test_a_jpeg_counts_at_the_size_at_which_it_is_decoded() -> None:
    """A camera's picture is read at an eighth of its edges and takes next to nothing."""
    header = read_header(encoded(np.zeros((2401, 3201, 3), np.uint8), ".jpg"))

    assert 301 * 401 * 3 == decoded_bytes(header, ENOUGH)


def test_a_progressive_jpeg_counts_with_its_coefficients() -> None:
    """All of them are kept until the last pass, two bytes each, colour at a quarter of the pixels."""
    progressive = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    header = read_header(encoded(np.zeros((2400, 3200, 3), np.uint8), ".jpg", progressive))

    assert 2400 * 3200 * 3 == decoded_bytes(header, ENOUGH)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_strips_leave_no_seams(channels: int, kind: type[np.unsignedinteger[Any]]) -> None:
    """A picture of several strips is what the formulas give for it whole."""
    most = int(np.iinfo(kind).max)
    picture = np.random.default_rng(1).integers(0, most, (301, 257, channels), kind, endpoint=True)

    data = encoded(picture)
    made = decode(data, read_header(data), ENOUGH)

    samples = picture.astype(np.int64)
    if kind is np.uint16:
        samples = (samples + 128) // 257
    if channels == 4:
        colour, alpha = samples[..., :3], samples[..., 3:]
        samples = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    np.testing.assert_array_equal(samples.squeeze(), made)
