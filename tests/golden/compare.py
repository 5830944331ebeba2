#!/usr/bin/env python3
"""Compares two renders: folders with latents.safetensors and frames/*.png, as the runners write them.

usage: compare.py A B [--latents 1e-3] [--frames 1]

Latents: largest difference over the spread (standard deviation) of A's. Frames: largest difference in 1/255.
Prints one line; exit status 1 when a limit is passed.
"""
import argparse
import pathlib
import sys

import numpy as np


def frames_of(folder):
    from PIL import Image

    paths = sorted(pathlib.Path(folder).glob("*.png"))
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths]).astype(np.int16)


def latents_of(folder):
    from safetensors.numpy import load_file

    return load_file(pathlib.Path(folder) / "latents.safetensors")["latents"].astype(np.float64)


def compare(a, b):
    """(latents' largest difference over A's spread, frames' largest difference, share of equal values)."""
    a, b = pathlib.Path(a), pathlib.Path(b)
    latents_a, latents_b = latents_of(a), latents_of(b)
    frames_a, frames_b = frames_of(a / "frames"), frames_of(b / "frames")
    for what, x, y in (("latents", latents_a, latents_b), ("frames", frames_a, frames_b)):
        if x.shape != y.shape:
            raise ValueError(f"{what}: {a} has {x.shape}, {b} has {y.shape}")
        if not np.isfinite(x).all() or not np.isfinite(y).all():
            raise ValueError(f"{what}: not all numbers are finite")
    latents = float(np.abs(latents_a - latents_b).max() / latents_a.std())
    return latents, int(np.abs(frames_a - frames_b).max()), float((frames_a == frames_b).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a", type=pathlib.Path)
    parser.add_argument("b", type=pathlib.Path)
    parser.add_argument("--latents", type=float, default=1e-3, help="limit of the latents' difference over the spread")
    parser.add_argument("--frames", type=int, default=1, help="limit of the frames' difference in 1/255")
    args = parser.parse_args()
    try:
        latents, frames, equal = compare(args.a, args.b)
    except (OSError, ValueError) as error:
        sys.exit(f"compare.py: {error}")
    good = latents <= args.latents and frames <= args.frames
    print(f"latents {latents:.2e} of the spread, frames {frames}/255, {100 * equal:.2f} % of the values equal: "
          f"{'ok' if good else 'DIFFER'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
