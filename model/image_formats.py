"""What an encoded image file says about itself, read before a decoder touches it.

A decoder allocates what a header claims and is happy to pass half a picture off as whole. So the
format, the claimed size and the file's end are checked here first, with nothing but the bytes.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class ImageError(ValueError):
    """The bytes are no usable image.

    `reason` is one of `empty`, `too-large`, `too-many-pixels`, `unsupported-format`, `not-an-image` and
    `truncated`; `detail` is one sentence for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Header(NamedTuple):
    """What the file claims to be: its format and its size in pixels before any rotation.

    `orientation` is EXIF's, 1 to 8, where the decoder leaves turning to us, else 1. A decoded pixel takes
    `pixel_bytes`, all channels together; `working_bytes` is what the decoder needs besides the picture.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    pixel_bytes: int = 3
    working_bytes: int = 0


# Width, height, bytes per decoded pixel, and bytes that the decoder itself needs.
_Claim = tuple[int, int, int, int]


def read_header(data: bytes) -> Header:
    """Name the format and the claimed size of an encoded image, and refuse a file that ends early.

    Raises `ImageError` with `empty`, `unsupported-format`, `not-an-image` or `truncated`.
    """
    if not data:
        raise ImageError("empty", "The file holds no bytes.")
    name, inspect = _format_of(data)
    try:
        width, height, pixel, working = inspect(data)
    except (struct.error, IndexError) as error:
        raise _truncated(name) from error
    if width <= 0 or height <= 0:
        raise ImageError("not-an-image", f"The {name} file claims {width} x {height} pixels.")
    orientation = _orientation(data) if name in ("PNG", "WebP") else 1
    return Header(name, width, height, orientation, pixel, working)


def _format_of(data: bytes) -> tuple[str, Callable[[bytes], _Claim]]:
    if data.startswith(PNG_SIGNATURE):
        return "PNG", _png
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG", _jpeg
    if data.startswith(b"RIFF") and b"WEBP".startswith(data[8:12]):
        return "WebP", _webp
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF", _gif
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return "TIFF", _tiff
    if data.startswith(b"BM"):
        return "BMP", _bmp
    raise _stranger(data)


_SUPPORTED = "PNG, JPEG, WebP, BMP, TIFF and GIF are read"
_STRANGERS = (
    (b"%PDF", "a PDF document"),
    (b"\x00\x00\x01\x00", "a Windows icon (ICO)"),
    (b"8BPS", "a Photoshop document"),
    (b"II+\x00", "a BigTIFF"),
    (b"MM\x00+", "a BigTIFF"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"P1", "a Netpbm image"),
    (b"P2", "a Netpbm image"),
    (b"P3", "a Netpbm image"),
    (b"P4", "a Netpbm image"),
    (b"P5", "a Netpbm image"),
    (b"P6", "a Netpbm image"),
)
_BRANDS = {
    b"avif": "an AVIF image", b"avis": "an AVIF image", b"heic": "a HEIC image", b"heix": "a HEIC image",
    b"hevc": "a HEIC image", b"mif1": "a HEIF image", b"msf1": "a HEIF image",
}  # fmt: skip


def _stranger(data: bytes) -> ImageError:
    """Name what the bytes seem to be, or say that they are no image at all."""
    name = next((name for magic, name in _STRANGERS if data.startswith(magic)), None)
    if data[4:8] == b"ftyp":
        name = _BRANDS.get(data[8:12], "a video or another ISO media file")
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text.startswith(b"<"):
        name = "an SVG drawing"
    if name is None and text.startswith((b"<!doctype html", b"<html")):
        name = "an HTML page"
    if name is not None:
        return ImageError("unsupported-format", f"The file seems to be {name}; {_SUPPORTED}.")
    if any(magic.startswith(data[:8]) for magic in (PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF89a", b"GIF87a")):
        return ImageError("truncated", "The file ends inside its signature.")
    return ImageError("not-an-image", f"The bytes are no image that is known here; {_SUPPORTED}.")


def _truncated(name: str) -> ImageError:
    return ImageError("truncated", f"The {name} file ends before the picture does.")


# Channels that come out of each PNG colour type: gray, colour, palette, gray and colour with alpha.
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}


def _png(data: bytes) -> _Claim:
    """Walk all chunks: a decoder reserves whatever length a damaged one claims, gigabytes included."""
    position = len(PNG_SIGNATURE)
    kind = b""
    transparent = animated = False
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        # A capital first letter marks the chunks that a picture cannot do without.
        if kind[0] < 0x60:
            if zlib.crc32(data[position + 4 : end]) != checksum:
                raise ImageError("not-an-image", "The PNG file is damaged: a checksum is wrong.")
        else:
            transparent = transparent or kind == b"tRNS"
            animated = animated or kind == b"acTL"
        position = end + 4
    if data[8:16] != b"\x00\x00\x00\rIHDR":
        raise ImageError("not-an-image", "The PNG file does not begin with its header.")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    # Transparency outside the pixels gives them a fourth channel, and so does animation.
    channels = 4 if animated or transparent else _PNG_CHANNELS.get(colour, 4)
    pixel = channels * (2 if depth == 16 else 1)
    return width, height, pixel, 2 * pixel * width * height if animated else 0


# Progressive files have about ten.
_JPEG_MOST_SCANS = 100
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(data: bytes) -> _Claim:
    frame = 0
    position = 2
    while True:
        if data[position] != 0xFF:
            raise ImageError("not-an-image", "The JPEG file's segments do not follow one another.")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:
            break
        if marker in _JPEG_FRAMES:
            frame = position
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + length
    if not frame:
        raise ImageError("not-an-image", "The JPEG file has no frame.")
    # In entropy-coded data 0xFF is always followed by zero or a restart marker, so this is the end.
    end = data.find(b"\xff\xd9", position)
    if end < 0:
        raise _truncated("JPEG")
    scans = data.count(b"\xff\xda", position, end)
    if scans > _JPEG_MOST_SCANS:
        # Each goes over the whole picture: a few hundred kilobytes could take minutes.
        raise ImageError("not-an-image", f"The JPEG file has {scans:,} scans; {_JPEG_MOST_SCANS} are read.")
    return _jpeg_frame(data, frame, data[position + 4])


# Frames whose pixels come in several passes over the picture.
_JPEG_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))


def _jpeg_frame(data: bytes, frame: int, scanned: int) -> _Claim:
    """Read a frame's header; where one scan does not hold everything, all coefficients are kept meanwhile."""
    height, width, channels = struct.unpack_from(">HHB", data, frame + 5)
    working = 0
    if channels and (data[frame + 1] in _JPEG_PROGRESSIVE or scanned < channels):
        factors = [(data[at] >> 4, data[at] & 15) for at in range(frame + 11, frame + 11 + 3 * channels, 3)]
        largest = max(across for across, _ in factors) * max(down for _, down in factors)
        samples = width * height * sum(across * down for across, down in factors)
        working = 2 * samples // max(1, largest)
    return width, height, 3, working


def _webp(data: bytes) -> _Claim:
    (length,) = struct.unpack_from("<I", data, 4)
    kind = data[12:16]
    opaque = kind == b"VP8 " or (kind == b"VP8X" and not data[20] & 0x12)
    animated = kind == b"VP8X" and data[20] & 0x02
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ImageError("not-an-image", "The WebP file has no picture chunk.")
    if len(data) < length + 8:
        raise _truncated("WebP")
    return width, height, 3 if opaque else 4, 6 * width * height if animated else 0


def _gif(data: bytes) -> _Claim:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    pictures = 0
    while (kind := data[position]) != 0x3B:
        if kind == 0x2C:
            pictures += 1
            local = data[position + 9]
            position += 11 + (3 << (local & 7) + 1 if local & 0x80 else 0)
        elif kind == 0x21:
            position += 2
        else:
            raise ImageError("not-an-image", "The GIF file's blocks do not follow one another.")
        while length := data[position]:
            position += 1 + length
        position += 1
    if not pictures:
        raise ImageError("not-an-image", "The GIF file holds no picture.")
    return width, height, 3, 6 * width * height


def _bmp(data: bytes) -> _Claim:
    offset, header = struct.unpack_from("<II", data, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression, length = struct.unpack_from("<iiHHII", data, 18)
    height = abs(height)
    if compression in (0, 3, 6):
        length = (width * bits + 31) // 32 * 4 * height
    if len(data) < offset + length:
        raise _truncated("BMP")
    return width, height, 4 if bits == 32 else 3, 0


# Bytes per value of each TIFF type; a type that is not known counts as one byte.
_TIFF_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TIFF_LETTERS = {1: "B", 3: "H", 4: "I"}
# More strips than this no picture has; as numbers they would take ten times the file.
_TIFF_MOST = 1 << 18
# Width, height, bits, photometry, orientation, samples, rows per strip, and where the strips or tiles lie.
_TIFF_WANTED = frozenset((256, 257, 258, 262, 273, 274, 277, 278, 279, 322, 323, 324, 325))


def _tiff(data: bytes) -> _Claim:
    tags = _tiff_tags(data)
    if not tags.get(256) or not tags.get(257):
        raise ImageError("not-an-image", "The TIFF file does not say how large its picture is.")
    for offsets, lengths in ((273, 279), (324, 325)):
        ends = zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False)
        if any(offset + length > len(data) for offset, length in ends):
            raise _truncated("TIFF")
    return _tiff_claim(tags)


def _tiff_claim(tags: dict[int, tuple[int, ...]]) -> _Claim:
    """Work out what the picture and one of its strips or tiles take; 8-bit ones are unpacked to 4 bytes."""
    width, height = tags[256][0], tags[257][0]
    sample = (max(tags.get(258) or (1,)) + 7) // 8
    samples = max(tags.get(277) or (1,))
    gray = samples == 1 and tags.get(262) in ((0,), (1,))
    pixel = sample * (1 if gray else max(3, samples))
    rows = min(height, max(tags.get(278) or (height,)))
    area = max(tags.get(322) or (width,)) * max(tags.get(323) or (rows,))
    return width, height, pixel, area * max(4, pixel)


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """Read the wanted tags of a TIFF file's first directory, all of whose values must lie in the file."""
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)
    tags: dict[int, tuple[int, ...]] = {}
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, at)
        size = values * _TIFF_SIZES.get(kind, 1)
        where = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, at + 8)[0]
        if where + size > len(data):
            raise _truncated("TIFF")
        if tag in _TIFF_WANTED and values > _TIFF_MOST:
            raise ImageError("not-an-image", f"The TIFF file has a tag of {values:,} values.")
        if tag in _TIFF_WANTED and kind in _TIFF_LETTERS:
            tags[tag] = struct.unpack_from(f"{order}{values}{_TIFF_LETTERS[kind]}", data, where)
    return tags


def _orientation(data: bytes) -> int:
    """EXIF's orientation of a PNG or WebP file, 1 where there is none or it makes no sense."""
    exif = _chunk(data, b"eXIf", 8, ">", "I4s") if data.startswith(PNG_SIGNATURE) else None
    if data.startswith(b"RIFF"):
        exif = _chunk(data, b"EXIF", 12, "<", "4sI")
    if exif is None:
        return 1
    exif = exif.removeprefix(b"Exif\x00\x00")
    try:
        orientation = _tiff_tags(exif).get(274, (1,))[0]
    except (struct.error, IndexError, ImageError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _chunk(data: bytes, wanted: bytes, position: int, order: str, head: str) -> bytes | None:
    """Return the content of a PNG or RIFF chunk, None if the file has no such chunk."""
    if wanted not in data:
        return None
    while position + 8 <= len(data):
        first, second = struct.unpack_from(order + head, data, position)
        kind, length = (first, second) if head == "4sI" else (second, first)
        if kind == wanted:
            return data[position + 8 : position + 8 + length]
        # A PNG chunk has four bytes of checksum behind it, a RIFF chunk is padded to an even length.
        position += 8 + length + (length & 1 if head == "4sI" else 4)
    return None
