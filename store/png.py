"""Gray pictures as PNG files, for pages, terminals and other programs."""

import struct
import zlib


def png(shape: tuple[int, int], pixels: bytes) -> bytes:
    """Return (height, width) gray uint8 pixels by rows as a PNG file.

    Written here because OpenCV is `model`'s alone, and a gray PNG is three chunks (PNG, third edition,
    section 11.2): header, deflated rows each behind a byte 0 for "no filter", end.
    """
    height, width = shape
    rows = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
