#include "ops/assigner.h"

#include <algorithm>

namespace ata {

Tensor Assigner::in(Tensor& buffer, const Shape& shape, DType dtype) const {
  if (!buffer || buffer.count() < shape.count()) buffer = context_.empty({shape.count()}, dtype);
  return buffer.slice(0, shape.count()).reshape(shape);
}

void Assigner::solve(const Tensor& values, int32_t* matching, double* totals,
                     double* column_duals) {
  check_assignment(values, column_duals != nullptr);
  const int64_t count = values.dim(0);
  Tensor matched = in(matching_, {count, values.dim(1)}, DType::kI32);
  Tensor sums = in(totals_, {count}, DType::kF64);
  const Shape prices = {count, values.dim(2)};
  // Also when there are none, so that memory does not depend on who asks for them first.
  Tensor duals = in(column_duals_, prices, DType::kF64);
  if (column_duals != nullptr) {
    context_.assign(duals, Tensor::wrap(column_duals, prices, DType::kF64, nullptr));
  } else {
    duals = Tensor();
  }
  context_.run(&Kernels::assign, context_.upload(values), options_, &scratch_, duals, matched,
               sums);
  const auto write = [&](const Tensor& tensor, auto* to) {
    const Tensor host = context_.download(tensor, /*may_share=*/true);
    const auto from = host.values<std::remove_pointer_t<decltype(to)>>();
    std::copy(from.begin(), from.end(), to);
  };
  write(matched, matching);
  if (totals != nullptr) write(sums, totals);
  if (column_duals != nullptr) write(duals, column_duals);
}

}  // namespace ata
