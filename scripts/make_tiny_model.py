#!/usr/bin/env python3
"""Writes the bundled demonstration model models/tiny-svd: SVD's architecture, small, with seeded random weights.

usage: make_tiny_model.py [--out DIR] [--seed N]

Needs the environment of scripts/golden_env.sh.
"""
import argparse
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/golden"))
import common  # noqa: E402

CONFIG = common.model_config((32, 32, 32, 32), (32, 32, 32, 64), layers=1, head_channels=16, embed=32, clip_width=32,
                             clip_layers=2, clip_heads=2)
DEFAULTS = {"frames": 14, "steps": 8, "min_guidance": 1.0, "max_guidance": 1.5, "width": 256, "height": 128}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "models/tiny-svd")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weights = common.Weights(args.seed, grid=0.25, scales={"vae.decoder.conv_out.": 0.5})
    common.write_configs(args.out, CONFIG, svd_gen=DEFAULTS)
    for part, shapes in common.class_shapes(CONFIG).items():
        size = common.write_part(args.out, part, shapes, weights, torch.float16)
        print(f"{part}: {len(shapes)} tensors, {size} bytes")


if __name__ == "__main__":
    main()
