#include "nn/savings.h"

namespace svd::nn {
namespace {

struct Name {
  std::string_view name;
  bool Savings::*member;
};

constexpr Name kNames[] = {
    {"constant_cross_attention", &Savings::constant_cross_attention},
    {"time_in_bias", &Savings::time_in_bias},
    {"folded_blend", &Savings::folded_blend},
    {"phase_upsampling", &Savings::phase_upsampling},
    {"split_skip", &Savings::split_skip},
    {"merged_qkv", &Savings::merged_qkv},
    {"packed_weights", &Savings::packed_weights},
    {"split_input", &Savings::split_input},
    {"guided_features", &Savings::guided_features},
    {"chunked_feed_forward", &Savings::chunked_feed_forward},
};

}  // namespace

Savings& savings() {
  static Savings in_force;
  return in_force;
}

std::vector<std::string_view> saving_names() {
  std::vector<std::string_view> names;
  for (const Name& known : kNames) names.push_back(known.name);
  return names;
}

bool* find_saving(std::string_view name) {
  for (const Name& known : kNames) {
    if (known.name == name) return &(savings().*known.member);
  }
  return nullptr;
}

}  // namespace svd::nn
