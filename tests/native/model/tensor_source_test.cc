#include "model/tensor_source.h"

#include <gtest/gtest.h>

#include "containers_fixture.h"
#include "model/checkpoint.h"
#include "model/safetensors.h"

namespace ata {
namespace {

namespace fs = std::filesystem;

class TensorSourceTest : public ModelFileTest {
 protected:
  std::string write(const std::string& name, const std::string& bytes) {
    write_file(path(name), bytes);
    return path(name);
  }

  void save(const std::string& name, const std::vector<std::string>& tensors) {
    TensorFile file;
    uint64_t seed = 0;
    for (const std::string& tensor : tensors) file.set(tensor, random_tensor({2, 3}, ++seed));
    file.save(path(name));
  }

  std::string rejection(const std::string& file, ata_status status = ATA_BAD_MODEL) {
    return error_of(status, [&] { open_tensor_source(file, ""); });
  }
};

TEST_F(TensorSourceTest, FilesOfOtherKindsAreNamed) {
  using std::string_literals::operator""s;
  const std::pair<std::string, const char*> cases[] = {
      {""s, "is empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"s, "git lfs pull"},
      {"<!DOCTYPE html><html></html>"s, "an HTML page"},
      {"\n\n  <HTML><body>"s, "an HTML page"},
      {"<?xml version='1.0'?><Error>"s, "an XML document"},
      {"{\"model_type\": \"vit\"}"s, "JSON"},
      {"GGUF\3\0\0\0"s, "GGUF"},
      {"\x93NUMPY\1\0v\0"s, "a NumPy array"},
      {"\x89HDF\r\n\x1a\n\0\0"s, "HDF5"},
      {"\x1f\x8b\x08\0"s, "gzip"},
      {std::string(257, 'a') + "ustar\0"s, "a tar archive"},
      {"\x08\x07\x12\x07pytorch\x1a"s, "ONNX"},
      {"\0\0\0\x18"
       "ftypisom"s,
       "a video"},
      {"\x80\4\x95\x05\0\0\0\0\0\0\0}\x94."s, "a Python pickle"},
      {"just some words\n"s, "a text file"},
      {"\0\0\0\0\0\0\0\0\x57\xfb\x80\x8b\x24\x75\x47\xdb"s, "TensorFlow checkpoint"},
  };
  for (const auto& [bytes, what] : cases) {
    const std::string file = write("file.bin", bytes);
    const std::string message = rejection(file);
    EXPECT_MENTIONS(message, what);
    EXPECT_MENTIONS(message, file);
    // A model that is loaded rather than imported gets the same answer.
    EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { Checkpoint{file}; }), what);
  }
  ZipWriter zip;
  zip.add("a.npy", "\x93NUMPY");
  EXPECT_MENTIONS(rejection(write("file.bin", zip.finish())), "NumPy archive");
  ZipWriter other;
  other.add("weights.safetensors", "x");
  EXPECT_MENTIONS(rejection(write("file.bin", other.finish())), "unpack it");
}

TEST_F(TensorSourceTest, ACheckpointOfPyTorchIsToBeImported) {
  for (const char* name : {"weights_zip_2.pt", "weights_legacy_2.pt"}) {
    const std::string message = error_of(ATA_BAD_MODEL, [&] { Checkpoint{pytorch_data(name)}; });
    EXPECT_MENTIONS(message, "a file of PyTorch");
    EXPECT_MENTIONS(message, "ata import");
  }
}

TEST_F(TensorSourceTest, ReadsShards) {
  save("a.safetensors", {"x", "y"});
  save("b.safetensors", {"z"});
  const std::string index = write(
      "model.safetensors.index.json",
      R"({"metadata": {"total_size": 72}, "weight_map": {"x": "a.safetensors", "y": "a.safetensors",
          "z": "b.safetensors"}})");
  for (const std::string& opened : {index, fs::path(index).parent_path().string()}) {
    const auto source = open_tensor_source(opened, "");
    EXPECT_EQ(source->path(), index);
    EXPECT_EQ(source->count(), 3u);
    EXPECT_TRUE(same_bits(source->get_f32("y"), TensorFile(path("a.safetensors")).get("y")));
    EXPECT_TRUE(same_bits(source->get_f32("z"), TensorFile(path("b.safetensors")).get("z")));
    EXPECT_EQ(source->dims("z"), (std::vector<int64_t>{2, 3}));
    EXPECT_FALSE(source->contains("w"));
    EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { source->dims("w"); }), "'w'");
  }
}

TEST_F(TensorSourceTest, ShardsThatDoNotFitTheirIndexAreRefused) {
  save("a.safetensors", {"x", "y"});
  const auto index = [&](const std::string& map) {
    return write("model.safetensors.index.json", "{\"weight_map\": " + map + "}");
  };
  EXPECT_MENTIONS(
      rejection(index(R"({"x": "a.safetensors", "z": "b.safetensors"})"), ATA_NOT_FOUND),
      "b.safetensors");
  EXPECT_MENTIONS(rejection(index(R"({"x": "a.safetensors"})")), "'y'");
  EXPECT_MENTIONS(
      rejection(index(R"({"x": "a.safetensors", "y": "a.safetensors", "z": "a.safetensors"})")),
      "'z'");
  EXPECT_MENTIONS(rejection(index(R"({"x": "a.safetensors", "x": "a.safetensors"})")), "twice");
  for (const char* name : {"../a.safetensors", "/etc/passwd", "..", "", "c:a", "d\\\\a"}) {
    EXPECT_MENTIONS(rejection(index(concat(R"({"x": ")", name, R"("})"))), "beside it");
  }
  EXPECT_MENTIONS(rejection(index("{}")), "names no tensor");
  EXPECT_MENTIONS(rejection(index("[1]")), "weight_map");
  EXPECT_MENTIONS(rejection(index("{\"x\": 1}")), "not a string");
  EXPECT_MENTIONS(rejection(index("{\"x\": ")), "JSON");
  EXPECT_MENTIONS(rejection(index(R"({"x": "model.safetensors.index.json"})")), "an index itself");
}

TEST_F(TensorSourceTest, AFolderStandsForTheCheckpointInIt) {
  const std::string folder = fs::path(path()).parent_path().string();
  EXPECT_MENTIONS(rejection(folder, ATA_NOT_FOUND), "model.safetensors");
  fs::copy_file(pytorch_data("weights_zip_2.pt"), path("pytorch_model.bin"));
  EXPECT_EQ(open_tensor_source(folder, "")->path(), path("pytorch_model.bin"));
  save("open_clip_model.safetensors", {"x"});
  EXPECT_EQ(open_tensor_source(folder, "")->path(), path("open_clip_model.safetensors"));
  save("model.safetensors", {"x"});
  EXPECT_EQ(open_tensor_source(folder, "")->path(), path("model.safetensors"));
  EXPECT_MENTIONS(rejection(path("nothing"), ATA_NOT_FOUND), "nothing");
}

}  // namespace
}  // namespace ata
