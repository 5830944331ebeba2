#include "weights/key_rules.h"

namespace svd::weights {
namespace {

using enum Transform;

constexpr KeyRule kUNetRules[] = {
    {"conv_in.weight", "input_blocks.0.0.weight"},
    {"conv_in.bias", "input_blocks.0.0.bias"},
    {"time_embedding.linear_1.weight", "time_embed.0.weight"},
    {"time_embedding.linear_1.bias", "time_embed.0.bias"},
    {"time_embedding.linear_2.weight", "time_embed.2.weight"},
    {"time_embedding.linear_2.bias", "time_embed.2.bias"},
    {"add_embedding.linear_1.weight", "label_emb.0.0.weight"},
    {"add_embedding.linear_1.bias", "label_emb.0.0.bias"},
    {"add_embedding.linear_2.weight", "label_emb.0.2.weight"},
    {"add_embedding.linear_2.bias", "label_emb.0.2.bias"},
    {"conv_norm_out.weight", "out.0.weight"},
    {"conv_norm_out.bias", "out.0.bias"},
    {"conv_out.weight", "out.2.weight"},
    {"conv_out.bias", "out.2.bias"},
};

constexpr KeyRule kUNetResRules[] = {
    {"spatial_res_block.norm1.weight", "in_layers.0.weight"},
    {"spatial_res_block.norm1.bias", "in_layers.0.bias"},
    {"spatial_res_block.conv1.weight", "in_layers.2.weight"},
    {"spatial_res_block.conv1.bias", "in_layers.2.bias"},
    {"spatial_res_block.time_emb_proj.weight", "emb_layers.1.weight"},
    {"spatial_res_block.time_emb_proj.bias", "emb_layers.1.bias"},
    {"spatial_res_block.norm2.weight", "out_layers.0.weight"},
    {"spatial_res_block.norm2.bias", "out_layers.0.bias"},
    {"spatial_res_block.conv2.weight", "out_layers.3.weight"},
    {"spatial_res_block.conv2.bias", "out_layers.3.bias"},
    {"temporal_res_block.norm1.weight", "time_stack.in_layers.0.weight"},
    {"temporal_res_block.norm1.bias", "time_stack.in_layers.0.bias"},
    {"temporal_res_block.conv1.weight", "time_stack.in_layers.2.weight"},
    {"temporal_res_block.conv1.bias", "time_stack.in_layers.2.bias"},
    {"temporal_res_block.time_emb_proj.weight", "time_stack.emb_layers.1.weight"},
    {"temporal_res_block.time_emb_proj.bias", "time_stack.emb_layers.1.bias"},
    {"temporal_res_block.norm2.weight", "time_stack.out_layers.0.weight"},
    {"temporal_res_block.norm2.bias", "time_stack.out_layers.0.bias"},
    {"temporal_res_block.conv2.weight", "time_stack.out_layers.3.weight"},
    {"temporal_res_block.conv2.bias", "time_stack.out_layers.3.bias"},
    {"time_mixer.mix_factor", "time_mixer.mix_factor"},
};

constexpr KeyRule kUNetShortcutRules[] = {
    {"spatial_res_block.conv_shortcut.weight", "skip_connection.weight"},
    {"spatial_res_block.conv_shortcut.bias", "skip_connection.bias"},
};

constexpr KeyRule kTransformerRules[] = {
    {"norm.weight", "norm.weight"},
    {"norm.bias", "norm.bias"},
    {"proj_in.weight", "proj_in.weight"},
    {"proj_in.bias", "proj_in.bias"},
    {"time_pos_embed.linear_1.weight", "time_pos_embed.0.weight"},
    {"time_pos_embed.linear_1.bias", "time_pos_embed.0.bias"},
    {"time_pos_embed.linear_2.weight", "time_pos_embed.2.weight"},
    {"time_pos_embed.linear_2.bias", "time_pos_embed.2.bias"},
    {"time_mixer.mix_factor", "time_mixer.mix_factor"},
    {"proj_out.weight", "proj_out.weight"},
    {"proj_out.bias", "proj_out.bias"},
};

constexpr KeyRule kLayerRules[] = {
    {"norm1.weight", "norm1.weight"},
    {"norm1.bias", "norm1.bias"},
    {"attn1.to_q.weight", "attn1.to_q.weight"},
    {"attn1.to_k.weight", "attn1.to_k.weight"},
    {"attn1.to_v.weight", "attn1.to_v.weight"},
    {"attn1.to_out.0.weight", "attn1.to_out.0.weight"},
    {"attn1.to_out.0.bias", "attn1.to_out.0.bias"},
    {"norm2.weight", "norm2.weight"},
    {"norm2.bias", "norm2.bias"},
    {"attn2.to_q.weight", "attn2.to_q.weight"},
    {"attn2.to_k.weight", "attn2.to_k.weight"},
    {"attn2.to_v.weight", "attn2.to_v.weight"},
    {"attn2.to_out.0.weight", "attn2.to_out.0.weight"},
    {"attn2.to_out.0.bias", "attn2.to_out.0.bias"},
    {"norm3.weight", "norm3.weight"},
    {"norm3.bias", "norm3.bias"},
    {"ff.net.0.proj.weight", "ff.net.0.proj.weight"},
    {"ff.net.0.proj.bias", "ff.net.0.proj.bias"},
    {"ff.net.2.weight", "ff.net.2.weight"},
    {"ff.net.2.bias", "ff.net.2.bias"},
};

constexpr KeyRule kTemporalLayerRules[] = {
    {"norm_in.weight", "norm_in.weight"},
    {"norm_in.bias", "norm_in.bias"},
    {"ff_in.net.0.proj.weight", "ff_in.net.0.proj.weight"},
    {"ff_in.net.0.proj.bias", "ff_in.net.0.proj.bias"},
    {"ff_in.net.2.weight", "ff_in.net.2.weight"},
    {"ff_in.net.2.bias", "ff_in.net.2.bias"},
};

constexpr KeyRule kModuleRules[] = {{"weight", "weight"}, {"bias", "bias"}};

constexpr KeyRule kVaeResRules[] = {
    {"norm1.weight", "norm1.weight"}, {"norm1.bias", "norm1.bias"},
    {"conv1.weight", "conv1.weight"}, {"conv1.bias", "conv1.bias"},
    {"norm2.weight", "norm2.weight"}, {"norm2.bias", "norm2.bias"},
    {"conv2.weight", "conv2.weight"}, {"conv2.bias", "conv2.bias"},
};

constexpr KeyRule kVaeShortcutRules[] = {
    {"conv_shortcut.weight", "nin_shortcut.weight"},
    {"conv_shortcut.bias", "nin_shortcut.bias"},
};

constexpr KeyRule kVaeTemporalRules[] = {
    {"spatial_res_block.norm1.weight", "norm1.weight"},
    {"spatial_res_block.norm1.bias", "norm1.bias"},
    {"spatial_res_block.conv1.weight", "conv1.weight"},
    {"spatial_res_block.conv1.bias", "conv1.bias"},
    {"spatial_res_block.norm2.weight", "norm2.weight"},
    {"spatial_res_block.norm2.bias", "norm2.bias"},
    {"spatial_res_block.conv2.weight", "conv2.weight"},
    {"spatial_res_block.conv2.bias", "conv2.bias"},
    {"temporal_res_block.norm1.weight", "time_stack.in_layers.0.weight"},
    {"temporal_res_block.norm1.bias", "time_stack.in_layers.0.bias"},
    {"temporal_res_block.conv1.weight", "time_stack.in_layers.2.weight"},
    {"temporal_res_block.conv1.bias", "time_stack.in_layers.2.bias"},
    {"temporal_res_block.norm2.weight", "time_stack.out_layers.0.weight"},
    {"temporal_res_block.norm2.bias", "time_stack.out_layers.0.bias"},
    {"temporal_res_block.conv2.weight", "time_stack.out_layers.3.weight"},
    {"temporal_res_block.conv2.bias", "time_stack.out_layers.3.bias"},
    {"time_mixer.mix_factor", "mix_factor"},
};

constexpr KeyRule kVaeTemporalShortcutRules[] = {
    {"spatial_res_block.conv_shortcut.weight", "nin_shortcut.weight"},
    {"spatial_res_block.conv_shortcut.bias", "nin_shortcut.bias"},
};

constexpr KeyRule kVaeAttentionRules[] = {
    {"group_norm.weight", "norm.weight"},
    {"group_norm.bias", "norm.bias"},
    {"to_q.weight", "q.weight", squeeze},
    {"to_q.bias", "q.bias"},
    {"to_k.weight", "k.weight", squeeze},
    {"to_k.bias", "k.bias"},
    {"to_v.weight", "v.weight", squeeze},
    {"to_v.bias", "v.bias"},
    {"to_out.0.weight", "proj_out.weight", squeeze},
    {"to_out.0.bias", "proj_out.bias"},
};

constexpr KeyRule kVaeEndRules[] = {
    {"conv_in.weight", "conv_in.weight"},        {"conv_in.bias", "conv_in.bias"},
    {"conv_norm_out.weight", "norm_out.weight"}, {"conv_norm_out.bias", "norm_out.bias"},
    {"conv_out.weight", "conv_out.weight"},      {"conv_out.bias", "conv_out.bias"},
};

constexpr KeyRule kVaeTimeConvRules[] = {
    {"time_conv_out.weight", "conv_out.time_mix_conv.weight"},
    {"time_conv_out.bias", "conv_out.time_mix_conv.bias"},
};

constexpr KeyRule kClipRules[] = {
    {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
    {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
    {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
    {"vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"},
    {"vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"},
    {"vision_model.post_layernorm.weight", "visual.ln_post.weight"},
    {"vision_model.post_layernorm.bias", "visual.ln_post.bias"},
    {"visual_projection.weight", "visual.proj", transpose},
};

constexpr KeyRule kClipLayerRules[] = {
    {"layer_norm1.weight", "ln_1.weight"},
    {"layer_norm1.bias", "ln_1.bias"},
    {"self_attn.q_proj.weight", "attn.in_proj_weight", first_third},
    {"self_attn.q_proj.bias", "attn.in_proj_bias", first_third},
    {"self_attn.k_proj.weight", "attn.in_proj_weight", second_third},
    {"self_attn.k_proj.bias", "attn.in_proj_bias", second_third},
    {"self_attn.v_proj.weight", "attn.in_proj_weight", last_third},
    {"self_attn.v_proj.bias", "attn.in_proj_bias", last_third},
    {"self_attn.out_proj.weight", "attn.out_proj.weight"},
    {"self_attn.out_proj.bias", "attn.out_proj.bias"},
    {"layer_norm2.weight", "ln_2.weight"},
    {"layer_norm2.bias", "ln_2.bias"},
    {"mlp.fc1.weight", "mlp.c_fc.weight"},
    {"mlp.fc1.bias", "mlp.c_fc.bias"},
    {"mlp.fc2.weight", "mlp.c_proj.weight"},
    {"mlp.fc2.bias", "mlp.c_proj.bias"},
};

}  // namespace

const std::span<const KeyRule> kUNet = kUNetRules;
const std::span<const KeyRule> kUNetRes = kUNetResRules;
const std::span<const KeyRule> kUNetShortcut = kUNetShortcutRules;
const std::span<const KeyRule> kTransformer = kTransformerRules;
const std::span<const KeyRule> kLayer = kLayerRules;
const std::span<const KeyRule> kTemporalLayer = kTemporalLayerRules;
const std::span<const KeyRule> kModule = kModuleRules;
const std::span<const KeyRule> kVaeRes = kVaeResRules;
const std::span<const KeyRule> kVaeShortcut = kVaeShortcutRules;
const std::span<const KeyRule> kVaeTemporal = kVaeTemporalRules;
const std::span<const KeyRule> kVaeTemporalShortcut = kVaeTemporalShortcutRules;
const std::span<const KeyRule> kVaeAttention = kVaeAttentionRules;
const std::span<const KeyRule> kVaeEnds = kVaeEndRules;
const std::span<const KeyRule> kVaeTimeConv = kVaeTimeConvRules;
const std::span<const KeyRule> kClip = kClipRules;
const std::span<const KeyRule> kClipLayer = kClipLayerRules;

}  // namespace svd::weights
