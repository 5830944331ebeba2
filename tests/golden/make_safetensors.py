#!/usr/bin/env python3
"""Writes tests/golden/safetensors/all_dtypes.safetensors with the reference implementation of the format."""
import pathlib

import torch
from safetensors.torch import save_file

values = torch.tensor([[-2.0, -1, 0], [1, 2, 3]])
types = dict(f64=torch.float64, f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16,
             f8_e4m3=torch.float8_e4m3fn, f8_e5m2=torch.float8_e5m2,
             i64=torch.int64, i32=torch.int32, i16=torch.int16, i8=torch.int8)
tensors = {name: values.to(dtype) for name, dtype in types.items()}
tensors["u8"] = torch.tensor([[0, 1, 2], [3, 4, 255]], dtype=torch.uint8)
tensors["bool"] = torch.tensor([[False, True, False], [True, True, False]])
tensors["scalar"] = torch.tensor(1.5)
path = pathlib.Path(__file__).parent / "safetensors/all_dtypes.safetensors"
path.parent.mkdir(exist_ok=True)
save_file(tensors, path, metadata={"format": "pt"})
