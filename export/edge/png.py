"""PNG files with the standard library and numpy: 8 bits or fewer a channel, not interlaced, as cameras and tools write.

Source: the PNG specification, third edition (W3C), chapters 5, 7, 9 and 11.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeError

Pixels = NDArray[np.uint8]
_Predict = Callable[[int, int, int], int]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 178_956_970  # as Pillow: more is taken for an attack on memory
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int

    @property
    def row_bytes(self) -> int:
        return (self.width * self.depth * _SAMPLES[self.colour] + 7) // 8


def read_png(content: bytes) -> Pixels:
    """Decode a PNG; transparency is dropped, as `Preprocess` of the zoo does.

    Returns:
        (height, width, 1) for grey, else (height, width, 3).

    Raises:
        EdgeError: the file is damaged, or a PNG of a kind that needs Pillow (16 bits, interlaced).
    """
    header, palette, packed = None, None, []
    for kind, data in _chunks(content):
        if kind == b"IHDR":
            header = _header(data)
        elif kind == b"PLTE":
            palette = np.frombuffer(data[: len(data) // 3 * 3], np.uint8).reshape(-1, 3)
        elif kind == b"IDAT":
            packed.append(data)
    if header is None:
        raise EdgeError("the PNG has no header; it is damaged")
    samples = _samples(_unfiltered(_unpacked(b"".join(packed), header), header), header)
    if header.colour == _PALETTE:
        if palette is None or int(samples.max()) >= len(palette):
            raise EdgeError("the PNG names colours that its palette does not hold; it is damaged")
        return np.asarray(palette[samples[:, :, 0]])
    if header.colour == _GREY and header.depth < 8:
        return np.asarray(samples * (255 // (2**header.depth - 1)), np.uint8)
    opaque: Pixels = samples[:, :, : 3 if header.colour in (_RGB, _RGB_ALPHA) else 1]
    return opaque


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each chunk up to the end mark."""
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        data = content[at + 8 : at + 8 + length]
        stored = content[at + 8 + length : at + 12 + length]
        if len(stored) < 4 or zlib.crc32(kind + data) != struct.unpack(">I", stored)[0]:
            raise EdgeError("the PNG is truncated or damaged")
        if kind == b"IEND":
            return
        yield kind, data
        at += 12 + length
    raise EdgeError("the PNG is truncated or damaged")


def _header(data: bytes) -> _Header:
    if len(data) != 13:
        raise EdgeError("the PNG has no header; it is damaged")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data)
    if interlaced or depth > 8 or colour not in _SAMPLES or (depth < 8 and colour not in (_GREY, _PALETTE)):
        kind = "interlaced" if interlaced else f"of {depth} bits, colour type {colour}"
        raise EdgeError(f"a PNG {kind} needs Pillow: pip install pillow")
    if not 0 < width * height <= MAX_PIXELS or depth not in (1, 2, 4, 8):
        raise EdgeError(f"the PNG claims {width} x {height} pixels of {depth} bits; it is damaged")
    return _Header(width, height, depth, colour)


def _unpacked(packed: bytes, header: _Header) -> Pixels:
    """The rows (height, 1 + bytes of a row), each behind the number of its filter."""
    wanted = header.height * (1 + header.row_bytes)
    try:
        rows = zlib.decompressobj().decompress(packed, wanted)
    except zlib.error as error:
        raise EdgeError(f"the PNG is damaged: {error}") from error
    if len(rows) != wanted:
        raise EdgeError("the PNG is truncated")
    return np.frombuffer(rows, np.uint8).reshape(header.height, 1 + header.row_bytes)


def _unfiltered(rows: Pixels, header: _Header) -> Pixels:
    """Undo each row's filter; a pixel was stored as its difference to its neighbours left, above and above left."""
    step = max(1, _SAMPLES[header.colour] * header.depth // 8)
    result = np.zeros((header.height, header.row_bytes), np.uint8)
    above = np.zeros(header.row_bytes, np.uint8)
    for number, row in enumerate(rows):
        kind, data = int(row[0]), row[1:]
        if kind > 4:
            raise EdgeError(f"the PNG names a filter {kind} that there is not; it is damaged")
        if kind == 1:
            data = _running_sums(data, step)
        elif kind == 2:
            data = data + above
        elif kind > 2:
            data = _sequential(data, above, step, _average if kind == 3 else _paeth)
        result[number] = above = data
    return result


def _running_sums(data: Pixels, step: int) -> Pixels:
    sums = np.zeros(len(data), np.uint8)
    for i in range(step):
        sums[i::step] = np.add.accumulate(data[i::step], dtype=np.uint8)
    return sums


def _sequential(data: Pixels, above: Pixels, step: int, predict: _Predict) -> Pixels:
    """Filters that need the pixel just decoded: byte by byte, which is slow for large images."""
    done, over = [0] * step + data.tolist(), [0] * step + above.tolist()
    for i in range(step, len(done)):
        done[i] = (done[i] + predict(done[i - step], over[i], over[i - step])) & 255
    return np.array(done[step:], np.uint8)


def _average(left: int, up: int, _corner: int) -> int:
    return (left + up) // 2


def _paeth(left: int, up: int, corner: int) -> int:
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner


def _samples(rows: Pixels, header: _Header) -> Pixels:
    """(height, width, samples), one number each."""
    if header.depth < 8:
        bits = np.unpackbits(rows, axis=1).reshape(header.height, -1, header.depth)
        weights = (1 << np.arange(header.depth)[::-1]).astype(np.uint8)
        rows = (bits * weights).sum(2, dtype=np.uint8)[:, : header.width]
    return rows.reshape(header.height, header.width, _SAMPLES[header.colour])
