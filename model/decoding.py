"""Encoded images become upright 8-bit pixels, whatever depth, palette, alpha or rotation they had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from model.image_formats import Header, ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A damaged file is our caller's to report; OpenCV would print several lines about each.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


# So many pixels are converted at a time: what is widened meanwhile stays small and in the cache.
_STRIP = 1 << 15


def decoded_bytes(header: Header, enough: int) -> int:
    """Return what `decode` will hold, by the header alone; at its peak it takes about twice as much.

    A JPEG counts at the size at which it is decoded, and with its coefficients where they are all kept.
    """
    width, height = header.width, header.height
    if (times := _reduction(header, enough)) > 1:
        width, height = -(-width // times), -(-height // times)
    return max(width * height * header.pixel_bytes, header.working_bytes)


def decode(data: bytes, header: Header, enough: int) -> NDArray[np.uint8]:
    """Decode to (h, w) gray or (h, w, 3) BGR uint8, upright, on white where it was transparent.

    A JPEG may come out smaller, with a longest edge of at least `enough` pixels. Raises `ImageError`
    or `cv2.error`.
    """
    flags = cv2.IMREAD_UNCHANGED
    if header.format == "JPEG":
        flags = _JPEG_FLAGS[_reduction(header, enough)]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise ImageError(
            "not-an-image", f"The {header.format} file is damaged or of a kind that is not read."
        )
    if picture.dtype.char not in "BH":  # unsigned of 8 and of 16 bits
        raise ImageError("unsupported-format", f"The {header.format} file holds {picture.dtype} samples.")
    return _turned(_converted(picture), header.orientation)


# EXIF orientation as a transposition, then a flip of rows and of columns.
_TURNS = {
    2: (False, False, True), 3: (False, True, True), 4: (False, True, False), 5: (True, False, False),
    6: (True, False, True), 7: (True, True, True), 8: (True, True, False),
}  # fmt: skip


def _turned(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a picture upright as EXIF says."""
    if orientation not in _TURNS:
        return picture
    transposed, rows, columns = _TURNS[orientation]
    if transposed:
        picture = picture.swapaxes(0, 1)
    return np.ascontiguousarray(picture[:: -1 if rows else 1, :: -1 if columns else 1])


def _reduction(header: Header, enough: int) -> int:
    """How many times smaller a picture is decoded: a JPEG's longest edge stays at least `enough` pixels."""
    if header.format != "JPEG":
        return 1
    times = max(header.width, header.height) // enough
    return 8 if times >= 8 else 4 if times >= 4 else 2 if times >= 2 else 1


_JPEG_FLAGS = {
    1: cv2.IMREAD_ANYCOLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def _converted(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Make 8-bit gray (h, w) or BGR (h, w, 3) of 8- or 16-bit samples with or without alpha."""
    if picture.ndim == 2 and picture.dtype.char == "B":
        return picture
    size = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    colours = 1 if channels <= 2 else 3
    if picture.dtype != np.uint8 or channels != colours:
        picture = _in_strips(picture.reshape(-1, channels), colours)
    return picture.reshape(size if colours == 1 else (*size, 3))


def _in_strips(pixels: NDArray[Any], colours: int) -> NDArray[np.uint8]:
    """Convert (n, channels) samples a few at a time: widened whole, a picture takes four times its size."""
    made = np.empty((len(pixels), colours), np.uint8)
    for at in range(0, len(pixels), _STRIP):
        strip = pixels[at : at + _STRIP]
        if strip.dtype == np.uint16:
            strip = _halved(strip)
        made[at : at + _STRIP] = strip if strip.shape[1] == colours else _on_white(strip)
    return made


def _halved(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Scale 16-bit samples to 8 bits, rounded: 65535 becomes 255."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pixels on white as far as their last channel, alpha, lets it through."""
    colour, alpha = pixels[:, :-1].astype(np.uint16), pixels[:, -1:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
