#include "ops/context.h"

namespace ata {

Context on_queue_of(const std::shared_ptr<Stream>& stream, std::shared_ptr<Allocator> allocator) {
  auto* const other = new Stream(*stream);
  // The queue is the original's, and lives as long as this does.
  std::shared_ptr<Stream> result(other, [stream](Stream* copy) { delete copy; });
  result->allocator = std::move(allocator);
  return {.stream = std::move(result)};
}

Tensor Context::zeros(Shape shape, DType dtype) const {
  Tensor tensor = empty(shape, dtype);
  fill_zero(tensor);
  return tensor;
}

void Context::fill_zero(Tensor& tensor) const {
  stream->device.fill(tensor.address(), 0, tensor.bytes(), *stream);
}

Tensor Context::copy(const Tensor& tensor) const {
  Tensor result = empty(tensor.shape(), tensor.dtype());
  assign(result, tensor);
  return result;
}

void Context::assign(Tensor& to, const Tensor& from) const {
  Device& device = stream->device;
  if (from.device() != nullptr) {
    device.copy(to.address(), from.address(), to.bytes(), *stream);
  } else {
    device.copy_in(to.address(), from.address(), to.bytes(), *stream);
  }
}

Tensor Context::upload(const Tensor& tensor) const {
  if (!tensor || tensor.device() == stream->allocator->device()) return tensor;
  if (tensor.device() != nullptr) {
    fail(ATA_INTERNAL, "a tensor of device '", tensor.device()->info().name,
         "' is uploaded to device '", stream->device.info().name, "'");
  }
  return copy(tensor);
}

Tensor Context::download(const Tensor& tensor, bool may_share) const {
  if (may_share && tensor.device() == nullptr) return tensor;
  return download(std::span(&tensor, 1)).front();
}

std::vector<Tensor> Context::download(std::span<const Tensor> tensors) const {
  std::vector<Tensor> results;
  std::vector<CopyOut> copies;
  for (const Tensor& tensor : tensors) {
    if (!tensor || tensor.device() == nullptr) {
      results.push_back(tensor ? tensor.clone() : Tensor());
      continue;
    }
    Tensor& result = results.emplace_back(tensor.shape(), tensor.dtype());
    copies.push_back({result.address(), tensor.address(), tensor.bytes()});
  }
  if (!copies.empty()) stream->device.copy_out(copies, *stream);
  return results;
}

void Context::clear_status() const {
  fill_zero(stream->status);
}

void Context::check_status(const char* pass, ata_status not_finite) const {
  check_status(download(stream->status, /*may_share=*/true), pass, not_finite);
}

void Context::check_status(const Tensor& word, const char* pass, ata_status not_finite) const {
  const int32_t status = *word.data<int32_t>();
  if (status == 0) return;
  clear_status();
  require(!(status & kClassOutOfRange), pass, ": a class index lies outside the classes");
  require(!(status & kPatchOutOfRange), pass, ": trajectories hold an index outside the patches");
  fail(not_finite, pass, ": features that were to be aligned are not finite");
}

void Context::check_cancelled() const {
  if (cancelled && cancelled->load(std::memory_order_relaxed)) {
    fail(ATA_CANCELLED, "the call was cancelled");
  }
}

Tensor& Context::new_gradient(const Variable& variable) const {
  const Tensor& memory = variable.gradient_memory();
  variable.set_gradient(memory ? memory : empty(variable.value().shape()));
  return variable.gradient();
}

Tensor& Context::gradient(const Variable& variable) const {
  if (!variable.gradient()) {
    fill_zero(new_gradient(variable));
  }
  return variable.gradient();
}

void Context::accumulate_gradient(const Variable& variable, Tensor gradient) const {
  if (!variable.requires_gradient()) return;
  if (variable.gradient()) {
    run(&Kernels::add, gradient, variable.gradient());
  } else if (variable.gradient_memory()) {
    run(&Kernels::convert, gradient, new_gradient(variable));
  } else {
    variable.set_gradient(std::move(gradient));
  }
}

void Context::backward(const Variable& loss) const {
  require(loss.defined() && loss.value().count() == 1,
          "backward starts from a loss of one element, not from a tensor of shape ",
          loss.defined() ? loss.value().shape().to_string() : "[]");
  Tensor one(loss.value().shape(), DType::kF32);
  one.data<float>()[0] = 1.0f;
  // A copy: the first operation may hand it on as a gradient that others write to.
  tape->backward(loss, copy(one));
}

Context make_context(Device& device) {
  return {.stream = device.make_stream(device.memory())};
}

Context lasting_context(const std::shared_ptr<Stream>& stream) {
  return on_queue_of(stream, stream->device.memory());
}

Context scratch_context(const std::shared_ptr<Stream>& stream) {
  return on_queue_of(stream, make_workspace(stream->device.memory()));
}

}  // namespace ata
