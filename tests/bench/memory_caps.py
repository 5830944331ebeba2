#!/usr/bin/env python3
"""Renders a clip without and with --memory, and compares peaks and frames.

usage: memory_caps.py --svd-gen BINARY [--caps 0.6,0.4,0.25] [--work DIR] -- ARGUMENTS OF THE RENDER

Caps are parts of the peak that the unconstrained render had. Each one either keeps its cap and writes the same PNGs,
byte for byte (--tolerance 1: within 1/255), or, with --may-refuse, is refused with settings that fit. Exit status 1
otherwise.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image


def render(binary, arguments, folder, cap=None):
    shutil.rmtree(folder, ignore_errors=True)
    command = [binary, "--json", "-o", f"{folder}/", *arguments] + ([] if cap is None else ["--memory", str(cap)])
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode, json.loads(run.stdout)


def largest_difference(a, b):
    names = sorted(path.name for path in a.iterdir())
    assert names and names == sorted(path.name for path in b.iterdir()), f"{a} and {b} hold different files"
    read = lambda path: np.asarray(Image.open(path)).astype(int)
    return max(int(np.abs(read(a / name) - read(b / name)).max()) for name in names)


def choices(memory):
    words = [name for name in ("stream_unet", "sequential_guidance", "recompute_decoder") if memory[name]]
    return ", ".join(words) or "nothing special"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--svd-gen", required=True)
    parser.add_argument("--caps", default="0.6,0.4,0.25", help="parts of the unconstrained peak")
    parser.add_argument("--tolerance", type=int, default=0, help="levels that frames may differ")
    parser.add_argument("--may-refuse", action="store_true")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("arguments", nargs="+", help="of the render, without output and --memory")
    args = parser.parse_args()
    work = args.work or pathlib.Path(tempfile.mkdtemp(prefix="svd-gen-memory-"))

    work.mkdir(parents=True, exist_ok=True)
    status, free = render(args.svd_gen, args.arguments, work / "free")
    if status:
        sys.exit(f"the unconstrained render failed: {free['error']}")
    peak = free["peak_rss_bytes"]
    print(f"free: peak {peak >> 20} MiB, {free['seconds']:.1f} s")
    good = True
    for part in map(float, args.caps.split(",")):
        cap = int(peak * part)
        status, capped = render(args.svd_gen, args.arguments, work / f"capped_{part}", cap)
        line = f"{part:.0%}: cap {cap >> 20} MiB, "
        if status == 5:
            print(line + f"refused: {capped['error']['message']}; {capped['error']['hint']}")
            good = good and args.may_refuse and capped["error"]["message"].startswith("not enough memory")
            continue
        if status:
            sys.exit(line + f"failed: {capped['error']}")
        used, difference = capped["peak_rss_bytes"], largest_difference(work / "free", work / f"capped_{part}")
        good = good and used <= cap and difference <= args.tolerance
        print(line + f"peak {used >> 20} MiB {'under' if used <= cap else 'OVER'}, frames differ by {difference}/255, "
              f"{capped['seconds']:.1f} s: {choices(capped['memory'])}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
