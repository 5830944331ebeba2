#!/usr/bin/env python3
"""Writes the files that the fuzz targets start from, a few KB each, into the folder corpus beside it.

usage: make_corpus.py

The clips come from the ffmpeg command. The target image starts from tests/golden/pictures as well.
"""
import json
import pathlib
import struct
import subprocess
import zlib

here = pathlib.Path(__file__).resolve().parent
models = here.parent.parent / "models"


def write(target: str, name: str, data: bytes) -> None:
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def safetensors(header: object, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype: str, shape: list, begin: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors() -> None:
    files = {
        "two": safetensors({"a": entry("F32", [2, 2], 0, 16), "b": entry("BF16", [3], 16, 22)}, bytes(22)),
        "metadata": safetensors({"__metadata__": {"format": "pt"}, "a": entry("F16", [], 0, 2)}, bytes(2)),
        "empty": safetensors({}, b""),
        "no_elements": safetensors({"a": entry("I64", [0, 7], 0, 0), "b": entry("BOOL", [3], 0, 3)}, b"\0\1\2"),
        "no_elements_unaligned": safetensors(json.dumps({"a": entry("I64", [0], 0, 0)}).encode() + b"    ", b""),
        "unaligned": safetensors({"a": entry("U8", [1], 0, 1), "b": entry("F64", [1], 1, 9)}, bytes(9)),
        "all_types": safetensors(
            {t: entry(t, [1], i * 8, i * 8 + 8) for i, t in enumerate(["F64", "I64", "U64"])}, bytes(24)
        ),
        "overflow": safetensors({"a": entry("F32", [2**32, 2**32], 0, 4)}, bytes(4)),
        "overlap": safetensors({"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}, bytes(6)),
        "hole": safetensors({"a": entry("U8", [1], 1, 2)}, bytes(2)),
        "long_header": safetensors({}, b"", 2**63),
        "twice": safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":1}', b"\0"),
        "deep": safetensors(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", b""),
        "pickle": b"\x80\x02}q\x00.",
    }
    for name, data in files.items():
        write("safetensors", name, data)


def make_json() -> None:
    for path in sorted(models.rglob("*.json")):
        if path.stat().st_size < 4096:
            write("json", "_".join(path.relative_to(models).parts), path.read_bytes())
    texts = {
        "numbers": "[0, -0.0, 1e308, 1e400, 18446744073709551616, -9223372036854775808, 0.1]",
        "strings": '["\\u0000", "\\ud83d\\ude00", "\\ud800", "\u00e9", "\\"\\\\\\/\\b\\f\\n\\r\\t"]',
        "nested": "[" * 65 + "]" * 65,
        "twice": '{"a": 1, "a": 2}',
        "trailing": "{} {}",
        "comment": "{/* no */}",
        "bytes": b"\xef\xbb\xbf{\"\xff\": null}",
        "defaults": '{"frames": 14, "steps": 25, "min_guidance": 1, "max_guidance": 3, "width": 64, "height": 64}',
    }
    for name, text in texts.items():
        write("json", name, text if isinstance(text, bytes) else text.encode())


def make_images() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 4, 4, 0, 0, 0, 0, 0) + bytes(4)
    files = {
        "depth_0.png": header + b"\0\0\0\2tRNS\0\1" + bytes(4),
        "huge.gif": b"GIF89a\xff\xff\xff\xff\0\0\0",
        "huge.ppm": b"P6 999999999999 999999999999 255\n",
        "comments.pgm": b"P5 # a\n4 #b\n4\n#c\n15\n" + bytes(16),
        "ascii.pbm": b"P1 8 2 1010101001010101",
        "two.pam": b"P7\nWIDTH 4\nHEIGHT 4\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n" + bytes(32),
        "exif.jpg": b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xd9",
        "loop.tif": b"II*\0\x08\0\0\0\x01\0\0\x01\x04\0\x01\0\0\0\x10\0\0\0\x08\0\0\0",
        "core.bmp": b"BM" + struct.pack("<IIIIHHHH", 74, 0, 26, 12, 4, 4, 1, 24) + bytes(48),
    }
    for name, data in files.items():
        write("image", name, data)


def make_clips() -> None:
    clips = {
        "h264.mp4": "-c:v libx264 -g 3 -bf 1 -pix_fmt yuv420p",
        "h264.ts": "-c:v libx264 -g 3 -pix_fmt yuv420p",
        "hevc.mp4": "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p",
        "vp9.webm": "-c:v libvpx-vp9",
        "av1.mkv": "-c:v libaom-av1 -cpu-used 8",
        "ffv1.mkv": "-c:v ffv1 -pix_fmt bgra",
        "mpeg4.avi": "-c:v mpeg4",
        "theora.ogv": "-c:v libtheora",
        "vp8.ivf": "-c:v libvpx",
        "raw.y4m": "-frames:v 2 -pix_fmt yuv420p",
        "palette.mov": "-c:v qtrle",
        "moving.gif": "",
    }
    folder = here / "corpus" / "video"
    folder.mkdir(parents=True, exist_ok=True)
    source = "-f lavfi -i testsrc2=s=32x24:r=8:d=0.5 -fflags +bitexact -flags:v +bitexact -map_metadata -1"
    for name, options in clips.items():
        words = ["ffmpeg", "-v", "error", "-y", *source.split(), *options.split(), str(folder / name)]
        subprocess.run(words, check=True)
    # The first frame as early, the others as late as 64 bits allow.
    ivf = bytearray((folder / "vp8.ivf").read_bytes())
    at, late = 32, False
    while at < len(ivf):
        struct.pack_into("<q", ivf, at + 4, 2**63 - 100 if late else 100 - 2**63)
        at, late = at + 12 + struct.unpack_from("<I", ivf, at)[0], True
    (folder / "far_apart.ivf").write_bytes(ivf)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_metadata() -> None:
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    texts = {
        "plain.png": chunk(b"iTXt", b"Comment\0\0\0\0\0{\"seed\": 1}"),
        "compressed.png": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"{}")),
        "language.png": chunk(b"iTXt", b"Comment\0\0\0en\0Kommentar\0{}"),
        "no_end.png": chunk(b"iTXt", b"Comment"),
        "other.png": chunk(b"tEXt", b"Comment\0old"),
    }
    for name, text in texts.items():
        write("metadata", name, start + text + end)
    source = "-f lavfi -i color=s=16x16:r=2:d=1 -fflags +bitexact -flags:v +bitexact -metadata comment={}"
    for name in ("comment.mp4", "comment.mov", "comment.mkv", "comment.webm"):
        path = here / "corpus" / "metadata" / name
        subprocess.run(["ffmpeg", "-v", "error", "-y", *source.split(), str(path)], check=True)


make_safetensors()
make_json()
make_images()
make_clips()
make_metadata()
