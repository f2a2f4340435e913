#include "ops/matmul_cpu.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/threads.h"
#include "ops/compiled_product_cpu.h"

// Products are cut into tiles, and each runs on one thread of the library's pool.
namespace ata::cpu {
namespace {

using dnnl::memory;

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

// A tile of about this size keeps a core at full speed, its part of a right factor fits the core's
// own cache, and there are enough for many cores.
constexpr int64_t kTileRows = 192;
constexpr int64_t kTileColumns = 384;
// Where tiles copy their part of a tall left factor, it pays to have few beside each other.
constexpr int64_t kWideTileColumns = 768;
constexpr int64_t kTallProduct = 8 * kTileRows;
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
  const double step = wanted >= 16 ? 8 : wanted >= 6 ? 4 : wanted >= 1.5 ? 2 : 1;
  cut.parts = std::max<int64_t>(1, std::llround(wanted / step) * static_cast<int64_t>(step));
  return cut;
}

Cut cut_columns(int64_t n, int64_t k, int64_t width = kTileColumns) {
  Cut cut{.extent = n, .unit = kBlockColumns};
  if (n * k >= kTileColumns * kTileColumns) {
    cut.parts = std::max<int64_t>(1, (n + width / 2) / width);
  }
  return cut;
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

// Packs rows [begin, end) of a row-major matrix of `rows` into that layout; both are multiples of
// kBlockRows, or the end of the last block. oneDNN's own reorder takes three times as long, which
// training notices: it packs all weights in each step.
void copy_to_blocks(const float* values, int64_t rows, int64_t columns, int64_t stride,
                    int64_t begin, int64_t end, float* blocks) {
  const int64_t padded_rows = (rows + kBlockRows - 1) / kBlockRows * kBlockRows;
  for (int64_t first = 0; first < columns; first += kBlockColumns) {
    const int64_t width = std::min(kBlockColumns, columns - first);
    float* line = blocks + first * padded_rows + begin * kBlockColumns;
    for (int64_t row = begin; row < end; ++row, line += kBlockColumns) {
      float* filled = line;
      if (row < rows) filled = std::copy_n(values + row * stride + first, width, line);
      std::fill(filled, line + kBlockColumns, 0.0f);
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

  PackedFactor(int64_t k, const Cut& cut, DType dtype, const std::shared_ptr<Allocator>& allocator)
      : k_(k), cut_(cut), dtype_(dtype) {
    int64_t bytes = 0;
    for (int64_t part = 0; part < cut_.parts; ++part) {
      // The preferred layout depends a little on the rows of a tile; that of full ones serves all.
      const int64_t width = cut_.size(part);
      const ProductKey key{.m = kTileRows,
                           .n = width,
                           .k = k,
                           .a_stride = k,
                           .c_stride = width,
                           .factors = dtype,
                           .result = dtype,
                           .layout = kAnyLayout};
      const memory::desc any({k, width}, data_type(dtype), memory::format_tag::any);
      const memory::desc packed = compiled_product(key, any)->desc.weights_desc();
      parts_.push_back({packed, layout_of(packed), bytes});
      bytes += (static_cast<int64_t>(packed.get_size()) + 63) / 64 * 64;
    }
    data_ = Tensor({bytes}, DType::kU8, allocator);
  }

  /// Copies B = op(b) into the parts.
  void fill(const MatrixView& b) {
    const int64_t stride = b.data.dim(1);
    constexpr int64_t kRows = 16 * kBlockRows;
    const int64_t pieces = std::max<int64_t>(1, (k_ + kRows - 1) / kRows);
    bool blocks = !b.transposed && b.data.dtype() == DType::kF32;
    for (int64_t index = 0; index < cut_.parts; ++index) {
      blocks = blocks && part(index).desc == block_desc(k_, cut_.size(index));
    }
    parallel_for_dynamic(cut_.parts * (blocks ? pieces : 1), [&](int64_t item, int) {
      const int64_t index = item % cut_.parts;
      const Part& to_part = part(index);
      const int64_t first = cut_.begin(index);
      const int64_t width = cut_.size(index);
      const char* from = at(b.data, b.transposed ? first * stride : first);
      char* to = static_cast<char*>(data_.raw()) + to_part.offset;
      if (blocks) {
        const int64_t begin = item / cut_.parts * kRows;
        const int64_t all = (k_ + kBlockRows - 1) / kBlockRows * kBlockRows;
        copy_to_blocks(reinterpret_cast<const float*>(from), k_, width, stride, begin,
                       std::min(begin + kRows, all), reinterpret_cast<float*>(to));
        return;
      }
      const OneThread single;
      memory source =
          view_memory(plain_desc(k_, width, stride, b.data.dtype(), b.transposed), from);
      memory target = view_memory(to_part.desc, to);
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

// The right factor of a tile.
struct RightFactor {
  memory::desc desc;
  const void* data;
};

int64_t aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// A product, cut into tiles that oneDNN computes on one thread each. Its fast implementation takes
// dense matrices alone: what a tile reads or writes of a row that is longer goes through a copy,
// which stays in the core's cache.
class TiledProduct {
 public:
  /// `whole` describes the product; `right(part, key)` gives a part's right factor and completes
  /// the key.
  template <typename Right>
  TiledProduct(const ProductKey& whole, const Cut& rows, const Cut& columns, bool dense,
               const Right& right)
      : whole_(whole),
        rows_(rows),
        columns_(columns),
        copies_a_(dense && whole.a_transposed && rows.parts > 1),
        copies_c_(dense && columns.parts > 1),
        low_(rows.extent / rows.parts) {
    for (int64_t part = 0; part < columns_.parts; ++part) {
      ProductKey key = whole;
      key.n = columns_.size(part);
      if (copies_c_) {
        key.c_stride = key.n;
        key.accumulate = false;
      }
      factors_.push_back(right(part, &key));
      // Tiles are of two heights at most.
      for (const int64_t height : {low_, low_ + 1}) {
        const bool exists = height == low_ || rows_.extent % rows_.parts != 0;
        key.m = height;
        if (copies_a_) key.a_stride = height;
        products_.push_back(exists ? compiled_product(key, factors_.back().desc) : nullptr);
        if (!exists) continue;
        const memory::desc pad = products_.back()->desc.scratchpad_desc();
        pad_bytes_ = std::max(pad_bytes_, aligned(static_cast<int64_t>(pad.get_size())));
        if (copies_a_) a_bytes_ = std::max(a_bytes_, aligned(height * key.k * size(key.factors)));
        if (copies_c_) c_bytes_ = std::max(c_bytes_, aligned(height * key.n * size(key.result)));
      }
    }
  }

  void run(const Tensor& a, const Tensor& bias, Tensor& c,
           const std::shared_ptr<Allocator>& scratch) const {
    const int64_t tiles = rows_.parts * columns_.parts;
    const int workers = static_cast<int>(std::min<int64_t>(thread_count(), tiles));
    const int64_t bytes = pad_bytes_ + a_bytes_ + c_bytes_;
    Tensor space({workers * bytes}, DType::kU8, scratch);
    parallel_for_dynamic(tiles, workers, [&](int64_t tile, int worker) {
      // Neighbours in time share the right factor, which is the larger one.
      run_tile(tile % rows_.parts, tile / rows_.parts, a, bias, c,
               static_cast<char*>(space.raw()) + worker * bytes);
    });
  }

 private:
  static int64_t size(DType dtype) { return static_cast<int64_t>(dtype_size(dtype)); }

  void run_tile(int64_t row, int64_t column, const Tensor& a, const Tensor& bias, Tensor& c,
                char* space) const {
    const OneThread single;
    const int64_t first_row = rows_.begin(row);
    const int64_t first_column = columns_.begin(column);
    const int64_t height = rows_.size(row);
    const Product& product = *products_[static_cast<size_t>(2 * column + (height - low_))];
    const dnnl::matmul::primitive_desc& desc = product.desc;
    const char* left = at(a, whole_.a_transposed ? first_row : first_row * whole_.a_stride);
    if (copies_a_) {
      char* copy = space + pad_bytes_;
      copy_lines(left, whole_.a_stride * size(whole_.factors), whole_.k,
                 height * size(whole_.factors), copy, height * size(whole_.factors));
      left = copy;
    }
    char* const target = static_cast<char*>(c.raw()) +
                         (first_row * whole_.c_stride + first_column) * size(whole_.result);
    char* const result = copies_c_ ? space + pad_bytes_ + a_bytes_ : target;
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, view_memory(desc.src_desc(), left)},
        {DNNL_ARG_WEIGHTS,
         view_memory(desc.weights_desc(), factors_[static_cast<size_t>(column)].data)},
        {DNNL_ARG_DST, view_memory(desc.dst_desc(), result)},
        {DNNL_ARG_SCRATCHPAD, view_memory(desc.scratchpad_desc(), space)}};
    if (whole_.bias) {
      arguments.emplace(DNNL_ARG_BIAS, view_memory(desc.bias_desc(), at(bias, first_column)));
    }
    dnnl::stream stream(cpu_engine());
    product.primitive.execute(stream, arguments);
    stream.wait();
    if (!copies_c_) return;
    const int64_t width = columns_.size(column);
    if (whole_.accumulate) {
      add_lines(reinterpret_cast<const float*>(result), height, width,
                reinterpret_cast<float*>(target), whole_.c_stride);
    } else {
      copy_lines(result, width * size(whole_.result), height, width * size(whole_.result), target,
                 whole_.c_stride * size(whole_.result));
    }
  }

  // `count` lines of `bytes`, so many bytes from one to the next.
  static void copy_lines(const char* from, int64_t from_stride, int64_t count, int64_t bytes,
                         char* to, int64_t to_stride) {
    for (int64_t line = 0; line < count; ++line) {
      std::memcpy(to + line * to_stride, from + line * from_stride, static_cast<size_t>(bytes));
    }
  }

  static void add_lines(const float* from, int64_t count, int64_t width, float* to,
                        int64_t to_stride) {
    for (int64_t line = 0; line < count; ++line, from += width, to += to_stride) {
      for (int64_t i = 0; i < width; ++i) to[i] += from[i];
    }
  }

  ProductKey whole_;
  Cut rows_;
  Cut columns_;
  bool copies_a_;
  bool copies_c_;
  int64_t low_;
  std::vector<RightFactor> factors_;
  std::vector<std::shared_ptr<const Product>> products_;
  int64_t pad_bytes_ = 0;
  int64_t a_bytes_ = 0;
  int64_t c_bytes_ = 0;
};

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

std::shared_ptr<PackedFactor> pack(const MatrixView& b, const Cut& columns, DType precision,
                                   const std::shared_ptr<Allocator>& allocator) {
  const OneThread single;
  const int64_t k = b.data.dim(b.transposed ? 1 : 0);
  auto packed = std::make_shared<PackedFactor>(k, columns, precision, allocator);
  packed->fill(b);
  return packed;
}

void multiply(const ProductKey& whole, const Cut& rows, const Tensor& a, const PackedFactor& b,
              const Tensor& bias, Tensor& c, const std::shared_ptr<Allocator>& scratch) {
  const OneThread single;
  const TiledProduct product(whole, rows, b.cut(), /*dense=*/true,
                             [&](int64_t index, ProductKey* key) -> RightFactor {
                               const PackedFactor::Part& part = b.part(index);
                               key->layout = part.layout;
                               return {part.desc, at(b.data(), part.offset)};
                             });
  product.run(a, bias, c, scratch);
}

}  // namespace

std::shared_ptr<const PackedFactor> pack_factor(const MatrixView& b, DType precision,
                                                const std::shared_ptr<Allocator>& allocator) {
  return guarded([&] {
    const int64_t k = b.data.dim(b.transposed ? 1 : 0);
    const int64_t n = b.data.dim(b.transposed ? 0 : 1);
    return pack(b, cut_columns(n, k), precision, allocator);
  });
}

void matmul(const MatrixView& a, const MatrixView& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch) {
  if (c.count() == 0) return;
  guarded([&] {
    ProductKey whole = describe_product(a, options, c);
    const Cut rows = cut_rows(whole.m, whole.n, whole.k);
    const bool wide = whole.a_transposed && whole.m >= kTallProduct;
    const Cut columns = cut_columns(whole.n, whole.k, wide ? kWideTileColumns : kTileColumns);
    // Packing pays where several tiles share what is packed.
    if (rows.parts > 1) {
      multiply(whole, rows, a.data, *pack(b, columns, whole.factors, scratch), options.bias, c,
               scratch);
      return;
    }
    const OneThread single;
    whole.b_transposed = b.transposed;
    whole.b_stride = b.data.dim(1);
    const TiledProduct product(
        whole, rows, columns, /*dense=*/false, [&](int64_t part, ProductKey* key) -> RightFactor {
          const int64_t first = columns.begin(part);
          return {plain_desc(key->k, key->n, key->b_stride, key->factors, b.transposed),
                  at(b.data, b.transposed ? first * key->b_stride : first)};
        });
    product.run(a.data, options.bias, c, scratch);
  });
}

void matmul(const MatrixView& a, const PackedFactor& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch) {
  if (c.count() == 0) return;
  guarded([&] {
    const ProductKey whole = describe_product(a, options, c);
    multiply(whole, cut_rows(whole.m, whole.n, whole.k), a.data, b, options.bias, c, scratch);
  });
}

bool has_bf16_matmul() {
  static const bool available = [] {
    const ProductKey key{.m = 64,
                         .n = 64,
                         .k = 64,
                         .a_stride = 64,
                         .c_stride = 64,
                         .factors = DType::kBF16,
                         .result = DType::kF32};
    const memory::desc b = plain_desc(64, 64, 64, DType::kBF16, false);
    try {
      const std::string name = describe(key, b).impl_info_str();
      const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
#if defined(__x86_64__)
      // Intel's dot product of bf16 pairs (AVX-512 BF16) does as much in a cycle as its two f32
      // ones and oneDNN gets 0.6 of their speed out of it; AMD's does twice as much. Below AVX-512
      // BF16, oneDNN widens as it reads, which takes four times as long as f32.
      return is("amx") || (is("bf16") && is("brg") && !__builtin_cpu_is("intel"));
#else
      // The reference implementation is a scalar loop.
      return !is("ref");
#endif
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return available;
}

}  // namespace ata::cpu
