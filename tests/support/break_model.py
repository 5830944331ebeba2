"""Damages one safetensors file in place, for the tests of refusals.

    break_model.py truncate FILE        cut the last byte off
    break_model.py header FILE          claim a header of 2^63 bytes
    break_model.py shape FILE TENSOR    reverse the tensor's shape
    break_model.py rename FILE TENSOR   give the tensor a name nobody knows
"""

import json
import struct
import sys


def edit_header(data, tensor, change):
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header, tensor)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def reverse_shape(header, tensor):
    shape = header[tensor]["shape"]
    assert shape != shape[::-1], f"{tensor} is square"
    header[tensor]["shape"] = shape[::-1]


def rename(header, tensor):
    header["nobody.knows.weight"] = header.pop(tensor)


def main():
    kind, path = sys.argv[1], sys.argv[2]
    with open(path, "rb") as file:
        data = file.read()
    if kind == "truncate":
        data = data[:-1]
    elif kind == "header":
        data = struct.pack("<Q", 2**63) + data[8:]
    elif kind == "shape":
        data = edit_header(data, sys.argv[3], reverse_shape)
    elif kind == "rename":
        data = edit_header(data, sys.argv[3], rename)
    with open(path, "wb") as file:
        file.write(data)


main()
