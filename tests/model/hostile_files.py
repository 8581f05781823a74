"""Files that mean harm: small ones that become large or slow, and ones that are two things at once."""

import functools
import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"
MIB = 1 << 20


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, packed: bytes, *before: bytes) -> bytes:
    """Return a gray PNG file with the given packed rows, and chunks before them."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    chunks = (header, *before, png_chunk(b"IDAT", packed), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@functools.cache
def zeros_packed(size: int) -> bytes:
    """Return so many zeros as a zlib stream, made a megabyte at a time."""
    packer = zlib.compressobj(6)
    parts = [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*parts, packer.compress(bytes(size % MIB)), packer.flush()])


def small_png() -> bytes:
    """Return an honest gray picture of 28 x 28 pixels."""
    return png(28, 28, zlib.compress(b"".join(b"\x00" + bytes(range(28)) for _ in range(28))))


def png_of_100_megapixels() -> bytes:
    """97 KB that are 100 million pixels, all of them there."""
    return png(10_000, 10_000, zeros_packed(10_000 * 10_001))


def png_whose_rows_never_end() -> bytes:
    """28 x 28 pixels, and 400 MB behind them in the same stream."""
    return png(28, 28, zeros_packed(400 * MIB))


def png_with_a_text_of_400_megabytes() -> bytes:
    """An honest picture with a packed comment."""
    text = png_chunk(b"zTXt", b"Comment\x00\x00" + zeros_packed(400 * MIB))
    return png(28, 28, zlib.compress(bytes(29 * 28)), text)


def png_with_a_profile_of_400_megabytes() -> bytes:
    """An honest picture with a packed colour profile that claims what it is."""
    profile = png_chunk(b"iCCP", b"p\x00\x00" + zeros_packed(400 * MIB))
    return png(28, 28, zlib.compress(bytes(29 * 28)), profile)


def tiff(width: int, height: int, strip: bytes, *, following: int = 0, compression: int = 8) -> bytes:
    """Return a gray TIFF file with one strip; `following` is where the next picture is said to be."""
    tags = {
        256: width,
        257: height,
        258: 8,
        259: compression,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(strip),
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = 8 + len(strip) + len(strip) % 2
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following or 0)
    return b"II*\x00" + struct.pack("<I", start) + strip + bytes(len(strip) % 2) + directory


def tiff_of_100_megapixels() -> bytes:
    """A packed strip of 100 million pixels, all of them there."""
    return tiff(10_000, 10_000, zeros_packed(100_000_000))


def tiff_whose_strip_never_ends() -> bytes:
    """28 x 28 pixels, and 400 MB behind them in the same stream."""
    return tiff(28, 28, zeros_packed(400 * MIB))


def tiff_that_leads_in_a_circle() -> bytes:
    """Its next picture is itself."""
    strip = zlib.compress(bytes(784))
    start = 8 + len(strip) + len(strip) % 2
    return tiff(28, 28, strip, following=start)


def gif_with_a_frame_beyond_its_screen() -> bytes:
    """A screen of 28 x 28, and in it a frame of 65,535 x 65,535."""
    head = b"GIF89a" + struct.pack("<HHBBB", 28, 28, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x03\x84\x8f\x05\x00"
    return head + frame + b"\x3b"


def gif_of_countless_frames() -> bytes:
    """5,000 frames of 1,000 x 1,000: 15 gigabytes, if all were decoded."""
    data = cv2.imencode(".gif", np.zeros((1000, 1000, 3), np.uint8))[1].tobytes()
    end = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:end] + 5000 * data[end:-1] + data[-1:]


def webp_of_16383_pixels() -> bytes:
    """A lossless picture as large as the format has, of one colour."""
    return _claimed(
        cv2.imencode(".webp", np.zeros((64, 64, 4), np.uint8), (cv2.IMWRITE_WEBP_QUALITY, 101))[1].tobytes()
    )


def _claimed(data: bytes) -> bytes:
    at = data.index(b"VP8L") + 9
    bits = struct.unpack_from("<I", data, at)[0] & 0xF0000000 | 16382 << 14 | 16382
    return data[:at] + struct.pack("<I", bits) + data[at + 4 :]


def bmp_of_100_megapixels() -> bytes:
    """A run-length packed picture that ends after its header's claim."""
    head = struct.pack("<IiiHHIIiiII", 40, 10_000, 10_000, 1, 8, 1, 4, 1, 1, 2, 2) + bytes(8)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + 4, 0, 0, 14 + len(head)) + head + b"\x00\x01\x00\x01"


def jpeg_of_65500_pixels() -> bytes:
    """A JPEG file of a few hundred bytes that claims 4 gigapixels."""
    data = cv2.imencode(".jpg", np.zeros((16, 16), np.uint8))[1].tobytes()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 65500, 65500) + data[at + 4 :]


def jpeg_of_countless_scans(edge: int = 4000, scans: int = 20_000) -> bytes:
    """A progressive JPEG file that goes over its picture again and again, refining nothing."""
    settings = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    data = cv2.imencode(".jpg", np.full((edge, edge), 128, np.uint8), settings)[1].tobytes()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + scans * data[last:-2] + data[-2:]


def jpeg_2000() -> bytes:
    """What begins like a JPEG 2000 file that claims 4 billion pixels an edge."""
    return b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\x00\x00\x00\x16ihdr" + b"\xff" * 14


def gzip_bomb() -> bytes:
    """64 MB of zeros, packed."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb") as file:
        for _ in range(64):
            file.write(bytes(MIB))
    return made.getvalue()


def zipped() -> bytes:
    """Return a small ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("evil.sh", "rm -rf /\n")
    return made.getvalue()


def jpeg_and_zip() -> bytes:
    """A picture for one who reads from the start, an archive for one who reads from the end."""
    return (FIXTURES / "gray.jpg").read_bytes() + zipped()


def png_and_zip() -> bytes:
    """The same with a PNG file."""
    return (FIXTURES / "plain.png").read_bytes() + zipped()


def gif_and_html() -> bytes:
    """A GIF file that a browser may take for a page: a comment block holds a script."""
    data = (FIXTURES / "palette.gif").read_bytes()
    end = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    script = b"<html><script>alert(1)</script></html>"
    return data[:end] + b"\x21\xfe" + bytes([len(script)]) + script + b"\x00" + data[end:]


def jpeg_and_pdf() -> bytes:
    """A picture whose comment begins a PDF document, as readers that search for it find it."""
    data = (FIXTURES / "gray.jpg").read_bytes()
    comment = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF"
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]


def pdf_and_jpeg() -> bytes:
    """A document first, with a picture behind it."""
    return b"%PDF-1.7\n" + (FIXTURES / "gray.jpg").read_bytes()


def html_and_gif() -> bytes:
    """A page first, with a picture behind it."""
    return b"<html><body>\n" + (FIXTURES / "palette.gif").read_bytes()


def zip_and_jpeg() -> bytes:
    """An archive first, with a picture behind it."""
    return zipped() + (FIXTURES / "gray.jpg").read_bytes()
