#include "model/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "base/error.h"
#include "fixture.h"

namespace ata {
namespace {

class SafetensorsTest : public testing::Test {
 protected:
  std::string path(const std::string& name = "file.safetensors") const {
    return scratch_.path(name);
  }

  // A file with this header and data; `header_size` overrides the length field.
  std::string write(const std::string& header, const std::string& data,
                    uint64_t header_size = UINT64_MAX) const {
    if (header_size == UINT64_MAX) header_size = header.size();
    std::ofstream out(path(), std::ios::binary);
    out.write(reinterpret_cast<const char*>(&header_size), 8);
    out << header << data;
    return path();
  }

  // The message of the ATA_BAD_MODEL that opening (and reading `tensor`, if any) ends in.
  std::string rejection(const std::string& file, const std::string& tensor = "") const {
    const std::string message = error_of(ATA_BAD_MODEL, [&] {
      TensorFile opened(file);
      if (!tensor.empty()) opened.get(tensor);
    });
    EXPECT_MENTIONS(message, file);
    return message;
  }

  Scratch scratch_;
};

std::string bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.raw()), tensor.bytes()};
}

Tensor iota(Shape shape, DType dtype) {
  Tensor tensor(shape, dtype);
  auto* raw = static_cast<unsigned char*>(tensor.raw());
  for (size_t i = 0; i < tensor.bytes(); ++i) raw[i] = static_cast<unsigned char>(i * 7 + 1);
  return tensor;
}

TEST_F(SafetensorsTest, RoundTripIsBitExact) {
  TensorFile out;
  const std::vector<std::pair<std::string, Tensor>> tensors = {
      {"byte", iota({3}, DType::kU8)},           {"long", iota({2, 2}, DType::kI64)},
      {"half", iota({5}, DType::kBF16)},         {"single", iota({2, 3, 1}, DType::kF32)},
      {"integer", iota({7}, DType::kI32)},       {"scalar", iota(Shape(), DType::kF32)},
      {"empty \"q\"", iota({0, 4}, DType::kF32)}};
  for (const auto& [name, tensor] : tensors) out.set(name, tensor);
  out.set_metadata("config", "{\"a\": \"\xc3\xa4\"}");
  out.save(path());

  const TensorFile in(path());
  EXPECT_EQ(in.count(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor read = in.get(name);
    EXPECT_EQ(read.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(read.shape(), tensor.shape()) << name;
    EXPECT_EQ(bytes_of(read), bytes_of(tensor)) << name;
  }
  ASSERT_NE(in.metadata("config"), nullptr);
  EXPECT_EQ(*in.metadata("config"), "{\"a\": \"\xc3\xa4\"}");
  EXPECT_EQ(in.metadata("other"), nullptr);
}

TEST_F(SafetensorsTest, BytesDoNotDependOnTheOrderOfInsertion) {
  TensorFile forwards, backwards;
  const Tensor a = iota({3}, DType::kU8), b = iota({3}, DType::kI64);
  forwards.set("a", a);
  forwards.set("b", b);
  backwards.set("b", b);
  backwards.set("a", a);
  forwards.save(path("1"));
  backwards.save(path("2"));
  EXPECT_EQ(read_file(path("1")), read_file(path("2")));

  const std::string bytes = read_file(path("1"));
  uint64_t header_size;
  std::memcpy(&header_size, bytes.data(), 8);
  EXPECT_EQ(header_size % 8, 0u);
  EXPECT_EQ(TensorFile(path("1")).name(0), "b") << "wider elements come first, to be aligned";
}

TEST_F(SafetensorsTest, OpenedFileCanBeChangedAndSavedOverItself) {
  TensorFile out;
  out.set("a", iota({300, 1000}, DType::kF32));
  out.set("b", iota({4}, DType::kF32));
  out.save(path());
  TensorFile file(path());
  file.set("b", iota({2}, DType::kI32));
  file.set_metadata("k", "v");
  file.save(path());
  const TensorFile in(path());
  EXPECT_EQ(bytes_of(in.get("a")), bytes_of(iota({300, 1000}, DType::kF32)));
  EXPECT_EQ(in.get("b").dtype(), DType::kI32);
  EXPECT_EQ(*in.metadata("k"), "v");
}

TEST_F(SafetensorsTest, ConvertsHalfAndDouble) {
  const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x8001, 0x7bff, 0x7c00, 0x7e00, 0x8000};
  std::string data(reinterpret_cast<const char*>(halves), sizeof(halves));
  const double doubles[] = {1.5, -1e300};
  data.append(reinterpret_cast<const char*>(doubles), sizeof(doubles));
  const TensorFile file(write(R"({"h":{"dtype":"F16","shape":[8],"data_offsets":[0,16]},)"
                              R"("d":{"dtype":"F64","shape":[2],"data_offsets":[16,32]}})",
                              data));
  const Tensor half = file.get("h");
  const float expected[] = {1.0f,      -2.0f,    0x1p-24f,
                            -0x1p-24f, 65504.0f, std::numeric_limits<float>::infinity()};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(half.data<float>()[i], expected[i]) << i;
  EXPECT_TRUE(std::isnan(half.data<float>()[6]));
  EXPECT_TRUE(std::signbit(half.data<float>()[7]));
  EXPECT_EQ(file.get("d").data<float>()[0], 1.5f);
  EXPECT_EQ(file.get("d").data<float>()[1], -std::numeric_limits<float>::infinity());
}

TEST_F(SafetensorsTest, UnknownTypeIsRejectedOnlyWhenRead) {
  const std::string file = write(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]},)"
                                 R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
                                 R"("c":{"dtype":"BOOL","shape":[1],"data_offsets":[3,4]}})",
                                 "abcd");
  EXPECT_EQ(TensorFile(file).get("b").data<uint8_t>()[0], 'c');
  EXPECT_MENTIONS(rejection(file, "a"), "'a' has element type 'F4'");
  EXPECT_MENTIONS(rejection(file, "c"), "'c' has element type 'BOOL'");
}

TEST_F(SafetensorsTest, ReadsOnlyFloatingPointAsF32) {
  TensorFile file;
  Tensor half({1}, DType::kBF16);
  half.data<BFloat16>()[0] = to_bfloat16(1.5f);
  file.set("half", half);
  file.set("integer", iota({1}, DType::kI32));
  EXPECT_EQ(file.get_f32("half").data<float>()[0], 1.5f);
  EXPECT_THROW(file.get_f32("integer"), Error);
  EXPECT_THROW(file.get("nothing"), Error);
}

TEST_F(SafetensorsTest, RejectsBrokenFraming) {
  std::ofstream(path(), std::ios::binary) << "1234";
  EXPECT_MENTIONS(rejection(path()), "only 4 bytes");
  EXPECT_MENTIONS(rejection(write("{}", "", 100)), "truncated");
  EXPECT_MENTIONS(rejection(write("{}", "", 100'000'001)), "limit");
  EXPECT_MENTIONS(rejection(write("{}", "", UINT64_MAX - 1)), "limit");
  EXPECT_MENTIONS(rejection(write("{}", "x")), "belong to no tensor");
  EXPECT_MENTIONS(rejection(write("", "")), "JSON");
  EXPECT_EQ(TensorFile(write("{}   ", "")).count(), 0u);
}

TEST_F(SafetensorsTest, RejectsLyingOffsets) {
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return R"({"t":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"s":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"t":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  EXPECT_MENTIONS(rejection(write(one("[1]", "[0,4]"), "ab")), "truncated");
  EXPECT_MENTIONS(rejection(write(one("[1]", "[4,0]"), "abcd")), "before it begins");
  EXPECT_MENTIONS(rejection(write(one("[2]", "[0,4]"), "abcd")), "needs 8 bytes");
  EXPECT_MENTIONS(rejection(write(one("[0]", "[0,4]"), "abcd")), "needs 0 bytes");
  EXPECT_MENTIONS(rejection(write(one("[1]", "[0]"), "abcd")), "data_offsets");
  EXPECT_MENTIONS(rejection(write(one("[1]", "[0,4,4]"), "abcd")), "data_offsets");
  EXPECT_MENTIONS(rejection(write(one("[1]", "[-4,0]"), "abcd")), "negative");
  EXPECT_MENTIONS(rejection(write(one("[-1]", "[0,4]"), "abcd")), "negative");
  EXPECT_MENTIONS(rejection(write(one("[1.5]", "[0,4]"), "abcd")), "fractional");
  EXPECT_MENTIONS(rejection(write(one("[1]", "[0,18446744073709551615]"), "abcd")), "huge");
  EXPECT_MENTIONS(rejection(write(one("[1]", "[0,99999999999999999999999]"), "abcd")), "huge");
  EXPECT_MENTIONS(rejection(write(one("[4294967296,4294967296,4294967296]", "[0,4]"), "abcd")),
                  "impossible shape");
  // 2^62 elements of 4 bytes overflow to 0 bytes.
  EXPECT_MENTIONS(rejection(write(one("[4611686018427387904]", "[0,0]"), "")), "impossible shape");
  EXPECT_MENTIONS(rejection(write(two("[0,4]", "[3,7]"), "abcdefg")), "overlaps 's'");
  EXPECT_MENTIONS(rejection(write(two("[0,4]", "[0,4]"), "abcd")), "overlaps");
  EXPECT_MENTIONS(rejection(write(two("[0,4]", "[5,9]"), "abcdefghi")), "begins 1 bytes after");
  EXPECT_MENTIONS(rejection(write(two("[1,5]", "[5,9]"), "abcdefghi")), "begins 1 bytes after");
}

TEST_F(SafetensorsTest, RejectsWhatTheFormatDoesNotHave) {
  for (const char* header : {
           "[]",
           "1",
           "null",
           R"({"t":1})",
           R"({"t":[]})",
           R"({"t":{}})",
           R"({"t":{"dtype":"F32","shape":[0]}})",
           R"({"t":{"dtype":1,"shape":[0],"data_offsets":[0,0]}})",
           R"({"t":{"dtype":"F32","shape":0,"data_offsets":[0,0]}})",
           R"({"t":{"dtype":"F32","shape":[[0]],"data_offsets":[0,0]}})",
           R"({"t":{"dtype":"F32","shape":["0"],"data_offsets":[0,0]}})",
           R"({"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"more":{}}})",
           R"({"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"shape":[0]}})",
           R"({"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
           R"("t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
           R"({"a\u0000b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
           R"({"__metadata__":{"a":1}})",
           R"({"__metadata__":{"a":["b"]}})",
           R"({"__metadata__":{"a":{}}})",
           R"({"__metadata__":{"a":"b","a":"c"}})",
           R"({"__metadata__":"a"})",
           "{\"__metadata__\":{\"a\":\"\xff\"}}",
           R"({"t":)",
           R"({} {})",
       }) {
    SCOPED_TRACE(header);
    rejection(write(header, ""));
  }
}

TEST_F(SafetensorsTest, DeepNestingIsRejectedWithoutRecursion) {
  EXPECT_MENTIONS(rejection(write(std::string(10'000'000, '['), "")), "not an object");
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  rejection(write(objects, ""));
  std::string long_shape = R"({"t":{"dtype":"F32","shape":[)";
  for (int i = 0; i < 1'000'000; ++i) long_shape += "1,";
  rejection(write(long_shape + R"(1],"data_offsets":[0,4]}})", "abcd"));
}

TEST_F(SafetensorsTest, TooManyAxesAreRejectedWhenRead) {
  const std::string file =
      write(R"({"t":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "a");
  EXPECT_EQ(TensorFile(file).dims("t").size(), 9u);
  EXPECT_MENTIONS(rejection(file, "t"), "9 axes");
}

// Every prefix, and every single-byte change of the header, either opens or ends in one error.
TEST_F(SafetensorsTest, DamagedFilesNeverCrash) {
  TensorFile out;
  out.set("a", iota({2, 3}, DType::kF32));
  out.set("b", iota({3}, DType::kU8));
  out.set_metadata("config", "{}");
  out.save(path());
  const std::string good = read_file(path());
  const auto attempt = [&](const std::string& bytes) {
    std::ofstream(path(), std::ios::binary) << bytes;
    try {
      const TensorFile file(path());
      for (size_t i = 0; i < file.count(); ++i) file.get(file.name(i));
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ATA_BAD_MODEL) << error.what();
    }
  };
  for (size_t length = 0; length < good.size(); ++length) attempt(good.substr(0, length));
  for (size_t at = 0; at < good.size(); ++at) {
    for (char replacement : {'\0', '9', '"', '\xff'}) {
      std::string bytes = good;
      bytes[at] = replacement;
      attempt(bytes);
    }
  }
}

TEST_F(SafetensorsTest, ReportsWhatCannotBeWritten) {
  TensorFile file;
  EXPECT_THROW(file.set("__metadata__", iota({1}, DType::kU8)), Error);
  EXPECT_THROW(file.set("a", Tensor()), Error);
  EXPECT_THROW(file.save(path("missing/folder")), Error);
  file.set_metadata("a", "\xff");
  EXPECT_THROW(file.save(path()), Error);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

}  // namespace
}  // namespace ata
