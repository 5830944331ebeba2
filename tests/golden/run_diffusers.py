#!/usr/bin/env python3
"""Renders with StableVideoDiffusionPipeline in float32 on the CPU.

usage: run_diffusers.py --model FOLDER --image PNG --out DIR --size WxH --frames N --steps N ... (see --help)

DIR gets latents.safetensors ([F, 4, h, w], as the UNet leaves them), noise.safetensors and frames/*.png.
"""
import argparse
import json
import pathlib

import common


def load(folder):
    import torch
    from diffusers import (AutoencoderKL, AutoencoderKLTemporalDecoder, EulerDiscreteScheduler,
                           StableVideoDiffusionPipeline, UNetSpatioTemporalConditionModel)
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    name = json.loads((folder / "vae/config.json").read_text())["_class_name"]
    vae = {"AutoencoderKL": AutoencoderKL, "AutoencoderKLTemporalDecoder": AutoencoderKLTemporalDecoder}[name]
    # Loaded one after another, so that a full-size model never needs more than its own size and a part.
    parts = {}
    for part, kind in (("unet", UNetSpatioTemporalConditionModel), ("vae", vae)):
        parts[part] = kind.from_pretrained(folder / part, torch_dtype=torch.float32)
    parts["image_encoder"] = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder",
                                                                           dtype=torch.float32)
    return StableVideoDiffusionPipeline(scheduler=EulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
                                        feature_extractor=CLIPImageProcessor.from_pretrained(
                                            folder / "feature_extractor"), **parts)


def render(pipe, image, args):
    """(latents [F, 4, h, w], {name: noise}, frames as uint8 [H, W, 3])."""
    import numpy as np
    import torch

    width, height = common.parse_size(args.size)
    factor = pipe.vae_scale_factor
    pipe.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        latents = pipe(image, height=height, width=width, num_frames=args.frames, num_inference_steps=args.steps,
                       min_guidance_scale=args.min_guidance, max_guidance_scale=args.max_guidance,
                       fps=args.condition_fps + 1, motion_bucket_id=args.motion_bucket_id,
                       noise_aug_strength=args.noise_aug_strength,
                       generator=torch.Generator("cpu").manual_seed(args.seed), output_type="latent").frames
        pipe.unet = None
        video = pipe.decode_latents(latents, args.frames, args.decode_chunk)
        frames = pipe.video_processor.postprocess_video(video=video, output_type="pil")[0]
    generator = torch.Generator("cpu").manual_seed(args.seed)
    noise = {"augmentation": torch.randn((1, 3, height, width), generator=generator),
             "latents": torch.randn((1, args.frames, latents.shape[2], height // factor, width // factor), generator=generator)}
    return latents[0], noise, [np.asarray(frame) for frame in frames]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, type=pathlib.Path, help="diffusers folder")
    common.add_run_arguments(parser)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    common.save_run(args.out, *render(load(args.model), common.read_image(args.image), args))


if __name__ == "__main__":
    main()
