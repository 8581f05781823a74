"""Headers are read, strangers named, and files that end early refused, before anything is decoded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.image_formats import Header, ImageError, read_header

FIXTURES = Path(__file__).parent / "fixtures"
PICTURES = sorted(
    file.name
    for file in FIXTURES.iterdir()
    if file.suffix not in (".md", ".avif") and file.name != "float.tiff"
)


def refusal(data: bytes) -> str:
    """The reason for which the bytes are refused."""
    with pytest.raises(ImageError) as caught:
        read_header(data)
    return caught.value.reason


@pytest.mark.parametrize("name", PICTURES)
def test_size_is_read_from_every_format(name: str) -> None:
    """The header's size is the stored picture's, before any rotation."""
    header = read_header((FIXTURES / name).read_bytes())

    assert ((72, 96) if name.startswith("turned") else (96, 72)) == (header.width, header.height)


@pytest.mark.parametrize("name", PICTURES)
def test_every_shorter_file_is_refused(name: str) -> None:
    """No file that lacks its end is taken for whole, wherever it was cut."""
    data = (FIXTURES / name).read_bytes()
    cuts = sorted({*range(0, len(data), max(1, len(data) // 200)), *range(len(data) - 12, len(data))})

    reasons = {refusal(data[:cut]) for cut in cuts}

    assert reasons <= {"empty", "truncated", "not-an-image"}
    assert refusal(data[: len(data) // 2]) == "truncated"


@pytest.mark.parametrize("name", ["turned.png", "turned.webp"])
def test_orientation_is_read_where_the_decoder_leaves_it(name: str) -> None:
    """PNG and WebP files say in EXIF how they were held."""
    assert read_header((FIXTURES / name).read_bytes()).orientation == 6


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x00\x00\x00\x1cftypheic", "HEIC"),
        (b"\x00\x00\x00\x1cftypavif", "AVIF"),
        (b"\x00\x00\x00\x1cftypisom", "video"),
        (b"%PDF-1.7", "PDF"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "SVG"),
        (b"\x00\x00\x01\x00\x01\x00", "ICO"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"II+\x00\x08\x00", "BigTIFF"),
        (b"\xff\x0a\x00", "JPEG XL"),
        (b"PK\x03\x04", "ZIP"),
        (b"<!DOCTYPE html><html>", "HTML"),
    ],
)
def test_a_stranger_is_named(start: bytes, name: str) -> None:
    """What is not read is refused by its name, so that the user knows what to convert."""
    with pytest.raises(ImageError, match=name) as caught:
        read_header(start + bytes(64))

    assert caught.value.reason == "unsupported-format"


@pytest.mark.parametrize("data", [b"hello, world", bytes(100), b"label,pixel1\n9,0"])
def test_other_bytes_are_no_image(data: bytes) -> None:
    """Text and zeros are no image."""
    assert refusal(data) == "not-an-image"


def test_no_bytes_are_empty() -> None:
    """A file of no bytes has a reason of its own."""
    assert refusal(b"") == "empty"


def test_bytes_behind_the_end_do_no_harm() -> None:
    """Cameras and editors append things; the picture is whole all the same."""
    for name in ("plain.png", "gray.jpg", "lossy.webp", "palette.gif", "palette.bmp", "cmyk.tiff"):
        assert read_header((FIXTURES / name).read_bytes() + b"trailer").width == 96


def test_a_png_that_claims_no_pixels_is_no_image() -> None:
    """A size of 0 is refused before a decoder sees it."""
    data = (FIXTURES / "plain.png").read_bytes()

    assert refusal(data[:16] + bytes(4) + data[20:]) == "not-an-image"


def test_the_size_of_a_jpeg_is_its_own_not_its_thumbnail() -> None:
    """A thumbnail inside a segment is skipped with the segment."""
    encoded = cv2.imencode(".jpg", np.zeros((5, 7), np.uint8))[1].tobytes()
    thumbnail = (FIXTURES / "gray.jpg").read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail

    assert read_header(encoded[:2] + segment + encoded[2:]) == Header("JPEG", 7, 5)


def test_a_tiff_of_countless_strips_is_refused_before_they_are_read() -> None:
    """A table of strips that would take ten times the file as numbers is not unpacked."""
    count = 300_000
    tags = struct.pack("<H", 1) + struct.pack("<HHII", 273, 1, count, 26) + bytes(4)

    assert refusal(b"II*\x00" + struct.pack("<I", 8) + tags + bytes(count)) == "not-an-image"


def test_orientation_that_makes_no_sense_is_upright() -> None:
    """A damaged EXIF block does not cost the picture."""
    data = (FIXTURES / "plain.png").read_bytes()
    content = b"II*\x00\xff\xff\xff\xff"
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + content))

    assert read_header(data[:33] + chunk + data[33:]).orientation == 1
