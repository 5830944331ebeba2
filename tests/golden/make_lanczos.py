#!/usr/bin/env python3
"""Writes lanczos.txt: CRC-32 of Pillow's Image.resize(..., Image.LANCZOS) for many sizes.

The source picture of a case is made by the same few integer operations here and in
tests/unit/media/fit_test.cpp (64-bit linear congruential generator, seeded with the case's sizes),
so that only one number a case has to be kept.

Each pass rounds to 8 bits, so their order shows. Pillow up to 11 always resizes rows before columns; 13 takes
columns first where the height shrinks by more than twice as many pixels as the width.

    pip install 'pillow>=13' && python3 tests/golden/make_lanczos.py > tests/golden/lanczos.txt
"""
import sys
import zlib

import PIL
from PIL import Image

CASES = [
    # identity, one axis alone, one-pixel sides
    (7, 5, 7, 5), (7, 5, 7, 11), (7, 5, 3, 5), (1, 1, 1, 1), (1, 1, 9, 4), (1, 13, 5, 6), (13, 1, 6, 5),
    (9, 8, 1, 1), (9, 8, 1, 8), (9, 8, 9, 1), (2, 2, 64, 64), (64, 64, 2, 2), (1, 64, 1, 7), (300, 1, 1, 1),
    # up, down, mixed, odd
    (16, 16, 32, 32), (17, 13, 64, 40), (33, 47, 31, 45), (64, 40, 17, 13), (31, 31, 32, 32),
    (32, 32, 31, 31), (100, 37, 64, 64), (37, 100, 128, 64), (255, 3, 64, 128), (3, 255, 128, 64),
    (641, 479, 128, 64), (123, 457, 192, 128), (500, 333, 320, 192), (57, 91, 576, 320),
    (1000, 10, 64, 64), (1921, 83, 64, 64), (5, 997, 64, 64), (67, 71, 73, 79), (199, 211, 197, 223),
]


def picture(width, height, seed):
    """Half noise, half hard edges between 0 and 255: ringing has to be clipped."""
    state, out = seed, bytearray()
    for _ in range(width * height * 3):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        value = state >> 56
        out.append((255 if value % 2 else 0) if state >> 55 & 1 else value)
    return Image.frombytes("RGB", (width, height), bytes(out))


def main():
    if int(PIL.__version__.split(".")[0]) < 13:
        sys.exit(f"this is Pillow {PIL.__version__}; 13 or newer is needed")
    print(f"# made by make_lanczos.py with Pillow {PIL.__version__}: width height to_width to_height crc32")
    for width, height, to_width, to_height in CASES:
        seed = ((width * 4096 + height) * 4096 + to_width) * 4096 + to_height
        resized = picture(width, height, seed).resize((to_width, to_height), Image.LANCZOS)
        print(width, height, to_width, to_height, f"{zlib.crc32(resized.tobytes()):08x}")


main()
