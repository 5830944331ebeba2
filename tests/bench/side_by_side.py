#!/usr/bin/env python3
"""Times svd-gen and diffusers on the same clip and compares them. scripts/bench.sh calls it; plain Python.

usage: side_by_side.py --svd-gen BINARY --python PYTHON --checkpoint FOLDER --image FILE --out FILE.json ...
       side_by_side.py --report FILE.json

Every measurement is a process of its own, and programs take turns: A B A B, so that a machine that gets slower or
busy is no program's advantage. The JSON file holds what each process printed; --report prints the table again.
Ratios are svd-gen / peer of the same round: below 1, svd-gen needs less.
"""
import argparse
import array
import json
import math
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile

import pipeline

HERE = pathlib.Path(__file__).resolve().parent
SVD_GEN = "svd-gen"
PEERS = {"eager": ("eager",), "compile": ("eager", "compile"), "all": ("eager", "compile", "openvino")}
# What is compared: name, keys, unit.
ROWS = [("a step", ("step", "median"), "s"),
        ("load", ("seconds", "load"), "s"),
        ("conditioning", ("seconds", "condition"), "s"),
        ("decode", ("seconds", "decode"), "s"),
        ("encode", ("seconds", "encode"), "s"),
        ("start to first step", ("seconds", "start_to_first_step"), "s"),
        ("start to the first step's end", ("seconds", "start_to_first_step_end"), "s"),
        ("start to file", ("seconds", "start_to_file"), "s"),
        ("peak while sampling", ("peak_rss_bytes", "sample"), "GiB"),
        ("peak at decode", ("peak_rss_bytes", "decode"), "GiB"),
        ("peak of the process", ("peak_rss_bytes", "whole"), "GiB"),
        ("peak of the GPU", ("peak_device_bytes",), "GiB")]


def commands(args, work):
    """{program: (command, environment)}"""
    vae = ["--vae-dtype", args.vae_dtype] if args.vae_dtype else []
    own = [str(args.svd_gen.resolve()), "bench", "--json", "-q", "--model", str(args.svd_gen_model or args.checkpoint),
           "--dtype", args.dtype, "--warmup-steps", str(args.warmup_steps), *vae,
           *pipeline.svd_gen_arguments(args, args.steps, args.seed)]
    if args.drawn_picture:
        at = own.index("--image")
        del own[at:at + 2]
    found = {SVD_GEN: (own, os.environ)}
    for mode in PEERS[args.peers]:
        peer = [args.python, str(HERE / "peer_diffusers.py"), "--mode", mode, "--model", str(args.checkpoint), *vae]
        for name in ("image", "frames", "size", "steps", "warmup_steps", "seed", "min_guidance", "max_guidance",
                     "dtype", "decode_chunk", "threads", "device"):
            peer += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
        path = os.pathsep.join(filter(None, [args.openvino, os.environ.get("PYTHONPATH")]))
        found[f"diffusers {mode}"] = (peer, {**os.environ, "PYTHONPATH": path})
    return {name: (command + ["--save-latents", str(work / f"{name}.safetensors")], environment)
            for name, (command, environment) in found.items()}


def measure(name, command, environment, latents):
    """What the process printed, or {"error": text}."""
    latents.unlink(missing_ok=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = done.stdout.strip()
    if done.returncode == 0:
        result = json.loads(lines)
        seconds = result["seconds"]
        if result.get("steps") and "start_to_first_step" in seconds:
            seconds["start_to_first_step_end"] = seconds["start_to_first_step"] + result["steps"][0]
        return result
    words = done.stderr.strip().splitlines()
    return {"program": name, "error": words[-1] if words else f"exit code {done.returncode}"}


def read_latents(path):
    """The float32 values of a file with the one tensor `latents`."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        assert header["latents"]["dtype"] == "F32", header
        begin, end = header["latents"]["data_offsets"]
        file.seek(begin, os.SEEK_CUR)
        return array.array("f", file.read(end - begin))


def difference(path, other):
    """Of two clips: ||x - y|| / ||y||"""
    x, y = read_latents(path), read_latents(other)
    if len(x) != len(y):
        raise ValueError(f"{path} holds {len(x)} numbers, {other} {len(y)}")
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(x, y)) / sum(b * b for b in y))


def run(args):
    """{"rounds": [{program: measurement}], "difference": {program: of its latents from svd-gen's}}"""
    rounds, differences = [], {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        programs = commands(args, work)
        for turn in range(args.rounds):
            rounds.append({})
            for name, (command, environment) in programs.items():
                latents = work / f"{name}.safetensors"
                result = rounds[-1][name] = measure(name, command, environment, latents)
                said = result["error"] or f"{result['step']['median']:.3f} s a step"
                print(f"round {turn + 1}, {name}: {said}", file=sys.stderr, flush=True)
                if result["error"] and name == SVD_GEN:
                    raise RuntimeError(f"svd-gen: {result['error']}")
                if not result["error"] and name != SVD_GEN and not args.drawn_picture:
                    differences[name] = difference(work / f"{SVD_GEN}.safetensors", latents)
    return {"rounds": rounds, "difference": differences}


def value_of(result, keys):
    for key in keys:
        result = result.get(key) if result else None
    return result


def row_text(title, pairs, unit):
    """One line of the table from [(ours, peer's)] of the rounds; empty when one of them is unknown."""
    if not pairs or any(value is None for pair in pairs for value in pair):
        return None
    scale = 2**30 if unit == "GiB" else 1
    ours, peers = (statistics.median(values) / scale for values in zip(*pairs))
    ratios = [ours_value / peer for ours_value, peer in pairs if peer > 0]
    if not ratios:
        return None
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    return f"{title:20} {ours:9.3f} {peers:9.3f} {unit:>4} {statistics.median(ratios):8.3f}   {spread}"


def report(data):
    """The table as lines."""
    rounds = data["rounds"]
    first = rounds[0][SVD_GEN]
    request = first["request"]
    yield (f"{request['frames']} frames of {request['width']}x{request['height']}, {request['steps']} steps of which "
           f"{first['warmup_steps']} not counted, {request['dtype']}, {first['device']}, "
           f"{len(rounds)} rounds, svd-gen {first['build']['version']} {first['build']['commit']}")
    for name in (name for name in rounds[0] if name != SVD_GEN):
        good = [turn for turn in rounds if not turn[name]["error"]]
        yield ""
        if not good:
            yield f"{name}: could not be measured: {rounds[0][name]['error']}"
            continue
        yield (f"{name} (VAE in {good[0][name]['request']['vae_dtype']}, svd-gen's in {request['vae_dtype']}); "
               f"latents differ by {data['difference'].get(name, math.nan):.1e}")
        yield f"{'':20} {'svd-gen':>9} {'peer':>9} {'':4} {'ratio':>8}   range"
        for title, keys, unit in ROWS:
            pairs = [(value_of(turn[SVD_GEN], keys), value_of(turn[name], keys)) for turn in good]
            line = row_text(title, pairs, unit)
            if line:
                yield line
        converted = value_of(good[0][name], ("seconds", "convert"))
        if converted:
            peak = good[0][name]["peak_rss_bytes"]["convert"]
            yield f"converting the UNet, not counted: {converted:.0f} s, peak {(peak or 0) / 2**30:.1f} GiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=pathlib.Path, help="only print the table of an earlier run")
    parser.add_argument("--svd-gen", type=pathlib.Path)
    parser.add_argument("--svd-gen-model", type=pathlib.Path, help="default: the checkpoint")
    parser.add_argument("--python", help="one with torch and diffusers")
    parser.add_argument("--openvino", help="folder that holds the openvino package")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="diffusers folder")
    parser.add_argument("--image", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", choices=PEERS, default="eager")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--warmup-steps", type=int, default=1)
    parser.add_argument("--vae-dtype", choices=pipeline.DTYPES, help="of both; default: each program's own")
    parser.add_argument("--drawn-picture", action="store_true",
                        help="svd-gen draws a picture of its own (for a build that reads none): latents are not compared")
    pipeline.add_arguments(parser)
    args = parser.parse_args()
    if args.report:
        data = json.loads(args.report.read_text())
    else:
        missing = [name for name in ("svd_gen", "python", "checkpoint", "image", "out") if not getattr(args, name)]
        if missing or args.rounds < 1:
            parser.error(f"needed: {', '.join(missing)}" if missing else "--rounds must be 1 or more")
        try:
            data = run(args)
        except (RuntimeError, ValueError, OSError) as error:
            sys.exit(f"error: {error}")
        args.out.write_text(json.dumps(data, indent=1) + "\n")
    print("\n".join(report(data)))
    if any(turn[name]["error"] for turn in data["rounds"] for name in turn):
        sys.exit(1)


if __name__ == "__main__":
    main()
