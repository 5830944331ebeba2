#!/usr/bin/env python3
"""Averages the weights of two models of one architecture, tensor by tensor.

usage: average_models.py A B SHARE OUTPUT

A, B and OUTPUT are safetensors files in float16; SHARE is B's, from 0 to 1. Needs nothing but Python.
A model that was finetuned on one kind of motion, averaged with the one before it, keeps what both can do
(Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
"""
import argparse
import json
import pathlib
import struct


def read(path):
    """The header as bytes, and the values; all tensors are float16."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    start = 8 + length
    for name, tensor in json.loads(data[8:start]).items():
        if name != "__metadata__" and tensor["dtype"] != "F16":
            raise SystemExit(f"{path}: {name} is {tensor['dtype']}, not float16")
    return data[:start], [value for (value,) in struct.iter_unpack("<e", data[start:])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=pathlib.Path)
    parser.add_argument("b", type=pathlib.Path)
    parser.add_argument("share", type=float)
    parser.add_argument("output", type=pathlib.Path)
    args = parser.parse_args()
    if not 0 <= args.share <= 1:
        parser.error("SHARE: a number from 0 to 1")
    (header, a), (other, b) = read(args.a), read(args.b)
    if header != other:
        raise SystemExit(f"{args.a} and {args.b}: their headers differ")
    mean = [(1 - args.share) * x + args.share * y for x, y in zip(a, b)]
    args.output.write_bytes(header + struct.pack(f"<{len(mean)}e", *mean))


if __name__ == "__main__":
    main()
