"""What the golden scripts share: configurations of small models, seeded weights, safetensors, pictures.

Names are those of diffusers; sgm_names.py turns them into Stability's. The module needs torch alone; only
`class_shapes` imports diffusers and transformers.
"""
import ctypes
import hashlib
import json
import math
import pathlib
import struct

import torch

HERE = pathlib.Path(__file__).resolve().parent
PARTS = {"unet": "unet/diffusion_pytorch_model", "vae": "vae/diffusion_pytorch_model",
         "image_encoder": "image_encoder/model"}
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def model_config(unet_channels, vae_channels, *, layers, head_channels, embed, clip_width, clip_layers, clip_heads,
                 frames=14, clip_patch=32, time_embed=32, vae_sample_size=128):
    """Configurations of the five parts of a folder, as dictionaries in the files' own words."""
    levels = len(unet_channels)
    cross = ["CrossAttn"] * (levels - 1) + [""]
    return {
        "unet": {
            "_class_name": "UNetSpatioTemporalConditionModel", "_diffusers_version": "0.24.0.dev0",
            "addition_time_embed_dim": time_embed, "block_out_channels": list(unet_channels),
            "cross_attention_dim": embed, "down_block_types": [f"{c}DownBlockSpatioTemporal" for c in cross],
            "in_channels": 8, "layers_per_block": layers,
            "num_attention_heads": [c // head_channels for c in unet_channels], "num_frames": frames,
            "out_channels": 4, "projection_class_embeddings_input_dim": 3 * time_embed, "sample_size": 16,
            "transformer_layers_per_block": 1, "up_block_types": [f"{c}UpBlockSpatioTemporal" for c in cross[::-1]]},
        "vae": {
            "_class_name": "AutoencoderKLTemporalDecoder", "_diffusers_version": "0.24.0.dev0",
            "block_out_channels": list(vae_channels), "down_block_types": ["DownEncoderBlock2D"] * len(vae_channels),
            "force_upcast": True, "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "out_channels": 3,
            "sample_size": vae_sample_size, "scaling_factor": 0.18215},
        "image_encoder": {
            "architectures": ["CLIPVisionModelWithProjection"], "attention_dropout": 0.0, "dropout": 0.0,
            "hidden_act": "gelu", "hidden_size": clip_width, "image_size": 224, "initializer_factor": 1.0,
            "initializer_range": 0.02, "intermediate_size": 4 * clip_width, "layer_norm_eps": 1e-05,
            "model_type": "clip_vision_model", "num_attention_heads": clip_heads, "num_channels": 3,
            "num_hidden_layers": clip_layers, "patch_size": clip_patch, "projection_dim": embed,
            "torch_dtype": "float16", "transformers_version": "4.34.0.dev0"},
        "scheduler": {
            "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.24.0.dev0", "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False,
            "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "v_prediction",
            "set_alpha_to_one": False, "sigma_max": 700.0, "sigma_min": 0.002, "skip_prk_steps": True,
            "steps_offset": 1, "timestep_spacing": "leading", "timestep_type": "continuous", "trained_betas": None,
            "use_karras_sigmas": True},
        "feature_extractor": {
            "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True,
            "do_normalize": True, "do_rescale": True, "do_resize": True,
            "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN,
            "image_processor_type": "CLIPImageProcessor", "image_std": CLIP_STD, "resample": 3,
            "rescale_factor": 1 / 255, "size": {"shortest_edge": 224}},
    }


CONFIG_FILES = {"unet": "unet/config.json", "vae": "vae/config.json", "image_encoder": "image_encoder/config.json",
                "scheduler": "scheduler/scheduler_config.json",
                "feature_extractor": "feature_extractor/preprocessor_config.json"}
MODEL_INDEX = {
    "_class_name": "StableVideoDiffusionPipeline", "_diffusers_version": "0.24.0.dev0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
    "vae": ["diffusers", "AutoencoderKLTemporalDecoder"]}

# The model of the committed goldens: four levels, one of other width than the rest in UNet and VAE.
GOLDEN_CONFIG = model_config((32, 32, 32, 64), (32, 64, 32, 32), layers=1, head_channels=16, embed=32, clip_width=32,
                             clip_layers=2, clip_heads=2)


# A smaller last layer keeps most values of a frame between black and white.
FRAME_SCALES = {"vae.decoder.conv_out.": 0.5, "plain_vae.decoder.conv_out.": 0.5}


def image_decoder_config(vae):
    """The frame-wise decoder's configuration (AutoencoderKL) for the same encoder."""
    return {**vae, "_class_name": "AutoencoderKL", "act_fn": "silu", "norm_num_groups": 32,
            "up_block_types": ["UpDecoderBlock2D"] * len(vae["block_out_channels"])}


def write_configs(folder, config, **extra):
    for part, name in CONFIG_FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config[part], indent=2) + "\n")
    index = {**MODEL_INDEX, **extra}
    if config["vae"]["_class_name"] == "AutoencoderKL":
        index["vae"] = ["diffusers", "AutoencoderKL"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def class_shapes(config):
    """{part: {name: shape}} from the published classes, built without memory."""
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    def shapes(module):
        return {name: tuple(value.shape) for name, value in module.state_dict().items()}

    def arguments(part):
        return {k: v for k, v in part.items() if not k.startswith("_")}

    vae_class = {"AutoencoderKL": AutoencoderKL, "AutoencoderKLTemporalDecoder": AutoencoderKLTemporalDecoder}
    with torch.device("meta"):
        unet = shapes(UNetSpatioTemporalConditionModel(**arguments(config["unet"])))
        vae = shapes(vae_class[config["vae"]["_class_name"]](**arguments(config["vae"])))
        clip = shapes(CLIPVisionModelWithProjection(CLIPVisionConfig(**config["image_encoder"])))
    # Published files carry the prefix that newer versions of transformers drop in memory.
    clip = {name if name.startswith(("vision_model.", "visual_projection.")) else f"vision_model.{name}": shape
            for name, shape in clip.items() if not name.endswith("position_ids")}
    return {"unet": unet, "vae": vae, "image_encoder": clip}


def header_shapes(path):
    """{name: shape} of a safetensors file, from its header alone."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return {name: tuple(info["shape"]) for name, info in header.items() if name != "__metadata__"}


class Weights:
    """Seeded weights that keep activations alive: each tensor depends on seed and name alone.

    Matrices and kernels are N(0, 1/fan_in), norm weights 1 + 0.15 N, biases 0.1 N, mix factors 0.8 N. With a
    `grid`, N is rounded to multiples of it, so that the files compress well. `scales` maps the start of a name
    to a factor. Values are rounded to `dtype` once, so every file that holds them holds the same numbers.
    """

    def __init__(self, seed, dtype=torch.float16, grid=0.0, scales=None):
        self.seed, self.dtype, self.grid, self.scales = seed, dtype, grid, scales or {}

    def normal(self, name, shape):
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        value = torch.empty(shape, dtype=torch.float32).normal_(generator=generator)
        return value.div_(self.grid).round_().mul_(self.grid) if self.grid else value

    def __call__(self, name, shape):
        value = self.normal(name, shape)
        if name.endswith("mix_factor"):
            value.mul_(0.8)
        elif name.endswith(".bias"):
            value.mul_(0.1)
        elif name.endswith("class_embedding"):
            value.mul_(0.5)
        elif len(shape) == 1:
            value.mul_(0.15).add_(1.0)
        elif shape:
            value.mul_(1.0 / math.sqrt(math.prod(shape[1:])))
        for start, factor in self.scales.items():
            if name.startswith(start):
                value.mul_(factor)
        return value.to(self.dtype)


def write_safetensors(path, entries, dtype, metadata=None):
    """Writes entries [(name, shape, make)] one after another; make() gives a tensor when its turn comes."""
    bits = {kind: name for name, kind in DTYPES.items()}[dtype]
    header = {"__metadata__": metadata} if metadata else {}
    offset = 0
    entries = sorted(entries, key=lambda entry: entry[0])
    for name, shape, _ in entries:
        size = math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": bits, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape, make in entries:
            value = make().to(dtype).contiguous()
            assert tuple(value.shape) == tuple(shape), (name, value.shape, shape)
            file.write((ctypes.c_char * (value.numel() * dtype.itemsize)).from_address(value.data_ptr()))
    return 8 + len(text) + offset


def write_part(folder, part, shapes, weights, dtype):
    """One safetensors file of a folder: names get the part's name for a seed, and that of the file in the file."""
    entries = [(name, shape, lambda name=name, shape=shape: weights(f"{part}.{name}", shape))
               for name, shape in shapes.items()]
    return write_safetensors(folder / f"{PARTS[part]}.safetensors", entries, dtype, {"format": "pt"})


def read_image(path):
    """A picture as the runners see it: RGB, no orientation."""
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGB")


def save_run(out, latents, noise, frames):
    """OUT/latents.safetensors, OUT/noise.safetensors, OUT/frames/%05d.png (uint8 arrays [H, W, 3])."""
    from PIL import Image
    from safetensors.torch import save_file

    folder = pathlib.Path(out) / "frames"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    save_file({"latents": latents.float().contiguous()}, f"{out}/latents.safetensors")
    save_file({name: value.contiguous() for name, value in noise.items()}, f"{out}/noise.safetensors")
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{i:05d}.png")


def add_run_arguments(parser):
    """The parameters of one render, for both runners."""
    parser.add_argument("--image", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for latents, noise and frames")
    parser.add_argument("--size", required=True, help="WxH; the picture is stretched to it with Pillow's LANCZOS")
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--condition-fps", type=int, default=6, help="the number that the model sees")
    parser.add_argument("--motion-bucket-id", type=int, default=127)
    parser.add_argument("--noise-aug-strength", type=float, default=0.02)
    parser.add_argument("--min-guidance", type=float, required=True)
    parser.add_argument("--max-guidance", type=float, required=True)
    parser.add_argument("--decode-chunk", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)


def parse_size(text):
    width, height = (int(part) for part in text.lower().split("x"))
    return width, height
