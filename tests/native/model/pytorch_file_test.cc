#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "containers_fixture.h"
#include "model/safetensors.h"

namespace ata {
namespace {

class PyTorchFileTest : public ModelFileTest {
 protected:
  std::string write(const std::string& bytes) {
    write_file(path("file.pt"), bytes);
    return path("file.pt");
  }

  // The message that opening a file of `bytes` and reading its tensors ends in.
  std::string rejection(const std::string& bytes, ata_status status = ATA_BAD_MODEL) {
    const std::string file = write(bytes);
    const std::string message = error_of(status, [&] { read_all(file); });
    EXPECT_MENTIONS(message, file);
    return message;
  }

  static std::string rejection_of(const std::string& name, ata_status status = ATA_BAD_MODEL) {
    return error_of(status, [&] { read_all(pytorch_data(name)); });
  }

  static void read_all(const std::string& file) {
    const auto source = open_tensor_source(file, "");
    for (size_t i = 0; i < source->count(); ++i) source->get_f32(source->name(i));
  }

  // Four floats under the key "0".
  static std::string four() {
    const float values[] = {1, 2, 3, 4};
    return std::string(reinterpret_cast<const char*>(values), sizeof(values));
  }
};

void expect_weights(const std::string& file, const std::string& key = "") {
  SCOPED_TRACE(file);
  const TensorFile expected(pytorch_data("expected.safetensors"));
  const auto source = open_tensor_source(file, key);
  EXPECT_EQ(source->path(), file);
  // Two tensors of the file's are not of floating-point numbers, and a counter of the norm's.
  EXPECT_EQ(source->count(), expected.count() + 3);
  for (size_t i = 0; i < expected.count(); ++i) {
    const std::string& name = expected.name(i);
    ASSERT_TRUE(source->contains(name)) << name;
    EXPECT_EQ(source->dims(name), expected.dims(name)) << name;
    EXPECT_TRUE(same_bits(source->get_f32(name), expected.get(name))) << name;
  }
  EXPECT_EQ(source->metadata("config"), nullptr);
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { source->get_f32("long"); }), "'long'");
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { source->get_f32("boolean"); }), "BOOL");
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { source->get_f32("nothing"); }), "nothing");
}

TEST_F(PyTorchFileTest, ReadsEveryFormThatTorchSaves) {
  for (const char* form :
       {"zip_2", "zip_4", "zip_5", "legacy_1", "legacy_2", "legacy_4", "zip64", "streamed"}) {
    expect_weights(pytorch_data(concat("weights_", form, ".pt")));
  }
}

TEST_F(PyTorchFileTest, FindsTheWeightsAmongWhatTrainingKeeps) {
  for (const char* name : {"training_zip.pt", "training_legacy.pt"}) {
    expect_weights(pytorch_data(name));
    expect_weights(pytorch_data(name), "model_state");
    const auto source = open_tensor_source(pytorch_data(name), "");
    const std::vector<std::string> expected = {"epoch: 5",
                                               "optimizer_state: a dictionary of 2",
                                               "args: an object of class argparse.Namespace",
                                               "cfg: a text of 500 bytes",
                                               "random: a tensor",
                                               "device: an object that torch.device makes",
                                               "type: torch.float16",
                                               "size: a tuple of 2",
                                               "set: a set of 1",
                                               "huge: a huge integer",
                                               "none: None",
                                               "yes: True",
                                               "loss: 0.25",
                                               "a.b: a dictionary of 1"};
    for (const std::string& line : expected) {
      EXPECT_EQ(std::count(source->ignored().begin(), source->ignored().end(), line), 1) << line;
    }
    // Two numbers of NumPy's are named by the library's own functions, which change.
    EXPECT_EQ(source->ignored().size(), expected.size() + 2);
  }
}

TEST_F(PyTorchFileTest, FollowsAKeyWithDots) {
  const auto source = open_tensor_source(pytorch_data("training_zip.pt"), "a.b.c");
  EXPECT_EQ(source->count(), 1u);
  EXPECT_EQ(source->get_f32("w").data<float>()[0], 7.0f);
  EXPECT_EQ(std::count(source->ignored().begin(), source->ignored().end(),
                       "model_state: a dictionary of 24"),
            1);
}

TEST_F(PyTorchFileTest, AKeyThatIsNotThereListsThoseThatAre) {
  const std::string file = pytorch_data("training_zip.pt");
  const std::string missing =
      error_of(ATA_INVALID_ARGUMENT, [&] { open_tensor_source(file, "model"); });
  EXPECT_MENTIONS(missing, "'model'");
  EXPECT_MENTIONS(missing, "'model_state' (a dictionary of 24)");
  EXPECT_MENTIONS(missing, "--key");
  for (const char* key : {"epoch", "args", "random", "model_state.matrix", "optimizer_state"}) {
    EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { open_tensor_source(file, key); }), key);
  }
  EXPECT_MENTIONS(
      error_of(ATA_INVALID_ARGUMENT,
               [&] { open_tensor_source(pytorch_data("expected.safetensors"), "model"); }),
      "safetensors");
}

TEST_F(PyTorchFileTest, SeveralSetsOfWeightsAreAskedFor) {
  const std::string message = rejection_of("student_teacher.pt", ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(message, "student, teacher");
  EXPECT_MENTIONS(message, "--key");
  const auto source = open_tensor_source(pytorch_data("student_teacher.pt"), "teacher");
  EXPECT_EQ(source->count(), 1u);
  EXPECT_EQ(source->ignored(),
            (std::vector<std::string>{"student: a dictionary of 1", "epoch: 1"}));
}

TEST_F(PyTorchFileTest, SwapsBytesOfABigEndianFile) {
  const TensorFile expected(pytorch_data("expected.safetensors"));
  const auto source = open_tensor_source(pytorch_data("big_endian.pt"), "");
  EXPECT_GT(source->count(), 8u);
  for (size_t i = 0; i < source->count(); ++i) {
    const std::string& name = source->name(i);
    EXPECT_TRUE(same_bits(source->get_f32(name), expected.get(name))) << name;
  }
}

TEST_F(PyTorchFileTest, WhatTheWeightsWouldNeedCalledIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {"call_among_weights.pt", "tensor 'a' would need 'posix.system' called"},
      {"sparse.pt", "tensor 's' would need 'torch._utils._rebuild_sparse_tensor' called"},
      {"quantized.pt", "tensor 'q' would need 'torch._utils._rebuild_qtensor' called"},
      {"numpy_array.pt", "multiarray._reconstruct' called"},
      {"negated.pt", "tensor 'n' is a negated"},
      {"float8.pt", "tensor 'f8' has element type F8_E4M3"},
      {"tensor.pt", "holds a tensor, not a dictionary"},
      {"module.pt", "an object of class torch.nn.modules.linear.Linear"},
      {"module_legacy.pt", "an object of class torch.nn.modules.linear.Linear"},
      {"torchscript.pt", "is a TorchScript archive"},
      {"compressed.pt", "is compressed"},
      {"arrays.npz", "is a NumPy archive"},
  };
  for (const auto& [name, part] : cases) EXPECT_MENTIONS(rejection_of(name), part);
  EXPECT_FALSE(std::filesystem::exists("a-pickle-ran-a-command"));
}

TEST_F(PyTorchFileTest, WhatIsBesideTheWeightsIsNeverCalled) {
  const auto source = open_tensor_source(pytorch_data("call_beside_weights.pt"), "");
  EXPECT_EQ(source->ignored(), (std::vector<std::string>{"a: an object that posix.system makes"}));
  EXPECT_FALSE(std::filesystem::exists("a-pickle-ran-a-command"));
}

TEST_F(PyTorchFileTest, ViewsBeyondTheirStorageAreRefused) {
  using namespace pickle;
  const auto view = [&](int64_t offset, const std::vector<int64_t>& dims,
                        const std::vector<int64_t>& strides, int64_t elements = 4) {
    return torch_archive(dictionary({{"w", tensor(storage("0", elements), offset, dims, strides)}}),
                         {{"0", four()}});
  };
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  // The measure itself: what fits is read.
  const auto source = open_tensor_source(write(view(1, {2}, {2})), "");
  EXPECT_EQ(source->get_f32("w").data<float>()[1], 4.0f);

  for (const std::string& bytes : {view(1, {4}, {1}), view(5, {1}, {1}), view(0, {2, 2}, {3, 1}),
                                   view(kHuge, {1}, {1}), view(0, {5}, {1})}) {
    EXPECT_MENTIONS(rejection(bytes), "tensor 'w' of shape");
  }
  for (const std::string& bytes :
       {view(0, {2}, {kHuge}), view(0, {kHuge, kHuge}, {0, 0}), view(0, {kHuge, 2}, {1, kHuge})}) {
    EXPECT_MENTIONS(rejection(bytes), "tensor 'w'");
  }
  EXPECT_MENTIONS(rejection(view(0, {5}, {1}, 5)), "16 bytes");
  EXPECT_MENTIONS(rejection(view(0, {1}, {1}, kHuge)), "tensor 'w'");
  EXPECT_MENTIONS(rejection(view(-1, {1}, {1})), "-1");
  EXPECT_MENTIONS(rejection(view(0, {-1}, {1})), "-1");
  EXPECT_MENTIONS(rejection(view(0, {2}, {-1})), "-1");
  EXPECT_MENTIONS(rejection(view(0, {2, 2}, {1})), "2 extents and 1 strides");
  // Four elements repeated to four terabytes.
  EXPECT_MENTIONS(rejection(view(0, {1 << 20, 1 << 20}, {0, 0})), "repeats");
  EXPECT_MENTIONS(rejection(view(0, std::vector<int64_t>(65, 1), std::vector<int64_t>(65, 1))),
                  "65 axes");
  EXPECT_MENTIONS(rejection(view(0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1))),
                  "9 axes");
}

TEST_F(PyTorchFileTest, StoragesThatAreMissingOrUnknownAreRefused) {
  using namespace pickle;
  const auto archive = [&](const std::string& tensor_opcodes) {
    return torch_archive(dictionary({{"w", tensor_opcodes}}), {{"0", four()}});
  };
  EXPECT_MENTIONS(rejection(archive(tensor(storage("1", 4), 0, {4}, {1}))), "storage '1'");
  EXPECT_MENTIONS(rejection(archive(tensor(storage("0", 4, "QInt8Storage"), 0, {4}, {1}))),
                  "torch.QInt8Storage");
  EXPECT_MENTIONS(rejection(archive(tensor("N", 0, {4}, {1}))), "has no storage");
  EXPECT_MENTIONS(rejection(archive(tensor(text("x") + "Q", 0, {4}, {1}))), "not a storage");
}

TEST_F(PyTorchFileTest, NamesThatCannotBeAreRefused) {
  using namespace pickle;
  const std::string w = tensor(storage("0", 4), 0, {4}, {1});
  const auto archive = [&](const std::string& key) {
    return torch_archive(dictionary({{key, w}}), {{"0", four()}});
  };
  EXPECT_MENTIONS(rejection(archive("\xff\xfe")), "UTF-8");
  EXPECT_MENTIONS(rejection(archive(std::string("a\0b", 3))), "UTF-8");
  EXPECT_MENTIONS(rejection(torch_archive(dictionary({{"w", w}, {"w", w}}), {{"0", four()}})),
                  "appears twice");
  EXPECT_MENTIONS(
      rejection(torch_archive(concat("}(", text("w"), w, integer(1), w, "u"), {{"0", four()}})),
      "not a text");
}

// Pickles that no program wrote: each must end in an error, in no time and memory.
TEST_F(PyTorchFileTest, HostilePicklesAreRefused) {
  using namespace pickle;
  std::string doubling = "]";
  for (int i = 0; i < 60; ++i)
    doubling +=
        "q\x01]q\x02(h\x01h\x01"
        "e";
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "]";
  for (int i = 1; i < 200'000; ++i) deep += "a";
  std::string marks(1'000'000, '(');
  // A list that is copied into sets again and again.
  std::string copies = "](";
  for (int i = 0; i < 2000; ++i) copies += "K\x01";
  copies += "eq\x01";
  for (int i = 0; i < 10'000; ++i) copies += global("builtins", "set") + "h\x01\x85R0";
  const std::pair<const char*, std::string> cases[] = {
      {"nothing", ""},
      {"underflow", "R"},
      {"tuple underflow", "N\x87"},
      {"mark underflow", "t"},
      {"below a mark", "N(\x85"},
      {"pop below a mark", "]N(a"},
      {"no such memo", "h\x05"},
      {"unknown opcode", "\x01"},
      {"out-of-band buffer", "\x97"},
      {"extension", "\x82\x01"},
      {"future protocol", "\x80\x06N"},
      {"append to a number", "K\x01Na"},
      {"odd items", "}(Nu"},
      {"items of a list", "](NNu"},
      {"state of a number", "K\x01}b"},
      {"call with a list", global("a", "b") + "]R"},
      {"import by a number", "K\x01K\x02\x93"},
      {"endless name", global(std::string(100'000, 'm'), "n")},
      {"text beyond the end", "X\xff\xff\xff\x7f"},
      {"text beyond every end", std::string("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", 9)},
      {"long beyond the end", std::string("\x8b\xff\xff\xff\xff", 5)},
      {"line without an end", "I12"},
      {"not a number", "Ixyz\n"},
      {"not a float", "Fxyz\n"},
      {"huge memo number", "Np99999999999\n"},
      {"broken escape", "V\\uZZZZ\n"},
      {"quotes", "S'a\n"},
      {"a list of lists of lists", doubling},
      {"deep", deep},
      {"marks", marks},
      {"a list that holds itself",
       "]q\x01h\x01"
       "a"},
      {"a dictionary that holds itself", "}q\x01(" + text("model") + "h\x01u"},
      {"copies", copies},
      {"left over", "NN"},
  };
  for (const auto& [what, opcodes] : cases) {
    SCOPED_TRACE(what);
    rejection(torch_archive(opcodes, {}));
  }
}

TEST_F(PyTorchFileTest, CyclesBesideTheWeightsDoNoHarm) {
  using namespace pickle;
  const std::string w = tensor(storage("0", 4), 0, {4}, {1});
  const std::string opcodes =
      concat("}q\x01(", text("self"), "h\x01", text("model"), dictionary({{"w", w}}), "u");
  const auto source = open_tensor_source(write(torch_archive(opcodes, {{"0", four()}})), "");
  EXPECT_EQ(source->ignored(), (std::vector<std::string>{"self: a dictionary of 2"}));
  const std::string round = "self.self.self.model";
  EXPECT_EQ(open_tensor_source(path("file.pt"), round)->count(), 1u);
  EXPECT_MENTIONS(
      error_of(ATA_INVALID_ARGUMENT,
               [&] { open_tensor_source(path("file.pt"), round + std::string(2000, '.')); }),
      "bytes");
}

TEST_F(PyTorchFileTest, ReadsTextOpcodesOfOldPickles) {
  using namespace pickle;
  const std::string w = tensor(storage("0", 4), 0, {4}, {1});
  const std::string opcodes =
      "(dp0\nV"
      "a\\u00e4\np1\n" +
      w + "sS'b\\x41'\n" + w + "sVnote\nF2.5\nsVflag\nI01\nsVbig\nL123456789012345678901L\ns";
  const auto source = open_tensor_source(write(torch_archive(opcodes, {{"0", four()}})), "");
  ASSERT_EQ(source->count(), 2u);
  EXPECT_EQ(source->name(0), "a\xc3\xa4");
  EXPECT_EQ(source->name(1), "bA");
  EXPECT_EQ(source->ignored(),
            (std::vector<std::string>{"note: 2.5", "flag: True", "big: a huge integer"}));
}

TEST_F(PyTorchFileTest, DamagedArchivesAreRefused) {
  using namespace pickle;
  const std::string opcodes =
      "\x80\x02" + dictionary({{"w", tensor(storage("0", 4), 0, {4}, {1})}}) + ".";
  const auto damage = [&](const auto& change) {
    ZipWriter zip;
    zip.add("archive/data.pkl", opcodes);
    zip.add("archive/data/0", four());
    zip.add("archive/data/1", four());
    change(zip);
    return zip.finish();
  };
  read_all(write(damage([](ZipWriter&) {})));
  EXPECT_MENTIONS(rejection(damage([](ZipWriter& zip) { zip.entries[2].name.back() = '0'; })),
                  "twice");
  EXPECT_MENTIONS(
      rejection(damage([](ZipWriter& zip) { zip.entries[2].offset = zip.entries[1].offset; })),
      "another name");
  EXPECT_MENTIONS(rejection(damage([](ZipWriter& zip) { zip.entries[1].size = 60; })), "overlap");
  EXPECT_MENTIONS(rejection(damage([](ZipWriter& zip) { zip.entries[2].size = 1 << 20; })),
                  "beyond the file's end");
  EXPECT_MENTIONS(rejection(damage([](ZipWriter& zip) { zip.entries[2].offset += 1; })),
                  "is damaged");
  EXPECT_MENTIONS(rejection(damage([&](ZipWriter& zip) { zip.add("other/data.pkl", opcodes); })),
                  "two pickles");
  EXPECT_MENTIONS(rejection(damage([](ZipWriter& zip) { zip.add("archive/byteorder", "middle"); })),
                  "'middle'");
}

TEST_F(PyTorchFileTest, TruncatedFilesSaySo) {
  for (const char* name : {"weights_zip_2.pt", "weights_legacy_2.pt"}) {
    const std::string bytes = read_file(pytorch_data(name));
    for (size_t size = bytes.size() - 1; size > 64; size -= std::min<size_t>(size, 97)) {
      EXPECT_MENTIONS(rejection(bytes.substr(0, size)), "truncated");
    }
  }
}

// Whatever a file's bytes are, it is read or refused. The seed makes the same damage every time.
TEST_F(PyTorchFileTest, DamagedBytesNeverDoHarm) {
  Random random(1);
  const auto below = [&](size_t limit) {
    return static_cast<size_t>(random.uniform() * static_cast<float>(limit)) % limit;
  };
  std::vector<std::string> originals;
  for (const char* name :
       {"weights_zip_2.pt", "weights_zip_5.pt", "weights_legacy_1.pt", "weights_legacy_4.pt",
        "training_zip.pt", "training_legacy.pt", "weights_zip64.pt", "weights_streamed.pt"}) {
    originals.push_back(read_file(pytorch_data(name)));
  }
  size_t read = 0;
  size_t refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string bytes = originals[below(originals.size())];
    for (size_t change = 1 + below(4); change-- > 0;) {
      // Half of the damage is done to the pickle, which comes first, the rest anywhere.
      const size_t at = below(below(2) == 0 ? std::min<size_t>(bytes.size(), 4000) : bytes.size());
      const size_t length = std::min(bytes.size() - at, 1 + below(8));
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes.replace(at, length, length, "\xff\x7f\x00\x80(.R"[below(7)]);
          break;
        case 2:
          bytes.erase(at, length);
          break;
        default:
          bytes.insert(at, bytes.substr(below(bytes.size()), length));
      }
    }
    const std::string file = write(bytes);
    try {
      const auto source = open_tensor_source(file, "");
      for (size_t i = 0; i < source->count(); ++i) {
        if (source->dims(source->name(i)).size() == 2) source->get_f32(source->name(i));
      }
      ++read;
    } catch (const Error& error) {
      ++refused;
      EXPECT_NE(error.status(), ATA_INTERNAL) << error.what();
      EXPECT_MENTIONS(std::string(error.what()), file);
    }
  }
  // The damage must neither always nor never be found.
  EXPECT_GT(read, 50u);
  EXPECT_GT(refused, 500u);
}

}  // namespace
}  // namespace ata
