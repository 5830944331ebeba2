#!/usr/bin/env python3
"""Writes tests/models/tiny-svd, which most tests render with: SVD's architecture, very small, not trained.

usage: make_tiny_model.py [--out DIR] [--seed N]

The weights are seeded random numbers, but for one path that is set by hand so that a render shows its picture: the VAE
hands colours through its first channels, and the UNet answers with the difference of noisy and image latents, which
is what a trained one would answer if nothing moved. The random rest, turned down, distorts and moves that.
Needs the environment of scripts/golden_env.sh.
"""
import argparse
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/golden"))
import common  # noqa: E402

CONFIG = common.model_config((32, 32, 32, 32), (32, 32, 32, 64), layers=1, head_channels=16, embed=32, clip_width=32,
                             clip_layers=2, clip_heads=2)
DEFAULTS = {"frames": 14, "steps": 10, "min_guidance": 1.0, "max_guidance": 1.5, "width": 256, "height": 128}
# The first channels carry four signals and their negatives, so that SiLU passes them: silu(a) - silu(-a) = a.
SIGNALS = 8
MOTION = 0.15  # share of the random layers in what the UNet answers
QUIET = 0.05  # residual branches that should change little
QUIET_PLACES = (".conv2.", ".to_out.0.")


def pairs(value, sources, gain, columns=0):
    """Output channels 2k and 2k+1: plus and minus gain times what sources[k] = {input channel: factor} says."""
    middle = tuple(size // 2 for size in value.shape[2:])
    value[: 2 * len(sources)] = 0
    for k, source in enumerate(sources):
        for channel, factor in source.items():
            value[(2 * k, columns + channel, *middle)] = gain * factor
            value[(2 * k + 1, columns + channel, *middle)] = -gain * factor


def join(value, gain):
    """Output channel k: the signal that input channels 2k and 2k+1 carry."""
    middle = tuple(size // 2 for size in value.shape[2:])
    for k in range(min(value.shape[0], SIGNALS // 2)):
        value[k] *= QUIET
        value[(k, 2 * k, *middle)] = gain
        value[(k, 2 * k + 1, *middle)] = -gain


def pass_on(value, kernel, columns=0):
    """The first output channels take their own input channel through a kernel."""
    value[:SIGNALS] = 0
    for i in range(SIGNALS):
        value[i, columns + i] = kernel


def shape_vae(name, value):
    average = torch.zeros(3, 3)
    average[:2, :2] = 0.25
    smooth = torch.outer(torch.tensor([0.25, 0.5, 0.25]), torch.tensor([0.25, 0.5, 0.25]))
    if name in ("encoder.conv_in.weight", "decoder.conv_in.weight"):
        # The decoder gets latents that were divided by 0.18215.
        pairs(value, [{k: 1.0} for k in range(3)], 1.0 if name.startswith("encoder") else 0.18)
    elif name in ("encoder.conv_out.weight", "decoder.conv_out.weight"):
        join(value, 1.0 if name.startswith("encoder") else 0.42)
    elif "downsamplers" in name and name.endswith("weight"):
        pass_on(value, average)
    elif "upsamplers" in name and name.endswith("weight"):
        pass_on(value, smooth)
    elif "conv_shortcut" in name and name.endswith("weight"):
        pass_on(value, torch.ones(1, 1))
    elif name == "quant_conv.weight":
        value.copy_(torch.eye(8)[:, :, None, None])
    elif name == "decoder.time_conv_out.weight":
        value.copy_((torch.eye(3)[:, :, None] * torch.tensor([0.1, 0.8, 0.1]))[..., None, None])


def shape_unet(name, value, last):
    if name == "conv_in.weight":
        value[:, :4] *= 0.2  # the random channels look at the picture more than at the noise
        pairs(value, [{k: 1.0, 4 + k: -1.0} for k in range(4)], 1.0)
    elif name == f"{last}spatial_res_block.conv_shortcut.weight":
        # The second half of the input is the skip connection from conv_in.
        random = value[:SIGNALS, : value.shape[1] // 2].clone()
        pass_on(value, torch.ones(1, 1), columns=value.shape[1] // 2)
        value[:SIGNALS, : value.shape[1] // 2] = MOTION * random
    elif name == f"{last.replace('resnets', 'attentions')}proj_out.weight":
        value *= MOTION
    elif name == "conv_out.weight":
        join(value, 0.95)
    elif name.startswith(last) and QUIET_PLACES[0] in name:
        value *= MOTION


class TinyWeights(common.Weights):
    """Random weights, with the path for the picture set in them."""

    def __call__(self, name, shape):
        part, own = name.split(".", 1)
        value = super().__call__(name, shape).float()
        last = f"up_blocks.3.resnets.{CONFIG['unet']['layers_per_block']}."
        if part == "vae":
            if any(place in own for place in QUIET_PLACES):
                value *= QUIET
            shape_vae(own, value)
        elif part == "unet":
            shape_unet(own, value, last)
        if own.endswith("conv_norm_out.weight"):
            value.fill_(1.0)
        elif own.endswith(".bias") and self.on_the_path(part, own, last):
            value[:SIGNALS] = 0
        return value.to(self.dtype)

    @staticmethod
    def on_the_path(part, name, last):
        places = ["conv_in.", "conv_norm_out.", "conv_out.", "quant_conv."]
        places += ["samplers.", "conv_shortcut."] if part == "vae" else [f"{last}spatial_res_block.conv_shortcut."]
        return part in ("vae", "unet") and any(place in name for place in places)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/models/tiny-svd")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weights = TinyWeights(args.seed, grid=0.25)
    common.write_configs(args.out, CONFIG, svd_gen=DEFAULTS)
    for part, shapes in common.class_shapes(CONFIG).items():
        size = common.write_part(args.out, part, shapes, weights, torch.float16)
        print(f"{part}: {len(shapes)} tensors, {size} bytes")


if __name__ == "__main__":
    main()
