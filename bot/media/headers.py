"""What a file says of its pixels outside of them, where the decoders do not report it."""

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_MAX_CHUNKS: Final = 1_000
"""How many chunks of a file are looked at."""
_ISO_HEAD_BYTES: Final = 65_536
"""The colours of an AVIF or HEIC stand among its first boxes."""
_PIECE_BYTES: Final = 256
_BMP_BIT_FIELDS: Final = {3, 6}
_BMP_EMBEDDED: Final = b"DEBM"
_LEAST_GAMMA: Final = 0.1
_SRGB_GAMMA: Final = (0.43, 0.48)
"""1 / 2.2, which stands for sRGB, and its neighbours."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How colours are coded where that is not sRGB: numbers of ITU-T H.273, or the exponent of a PNG's gAMA."""

    primaries: int = 1
    transfer: int = 13
    gamma: float | None = None


@dataclass(frozen=True, slots=True)
class PngHead:
    """What stands before the pixels of a PNG."""

    coding: Coding | None
    is_animated: bool


def read_png_head(source: Path) -> PngHead:
    """Read the chunks before the pixels. As in browsers, cICP comes before a profile, and a profile before gAMA."""
    chunks: dict[bytes, bytes] = {}
    with source.open("rb") as file:
        file.seek(8)
        for _ in range(_MAX_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head.endswith(b"IDAT"):
                break
            length = int.from_bytes(head[:4], "big")
            content = file.read(min(length, 16))
            file.seek(length - len(content), os.SEEK_CUR)
            if file.read(4) == zlib.crc32(head[4:] + content).to_bytes(4, "big") or length > len(content):
                chunks[head[4:]] = content
    cicp, gamma = chunks.get(b"cICP", b""), int.from_bytes(chunks.get(b"gAMA", b"")[:4], "big") / 100_000
    coding = None
    if len(cicp) == 4:
        coding = _coding(cicp[0], cicp[1])
    elif _LEAST_GAMMA < gamma < 1 / _LEAST_GAMMA and not _SRGB_GAMMA[0] < gamma < _SRGB_GAMMA[1]:
        coding = None if b"iCCP" in chunks or b"sRGB" in chunks else Coding(gamma=gamma)
    return PngHead(coding, b"acTL" in chunks)


def complete_png(data: bytes, least: float) -> bytes | None:
    """A PNG that is cut off, with its last row repeated where rows are missing; None if fewer than ``least`` are there.

    libpng gives up on the last block of data that it reads, which may be the whole image. Not for interlaced images.
    """
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    row_bytes = 1 + (width * depth * {2: 3, 4: 2, 6: 4}.get(colour_type, 1) + 7) // 8
    kept, pixels, at = bytearray(data[:8]), bytearray(), 8
    inflate = zlib.decompressobj()
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == b"IDAT":
            pixels += _inflate(inflate.decompress, data[at + 8 : at + 8 + length], row_bytes * height - len(pixels))
        elif not pixels:
            kept += data[at : at + 12 + length]
        at += 12 + length
    rows = len(pixels) // row_bytes
    if interlaced or rows < height * least:
        return None
    # Filter 2: each byte is the difference to the one above it.
    pixels[rows * row_bytes :] = (b"\2" + bytes(row_bytes - 1)) * (height - rows)
    return bytes(kept + _png_chunk(b"IDAT", zlib.compress(pixels, 1)) + _png_chunk(b"IEND", b""))


def _inflate(inflate: Callable[[bytes, int], bytes], data: bytes, most: int) -> bytes:
    """What can be had from compressed data before it is damaged."""
    inflated = bytearray()
    with contextlib.suppress(zlib.error):
        for at in range(0, len(data), _PIECE_BYTES):
            if len(inflated) == most:
                break
            inflated += inflate(data[at : at + _PIECE_BYTES], most - len(inflated))
    return bytes(inflated)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def read_iso_coding(source: Path) -> Coding | None:
    """The colours that an AVIF or HEIC names in its ``colr`` box."""
    with source.open("rb") as file:
        match = re.search(rb"colrnclx(....)", file.read(_ISO_HEAD_BYTES), re.DOTALL)
    return _coding(*struct.unpack(">HH", match[1])) if match else None


def _coding(primaries: int, transfer: int) -> Coding | None:
    return Coding(primaries, transfer) if primaries in {9, 12} or transfer in {4, 5, 8, 16, 18} else None


@dataclass(frozen=True, slots=True)
class BmpHead:
    """The header of a BMP."""

    header_bytes: int
    width: int
    height: int
    """Negative if the first row is the top one."""
    bits: int
    pixels_at: int
    masks: tuple[int, ...]
    """Of red, green, blue and, if it has one, alpha; empty if it has none."""
    profile: bytes | None


def read_bmp_head(source: Path) -> BmpHead:
    """Read the header of at least 16 bytes; raises struct.error for another."""
    with source.open("rb") as file:
        head = file.read(14 + 124)
        header_bytes, width, height, _, bits = struct.unpack_from("<IiiHH", head, 14)
        masks: tuple[int, ...] = ()
        if header_bytes >= 40 and struct.unpack_from("<I", head, 30)[0] in _BMP_BIT_FIELDS:
            masks = struct.unpack_from("<4I" if header_bytes >= 56 else "<3I", head, 54)
            masks = masks if masks[-1] else masks[:3]
        profile = None
        if header_bytes >= 124 and head[70:74] == _BMP_EMBEDDED:
            at, size = struct.unpack_from("<II", head, 126)
            file.seek(14 + at)
            profile = file.read(size)
    return BmpHead(header_bytes, width, height, bits, struct.unpack_from("<I", head, 10)[0], masks, profile)


@dataclass(frozen=True, slots=True)
class TiffHead:
    """Tags of the first image of a TIFF; numbers as in TIFF 6.0."""

    bits: int
    compression: int
    photometric: int
    extra_samples: int | None
    """0 if there is a further channel whose meaning is not named."""

    @property
    def is_for_pillow(self) -> bool:
        """Whether libvips cannot show it: it takes plain YCbCr for RGB, and cannot read 8 bits of Lab.

        It comes without old JPEG, LZMA and Zstandard.
        """
        return (
            self.compression in {6, 34925, 50000}
            or (self.photometric == 6 and self.compression != 7)
            or (self.photometric == 8 and self.bits == 8)
        )

    @property
    def is_shown(self) -> bool:
        """Whether its colours are of a kind that viewers show: not, say, those of a camera's raw data."""
        return self.photometric in {0, 1, 2, 3, 5, 6, 8}


def read_tiff_head(source: Path) -> TiffHead:
    """Read the first directory. What is missing, or is a BigTIFF's, gets the default of the standard."""
    tags: dict[int, int] = {}
    with source.open("rb") as file:
        head = file.read(8)
        order = "<" if head.startswith(b"II") else ">"
        if len(head) == 8 and struct.unpack(f"{order}H", head[2:4]) == (42,):
            file.seek(*struct.unpack(f"{order}I", head[4:]))
            (count,) = struct.unpack(f"{order}H", file.read(2).ljust(2, b"\0"))
            directory = file.read(12 * min(count, _MAX_CHUNKS))
            for at in range(0, len(directory) - 11, 12):
                tag, kind, values = struct.unpack_from(f"{order}HHI", directory, at)
                if kind == 3 and values > 2:
                    file.seek(*struct.unpack_from(f"{order}I", directory, at + 8))
                    (value,) = struct.unpack(f"{order}H", file.read(2).ljust(2, b"\0"))
                else:
                    (value,) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", directory, at + 8)
                tags.setdefault(tag, value)
    return TiffHead(tags.get(258, 1), tags.get(259, 1), tags.get(262, 1), tags.get(338))


@dataclass(frozen=True, slots=True)
class AnimatedWebP:
    """The beginning of an animated WebP as a file of its own, with its orientation, which stands behind all frames."""

    data: bytes
    frames: int


def read_animated_webp(source: Path, max_frames: int) -> AnimatedWebP | None:
    """The first frames of an animated WebP; None if it is not animated; raises ValueError if it has no frame.

    The time that libwebp takes to parse all frames grows with the square of their number: 40 s for 100,000.
    """
    with source.open("rb") as file:
        head = file.read(30)
        # Byte 20 of an extended WebP has the flags (RFC 9649, 2.7).
        if head[12:16] != b"VP8X" or not head[20] & 2:
            return None
        kept = bytearray(head)
        frames = others = 0
        for name, length in _webp_chunks(file):
            is_frame = name == b"ANMF"
            frames, others = frames + is_frame, others + (not is_frame)
            if others > _MAX_CHUNKS:
                break
            # Everything up to the last kept frame is needed in its place; of what follows, the orientation is.
            if frames <= max_frames if is_frame else name in {b"ICCP", b"ANIM", b"EXIF"}:
                kept += name + length.to_bytes(4, "little") + file.read(length + length % 2)
            else:
                file.seek(length + length % 2, os.SEEK_CUR)
    if not frames:
        raise ValueError("no frame")
    kept[4:8] = (len(kept) - 8).to_bytes(4, "little")
    return AnimatedWebP(bytes(kept), min(frames, max_frames))


def _webp_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Each chunk's name and length; the file is to be moved beyond its content before the next."""
    while len(chunk := file.read(8)) == 8:
        yield chunk[:4], int.from_bytes(chunk[4:], "little")


def is_nearly_whole_progressive_jpeg(data: bytes) -> bool:
    """Whether a JPEG that was cut off has the beginning of its last scan: the last bit of the finest details."""
    # For each component, the coefficients that no scan has brought to their last bit yet.
    missing: dict[int, set[int]] = {}
    for match in re.finditer(rb"\xff(?:\xc2..\x08....(.)|\xda\0.(.))", data, re.DOTALL):
        at = match.end()
        if match[1] is not None:
            missing = {component: set(range(64)) for component in data[at : at + 3 * match[1][0] : 3]}
            continue
        parameters_at = at + 2 * match[2][0]
        first, last, bits = data[parameters_at : parameters_at + 3].ljust(3, b"\xff")
        if bits & 15 == 0:
            for component in data[at:parameters_at:2]:
                missing.get(component, set()).difference_update(range(first, last + 1))
    return bool(missing) and not any(missing.values())
