#!/usr/bin/env python3
"""The lists of clips that scripts/eval_tiny.sh renders, and its tables.

usage: eval_tiny.py jobs VIDEOS OUTPUTS [--seeds N] [--true-motion]
       eval_tiny.py report DIR

jobs prints a line for --batch for every seed and every video in the folder VIDEOS, whose first frame is the picture;
more seeds come after fewer.
--true-motion asks for the motion that the video has.
report prints the tables from the datasets NAME.clips and the PSNRs that were measured in DIR. Motion is in short sides
of the picture a second; how far clips move, in short sides.
"""
import argparse
import json
import math
import pathlib
import statistics

# The unit of motion_score is a sixteenth of the short side in half a second.
SIDES_A_SECOND = 1 / 8
# Where comparisons divide clips by the way that their pictures move, in short sides.
WAYS = (0.04, 0.12)
STATISTICS = {"x": lambda clip: clip["flow"]["x"], "y": lambda clip: clip["flow"]["y"],
              "divergence": lambda clip: clip["flow"]["divergence"], "score": lambda clip: clip["motion_score"]}


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def jobs(args):
    videos = lines_of(args.videos / "annotations.jsonl")
    for seed in range(1, args.seeds + 1):
        for video in videos:
            job = {"image": str(args.videos / video["file"]), "seed": seed,
                   "output": f"{args.outputs}/{pathlib.Path(video['file']).stem}-{seed}.mkv"}
            if args.true_motion:
                job |= {"fps": video["fps"], "motion_bucket_id": video["motion_bucket_id"]}
            print(json.dumps(job))


def share(flags):
    flags = list(flags)
    return sum(flags) / len(flags)


def control_row(name, clips):
    speed = statistics.mean(clip["motion_score"] for clip in clips) * SIDES_A_SECOND
    per_frame = statistics.mean(clip["motion_score"] / clip["fps"] for clip in clips) * SIDES_A_SECOND
    closer = share(clip["flow"]["divergence"] > 0 for clip in clips)
    across = share(abs(clip["flow"]["x"]) > abs(clip["flow"]["y"]) for clip in clips)
    one_way = statistics.mean(math.hypot(clip["flow"]["x"], clip["flow"]["y"]) / max(clip["motion_score"], 1e-9)
                              for clip in clips)
    print(f"| {name} | {len(clips)} | {speed:.4f} | {per_frame:.5f} | {100 * closer:.0f} % | {100 * across:.0f} % "
          f"| {one_way:.2f} |")
    return speed


def control(folder):
    print("| setting | clips | motion a second | motion a frame | divergence above 0 | mainly horizontal | one way |")
    print("|---|---|---|---|---|---|---|")
    speeds = {}
    names = [f"bucket_{bucket}" for bucket in (30, 80, 127, 200)] + ["fps_5", "fps_14"]
    for name in names + sorted(path.stem for path in folder.glob("lora_*.clips")):
        speeds[name] = control_row(name.replace("_", " "), lines_of(folder / f"{name}.clips/clips.jsonl"))
    buckets = [speeds[name] for name in names[:4]]
    print(f"\nbucket 200 over bucket 30: {buckets[3] / buckets[0]:.2f}; "
          f"growing: {'yes' if buckets == sorted(buckets) else 'NO'}")
    if "lora_static" in speeds:
        print(f"static LoRA over base: {speeds['lora_static'] / speeds['bucket_127']:.2f}")


def frechet(clips, true, units):
    """Squared Frechet distance of two sets of clips as normal distributions of the flow's statistics, each in its unit
    and independent of the others."""
    total = 0
    for name, value in STATISTICS.items():
        these, those = [value(clip) for clip in clips], [value(clip) for clip in true]
        total += ((statistics.mean(these) - statistics.mean(those)) ** 2
                  + (statistics.pstdev(these) - statistics.pstdev(those)) ** 2) / units[name] ** 2
    return total


def psnr(folder, videos):
    """Mean over clips and frames but the first and the last, which the cross-fade to the true last frame holds exactly.
    stats_file has a line a frame."""
    values = []
    for video in videos:
        stem = pathlib.Path(video["file"]).stem
        for line in (folder / f"{stem}.psnr").read_text().splitlines()[1:-1]:
            fields = dict(field.split(":") for field in line.split())
            values.append(min(float(fields["psnr_avg"]), 60))
    return statistics.mean(values)


def by_way(videos, frames):
    """The videos by how far their pictures move in all, as far as there are any."""
    near, far = WAYS

    def way(video):
        return video["motion_score"] * SIDES_A_SECOND * (frames - 1) / video["fps"]

    groups = {f"less than {near}": [video for video in videos if way(video) < near],
              f"{near} to {far}": [video for video in videos if near <= way(video) < far],
              f"{far} and more": [video for video in videos if way(video) >= far]}
    return {words: some for words, some in groups.items() if some}


def comparison(folder, name):
    true = lines_of(folder / f"{name}.clips/clips.jsonl")
    # Of all motions, also where one is compared: pans alone hardly differ in height or size.
    everything = lines_of(folder / "all.clips/clips.jsonl")
    units = {statistic: statistics.pstdev(map(value, everything)) or 1 for statistic, value in STATISTICS.items()}
    videos = lines_of(folder / name / "annotations.jsonl")
    groups = by_way(videos, true[0]["frames"])
    print("| clips | PSNR to the true frames, dB | "
          + " | ".join(f"of {len(some)} that move {words}" for words, some in groups.items())
          + " | squared Frechet distance of the flow |")
    print("|---" * (len(groups) + 3) + "|")
    for kind, words in (("model", "the model"), ("repeated", "first frame repeated"),
                        ("faded", "cross-fade to the true last frame"),
                        ("faded_to_own", "cross-fade from the picture to the model's last frame")):
        clips = lines_of(folder / f"{name}-{kind}.clips/clips.jsonl")
        levels = [psnr(folder / f"{name}-{kind}", some) for some in [videos, *groups.values()]]
        print(f"| {words} | " + " | ".join(f"{level:.2f}" for level in levels)
              + f" | {frechet(clips, true, units):.2f} |")


def report(args):
    control(args.folder)
    print(f"\nAll motions, {len(lines_of(args.folder / 'all.clips/clips.jsonl'))} true clips:\n")
    comparison(args.folder, "all")
    print("\nPans to the right, with the horizontal LoRA where the model has one:\n")
    comparison(args.folder, "pan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("jobs")
    command.add_argument("videos", type=pathlib.Path)
    command.add_argument("outputs")
    command.add_argument("--seeds", type=int, default=1)
    command.add_argument("--true-motion", action="store_true")
    command.set_defaults(run=jobs)
    command = commands.add_parser("report")
    command.add_argument("folder", type=pathlib.Path)
    command.set_defaults(run=report)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
