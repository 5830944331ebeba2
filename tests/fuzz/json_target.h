#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "fuzz/expected.h"
#include "weights/config_reader.h"

namespace svd::fuzz {

/// Any text as JSON, and then as each configuration file of a model.
inline int fuzz_json(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  expect(ErrorKind::model, [&] {
    printable(text);
    const Json json = parse_json(text, "fuzz.json", ErrorKind::model);
    ModelConfig config;
    expect(ErrorKind::model, [&] { config.unet = weights::parse_unet_config(json, "fuzz.json"); });
    expect(ErrorKind::model, [&] { config.vae = weights::parse_vae_config(json, "fuzz.json"); });
    expect(ErrorKind::model, [&] { config.clip = weights::parse_clip_config(json, "fuzz.json"); });
    expect(ErrorKind::model,
           [&] { config.scheduler = weights::parse_scheduler_config(json, "fuzz.json"); });
    expect(ErrorKind::model,
           [&] { weights::parse_preprocessor_config(json, "fuzz.json", config.clip); });
    expect(ErrorKind::model, [&] {
      weights::parse_svd_gen(JsonObject(json, "fuzz.json", ErrorKind::model), 64, config.defaults);
    });
    expect(ErrorKind::model, [&] { weights::check_config(config, "fuzz.json"); });
    weights::default_request(config);
  });
  return 0;
}

}  // namespace svd::fuzz
