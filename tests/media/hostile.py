"""Files made to harm the process that decodes them, built by code."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

from PIL import Image

from tests.media.images import encoded, noise, png_chunk, png_of_one_colour

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
SMALL = noise(64, 48)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"


def png(*chunks: bytes, width: int = 8, height: int = 8) -> bytes:
    """A PNG with these chunks between its head and its pixels."""
    return png_of_one_colour(width, height, chunks=b"".join(chunks))


def inflating(megabytes: int) -> bytes:
    """Compressed zeros that inflate to that many megabytes."""
    deflate = zlib.compressobj(9)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(megabytes)) + deflate.flush()


def patched(data: bytes, mark: bytes, skip: int, new: bytes) -> bytes:
    """The data with ``new`` written ``skip`` bytes after the start of every mark, which must be there."""
    assert mark in data
    changed = bytearray(data)
    for match in re.finditer(re.escape(mark), data):
        changed[match.start() + skip : match.start() + skip + len(new)] = new
    return bytes(changed)


def claiming(format_name: str, width: int, height: int) -> bytes:
    """A small image that claims another size."""
    data = encoded(SMALL, format_name)
    match format_name:
        case "JPEG":
            return patched(data, b"\xff\xc0\x00\x11\x08", 5, struct.pack(">HH", height, width))
        case "JPEG2000":
            return patched(data, b"ihdr", 4, struct.pack(">II", height, width))
        case "GIF":
            size = struct.pack("<HH", width, height)
            return patched(patched(data, b"GIF8", 6, size), b",\0\0\0\0", 5, size)
        case "BMP":
            return patched(data, b"BM", 18, struct.pack("<ii", width, height))
        case "WEBP":
            return patched(data, b"\x9d\x01\x2a", 3, struct.pack("<HH", width, height))
        case _:
            # With SMALL, libheif reports damage instead of the claimed size.
            data = encoded(noise(200, 150), format_name)
            return patched(data, b"ispe", 8, struct.pack(">II", width, height))


def canvas_claiming(width: int, height: int) -> bytes:
    """An animated WebP whose canvas claims another size."""
    data = encoded(SMALL, "WEBP", save_all=True, append_images=[noise(64, 48, seed=2)])
    return patched(data, b"VP8X", 12, (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def tiff(*entries: tuple[int, int, int, int], following: int = 0, tail: bytes = b"") -> bytes:
    """A TIFF of one directory; an entry is tag, type, count and value."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + tail


def tiff_claiming(width: int, height: int, *, following: int = 0, rows: int | None = None) -> bytes:
    """A grey TIFF of 64 × 64 pixels that claims another size."""
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    pixels_at = 8 + 2 + 12 * 9 + 4
    tags += [(273, 4, 1, pixels_at), (277, 3, 1, 1), (278, 4, 1, height if rows is None else rows), (279, 4, 1, 4096)]
    return tiff(*tags, following=following, tail=bytes(4096))


def jpeg_with_exif(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A JPEG with Exif data of one directory."""
    return encoded(SMALL, "JPEG", exif=b"Exif\0\0" + tiff(*entries, following=following))


def scan_bomb(side: int, scans: int) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    data = encoded(Image.new("L", (side, side), 99), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def frame_bomb_gif(frames: int) -> bytes:
    """A GIF of that many frames of one pixel."""
    data = encoded(Image.new("P", (1, 1)), "GIF")
    at = data.find(b",")
    return data[:at] + data[at:-1] * frames + b";"


def frame_bomb_webp(frames: int, unknown_chunks: int = 0) -> bytes:
    """An animated WebP of that many frames of a few pixels, after that many unknown chunks."""
    data = encoded(Image.new("RGB", (2, 2)), "WEBP", save_all=True, append_images=[Image.new("RGB", (2, 2), "red")])
    at = data.find(b"ANMF")
    size = 8 + struct.unpack("<I", data[at + 4 : at + 8])[0]
    content = data[8:30] + b"nope\0\0\0\0" * unknown_chunks + data[30:at] + data[at : at + size] * frames
    return b"RIFF" + struct.pack("<I", len(content)) + content


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("image.png", png())
    return buffer.getvalue()


def rle_bomb(width: int, height: int) -> bytes:
    """A BMP whose run lengths go far beyond its rows."""
    pixels = b"\xff\x01" * 4096
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(pixels), 0, 0, 54 + 1024) + head + bytes(1024) + pixels


def nested_boxes(depth: int) -> bytes:
    """An ISO media file whose boxes contain one another."""
    content = b""
    for _ in range(depth):
        content = struct.pack(">I4sI", len(content) + 12, b"meta", 0) + content
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + content


def overwritten_tables() -> bytes:
    """A JPEG whose Huffman tables are nonsense."""
    data = bytearray(encoded(SMALL, "JPEG"))
    at = data.find(b"\xff\xc4")
    while at >= 0:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        data[at + 5 : at + 2 + length] = bytes([255]) * (length - 3)
        at = data.find(b"\xff\xc4", at + 2 + length)
    return bytes(data)


def garbled_entropy() -> bytes:
    """A JPEG whose coefficients are noise."""
    data = encoded(SMALL, "JPEG")
    head = data[: data.find(b"\xff\xda") + 14]
    return head + noise(40, 40).tobytes().replace(b"\xff", b"\x7f") + b"\xff\xd9"


NOT_IMAGES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"just some text",
    "html": lambda: b"<!doctype html><img src=x onerror=alert(1)>",
    "svg": lambda: SVG,
    "xml bomb": lambda: b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>" + SVG,
    "pdf": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    "psd": lambda: b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(100),
    "zip": archive,
    "gzip": lambda: b"\x1f\x8b\x08\0" + inflating(10),
    "mp4": lambda: b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + bytes(100),
    "netpbm bomb": lambda: b"P6 60000 60000 255\n",
    "png changed by a text transfer": lambda: png().replace(b"\r\n", b"\n", 1),
    "png head alone": lambda: PNG_HEAD,
    "riff webp without an image": lambda: b"RIFF\4\0\0\0WEBP",
}
TOO_MANY_PIXELS: dict[str, Callable[[], bytes]] = {
    "bmp of negative width": lambda: claiming("BMP", -64, 48),
    "heic, absurd": lambda: claiming("HEIC", 0x7FFFFFFF, 0x7FFFFFFF),
    "png, just too many": lambda: png_of_one_colour(8_200, 8_200, rows=1),
    "png bomb": lambda: png_of_one_colour(30_000, 30_000, rows=100),
    "png, absurd": lambda: patched(png(), b"IHDR", 4, struct.pack(">II", 0x7FFFFFFF, 0x7FFFFFFF)),
    "gif bomb": lambda: claiming("GIF", 65_535, 65_535),
    "bmp bomb": lambda: claiming("BMP", 65_000, 65_000),
    "bmp rle bomb": lambda: rle_bomb(20_000, 20_000),
    "tiff bomb": lambda: tiff_claiming(60_000, 60_000),
    "jpeg bomb": lambda: claiming("JPEG", 65_500, 65_500),
    "avif bomb": lambda: claiming("AVIF", 16_000, 16_000),
    "jpeg 2000 bomb": lambda: claiming("JPEG2000", 16_000, 16_000),
    "heic bomb": lambda: claiming("HEIC", 16_000, 16_000),
}
DAMAGED: dict[str, Callable[[], bytes]] = {
    "webp bomb": lambda: claiming("WEBP", 16_383, 16_383),
    "webp canvas bomb": lambda: canvas_claiming(16_383, 16_383),
    "avif, absurd": lambda: claiming("AVIF", 0x7FFFFFFF, 0x7FFFFFFF),
    "ico in ico": lambda: b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 200, 22) + bytes(4) * 50,
    "jpeg 2000 of its head alone": lambda: encoded(SMALL, "JPEG2000")[:120],
    "png without width": lambda: png(width=0),
    "jpeg without height": lambda: claiming("JPEG", 64, 0),
    "gif without size": lambda: claiming("GIF", 0, 0),
    "bmp without size": lambda: claiming("BMP", 0, 0),
    "tiff without size": lambda: tiff_claiming(0, 0),
    "webp without size": lambda: claiming("WEBP", 0, 0),
    "avif without size": lambda: claiming("AVIF", 0, 0),
    "bmp with runs beyond its rows": lambda: rle_bomb(10, 10_000),
    "png that ends before its rows": lambda: png_of_one_colour(5_000, 5_000, rows=10),
    "png with a wrong checksum": lambda: patched(png(), b"IHDR", 17, b"\0\0\0\0"),
    "png with a chunk of 2 GB": lambda: PNG_HEAD + png()[8:33] + b"\x7f\xff\xff\xffIDAT" + bytes(1000),
    "jpeg with too many scans": lambda: scan_bomb(3_000, 5_000),
    "jpeg with absurd tables": overwritten_tables,
    "jpeg that never ends": lambda: encoded(SMALL, "JPEG")[:200] + b"\xff" * 2_000_000,
    "tiff of nothing": tiff,
    "tiff with a million entries": lambda: b"II*\0\x08\0\0\0\xff\xff" + b"\0\1\3\0\1\0\0\0\1\0\0\0" * 60_000,
    "tiff with strips far away": lambda: tiff_claiming(4_000, 4_000),
    "heic of its head alone": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "heic of boxes in boxes": lambda: nested_boxes(5_000),
    "avif of its head alone": lambda: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    "webp that hides 100,000 frames": lambda: frame_bomb_webp(100_000, unknown_chunks=2_000),
    "webp that claims another size": lambda: claiming("WEBP", 5_000, 5_000),
}
HARMLESS: dict[str, Callable[[], bytes]] = {
    "png with text that inflates to 1 GB": lambda: png(*[png_chunk(b"zTXt", b"a\0\0" + inflating(250))] * 4),
    "png with a profile that inflates to 300 MB": lambda: png(png_chunk(b"iCCP", b"a\0\0" + inflating(300))),
    "png with international text that inflates": lambda: png(png_chunk(b"iTXt", b"a\0\1\0\0\0" + inflating(300))),
    "png with 100,000 texts": lambda: png(*[png_chunk(b"tEXt", b"a\0b")] * 100_000),
    "png that claims endless frames": lambda: png(png_chunk(b"acTL", struct.pack(">II", 0x7FFFFFFF, 0))),
    "png that is a zip too": lambda: png() + archive(),
    "png with a script": lambda: png(png_chunk(b"tEXt", b"a\0<script>alert(1)</script>")),
    "png of one row": lambda: png(width=60_000, height=1),
    "png of one column": lambda: png(width=1, height=60_000),
    "gif of a million frames": lambda: frame_bomb_gif(1_000_000),
    "gif that is a script too": lambda: encoded(SMALL, "GIF", comment=b"*/=1;alert(1)/*"),
    "webp of 100,000 frames": lambda: frame_bomb_webp(100_000),
    "jpeg that is a pdf too": lambda: encoded(SMALL, "JPEG", comment=b"\n%PDF-1.4\n1 0 obj\n"),
    "jpeg with garbled pixels": garbled_entropy,
    "jpeg of absurd orientation": lambda: jpeg_with_exif((274, 3, 1, 65_535)),
    "jpeg of orientation zero": lambda: jpeg_with_exif((274, 3, 1, 0)),
    "jpeg with exif that points to itself": lambda: jpeg_with_exif((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), following=8),
    "jpeg with exif of 4 GB": lambda: jpeg_with_exif((271, 2, 0xFFFFFFFF, 0xFFFFFFFF)),
    "jpeg with exif of nonsense": lambda: encoded(SMALL, "JPEG", exif=b"Exif\0\0" + noise(50, 50).tobytes()),
    "tiff whose directories loop": lambda: tiff_claiming(64, 64, following=8),
    "tiff of one huge strip": lambda: tiff_claiming(64, 64, rows=0x7FFFFFFF),
}
