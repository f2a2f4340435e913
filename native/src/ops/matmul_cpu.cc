#include "ops/matmul_cpu.h"

#include <omp.h>

#include <algorithm>
#include <compare>
#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/threads.h"

namespace ata::cpu {
namespace {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// oneDNN parallelises over the caller's OpenMP setting, which belongs to the caller. Products are
// compiled for a number of threads and must run with no more.
class ThreadCountScope {
 public:
  ThreadCountScope() : count_(thread_count()), previous_(omp_get_max_threads()) {
    omp_set_num_threads(count_);
  }
  ~ThreadCountScope() { omp_set_num_threads(previous_); }
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;
  int count() const { return count_; }

 private:
  int count_;
  int previous_;
};

// Runs `body`, turning oneDNN's exceptions into the library's.
template <class Body>
auto guarded(const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    fail(error.status == dnnl_out_of_memory ? ATA_OUT_OF_MEMORY : ATA_INTERNAL,
         "oneDNN failed: ", error.what());
  }
}

memory::data_type data_type(DType dtype) {
  return dtype == DType::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc plain_desc(int64_t rows, int64_t columns, DType dtype, bool transposed) {
  const memory::dims strides =
      transposed ? memory::dims{1, rows} : memory::dims{std::max<int64_t>(columns, 1), 1};
  return memory::desc({rows, columns}, data_type(dtype), strides);
}

memory::desc plain_desc(const MatrixView& view) {
  const int axis = view.transposed ? 1 : 0;
  return plain_desc(view.data.dim(axis), view.data.dim(1 - axis), view.data.dtype(),
                    view.transposed);
}

// Layouts of right factors: plain, whichever is fastest, or a number from ProductCache::layout_of.
constexpr int kPlainLayout = 0;
constexpr int kAnyLayout = -1;

// Everything a compiled product depends on.
struct ProductKey {
  int64_t m = 0, n = 0, k = 0;
  DType factors = DType::kF32, result = DType::kF32;
  bool a_transposed = false, b_transposed = false;
  bool bias = false;
  Activation activation = Activation::kNone;
  bool accumulate = false;
  int layout = kPlainLayout, threads = 0;
  auto operator<=>(const ProductKey&) const = default;
};

struct Product {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
};

void append_activation(Activation activation, dnnl::post_ops& after) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kGelu:
      return after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
    case Activation::kQuickGelu:
      return after.append_eltwise(1.0f, dnnl::algorithm::eltwise_swish, 1.702f, 0.0f);
    case Activation::kGeluTanh:
      return after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_tanh, 0.0f, 0.0f);
  }
}

dnnl::matmul::primitive_desc describe(const ProductKey& key, const memory::desc& b) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  append_activation(key.activation, after);
  if (key.accumulate) after.append_sum(1.0f);
  attributes.set_post_ops(after);
  const memory::desc a = plain_desc(key.m, key.k, key.factors, key.a_transposed);
  const memory::desc c = plain_desc(key.m, key.n, key.result, false);
  if (key.bias) {
    const memory::desc bias = plain_desc(1, key.n, DType::kF32, false);
    return {dnnl::matmul::desc(a, b, bias, c), attributes, cpu_engine()};
  }
  return {dnnl::matmul::desc(a, b, c), attributes, cpu_engine()};
}

// Compiled products, shared by all threads: oneDNN allows concurrent execution of one primitive
// when each execution brings its own scratchpad.
class ProductCache {
 public:
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
  static constexpr size_t kCapacity = 256;
  std::mutex mutex_;
  std::map<ProductKey, std::shared_ptr<const Product>> products_;
  std::vector<memory::desc> layouts_;
};

ProductCache& cache() {
  static ProductCache& instance = *new ProductCache;
  return instance;
}

memory view_memory(const memory::desc& desc, const Tensor& tensor) {
  return memory(desc, cpu_engine(), const_cast<void*>(tensor.raw()));
}

void run(const ProductKey& key, const Tensor& a, const memory::desc& b_desc, const Tensor& b,
         const Tensor& bias, Tensor& c, const std::shared_ptr<Allocator>& scratch) {
  const auto product = cache().get(key, b_desc);
  const dnnl::matmul::primitive_desc& desc = product->desc;
  const memory::desc pad_desc = desc.scratchpad_desc();
  const Tensor pad({static_cast<int64_t>(pad_desc.get_size())}, DType::kU8, scratch);
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, view_memory(desc.src_desc(), a)},
      {DNNL_ARG_WEIGHTS, view_memory(desc.weights_desc(), b)},
      {DNNL_ARG_DST, view_memory(desc.dst_desc(), c)},
      {DNNL_ARG_SCRATCHPAD, view_memory(pad_desc, pad)}};
  if (key.bias) arguments.emplace(DNNL_ARG_BIAS, view_memory(desc.bias_desc(), bias));
  dnnl::stream stream(cpu_engine());
  product->primitive.execute(stream, arguments);
  stream.wait();
}

constexpr int64_t kBlockRows = 16;
constexpr int64_t kBlockColumns = 64;

// The layout that oneDNN prefers for an f32 factor on processors with AVX-512: blocks of rows and
// columns, row-major each, one column of blocks after the other; what lacks at the ends is 0.
memory::desc block_desc(int64_t rows, int64_t columns) {
  return {{rows, columns}, memory::data_type::f32, memory::format_tag::BA16a64b};
}

// Packs a row-major matrix into that layout. oneDNN's own reorder takes three times as long, which
// training notices: it packs all weights in each step.
void copy_to_blocks(const float* values, int64_t rows, int64_t columns, float* blocks) {
  const int64_t block_rows = (rows + kBlockRows - 1) / kBlockRows;
  parallel_for(block_rows, 1, [&](int64_t begin_row, int64_t end_row) {
    for (int64_t block_row = begin_row; block_row < end_row; ++block_row) {
      float* block = blocks + block_row * kBlockRows * kBlockColumns;
      for (int64_t first = 0; first < columns; first += kBlockColumns) {
        const int64_t width = std::min(kBlockColumns, columns - first);
        for (int64_t r = 0; r < kBlockRows; ++r) {
          const int64_t row = block_row * kBlockRows + r;
          float* out = block + r * kBlockColumns;
          float* end = out;
          if (row < rows) end = std::copy_n(values + row * columns + first, width, out);
          std::fill(end, out + kBlockColumns, 0.0f);
        }
        block += block_rows * kBlockRows * kBlockColumns;
      }
    }
  });
}

}  // namespace

class PackedFactor {
 public:
  PackedFactor(memory::desc desc, Tensor data, DType dtype, int64_t k, int64_t n)
      : desc_(std::move(desc)),
        data_(std::move(data)),
        dtype_(dtype),
        k_(k),
        n_(n),
        layout_(cache().layout_of(desc_)) {}

  const memory::desc& desc() const { return desc_; }
  const Tensor& data() const { return data_; }
  DType dtype() const { return dtype_; }
  int64_t k() const { return k_; }
  int64_t n() const { return n_; }
  int layout() const { return layout_; }

 private:
  memory::desc desc_;
  Tensor data_;
  DType dtype_;
  int64_t k_;
  int64_t n_;
  int layout_;
};

std::shared_ptr<const PackedFactor> pack_factor(const MatrixView& b, DType precision,
                                                const std::shared_ptr<Allocator>& allocator) {
  return guarded([&] {
    const ThreadCountScope threads;
    const int axis = b.transposed ? 1 : 0;
    const int64_t k = b.data.dim(axis);
    const int64_t n = b.data.dim(1 - axis);
    // The preferred layout depends a little on m; that of a clip's worth of rows serves all.
    constexpr int64_t kTypicalRows = 1576;
    const ProductKey key{.m = kTypicalRows,
                         .n = n,
                         .k = k,
                         .factors = precision,
                         .result = precision,
                         .layout = kAnyLayout,
                         .threads = threads.count()};
    const memory::desc any({k, n}, data_type(precision), memory::format_tag::any);
    const memory::desc packed = cache().get(key, any)->desc.weights_desc();
    Tensor data({static_cast<int64_t>(packed.get_size())}, DType::kU8, allocator);
    if (!b.transposed && b.data.dtype() == DType::kF32 && packed == block_desc(k, n)) {
      copy_to_blocks(b.data.data<float>(), k, n, static_cast<float*>(data.raw()));
      return std::make_shared<const PackedFactor>(packed, data, precision, k, n);
    }
    memory from = view_memory(plain_desc(b), b.data);
    memory to = view_memory(packed, data);
    dnnl::stream stream(cpu_engine());
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    return std::make_shared<const PackedFactor>(packed, data, precision, k, n);
  });
}

void matmul(const MatrixView& a, const MatrixView& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch) {
  const int64_t k = a.data.dim(a.transposed ? 0 : 1);
  if (c.count() == 0) return;
  guarded([&] {
    const ThreadCountScope threads;
    const ProductKey key{.m = c.dim(0),
                         .n = c.dim(1),
                         .k = k,
                         .factors = a.data.dtype(),
                         .result = c.dtype(),
                         .a_transposed = a.transposed,
                         .b_transposed = b.transposed,
                         .bias = options.bias.defined(),
                         .activation = options.activation,
                         .accumulate = options.accumulate,
                         .layout = kPlainLayout,
                         .threads = threads.count()};
    run(key, a.data, plain_desc(b), b.data, options.bias, c, scratch);
  });
}

void matmul(const MatrixView& a, const PackedFactor& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch) {
  if (c.count() == 0) return;
  guarded([&] {
    const ThreadCountScope threads;
    const ProductKey key{.m = c.dim(0),
                         .n = b.n(),
                         .k = b.k(),
                         .factors = b.dtype(),
                         .result = c.dtype(),
                         .a_transposed = a.transposed,
                         .b_transposed = false,
                         .bias = options.bias.defined(),
                         .activation = options.activation,
                         .accumulate = options.accumulate,
                         .layout = b.layout(),
                         .threads = threads.count()};
    run(key, a.data, b.desc(), b.data(), options.bias, c, scratch);
  });
}

void release_product_cache() {
  cache().release();
  // oneDNN keeps what it compiled, too; a smaller capacity evicts it.
  int capacity = 0;
  if (dnnl_get_primitive_cache_capacity(&capacity) != dnnl_success) return;
  dnnl_set_primitive_cache_capacity(0);
  dnnl_set_primitive_cache_capacity(capacity);
}

bool has_bf16_matmul() {
  static const bool available = [] {
    try {
      const ProductKey key{
          .m = 64, .n = 64, .k = 64, .factors = DType::kBF16, .result = DType::kF32};
      const memory::desc b = plain_desc(64, 64, DType::kBF16, false);
      // The reference implementation is a scalar loop, of no use to anyone.
      return std::string(describe(key, b).impl_info_str()).find("ref") == std::string::npos;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return available;
}

}  // namespace ata::cpu
