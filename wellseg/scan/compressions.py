"""The byte streams among TIFF's compressions, and how much each can claim to hold."""

from __future__ import annotations

import contextlib
import zlib

import imagecodecs

NONE, LZW, OLD_JPEG, JPEG, DEFLATE, PACKBITS = 1, 5, 6, 7, 8, 32773
OLD_DEFLATE, LZMA, ZSTD, WEBP = 32946, 34925, 50000, 50001

EXPANSION = {NONE: 1, LZW: 2731, JPEG: 4096, DEFLATE: 1032, PACKBITS: 64, OLD_DEFLATE: 1032,
             LZMA: 2**14, ZSTD: 2**16}  # fmt: skip
"""The most bytes that one byte of the file can become, of what is decoded strip by strip. Deflate:
258 bytes from 2 bits (zlib's "maximum compression factor" 1032:1); LZW: 12 bits for at most 4,096
bytes; PackBits: 128 from 2. Formats without a bound get one that no scan reaches."""


def decompress(compression: int, data: bytes, size: int) -> bytes:
    """Decompress at most `size` bytes; fewer where deflated data end early."""
    if compression in (DEFLATE, OLD_DEFLATE):
        # In pieces, so that the rows before a flaw are kept; zlib also stops at `size`, where
        # imagecodecs refuses strips that hold more than the picture.
        inflate, out = zlib.decompressobj(), bytearray()
        with contextlib.suppress(zlib.error):
            for at in range(0, len(data), 2**14):
                out += inflate.decompress(data[at : at + 2**14], size - len(out) or 1)
                if len(out) >= size or inflate.eof:
                    break
                while inflate.unconsumed_tail and len(out) < size:
                    out += inflate.decompress(inflate.unconsumed_tail, size - len(out))
        return bytes(out[:size])
    if compression == LZW:
        return bytes(imagecodecs.lzw_decode(data, out=size))
    if compression == PACKBITS:
        return bytes(imagecodecs.packbits_decode(data))
    if compression == LZMA:
        return bytes(imagecodecs.lzma_decode(data, out=size))
    return bytes(imagecodecs.zstd_decode(data, out=size))
