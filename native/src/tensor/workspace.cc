#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>

#include "tensor/tensor.h"

namespace ata {
namespace {

class Workspace : public Allocator {
 public:
  Workspace(std::shared_ptr<Allocator> upstream, bool lasting)
      : upstream_(std::move(upstream)), lasting_(lasting) {}

  ~Workspace() override { release_free(); }

  void* allocate(size_t bytes) override {
    std::lock_guard lock(mutex_);
    void* block = take(bytes);
    if (block == nullptr) {
      block = allocate_upstream(bytes);
      held_ += bytes;
      used_ += bytes;
      touched_ += bytes;
    }
    return block;
  }

  void release(void* block, size_t bytes) noexcept override {
    std::lock_guard lock(mutex_);
    size_t size = bytes;
    const auto larger = larger_.find(block);
    if (larger != larger_.end()) {
      size = larger->second;
      larger_.erase(larger);
    }
    used_ -= size;
    try {
      free_[size].push_back({block, pass_, bytes});
    } catch (...) {
      upstream_->release(block, size);
      held_ -= size;
    }
  }

  void begin_pass() override {
    if (lasting_) return;
    std::lock_guard lock(mutex_);
    needs_[pass_ % needs_.size()] = touched_;
    touched_ = used_;
    ++pass_;
    const size_t limit = kMostHeld * *std::max_element(needs_.begin(), needs_.end());
    while (held_ > limit && release_oldest()) {
    }
  }

  Device* device() const override { return upstream_->device(); }
  bool is_readable() const override { return upstream_->is_readable(); }

 private:
  struct Free {
    void* block;
    uint64_t pass;  // that released it
    size_t served;  // bytes that it was taken for
  };

  // With both at 2, blocks for batches of any sizes fit into the bound: those of the largest serve
  // batches down to half of it, and below that each kind of block is less than half of the last.
  static constexpr size_t kLargestFit = 2;
  static constexpr size_t kMostHeld = 2;
  // So many passes ago is no longer a sign of what comes.
  static constexpr size_t kPasses = 16;

  /// The smallest free block that fits, or null. A larger one that this pass has used already
  /// serves only what has the size that it served: so a pass finds what it found the last time.
  void* take(size_t bytes) {
    for (auto at = free_.lower_bound(bytes); at != free_.end(); ++at) {
      const size_t size = at->first;
      if (size / kLargestFit > bytes) break;
      std::deque<Free>& blocks = at->second;
      const auto found = std::find_if(blocks.rbegin(), blocks.rend(), [&](const Free& free) {
        return size == bytes || free.pass != pass_ || free.served == bytes;
      });
      if (found == blocks.rend()) continue;
      const Free taken = *found;
      if (size != bytes) larger_.emplace(taken.block, size);
      used_ += size;
      if (taken.pass != pass_) touched_ += size;
      blocks.erase(std::next(found).base());
      if (blocks.empty()) free_.erase(at);
      return taken.block;
    }
    return nullptr;
  }

  void* allocate_upstream(size_t bytes) {
    try {
      return upstream_->allocate(bytes);
    } catch (const Error& error) {
      if (error.status() != ATA_OUT_OF_MEMORY || free_.empty() || lasting_) throw;
    }
    release_free();
    return upstream_->allocate(bytes);
  }

  void release_free() {
    while (release_oldest()) {
    }
  }

  /// Gives the free block back that was not used for longest; the larger one of several. False if
  /// there is none.
  bool release_oldest() {
    auto oldest = free_.end();
    for (auto at = free_.begin(); at != free_.end(); ++at) {
      if (oldest == free_.end() || at->second.front().pass <= oldest->second.front().pass) {
        oldest = at;
      }
    }
    if (oldest == free_.end()) return false;
    upstream_->release(oldest->second.front().block, oldest->first);
    held_ -= oldest->first;
    oldest->second.pop_front();
    if (oldest->second.empty()) free_.erase(oldest);
    return true;
  }

  const std::shared_ptr<Allocator> upstream_;
  const bool lasting_;
  std::mutex mutex_;
  std::map<size_t, std::deque<Free>> free_;   // by size; the one released last at the back
  std::unordered_map<void*, size_t> larger_;  // sizes of used blocks that exceed the request
  size_t held_ = 0;                           // bytes of all blocks
  size_t used_ = 0;                           // of those that are not free
  size_t touched_ = 0;                      // of those that were not free at some time of this pass
  std::array<size_t, kPasses> needs_ = {};  // touched_ of the passes before
  uint64_t pass_ = 0;
};

}  // namespace

std::shared_ptr<Allocator> make_workspace(std::shared_ptr<Allocator> upstream) {
  return std::make_shared<Workspace>(std::move(upstream), /*lasting=*/false);
}

std::shared_ptr<Allocator> make_lasting_workspace(std::shared_ptr<Allocator> upstream) {
  return std::make_shared<Workspace>(std::move(upstream), /*lasting=*/true);
}

}  // namespace ata
