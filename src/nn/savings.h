#pragma once

#include <string_view>
#include <vector>

namespace svd::nn {

/// Rewrites that compute the same function of real numbers with less work (docs/performance.md).
/// All are on. Switching one off is for measuring what it gives and for testing that it changes
/// nothing; it takes effect on networks that are folded afterwards.
struct Savings {
  bool constant_cross_attention = true;  ///< E1: one token attends to nothing else
  bool time_in_bias = true;              ///< E2: the time embedding goes into convolutions' biases
  bool folded_blend = true;          ///< E3: a blend's alpha goes into the branch's last weights
  bool phase_upsampling = true;      ///< E5: nearest x2 and 3x3 as four 2x2 on the small picture
  bool split_skip = true;            ///< E10: skips are read where they are, not concatenated
  bool merged_qkv = true;            ///< E11: query, key and value as one product
  bool packed_weights = true;        ///< weights in the CPU library's layout, fused epilogues
  bool chunked_feed_forward = true;  ///< feed-forward in pieces that stay in the cache
};

/// Those in force in this process.
Savings& savings();

/// The names above, in that order.
std::vector<std::string_view> saving_names();

/// The switch with this name, null if there is none.
bool* find_saving(std::string_view name);

}  // namespace svd::nn
