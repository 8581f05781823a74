"""Every form in which a garment's picture comes becomes the same 28x28 pixels, or one documented error."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.data import load_dataset
from model.preprocessing import ImageError, InputSpec, prepare

FIXTURES = Path(__file__).parent / "fixtures"
SPEC = InputSpec()
REASONS = {"empty", "too-large", "too-many-pixels", "unsupported-format", "not-an-image", "truncated"}


def fixture(name: str) -> NDArray[np.uint8]:
    """The pixels of a picture in the fixtures."""
    return prepare((FIXTURES / name).read_bytes(), SPEC)


def png(picture: NDArray[Any]) -> bytes:
    """A picture as a PNG file."""
    return cv2.imencode(".png", picture)[1].tobytes()


def garment(height: int, width: int, *, ground: int = 255, cloth: int = 60) -> NDArray[np.uint8]:
    """A gray picture with one garment, an upright block with a sleeve to the right."""
    picture = np.full((height, width), ground, np.uint8)
    picture[height // 8 : -height // 8, width // 4 : width // 2] = cloth
    picture[height // 8 : height // 4, width // 2 : width * 3 // 4] = cloth
    return picture


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The correlation of two pictures' pixels: 1 alike, 0 unrelated, -1 negated."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


UNLIKE = {"README.md", "refused.avif", "float.tiff"}
SAME = sorted({file.name for file in FIXTURES.iterdir()} - UNLIKE)


@pytest.mark.parametrize("name", SAME)
def test_every_form_of_a_picture_shows_the_same_garment(name: str) -> None:
    """Palette, CMYK, alpha on white, gray, bilevel, first frame, held sideways: all give the same pixels."""
    assert likeness(fixture(name), fixture("plain.png")) > 0.85


@pytest.mark.parametrize("name", ["cmyk.tiff", "deflate.tiff", "packbits.tiff", "animated.png", "turned.png"])
def test_lossless_forms_are_equal(name: str) -> None:
    """A lossless copy gives the same pixels exactly."""
    np.testing.assert_array_equal(fixture(name), fixture("plain.png"))


TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: np.rot90(upright, 2),
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright.T, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_all_eight_orientations_are_undone(orientation: int) -> None:
    """A PNG stored in any of EXIF's eight ways gives the upright picture's pixels."""
    upright = garment(96, 80)
    content = b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + content))
    stored = png(np.ascontiguousarray(TURNS[orientation](upright)))

    turned = prepare(stored[:33] + chunk + stored[33:], SPEC)

    np.testing.assert_array_equal(prepare(png(upright), SPEC), turned)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    """A 16-bit picture gives what its 8-bit twin gives."""
    picture = garment(60, 60, cloth=100)

    deep = prepare(png(picture.astype(np.uint16) * 257), SPEC)

    np.testing.assert_array_equal(prepare(png(picture), SPEC), deep)


def test_fashion_mnist_passes_bit_for_bit(fashion_mnist: Path) -> None:
    """A 28x28 picture that is bright on black is left alone, all given test images included."""
    images = load_dataset(fashion_mnist, "test").images

    changed = [
        index for index, image in enumerate(images) if not np.array_equal(prepare(png(image), SPEC), image)
    ]

    assert changed == []


def test_gray_stored_as_colour_passes_bit_for_bit() -> None:
    """Three equal channels are as gray as one."""
    image = 255 - garment(28, 28)

    np.testing.assert_array_equal(image, prepare(png(np.dstack([image] * 3)), SPEC))


def test_a_bright_ground_is_negated_and_a_dark_one_is_not() -> None:
    """The garment ends up bright on black either way."""
    on_white = prepare(png(garment(90, 90, ground=255, cloth=40)), SPEC)
    on_black = prepare(png(garment(90, 90, ground=0, cloth=215)), SPEC)

    np.testing.assert_array_equal(on_white, on_black)
    assert (on_white[:, 0] == 0).all()


@pytest.mark.parametrize(("height", "width"), [(90, 40), (40, 90), (300, 1000), (1000, 30), (3, 3), (1, 200)])
def test_the_garment_fills_the_longest_edge_and_is_centred(height: int, width: int) -> None:
    """The ground is trimmed, the aspect kept, the shortest edge filled up evenly."""
    picture = np.full((height + 60, width + 20), 255, np.uint8)
    picture[50 : 50 + height, 5 : 5 + width] = 20

    pixels = prepare(png(picture), SPEC)

    rows, columns = (np.flatnonzero((pixels > 100).any(axis=axis)) for axis in (1, 0))
    assert max(len(rows), len(columns)) == 28
    assert abs(rows[0] - (27 - rows[-1])) <= 1
    assert abs(columns[0] - (27 - columns[-1])) <= 1
    assert (
        len(rows) / len(columns) == pytest.approx(height / width, rel=0.6)
        or min(len(rows), len(columns)) == 1
    )


def test_a_big_jpeg_gives_what_its_small_copy_gives() -> None:
    """Shrinking while decoding changes no more than JPEG itself does."""
    small = garment(300, 240)
    big = cv2.resize(small, None, fx=12, fy=12, interpolation=cv2.INTER_NEAREST)

    pixels = prepare(cv2.imencode(".jpg", big)[1].tobytes(), SPEC)

    assert likeness(pixels, prepare(png(small), SPEC)) > 0.95


def test_a_blank_picture_becomes_black() -> None:
    """Where nothing but ground is, nothing is bright."""
    assert int(prepare(png(np.full((50, 70), 240, np.uint8)), SPEC).max()) <= 15


@pytest.mark.parametrize(
    ("spec", "reason"),
    [(InputSpec(max_bytes=100), "too-large"), (InputSpec(max_pixels=1000), "too-many-pixels")],
)
def test_limits_come_before_decoding(spec: InputSpec, reason: str) -> None:
    """Bytes and claimed pixels are limited."""
    with pytest.raises(ImageError) as caught:
        prepare((FIXTURES / "plain.png").read_bytes(), spec)

    assert caught.value.reason == reason


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif"])
def test_a_bomb_is_refused_by_its_header(suffix: str) -> None:
    """A small file that claims a huge picture is refused, whatever its format."""
    with pytest.raises(ImageError) as caught:
        prepare(
            cv2.imencode(suffix, np.zeros((300, 300, 3), np.uint8))[1].tobytes(), InputSpec(max_pixels=89_999)
        )

    assert caught.value.reason == "too-many-pixels"


def test_float_samples_are_refused_by_name() -> None:
    """A TIFF of floating-point samples has no agreed white, so it is not guessed."""
    with pytest.raises(ImageError, match="float32") as caught:
        fixture("float.tiff")

    assert caught.value.reason == "unsupported-format"


def test_a_damaged_png_is_no_image() -> None:
    """A flipped bit in the pixels' data is found by the checksum."""
    data = bytearray((FIXTURES / "plain.png").read_bytes())
    data[len(data) // 2] ^= 1

    with pytest.raises(ImageError) as caught:
        prepare(bytes(data), SPEC)

    assert caught.value.reason == "not-an-image"


def test_spec_survives_json() -> None:
    """What travels in the announcement is the same spec on the other side."""
    spec = InputSpec(version="other", trim_tolerance=0.1)

    assert spec == InputSpec.from_dict(json.loads(json.dumps(spec.to_dict())))


def test_spec_ignores_unknown_names_and_fills_missing_ones() -> None:
    """A later version may add settings, an earlier one may lack some, which are then as they were."""
    assert InputSpec.from_dict({"future": 1}) == InputSpec(cut_out_spread=255.0, resize="subsample")


@pytest.mark.parametrize(
    "settings",
    [
        {"height": "28"},
        {"height": True},
        {"height": 0},
        {"version": 3},
        {"resize": "magic"},
        {"max_pixels": -1},
        {"max_decoded_bytes": 0},
        {"max_bytes": 2**62},
        {"height": 4097},
        {"width": 10**400},
        {"thumbnail": 10**9},
        {"sharpen_radius": float("inf")},
        {"sharpen_radius": 1e6},
        {"sharpen_radius": 10**400},
        {"sharpen_sigma": 0.0},
        {"sharpen_sigma": float("nan")},
        {"ground_spread": -1},
        {"trim_tolerance": [0.05] * 10_000},
        {"trim_outliers": 1.5},
        {"version": "v" * 101},
        {"resize": "a\nb"},
    ],
)
def test_spec_refuses_wrong_values_in_one_line(settings: dict[str, object]) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=f"^input spec: {next(iter(settings))} [^\n]{{,150}}$"):
        InputSpec.from_dict(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"height": 1, "width": 1, "thumbnail": 1},
        {"height": 200, "width": 3, "thumbnail": 4096},
        {"sharpen_radius": 16, "sharpen_sigma": 0.05, "trim_tolerance": 1, "trim_outliers": 1},
        {"sharpen_sigma": 16, "ground_spread": 255, "trim_tolerance": 0, "trim_outliers": 0},
    ],
)
def test_a_spec_at_its_limits_still_works(settings: dict[str, object]) -> None:
    """Every spec that is let in makes pixels of every picture."""
    spec = InputSpec.from_dict(settings)

    for picture in (garment(300, 200), garment(9, 700), np.dstack([garment(40, 40)] * 3)):
        assert prepare(png(picture), spec).shape == (spec.height, spec.width)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "too-many-pixels"),
        (cv2.error("std::bad_alloc"), "too-many-pixels"),
        (cv2.error("(-215:Assertion failed) !src.empty()"), "not-an-image"),
    ],
)
def test_what_goes_wrong_inside_is_an_image_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """Neither OpenCV's own error nor a lack of memory leaves `prepare`."""

    def decode(*_: object) -> NDArray[np.uint8]:
        raise error

    monkeypatch.setattr("model.preprocessing.decode", decode)

    with pytest.raises(ImageError) as caught:
        prepare(png(garment(40, 40)), SPEC)

    assert caught.value.reason == reason


def test_a_spec_of_before_the_decoded_limit_gets_the_default() -> None:
    """A manifest that was written before this limit existed still loads, and is limited."""
    settings = InputSpec().to_dict()
    del settings["max_decoded_bytes"]

    assert InputSpec.from_dict(settings) == InputSpec()


def test_importing_preprocessing_and_manifest_loads_no_tensorflow() -> None:
    """The agent imports these two and stays small."""
    code = "import sys, model.preprocessing, model.manifest; print([m for m in sys.modules if m in %r])"
    heavy = ("tensorflow", "keras", "onnxruntime", "openvino")

    printed = subprocess.run(
        [sys.executable, "-c", code % (heavy,)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout

    assert printed.strip() == "[]"
