#include "peer.h"

#include <fstream>
#include <istream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>

#include "assignment/assignment.h"
#include "model/session.h"
#include "ops/assigner.h"
#include "train/trainer.h"

namespace ata::bench {
namespace {

using nlohmann::json;

ata_precision precision_of(const json& request) {
  const std::string name = request.at("precision");
  if (name == "bf16") return ATA_PRECISION_BF16;
  require(name == "f32", "precision is '", name, "'; it must be f32 or bf16");
  return ATA_PRECISION_F32;
}

ata_temporal_mode mode_of(const json& request) {
  const std::string name = request.at("mode");
  for (const ata_temporal_mode mode :
       {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
    if (name == temporal_mode_name(mode)) return mode;
  }
  fail(ATA_INVALID_ARGUMENT, "mode is '", name, "'");
}

class Peer {
 public:
  explicit Peer(const Setting& setting)
      : setting_(setting), context_(make_context(setting.device)) {}

  json answer(const json& request) {
    const std::string what = request.at("do");
    if (what == "load") {
      path_ = request.at("model");
      runs_.clear();
      return json::object();
    }
    if (what == "logits") return logits(request);
    if (what == "losses") return losses(request);
    if (what == "forward" || what == "step") return timed(request);
    require(what == "assignment", "'", what, "' is no request");
    return assignment(request);
  }

 private:
  std::shared_ptr<Model> load(const json& request, bool trainable) const {
    ModelOptions options;
    options.device = &setting_.device;
    options.precision = trainable ? ATA_PRECISION_F32 : precision_of(request);
    options.trainable = trainable;
    if (request.contains("mode")) options.temporal = mode_of(request);
    return Model::load(path_, options);
  }

  static Tensor read_clips(const json& request, const ModelConfig& config) {
    const std::string path = request.at("clips");
    Tensor clips({request.at("batch"), 3, config.frames, config.image_size, config.image_size},
                 DType::kF32);
    std::ifstream file(path, std::ios::binary);
    file.read(static_cast<char*>(clips.raw()), static_cast<std::streamsize>(clips.bytes()));
    require(file.good() && file.peek() == std::ifstream::traits_type::eof(), "'", path,
            "' does not hold clips f32 ", clips.shape().to_string());
    return clips;
  }

  json logits(const json& request) const {
    Session session(load(request, false));
    const Tensor logits = session.forward(read_clips(request, session.model().config()));
    const auto values = logits.values<float>();
    return {{"logits", std::vector<float>(values.begin(), values.end())}};
  }

  json losses(const json& request) const {
    const std::shared_ptr<Model> model = load(request, true);
    TrainOptions options;
    options.precision = precision_of(request);
    Trainer trainer(model, options);
    const Tensor clips = read_clips(request, model->config());
    const std::vector<int64_t> values = request.at("labels");
    Tensor labels({clips.dim(0)}, DType::kI64);
    require(values.size() == static_cast<size_t>(labels.count()), "there are ", values.size(),
            " labels for ", labels.count(), " clips");
    std::copy(values.begin(), values.end(), labels.data<int64_t>());
    json result = json::array();
    for (int step = 0; step < request.at("steps").get<int>(); ++step) {
      result.push_back(trainer.accumulate(clips, labels, 1.0f).loss);
      trainer.update(request.at("rate"));
    }
    return {{"losses", std::move(result)}};
  }

  json timed(const json& request) {
    const std::string key = request.dump();
    auto found = runs_.find(key);
    if (found == runs_.end()) found = runs_.emplace(key, make_run(request)).first;
    return {{"seconds", time_calls(context_, found->second, /*each=*/true).median},
            {"device", setting_.device.info().description}};
  }

  std::function<void()> make_run(const json& request) const {
    const int64_t batch = request.at("batch");
    if (request.at("do") == "forward") {
      auto session = std::make_shared<Session>(load(request, false));
      const Tensor clips = clips_on(context_, session->model().config(), batch);
      context_.synchronize();
      return [=] { session->forward(clips); };
    }
    TrainOptions options;
    options.precision = precision_of(request);
    auto trainer = std::make_shared<Trainer>(load(request, true), options);
    const Tensor clips = clips_on(context_, trainer->model().config(), batch);
    const Tensor labels = Tensor::zeros({batch}, DType::kI64);
    context_.synchronize();
    return [=] {
      trainer->accumulate(clips, labels, 1.0f);
      trainer->update(1e-5);
    };
  }

  json assignment(const json& request) const {
    const std::string kind = request.at("kind"), path = request.at("values");
    require(kind == "easy" || kind == "hard", "kind is '", kind, "'; it must be easy or hard");
    const int64_t count = request.at("count"), size = request.at("size");
    const Tensor values =
        similarity_matrices(kind == "easy" ? MatrixKind::kEasy : MatrixKind::kHard, count, size);
    std::ofstream file(path, std::ios::binary);
    file.write(static_cast<const char*>(values.raw()),
               static_cast<std::streamsize>(values.bytes()));
    file.close();
    require(!file.fail(), "cannot write '", path, "'");
    const Tensor there = context_.copy(values);
    Tensor matching = context_.empty({count, size}, DType::kI32);
    Tensor totals = context_.empty({count}, DType::kF64);
    std::shared_ptr<AssignmentScratch> scratch;
    const auto run = [&] {
      Tensor none;
      context_.run(&Kernels::assign, there, AssignmentOptions{}, &scratch, none, matching, totals);
    };
    const double seconds = time_calls(context_, run, /*each=*/true).median;
    const Tensor found = context_.download(totals);
    const auto sums = found.values<double>();
    return {{"seconds", seconds}, {"totals", std::vector<double>(sums.begin(), sums.end())}};
  }

  const Setting& setting_;
  const Context context_;
  std::string path_;
  std::map<std::string, std::function<void()>> runs_;
};

}  // namespace

void serve(const Setting& setting, std::istream& requests, std::ostream& answers) {
  Peer peer(setting);
  std::string line;
  while (std::getline(requests, line)) {
    json answer;
    try {
      answer = peer.answer(json::parse(line));
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    answers << answer.dump() << std::endl;
  }
}

}  // namespace ata::bench
