"""Xpress as WSUS uses it on HTTP ([MS-WUSP] 2.1.1, [MS-XCA] 2.4), read by code that is not ours."""

import struct


def decoded(body):
    """A body of `Content-Encoding: xpress`: blocks, each with its two sizes in front."""
    out, at = bytearray(), 0
    while at < len(body):
        size, packed = struct.unpack_from("<II", body, at)
        block = body[at + 8 : at + 8 + packed]
        if not 0 < size <= 65536 or len(block) != packed:
            raise ValueError(f"a block of {size} bytes in {packed}, of which {len(block)} are there")
        out += block if size == packed else plain(block, size)
        at += 8 + packed
    return bytes(out)


def plain(block, size):
    """Plain LZ77."""
    out, at, half = bytearray(), 0, None
    flags = left = 0
    while True:
        if left == 0:
            flags, left = struct.unpack_from("<I", block, at)[0], 32
            at += 4
        left -= 1
        if not flags >> left & 1:
            if len(out) == size:
                break
            out.append(block[at])
            at += 1
            continue
        if at == len(block):
            break
        word = struct.unpack_from("<H", block, at)[0]
        at += 2
        length, offset = word & 7, (word >> 3) + 1
        if length == 7:
            if half is None:
                length, half = block[at] & 15, at
                at += 1
            else:
                length, half = block[half] >> 4, None
            if length == 15:
                length = block[at]
                at += 1
                if length == 255:
                    length = struct.unpack_from("<H", block, at)[0]
                    at += 2
                    if length == 0:
                        length = struct.unpack_from("<I", block, at)[0]
                        at += 4
                    length -= 15 + 7
                length += 15
            length += 7
        length += 3
        if offset > len(out) or len(out) + length > size:
            raise ValueError("a match before the beginning or beyond the end")
        for _ in range(length):
            out.append(out[-offset])
    if len(out) != size:
        raise ValueError(f"a block gives {len(out)} bytes instead of {size}")
    return out
