#!/usr/bin/env python3
"""Writes the small model of the goldens: tests/golden/model (diffusers folder) and tests/golden/model_single.

usage: make_model.py [--out DIR]

Seeded random weights in float16, the same in all files. Needs torch, diffusers and transformers.
"""
import argparse
import json
import pathlib

import torch

import common
import sgm_names

SEED = 7
TEXT_WIDTH, TEXT_TOKENS, TEXT_VOCABULARY = 32, 8, 16


def weights():
    # A random UNet makes the sampler amplify rounding: at its full answer another number of threads alone can change
    # the latents by 1e-2 of their spread in 25 steps, and comparing says nothing. A quarter of it tames that.
    return common.Weights(SEED, grid=0.25, scales={**common.FRAME_SCALES, "unet.conv_out.": 0.25})


def text_shapes(embed):
    """What Stability's files keep of the text tower and nobody reads."""
    return {"positional_embedding": (TEXT_TOKENS, TEXT_WIDTH), "text_projection": (TEXT_WIDTH, embed),
            "logit_scale": (), "token_embedding.weight": (TEXT_VOCABULARY, TEXT_WIDTH),
            "ln_final.weight": (TEXT_WIDTH,), "ln_final.bias": (TEXT_WIDTH,)}


def plain_vae_shapes(config):
    return common.class_shapes({**config, "vae": common.image_decoder_config(config["vae"])})["vae"]


def write_single(path, config, make, image_decoder, dtype=torch.float16):
    entries = sgm_names.single_file_entries(
        common.class_shapes(config), plain_vae_shapes(config), make, config["unet"]["layers_per_block"],
        text_shapes(config["unet"]["cross_attention_dim"]), image_decoder)
    size = common.write_safetensors(path, entries, dtype)
    unet, clip = config["unet"], config["image_encoder"]
    sidecar = {"frames": unet["num_frames"],
               "num_head_channels": unet["block_out_channels"][0] // unet["num_attention_heads"][0],
               "clip_head_channels": clip["hidden_size"] // clip["num_attention_heads"]}
    path.with_suffix(".json").write_text(json.dumps(sidecar) + "\n")
    return size


def write_image_decoder_folder(folder, config, make, dtype=torch.float16):
    """The same model with the frame-wise decoder as a folder, for the diffusers pipeline."""
    config = {**config, "vae": common.image_decoder_config(config["vae"])}
    common.write_configs(folder, config)

    def plain(name, shape):
        own = name.startswith(("vae.decoder.", "vae.post_quant_conv."))
        return make(f"plain_{name}" if own else name, shape)

    for part, shapes in common.class_shapes(config).items():
        common.write_part(folder, part, shapes, plain, dtype)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=common.HERE)
    args = parser.parse_args()
    config, make = common.GOLDEN_CONFIG, weights()
    common.write_configs(args.out / "model", config)
    for part, shapes in common.class_shapes(config).items():
        size = common.write_part(args.out / "model", part, shapes, make, torch.float16)
        print(f"{part}: {len(shapes)} tensors, {size} bytes")
    for name, image_decoder in (("svd_tiny", False), ("svd_tiny_image_decoder", True)):
        size = write_single(args.out / "model_single" / f"{name}.safetensors", config, make, image_decoder)
        print(f"{name}: {size} bytes")


if __name__ == "__main__":
    main()
