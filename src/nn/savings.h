#pragma once

#include <string_view>
#include <vector>

namespace svd::nn {

/// Rewrites that compute the same function of real numbers with less work. All are on. Switching
/// one off is for measuring what it gives and for testing that it changes nothing. Modules remember
/// the switches that were in force when they were constructed.
struct Savings {
  bool constant_cross_attention = true;  ///< one token attends to nothing else
  bool time_in_bias = true;              ///< the time embedding goes into convolutions' biases
  bool folded_blend = true;              ///< a blend's alpha goes into the branch's last weights
  bool phase_upsampling = true;          ///< nearest x2 and 3x3 as four 2x2 on the small picture
  bool split_skip = true;                ///< skips are read where they are, not concatenated
  bool merged_qkv = true;                ///< query, key and value as one product
  bool packed_weights = true;            ///< weights in the CPU library's layout, fused epilogues
  bool split_input = true;               ///< the picture's share of the first convolution once
  bool guided_features = true;           ///< guidance before the last convolution, which is linear
  bool chunked_feed_forward = true;      ///< feed-forward in pieces that stay in the cache

  bool operator==(const Savings&) const = default;
};

/// Those in force in this process.
Savings& savings();

/// The names above, in that order.
std::vector<std::string_view> saving_names();

/// The switch with this name, null if there is none.
bool* find_saving(std::string_view name);

}  // namespace svd::nn
