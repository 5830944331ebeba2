"""Stability's module classes, built for a CPU and for the sizes that a single file has.

`generative_models(DIR)` makes a checkout of Stability-AI/generative-models importable; nothing of it is kept here.
Parts are built without memory and take their tensors from the file when they are asked for.
"""
import json
import math
import pathlib
import sys
import warnings

import torch
from safetensors import safe_open

import sgm_names

CLIP_IMAGE = 224


def generative_models(folder):
    warnings.filterwarnings("ignore")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    import sgm.util  # noqa: F401


class SingleFile:
    """A single file, its sizes (from shapes and sidecar) and the published classes with its weights."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        sidecar = self.path.with_suffix(".json")
        extra = json.loads(sidecar.read_text()) if sidecar.exists() else {}
        self.head_channels = extra.get("num_head_channels", 64)
        self.clip_head_channels = extra.get("clip_head_channels", 80)
        self.file = safe_open(self.path, framework="pt")
        self.names = set(self.file.keys())

    def shape(self, name):
        return self.file.get_slice(name).get_shape()

    def state(self, prefix):
        """The tensors under a prefix, in float32."""
        return {name[len(prefix):]: self.file.get_tensor(name).float()
                for name in sorted(self.names) if name.startswith(prefix)}

    def fill(self, module, prefix):
        """Strict: every tensor of the module from the file, and every one of the file used."""
        result = module.load_state_dict(self.state(prefix), strict=True, assign=True)
        assert not result.missing_keys and not result.unexpected_keys
        # The mask of the text tower, which is not there.
        left = {name for name, value in module.named_buffers() if value.is_meta} - {"attn_mask"}
        assert not left, left
        return module.eval().requires_grad_(False)

    def unet(self):
        from sgm.modules.diffusionmodules.video_model import VideoUNet

        start = sgm_names.UNET
        widths, width = [], None
        blocks = 1
        while f"{start}input_blocks.{blocks}.0.in_layers.2.weight" in self.names or \
                f"{start}input_blocks.{blocks}.0.op.weight" in self.names:
            name = f"{start}input_blocks.{blocks}.0.in_layers.2.weight"
            widths.append(self.shape(name)[0] if name in self.names else None)
            blocks += 1
        levels = widths.count(None) + 1
        per_level = (len(widths) + 1) // levels - 1
        mult = [widths[level * (per_level + 1)] for level in range(levels)]
        width = self.shape(start + "input_blocks.0.0.weight")[0]
        with torch.device("meta"):
            module = VideoUNet(
                adm_in_channels=self.shape(start + "label_emb.0.0.weight")[1], num_classes="sequential",
                use_checkpoint=False, in_channels=8, out_channels=4, model_channels=width,
                attention_resolutions=[2 ** level for level in range(levels - 1)], num_res_blocks=per_level,
                channel_mult=[channels // width for channels in mult], num_head_channels=self.head_channels,
                use_linear_in_transformer=True, transformer_depth=1,
                context_dim=self.shape(start + "middle_block.1.transformer_blocks.0.attn2.to_k.weight")[1],
                spatial_transformer_attn_type="softmax", extra_ff_mix_layer=True, use_spatial_context=True,
                merge_strategy="learned_with_images", video_kernel_size=[3, 1, 1])
        return self.fill(module, start)

    def vae_sizes(self):
        start = sgm_names.CONDITION_VAE + "encoder."
        widths = []
        while f"{start}down.{len(widths)}.block.0.conv1.weight" in self.names:
            widths.append(self.shape(f"{start}down.{len(widths)}.block.0.conv1.weight")[0])
        width = self.shape(start + "conv_in.weight")[0]
        mult = [channels // width for channels in widths]
        return {"attn_type": "vanilla", "double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3,
                "out_ch": 3, "ch": width, "ch_mult": mult, "num_res_blocks": 2, "attn_resolutions": [],
                "dropout": 0.0}

    def autoencoder_kl(self, mode_only):
        from sgm.models.autoencoder import AutoencoderKL, AutoencoderKLModeOnly

        kind = AutoencoderKLModeOnly if mode_only else AutoencoderKL
        return kind(embed_dim=4, monitor="val/rec_loss", ddconfig=self.vae_sizes(),
                    lossconfig={"target": "torch.nn.Identity"})

    def first_stage(self):
        """AutoencodingEngine with VideoDecoder, or AutoencoderKL for an image_decoder file."""
        from sgm.models.autoencoder import AutoencodingEngine

        sizes = self.vae_sizes()
        with torch.device("meta"):
            if sgm_names.FIRST_STAGE + "decoder.mid.block_1.mix_factor" not in self.names:
                module = self.autoencoder_kl(mode_only=False)
            else:
                module = AutoencodingEngine(
                    loss_config={"target": "torch.nn.Identity"},
                    regularizer_config={
                        "target": "sgm.modules.autoencoding.regularizers.DiagonalGaussianRegularizer"},
                    encoder_config={"target": "sgm.modules.diffusionmodules.model.Encoder", "params": sizes},
                    decoder_config={"target": "sgm.modules.autoencoding.temporal_ae.VideoDecoder",
                                    "params": {**sizes, "video_kernel_size": [3, 1, 1]}})
        return self.fill(module, sgm_names.FIRST_STAGE)

    def decode(self, first_stage, latents, chunk, scale_factor=0.18215):
        """Stability's decode_first_stage: latents [F, 4, h, w] -> frames [F, 3, H, W] about [-1, 1]."""
        from types import SimpleNamespace

        from sgm.models.diffusion import DiffusionEngine

        engine = SimpleNamespace(first_stage_model=first_stage, scale_factor=scale_factor,
                                 en_and_decode_n_samples_a_time=chunk, disable_first_stage_autocast=True)
        return DiffusionEngine.decode_first_stage(engine, latents)

    def clip(self):
        """The open_clip model (float32) with the text leftovers, as FrozenOpenCLIPImageEmbedder gets it."""
        from open_clip.model import CLIP

        start = sgm_names.CLIP
        visual = start + "visual."
        width, _, patch, _ = self.shape(visual + "conv1.weight")
        hidden = self.shape(visual + "transformer.resblocks.0.mlp.c_fc.weight")[0]
        layers = sum(name.startswith(visual) and name.endswith(".mlp.c_fc.weight") for name in self.names)
        positions = self.shape(visual + "positional_embedding")[0]
        assert math.isqrt(positions - 1) * patch == CLIP_IMAGE
        tokens, text_width = self.shape(start + "positional_embedding")
        with torch.device("meta"):
            return CLIP(embed_dim=self.shape(visual + "proj")[1],
                        vision_cfg={"image_size": CLIP_IMAGE, "layers": layers, "width": width, "patch_size": patch,
                                    "head_width": self.clip_head_channels, "mlp_ratio": hidden / width},
                        text_cfg={"context_length": tokens, "width": text_width, "layers": 1, "heads": 1,
                                  "vocab_size": self.shape(start + "token_embedding.weight")[0]})

    def conditioner(self):
        """GeneralConditioner with the five embedders in the published order."""
        import open_clip
        from sgm.modules import GeneralConditioner

        make, open_clip.create_model_and_transforms = open_clip.create_model_and_transforms, lambda *a, **k: (
            self.clip(), None, None)
        modules = "sgm.modules.encoders.modules."
        # The three scalars share the condition vector evenly.
        size = {"outdim": self.shape(sgm_names.UNET + "label_emb.0.0.weight")[1] // 3}

        def scalar(key):
            return {"input_key": key, "target": modules + "ConcatTimestepEmbedderND", "params": size}

        try:
            conditioner = GeneralConditioner([
                {"input_key": "cond_frames_without_noise",
                 "target": modules + "FrozenOpenCLIPImagePredictionEmbedder",
                 "params": {"n_cond_frames": 1, "n_copies": 1, "open_clip_embedding_config": {
                     "target": modules + "FrozenOpenCLIPImageEmbedder",
                     "params": {"freeze": True, "device": "cpu"}}}},
                scalar("fps_id"), scalar("motion_bucket_id"),
                {"input_key": "cond_frames", "target": modules + "VideoPredictionEmbedderWithEncoder",
                 "params": {"disable_encoder_autocast": True, "n_cond_frames": 1, "n_copies": 1, "is_ae": True,
                            "encoder_config": {
                                "target": "sgm.models.autoencoder.AutoencoderKLModeOnly",
                                "params": {"embed_dim": 4, "monitor": "val/rec_loss", "ddconfig": self.vae_sizes(),
                                           "lossconfig": {"target": "torch.nn.Identity"}}}}},
                scalar("cond_aug")])
        finally:
            open_clip.create_model_and_transforms = make
        self.fill(conditioner.embedders[0].open_clip.model, sgm_names.CLIP)
        self.fill(conditioner.embedders[3].encoder, sgm_names.CONDITION_VAE)
        return conditioner.eval()
