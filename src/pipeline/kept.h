#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "nn/savings.h"
#include "pipeline/networks.h"
#include "svd/request.h"

/// What a Generator keeps from one run to the next.
namespace svd::pipeline {

using at::Tensor;

/// All that decides what a network of one model computes, and in which form its weights are.
struct NetworkKey {
  at::ScalarType dtype = at::kFloat;
  c10::Device device = at::kCPU;
  int threads = 1;
  networks::UNetNormEps eps;  ///< of the UNet
  nn::Savings savings = nn::savings();

  bool operator==(const NetworkKey&) const = default;
};

/// Of UNet and image encoder, and of both halves of the VAE.
NetworkKey network_key(const Request& request, Dtype dtype);
NetworkKey vae_key(const Request& request, Dtype dtype);

/// A network with its weights.
template <class Network>
struct LoadedNetwork {
  LoadedNetwork(const NetworkKey& of, std::unique_ptr<Network> made, const WeightSource& source,
                std::int64_t kept_bytes, std::function<void()> between,
                NetworkWeights::Form form = NetworkWeights::Form::folded)
      : key(of),
        network(std::move(made)),
        weights(*network, source, kept_bytes, std::move(between), form) {}

  NetworkKey key;
  std::unique_ptr<Network> network;
  NetworkWeights weights;  // goes before the network does
};

/// A result and what it was computed from.
struct Memo {
  NetworkKey key;
  Tensor input;  ///< undefined: nothing is known
  Tensor output;

  bool is_of(const NetworkKey& other, const Tensor& value) const {
    return input.defined() && key == other && input.equal(value);
  }
};

struct Kept {
  std::unique_ptr<LoadedNetwork<networks::UNetSpatioTemporalConditionModel>> unet;
  std::unique_ptr<LoadedNetwork<networks::VideoDecoder>> decoder;
  Memo embedding;      ///< of what CLIP sees
  Memo image_latents;  ///< of the picture with its noise

  void drop_networks();
  void drop_unet();
  /// Drops networks that the request cannot use.
  void drop_unlike(const Request& request);
  /// Of the networks, as the memory plan counts them.
  std::int64_t bytes() const;
};

}  // namespace svd::pipeline
