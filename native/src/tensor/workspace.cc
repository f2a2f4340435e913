#include <mutex>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.h"

namespace ata {
namespace {

// Blocks are kept by their exact size: a session repeats the same requests run after run.
class Workspace : public Allocator {
 public:
  explicit Workspace(std::shared_ptr<Allocator> upstream) : upstream_(std::move(upstream)) {}

  ~Workspace() override {
    for (auto& [bytes, blocks] : free_) {
      for (void* block : blocks) upstream_->release(block, bytes);
    }
  }

  void* allocate(size_t bytes) override {
    {
      std::lock_guard lock(mutex_);
      auto found = free_.find(bytes);
      if (found != free_.end() && !found->second.empty()) {
        void* block = found->second.back();
        found->second.pop_back();
        return block;
      }
    }
    return upstream_->allocate(bytes);
  }

  void release(void* block, size_t bytes) noexcept override {
    try {
      std::lock_guard lock(mutex_);
      free_[bytes].push_back(block);
    } catch (...) {
      upstream_->release(block, bytes);
    }
  }

  Device* device() const override { return upstream_->device(); }
  bool is_readable() const override { return upstream_->is_readable(); }

 private:
  std::shared_ptr<Allocator> upstream_;
  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> free_;
};

}  // namespace

std::shared_ptr<Allocator> make_workspace(std::shared_ptr<Allocator> upstream) {
  return std::make_shared<Workspace>(std::move(upstream));
}

}  // namespace ata
