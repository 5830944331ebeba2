"""diffusers' StableVideoDiffusionPipeline as its users run it, started from svd-gen's noise."""
import os

DTYPES = ("float32", "bfloat16", "float16")


def import_libraries():
    """Imports what a render needs, and turns off bars and notes on standard error."""
    import torch  # noqa: F401
    from diffusers import AutoencoderKLTemporalDecoder, StableVideoDiffusionPipeline  # noqa: F401
    from diffusers.utils import logging as diffusers_logging
    from transformers import CLIPVisionModelWithProjection  # noqa: F401
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()


def load(folder, dtype, vae_dtype=None, device="cpu", **parts):
    """The pipeline in `dtype` on `device`. Without a `vae_dtype` the VAE is what diffusers makes it: `dtype` too."""
    import torch
    from diffusers import AutoencoderKLTemporalDecoder, StableVideoDiffusionPipeline

    kinds = {name: getattr(torch, name) for name in DTYPES}
    if vae_dtype and vae_dtype != dtype:
        vae = AutoencoderKLTemporalDecoder.from_pretrained(folder / "vae", dtype=kinds[vae_dtype])
        decode = vae.decode
        # The pipeline hands latents over as the UNet left them.
        vae.decode = lambda latents, **more: decode(latents.to(vae.dtype), **more)
        parts["vae"] = vae
    pipe = StableVideoDiffusionPipeline.from_pretrained(folder, dtype=kinds[dtype], **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def render(pipe, image, args, steps, **more):
    """Calls the pipeline with svd-gen's parameters.

    The augmentation noise is the generator's first draw, which the pipeline makes itself in float32. The initial
    latents are the second; in bfloat16 the pipeline would draw other numbers, so it is given the float32 ones, rounded
    to its number format.
    """
    import torch

    width, height = parse_size(args.size)
    generator = torch.Generator("cpu").manual_seed(args.seed)
    torch.randn((1, 3, height, width), generator=generator)
    shape = (1, args.frames, 4, height // pipe.vae_scale_factor, width // pipe.vae_scale_factor)
    noise = torch.randn(shape, generator=generator).to(pipe.image_encoder.device, pipe.image_encoder.dtype)
    with torch.inference_mode():
        return pipe(image, height=height, width=width, num_frames=args.frames, num_inference_steps=steps,
                    min_guidance_scale=args.min_guidance, max_guidance_scale=args.max_guidance, fps=7,
                    decode_chunk_size=args.decode_chunk, latents=noise,
                    generator=torch.Generator("cpu").manual_seed(args.seed), **more).frames


def add_arguments(parser):
    """One clip, for every program that renders it."""
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--size", default="448x256", help="WxH; the picture is stretched to it")
    parser.add_argument("--dtype", default="bfloat16", choices=DTYPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--min-guidance", type=float, default=1.0)
    parser.add_argument("--max-guidance", type=float, default=3.0)
    parser.add_argument("--decode-chunk", type=int, default=14)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))


def svd_gen_arguments(args, steps, seed):
    """The same clip for svd-gen."""
    return ["--frames", str(args.frames), "--size", args.size, "--steps", str(steps), "--seed", str(seed),
            "--min-guidance", str(args.min_guidance), "--max-guidance", str(args.max_guidance), "--fps", "7",
            "--decode-chunk", str(args.decode_chunk), "--threads", str(args.threads), "--device", args.device,
            "--profile", "diffusers", "--fit", "stretch", "--image", str(args.image)]


def parse_size(text):
    width, height = (int(part) for part in text.split("x"))
    return width, height
