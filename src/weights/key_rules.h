#pragma once

#include "weights/key_table.h"

namespace svd::weights {

// The keys of every kind of module, diffusers' names beside the published ones.
extern const ModuleKeys kUNet;
extern const ModuleKeys kUNetRes;
extern const ModuleKeys kUNetShortcut;
extern const ModuleKeys kTransformer;
extern const ModuleKeys kLayer;
extern const ModuleKeys kTemporalLayer;
extern const ModuleKeys kModule;
extern const ModuleKeys kVaeRes;
extern const ModuleKeys kVaeShortcut;
extern const ModuleKeys kVaeTemporal;
extern const ModuleKeys kVaeTemporalShortcut;
extern const ModuleKeys kVaeAttention;
extern const ModuleKeys kVaeEnds;
extern const ModuleKeys kVaeTimeConv;
extern const ModuleKeys kClip;
extern const ModuleKeys kClipLayer;

}  // namespace svd::weights
