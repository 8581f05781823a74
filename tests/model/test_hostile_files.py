"""Files that mean harm cost neither memory nor time, and each gets a documented answer."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.preprocessing import ImageError, InputSpec, prepare
from tests.model import hostile_files as files

FIXTURES = files.FIXTURES
MIB = 1 << 20
# Prints what became of the file of standard input, the growth of the process in bytes, and its seconds.
MEASURED = """
import sys, time
from model.preprocessing import ImageError, InputSpec, prepare
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
small, data = open(sys.argv[1], "rb").read(), sys.stdin.buffer.read()
prepare(small, InputSpec())
before, began = peak(), time.process_time()
try:
    prepare(data, InputSpec())
    what = "pixels"
except ImageError as error:
    what = error.reason
print(what, peak() - before, time.process_time() - began)
"""
# What each gets. Where "pixels" stands, the honest picture in front of the bomb is all that is decoded.
BOMBS: dict[Callable[[], bytes], str] = {
    files.png_of_100_megapixels: "too-many-pixels",
    files.png_whose_rows_never_end: "pixels",
    files.png_with_a_text_of_400_megabytes: "pixels",
    files.png_with_a_profile_of_400_megabytes: "pixels",
    files.tiff_of_100_megapixels: "too-many-pixels",
    files.tiff_whose_strip_never_ends: "pixels",
    files.tiff_that_leads_in_a_circle: "pixels",
    files.gif_with_a_frame_beyond_its_screen: "not-an-image",
    files.gif_of_countless_frames: "pixels",
    files.webp_of_16383_pixels: "too-many-pixels",
    files.bmp_of_100_megapixels: "too-many-pixels",
    files.jpeg_of_65500_pixels: "too-many-pixels",
    files.jpeg_of_countless_scans: "not-an-image",
    files.jpeg_2000: "unsupported-format",
    files.gzip_bomb: "unsupported-format",
}


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_bomb_costs_neither_memory_nor_time(make: Callable[[], bytes]) -> None:
    """A hundred megabytes and two seconds at the most, for what would be gigabytes."""
    command = [sys.executable, "-c", MEASURED, str(FIXTURES / "plain.png")]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, input=make(), capture_output=True, check=True, cwd=root)
    what, growth, seconds = done.stdout.decode().split()
    assert BOMBS[make] == what
    assert int(growth) < 100 * MIB
    assert float(seconds) < 2


@pytest.mark.parametrize(
    ("make", "honest"),
    [
        (files.jpeg_and_zip, "gray.jpg"),
        (files.png_and_zip, "plain.png"),
        (files.gif_and_html, "palette.gif"),
        (files.jpeg_and_pdf, "gray.jpg"),
    ],
)
def test_polyglot_is_the_picture_it_begins_with(make: Callable[[], bytes], honest: str) -> None:
    """Nothing of what else it is gets into the pixels, and nothing but pixels goes on."""
    expected = prepare((FIXTURES / honest).read_bytes(), InputSpec())
    np.testing.assert_array_equal(expected, prepare(make(), InputSpec()))


@pytest.mark.parametrize("make", [files.pdf_and_jpeg, files.html_and_gif, files.zip_and_jpeg])
def test_polyglot_that_begins_as_something_else_is_no_picture(make: Callable[[], bytes]) -> None:
    """No picture is searched for behind the start."""
    with pytest.raises(ImageError) as caught:
        prepare(make(), InputSpec())
    assert "unsupported-format" == caught.value.reason
