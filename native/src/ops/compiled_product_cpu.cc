#include "ops/compiled_product_cpu.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "ops/matmul_cpu.h"
#include "ops/onednn.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
// OpenMP's, of the runtime that oneDNN uses; its header belongs to a compiler, maybe another one.
extern "C" int omp_get_max_threads(void);
extern "C" void omp_set_num_threads(int count);
#endif

namespace ata::cpu {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
OneThread::OneThread() : previous_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

OneThread::~OneThread() {
  omp_set_num_threads(previous_);
}
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_SEQ
OneThread::OneThread() : previous_(1) {}

OneThread::~OneThread() = default;
#else
#error "oneDNN must be built with OpenMP or without threads (DNNL_CPU_RUNTIME=OMP or SEQ)"
#endif

memory::data_type data_type(DType dtype) {
  return dtype == DType::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc plain_desc(int64_t rows, int64_t columns, int64_t stride, DType dtype,
                        bool transposed) {
  stride = std::max<int64_t>(stride, 1);
  const memory::dims strides = transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
  return memory::desc({rows, columns}, data_type(dtype), strides);
}

namespace {

void append_activation(Activation activation, dnnl::post_ops& after) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kGelu:
      return onednn::append_eltwise(after, dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
    case Activation::kQuickGelu:
      return onednn::append_eltwise(after, dnnl::algorithm::eltwise_swish, 1.702f, 0.0f);
    case Activation::kGeluTanh:
      return onednn::append_eltwise(after, dnnl::algorithm::eltwise_gelu_tanh, 0.0f, 0.0f);
  }
}

}  // namespace

dnnl::matmul::primitive_desc describe(const ProductKey& key, const memory::desc& b) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  append_activation(key.activation, after);
  if (key.accumulate) after.append_sum(1.0f);
  attributes.set_post_ops(after);
  const memory::desc a = plain_desc(key.m, key.k, key.a_stride, key.factors, key.a_transposed);
  const memory::desc c = plain_desc(key.m, key.n, key.c_stride, key.result, false);
  if (key.bias) {
    const memory::desc bias = plain_desc(1, key.n, key.n, DType::kF32, false);
    return onednn::describe_matmul(cpu_engine(), a, b, &bias, c, attributes);
  }
  return onednn::describe_matmul(cpu_engine(), a, b, nullptr, c, attributes);
}

namespace {

class ProductCache;
ProductCache& cache();

// Compiled products, shared by all threads: oneDNN allows concurrent execution of one primitive
// when each execution brings its own scratchpad.
class ProductCache {
 public:
  ProductCache() {
#if !defined(_WIN32)
    // A child of fork() has one thread alone: nobody would unlock what another was at.
    pthread_atfork([] { cache().mutex_.lock(); }, [] { cache().mutex_.unlock(); },
                   [] { cache().mutex_.unlock(); });
#endif
  }

  std::shared_ptr<const Product> get(const ProductKey& key, const memory::desc& b) {
    {
      std::lock_guard lock(mutex_);
      const auto found = products_.find(key);
      if (found != products_.end()) return found->second;
    }
    dnnl::matmul::primitive_desc desc = describe(key, b);
    auto product = std::make_shared<const Product>(Product{desc, dnnl::matmul(desc)});
    std::lock_guard lock(mutex_);
    // Row counts come from the user: a service that sees ever new ones must not grow for ever.
    if (products_.size() >= kCapacity) products_.clear();
    return products_.emplace(key, std::move(product)).first->second;
  }

  void release() {
    std::lock_guard lock(mutex_);
    products_.clear();
  }

  // A number that equal layouts share, above kPlainLayout.
  int layout_of(const memory::desc& desc) {
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < layouts_.size(); ++i) {
      if (layouts_[i] == desc) return static_cast<int>(i) + 1;
    }
    layouts_.push_back(desc);
    return static_cast<int>(layouts_.size());
  }

 private:
  static constexpr size_t kCapacity = 1024;
  std::mutex mutex_;
  std::map<ProductKey, std::shared_ptr<const Product>> products_;
  std::vector<memory::desc> layouts_;
};

ProductCache& cache() {
  static ProductCache& instance = *new ProductCache;
  return instance;
}

}  // namespace

std::shared_ptr<const Product> compiled_product(const ProductKey& key, const memory::desc& b) {
  return cache().get(key, b);
}

int layout_of(const memory::desc& desc) {
  return cache().layout_of(desc);
}

void release_product_cache() {
  cache().release();
  // oneDNN keeps what it compiled, too; a smaller capacity evicts it.
  int capacity = 0;
  if (dnnl_get_primitive_cache_capacity(&capacity) != dnnl_success) return;
  dnnl_set_primitive_cache_capacity(0);
  dnnl_set_primitive_cache_capacity(capacity);
}

}  // namespace ata::cpu
