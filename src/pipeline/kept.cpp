#include "pipeline/kept.h"

#include "pipeline/device.h"
#include "pipeline/memory_model.h"
#include "pipeline/profile.h"

namespace svd::pipeline {

NetworkKey network_key(const Request& request, Dtype dtype) {
  return {.dtype = scalar_type(dtype),
          .device = c10::Device(request.device),
          .threads = request.threads,
          .eps = profile_values(request.profile).unet_eps};
}

NetworkKey vae_key(const Request& request, Dtype dtype) {
  NetworkKey key = network_key(request, dtype);
  key.eps = {};  // profiles have no part in the VAE
  return key;
}

namespace {

template <class Network>
void drop(std::unique_ptr<LoadedNetwork<Network>>& loaded) {
  if (!loaded) return;
  const c10::Device device = loaded->key.device;
  loaded.reset();
  empty_cache(device);
}

}  // namespace

void Kept::drop_networks() {
  drop(unet);
  drop(decoder);
}

void Kept::drop_unet() { drop(unet); }

void Kept::drop_unlike(const Request& request) {
  if (unet && !(unet->key == network_key(request, request.dtype))) drop(unet);
  if (decoder && !(decoder->key == vae_key(request, request.vae_dtype))) drop(decoder);
}

std::int64_t Kept::bytes() const {
  std::int64_t bytes = 0;
  if (unet) bytes += weight_bytes(*unet->network, unet->key.dtype).all;
  if (decoder) bytes += weight_bytes(*decoder->network, decoder->key.dtype).all;
  return bytes;
}

}  // namespace svd::pipeline
