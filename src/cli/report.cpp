#include "cli/report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/progress.h"
#include "pipeline/system_memory.h"

namespace svd::cli {
namespace {

constexpr Stage kStages[] = {Stage::load_conditioning, Stage::condition,
                             Stage::load_unet,         Stage::sample,
                             Stage::load_decoder,      Stage::decode};

double clip_seconds(const Request& request) { return request.frames / request.fps; }

nlohmann::ordered_json stage_times(const Result& result) {
  nlohmann::ordered_json stages = nlohmann::ordered_json::array();
  for (const StageTime& time : result.stages)
    stages.push_back({{"stage", to_string(time.stage)}, {"seconds", time.seconds}});
  return stages;
}

nlohmann::ordered_json to_json(const MemoryPlan& plan) {
  nlohmann::ordered_json stages = nlohmann::ordered_json::array();
  for (const StageMemory& stage : plan.stages)
    stages.push_back({{"stage", to_string(stage.stage)},
                      {"weight_bytes", stage.weight_bytes},
                      {"activation_bytes", stage.activation_bytes}});
  return {{"limit_bytes", plan.limit_bytes},
          {"peak_bytes", plan.peak_bytes()},
          {"process_bytes", plan.process_bytes},
          {"cache_bytes", plan.cache_bytes},
          {"stages", std::move(stages)},
          {"stream_unet", plan.stream_unet},
          {"unet_kept_bytes", plan.unet_kept_bytes},
          {"sequential_guidance", plan.sequential_guidance},
          {"stream_decoder", plan.stream_decoder},
          {"decode_part_bytes", plan.decode_part_bytes},
          {"recompute_decoder", plan.recompute_decoder}};
}

nlohmann::ordered_json retries_of(const Result& result) {
  nlohmann::ordered_json retries = nlohmann::ordered_json::array();
  for (const Retry& retry : result.retries)
    retries.push_back({{"stage", to_string(retry.stage)}, {"from", to_string(retry.from)}});
  return retries;
}

}  // namespace

const char* status_of(const Report& report) {
  if (report.failure) return "failed";
  if (report.adopted) return "adopted";
  if (report.skipped) return "skipped";
  return report.dry_run ? "planned" : "done";
}

std::string clip_line(const Request& request) {
  return fmt::format("{} frame{} at {:.6g} fps = {:.2f} s, {}x{}, seed {}", request.frames,
                     request.frames == 1 ? "" : "s", request.fps, clip_seconds(request),
                     request.width, request.height, request.seed);
}

std::string summary_line(const Report& report) {
  return fmt::format("wrote {} in {}, peak memory {}", report.output,
                     format_seconds(report.result ? report.result->seconds : 0),
                     format_bytes(report.result ? report.result->peak_rss_bytes : 0));
}

std::vector<std::string> plan_lines(const Report& report) {
  std::vector<std::string> lines = {
      fmt::format("picture  {} ({}x{})", report.image, report.image_width, report.image_height),
      fmt::format("model    {} ({})", report.model.value_or(""), report.model_path.value_or("")),
      fmt::format("output   {}", report.output)};
  if (!report.request) return lines;
  const Request& request = *report.request;
  lines.push_back("clip     " + clip_line(request));
  lines.push_back(fmt::format("steps    {}, guidance {:.6g} to {:.6g}, profile {}", request.steps,
                              request.min_guidance, request.max_guidance,
                              to_string(request.profile)));
  lines.push_back(fmt::format("sees     fps {:.6g}, motion {:.6g}, noise {:.6g}, fit {}",
                              request.condition_fps, request.motion_bucket_id,
                              request.noise_aug_strength, to_string(request.fit)));
  lines.push_back(fmt::format("decode   {} frames at once, {}", request.decode_chunk,
                              to_string(request.vae_dtype)));
  lines.push_back(fmt::format("device   {}, {}, {} threads", request.device,
                              to_string(request.dtype), request.threads));
  if (report.memory) {
    const std::string choices = describe_choices(*report.memory);
    lines.push_back(fmt::format(
        "memory   up to about {} of {}{}{}",
        format_bytes(report.memory->peak_bytes() +
                     (request.device == "cpu" ? report.memory->cache_bytes : 0)),
        format_bytes(report.memory->limit_bytes), choices.empty() ? "" : ": ", choices));
  }
  std::string stages = "stages  ";
  for (const Stage stage : kStages) stages += std::string(" ") + to_string(stage);
  lines.push_back(stages);
  lines.emplace_back("dry run: nothing was computed or written");
  return lines;
}

nlohmann::ordered_json to_json(const Failure& failure) {
  return {{"kind", to_string(failure.kind)},
          {"message", failure.message},
          {"hint", failure.hint},
          {"exit_code", failure.exit_code}};
}

nlohmann::ordered_json to_json(const Report& report) {
  nlohmann::ordered_json json;
  const bool written = report.result && !report.failure;
  json["status"] = status_of(report);
  json["image"] = {{"path", report.image}};
  if (report.image_width > 0) {
    json["image"]["width"] = report.image_width;
    json["image"]["height"] = report.image_height;
  }
  if (!report.image_sha256.empty()) json["image"]["sha256"] = report.image_sha256;
  json["output"] = report.output;
  json["model"] = {{"name", or_null(report.model)}, {"path", or_null(report.model_path)}};
  if (!report.model_id.empty()) json["model"]["id"] = report.model_id;
  if (!report.request_id.empty()) json["request_id"] = report.request_id;
  if (report.request) {
    json["request"] = nlohmann::ordered_json::parse(svd::to_json(*report.request));
    json["seed"] = report.request->seed;
    json["clip_seconds"] = clip_seconds(*report.request);
  } else {
    json["request"] = nullptr;
    json["seed"] = nullptr;
  }
  if (report.dry_run) {
    json["stages"] = nlohmann::ordered_json::array();
    for (const Stage stage : kStages) json["stages"].push_back({{"stage", to_string(stage)}});
  } else {
    json["frames_written"] = written ? report.result->frames_written : 0;
    json["stages"] = report.result ? stage_times(*report.result) : nlohmann::ordered_json::array();
    json["seconds"] = report.result ? nlohmann::ordered_json(report.result->seconds) : nullptr;
    json["retries"] = report.result ? retries_of(*report.result) : nlohmann::ordered_json::array();
  }
  const MemoryPlan* const plan = report.result   ? &report.result->memory
                                 : report.memory ? &*report.memory
                                                 : nullptr;
  json["memory"] = plan ? to_json(*plan) : nlohmann::ordered_json();
  json["peak_rss_bytes"] = pipeline::peak_resident_bytes();
  json["warnings"] = report.warnings;
  json["error"] = report.failure ? to_json(*report.failure) : nlohmann::ordered_json();
  return json;
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string format_bytes(std::int64_t bytes) {
  const double count = static_cast<double>(bytes);
  if (bytes < 1024) return fmt::format("{} B", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{:.1f} KiB", count / 1024);
  if (bytes < 1024LL * 1024 * 1024) return fmt::format("{:.1f} MiB", count / (1024 * 1024));
  return fmt::format("{:.1f} GiB", count / (1024.0 * 1024 * 1024));
}

}  // namespace svd::cli
