#!/usr/bin/env python3
"""Writes a checkpoint of the true SVD shape with seeded random weights, to test sizes that no download is at hand for.

usage: make_checkpoint.py --out DIR [--layout folder|single|both] [--size full|tiny] [--dtype f32|f16]
                          [--image-decoder] [--seed N] [--frames 14|25]

    DIR/folder                        diffusers folder
    DIR/svd_xt.safetensors            single file with Stability's names (svd.safetensors for 14 frames)
    DIR/svd_xt_image_decoder.safetensors, DIR/folder_image_decoder     with --image-decoder instead of the above

All layouts of one seed and dtype hold the same numbers; weights keep activations alive. In float32 the full single file
has exactly 9,559,625,980 bytes and its image_decoder variant 9,503,252,964, like the published ones. Tensors are made
and written one after another, so memory stays under 1 GB. Needs torch alone: names and shapes are in
tests/golden/keys (full) and in the headers of tests/golden/model (tiny).
"""
import argparse
import json
import pathlib
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden"
sys.path.insert(0, str(GOLDEN))
import common  # noqa: E402
import sgm_names  # noqa: E402

EXPECTED = {("single", False, torch.float32): 9_559_625_980, ("single", False, torch.float16): 4_779_986_098,
            ("single", True, torch.float32): 9_503_252_964}
TEXT = "positional_embedding text_projection logit_scale token_embedding.weight ln_final.weight ln_final.bias".split()


def table(name):
    """{name: shape} from tests/golden/keys."""
    lines = (GOLDEN / "keys" / f"{name}.txt").read_text().splitlines()
    return {line.split()[0]: tuple(map(int, line.split()[1:])) for line in lines}


def full_model(frames):
    """(config, shapes, shapes of AutoencoderKL, shapes of the text leftovers)."""
    config = common.model_config((320, 640, 1280, 1280), (128, 256, 512, 512), layers=2, head_channels=64, embed=1024,
                                 clip_width=1280, clip_layers=32, clip_heads=16, clip_patch=14, time_embed=256,
                                 vae_sample_size=768, frames=frames)
    config["unet"]["sample_size"] = 96
    shapes = {"unet": table("unet"), "vae": table("vae"), "image_encoder": table("image_encoder")}
    single = table("single_file")
    return config, shapes, table("vae_image_decoder"), {name: single[sgm_names.CLIP + name] for name in TEXT}


def tiny_model(frames):
    """The same for the architecture of the goldens' model."""
    config = {part: dict(value) for part, value in common.GOLDEN_CONFIG.items()}
    config["unet"]["num_frames"] = frames
    shapes = {part: common.header_shapes(GOLDEN / "model" / f"{path}.safetensors")
              for part, path in common.PARTS.items()}
    single = common.header_shapes(GOLDEN / "model_single/svd_tiny_image_decoder.safetensors")
    # The frame-wise VAE has the temporal one's names without the temporal layers, and post_quant_conv.
    plain = {name.replace("spatial_res_block.", ""): shape for name, shape in shapes["vae"].items()
             if not any(part in name for part in ("temporal_res_block", "time_mixer", "time_conv_out"))}
    for kind in ("weight", "bias"):
        plain[f"post_quant_conv.{kind}"] = single[f"{sgm_names.FIRST_STAGE}post_quant_conv.{kind}"]
    return config, shapes, plain, {name: single[sgm_names.CLIP + name] for name in TEXT}


def plain_names(make):
    """The frame-wise decoder has weights of its own; the encoder is shared."""
    def get(name, shape):
        own = name.startswith(("vae.decoder.", "vae.post_quant_conv."))
        return make(f"plain_{name}" if own else name, shape)
    return get


def write_folder(folder, model, make, dtype, image_decoder):
    config, shapes, plain, _ = model
    if image_decoder:
        config = {**config, "vae": common.image_decoder_config(config["vae"])}
        shapes, make = {**shapes, "vae": plain}, plain_names(make)
    common.write_configs(folder, config)
    for part in common.PARTS:
        start = time.time()
        size = common.write_part(folder, part, shapes[part], make, dtype)
        print(f"{folder.name}/{common.PARTS[part]}.safetensors: {len(shapes[part])} tensors, {size} bytes, "
              f"{time.time() - start:.0f} s", flush=True)


def write_single(path, model, make, dtype, image_decoder, full):
    config, shapes, plain, text = model
    start = time.time()
    entries = sgm_names.single_file_entries(shapes, plain, make, config["unet"]["layers_per_block"], text,
                                            image_decoder)
    size = common.write_safetensors(path, entries, dtype)
    print(f"{path.name}: {len(entries)} tensors, {size} bytes, {time.time() - start:.0f} s", flush=True)
    expected = EXPECTED.get(("single", image_decoder, dtype)) if full else None
    if expected and size != expected:
        sys.exit(f"error: {path}: {size} bytes, expected {expected}")
    if not full:
        heads = {"frames": config["unet"]["num_frames"], "num_head_channels": 16, "clip_head_channels": 16}
        path.with_suffix(".json").write_text(json.dumps(heads) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--layout", choices=("folder", "single", "both"), default="both")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--dtype", choices=("f32", "f16"), default="f32")
    parser.add_argument("--image-decoder", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, choices=(14, 25), default=25)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dtype = {"f32": torch.float32, "f16": torch.float16}[args.dtype]
    full = args.size == "full"
    model = (full_model if full else tiny_model)(args.frames)
    make = common.Weights(args.seed, dtype=dtype, scales=common.FRAME_SCALES)
    variant = "_image_decoder" if args.image_decoder else ""
    if args.layout in ("single", "both"):
        name = f"{'svd' if args.frames == 14 else 'svd_xt'}{variant}.safetensors"
        write_single(args.out / name, model, make, dtype, args.image_decoder, full)
    if args.layout in ("folder", "both"):
        write_folder(args.out / f"folder{variant}", model, make, dtype, args.image_decoder)


if __name__ == "__main__":
    main()
