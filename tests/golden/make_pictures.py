#!/usr/bin/env python3
"""Writes tests/golden/pictures/: the same small picture in every kind of file that is read, and manifest.txt.

A line of the manifest is: file name, width, height, CRC-32 of the RGB bytes that a reader has to get. They are
computed here with numpy from what is stored, or by Pillow where the file is lossy.

    python3 tests/golden/make_pictures.py       (needs Pillow and numpy)
"""
import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence

OUT = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 24, 16

y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
# No symmetry: every turn and every swap of channels is another picture.
RGB = np.stack([x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), (x * 7 + y * 13) % 256], -1).astype(np.uint8)
ALPHA = np.where(x < 8, 255, np.where(x < 16, 128, 0)).astype(np.uint8)
GREY = RGB[:, :, 2]
GREY3 = np.repeat(GREY[:, :, None], 3, 2)
RGB16 = (RGB.astype(np.uint16) << 8 | RGB[:, :, ::-1]).astype(np.uint16)  # low bytes count in rounding
manifest = {}


def over_black(samples, alpha, top):
    whole = samples.astype(np.uint64) * alpha.astype(np.uint64)[:, :, None] * 255
    return ((whole + top * top // 2) // (top * top)).astype(np.uint8)


def to8(samples):
    return ((samples.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def expect(name, rgb):
    rgb = np.asarray(rgb)
    assert rgb.dtype == np.uint8 and rgb.shape[2] == 3
    manifest[name] = (rgb.shape[1], rgb.shape[0], zlib.crc32(rgb.tobytes()))


def keep(name, data, rgb):
    (OUT / name).write_bytes(data)
    expect(name, rgb)


def pillow(name, image, rgb, **options):
    image.save(OUT / name, **options)
    expect(name, rgb)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples, depth, colour_type, extra=b""):
    """A PNG of samples [H, W, C] with `depth` bits each."""
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1)
    if depth == 16:
        packed = [row.astype(">u2").tobytes() for row in rows]
    elif depth == 8:
        packed = [row.astype(np.uint8).tobytes() for row in rows]
    else:
        bits = (rows[:, :, None] >> np.arange(depth)[::-1] & 1).reshape(height, -1)
        packed = [np.packbits(row).tobytes() for row in bits]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in packed))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def write_png():
    keep("rgb.png", png(RGB, 8, 2), RGB)
    keep("rgba.png", png(np.dstack([RGB, ALPHA]), 8, 6), over_black(RGB, ALPHA, 255))
    keep("rgb16.png", png(RGB16, 16, 2), to8(RGB16))
    alpha16 = ALPHA.astype(np.uint16) * 257
    keep("rgba16.png", png(np.dstack([RGB16, alpha16]), 16, 6), over_black(RGB16, alpha16, 65535))
    keep("grey.png", png(GREY[:, :, None], 8, 0), GREY3)
    grey16 = RGB16[:, :, 2:]
    keep("grey16.png", png(grey16, 16, 0), to8(np.repeat(grey16, 3, 2)))
    keep("grey_alpha.png", png(np.dstack([GREY, ALPHA]), 8, 4), over_black(GREY3, ALPHA, 255))
    keep("grey_alpha16.png", png(np.dstack([grey16, alpha16]), 16, 4),
         over_black(np.repeat(grey16, 3, 2), alpha16, 65535))
    for depth in (1, 2, 4):
        levels = GREY[:, :, None].astype(np.uint16) >> (8 - depth)
        spread = (levels * 255 // (2**depth - 1)).astype(np.uint8)
        keep(f"grey{depth}.png", png(levels, depth, 0), np.repeat(spread, 3, 2))
    # One transparent colour instead of an alpha channel.
    key = RGB[5, 7]
    keyed = np.where((RGB == key).all(-1)[:, :, None], 0, RGB).astype(np.uint8)
    keep("rgb_key.png", png(RGB, 8, 2, chunk(b"tRNS", struct.pack(">3H", *key))), keyed)
    level = GREY[:, :, None].astype(np.uint16) >> 6
    spread = np.where(level == 2, 0, level * 85).astype(np.uint8)
    keep("grey_key.png", png(level, 2, 0, chunk(b"tRNS", struct.pack(">H", 2))), np.repeat(spread, 3, 2))
    palette = np.array([(i * 16, 255 - i * 16, i * 7) for i in range(16)], np.uint8)
    index = (x + y) % 16
    plte = chunk(b"PLTE", palette.tobytes())
    keep("palette.png", png(index[:, :, None], 4, 3, plte), palette[index])
    trns = np.array([255 - i * 17 for i in range(16)], np.uint8)
    keep("palette_alpha.png", png(index[:, :, None], 8, 3, plte + chunk(b"tRNS", trns.tobytes())),
         over_black(palette[index], trns[index], 255))
    # libpng warns of this profile; the warning has to stay inside.
    keep("bad_profile.png", png(RGB, 8, 2, chunk(b"iCCP", b"x\0\0" + zlib.compress(b"nonsense" * 20))), RGB)
    other = Image.fromarray(255 - RGB)
    pillow("animated.png", Image.fromarray(RGB), RGB, save_all=True, append_images=[other])


def write_jpeg():
    for name, options in {"444.jpg": {"subsampling": 0}, "420.jpg": {"subsampling": 2},
                          "progressive.jpg": {"progressive": True}}.items():
        buffer = io.BytesIO()
        Image.fromarray(RGB).save(buffer, "JPEG", quality=85, **options)
        keep(name, buffer.getvalue(), np.array(Image.open(buffer)))
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "JPEG", quality=85)
    keep("grey.jpg", buffer.getvalue(), np.array(Image.open(buffer).convert("RGB")))
    # Compared with a tolerance: programs round the way from CMYK to RGB differently.
    Image.fromarray(RGB).convert("CMYK").save(OUT / "cmyk.jpg", quality=100, subsampling=0)


def write_others():
    image = Image.fromarray(RGB)
    rgba = Image.fromarray(np.dstack([RGB, ALPHA]))
    pillow("rgb.webp", image, RGB, lossless=True)
    pillow("rgba.webp", rgba, over_black(RGB, ALPHA, 255), lossless=True, exact=True)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    keep("lossy.webp", buffer.getvalue(), np.array(Image.open(buffer)))
    other = Image.fromarray(255 - RGB)
    pillow("animated.webp", image, RGB, save_all=True, append_images=[other], lossless=True)
    pillow("rgb.tif", image, RGB)
    pillow("lzw.tif", image, RGB, compression="tiff_lzw")
    pillow("rgba.tif", rgba, over_black(RGB, ALPHA, 255))
    pillow("grey.tif", Image.fromarray(GREY), GREY3)
    Image.fromarray(RGB16[:, :, 2]).save(OUT / "grey16.tif")  # libtiff halves down: compared with a tolerance
    cmyk = image.convert("CMYK")
    pillow("cmyk.tif", cmyk, np.array(cmyk.convert("RGB")))
    indexed = image.quantize(16, dither=Image.Dither.NONE)
    pillow("palette.tif", indexed, np.array(indexed.convert("RGB")))
    pillow("rgb.bmp", image, RGB)
    pillow("rgba.bmp", rgba, RGB)  # its fourth byte is padding to most programs
    pillow("palette.bmp", indexed, np.array(indexed.convert("RGB")))
    pillow("bilevel.bmp", Image.fromarray(GREY > 99), np.where(GREY3 > 99, 255, 0).astype(np.uint8))
    top_down = io.BytesIO()
    image.save(top_down, "BMP")
    data = bytearray(top_down.getvalue())
    data[22:26] = struct.pack("<i", -HEIGHT)
    keep("top_down.bmp", bytes(data), RGB[::-1])
    first = Image.fromarray(RGB).quantize(32, dither=Image.Dither.NONE)
    pillow("still.gif", first, np.array(first.convert("RGB")))
    first.save(OUT / "animated.gif", save_all=True, append_images=[other.quantize(32)], loop=0)
    with Image.open(OUT / "animated.gif") as gif:
        expect("animated.gif", np.array(next(iter(ImageSequence.Iterator(gif))).convert("RGB")))


def write_pnm():
    size = f"{WIDTH} {HEIGHT}"
    bits = (GREY > 99).astype(np.uint8)
    keep("plain.pbm", f"P1\n# one is black\n{size}\n".encode() + b"\n".join(
        b" ".join(str(v).encode() for v in row) for row in bits) + b"\n",
        np.repeat(255 * (1 - bits)[:, :, None], 3, 2).astype(np.uint8))
    keep("raw.pbm", f"P4 {size}\n".encode() + np.packbits(bits, axis=1).tobytes(),
         np.repeat(255 * (1 - bits)[:, :, None], 3, 2).astype(np.uint8))
    keep("raw.pgm", f"P5 {size} 255\n".encode() + GREY.tobytes(), GREY3)
    keep("raw.ppm", f"P6\n# comment\n{size}\n255\n".encode() + RGB.tobytes(), RGB)
    keep("plain.ppm", f"P3 {size} 255\n".encode() + b" ".join(str(v).encode() for v in RGB.ravel()) + b"\n", RGB)
    keep("wide.ppm", f"P6 {size} 65535\n".encode() + RGB16.astype(">u2").tobytes(), to8(RGB16))
    low = RGB >> 4
    keep("low.ppm", f"P6 {size} 15\n".encode() + low.tobytes(), low * 17)
    head = f"P7\nWIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    keep("rgba.pam", head.encode() + np.dstack([RGB, ALPHA]).tobytes(), over_black(RGB, ALPHA, 255))


def write_orientations():
    """Stored so that the picture is upright again after what the tag says."""
    upright = Image.fromarray(RGB)
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}
    for orientation in range(1, 9):
        stored = upright.transpose(undo[orientation]) if orientation in undo else upright
        exif = Image.Exif()
        exif[274] = orientation
        for extension, options in {"png": {}, "tif": {}, "webp": {"lossless": True}}.items():
            pillow(f"turn{orientation}.{extension}", stored, RGB, exif=exif, **options)
        # Compared with a tolerance; big-endian EXIF, as cameras write it, where the number is even.
        block = exif.tobytes()
        if orientation % 2 == 0:
            block = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
        stored.save(OUT / f"turn{orientation}.jpg", quality=100, subsampling=0, exif=block)
        for extension in ("png", "webp", "jpg"):
            with Image.open(OUT / f"turn{orientation}.{extension}") as saved:
                seen = np.array(ImageOps.exif_transpose(saved).convert("RGB"))
            assert np.abs(seen.astype(int) - RGB).max() < 8, (orientation, extension)


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    write_png()
    write_jpeg()
    write_others()
    write_pnm()
    write_orientations()
    lines = [f"{name} {w} {h} {crc:08x}\n" for name, (w, h, crc) in sorted(manifest.items())]
    (OUT / "manifest.txt").write_text("".join(lines))


main()
