#!/usr/bin/env python3
"""Writes tests/golden/keys/*.txt: names and shapes of every tensor of the full-size model.

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

FULL_UNET = dict()  # the defaults of the class are the published configuration
FULL_VAE = dict(block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
                layers_per_block=2)
FULL_CLIP = dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16,
                 image_size=224, patch_size=14, projection_dim=1024, hidden_act="gelu")


def write(path, tensors):
    lines = [" ".join([name, *map(str, shape)]) for name, shape in sorted(tensors.items())]
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {len(lines)} tensors")


def shapes(module):
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def diffusers_keys(out):
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    with torch.device("meta"):
        write(out / "unet.txt", shapes(UNetSpatioTemporalConditionModel(**FULL_UNET)))
        write(out / "vae.txt", shapes(AutoencoderKLTemporalDecoder(**FULL_VAE)))
        write(out / "vae_image_decoder.txt",
              shapes(AutoencoderKL(up_block_types=("UpDecoderBlock2D",) * 4, **FULL_VAE)))
        clip = shapes(CLIPVisionModelWithProjection(CLIPVisionConfig(**FULL_CLIP)))
    # Published files carry the prefix that newer versions of transformers drop in memory.
    clip = {name if name.startswith(("vision_model.", "visual_projection.")) else f"vision_model.{name}": shape
            for name, shape in clip.items()}
    clip.pop("vision_model.embeddings.position_ids", None)
    write(out / "image_encoder.txt", clip)


def single_file_keys(config):
    """The state dict of DiffusionEngine as published: no denoiser buffers, no CLIP mean and std."""
    import open_clip
    from sgm.util import instantiate_from_config

    params = config.model.params
    network = copy.deepcopy(params.network_config)
    network.params.spatial_transformer_attn_type = "softmax"
    with torch.device("meta"):
        unet = instantiate_from_config(network)
        clip = open_clip.create_model("ViT-H-14", pretrained=None, device="meta")
        del clip.transformer
        encoder_config = copy.deepcopy(params.conditioner_config.params.emb_models[3].params.encoder_config)
        encoder_config.params.ddconfig.attn_type = "vanilla"
        encoder = instantiate_from_config(encoder_config)
        first_stage = copy.deepcopy(params.first_stage_config)
        if "ddconfig" in first_stage.params:
            first_stage.params.ddconfig.attn_type = "vanilla"
        first = instantiate_from_config(first_stage)
    keys = {}
    for prefix, module in (("model.diffusion_model.", unet),
                           ("conditioner.embedders.0.open_clip.model.", clip),
                           ("conditioner.embedders.3.encoder.", encoder),
                           ("first_stage_model.", first)):
        keys.update({prefix + name: shape for name, shape in shapes(module).items() if name != "attn_mask"})
    return keys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--generative-models", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "keys")
    args = parser.parse_args()
    sys.path.insert(0, str(args.generative_models))
    from omegaconf import OmegaConf

    args.out.mkdir(parents=True, exist_ok=True)
    diffusers_keys(args.out)
    configs = args.generative_models / "scripts/sampling/configs"
    temporal = single_file_keys(OmegaConf.load(configs / "svd.yaml"))
    write(args.out / "single_file.txt", temporal)
    frame_wise = single_file_keys(OmegaConf.load(configs / "svd_image_decoder.yaml"))
    # Everything else is the same in both.
    same = {name for name in temporal if not name.startswith("first_stage_model.")}
    assert same == {name for name in frame_wise if not name.startswith("first_stage_model.")}
    write(args.out / "single_file_image_decoder.txt",
          {name: shape for name, shape in frame_wise.items() if name not in same})


if __name__ == "__main__":
    main()
