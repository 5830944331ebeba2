#!/usr/bin/env python3
"""What each exact saving is worth: svd-gen bench without it, beside svd-gen bench with all of them. Plain Python.

usage: waterfall.py --svd-gen BINARY [--rounds N] -- ARGUMENTS OF svd-gen bench

Every measurement is a process of its own; each round begins and ends with all savings on, and the reference of a
measurement is the mean of the two that are nearest to it in time. Printed are, for each saving, seconds a step, the
decoder's seconds and the peak memory as ratios without / with it: above 1, the saving helps. The last line leaves all
of them out at once.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys

COLUMNS = {"a step": ("step", "median"), "decode": ("seconds", "decode"), "peak": ("peak_rss_bytes", "whole")}


def savings(binary):
    """The names that `--without` knows, from the message for one that it does not."""
    run = subprocess.run([binary, "bench", "--model", "tiny", "--without", "?"], capture_output=True, text=True, check=False)
    return re.search(r"there are (.*)", run.stderr).group(1).split(", ")


def measure(binary, arguments, without):
    command = [binary, "bench", "--json", "-q", *arguments] + (["--without", ",".join(without)] if without else [])
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(command)}: {run.stderr.strip()}")
    result = json.loads(run.stdout)
    values = {name: result[keys[0]][keys[1]] for name, keys in COLUMNS.items()}
    print(f"without {','.join(without) or 'nothing'}: {values}", file=sys.stderr, flush=True)
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--svd-gen", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("arguments", nargs="+", help="of svd-gen bench")
    args = parser.parse_args()

    names = savings(args.svd_gen)
    runs = [[name] for name in names] + [names]
    ratios = {tuple(run): {column: [] for column in COLUMNS} for run in runs}
    everything = {column: [] for column in COLUMNS}
    for _ in range(args.rounds):
        before = measure(args.svd_gen, args.arguments, [])
        for first in range(0, len(runs), 3):  # a reference after every three
            group = {tuple(run): measure(args.svd_gen, args.arguments, run) for run in runs[first:first + 3]}
            after = measure(args.svd_gen, args.arguments, [])
            for column in COLUMNS:
                reference = (before[column] + after[column]) / 2
                everything[column].append(reference)
                for run, values in group.items():
                    ratios[run][column].append(values[column] / reference)
            before = after

    with_all = ", ".join(f"{statistics.median(values) / (2**30 if column == 'peak' else 1):.2f} "
                         f"{'GiB' if column == 'peak' else 's'} {column}" for column, values in everything.items())
    print(f"With all savings: {with_all}. Ratios without / with:\n")
    print("| without | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for run, columns in ratios.items():
        cells = " | ".join(f"{statistics.median(values):.2f}" for values in columns.values())
        print(f"| {run[0] if len(run) == 1 else 'all of them'} | {cells} |")


if __name__ == "__main__":
    main()
