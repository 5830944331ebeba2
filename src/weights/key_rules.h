#pragma once

#include "weights/key_table.h"

namespace svd::weights {

// The keys of every kind of module, diffusers' names beside the published ones.
extern const std::span<const KeyRule> kUNet;
extern const std::span<const KeyRule> kUNetRes;
extern const std::span<const KeyRule> kUNetShortcut;
extern const std::span<const KeyRule> kTransformer;
extern const std::span<const KeyRule> kLayer;
extern const std::span<const KeyRule> kTemporalLayer;
extern const std::span<const KeyRule> kModule;
extern const std::span<const KeyRule> kVaeRes;
extern const std::span<const KeyRule> kVaeShortcut;
extern const std::span<const KeyRule> kVaeTemporal;
extern const std::span<const KeyRule> kVaeTemporalShortcut;
extern const std::span<const KeyRule> kVaeAttention;
extern const std::span<const KeyRule> kVaeEnds;
extern const std::span<const KeyRule> kVaeTimeConv;
extern const std::span<const KeyRule> kClip;
extern const std::span<const KeyRule> kClipLayer;

}  // namespace svd::weights
