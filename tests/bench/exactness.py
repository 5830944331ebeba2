#!/usr/bin/env python3
"""How near svd-gen and diffusers come, in a lower number format, to diffusers in float32.

usage: exactness.py --svd-gen BINARY --checkpoint FOLDER --image FILE [--dtype bfloat16] [--seeds 1 2 3] ...

The reference is diffusers in float32. Both programs then render the same clips in --dtype, with the VAE in float32:
what differs is the image encoder, the UNet and, over several steps, the latents, which diffusers rounds to --dtype
after every step. Everything starts from the same noise (pipeline.py). Latents after one step are one call of the UNet
with equal inputs (preconditioned); those after --steps are what gets decoded. Errors are ||x - reference|| /
||reference||. Exit status 1 when svd-gen's is more than --limit times diffusers' (root mean square over the seeds), or
when svd-gen in float32 differs from the reference by more than 1e-3.
"""
import argparse
import gc
import math
import pathlib
import subprocess
import sys
import tempfile

import pipeline

SAME = 1e-3  # svd-gen and diffusers in float32


def diffusers_latents(args, dtype):
    """{(seed, steps): latents [F, 4, h, w] in float64}"""
    import torch
    from PIL import Image

    torch.set_num_threads(args.threads)
    pipe = pipeline.load(args.checkpoint, dtype, "float32")
    with Image.open(args.image) as image:
        picture = image.convert("RGB")
    found = {}
    for args.seed in args.seeds:
        for steps in args.step_counts:
            found[args.seed, steps] = pipeline.render(pipe, picture, args, steps, output_type="latent")[0].double()
            print(f"diffusers in {dtype}, seed {args.seed}, {steps} steps", file=sys.stderr, flush=True)
    del pipe
    gc.collect()
    return found


def svd_gen_latents(args, dtype, seeds):
    from safetensors.torch import load_file

    found = {}
    for seed in seeds:
        for steps in args.step_counts:
            with tempfile.TemporaryDirectory() as folder:
                latents = pathlib.Path(folder) / "latents.safetensors"
                model = str(args.svd_gen_model or args.checkpoint)
                command = [str(args.svd_gen.resolve()), "-q", "--model", model, "--dtype", dtype,
                           "--vae-dtype", "float32", "--save-latents", str(latents), "-o", f"{folder}/clip.mp4",
                           *pipeline.svd_gen_arguments(args, steps, seed)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(f"error: svd-gen: {done.stderr.strip()}")
                found[seed, steps] = load_file(latents)["latents"].double()
            print(f"svd-gen in {dtype}, seed {seed}, {steps} steps", file=sys.stderr, flush=True)
    return found


def errors(latents, reference):
    return {key: float((value - reference[key]).norm() / reference[key].norm()) for key, value in latents.items()}


def root_mean_square(values):
    values = list(values)
    return math.sqrt(sum(value * value for value in values) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svd-gen", type=pathlib.Path, required=True)
    parser.add_argument("--svd-gen-model", type=pathlib.Path, help="default: the checkpoint")
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True, help="diffusers folder")
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--limit", type=float, default=1.1)
    pipeline.add_arguments(parser)
    parser.set_defaults(frames=4, size="192x128")
    args = parser.parse_args()
    args.step_counts = sorted({1, args.steps})

    pipeline.import_libraries()
    reference = diffusers_latents(args, "float32")
    same = errors(svd_gen_latents(args, "float32", args.seeds[:1]), reference)
    ours = errors(svd_gen_latents(args, args.dtype, args.seeds), reference)
    peers = errors(diffusers_latents(args, args.dtype), reference)

    good = all(error <= SAME for error in same.values())
    print(f"{args.frames} frames of {args.size}; error against diffusers in float32 of")
    print(f"{'seed':>6} {'steps':>6} {'svd-gen float32':>16} {f'svd-gen {args.dtype}':>18} "
          f"{f'diffusers {args.dtype}':>20} {'ratio':>7}")
    for steps in args.step_counts:
        for seed in args.seeds:
            key = seed, steps
            exact = f"{same[key]:.2e}" if key in same else ""
            print(f"{seed:6} {steps:6} {exact:>16} {ours[key]:18.3e} {peers[key]:20.3e} {ours[key] / peers[key]:7.3f}")
        means = [root_mean_square(found[seed, steps] for seed in args.seeds) for found in (ours, peers)]
        ratio = means[0] / means[1]
        good &= ratio <= args.limit
        print(f"{'all':>6} {steps:6} {'':16} {means[0]:18.3e} {means[1]:20.3e} {ratio:7.3f}")
    print(f"limit {args.limit}: {'ok' if good else 'over it'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
