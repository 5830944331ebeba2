#!/usr/bin/env python3
"""Renders with Stability's module classes in float32 on the CPU.

usage: run_reference.py --generative-models DIR --model FILE --image PNG --out DIR --size WxH --frames N --steps N ...

DIR of --generative-models is a checkout of Stability-AI/generative-models; FILE a single file such as
svd.safetensors. The order of draws and calls is that of its scripts/sampling/simple_video_sample.py. The folder of
--out gets latents.safetensors ([F, 4, h, w], before the division by 0.18215), noise.safetensors and frames/*.png.
"""
import argparse
import gc
import pathlib

import numpy as np
import torch

import common
import reference_model


def pixels(image, size):
    """The fitted picture as [1, 3, H, W] in [-1, 1]."""
    from PIL import Image

    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    values = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous()
    return (values.to(torch.float32).div(255) * 2.0 - 1.0).unsqueeze(0)


def condition(conditioner, image, noise, args):
    """What the conditioner makes of the picture, for conditional and unconditional branch, repeated to all frames."""
    count = args.frames
    batch = {"cond_frames_without_noise": image, "cond_frames": image + args.noise_aug_strength * noise,
             "fps_id": torch.tensor([args.condition_fps]).repeat(count),
             "motion_bucket_id": torch.tensor([args.motion_bucket_id]).repeat(count),
             "cond_aug": torch.tensor([args.noise_aug_strength]).repeat(count)}
    cond, uncond = conditioner.get_unconditional_conditioning(
        batch, batch_uc={key: value.clone() for key, value in batch.items()},
        force_uc_zero_embeddings=["cond_frames", "cond_frames_without_noise"])
    for key in ("crossattn", "concat"):
        for branch in (cond, uncond):
            branch[key] = branch[key].repeat_interleave(count, dim=0)
    return cond, uncond


def sample(model, cond, uncond, noise, args):
    from sgm.modules.diffusionmodules.denoiser import Denoiser
    from sgm.modules.diffusionmodules.sampling import EulerEDMSampler
    from sgm.modules.diffusionmodules.wrappers import OpenAIWrapper

    module = "sgm.modules.diffusionmodules."
    network = OpenAIWrapper(model.unet())
    denoiser = Denoiser({"target": module + "denoiser_scaling.VScalingWithEDMcNoise"})
    sampler = EulerEDMSampler(
        discretization_config={"target": module + "discretizer.EDMDiscretization", "params": {"sigma_max": 700.0}},
        num_steps=args.steps, device="cpu", verbose=False,
        guider_config={"target": module + "guiders.LinearPredictionGuider",
                       "params": {"max_scale": args.max_guidance, "min_scale": args.min_guidance,
                                  "num_frames": args.frames}})
    extra = {"image_only_indicator": torch.zeros(2, args.frames), "num_video_frames": args.frames}
    return sampler(lambda x, sigma, c: denoiser(network, x, sigma, c, **extra), noise.clone(), cond=cond, uc=uncond)


def render(model, image, args):
    """(latents [F, 4, h, w], {name: noise}, frames as uint8 [H, W, 3])."""
    width, height = common.parse_size(args.size)
    with torch.inference_mode():
        fitted = pixels(image, (width, height))
        # Before the seed: building a module draws numbers.
        conditioner = model.conditioner()
        torch.manual_seed(args.seed)
        augmentation = torch.randn_like(fitted)
        cond, uncond = condition(conditioner, fitted, augmentation, args)
        noise = torch.randn((args.frames, 4, height // 8, width // 8))
        del conditioner
        gc.collect()
        latents = sample(model, cond, uncond, noise, args)
        gc.collect()
        frames = model.decode(model.first_stage(), latents, args.decode_chunk)
        frames = torch.clamp((frames + 1.0) / 2.0, min=0.0, max=1.0)
        frames = (frames.permute(0, 2, 3, 1) * 255).numpy().astype(np.uint8)
    return latents, {"augmentation": augmentation, "latents": noise.unsqueeze(0)}, list(frames)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generative-models", required=True, type=pathlib.Path)
    parser.add_argument("--model", required=True, type=pathlib.Path, help="single file")
    common.add_run_arguments(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    reference_model.generative_models(args.generative_models)
    common.save_run(args.out, *render(reference_model.SingleFile(args.model), common.read_image(args.image), args))


if __name__ == "__main__":
    main()
