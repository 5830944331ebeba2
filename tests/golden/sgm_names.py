"""Stability's names for the tensors of a diffusers folder: the single file from the folder's weights.

Written from the layout in the published classes. `single_file_entries` lists every tensor of a single file with a
function that makes it.
"""
import re

import torch

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
UNET_FIXED = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
              "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
              "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
CLIP_FIXED = {"vision_model.embeddings.patch_embedding.weight": "conv1.weight",
              "vision_model.embeddings.class_embedding": "class_embedding",
              "vision_model.embeddings.position_embedding.weight": "positional_embedding"}
CLIP_LAYER = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj",
              "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}

UNET = "model.diffusion_model."
CLIP = "conditioner.embedders.0.open_clip.model."
CONDITION_VAE = "conditioner.embedders.3.encoder."
FIRST_STAGE = "first_stage_model."


def split(name, table):
    """`head.tail` with head in the table -> (table[head], tail)."""
    for head, new in table.items():
        if name.startswith(head + "."):
            return new, name[len(head) + 1:]
    raise KeyError(name)


def resnet(rest):
    if rest.startswith("time_mixer."):
        return rest
    block, rest = rest.split(".", 1)
    new, tail = split(rest, RESNET)
    return f"{'time_stack.' if block == 'temporal_res_block' else ''}{new}.{tail}"


def attention(rest):
    rest = rest.replace("temporal_transformer_blocks.", "time_stack.")
    rest = rest.replace("time_pos_embed.linear_1.", "time_pos_embed.0.")
    return rest.replace("time_pos_embed.linear_2.", "time_pos_embed.2.")


def unet_name(name, levels, layers):
    """A UNet's name without prefix; `layers` is layers_per_block, the same on all levels."""
    inner = {"resnets": resnet, "attentions": attention}
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    if match:
        way, block, kind, layer, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        first = block * (layers + 1)
        if kind == "downsamplers":
            return f"input_blocks.{1 + first + layers}.0.op.{rest.removeprefix('conv.')}"
        if kind == "upsamplers":
            # Only the level without attention, the first of the way up, has it at index 1.
            return f"output_blocks.{first + layers}.{1 if block == 0 else 2}.{rest}"
        place = f"input_blocks.{1 + first + layer}" if way == "down" else f"output_blocks.{first + layer}"
        return f"{place}.{0 if kind == 'resnets' else 1}.{inner[kind](rest)}"
    match = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name)
    if match:
        place = {"resnets0": 0, "attentions0": 1, "resnets1": 2}[match[1] + match[2]]
        return f"middle_block.{place}.{inner[match[1]](match[3])}"
    new, tail = split(name, UNET_FIXED)
    return f"{new}.{tail}"


def vae_block(rest):
    """Inside a resnet of encoder, plain decoder or temporal decoder."""
    if rest.startswith("temporal_res_block."):
        new, tail = split(rest.removeprefix("temporal_res_block."), RESNET)
        return f"time_stack.{new}.{tail}"
    if rest == "time_mixer.mix_factor":
        return "mix_factor"
    return rest.removeprefix("spatial_res_block.").replace("conv_shortcut.", "nin_shortcut.")


def vae_name(name, levels):
    """A VAE's name without prefix, for encoder, either decoder and the quantisation convolutions."""
    match = re.fullmatch(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    if match:
        half, way, block, kind, layer, rest = match.groups()
        level = int(block) if way == "down" else levels - 1 - int(block)
        if kind != "resnets":
            return f"{half}.{way}.{level}.{way}sample.{rest}"
        return f"{half}.{way}.{level}.block.{layer}.{vae_block(rest)}"
    match = re.fullmatch(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d)\.(.+)", name)
    if match:
        half, kind, index, rest = match.groups()
        if kind == "resnets":
            return f"{half}.mid.block_{int(index) + 1}.{vae_block(rest)}"
        new, tail = split(rest, VAE_ATTENTION)
        return f"{half}.mid.attn_1.{new}.{tail}"
    name = name.replace("decoder.time_conv_out.", "decoder.conv_out.time_mix_conv.")
    return name.replace(".conv_norm_out.", ".norm_out.")


def is_vae_projection(name):
    return ".attentions.0.to_" in name and name.endswith(".weight")


def unet_entries(shapes, get, layers):
    levels = 1 + max(int(name.split(".")[1]) for name in shapes if name.startswith("down_blocks."))
    return [(UNET + unet_name(name, levels, layers), shape, lambda name=name, shape=shape: get(f"unet.{name}", shape))
            for name, shape in shapes.items()]


def clip_entries(shapes, get, text):
    """The image tower, and the six tensors that are left of the text tower (`text`: name -> shape)."""
    def of(name):
        return get(f"image_encoder.{name}", shapes[name])

    def joined(start, tail):
        return torch.cat([of(f"{start}{letter}_proj.{tail}") for letter in "qkv"])

    entries = [(CLIP + name, shape, lambda name=name, shape=shape: get(f"text.{name}", shape))
               for name, shape in text.items()]

    def add(name, shape, make):
        entries.append((f"{CLIP}visual.{name}", shape, make))

    for name, shape in shapes.items():
        match = re.fullmatch(r"(vision_model\.encoder\.layers\.(\d+)\.)(.+)", name)
        if match and re.match(r"self_attn\.[qkv]_proj", match[3]):
            if match[3].startswith("self_attn.q_proj."):
                tail = match[3].split(".")[-1]
                add(f"transformer.resblocks.{match[2]}.attn.in_proj_{tail}", (3 * shape[0], *shape[1:]),
                    lambda start=f"{match[1]}self_attn.", tail=tail: joined(start, tail))
        elif match:
            new, tail = split(match[3], CLIP_LAYER)
            add(f"transformer.resblocks.{match[2]}.{new}.{tail}", shape, lambda name=name: of(name))
        elif name == "visual_projection.weight":
            add("proj", shape[::-1], lambda name=name: of(name).T)
        elif name in CLIP_FIXED:
            add(CLIP_FIXED[name], shape, lambda name=name: of(name))
        else:
            new = name.removeprefix("vision_model.")
            new = new.replace("pre_layrnorm.", "ln_pre.").replace("post_layernorm.", "ln_post.")
            add(new, shape, lambda name=name: of(name))
    return entries


def vae_entries(shapes, get, prefix, keep, folded=False):
    """Tensors of one copy of the VAE whose names satisfy `keep`; `folded` merges quant_conv into conv_out."""
    levels = 1 + max(int(name.split(".")[2]) for name in shapes if name.startswith("encoder.down_blocks."))

    def of(name):
        value = get(f"vae.{name}", shapes[name])
        if folded and name.startswith("encoder.conv_out."):
            quant = get("vae.quant_conv.weight", shapes["quant_conv.weight"]).double()[:, :, 0, 0]
            merged = torch.tensordot(quant, value.double(), 1)
            if name.endswith("bias"):
                merged += get("vae.quant_conv.bias", shapes["quant_conv.bias"]).double()
            return merged.to(value.dtype)
        return value[:, :, None, None] if is_vae_projection(name) else value

    return [(prefix + vae_name(name, levels), (*shape, 1, 1) if is_vae_projection(name) else shape,
             lambda name=name: of(name)) for name, shape in shapes.items() if keep(name)]


def single_file_entries(shapes, plain_vae, get, layers, text, image_decoder):
    """[(name, shape, make)] of a single file.

    shapes: {part: {name: shape}} of the folder with the temporal decoder; plain_vae: {name: shape} of AutoencoderKL;
    get(name, shape): the weights, the frame-wise decoder's under `plain_vae.`.
    """
    def plain(name, shape):
        own = name.startswith(("vae.decoder.", "vae.post_quant_conv."))
        return get(f"plain_{name}" if own else name, shape)

    def everything(name):
        return True

    entries = unet_entries(shapes["unet"], get, layers)
    entries += clip_entries(shapes["image_encoder"], get, text)
    entries += vae_entries(plain_vae, plain, CONDITION_VAE, everything)
    if image_decoder:
        return entries + vae_entries(plain_vae, plain, FIRST_STAGE, everything)
    return entries + vae_entries(shapes["vae"], get, FIRST_STAGE, lambda name: not name.startswith("quant_conv."),
                                 folded=True)
