#include "pipeline/cuda_module.h"

#include <dlfcn.h>
#include <link.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModuleName = "libsvd_cuda.so";
constexpr const char* kSetupHint = "run scripts/setup.sh --cuda, or use --device cpu";

std::string last_dl_error() {
  const char* const text = dlerror();
  return text ? text : "unknown error of the dynamic linker";
}

template <class Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

std::string visible_devices_note() {
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible ? " (CUDA_VISIBLE_DEVICES is '" + std::string(visible) + "')" : "";
}

std::string driver_error(void* library, int code) {
  constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE
  if (code == kNoDevice) {
    return "the NVIDIA driver sees no GPU" + visible_devices_note();
  }
  std::string text = "the NVIDIA driver cannot be used: error " + std::to_string(code);
  const auto name_of = symbol<int(int, const char**)>(library, "cuGetErrorName");
  const char* name = nullptr;
  if (name_of && name_of(code, &name) == 0 && name) {
    text += " (" + std::string(name) + ")";
  }
  return text;
}

// libtorch_cuda must be of the very libtorch that is running: it is taken from the same folder.
fs::path torch_folder() {
  fs::path folder;
  if (void* const torch = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD)) {
    link_map* map = nullptr;
    if (dlinfo(torch, RTLD_DI_LINKMAP, &map) == 0 && map) {
      folder = fs::path(map->l_name).parent_path();
    }
    dlclose(torch);
  }
  return folder;
}

void load_torch_cuda() {
  const fs::path library = torch_folder() / "libtorch_cuda.so";
  std::error_code ignored;
  if (!fs::exists(library, ignored)) {
    throw Error(ErrorKind::device,
                "the libtorch in use has no CUDA: " + library.string() + " does not exist",
                kSetupHint);
  }
  if (!dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    throw Error(ErrorKind::device, "libtorch's CUDA libraries cannot be loaded: " + last_dl_error(),
                kSetupHint);
  }
}

fs::path find_module() {
  std::ostringstream looked;
  for (const fs::path& path : cuda_module_candidates()) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) {
      return path;
    }
    looked << (looked.tellp() > 0 ? ", " : "") << path.string();
  }
  throw Error(ErrorKind::device, "this build has no CUDA module; looked for " + looked.str(),
              kSetupHint);
}

const SvdCudaTable& load() {
  const fs::path path = find_module();
  load_torch_cuda();
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!module) {
    throw Error(ErrorKind::device, "the CUDA module cannot be loaded: " + last_dl_error(),
                kSetupHint);
  }
  const auto table = symbol<SvdCudaTableFunction>(module, "svd_cuda_table");
  if (!table) {
    throw Error(ErrorKind::device, path.string() + " is not a CUDA module of svd-gen", kSetupHint);
  }
  return *table();
}

}  // namespace

DriverState query_driver(const char* library) {
  DriverState state;
  // Never closed: the driver does not survive that.
  void* const driver = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    const std::string why = last_dl_error();
    state.problem = why.find("cannot open shared object file") != std::string::npos
                        ? "no NVIDIA driver found (" + std::string(library) + ")"
                        : "the NVIDIA driver cannot be loaded: " + why;
    return state;
  }
  const auto init = symbol<int(unsigned)>(driver, "cuInit");
  const auto version = symbol<int(int*)>(driver, "cuDriverGetVersion");
  const auto count = symbol<int(int*)>(driver, "cuDeviceGetCount");
  if (!init || !version || !count) {
    state.problem = std::string(library) + " is not an NVIDIA driver";
    return state;
  }
  int error = init(0);
  if (error == 0) error = version(&state.cuda_version);
  if (error == 0) error = count(&state.device_count);
  if (error != 0) {
    state.problem = driver_error(driver, error);
  } else if (state.device_count == 0) {
    state.problem = "the NVIDIA driver sees no GPU" + visible_devices_note();
  }
  return state;
}

std::vector<fs::path> cuda_module_candidates() {
  if (const char* const path = std::getenv("SVD_GEN_CUDA_MODULE"); path && *path) {
    return {path};
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) {
    return {kModuleName};
  }
  const fs::path folder = program.parent_path();
  return {folder / kModuleName, folder.parent_path() / "lib" / "svd-gen" / kModuleName};
}

const SvdCudaTable& load_cuda_module() {
  static const SvdCudaTable& table = load();
  return table;
}

void check_module(const SvdCudaTable& table, const DriverState& driver) {
  if (table.abi != kSvdCudaAbi) {
    throw Error(ErrorKind::device,
                "the CUDA module is of another build: found interface version " +
                    std::to_string(table.abi) + ", needed " + std::to_string(kSvdCudaAbi),
                "build program and module together");
  }
  if (std::strcmp(table.torch_version, TORCH_VERSION) != 0) {
    throw Error(ErrorKind::device,
                "the CUDA module was built with libtorch " + std::string(table.torch_version) +
                    ", the program with " + TORCH_VERSION,
                "build program and module together");
  }
  const int needed = table.cuda_version / 1000;
  if (driver.cuda_version / 1000 < needed) {
    // The first driver branches of these CUDA versions.
    const std::string branch = needed == 13   ? " (driver 580 or newer)"
                               : needed == 12 ? " (driver 525 or newer)"
                                              : "";
    throw Error(ErrorKind::device,
                "the NVIDIA driver is too old: found CUDA " +
                    cuda_version_text(driver.cuda_version) + ", needed CUDA " +
                    std::to_string(needed) + ".0" + branch,
                "update the NVIDIA driver, or use --device cpu");
  }
}

SvdCudaDevice cuda_device(const SvdCudaTable& table, int ordinal) {
  int count = 0;
  if (const int error = table.device_count(&count)) {
    throw Error(ErrorKind::device,
                "CUDA cannot be started: " + std::string(table.error_text(error)),
                "use --device cpu");
  }
  if (ordinal < 0 || ordinal >= count) {
    throw Error(ErrorKind::device,
                "no device cuda:" + std::to_string(ordinal) + ": found " + std::to_string(count) +
                    (count == 1 ? " CUDA device" : " CUDA devices") + visible_devices_note(),
                count > 0 ? "use cuda:0" + (count > 1 ? " to cuda:" + std::to_string(count - 1)
                                                      : std::string())
                          : "use --device cpu");
  }
  SvdCudaDevice device;
  if (const int error = table.device(ordinal, &device)) {
    throw Error(
        ErrorKind::device,
        "device cuda:" + std::to_string(ordinal) + " cannot be used: " + table.error_text(error),
        "use --device cpu");
  }
  if (device.major * 10 + device.minor < 75) {
    throw Error(ErrorKind::device,
                "device cuda:" + std::to_string(ordinal) + " (" + device.name +
                    ") is too old: found compute capability " + std::to_string(device.major) + "." +
                    std::to_string(device.minor) + ", needed 7.5",
                "use --device cpu");
  }
  return device;
}

std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace svd::pipeline
