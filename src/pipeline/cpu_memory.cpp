#include "pipeline/cpu_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

namespace svd::pipeline {
namespace {

constexpr std::size_t kLarge = std::size_t{4} << 20;
/// From here on huge pages pay. For smaller blocks, as weights are, the system's search for free
/// ones costs more than they save where memory is full of cached files.
constexpr std::size_t kHuge = std::size_t{128} << 20;
constexpr std::size_t kGranule = std::size_t{64} << 10;
constexpr std::uintptr_t kPage = 4096;

void give_back(void* data, std::size_t bytes) { ::munmap(data, bytes); }

/// Large blocks by size; small ones are the system allocator's.
class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* const data = bytes < kLarge ? c10::GetDefaultCPUAllocator()->raw_allocate(bytes)
                                      : take((bytes + kGranule - 1) / kGranule * kGranule);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  void set_limit(std::int64_t limit) {
    const std::lock_guard lock(mutex_);
    limit_ = limit;
    trim_to(limit_);
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    trim_to(0);
  }

  static CachingAllocator& instance() {
    static auto* const allocator = new CachingAllocator;  // outlives every tensor
    return *allocator;
  }

 private:
  struct Block {
    std::size_t bytes;
    std::size_t unused;
  };

  static void release(void* data) {
    const bool may_be_large = reinterpret_cast<std::uintptr_t>(data) % kPage == 0;
    if (may_be_large && data != nullptr && instance().put(data)) return;
    c10::GetDefaultCPUAllocator()->raw_deallocate(data);
  }

  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Block block{bytes, 0};
    void* data = nullptr;
    // A block that is much larger would be missed where it fits.
    const auto found = free_.lower_bound(bytes);
    if (found != free_.end() && found->first <= bytes + bytes / 4) {
      data = found->second;
      block = {found->first, found->first - bytes};
      free_.erase(found);
      kept_ -= static_cast<std::int64_t>(bytes);  // the rest of the block stays unused
    } else {
      data = map(bytes);
    }
    taken_.emplace(data, block);
    return data;
  }

  // False for what is no large block.
  bool put(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = taken_.find(data);
    if (found == taken_.end()) return false;
    const Block block = found->second;
    taken_.erase(found);
    kept_ += static_cast<std::int64_t>(block.bytes - block.unused);
    free_.emplace(block.bytes, data);
    trim_to(limit_);
    return true;
  }

  // The largest go first: a few of them are worth many small ones.
  void trim_to(std::int64_t limit) {
    while (kept_ > limit && !free_.empty()) {
      const auto largest = std::prev(free_.end());
      give_back(largest->second, largest->first);
      kept_ -= static_cast<std::int64_t>(largest->first);
      free_.erase(largest);
    }
  }

  void* map(std::size_t bytes) {
    const auto fresh = [&] {
      return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    };
    void* data = fresh();
    if (data == MAP_FAILED) {
      trim_to(0);  // what is kept may be what is missing
      data = fresh();
    }
    if (data == MAP_FAILED) throw std::bad_alloc();
    if (bytes >= kHuge) ::madvise(data, bytes, MADV_HUGEPAGE);
    return data;
  }

  std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;
  std::unordered_map<void*, Block> taken_;
  std::int64_t kept_ = 0;  ///< bytes of free blocks, and the unused ends of those taken
  std::int64_t limit_ = kMostCached;
};

}  // namespace

void install_cpu_cache([[maybe_unused]] std::int64_t limit) {
#ifndef __SANITIZE_ADDRESS__
  CachingAllocator::instance().set_limit(limit);
  constexpr std::uint8_t kAboveTheDefault = 1;
  static std::once_flag once;
  std::call_once(once,
                 [] { c10::SetCPUAllocator(&CachingAllocator::instance(), kAboveTheDefault); });
#endif
}

void empty_cpu_cache() { CachingAllocator::instance().clear(); }

}  // namespace svd::pipeline
