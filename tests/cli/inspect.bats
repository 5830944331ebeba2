# svd-gen inspect.
load ../support/cli

@test "text on stdout names layout, parts and completeness" {
  svd inspect "$TINY"
  expect_status 0
  [[ $output == *unet* && $output == *vae* && $output == *image_encoder* && $output == *complete* ]]
}

@test "--json counts tensors and parameters as the files do" {
  svd inspect tiny --json
  expect_status 0
  expect_json 'j["complete"], j["mismatches"]' "(True, [])"
  expected=$(python3 - "$TINY" << 'PYTHON'
import json, pathlib, math, struct, sys
counts = {}
for folder in ("unet", "vae", "image_encoder"):
    tensors = parameters = 0
    for path in pathlib.Path(sys.argv[1], folder).glob("*.safetensors"):
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        header.pop("__metadata__", None)
        tensors += len(header)
        parameters += sum(math.prod(entry["shape"]) for entry in header.values())
    counts[folder] = (tensors, parameters)
print(counts)
PYTHON
)
  expect_json '{p["name"]: (p["tensors"], p["parameters"]) for p in j["parts"]}' "$expected"
}

@test "a missing tensor: exit 4, named on stdout" {
  cp -r "$TINY" model
  python3 "$SUPPORT/break_model.py" rename "$(find model/unet -name '*.safetensors')" conv_in.weight
  svd inspect model
  expect_status 4
  [[ $output == *conv_in.weight* && $output == *nobody.knows.weight* ]]
  svd inspect model --json
  expect_status 4
  expect_json 'j["complete"], len(j["mismatches"])' "(False, 2)"
}

@test "no such model: exit 4, and one JSON object when asked" {
  refused 4 nothing.safetensors inspect nothing.safetensors
  svd inspect nothing.safetensors --json
  expect_status 4
  expect_json 'j["error"]["kind"]' model
}
