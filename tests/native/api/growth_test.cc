// Structs of callers that were compiled for an older or a newer release, in every struct that has a
// `struct_size`, at every size that a release could have had.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ata/ata.h"
#include "handles.h"
#include "support/scratch.h"

namespace {

using Bytes = std::vector<unsigned char>;

struct Field {
  std::string name;
  size_t offset;
  size_t size;
};

// The fields of a struct, without struct_size.
std::vector<Field> fields_of(const std::string& type) {
  std::vector<Field> fields;
  size_t count = 0;
  const ata_abi_entry* entries = ata_abi_layout(&count);
  for (size_t i = 0; i < count; ++i) {
    const ata_abi_entry& entry = entries[i];
    if (entry.struct_name != type || entry.field_name == nullptr) continue;
    if (std::string(entry.field_name) == "struct_size") continue;
    fields.push_back({entry.field_name, entry.offset, entry.size});
  }
  return fields;
}

// Whether a struct can have ended there: a field that is appended begins where the older struct
// ended, padding included.
bool is_an_end(const std::vector<Field>& fields, size_t size) {
  return std::none_of(fields.begin(), fields.end(), [size](const Field& field) {
    return field.offset < size && size < field.offset + field.size;
  });
}

void set_size(Bytes& bytes, size_t size) {
  std::memcpy(bytes.data(), &size, sizeof(size));
}

template <typename T>
Bytes bytes_of(const T& value) {
  Bytes bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// A struct that callers fill in, or that they let be filled in.
struct Case {
  std::string type;
  /// One that is fine as a whole.
  Bytes value;
  /// Gives it to a function.
  std::function<ata_status(const void*)> use;
  /// Its `_init`; empty if it has none.
  std::function<ata_status(void*, size_t)> init = {};
  /// The end of the last field that a caller cannot do without.
  size_t least = 0;
};

class Growth : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ata_model_config config;
    ASSERT_EQ(ata_model_config_init("vit-tiny", &config, sizeof(config)), ATA_OK);
    config.image_size = 32;
    config.backbone = R"({"patch_size": 16, "dim": 16, "depth": 1, "heads": 2})";
    config.frames = 2;
    config.classes = 3;
    config_ = config;
    ata_model* model = nullptr;
    ASSERT_EQ(ata_model_create(&config, 1, nullptr, &model), ATA_OK) << ata_last_error();
    model_.reset(model);
    scratch_ = std::make_unique<ata::Scratch>();
    path_ = scratch_->path("growth.safetensors");
    ASSERT_EQ(ata_model_save(model, path_.c_str()), ATA_OK) << ata_last_error();
    ata_session* session = nullptr;
    ASSERT_EQ(ata_session_create(model, nullptr, &session), ATA_OK);
    session_.reset(session);
    clip_ = make({1, 3, 2, 32, 32});
    samples_ = make({64, 2});
    others_ = make({64, 3});
    // Only when totals are maximised does this forbid a pair, and not spoil the total.
    forbidding_ = make({2, 2});
    static_cast<float*>(info_of(forbidding_.get()).data)[1] =
        -std::numeric_limits<float>::infinity();
    features_ = make({1, 2, 4, 8});
    video_path_ = scratch_->path("growth.avi");
    ata_video_writer* writer = nullptr;
    const ata_status status = ata_video_writer_create(video_path_.c_str(), 32, 32, 25, &writer);
    if (status == ATA_LIBRARY_UNAVAILABLE) GTEST_SKIP() << ata_last_error();
    ASSERT_EQ(status, ATA_OK) << ata_last_error();
    std::vector<uint8_t> pixels(32 * 32 * 3, 90);
    const auto frame = wrap(pixels.data(), pixels.size(), ATA_U8, {32, 32, 3});
    for (int i = 0; i < 40; ++i) ASSERT_EQ(ata_video_writer_add(writer, frame.get()), ATA_OK);
    ASSERT_EQ(ata_video_writer_finish(writer), ATA_OK) << ata_last_error();
    ata_video_writer_release(writer);
    ASSERT_EQ(ata_video_open(video_path_.c_str(), nullptr, &video_), ATA_OK) << ata_last_error();
  }

  static void TearDownTestSuite() {
    ata_video_release(std::exchange(video_, nullptr));
    for (auto* tensor : {&clip_, &samples_, &others_, &forbidding_, &features_}) tensor->reset();
    session_.reset();
    model_.reset();
    scratch_.reset();
  }

  static Handle<ata_tensor> make(std::initializer_list<int64_t> shape) {
    ata_tensor* tensor = nullptr;
    EXPECT_EQ(ata_tensor_create(ATA_F32, shape.begin(), static_cast<int32_t>(shape.size()), nullptr,
                                &tensor),
              ATA_OK);
    auto* values = static_cast<float*>(info_of(tensor).data);
    for (size_t i = 0; i < info_of(tensor).size / sizeof(float); ++i) {
      values[i] = std::sin(static_cast<float>(i * i) * 0.37f);
    }
    return Handle<ata_tensor>(tensor);
  }

  template <typename Options>
  static Case options(const char* type, ata_status (*init)(Options*, size_t) noexcept,
                      std::function<ata_status(const Options*)> use) {
    Options defaults;
    EXPECT_EQ(init(&defaults, sizeof(defaults)), ATA_OK) << ata_last_error();
    return {type, bytes_of(defaults),
            [use](const void* bytes) { return use(static_cast<const Options*>(bytes)); },
            [init](void* bytes, size_t size) { return init(static_cast<Options*>(bytes), size); }};
  }

  // Releases what a call made, and keeps its status.
  template <typename T>
  static ata_status drop(ata_status status, T* made) {
    Release()(made);
    return status;
  }

  static std::vector<Case> inputs() {
    std::vector<Case> cases = {
        options<ata_alignment_options>(
            "ata_alignment_options", ata_alignment_options_init,
            [](const ata_alignment_options* given) {
              ata_tensor* made = nullptr;
              return drop(ata_align(features_.get(), given, &made, nullptr), made);
            }),
        options<ata_assign_options>(
            "ata_assign_options", ata_assign_options_init,
            [](const ata_assign_options* given) {
              ata_tensor* made = nullptr;
              return drop(ata_assign(forbidding_.get(), given, &made, nullptr, 0), made);
            }),
        options<ata_mi_options>("ata_mi_options", ata_mi_options_init,
                                [](const ata_mi_options* given) {
                                  double nats = 0;
                                  return ata_mutual_information_estimate(
                                      samples_.get(), others_.get(), given, &nats);
                                }),
        options<ata_model_options>("ata_model_options", ata_model_options_init,
                                   [](const ata_model_options* given) {
                                     ata_model* made = nullptr;
                                     return drop(ata_model_load(path_.c_str(), given, &made), made);
                                   }),
        options<ata_import_options>("ata_import_options", ata_import_options_init,
                                    [](const ata_import_options* given) {
                                      ata_model* made = nullptr;
                                      return drop(ata_model_import(path_.c_str(), given, &made),
                                                  made);
                                    }),
        options<ata_temporal_block_options>(
            "ata_temporal_block_options", ata_temporal_block_options_init,
            [](const ata_temporal_block_options* given) {
              ata_temporal_block* made = nullptr;
              return drop(ata_temporal_block_create(64, given, nullptr, &made), made);
            }),
        options<ata_train_options>("ata_train_options", ata_train_options_init,
                                   [](const ata_train_options* given) {
                                     ata_trainer* made = nullptr;
                                     return drop(ata_trainer_create(model_.get(), given, &made),
                                                 made);
                                   }),
        options<ata_video_options>("ata_video_options", ata_video_options_init,
                                   [](const ata_video_options* given) {
                                     ata_video* made = nullptr;
                                     const ata_status status =
                                         ata_video_open(video_path_.c_str(), given, &made);
                                     ata_video_release(made);
                                     return status;
                                   }),
        options<ata_clip_options>(
            "ata_clip_options", ata_clip_options_init,
            [](const ata_clip_options* given) {
              ata_tensor* made = nullptr;
              return drop(ata_video_sample(video_, given, nullptr, &made, nullptr), made);
            }),
    };
    cases.push_back(options<ata_session_options>(
        "ata_session_options", ata_session_options_init, [](const ata_session_options* given) {
          ata_session* made = nullptr;
          return drop(ata_session_create(model_.get(), given, &made), made);
        }));
    static float logits[3];
    Case outputs = options<ata_session_outputs>(
        "ata_session_outputs", ata_session_outputs_init, [](const ata_session_outputs* given) {
          return ata_session_run(session_.get(), clip_.get(), nullptr, given);
        });
    ata_session_outputs wanted = {};
    wanted.struct_size = sizeof(wanted);
    wanted.logits = logits;
    wanted.logits_count = 3;
    outputs.value = bytes_of(wanted);
    outputs.least = offsetof(ata_session_outputs, class_token);
    cases.push_back(outputs);

    // What a smaller one lacks would be that of a large model.
    cases.push_back(
        {"ata_model_config", bytes_of(config_),
         [](const void* bytes) {
           ata_model* made = nullptr;
           return drop(
               ata_model_create(static_cast<const ata_model_config*>(bytes), 1, nullptr, &made),
               made);
         },
         [](void* bytes, size_t size) {
           return ata_model_config_init("vit-tiny", static_cast<ata_model_config*>(bytes), size);
         },
         offsetof(ata_model_config, temporal)});
    static const unsigned char pixels[2 * 2 * 3] = {};
    ata_frame_layout layout;
    EXPECT_EQ(ata_frame_layout_init(&layout, sizeof(layout)), ATA_OK);
    layout.width = layout.height = 2;
    cases.push_back({"ata_frame_layout", bytes_of(layout),
                     [](const void* bytes) {
                       const std::vector<const void*> frames(32, pixels);
                       ata_tensor* made = nullptr;
                       return drop(ata_clip_from_frames(frames.data(), frames.size(),
                                                        static_cast<const ata_frame_layout*>(bytes),
                                                        nullptr, nullptr, &made, nullptr),
                                   made);
                     },
                     [](void* bytes, size_t size) {
                       return ata_frame_layout_init(static_cast<ata_frame_layout*>(bytes), size);
                     },
                     offsetof(ata_frame_layout, matrix)});
    static float element = 1;
    cases.push_back({"ata_tensor_info",
                     bytes_of(describe(&element, 4, ATA_F32, {})),
                     [](const void* bytes) {
                       ata_tensor* made = nullptr;
                       return drop(ata_tensor_wrap(static_cast<const ata_tensor_info*>(bytes),
                                                   nullptr, nullptr, &made),
                                   made);
                     },
                     {},
                     offsetof(ata_tensor_info, shape)});
    return cases;
  }

  static inline ata_model_config config_;
  static inline std::unique_ptr<ata::Scratch> scratch_;
  static inline std::string path_, video_path_;
  static inline Handle<ata_model> model_;
  static inline Handle<ata_session> session_;
  static inline Handle<ata_tensor> clip_, samples_, others_, forbidding_, features_;
  static inline ata_video* video_ = nullptr;
};

// A poisoned one must not be followed.
bool is_pointer(const std::string& field) {
  static const std::set<std::string> pointers = {
      "device",       "new_parameters",    "frozen",
      "data",         "strides",           "logits",
      "class_token",  "features",          "feature_blocks",
      "trajectories", "trajectory_blocks", "key",
      "ignore"};
  return pointers.count(field) > 0;
}

TEST_F(Growth, OlderCallersFieldsAreReadAndNoOthers) {
  for (const Case& test : inputs()) {
    ASSERT_EQ(test.use(test.value.data()), ATA_OK) << test.type << ": " << ata_last_error();
    size_t tried = 0, noticed = 0;
    for (const Field& field : fields_of(test.type)) {
      const size_t end = field.offset + field.size;
      SCOPED_TRACE(test.type + "." + field.name);
      if (end < test.least) continue;
      // Older structs were padded, too.
      for (const size_t size : {end, (end + 7) / 8 * 8}) {
        if (!is_an_end(fields_of(test.type), size)) continue;
        Bytes given = test.value;
        std::fill(given.begin() + static_cast<std::ptrdiff_t>(std::min(size, given.size())),
                  given.end(), 0xFF);
        set_size(given, size);
        EXPECT_EQ(test.use(given.data()), ATA_OK) << size << " bytes: " << ata_last_error();
        ++tried;
      }
      if (is_pointer(field.name)) continue;
      for (const unsigned char poison : {0x00, 0xFF}) {
        Bytes given = test.value;
        std::fill_n(given.begin() + static_cast<std::ptrdiff_t>(field.offset), field.size, poison);
        const ata_status expected = test.use(given.data());
        const std::string message = expected == ATA_OK ? "" : ata_last_error();
        set_size(given, end);
        EXPECT_EQ(test.use(given.data()), expected) << ata_last_error();
        if (expected != ATA_OK) {
          EXPECT_EQ(message, ata_last_error());
          ++noticed;
        }
      }
    }
    EXPECT_GT(tried, 0u) << test.type;
    EXPECT_GT(noticed, 0u) << test.type;
  }
}

TEST_F(Growth, NewerCallersAreServedUnlessTheySetWhatIsUnknown) {
  for (const Case& test : inputs()) {
    SCOPED_TRACE(test.type);
    for (const size_t more : {1, 8, 40}) {
      Bytes given = test.value;
      given.resize(given.size() + more, 0);
      set_size(given, given.size());
      EXPECT_EQ(test.use(given.data()), ATA_OK) << ata_last_error();
      given.back() = 1;
      EXPECT_EQ(test.use(given.data()), ATA_INVALID_ARGUMENT);
      const std::string message = ata_last_error();
      EXPECT_NE(message.find(test.type), std::string::npos) << message;
      EXPECT_NE(message.find("byte " + std::to_string(given.size() - 1)), std::string::npos)
          << message;
    }
  }
}

TEST_F(Growth, SizesOfNoReleaseAreRefused) {
  for (const Case& test : inputs()) {
    std::vector<size_t> sizes = {0, 1, sizeof(size_t) - 1, sizeof(size_t), 4097, SIZE_MAX};
    for (const Field& field : fields_of(test.type)) {
      if (field.size > 1) sizes.push_back(field.offset + 1);
      if (field.size > 1) sizes.push_back(field.offset + field.size - 1);
    }
    for (const size_t size : sizes) {
      SCOPED_TRACE(test.type + " of " + std::to_string(size));
      Bytes given = test.value;
      set_size(given, size);
      EXPECT_EQ(test.use(given.data()), ATA_INVALID_ARGUMENT);
      EXPECT_NE(
          std::string(ata_last_error()).find(test.type + ".struct_size is " + std::to_string(size)),
          std::string::npos)
          << ata_last_error();
      if (!test.init) continue;
      Bytes untouched(test.value.size(), 0xAA);
      EXPECT_EQ(test.init(untouched.data(), size), ATA_INVALID_ARGUMENT);
      EXPECT_EQ(untouched, Bytes(test.value.size(), 0xAA));
    }
  }
}

// Calls `fill` for a struct of every size, and expects of what it writes that it is the beginning
// of `whole` and no more.
void expect_filled(const std::string& type, const Bytes& whole, bool zero_beyond,
                   const std::function<ata_status(void*, size_t)>& fill) {
  std::vector<size_t> sizes = {whole.size() + 1, whole.size() + 64};
  for (const Field& field : fields_of(type)) sizes.push_back(field.offset + field.size);
  for (const size_t size : sizes) {
    SCOPED_TRACE(type + " of " + std::to_string(size));
    Bytes given(whole.size() + 128, 0xAA);
    if (zero_beyond && size > whole.size()) {
      std::fill(given.begin() + static_cast<std::ptrdiff_t>(whole.size()), given.end(), 0);
    }
    const Bytes before = given;
    ASSERT_EQ(fill(given.data(), size), ATA_OK) << ata_last_error();
    size_t written = 0;
    std::memcpy(&written, given.data(), sizeof(written));
    EXPECT_EQ(written, size);
    // Padding may be anything.
    for (const Field& field : fields_of(type)) {
      if (field.offset + field.size > size) continue;
      const auto from = static_cast<std::ptrdiff_t>(field.offset);
      const auto to = static_cast<std::ptrdiff_t>(field.offset + field.size);
      EXPECT_TRUE(std::equal(given.begin() + from, given.begin() + to, whole.begin() + from))
          << field.name;
    }
    EXPECT_TRUE(std::all_of(
        given.begin() + static_cast<std::ptrdiff_t>(std::min(size, whole.size())),
        given.begin() + static_cast<std::ptrdiff_t>(size), [](int byte) { return byte == 0; }));
    EXPECT_TRUE(std::equal(given.begin() + static_cast<std::ptrdiff_t>(size), given.end(),
                           before.begin() + static_cast<std::ptrdiff_t>(size)));
  }
}

TEST_F(Growth, InitWritesNoMoreThanTheCallerHas) {
  for (const Case& test : inputs()) {
    if (!test.init) continue;
    Bytes whole(test.value.size());
    ASSERT_EQ(test.init(whole.data(), whole.size()), ATA_OK);
    expect_filled(test.type, whole, /*zero_beyond=*/false, test.init);
    EXPECT_EQ(test.init(nullptr, whole.size()), ATA_INVALID_ARGUMENT);
  }
}

// Where the last field of a struct ends; padding may follow.
size_t end_of_fields(const std::string& type) {
  size_t count = 0, end = 0;
  const ata_abi_entry* entries = ata_abi_layout(&count);
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].field_name == nullptr || entries[i].struct_name != type) continue;
    end = std::max(end, entries[i].offset + entries[i].size);
  }
  return end;
}

template <typename Info>
void expect_results(const char* type, const std::function<ata_status(Info*)>& read) {
  Info whole = {};
  whole.struct_size = sizeof(whole);
  ASSERT_EQ(read(&whole), ATA_OK) << ata_last_error();
  expect_filled(type, bytes_of(whole), /*zero_beyond=*/true, [&](void* bytes, size_t size) {
    std::memcpy(bytes, &size, sizeof(size));
    return read(static_cast<Info*>(bytes));
  });
  // A newer caller would take what this library cannot say for a result.
  Bytes newer(sizeof(Info) + 8, 0);
  set_size(newer, newer.size());
  newer.back() = 1;
  const Bytes before = newer;
  EXPECT_EQ(read(reinterpret_cast<Info*>(newer.data())), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(newer, before);
  for (const size_t size : {size_t{0}, sizeof(size_t), end_of_fields(type) - 1, SIZE_MAX}) {
    Info info = {};
    info.struct_size = size;
    EXPECT_EQ(read(&info), ATA_INVALID_ARGUMENT) << size;
  }
}

TEST_F(Growth, ResultsFitTheCallersStruct) {
  expect_results<ata_tensor_info>("ata_tensor_info", [](ata_tensor_info* info) {
    return ata_tensor_get_info(clip_.get(), info);
  });
  expect_results<ata_model_config>("ata_model_config", [](ata_model_config* config) {
    return ata_model_get_config(model_.get(), config);
  });
  expect_results<ata_model_dimensions>(
      "ata_model_dimensions", [](ata_model_dimensions* dimensions) {
        return ata_model_config_get_dimensions(&config_, dimensions);
      });
  // The last is no CPU, whose memory others use meanwhile.
  expect_results<ata_device_info>("ata_device_info", [](ata_device_info* info) {
    return ata_device_get_info(ata_device_count() - 1, info);
  });
  expect_results<ata_video_info>(
      "ata_video_info", [](ata_video_info* info) { return ata_video_get_info(video_, info); });
}

// The elements of an array are as far apart as the caller's structs are long.
TEST_F(Growth, ArraysAreReadInTheCallersSteps) {
  ata_clip_options defaults;
  ASSERT_EQ(ata_clip_options_init(&defaults, sizeof(defaults)), ATA_OK);
  defaults.size = 32;
  const size_t older = offsetof(ata_clip_options, interval_start);
  for (const size_t size : {older, sizeof(defaults), sizeof(defaults) + 16}) {
    SCOPED_TRACE(size);
    Bytes array(3 * size, 0);
    for (size_t i = 0; i < 3; ++i) {
      ata_clip_options options = defaults;
      options.struct_size = size;
      options.frames = static_cast<int32_t>(i + 2);
      std::memcpy(array.data() + i * size, &options, std::min(size, sizeof(options)));
    }
    const auto* given = reinterpret_cast<const ata_clip_options*>(array.data());
    ata_video_views* views = nullptr;
    ASSERT_EQ(ata_video_views_create(video_, given, 3, &views), ATA_OK) << ata_last_error();
    for (int64_t frames = 2; frames < 5; ++frames) {
      ata_tensor* clip = nullptr;
      ASSERT_EQ(ata_video_views_sample_next(views, nullptr, &clip, nullptr), ATA_OK)
          << ata_last_error();
      EXPECT_EQ(info_of(clip).shape[2], frames);
      ata_tensor_release(clip);
    }
    ata_video_views_release(views);

    const size_t other = size + 8;
    std::memcpy(array.data() + size, &other, sizeof(other));
    views = nullptr;
    EXPECT_EQ(ata_video_views_create(video_, given, 3, &views), ATA_INVALID_ARGUMENT);
    EXPECT_NE(std::string(ata_last_error()).find("ata_clip_options.struct_size"), std::string::npos)
        << ata_last_error();
    EXPECT_EQ(views, nullptr);
  }
}

// Everything with a struct_size is in one of the tests above.
TEST_F(Growth, NoStructIsForgotten) {
  std::set<std::string> tested = {"ata_device_info", "ata_model_dimensions", "ata_video_info"};
  for (const Case& test : inputs()) tested.insert(test.type);
  size_t count = 0;
  const ata_abi_entry* entries = ata_abi_layout(&count);
  std::set<std::string> sized;
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].field_name == nullptr) continue;
    if (std::string(entries[i].field_name) != "struct_size") continue;
    EXPECT_EQ(entries[i].offset, 0u) << entries[i].struct_name;
    sized.insert(entries[i].struct_name);
  }
  EXPECT_EQ(sized, tested);
}

}  // namespace
