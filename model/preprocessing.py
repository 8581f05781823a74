"""The bytes of an image file become the 28x28 pixels that the network was trained on.

The steps are Zalando's (Xiao, Rasul and Vollgraf 2017, section 2): trim the ground, shrink so that the
longest edge is 28 (they skipped rows and columns, here they are averaged), sharpen, centre, negate, 8-bit
gray. A ground that is not even, as no studio's is, has the garment cut out of it. `InputSpec` holds the
settings; it travels in the model's manifest and in its announcement, so that training, evaluation and an
agent on another machine do exactly the same.
"""

from __future__ import annotations

import reprlib
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from model.cutting_out import cut_out
from model.decoding import decode, decoded_bytes
from model.ground import Ground, difference_from, ground_of
from model.image_formats import Header, ImageError, read_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# The longest edge on which a garment is cut out, whatever an announcement says: of four times the pixels it
# takes eight times as long, 0.1 s here.
CUT_AT_MOST = 128

__all__ = ["Header", "ImageError", "InputSpec", "prepare", "prepare_pixels"]


@dataclass(frozen=True)
class InputSpec:
    """What the network expects, and how an image file becomes that. Lengths are pixels, sizes bytes."""

    version: str = "zalando-3"
    height: int = 28
    width: int = 28
    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 64_000_000
    # What a decoded picture may take; while it is made ready, about twice as much is needed.
    max_decoded_bytes: int = 96 * 1024 * 1024
    # Share of the largest intensity by which a pixel may differ from the ground and still be trimmed.
    trim_tolerance: float = 0.05
    # Share of a row's or column's pixels that may differ more than that (dust, JPEG noise).
    trim_outliers: float = 0.01
    # Longest edge of the thumbnail from which the last step goes; Zalando's was the shop's, smooth too.
    thumbnail: int = 73
    # "area" averages; "subsample" skips rows and columns, as Zalando did, and speckles creases and prints.
    resize: str = "area"
    sharpen_radius: float = 1.0
    sharpen_sigma: float = 1.0
    # How many times its own median deviation a ground is taken off; on an even ground that is nothing.
    ground_spread: float = 2.0
    # Median deviation of a ground above which the garment is cut out of it; a studio's has less.
    cut_out_spread: float = 6.0

    def to_dict(self) -> dict[str, Any]:
        """Every setting by its name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> InputSpec:
        """Read what `to_dict` wrote; unknown names are ignored, so that a later version may add some.

        What is missing in the settings of an earlier version is as it was then.
        Raises `ValueError` in one line when a value has the wrong type or makes no sense.
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        names = [name for name in known if name in settings]
        given: dict[str, Any] = {name: _checked(name, settings[name], known[name]) for name in names}
        return cls(**{**_EARLIER, **given})


_EARLIER: dict[str, Any] = {"cut_out_spread": 255.0, "resize": "subsample"}

# An announcement comes from outside: what lies beyond these would cost an agent its memory or its life.
_RANGES: dict[str, tuple[float, float]] = {
    "height": (1, 4096), "width": (1, 4096), "max_bytes": (1, 2**30), "max_pixels": (1, 2**30),
    "max_decoded_bytes": (1, 2**30), "trim_tolerance": (0, 1), "trim_outliers": (0, 1),
    "thumbnail": (1, 4096), "sharpen_radius": (0, 16), "sharpen_sigma": (0.05, 16), "ground_spread": (0, 255),
    "cut_out_spread": (0, 255),
}  # fmt: skip
_RESIZES = ("subsample", "area")


def _checked(name: str, value: Any, kind: type) -> object:
    """Return a setting's value in its own type. Raises `ValueError` in one short line."""
    kinds = (int, float) if kind is float else (kind,)
    if type(value) not in kinds:
        raise _nonsense(name, kind.__name__, value)
    if name in _RANGES:
        low, high = _RANGES[name]
        if not low <= value <= high:  # so written, it refuses a NaN too
            raise _nonsense(name, f"{low} to {high}", value)
    if name == "resize" and value not in _RESIZES:
        raise _nonsense(name, " or ".join(_RESIZES), value)
    if name == "version" and len(value) > 100:
        raise _nonsense(name, "at most 100 characters", value)
    return kind(value)


def _nonsense(name: str, wanted: str, value: object) -> ValueError:
    return ValueError(f"input spec: {name} must be {wanted}, not {reprlib.repr(value)}")


def prepare(data: bytes, spec: InputSpec) -> NDArray[np.uint8]:
    """Turn the bytes of an image file into the network's pixels, shape (height, width), bright on black.

    A gray picture of exactly that size with a dark ground passes unchanged, bit for bit. Raises `ImageError`
    for bytes that are no usable image, before decoding wherever their header tells.
    """
    if len(data) > spec.max_bytes:
        detail = f"The file has {len(data):,} bytes; at most {spec.max_bytes:,} are read."
        raise ImageError("too-large", detail)
    try:
        header = read_header(data)
        _check_size(header, spec)
        return prepare_pixels(decode(data, header, 4 * spec.thumbnail), spec)
    except MemoryError as error:
        raise _no_memory() from error
    except cv2.error as error:
        # OpenCV's own allocator says -4, the standard library's only its name.
        if getattr(error, "code", 0) == cv2.Error.StsNoMem or "bad_alloc" in str(error):
            raise _no_memory() from error
        raise ImageError("not-an-image", "The picture cannot be decoded or made ready.") from error


def _no_memory() -> ImageError:
    return ImageError("too-many-pixels", "There is not enough memory to decode the picture.")


def _check_size(header: Header, spec: InputSpec) -> None:
    """Refuse a picture whose header claims more pixels or more memory than is given to one."""
    pixels = header.width * header.height
    needed = decoded_bytes(header, 4 * spec.thumbnail)
    if pixels <= spec.max_pixels and needed <= spec.max_decoded_bytes:
        return
    size = f"{header.width} x {header.height}"
    detail = f"The picture claims {size} pixels; at most {spec.max_pixels:,} are read."
    if pixels <= spec.max_pixels:
        limit = f"at most {spec.max_decoded_bytes:,} are given to one"
        detail = f"The picture of {size} pixels takes {needed:,} bytes decoded; {limit}."
    raise ImageError("too-many-pixels", detail)


def prepare_pixels(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Turn a decoded picture, (h, w) gray or (h, w, 3) BGR uint8, into the network's pixels."""
    if picture.shape[:2] == (spec.height, spec.width):
        if picture.ndim == 3 and (picture == picture[..., :1]).all():
            picture = np.ascontiguousarray(picture[..., 0])
        if picture.ndim == 2 and _is_bright_on_black(picture):
            return picture
    return _zalando(picture, spec)


def _is_bright_on_black(pixels: NDArray[np.uint8]) -> bool:
    """Whether the ground of a gray picture is dark, judged by its border.

    Garments touch the border of Fashion-MNIST, so only a part of it has to be dark: at a quarter, all 60,000
    training images pass, and none of them does when it is inverted.
    """
    border = pixels.ravel()[_border(*pixels.shape)]
    return bool(np.count_nonzero(border < 32) * 4 >= border.size)


@lru_cache(maxsize=8)
def _border(height: int, width: int) -> NDArray[np.intp]:
    inside = np.zeros((height, width), dtype=bool)
    inside[1:-1, 1:-1] = True
    return np.flatnonzero(~inside)


def _zalando(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Trim, shrink, sharpen, negate and centre a picture, (h, w) gray or (h, w, 3) BGR."""
    ground = ground_of(picture)
    if ground.spread > spec.cut_out_spread and (garment := _cut_out(picture, spec)) is not None:
        return _centred(_sharpened(_resized(garment, spec), spec), spec)
    small = _sharpened(_resized(_trimmed(picture, ground, spec), spec), spec)
    # What the ground itself varies by is taken off.
    return _centred(_rounded(difference_from(small, ground) - spec.ground_spread * ground.spread), spec)


def _cut_out(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8] | None:
    """Return the garment alone, trimmed and bright on black, of a thumbnail; None where none is found."""
    small = _thumbnail(picture, min(spec.thumbnail, CUT_AT_MOST))
    ground = ground_of(small)
    difference = difference_from(small, ground)
    kept = cut_out(small, difference > ground.spread)
    if kept is None:
        return None
    rows, columns = np.flatnonzero(kept.any(axis=1)), np.flatnonzero(kept.any(axis=0))
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return _rounded(np.where(kept, difference, 0)[inside])


def _sharpened(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    if spec.sharpen_radius <= 0:
        return picture
    kernel = _sharpening(spec.sharpen_radius, spec.sharpen_sigma)
    return _pixels(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE))


def _rounded(values: NDArray[Any]) -> NDArray[np.uint8]:
    return _pixels(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _centred(gray: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    canvas = np.zeros((spec.height, spec.width), np.uint8)
    height, width = gray.shape
    top, left = (spec.height - height) // 2, (spec.width - width) // 2
    canvas[top : top + height, left : left + width] = gray
    return canvas


def _pixels(array: Any) -> NDArray[np.uint8]:
    """Tell the type checker what OpenCV gave back."""
    return array  # type: ignore[no-any-return]


def _trimmed(picture: NDArray[np.uint8], ground: Ground, spec: InputSpec) -> NDArray[np.uint8]:
    """Cut away the rows and columns at the edges that have the ground's colour."""
    limit = max(255 * spec.trim_tolerance, spec.ground_spread * ground.spread)
    low = np.clip(np.ceil(ground.colour - limit), 0, 255)
    high = np.clip(np.floor(ground.colour + limit), 0, 255)
    is_ground = cv2.inRange(picture, low, high)
    for axis, size in ((1, picture.shape[1]), (0, picture.shape[0])):
        others = size - cv2.reduce(is_ground, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() // 255
        kept = np.flatnonzero(others > size * spec.trim_outliers)
        if kept.size:
            edges = slice(int(kept[0]), int(kept[-1]) + 1)
            picture = picture[edges] if axis == 1 else picture[:, edges]
    return picture


def _resized(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Shrink so that the longest edge fits: smoothly to the thumbnail, then as the settings say."""
    picture = _thumbnail(picture, spec.thumbnail)
    scale = min(spec.height / picture.shape[0], spec.width / picture.shape[1])
    method = cv2.INTER_NEAREST_EXACT if spec.resize == "subsample" else cv2.INTER_AREA
    return _pixels(cv2.resize(picture, _size(picture, scale), interpolation=method))


def _thumbnail(picture: NDArray[np.uint8], edge: int) -> NDArray[np.uint8]:
    longest = max(picture.shape[:2])
    if longest <= edge:
        return picture
    size = _size(picture, edge / longest)
    return _pixels(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _size(picture: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    height, width = picture.shape[:2]
    return max(1, round(width * scale)), max(1, round(height * scale))


@lru_cache(maxsize=8)
def _sharpening(radius: float, sigma: float) -> NDArray[np.float32]:
    """ImageMagick's `-sharpen` kernel, which Zalando used: twice the sum in the centre, less a Gaussian."""
    reach = int(np.ceil(radius))
    axis = np.arange(-reach, reach + 1)
    kernel = -np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * sigma**2))
    kernel[reach, reach] = -2 * kernel.sum()
    return (kernel / kernel.sum()).astype(np.float32)  # type: ignore[no-any-return]
