#include <algorithm>

#include "api/boundary.h"
#include "api/handles.h"
#include "base/threads.h"
#include "train/trainer.h"

using ata::api::flag_of;
using ata::api::guard;
using ata::api::init_options;
using ata::api::options_or_default;
using ata::api::require_pointer;

struct ata_trainer {
  ata::Trainer trainer;
  /// For ThreadLimit.
  int threads = 0;
};

ata_status ata_train_options_init(ata_train_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, ata::TrainOptions().to_c(), "ata_train_options");
}

ata_status ata_trainer_create(ata_model* model, const ata_train_options* options,
                              ata_trainer** trainer) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(trainer, "trainer");
    const ata_train_options checked =
        options_or_default(options, ata::TrainOptions().to_c(), "ata_train_options");
    const int threads = ata::api::thread_limit(checked.threads, "ata_train_options.threads");
    const ata::ThreadLimit limit(threads);
    *trainer =
        new ata_trainer{ata::Trainer(model->model, ata::TrainOptions::from_c(checked)), threads};
  });
}

void ata_trainer_release(ata_trainer* trainer) noexcept {
  delete trainer;
}

ata_status ata_trainer_accumulate(ata_trainer* trainer, const ata_tensor* clips,
                                  const ata_tensor* targets, float weight,
                                  const ata_cancellation* cancellation, float* logits,
                                  size_t logits_count, float* loss) noexcept {
  return guard([&] {
    require_pointer(trainer, "trainer");
    require_pointer(clips, "clips");
    require_pointer(targets, "targets");
    require_pointer(loss, "loss");
    const ata::Device& device = trainer->trainer.model().device();
    if (logits != nullptr) {
      // Checked before the work, so that a wrong buffer costs nothing.
      const ata::Tensor& tensor = clips->tensor;
      const int64_t batch = tensor.rank() > 0 ? tensor.dim(0) : 0;
      const auto classes = static_cast<size_t>(trainer->trainer.model().config().classes);
      ata::require(
          logits_count % classes == 0 && logits_count / classes == static_cast<size_t>(batch),
          "logits has room for ", logits_count, " values, not for ", batch, " clips of ", classes,
          " classes");
    }
    const ata::ThreadLimit limit(trainer->threads);
    const ata::Trainer::Batch batch = trainer->trainer.accumulate(
        ata::api::tensor_for(device, clips, "clips"),
        ata::api::brought_to_host(device, targets, "targets"), weight, flag_of(cancellation));
    if (logits != nullptr) {
      const auto values = batch.logits.values<float>();
      std::copy(values.begin(), values.end(), logits);
    }
    *loss = batch.loss;
  });
}

ata_status ata_trainer_update(ata_trainer* trainer, double learning_rate,
                              double* gradient_norm) noexcept {
  return guard([&] {
    require_pointer(trainer, "trainer");
    const ata::ThreadLimit limit(trainer->threads);
    const double norm = trainer->trainer.update(learning_rate);
    if (gradient_norm != nullptr) *gradient_norm = norm;
  });
}

int64_t ata_trainer_update_count(const ata_trainer* trainer) noexcept {
  return trainer ? trainer->trainer.update_count() : 0;
}

ata_status ata_trainer_get_averaged_model(const ata_trainer* trainer, ata_model** model) noexcept {
  return guard([&] {
    require_pointer(trainer, "trainer");
    require_pointer(model, "model");
    const ata::ThreadLimit limit(trainer->threads);
    *model = new ata_model(trainer->trainer.averaged_model());
  });
}

ata_status ata_trainer_save(const ata_trainer* trainer, const char* path,
                            const char* state) noexcept {
  return guard([&] {
    require_pointer(trainer, "trainer");
    require_pointer(path, "path");
    trainer->trainer.save(path, state);
  });
}

ata_status ata_trainer_load(ata_trainer* trainer, const char* path) noexcept {
  return guard([&] {
    require_pointer(trainer, "trainer");
    require_pointer(path, "path");
    const ata::ThreadLimit limit(trainer->threads);
    trainer->trainer.load(path);
  });
}
