#include "ops/matmul_cpu.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/threads.h"

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
// OpenMP's, of the runtime that oneDNN uses; its header belongs to a compiler, maybe another one.
extern "C" int omp_get_max_threads(void);
extern "C" void omp_set_num_threads(int count);
#endif

namespace ata::cpu {
namespace {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// Products are cut into tiles, and each runs on one thread of the library's pool: oneDNN, which
// would start threads of its own for the whole of it, is kept to the one that calls it.
class OneThread {
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
 public:
  OneThread() : previous_(omp_get_max_threads()) {
    omp_set_num_threads(1);
  }
  ~OneThread() {
    omp_set_num_threads(previous_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int previous_;
#elif DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_SEQ
#error "oneDNN must be built with OpenMP or without threads (DNNL_CPU_RUNTIME=OMP or SEQ)"
#endif
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

// A matrix inside another one whose rows (columns, when it is read transposed) are `stride` apart.
memory::desc plain_desc(int64_t rows, int64_t columns, int64_t stride, DType dtype,
                        bool transposed) {
  stride = std::max<int64_t>(stride, 1);
  const memory::dims strides = transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
  return memory::desc({rows, columns}, data_type(dtype), strides);
}

// How a dimension is cut. The cut depends on nothing but the product's extents, so that the bits of
// a result do not depend on the number of threads.
struct Cut {
  int64_t extent = 0;
  int64_t parts = 1;
  // Parts are this long, and longer by `unit` where the extent asks for it; the last one may be
  // shorter.
  int64_t unit = 1;

  int64_t begin(int64_t part) const {
    const int64_t units = (extent + unit - 1) / unit;
    return std::min(extent, units * part / parts * unit);
  }
  int64_t size(int64_t part) const { return begin(part + 1) - begin(part); }
};

// A tile of about kTileRows x kTileColumns keeps a core at full speed, its part of a weight fits
// the core's own cache, and there are enough for many cores.
constexpr int64_t kTileRows = 96;
constexpr int64_t kTileColumns = 384;
constexpr int64_t kBlockColumns = 64;
// Products of fewer operations are not cut.
constexpr double kSmallProduct = 4e6;

// Even numbers of parts where there are many rows, so that they divide well among threads.
Cut cut_rows(int64_t m, int64_t n, int64_t k) {
  Cut cut{.extent = m};
  if (2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) <
      kSmallProduct) {
    return cut;
  }
  const double wanted = static_cast<double>(m) / kTileRows;
  const double step = wanted >= 16 ? 16 : wanted >= 8 ? 8 : wanted >= 3 ? 4 : wanted >= 1.5 ? 2 : 1;
  cut.parts = std::max<int64_t>(1, std::llround(wanted / step) * static_cast<int64_t>(step));
  return cut;
}

Cut cut_columns(int64_t n, int64_t k) {
  Cut cut{.extent = n, .unit = kBlockColumns};
  if (n * k >= kTileColumns * kTileColumns) {
    cut.parts = std::max<int64_t>(1, (n + kTileColumns / 2) / kTileColumns);
  }
  return cut;
}

// Layouts of right factors: plain, whichever is fastest, or a number from ProductCache::layout_of.
constexpr int kPlainLayout = 0;
constexpr int kAnyLayout = -1;

// Everything a compiled product depends on. Strides are those of the whole matrices.
struct ProductKey {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_stride = 0, c_stride = 0;
  DType factors = DType::kF32, result = DType::kF32;
  bool a_transposed = false;
  bool bias = false;
  Activation activation = Activation::kNone;
  bool accumulate = false;
  // Of a plain right factor.
  bool b_transposed = false;
  int64_t b_stride = 0;
  int layout = kPlainLayout;
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
  const memory::desc a = plain_desc(key.m, key.k, key.a_stride, key.factors, key.a_transposed);
  const memory::desc c = plain_desc(key.m, key.n, key.c_stride, key.result, false);
  if (key.bias) {
    const memory::desc bias = plain_desc(1, key.n, key.n, DType::kF32, false);
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
  static constexpr size_t kCapacity = 1024;
  std::mutex mutex_;
  std::map<ProductKey, std::shared_ptr<const Product>> products_;
  std::vector<memory::desc> layouts_;
};

ProductCache& cache() {
  static ProductCache& instance = *new ProductCache;
  return instance;
}

memory view_memory(const memory::desc& desc, const void* data) {
  return memory(desc, cpu_engine(), const_cast<void*>(data));
}

const char* at(const Tensor& tensor, int64_t element) {
  return static_cast<const char*>(tensor.raw()) +
         element * static_cast<int64_t>(dtype_size(tensor.dtype()));
}

constexpr int64_t kBlockRows = 16;

// The layout that oneDNN prefers for an f32 factor on processors with AVX-512: blocks of rows and
// columns, row-major each, one column of blocks after the other; what lacks at the ends is 0.
memory::desc block_desc(int64_t rows, int64_t columns) {
  return {{rows, columns}, memory::data_type::f32, memory::format_tag::BA16a64b};
}

// Packs a row-major matrix into that layout. oneDNN's own reorder takes three times as long, which
// training notices: it packs all weights in each step.
void copy_to_blocks(const float* values, int64_t rows, int64_t columns, int64_t stride,
                    float* blocks) {
  const int64_t block_rows = (rows + kBlockRows - 1) / kBlockRows;
  for (int64_t first = 0; first < columns; first += kBlockColumns) {
    const int64_t width = std::min(kBlockColumns, columns - first);
    for (int64_t row = 0; row < block_rows * kBlockRows; ++row) {
      float* end = blocks;
      if (row < rows) end = std::copy_n(values + row * stride + first, width, blocks);
      blocks += kBlockColumns;
      std::fill(end, blocks, 0.0f);
    }
  }
}

}  // namespace

// Its columns are packed part by part, so that each tile finds its own.
class PackedFactor {
 public:
  struct Part {
    memory::desc desc;
    int layout = kPlainLayout;
    /// Where its bytes begin in data().
    int64_t offset = 0;
  };

  PackedFactor(int64_t k, int64_t n, DType dtype, const std::shared_ptr<Allocator>& allocator)
      : k_(k), cut_(cut_columns(n, k)), dtype_(dtype) {
    int64_t bytes = 0;
    for (int64_t part = 0; part < cut_.parts; ++part) {
      // The preferred layout depends a little on the rows of a tile; that of full ones serves all.
      const int64_t width = cut_.size(part);
      const ProductKey key{.m = kTileRows,
                           .n = width,
                           .k = k,
                           .a_stride = k,
                           .c_stride = n,
                           .factors = dtype,
                           .result = dtype,
                           .layout = kAnyLayout};
      const memory::desc any({k, width}, data_type(dtype), memory::format_tag::any);
      const memory::desc packed = cache().get(key, any)->desc.weights_desc();
      parts_.push_back({packed, cache().layout_of(packed), bytes});
      bytes += (static_cast<int64_t>(packed.get_size()) + 63) / 64 * 64;
    }
    data_ = Tensor({bytes}, DType::kU8, allocator);
  }

  /// Copies B = op(b) into the parts.
  void fill(const MatrixView& b) {
    const int64_t stride = b.data.dim(1);
    parallel_for_dynamic(cut_.parts, [&](int64_t index, int) {
      const OneThread single;
      const Part& part = parts_[static_cast<size_t>(index)];
      const int64_t first = cut_.begin(index);
      const int64_t width = cut_.size(index);
      const char* from = at(b.data, b.transposed ? first * stride : first);
      char* to = static_cast<char*>(data_.raw()) + part.offset;
      if (!b.transposed && b.data.dtype() == DType::kF32 && part.desc == block_desc(k_, width)) {
        copy_to_blocks(reinterpret_cast<const float*>(from), k_, width, stride,
                       reinterpret_cast<float*>(to));
        return;
      }
      memory source =
          view_memory(plain_desc(k_, width, stride, b.data.dtype(), b.transposed), from);
      memory target = view_memory(part.desc, to);
      dnnl::stream stream(cpu_engine());
      dnnl::reorder(source, target).execute(stream, source, target);
      stream.wait();
    });
  }

  const Cut& cut() const { return cut_; }
  const Part& part(int64_t index) const { return parts_[static_cast<size_t>(index)]; }
  const Tensor& data() const { return data_; }
  DType dtype() const { return dtype_; }
  int64_t k() const { return k_; }

 private:
  int64_t k_;
  Cut cut_;
  DType dtype_;
  std::vector<Part> parts_;
  Tensor data_;
};

namespace {

// The right factor of a tile: B's columns [first, first + width).
struct RightFactor {
  memory::desc desc;
  const void* data;
};

// Computes c tile by tile. `key` describes the whole product; `right(part, key)` gives a part's
// right factor and completes the key.
template <typename Right>
void run_tiles(const ProductKey& whole, const Cut& columns, const Tensor& a, const Tensor& bias,
               Tensor& c, const std::shared_ptr<Allocator>& scratch, const Right& right) {
  const Cut rows = cut_rows(whole.m, whole.n, whole.k);
  const int64_t tiles = rows.parts * columns.parts;
  const int workers = static_cast<int>(std::min<int64_t>(thread_count(), tiles));
  parallel_for_dynamic(tiles, workers, [&](int64_t tile, int) {
    const OneThread single;
    // Neighbours in time share the right factor, which is the larger one.
    const int64_t row = tile % rows.parts;
    const int64_t column = tile / rows.parts;
    ProductKey key = whole;
    key.m = rows.size(row);
    key.n = columns.size(column);
    const RightFactor b = right(column, &key);
    const auto product = cache().get(key, b.desc);
    const dnnl::matmul::primitive_desc& desc = product->desc;
    const memory::desc pad_desc = desc.scratchpad_desc();
    const Tensor pad({static_cast<int64_t>(pad_desc.get_size())}, DType::kU8, scratch);
    const int64_t first_row = rows.begin(row);
    const int64_t first_column = columns.begin(column);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, view_memory(desc.src_desc(),
                                   at(a, key.a_transposed ? first_row : first_row * key.a_stride))},
        {DNNL_ARG_WEIGHTS, view_memory(desc.weights_desc(), b.data)},
        {DNNL_ARG_DST,
         view_memory(desc.dst_desc(), at(c, first_row * key.c_stride + first_column))},
        {DNNL_ARG_SCRATCHPAD, view_memory(pad_desc, pad.raw())}};
    if (key.bias) {
      arguments.emplace(DNNL_ARG_BIAS, view_memory(desc.bias_desc(), at(bias, first_column)));
    }
    dnnl::stream stream(cpu_engine());
    product->primitive.execute(stream, arguments);
    stream.wait();
  });
}

ProductKey describe_product(const MatrixView& a, const MatmulOptions& options, const Tensor& c) {
  return {.m = c.dim(0),
          .n = c.dim(1),
          .k = a.data.dim(a.transposed ? 0 : 1),
          .a_stride = a.data.dim(1),
          .c_stride = c.dim(1),
          .factors = a.data.dtype(),
          .result = c.dtype(),
          .a_transposed = a.transposed,
          .bias = options.bias.defined(),
          .activation = options.activation,
          .accumulate = options.accumulate};
}

}  // namespace

std::shared_ptr<const PackedFactor> pack_factor(const MatrixView& b, DType precision,
                                                const std::shared_ptr<Allocator>& allocator) {
  return guarded([&] {
    const OneThread single;
    const int axis = b.transposed ? 1 : 0;
    auto packed = std::make_shared<PackedFactor>(b.data.dim(axis), b.data.dim(1 - axis), precision,
                                                 allocator);
    packed->fill(b);
    return packed;
  });
}

void matmul(const MatrixView& a, const MatrixView& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch) {
  if (c.count() == 0) return;
  guarded([&] {
    ProductKey whole = describe_product(a, options, c);
    whole.b_transposed = b.transposed;
    whole.b_stride = b.data.dim(1);
    const Cut columns = cut_columns(whole.n, whole.k);
    run_tiles(whole, columns, a.data, options.bias, c, scratch,
              [&](int64_t part, ProductKey* key) -> RightFactor {
                const int64_t first = columns.begin(part);
                return {plain_desc(key->k, key->n, key->b_stride, key->factors, b.transposed),
                        at(b.data, b.transposed ? first * key->b_stride : first)};
              });
  });
}

void matmul(const MatrixView& a, const PackedFactor& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch) {
  if (c.count() == 0) return;
  guarded([&] {
    const ProductKey whole = describe_product(a, options, c);
    run_tiles(whole, b.cut(), a.data, options.bias, c, scratch,
              [&](int64_t index, ProductKey* key) -> RightFactor {
                const PackedFactor::Part& part = b.part(index);
                key->layout = part.layout;
                return {part.desc, static_cast<const char*>(b.data().raw()) + part.offset};
              });
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
      const ProductKey key{.m = 64,
                           .n = 64,
                           .k = 64,
                           .a_stride = 64,
                           .c_stride = 64,
                           .factors = DType::kBF16,
                           .result = DType::kF32};
      const memory::desc b = plain_desc(64, 64, 64, DType::kBF16, false);
      // The reference implementation is a scalar loop, of no use to anyone.
      return std::string(describe(key, b).impl_info_str()).find("ref") == std::string::npos;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return available;
}

}  // namespace ata::cpu
