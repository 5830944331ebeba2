#!/usr/bin/env python3
"""Renders one clip with diffusers and prints what it cost as the JSON object of `svd-gen bench --json`.

usage: peer_diffusers.py --model FOLDER --image FILE [--mode eager|compile|openvino] [--steps N] ... (see --help)

compile hands the UNet to torch.compile: its first step, a warm-up, includes compiling. openvino replaces the UNet by
one that OpenVINO runs; what the conversion takes is "convert" and is left out of the times from the process' start,
since it needs to be done only once for a model and a size. Encoding is left to the ffmpeg program, with svd-gen's
settings.
"""
import argparse
import importlib.metadata
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import measure
import pipeline


def wait_for(device):
    """A GPU works on while Python goes on."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def describe(device):
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU ({torch.get_num_threads()} threads)"


class Timer:
    """Follows the pipeline: a step begins when the scheduler scales its input, and ends in the pipeline's callback."""

    def __init__(self, pipe, stages, device):
        self.device = device
        self.stages, self.steps, self.start_to_first_step = stages, [], None
        self.scale, pipe.scheduler.scale_model_input = pipe.scheduler.scale_model_input, self.on_begin
        self.latents = None

    def on_begin(self, sample, timestep):
        if self.start_to_first_step is None:
            wait_for(self.device)
            self.stages.enter("sample")
            self.start_to_first_step = measure.seconds_since_process_start()
            self.last = time.perf_counter()
        return self.scale(sample, timestep)

    def on_end(self, pipe, step, timestep, values):
        wait_for(self.device)
        now = time.perf_counter()
        self.steps.append(now - self.last)
        self.last = now
        if len(self.steps) == pipe.num_timesteps:
            self.latents = values["latents"]
            self.stages.enter("decode")
        return values


def load(args, stages):
    """The pipeline, its UNet as args.mode wants it."""
    import torch

    if args.mode == "openvino":
        from diffusers import UNetSpatioTemporalConditionModel

        unet = UNetSpatioTemporalConditionModel.from_pretrained(args.model / "unet", dtype=torch.float32)
        pipe = pipeline.load(args.model, args.dtype, args.vae_dtype, unet=unet)
        stages.enter("convert")
        from openvino_unet import OpenVinoUnet

        pipe.unet = None
        width, height = pipeline.parse_size(args.size)
        batch, factor = (2 if args.max_guidance > 1 else 1), pipe.vae_scale_factor
        pipe.unet = OpenVinoUnet(unet, (batch, args.frames, 8, height // factor, width // factor), args.dtype,
                                 args.threads)
        return pipe
    pipe = pipeline.load(args.model, args.dtype, args.vae_dtype, args.device)
    if args.mode == "compile":
        pipe.unet.compile()
    return pipe


def encode(frames, path):
    width, height = frames[0].size
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "7",
               "-i", "-", "-c:v", "libx264", "-crf", "17", "-preset", "medium", "-threads", "1", "-pix_fmt", "yuv420p",
               "-movflags", "+faststart", str(path)]
    subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), check=True)


def versions():
    found = {}
    for name in ("torch", "diffusers", "transformers", "openvino"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"python": sys.version.split()[0], "libraries": found}


def bench(args):
    stages = measure.Stages()
    stages.enter("import")
    import torch
    from PIL import Image

    pipeline.import_libraries()
    torch.set_num_threads(args.threads)
    stages.enter("load")
    pipe = load(args, stages)
    stages.enter(None)
    converted = stages.seconds.get("convert", 0)
    timer = Timer(pipe, stages, args.device)
    with Image.open(args.image) as image:
        picture = image.convert("RGB")
    stages.enter("condition")
    frames = pipeline.render(pipe, picture, args, args.steps, callback_on_step_end=timer.on_end)[0]
    stages.enter("encode")
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("ffmpeg"):
            encode(frames, pathlib.Path(folder) / "clip.mp4")
        stages.enter(None)
        start_to_file = measure.seconds_since_process_start()
    if args.save_latents:
        from safetensors.torch import save_file

        save_file({"latents": timer.latents[0].float().contiguous()}, args.save_latents)
    counted = timer.steps[args.warmup_steps:]
    return {
        "program": f"diffusers {args.mode}", "build": versions(), "model": {"path": str(args.model)},
        "image": str(args.image), "device": describe(args.device),
        "request": {name: getattr(args, name) for name in (
            "frames", "size", "steps", "seed", "min_guidance", "max_guidance", "dtype", "decode_chunk", "threads")}
        | {"vae_dtype": str(pipe.vae.dtype).removeprefix("torch.")},
        "warmup_steps": args.warmup_steps,
        "seconds": stages.seconds | {"start_to_first_step": timer.start_to_first_step - converted,
                                     "start_to_file": start_to_file - converted},
        "steps": timer.steps,
        "step": {"median": statistics.median(counted), "min": min(counted), "max": max(counted)},
        "peak_rss_bytes": stages.peaks | {"whole": stages.memory.whole()},
        "peak_device_bytes": torch.cuda.max_memory_reserved() if args.device == "cuda" else None,
        "operations": None, "error": None}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="diffusers folder")
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--mode", choices=("eager", "compile", "openvino"), default="eager")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--warmup-steps", type=int, default=1)
    parser.add_argument("--vae-dtype", choices=pipeline.DTYPES, help="default: diffusers' own, which is --dtype")
    parser.add_argument("--save-latents", type=pathlib.Path, help="float32 [F,4,h,w], as svd-gen writes them")
    pipeline.add_arguments(parser)
    args = parser.parse_args()
    if not 0 <= args.warmup_steps < args.steps:
        parser.error("--warmup-steps must leave a step to measure")
    print(json.dumps(bench(args)))


if __name__ == "__main__":
    main()
