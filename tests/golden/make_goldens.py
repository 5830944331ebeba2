#!/usr/bin/env python3
"""Writes tests/golden/data: what both published implementations make of the small model.

usage: make_goldens.py --generative-models DIR [--only images|sampling|unet|vae|clip|gradients|training|e2e ...]

DIR is a checkout of Stability-AI/generative-models. Run make_model.py first. README.md lists the files.
"""
import argparse
import json
import pathlib
import tempfile
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

import common
import make_model
import reference_model
import run_diffusers
import run_reference

DATA = common.HERE / "data"
MODEL = common.HERE / "model"
SINGLE = common.HERE / "model_single/svd_tiny.safetensors"
IMAGE_DECODER = common.HERE / "model_single/svd_tiny_image_decoder.safetensors"
PICTURES = {"scene_128x64": (128, 64), "odd_37x53": (37, 53), "wide_640x360": (640, 360)}

# name: (model, picture, parameters of one render). Sizes and steps for the reasons given in parity.py.
CASES = {
    "plain": ("temporal", "scene_128x64", {"size": "128x64", "frames": 4, "steps": 4}),
    "other": ("temporal", "odd_37x53", {
        "size": "64x128", "frames": 3, "steps": 3, "seed": 4294967295, "condition_fps": 11, "motion_bucket_id": 40,
        "noise_aug_strength": 0.1, "min_guidance": 1.5, "max_guidance": 3.0, "decode_chunk": 2}),
    "unguided": ("temporal", "wide_640x360", {
        "size": "128x64", "frames": 2, "steps": 3, "seed": 0, "max_guidance": 1.0}),
    "image_decoder": ("image_decoder", "scene_128x64", {"size": "128x64", "frames": 3, "steps": 3, "seed": 1}),
}
DEFAULTS = {"seed": 23, "condition_fps": 6, "motion_bucket_id": 127, "noise_aug_strength": 0.02, "min_guidance": 1.0,
            "max_guidance": 2.5, "decode_chunk": 14}


def save(name, **tensors):
    path = DATA / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, path)
    print(f"{path.relative_to(common.HERE)}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def seeded(shape, seed, scale=1.0):
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)) * scale


def picture(name):
    return common.read_image(DATA / "images" / f"{name}.png")


def make_images():
    """A sky, a sun, a house and a road: gradients, edges and thin lines, no noise, so that the files stay small."""
    for name, (width, height) in PICTURES.items():
        y, x = np.mgrid[0:height, 0:width]
        base = np.stack([60 + 150 * x / width, 90 + 120 * y / height, 230 - 140 * y / height], -1)
        image = Image.fromarray(base.astype(np.uint8))
        draw = ImageDraw.Draw(image)

        def box(left, top, right, bottom):
            return (left * width, top * height, right * width, bottom * height)

        draw.ellipse(box(0.10, 0.10, 0.30, 0.50), fill=(250, 210, 60))
        draw.rectangle(box(0.55, 0.35, 0.85, 0.90), fill=(150, 50, 40), outline=(250, 250, 250))
        draw.rectangle(box(0.62, 0.50, 0.70, 0.65), fill=(20, 30, 60))
        draw.line(box(0.0, 0.95, 1.0, 0.70), fill=(15, 15, 15), width=max(1, width // 64))
        path = DATA / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, optimize=True)
        print(f"{path.relative_to(common.HERE)}: {path.stat().st_size} bytes")


def make_sampling():
    """Sigmas, first scale, guidance ramps, noise."""
    from diffusers import EulerDiscreteScheduler
    from sgm.modules.diffusionmodules.discretizer import EDMDiscretization
    from sgm.modules.diffusionmodules.guiders import LinearPredictionGuider

    tensors = {}
    for n in (1, 2, 25, 30):
        ramp = np.arange(n) / max(n - 1, 1)
        exact = (700.0 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 700.0 ** (1 / 7))) ** 7
        tensors[f"sigmas_{n}_exact"] = torch.from_numpy(np.append(exact, 0.0))
        tensors[f"sigmas_{n}_reference"] = EDMDiscretization(sigma_max=700.0)(n)
        scheduler = EulerDiscreteScheduler.from_pretrained(MODEL / "scheduler")
        scheduler.set_timesteps(n)
        tensors[f"sigmas_{n}_diffusers"] = scheduler.sigmas
        tensors[f"timesteps_{n}_diffusers"] = scheduler.timesteps
    tensors["first_scale_diffusers"] = torch.as_tensor(scheduler.init_noise_sigma).reshape(1).double()
    for frames in (1, 4, 14, 25):
        for low, high in ((1.0, 2.5), (1.5, 3.0)):
            guider = LinearPredictionGuider(max_scale=high, min_scale=low, num_frames=frames)
            tensors[f"guidance_{frames}_{low}_{high}"] = guider.scale[0]
    save("sampling", **tensors)

    tensors = {}
    for seed in (0, 23, 2**32 - 1):
        generator = torch.Generator("cpu").manual_seed(seed)
        for name, shape in (("augmentation", (1, 3, 64, 128)), ("latents", (1, 4, 4, 8, 16))):
            noise = torch.randn(shape, generator=generator)
            flat = noise.flatten()
            tensors[f"seed_{seed}_{name}_first"] = flat[:64]
            tensors[f"seed_{seed}_{name}_last"] = flat[-16:]
            tensors[f"seed_{seed}_{name}_sums"] = torch.stack([flat.double().sum(), flat.double().square().sum()])
    save("noise", **tensors)


def make_unet():
    """One call with two rows, at the first and at a middle sigma. Row 0 has zeros for picture and embedding."""
    pipe = run_diffusers.load(MODEL)
    model = reference_model.SingleFile(SINGLE)
    unet = model.unet()
    frames, height, width, embed = 5, 8, 16, pipe.unet.config.cross_attention_dim
    sample = seeded((2, frames, 8, height, width), 1)
    sample[0, :, 4:] = 0
    embeds = seeded((2, 1, embed), 2)
    embeds[0] = 0
    ids = torch.tensor([[6.0, 127.0, 0.02], [11.0, 40.0, 0.1]])
    sigmas = torch.tensor([700.0, 0.5])
    c_noise = 0.25 * sigmas.log()
    from sgm.modules.encoders.modules import ConcatTimestepEmbedderND

    embedder = ConcatTimestepEmbedderND(pipe.unet.config.addition_time_embed_dim)
    vector = embedder(ids).repeat_interleave(frames, 0)
    outputs = {"diffusers": [], "reference": []}
    for time in c_noise:
        outputs["diffusers"].append(pipe.unet(sample, time, embeds, ids, return_dict=False)[0])
        flat = unet(sample.flatten(0, 1), timesteps=time.repeat(2 * frames),
                    context=embeds.repeat_interleave(frames, 0), y=vector, num_video_frames=frames,
                    image_only_indicator=torch.zeros(2, frames))
        outputs["reference"].append(flat.unflatten(0, (2, frames)))
    save("unet", sample=sample, c_noise=c_noise, embeds=embeds, added_time_ids=ids,
         output_diffusers=torch.stack(outputs["diffusers"]), output_reference=torch.stack(outputs["reference"]))


def make_vae(image_decoder_folder):
    """Encoding (mode, not scaled), the temporal decoder on chunks of 3 and 5 frames, the frame-wise decoder."""
    from diffusers import AutoencoderKL

    pipe = run_diffusers.load(MODEL)
    model, plain_model = reference_model.SingleFile(SINGLE), reference_model.SingleFile(IMAGE_DECODER)
    pixels = run_reference.pixels(picture("scene_128x64"), (128, 64)) + 0.02 * seeded((1, 3, 64, 128), 3)
    condition_vae = model.conditioner().embedders[3]
    latents = seeded((5, 4, 4, 8), 4, 2.0)
    first_stage = model.first_stage()
    plain = AutoencoderKL.from_pretrained(image_decoder_folder / "vae", torch_dtype=torch.float32)
    tensors = {"pixels": pixels, "encoded_diffusers": pipe.vae.encode(pixels).latent_dist.mode(),
               "encoded_reference": condition_vae(pixels.clone()), "latents": latents}
    for frames in (3, 5):
        chunk = latents[:frames]
        tensors[f"decoded_{frames}_diffusers"] = pipe.vae.decode(chunk, num_frames=frames).sample
        tensors[f"decoded_{frames}_reference"] = model.decode(first_stage, chunk, None, scale_factor=1.0)
    chunk = latents[:2]
    tensors["frame_wise_decoded_2_diffusers"] = plain.decode(chunk).sample
    tensors["frame_wise_decoded_2_reference"] = plain_model.decode(plain_model.first_stage(), chunk, None, 1.0)
    save("vae", **tensors)


def wave(count, frequency):
    """Numbers that nobody has to store: cos(frequency * i)."""
    return torch.cos(frequency * torch.arange(count, dtype=torch.float64))


def gradients_of(module):
    """Of each parameter's gradient: its norm, and its sum weighted with a wave."""
    return {name: [float(p.grad.norm()), float((p.grad.flatten() * wave(p.numel(), 0.7)).sum())]
            for name, p in module.named_parameters() if p.grad is not None}


def make_gradients():
    """diffusers' gradients, in float64, of outputs summed with a wave as weights."""
    with torch.enable_grad():
        pipe = run_diffusers.load(MODEL)
        given = load_file(DATA / "unet.safetensors")
        given = {name: given[name].double() for name in ("sample", "c_noise", "embeds", "added_time_ids")}
        unet = pipe.unet.double().requires_grad_(True)
        output = unet(given["sample"], given["c_noise"], given["embeds"], given["added_time_ids"], return_dict=False)[0]
        (output.flatten() * wave(output.numel(), 0.3)).sum().backward()
        vae = pipe.vae.double().requires_grad_(True)
        given = load_file(DATA / "vae.safetensors")
        moments = vae.quant_conv(vae.encoder(given["pixels"].double()))
        (moments.flatten() * wave(moments.numel(), 0.3)).sum().backward()
        frames = vae.decode(given["latents"][:3].double(), num_frames=3).sample
        (frames.flatten() * wave(frames.numel(), 0.3)).sum().backward()
    path = DATA / "gradients.json"
    lines = [f'"{part}": {{\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in grads.items()) + "\n}"
             for part, grads in (("unet", gradients_of(unet)), ("vae", gradients_of(vae)))]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.relative_to(common.HERE)}: {path.stat().st_size} bytes")


def make_training():
    """Losses of svd-gen's UNet stages, from the definitions in arXiv 2311.15127 and diffusers' classes in float32. A
    case's random numbers come in the order of the program from torch's CPU generator. And the terms of the loss of the
    temporal decoder, which has none."""
    pipe = run_diffusers.load(MODEL)
    count, frames, side = 2, 3, 64
    y, x = np.mgrid[0:side, 0:side] / side
    clips = np.stack([[np.stack([np.sin(9 * (x + 0.1 * f) + c + k) * np.cos(7 * y - k) for c in range(3)], -1)
                       for f in range(frames)] for k in range(count)])
    clips = torch.from_numpy((127.5 + 120 * clips).round().astype(np.uint8))  # [N, F, H, W, 3]
    fps, scores = [2.0, 12.5], [0.1, 0.9]
    buckets = [max(1, round(255 * (1 - float(np.exp(-score / 0.6))))) for score in scores]
    noise, augmentation = (0.7, 1.6), (-3.0, 0.5)

    def pixels(images):  # [N, H, W, 3] -> [N, 3, H, W]
        return images.permute(0, 3, 1, 2).float() / 127.5 - 1

    def encode(images):
        return pipe.vae.encode(images).latent_dist.mode()

    latents = torch.stack([encode(pixels(clip)) for clip in clips]).half().float() * pipe.vae.config.scaling_factor
    losses = {}
    kept = set()
    for stage, seed, dropout in [("video", 1, 0.0)] + [("video", seed, 0.3) for seed in range(2, 8)] + [("image", 9, 0.1)]:
        generator = torch.Generator("cpu").manual_seed(seed)

        def normal(*shape):
            return torch.randn(shape, generator=generator)

        def log_normal(levels, n):
            return torch.exp(normal(n) * levels[1] + levels[0])

        clean = latents
        if stage == "image":
            chosen = [int(torch.randint(frames, (1,), generator=generator)) for _ in range(count)]
            clean = torch.stack([latents[i, f:f + 1] for i, f in enumerate(chosen)])
        embeds, pictures, ids = [], [], []
        for i in range(count):
            strength = log_normal(augmentation, 1).item()
            first = clips[i, :1]
            if stage == "image":
                embeds.append(torch.zeros(1, pipe.unet.config.cross_attention_dim))
                pictures.append(torch.zeros_like(latents[i, 0]))
            else:
                pictures.append(encode(pixels(first) + strength * normal(1, 3, side, side))[0])
                embeds.append(pipe._encode_image(Image.fromarray(first[0].numpy()), "cpu", 1, False)[0])
            ids.append([min(max(fps[i], 3), 30) - 1, buckets[i], strength])
        embeds, pictures = torch.stack(embeds), torch.stack(pictures)
        for i, lot in enumerate(torch.rand(count, generator=generator).tolist()):
            without_embed, without_picture = lot < 2 * dropout, dropout <= lot < 3 * dropout
            kept.add((stage, not without_embed, not without_picture))
            embeds[i] *= not without_embed
            pictures[i] *= not without_picture
        sigma = log_normal(noise, count).view(count, 1, 1, 1, 1)
        noisy = clean + sigma * normal(*clean.shape)
        conditions = pictures.unsqueeze(1).expand(-1, clean.shape[1], -1, -1, -1)
        output = pipe.unet(torch.cat([noisy / (sigma**2 + 1).sqrt(), conditions], 2), 0.25 * sigma.flatten().log(),
                           embeds, torch.tensor(ids), return_dict=False)[0]
        denoised = noisy / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()
        weight = (1 + sigma**2) / sigma**2
        losses[f"loss_{stage}_{seed}"] = (weight * (denoised - clean) ** 2).mean().reshape(1)
    assert {outcome[1:] for outcome in kept if outcome[0] == "video"} == {(a, b) for a in (0, 1) for b in (0, 1)}, kept
    wanted = pixels(clips.flatten(0, 1))
    error = pipe.vae.decode(encode(wanted), num_frames=frames).sample - wanted
    losses["vae_pixels"] = (error.abs().mean() + (error**2).mean()).reshape(1)
    losses["vae_gradients"] = (error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()).reshape(1)
    blocks = torch.nn.functional.avg_pool2d(error, 2 ** (len(pipe.vae.config.block_out_channels) - 1))
    losses["vae_blocks"] = blocks.abs().mean().reshape(1)
    save("training", frames=clips, **losses)


def make_clip():
    """Preprocessed pixels (every eighth of each axis, last row and column) and embeddings of three pictures."""
    from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as published

    pipe = run_diffusers.load(MODEL)
    embedder = reference_model.SingleFile(SINGLE).conditioner().embedders[0].open_clip
    tensors = {}
    for name in PICTURES:
        image = run_reference.pixels(picture(name), PICTURES[name])
        resized = (published._resize_with_antialiasing(image, (224, 224)) + 1.0) / 2.0
        normalised = pipe.feature_extractor(images=resized, do_normalize=True, do_center_crop=False, do_resize=False,
                                            do_rescale=False, return_tensors="pt").pixel_values
        made = {"diffusers": (normalised, pipe._encode_image(picture(name), "cpu", 1, False)[:, 0]),
                "reference": (embedder.preprocess(image), embedder(image))}
        for who, (pixels, embeds) in made.items():
            tensors[f"{name}_pixels_step8_{who}"] = pixels[0, :, ::8, ::8]
            tensors[f"{name}_pixels_last_row_{who}"] = pixels[0, :, -1]
            tensors[f"{name}_pixels_last_column_{who}"] = pixels[0, :, :, -1]
            tensors[f"{name}_embeds_{who}"] = embeds
    save("clip", **tensors)


def make_e2e(image_decoder_folder):
    """Whole renders: final latents and frames (uint8) of both implementations, and cases.json with the parameters."""
    folders = {"temporal": MODEL, "image_decoder": image_decoder_folder}
    files = {"temporal": SINGLE, "image_decoder": IMAGE_DECODER}
    table = []
    for name, (kind, image, changes) in CASES.items():
        parameters = {**DEFAULTS, **changes}
        args = SimpleNamespace(**parameters)
        latents, _, frames = run_diffusers.render(run_diffusers.load(folders[kind]), picture(image), args)
        tensors = {"latents_diffusers": latents, "frames_diffusers": torch.from_numpy(np.stack(frames))}
        latents, _, frames = run_reference.render(reference_model.SingleFile(files[kind]), picture(image), args)
        tensors |= {"latents_reference": latents, "frames_reference": torch.from_numpy(np.stack(frames))}
        save(f"e2e/{name}", **tensors)
        table.append({"name": name, "model": kind, "image": f"images/{image}.png", **parameters})
    (DATA / "e2e/cases.json").write_text(json.dumps(table, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generative-models", required=True, type=pathlib.Path)
    parts = ("images", "sampling", "unet", "vae", "clip", "gradients", "training", "e2e")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    args = parser.parse_args()
    torch.set_num_threads(2)
    reference_model.generative_models(args.generative_models)
    with torch.no_grad(), tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        make_model.write_image_decoder_folder(folder, common.GOLDEN_CONFIG, make_model.weights())
        steps = {"images": make_images, "sampling": make_sampling, "unet": make_unet,
                 "vae": lambda: make_vae(folder), "clip": make_clip, "gradients": make_gradients,
                 "training": make_training, "e2e": lambda: make_e2e(folder)}
        for part in args.only:
            steps[part]()


if __name__ == "__main__":
    main()
