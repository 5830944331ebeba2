#include "training/weights_in.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <system_error>

#include "nn/layout.h"
#include "svd/error.h"
#include "weights/fingerprint.h"
#include "weights/folder.h"

namespace svd::training {
namespace {

bool ends_with_one_of(const std::string& name, std::initializer_list<const char*> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const char* suffix) { return name.ends_with(suffix); });
}

void put(const nn::Parameter& parameter, const at::Tensor& value) {
  *parameter.tensor = parameter.kernel && value.dim() == 4 ? nn::channels_last(value) : value;
}

at::Tensor initial(const nn::Parameter& parameter, bool is_zeroed, const at::Generator& generator) {
  const auto& shape = parameter.shape;
  if (is_zeroed) return at::zeros(shape);
  if (shape.size() == 1)  // of a bias, a norm, a blend or CLIP's class token
    return parameter.name.ends_with("weight") ? at::ones(shape) : at::zeros(shape);
  double fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= double(shape[i]);
  const double bound = 1 / std::sqrt(fan_in);
  return at::empty(shape).uniform_(-bound, bound, generator);
}

}  // namespace

bool begins_at_zero_in_unet(const std::string& name) {
  if (ends_with_one_of(name, {"conv2.weight", "proj_out.weight", "conv_out.weight",
                              "time_pos_embed.linear_2.weight"}))
    return true;
  return name.find("temporal_transformer_blocks") != std::string::npos &&
         ends_with_one_of(name, {"to_out.0.weight", "net.2.weight"});
}

void initialise(const std::vector<nn::Parameter>& parameters,
                const std::function<bool(const std::string&)>& begins_at_zero,
                const at::Generator& generator) {
  for (const nn::Parameter& parameter : parameters) {
    put(parameter, initial(parameter, begins_at_zero(parameter.name), generator));
  }
}

bool has_weights(const std::filesystem::path& folder) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code))
    if (entry.path().extension() == ".safetensors") return true;
  return false;
}

bool read_weights(const std::vector<nn::Parameter>& parameters, const std::filesystem::path& folder,
                  const std::string& stem) {
  if (!has_weights(folder)) return false;
  std::map<std::string, at::Tensor> stored;
  for (const auto& file : weights::open_part_files(weights::choose_part_files(folder, stem)))
    for (const weights::TensorInfo& info : file->tensors()) stored[info.name] = file->tensor(info);
  for (const nn::Parameter& parameter : parameters) {
    const auto found = stored.find(parameter.name);
    if (found == stored.end() || found->second.sizes().vec() != parameter.shape)
      throw Error(ErrorKind::model,
                  fmt::format("{}: '{}' is {}, expected [{}]", folder.string(), parameter.name,
                              found == stored.end()
                                  ? "missing"
                                  : fmt::format("[{}]", fmt::join(found->second.sizes(), ", ")),
                              fmt::join(parameter.shape, ", ")));
    put(parameter, found->second.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true));
  }
  return true;
}

std::string fingerprint(const std::vector<nn::Parameter>& parameters) {
  weights::Fingerprint fingerprint;
  for (const nn::Parameter& parameter : parameters) {
    const at::Tensor value = parameter.tensor->contiguous();
    fingerprint.add({static_cast<const char*>(value.const_data_ptr()), value.nbytes()});
  }
  return fingerprint.hex();
}

void move_to(const c10::Device& device, const std::vector<nn::Parameter>& parameters) {
  for (const nn::Parameter& parameter : parameters)
    *parameter.tensor = parameter.tensor->to(device);
}

}  // namespace svd::training
