#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace svd {

/// How the input image is brought to the output size (all with Pillow's Lanczos filter).
enum class Fit {
  crop,     ///< keep the centre, cut what sticks out
  pad,      ///< keep everything, black bars
  stretch,  ///< ignore the aspect ratio, as diffusers does
};

/// Number format of UNet and image encoder; `automatic` picks what the device is good at.
enum class Dtype { automatic, float32, bfloat16, float16 };

/// Whose published implementation the pixels follow.
enum class Profile { reference /* Stability's generative-models */, diffusers };

/// What a user asked for. Unset values are decided by profile, model and image
/// (`Generator::resolve`).
struct RequestOptions {
  std::optional<int> frames;  ///< 1 .. 1000
  std::optional<double> fps;  ///< playback rate, frames a second, 0.01 .. 1000
  std::optional<double>
      condition_fps;  ///< the number the model sees, 0 .. 1000; default clamp(fps, 3, 30) - 1
  std::optional<int> steps;                  ///< denoising steps, 1 .. 1000
  std::optional<std::uint64_t> seed;         ///< default: random below 2^32
  std::optional<double> motion_bucket_id;    ///< 0 .. 1023, trained on 1 .. 255
  std::optional<double> noise_aug_strength;  ///< standard deviation in [-1, 1] pixel space, 0 .. 10
  std::optional<double> min_guidance;        ///< first frame's guidance scale, 0 .. 100
  std::optional<double> max_guidance;        ///< last frame's guidance scale, 0 .. 100
  std::optional<int> width;  ///< pixels, multiple of 64; width and height come together
  std::optional<int> height;
  std::optional<Fit> fit;
  std::optional<Dtype> dtype;
  std::optional<Dtype> vae_dtype;            ///< default float32
  std::optional<std::string> device;         ///< "auto", "cpu", "cuda" or "cuda:N"
  std::optional<int> threads;                ///< CPU threads, 1 .. 1024; default: all cores
  std::optional<std::int64_t> memory_bytes;  ///< at most so much memory, from 64 MiB; same pixels
  std::optional<int> decode_chunk;  ///< frames the temporal decoder sees at once; changes pixels
  std::optional<Profile> profile;
  std::optional<std::string> save_latents;  ///< file to write the sampled latents to (safetensors)
  std::optional<std::string> init_latents;  ///< file with unit-variance noise to start from
};

/// A complete request: every value that decides the pixels is fixed. Plain data.
struct Request {
  int frames = 25;
  double fps = 7;
  double condition_fps = 6;
  int steps = 25;
  std::uint64_t seed = 0;
  double motion_bucket_id = 127;
  double noise_aug_strength = 0.02;
  double min_guidance = 1.5;
  double max_guidance = 3.0;
  int width = 1024;
  int height = 576;
  Fit fit = Fit::crop;
  Dtype dtype = Dtype::float32;      ///< never automatic
  Dtype vae_dtype = Dtype::float32;  ///< never automatic
  std::string device = "cpu";        ///< "cpu" or "cuda:N"
  int threads = 1;
  std::optional<std::int64_t> memory_bytes;  ///< unset: what the device has free
  int decode_chunk = 14;
  Profile profile = Profile::reference;
  std::optional<std::string> save_latents;
  std::optional<std::string> init_latents;
  /// Text that `save_latents` stores with the latents, for `read_latents_info`; not part of the
  /// JSON.
  std::optional<std::string> latents_metadata;
};

const char* to_string(Fit fit);
const char* to_string(Dtype dtype);
const char* to_string(Profile profile);

/// Checks every range and combination that needs neither image nor model; the first offence throws
/// Error{usage} naming the flag, the value and what is accepted (for sizes: the nearest valid
/// ones).
void validate(const RequestOptions& options);

/// Both sides of a clip are multiples of this, whatever the model.
inline constexpr int kSizeMultiple = 64;

/// The request as one JSON object with snake_case keys (text; no paths but save/init latents).
std::string to_json(const Request& request);

}  // namespace svd
