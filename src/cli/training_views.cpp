#include "cli/training_views.h"

#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <functional>
#include <set>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "cli/clip_renderer.h"
#include "cli/jobs.h"
#include "cli/options.h"
#include "media/image_reader.h"
#include "media/plot.h"
#include "svd/error.h"
#include "weights/lora.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

media::Curve losses_in(const fs::path& metrics) {
  std::ifstream in(metrics);
  media::Curve losses;
  std::string line;
  while (std::getline(in, line)) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json.contains("loss")) continue;
    losses.x.push_back(json["step"].get<double>());
    losses.y.push_back(json["loss"].get<double>());
  }
  return losses;
}

void render_sample(const training::TrainConfig& config, const std::string& picture,
                   std::int64_t step, const fs::path& model, const Compute& compute,
                   Console& console, const std::stop_token& stop) {
  const fs::path folder = config.output / "samples";
  fs::create_directories(folder);
  RawOptions raw;
  const auto set = [&](const std::string& name, const std::string& text) {
    raw.set(name, {{text}, "a training sample"});
  };
  set("--image", picture);
  set("--output", (folder / fmt::format("{}-{:06}.mp4", stem_of(picture), step)).string());
  set("--overwrite", "true");
  set("--seed", "0");
  set("--device", compute.device);
  set("--threads", std::to_string(compute.threads));
  const bool is_lora = config.stage == training::Stage::lora;
  set("--model", (is_lora ? config.model : model).string());
  if (is_lora) set("--lora", (model / weights::kLoraFile).string());
  Report report;
  ClipRenderer(console, {}, [&] { return stop; }).render(alone(read_job(raw)), report);
}

void try_to(Console& console, const std::string& what, const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    console.warning(fmt::format("{}: {}", what, error.what()));
  }
}

}  // namespace

void check_samples(const training::TrainConfig& config) {
  std::set<std::string> stems;  // which name the videos
  for (const std::string& picture : config.samples) {
    if (!stems.insert(stem_of(picture)).second)
      throw Error(ErrorKind::usage,
                  fmt::format("'samples': two are called {}", printable(stem_of(picture))),
                  "their videos would have one name");
    try {
      media::read_image(picture);
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("'samples': {}", error.what()), error.hint());
    }
  }
}

void show_training(const training::TrainConfig& config, std::int64_t step, const fs::path& model,
                   const Compute& compute, Console& console, const std::stop_token& stop) {
  try_to(console, "no plot of the loss", [&] {
    media::write_plot(config.output / "loss.png", losses_in(config.output / "metrics.jsonl"),
                      fmt::format("loss, {} steps of {}", step, to_string(config.stage)));
  });
  for (const std::string& picture : config.samples) {
    if (stop.stop_requested()) return;
    try_to(console, "no sample of " + picture,
           [&] { render_sample(config, picture, step, model, compute, console, stop); });
  }
}

}  // namespace svd::cli
