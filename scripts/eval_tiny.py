#!/usr/bin/env python3
"""Prints the table of scripts/eval_tiny.sh from the datasets that it measured.

usage: eval_tiny.py DIR

DIR holds NAME.clips/clips.jsonl for every setting. Motion is in short sides of the picture a second.
"""
import json
import math
import pathlib
import sys

# The unit of clips.jsonl is a sixteenth of the short side in half a second.
SIDES_A_SECOND = 1 / 8


def clips_of(folder):
    return [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]


def share(flags):
    flags = list(flags)
    return sum(flags) / len(flags)


def row(name, clips):
    speed = sum(clip["motion_score"] for clip in clips) / len(clips) * SIDES_A_SECOND
    per_frame = sum(clip["motion_score"] / clip["fps"] for clip in clips) / len(clips) * SIDES_A_SECOND
    closer = share(clip["flow"]["divergence"] > 0 for clip in clips)
    across = share(abs(clip["flow"]["x"]) > abs(clip["flow"]["y"]) for clip in clips)
    one_way = sum(math.hypot(clip["flow"]["x"], clip["flow"]["y"]) / max(clip["motion_score"], 1e-9)
                  for clip in clips) / len(clips)
    print(f"| {name} | {len(clips)} | {speed:.4f} | {per_frame:.5f} | {100 * closer:.0f} % | {100 * across:.0f} % "
          f"| {one_way:.2f} |")
    return speed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    print("| setting | clips | motion a second | motion a frame | divergence above 0 | mainly horizontal | one way |")
    print("|---|---|---|---|---|---|---|")
    speeds = {}
    for path in sorted(folder.glob("*.clips"), key=lambda p: (p.stem.split("_")[0], p.stem.split("_")[1].zfill(12))):
        speeds[path.stem] = row(path.stem.replace("_", " "), clips_of(path))
    buckets = [speeds[f"bucket_{b}"] for b in (30, 80, 127, 200) if f"bucket_{b}" in speeds]
    if len(buckets) == 4:
        print(f"\nbucket 200 over bucket 30: {buckets[3] / buckets[0]:.2f}; "
              f"growing: {'yes' if buckets == sorted(buckets) else 'NO'}")
    if "lora_static" in speeds:
        print(f"static LoRA over base: {speeds['lora_static'] / speeds['bucket_127']:.2f}")


if __name__ == "__main__":
    main()
