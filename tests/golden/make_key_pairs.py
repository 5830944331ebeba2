#!/usr/bin/env python3
"""Writes tests/golden/keys/tiny_pairs.txt: published name -> diffusers name for the tiny model of make_keys.py.

usage: make_key_pairs.py --generative-models DIR

The pairs are proved before they are written: weights drawn for Stability's modules are renamed and loaded into
the diffusers and transformers classes, and UNet, VAE encoder, both VAE decoders and CLIP must then compute the same.

One line a diffusers tensor: its single file (temporal, frame-wise or both), published name, part/diffusers name.
"""
import argparse
import copy
import pathlib
import re
import sys

import make_keys
import torch

THIRDS = ("q_proj", "k_proj", "v_proj")

RES = {"in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
       "out_layers.3": "conv2", "skip_connection": "conv_shortcut"}
UNET_ENDS = {"time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
             "label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2",
             "input_blocks.0.0": "conv_in", "out.0": "conv_norm_out", "out.2": "conv_out"}


def unet_name(key, layers):
    stem, kind = key.rsplit(".", 1)
    if stem in UNET_ENDS:
        return f"{UNET_ENDS[stem]}.{kind}"
    block, rest = re.fullmatch(r"((?:input|output)_blocks\.\d+|middle_block)\.(.*)", key).groups()
    if block == "middle_block":
        index, rest = rest.split(".", 1)
        place = {"0": "mid_block.resnets.0", "1": "mid_block.attentions.0", "2": "mid_block.resnets.1"}[index]
    else:
        number = int(block.split(".")[1])
        index, rest = rest.split(".", 1)
        if block.startswith("input"):
            level, layer = divmod(number - 1, layers + 1)
            if rest.startswith("op."):
                return f"down_blocks.{level}.downsamplers.0.conv.{kind}"
            place = f"down_blocks.{level}." + ("resnets" if index == "0" else "attentions") + f".{layer}"
        else:
            level, layer = divmod(number, layers + 1)
            if rest.startswith("conv."):
                return f"up_blocks.{level}.upsamplers.0.{rest}"
            place = f"up_blocks.{level}." + ("resnets" if index == "0" else "attentions") + f".{layer}"
    if ".resnets." in place:
        if rest.startswith("time_mixer"):
            return f"{place}.{rest}"
        group = "temporal_res_block" if rest.startswith("time_stack.") else "spatial_res_block"
        part, kind = rest.removeprefix("time_stack.").rsplit(".", 1)
        return f"{place}.{group}.{RES[part]}.{kind}"
    rest = rest.replace("time_stack.", "temporal_transformer_blocks.")
    rest = rest.replace("time_pos_embed.0", "time_pos_embed.linear_1").replace("time_pos_embed.2", "time_pos_embed.linear_2")
    return f"{place}.{rest}"


def vae_name(key, levels, temporal):
    """`key` begins with encoder., decoder., quant_conv. or post_quant_conv."""
    if "quant_conv" in key:
        return key
    side, rest = key.split(".", 1)
    if side == "encoder":
        temporal = False
    rest = rest.replace("conv_out.time_mix_conv", "time_conv_out").replace("norm_out", "conv_norm_out")
    if rest.startswith("mid.attn_1."):
        name, kind = rest.removeprefix("mid.attn_1.").rsplit(".", 1)
        name = {"norm": "group_norm", "proj_out": "to_out.0"}.get(name, f"to_{name}")
        return f"{side}.mid_block.attentions.0.{name}.{kind}"
    match = re.fullmatch(r"(down|up)\.(\d+)\.(?:block\.(\d+)|(downsample|upsample))\.(.*)", rest)
    middle = re.fullmatch(r"mid\.block_(\d)\.(.*)", rest)
    if match:
        way, level, layer, sampler, inner = match.groups()
        level = int(level) if way == "down" else levels - 1 - int(level)
        if sampler:
            return f"{side}.{way}_blocks.{level}.{sampler}rs.0.{inner}"
        place = f"{side}.{way}_blocks.{level}.resnets.{layer}"
    elif middle:
        place, inner = f"{side}.mid_block.resnets.{int(middle[1]) - 1}", middle[2]
    else:
        return f"{side}.{rest}"
    inner = inner.replace("nin_shortcut", "conv_shortcut")
    if not temporal:
        return f"{place}.{inner}"
    if inner == "mix_factor":
        return f"{place}.time_mixer.mix_factor"
    if inner.startswith("time_stack."):
        part, kind = inner.removeprefix("time_stack.").rsplit(".", 1)
        return f"{place}.temporal_res_block.{RES[part]}.{kind}"
    return f"{place}.spatial_res_block.{inner}"


def clip_names(key):
    """Names below the vision tower; three for a joint q, k, v tensor."""
    fixed = {"class_embedding": "vision_model.embeddings.class_embedding",
             "positional_embedding": "vision_model.embeddings.position_embedding.weight",
             "conv1.weight": "vision_model.embeddings.patch_embedding.weight", "proj": "visual_projection.weight"}
    if key in fixed:
        return [fixed[key]]
    if key.startswith("ln_pre"):
        return [key.replace("ln_pre", "vision_model.pre_layrnorm")]
    if key.startswith("ln_post"):
        return [key.replace("ln_post", "vision_model.post_layernorm")]
    layer, rest = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.*)", key).groups()
    place = f"vision_model.encoder.layers.{layer}"
    if rest.startswith("attn.in_proj_"):
        return [f"{place}.self_attn.{third}.{rest.removeprefix('attn.in_proj_')}" for third in THIRDS]
    for published, name in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("attn.out_proj", "self_attn.out_proj"),
                            ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
        rest = rest.replace(published, name)
    return [f"{place}.{rest}"]


def randomise(module):
    """Weights that keep every layer's output alive; zeroed output layers would prove nothing."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in module.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            if value.ndim > 1:
                value.copy_(noise / value[0].numel() ** 0.5)
            else:
                value.copy_(noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0))
    return module.eval()


def convert(state, names):
    out = {}
    for key, targets in names.items():
        value = state[key]
        if len(targets) == 3:
            out.update(zip(targets, value.chunk(3)))
            continue
        name = targets[0]
        if name == "visual_projection.weight":
            value = value.T
        if re.search(r"mid_block\.attentions\.0\.to_.*weight", name) and value.ndim == 4:
            value = value[:, :, 0, 0]
        out[name] = value
    return out


def check(what, a, b):
    error = (a - b).abs().max().item() / b.std().item()
    print(f"{what}: largest difference {error:.1e} of the spread")
    assert error < 2e-3, what


def prove_unet(params):
    from diffusers import UNetSpatioTemporalConditionModel
    from sgm.util import instantiate_from_config

    published = randomise(instantiate_from_config(params.network_config))
    names = {key: [unet_name(key, make_keys.TINY["unet"]["layers_per_block"])] for key in published.state_dict()}
    model = UNetSpatioTemporalConditionModel(**make_keys.TINY["unet"]).eval()
    model.load_state_dict(convert(published.state_dict(), names))
    x, context, ids = torch.randn(3, 8, 16, 16), torch.randn(1, 1, 32), torch.tensor([[6.0, 127.0, 0.02]])
    from sgm.modules.diffusionmodules.util import timestep_embedding

    y = timestep_embedding(ids.flatten(), 32).reshape(1, 96)
    with torch.no_grad():
        a = published(x, torch.full((3,), 1.5), context=context.repeat(3, 1, 1), y=y.repeat(3, 1), num_video_frames=3,
                      image_only_indicator=torch.zeros(1, 3))
        b = model(x[None], 1.5, context, ids).sample[0]
    check("UNet", a, b)
    return {f"model.diffusion_model.{key}": f"unet/{name[0]}" for key, name in names.items()}


def prove_vae(params, temporal):
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder
    from sgm.util import instantiate_from_config

    condition = randomise(instantiate_from_config(params.conditioner_config.params.emb_models[3].params.encoder_config))
    first_stage = randomise(instantiate_from_config(params.first_stage_config))
    names, state = {}, {}
    for prefix, module, wanted in (("conditioner.embedders.3.encoder.", condition, ("encoder.", "quant_conv.")),
                                   ("first_stage_model.", first_stage, ("decoder.", "post_quant_conv."))):
        for key, value in module.state_dict().items():
            if key.startswith(wanted):
                names[prefix + key] = [vae_name(key, 2, temporal)]
                state[prefix + key] = value
    size = dict(make_keys.TINY["vae"], down_block_types=("DownEncoderBlock2D",) * 2)
    model = (AutoencoderKLTemporalDecoder(**size) if temporal else
             AutoencoderKL(up_block_types=("UpDecoderBlock2D",) * 2, **size)).eval()
    model.load_state_dict(convert(state, names))
    image, latents = torch.rand(1, 3, 32, 32) * 2 - 1, torch.randn(3, 4, 8, 8)
    with torch.no_grad():
        check("VAE encoder", condition.encode(image), model.encode(image).latent_dist.mode())
        if temporal:
            a, b = first_stage.decode(latents, timesteps=3), model.decode(latents, num_frames=3).sample
        else:
            a, b = first_stage.decode(latents), model.decode(latents).sample
    check("temporal VAE decoder" if temporal else "frame-wise VAE decoder", a, b)
    return {key: f"vae/{name[0]}" for key, name in names.items()}


def prove_clip():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    published = randomise(make_keys.tiny_clip().visual)
    names = {key: clip_names(key) for key in published.state_dict()}
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**make_keys.TINY["clip"])).eval()
    state = convert(published.state_dict(), names)
    if not any(name.startswith("vision_model.") for name in model.state_dict()):
        state = {name.removeprefix("vision_model."): value for name, value in state.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing), (missing, unexpected)
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        check("CLIP", published(image), model(image).image_embeds)
    prefix = "conditioner.embedders.0.open_clip.model.visual."
    return [(prefix + key, f"image_encoder/{name}") for key, all_names in names.items() for name in all_names]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--generative-models", required=True, type=pathlib.Path)
    args = parser.parse_args()
    sys.path.insert(0, str(args.generative_models))
    from omegaconf import OmegaConf

    torch.manual_seed(0)
    lines = set()
    for temporal, config in ((True, "svd.yaml"), (False, "svd_image_decoder.yaml")):
        params = OmegaConf.load(args.generative_models / "scripts/sampling/configs" / config).model.params
        make_keys.shrink(params)
        make_keys.plain_attention(params)
        params.network_config.params.use_checkpoint = False
        if temporal:
            shared = [*prove_unet(copy.deepcopy(params)).items(), *prove_clip()]
            lines.update(f"both {key} {name}" for key, name in shared)
        lines.update(f"{'temporal' if temporal else 'frame-wise'} {key} {name}"
                     for key, name in prove_vae(params, temporal).items())
    path = pathlib.Path(__file__).parent / "keys/tiny_pairs.txt"
    path.write_text("\n".join(sorted(lines)) + "\n")
    print(f"{path.name}: {len(lines)} pairs")


if __name__ == "__main__":
    main()
