#!/usr/bin/env python3
"""Writes tests/golden/keys/*.txt: names and shapes of every tensor of the full-size
model, and of a tiny one.

usage: make_keys.py --generative-models DIR [--out DIR]

DIR is a checkout of Stability-AI/generative-models. Needs torch, diffusers, transformers,
open_clip_torch, omegaconf, einops, pytorch-lightning, kornia. Nothing is downloaded and no memory is spent on
weights: all classes are built on torch's meta device.

One line a tensor, sorted: name, then the sizes, separated by spaces.
"""
import argparse
import copy
import pathlib
import sys

import torch

FULL = dict(
    unet=dict(),  # the defaults of the class are the published configuration
    vae=dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2),
    clip=dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16, image_size=224,
              patch_size=14, projection_dim=1024, hidden_act="gelu"))

# Other numbers than the full size has wherever a name depends on them.
TINY = dict(
    unet=dict(block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, num_attention_heads=(1, 2),
              down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
              up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
              addition_time_embed_dim=32, projection_class_embeddings_input_dim=96, transformer_layers_per_block=2),
    vae=dict(block_out_channels=(32, 64), layers_per_block=2),
    clip=dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=1, image_size=32,
              patch_size=16, projection_dim=32, hidden_act="gelu"))


def write(path, tensors):
    lines = [" ".join([name, *map(str, shape)]) for name, shape in sorted(tensors.items())]
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {len(lines)} tensors")


def shapes(module):
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def diffusers_keys(out, size, prefix=""):
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    levels = len(size["vae"]["block_out_channels"])
    vae = dict(size["vae"], down_block_types=("DownEncoderBlock2D",) * levels)
    with torch.device("meta"):
        write(out / f"{prefix}unet.txt", shapes(UNetSpatioTemporalConditionModel(**size["unet"])))
        write(out / f"{prefix}vae.txt", shapes(AutoencoderKLTemporalDecoder(**vae)))
        write(out / f"{prefix}vae_image_decoder.txt",
              shapes(AutoencoderKL(up_block_types=("UpDecoderBlock2D",) * levels, **vae)))
        clip = shapes(CLIPVisionModelWithProjection(CLIPVisionConfig(**size["clip"])))
    # Published files carry the prefix that newer versions of transformers drop in memory.
    clip = {name if name.startswith(("vision_model.", "visual_projection.")) else f"vision_model.{name}": shape
            for name, shape in clip.items()}
    clip.pop("vision_model.embeddings.position_ids", None)
    write(out / f"{prefix}image_encoder.txt", clip)


def full_clip():
    import open_clip

    return open_clip.create_model("ViT-H-14", pretrained=None, device="meta")


def tiny_clip():
    from open_clip.model import CLIP

    size = TINY["clip"]
    return CLIP(size["projection_dim"],
                dict(layers=size["num_hidden_layers"], width=size["hidden_size"], head_width=64,
                     mlp_ratio=size["intermediate_size"] / size["hidden_size"], patch_size=size["patch_size"],
                     image_size=size["image_size"]),
                dict(context_length=7, vocab_size=11, width=32, heads=1, layers=1))


def shrink(params):
    """The published configuration with the numbers of TINY."""
    unet = TINY["unet"]
    params.network_config.params.update(
        model_channels=32, channel_mult=[1, 2], attention_resolutions=[1], num_res_blocks=unet["layers_per_block"],
        num_head_channels=32, adm_in_channels=96, context_dim=unet["cross_attention_dim"],
        transformer_depth=unet["transformer_layers_per_block"])
    encoder = params.conditioner_config.params.emb_models[3].params.encoder_config.params
    first_stage = params.first_stage_config.params
    parts = [encoder.ddconfig]
    parts += [first_stage.ddconfig] if "ddconfig" in first_stage else [first_stage.encoder_config.params,
                                                                       first_stage.decoder_config.params]
    for part in parts:
        part.update(ch=32, ch_mult=[1, 2])


def plain_attention(params):
    """Attention that needs no xformers; the names stay."""
    params.network_config.params.spatial_transformer_attn_type = "softmax"
    params.conditioner_config.params.emb_models[3].params.encoder_config.params.ddconfig.attn_type = "vanilla"
    if "ddconfig" in params.first_stage_config.params:
        params.first_stage_config.params.ddconfig.attn_type = "vanilla"


def single_file_keys(config, clip, tiny=False):
    """The state dict of DiffusionEngine as published: no denoiser buffers, no CLIP mean and std."""
    from sgm.util import instantiate_from_config

    params = copy.deepcopy(config.model.params)
    if tiny:
        shrink(params)
    plain_attention(params)
    encoder_config = params.conditioner_config.params.emb_models[3].params.encoder_config
    first_stage = params.first_stage_config
    with torch.device("meta"):
        unet = instantiate_from_config(params.network_config)
        clip = clip()
        del clip.transformer  # the text tower, which Stability's embedder drops
        encoder = instantiate_from_config(encoder_config)
        first = instantiate_from_config(first_stage)
    keys = {}
    for prefix, module in (("model.diffusion_model.", unet),
                           ("conditioner.embedders.0.open_clip.model.", clip),
                           ("conditioner.embedders.3.encoder.", encoder),
                           ("first_stage_model.", first)):
        keys.update({prefix + name: shape for name, shape in shapes(module).items() if name != "attn_mask"})
    return keys


def write_single_files(out, configs, clip, prefix="", tiny=False):
    from omegaconf import OmegaConf

    temporal = single_file_keys(OmegaConf.load(configs / "svd.yaml"), clip, tiny)
    write(out / f"{prefix}single_file.txt", temporal)
    frame_wise = single_file_keys(OmegaConf.load(configs / "svd_image_decoder.yaml"), clip, tiny)
    # Everything else is the same in both.
    same = {name for name in temporal if not name.startswith("first_stage_model.")}
    assert same == {name for name in frame_wise if not name.startswith("first_stage_model.")}
    write(out / f"{prefix}single_file_image_decoder.txt",
          {name: shape for name, shape in frame_wise.items() if name not in same})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--generative-models", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "keys")
    args = parser.parse_args()
    sys.path.insert(0, str(args.generative_models))
    args.out.mkdir(parents=True, exist_ok=True)
    configs = args.generative_models / "scripts/sampling/configs"
    diffusers_keys(args.out, FULL)
    write_single_files(args.out, configs, full_clip)
    diffusers_keys(args.out, TINY, "tiny_")
    write_single_files(args.out, configs, tiny_clip, "tiny_", tiny=True)


if __name__ == "__main__":
    main()
