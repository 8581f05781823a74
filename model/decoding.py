"""Encoded images become upright 8-bit pixels, whatever depth, palette, alpha or rotation they had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from model.image_formats import Header, ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A damaged file is our caller's to report; OpenCV would print several lines about each.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(data: bytes, header: Header, enough: int) -> NDArray[np.uint8]:
    """Decode to (h, w) gray or (h, w, 3) BGR uint8, upright, on white where it was transparent.

    A JPEG may come out smaller, with a longest edge of at least `enough` pixels. Raises `ImageError`.
    """
    flags = cv2.IMREAD_UNCHANGED
    if header.format == "JPEG":
        flags = _jpeg_flags(header, enough)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError("not-an-image", f"The {header.format} file cannot be decoded.") from error
    if picture is None:
        raise ImageError(
            "not-an-image", f"The {header.format} file is damaged or of a kind that is not read."
        )
    if picture.dtype == np.uint16:
        picture = _halved(picture)
    if picture.dtype != np.uint8:
        raise ImageError("unsupported-format", f"The {header.format} file holds {picture.dtype} samples.")
    return _turned(_flattened(picture), header.orientation)


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


def _jpeg_flags(header: Header, enough: int) -> int:
    """Let the JPEG decoder shrink the picture while its longest edge stays at least `enough` pixels."""
    times = max(header.width, header.height) // enough
    if times >= 8:
        return cv2.IMREAD_REDUCED_COLOR_8
    if times >= 4:
        return cv2.IMREAD_REDUCED_COLOR_4
    if times >= 2:
        return cv2.IMREAD_REDUCED_COLOR_2
    return cv2.IMREAD_ANYCOLOR


def _halved(picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Scale 16-bit samples to 8 bits, rounded: 65535 becomes 255."""
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _flattened(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a picture with an alpha channel on white; drop the channel axis of a gray one."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels == 1:
        return picture.reshape(picture.shape[:2])
    if channels == 3:
        return picture
    colour, alpha = picture[..., :-1].astype(np.uint16), picture[..., -1:].astype(np.uint16)
    laid = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return laid.astype(np.uint8).reshape(picture.shape[:2] if channels == 2 else (*picture.shape[:2], 3))
