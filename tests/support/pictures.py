"""Writes small PNG pictures with nothing but Python's standard library.

    pictures.py rgb WIDTH HEIGHT FILE    a colour ramp, 8 bits a channel
    pictures.py bits WIDTH HEIGHT FILE   black, one bit a pixel (huge sizes stay small files)
"""

import struct
import sys
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, width, height, bits, colour_type, rows):
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def main():
    kind, width, height, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if kind == "rgb":
        rows = (
            bytes(v for x in range(width) for v in (x * 255 // width, y * 255 // height, (x ^ y) & 255))
            for y in range(height)
        )
        write_png(path, width, height, 8, 2, rows)
    else:
        row = bytes((width + 7) // 8)
        write_png(path, width, height, 1, 0, (row for _ in range(height)))


main()
