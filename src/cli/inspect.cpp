#include "cli/inspect.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/report.h"
#include "pipeline/networks.h"
#include "svd/error.h"
#include "weights/checkpoint.h"
#include "weights/model_search.h"

namespace svd::cli {
namespace {

using Json = nlohmann::ordered_json;

Json part_json(const weights::PartSummary& part) {
  return {{"name", part.name},
          {"tensors", part.tensors},
          {"parameters", part.parameters},
          {"bytes", part.bytes},
          {"dtypes", part.dtypes}};
}

Json defaults_json(const ModelDefaults& defaults) {
  return {{"frames", defaults.frames}, {"width", defaults.width}, {"height", defaults.height}};
}

Json model_json(const weights::FoundModel& found, const weights::Checkpoint& checkpoint,
                const std::vector<std::string>& mismatches) {
  Json parts = Json::array();
  for (const weights::PartSummary& part : checkpoint.parts()) parts.push_back(part_json(part));
  return {{"name", found.name},
          {"path", checkpoint.path().string()},
          {"layout", to_string(checkpoint.layout())},
          {"variant", checkpoint.variant()},
          {"temporal_decoder", checkpoint.config().vae.temporal_decoder},
          {"size_multiple", checkpoint.config().size_multiple()},
          {"defaults", defaults_json(checkpoint.config().defaults)},
          {"parts", parts},
          {"notices", checkpoint.notices()},
          {"mismatches", mismatches},
          {"complete", mismatches.empty()},
          {"error", nullptr}};
}

void print_text(const weights::FoundModel& found, const weights::Checkpoint& checkpoint,
                const std::vector<std::string>& mismatches, std::ostream& out) {
  out << fmt::format(
      "{}\n  path     {}\n  layout   {}\n  variant  {}\n  decoder  {}\n  frames   {}\n", found.name,
      checkpoint.path().string(), to_string(checkpoint.layout()), checkpoint.variant(),
      checkpoint.config().vae.temporal_decoder ? "temporal" : "frame by frame",
      checkpoint.config().defaults.frames);
  for (const weights::PartSummary& part : checkpoint.parts()) {
    std::string dtypes;
    for (const auto& [dtype, tensors] : part.dtypes)
      dtypes += fmt::format("{}{} {}", dtypes.empty() ? "" : ", ", tensors, dtype);
    out << fmt::format("{}\n  {} tensors ({}), {} parameters, {}\n", part.name, part.tensors,
                       dtypes, part.parameters, format_bytes(part.bytes));
  }
  for (const std::string& line : mismatches) out << line << '\n';
  out << (mismatches.empty() ? "complete\n" : fmt::format("{} wrong keys\n", mismatches.size()));
}

}  // namespace

int inspect(const InspectOptions& options, bool json, Console& console, std::ostream& out) {
  std::optional<std::filesystem::path> models_dir;
  if (options.models_dir) models_dir = *options.models_dir;
  const weights::FoundModel found = weights::find_model(options.path, models_dir);
  const weights::Checkpoint checkpoint = weights::Checkpoint::open(found.path);
  for (const std::string& notice : checkpoint.notices()) console.info(notice);
  const std::vector<std::string> mismatches = pipeline::check_weights(checkpoint);
  if (json)
    out << dump(model_json(found, checkpoint, mismatches)) << '\n';
  else
    print_text(found, checkpoint, mismatches, out);
  return mismatches.empty() ? 0 : static_cast<int>(ErrorKind::model);
}

}  // namespace svd::cli
