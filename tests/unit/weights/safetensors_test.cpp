#include "weights/safetensors.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "temporary.h"
#include "weights/safetensors_header.h"

namespace svd::weights {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string length_of(std::uint64_t value) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8 * i));
  return out;
}

/// A file of `json` as header and `data_bytes` bytes of data.
std::string file_of(const std::string& json, std::size_t data_bytes) {
  return length_of(json.size()) + json + std::string(data_bytes, '\x40');
}

class SafetensorsTest : public testing::Test {
 protected:
  std::string error_of(const std::string& bytes, const std::string& name = "a.safetensors") {
    write_file(folder_ / name, bytes);
    return model_error([&] { SafetensorsFile::open(folder_ / name); });
  }
  std::string header_error(const std::string& json, std::size_t data_bytes = 16) {
    return error_of(file_of(json, data_bytes));
  }
  TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, ReadsAFileWrittenByTheReferenceLibrary) {
  // tests/golden/make_safetensors.py
  const auto file =
      SafetensorsFile::open(SVD_TEST_DATA "/golden/safetensors/all_dtypes.safetensors");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  ASSERT_EQ(file->tensors().size(), 13u);
  const auto value = [&](const char* name) {
    const TensorInfo* info = file->find(name);
    EXPECT_NE(info, nullptr) << name;
    const at::Tensor tensor = file->tensor(*info);
    EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{2, 3})) << name;
    return tensor.to(at::kDouble).flatten();
  };
  for (const char* name :
       {"f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2", "i64", "i32", "i16", "i8"}) {
    EXPECT_TRUE(at::equal(value(name), at::tensor({-2., -1., 0., 1., 2., 3.}, at::kDouble)))
        << name;
  }
  EXPECT_TRUE(at::equal(value("u8"), at::tensor({0., 1., 2., 3., 4., 255.}, at::kDouble)));
  EXPECT_TRUE(at::equal(value("bool"), at::tensor({0., 1., 0., 1., 1., 0.}, at::kDouble)));
  EXPECT_EQ(file->tensor(*file->find("scalar")).item<float>(), 1.5f);
  EXPECT_EQ(file->find("none"), nullptr);
}

TEST_F(SafetensorsTest, TensorsOutliveTheFile) {
  const at::Tensor saved = at::arange(6, at::kFloat).reshape({2, 3});
  save_safetensors(folder_ / "a.safetensors", {{"x", saved}});
  auto file = SafetensorsFile::open(folder_ / "a.safetensors");
  const at::Tensor view = file->tensor(file->tensors()[0]);
  file->release(file->tensors()[0]);
  file.reset();
  EXPECT_TRUE(at::equal(view, saved));
}

TEST_F(SafetensorsTest, MisalignedDataIsCopied) {
  // A header of 65 bytes puts the floats at an odd address.
  std::string json = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  json.resize(65, ' ');
  const float values[2] = {1.25f, -3.5f};
  std::string bytes = length_of(json.size()) + json;
  bytes.append(reinterpret_cast<const char*>(values), sizeof values);
  const auto file = SafetensorsFile::open(write_file(folder_ / "a.safetensors", bytes));
  EXPECT_TRUE(at::equal(file->tensor(*file->find("x")), at::tensor({1.25f, -3.5f})));
}

TEST_F(SafetensorsTest, BytesOtherThanZeroAndOneAreTrue) {
  const auto file = SafetensorsFile::open(
      write_file(folder_ / "a.safetensors",
                 file_of(R"({"x":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2)));
  EXPECT_TRUE(at::equal(file->tensor(*file->find("x")), at::tensor({1, 1}).to(at::kBool)));
}

TEST_F(SafetensorsTest, AcceptsEmptyFilesAndEmptyTensors) {
  EXPECT_EQ(header_error("{}", 0), "no error");
  EXPECT_EQ(header_error("{}   ", 0), "no error");
  EXPECT_EQ(header_error(R"({"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},)"
                         R"("b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                         R"("c":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})",
                         4),
            "no error");
}

TEST_F(SafetensorsTest, HeaderLengthIsNotTrusted) {
  EXPECT_THAT(error_of(""), HasSubstr("is empty"));
  EXPECT_THAT(error_of("1234567"), HasSubstr("7 bytes"));
  EXPECT_THAT(error_of(length_of(std::uint64_t{1} << 63) + "{}"),
              HasSubstr("9223372036854775808 bytes"));
  EXPECT_THAT(error_of(length_of(~std::uint64_t{0}) + "{}"),
              HasSubstr("18446744073709551615 bytes"));
  EXPECT_THAT(error_of(length_of(100'000'001) + "{}"), HasSubstr("at most 100000000"));
  EXPECT_THAT(error_of(length_of(100'000'000) + "{}"), HasSubstr("ends after 2"));
  EXPECT_THAT(error_of(length_of(3) + "{}"), HasSubstr("cut off"));
  EXPECT_THAT(error_of(length_of(0)), HasSubstr("does not begin with '{'"));
}

TEST_F(SafetensorsTest, RefusesBrokenHeaders) {
  EXPECT_THAT(header_error("[1]"), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(header_error("{\"a\""), HasSubstr("not valid JSON at byte"));
  EXPECT_THAT(header_error("{} {}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header_error(std::string("{}\0", 3)), HasSubstr("not valid JSON"));
  EXPECT_THAT(header_error("{\"a\xff\":1}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header_error(R"({"a":1})"), HasSubstr("'a' is 1, expected an object"));
  EXPECT_THAT(header_error(R"({"__metadata__":{"k":1}})"), HasSubstr("metadata 'k'"));
  EXPECT_THAT(header_error(R"({"__metadata__":{"k":"1","k":"2"}})"),
              HasSubstr("duplicate name 'k'"));
  EXPECT_THAT(header_error(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
                           R"("a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
              HasSubstr("duplicate name 'a'"));
  EXPECT_THAT(
      header_error(R"({"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
      AllOf(HasSubstr("tensor 'a'"), HasSubstr("duplicate field 'dtype'")));
  EXPECT_THAT(header_error(R"({"a":{"dtype":"F32","shape":[4]}})"),
              HasSubstr("'data_offsets' is missing"));
  EXPECT_THAT(header_error(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}})"),
              HasSubstr("unknown field 'x'"));
  EXPECT_THAT(header_error("{\"a\":" + std::string(1'000'000, '[')),
              HasSubstr("expected an object"));
  EXPECT_THAT(header_error(R"({"a":{"dtype":"F32","shape":)" + std::string(1'000'000, '[')),
              HasSubstr("'shape' contains a list"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(header_error(deep), HasSubstr("'a'"));
}

TEST_F(SafetensorsTest, RefusesBrokenShapesAndRanges) {
  const auto tensor = [&](const std::string& dtype, const std::string& shape,
                          const std::string& offsets) {
    return header_error("{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape +
                        "],\"data_offsets\":[" + offsets + "]}}");
  };
  EXPECT_EQ(tensor("F32", "4", "0,16"), "no error");
  EXPECT_THAT(tensor("F4", "4", "0,16"), HasSubstr("dtype 'F4' is not supported"));
  EXPECT_THAT(tensor("F32", "-4", "0,16"), HasSubstr("contains -4"));
  EXPECT_THAT(tensor("F32", "4.0", "0,16"), HasSubstr("contains '4.0'"));
  EXPECT_THAT(tensor("F32", "18446744073709551616", "0,16"), HasSubstr("18446744073709551616"));
  EXPECT_THAT(tensor("F32", "9223372036854775808", "0,16"), HasSubstr("too large"));
  EXPECT_THAT(tensor("F32", "4611686018427387904,4", "0,16"), HasSubstr("too large"));
  EXPECT_THAT(tensor("F32", "0,4611686018427387904,4", "0,0"), HasSubstr("too large"));
  EXPECT_THAT(tensor("U8", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,16", "0,16"),
              HasSubstr("more than 16 dimensions"));
  EXPECT_THAT(tensor("F32", "3", "0,16"),
              HasSubstr("takes 12 bytes, but its data range 0 to 16 has 16"));
  EXPECT_THAT(tensor("F32", "4", "16,0"), HasSubstr("runs backwards"));
  EXPECT_THAT(tensor("F32", "4", "0"), HasSubstr("two numbers"));
  EXPECT_THAT(tensor("F32", "4", "0,16,32"), HasSubstr("two numbers"));
  EXPECT_THAT(tensor("F32", "5", "0,20"), HasSubstr("only 16 bytes of data"));
  EXPECT_THAT(tensor("F32", "4", "18446744073709551600,18446744073709551616"),
              HasSubstr("data_offsets"));
  EXPECT_THAT(tensor("F32", "4", "18446744073709551599,18446744073709551615"),
              HasSubstr("only 16 bytes"));
  EXPECT_THAT(tensor("F32", "3", "0,12"), HasSubstr("4 bytes after the last tensor"));
  EXPECT_THAT(tensor("F32", "3", "4,16"), HasSubstr("a hole of 4 bytes"));
}

TEST_F(SafetensorsTest, RefusesOverlaps) {
  EXPECT_THAT(header_error(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
                           R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"),
              AllOf(HasSubstr("tensor 'b'"), HasSubstr("overlaps")));
  EXPECT_THAT(header_error(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
                           R"("b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
              HasSubstr("overlaps"));
}

TEST_F(SafetensorsTest, NamesWhatOtherFilesAre) {
  EXPECT_THAT(error_of("PK\x03\x04 and more of a zip", "a.ckpt"),
              AllOf(HasSubstr("pickle"), HasSubstr(".safetensors")));
  EXPECT_THAT(error_of("PK\x03\x04 and more of a zip"), HasSubstr("pickle"));
  EXPECT_THAT(error_of("\x80\x02}q\x01 and more of it"), HasSubstr("pickle"));
  for (const char* name : {"a.ckpt", "a.pt", "a.PTH", "a.bin"}) {
    EXPECT_THAT(error_of("whatever this is", name), HasSubstr("pickle")) << name;
  }
  EXPECT_THAT(error_of("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_THAT(error_of("<!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(error_of("GGUF12345678"), HasSubstr("GGUF"));
  EXPECT_THAT(model_error([&] { SafetensorsFile::open(folder_.path()); }),
              HasSubstr("is not a file"));
  EXPECT_THAT(model_error([&] { SafetensorsFile::open(folder_ / "none"); }),
              HasSubstr("No such file"));
}

TEST_F(SafetensorsTest, ContentCountsMoreThanTheName) {
  EXPECT_EQ(error_of(file_of("{}", 0), "a.bin"), "no error");
}

/// Opens hostile bytes and, where they pass, reads every tensor. Any error must be Error{model}.
void must_survive(const std::filesystem::path& path) {
  try {
    const auto file = SafetensorsFile::open(path);
    for (const TensorInfo& info : file->tensors()) {
      const at::Tensor tensor = file->tensor(info);
      ASSERT_EQ(tensor.numel(), info.numel());
      if (tensor.numel() > 0) (void)tensor.flatten()[-1].to(at::kFloat).item<float>();
    }
  } catch (const Error& error) {
    ASSERT_EQ(error.kind(), ErrorKind::model);
    ASSERT_THAT(error.what(), HasSubstr(path.string()));
  }
}

class HostileTest : public SafetensorsTest {
 protected:
  ~HostileTest() override { ::close(memory_); }
  /// A file in memory: thousands of files on a disk take their time.
  std::filesystem::path in_memory(const std::string& bytes) const {
    const bool written =
        ::ftruncate(memory_, 0) == 0 &&
        ::pwrite(memory_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
    EXPECT_TRUE(written);
    return "/proc/self/fd/" + std::to_string(memory_);
  }
  const int memory_ = ::memfd_create("hostile", 0);

  void SetUp() override {
    save_safetensors(folder_ / "good.safetensors",
                     {{"first.weight", at::arange(6, at::kFloat).reshape({2, 3})},
                      {"second", at::arange(5, at::kShort)},
                      {"third", at::ones({3}, at::kBFloat16)}},
                     {{"format", "pt"}});
    good_ = read_file(folder_ / "good.safetensors");
  }
  std::string good_;
};

TEST_F(HostileTest, EveryTruncationIsAnError) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    const auto path = in_memory(good_.substr(0, size));
    ASSERT_NE(model_error([&] { SafetensorsFile::open(path); }), "no error") << size;
  }
  EXPECT_EQ(error_of(good_), "no error");
  EXPECT_THAT(error_of(good_ + "x"), HasSubstr("1 bytes after the last tensor"));
}

TEST_F(HostileTest, EveryByteMayTakeOtherValues) {
  for (std::size_t at = 0; at < good_.size(); ++at) {
    for (const char value : {'\0', '\x01', '\x7f', '\x80', '\xff', '0', '9', '-', '"', '{', '}',
                             '[', ']', ',', ':', '.', 'e'}) {
      std::string bytes = good_;
      bytes[at] = value;
      must_survive(in_memory(bytes));
      if (HasFatalFailure()) FAIL() << "byte " << at << " set to " << int{value};
    }
  }
}

TEST_F(HostileTest, RandomDamageIsAnErrorOrAFile) {
  std::mt19937 random(1);
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = good_;
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
    }
    if (random() % 4 == 0) bytes.erase(random() % bytes.size(), 1 + random() % 8);
    if (random() % 4 == 0) bytes.insert(random() % bytes.size(), std::to_string(random()));
    must_survive(in_memory(bytes));
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST_F(SafetensorsTest, SavesWhatItReads) {
  const std::vector<std::pair<std::string, at::Tensor>> tensors = {
      {"z", at::arange(3, at::kByte)},
      {"half", at::arange(4, at::kHalf)},
      {"transposed", at::arange(6, at::kFloat).reshape({2, 3}).t()},
      {"wide", at::arange(2, at::kDouble)},
      {"none", at::empty({0, 4}, at::kFloat)},
      {"a \"name\" \xc3\xa4", at::arange(5, at::kLong)}};
  save_safetensors(folder_ / "a.safetensors", tensors, {{"key", "value \"x\""}});
  const auto file = SafetensorsFile::open(folder_ / "a.safetensors");
  EXPECT_EQ(file->metadata().at("key"), "value \"x\"");
  for (const auto& [name, tensor] : tensors) {
    const TensorInfo* info = file->find(name);
    ASSERT_NE(info, nullptr) << name;
    const at::Tensor back = file->tensor(*info);
    EXPECT_EQ(back.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(back, tensor)) << name;
  }
}

TEST_F(SafetensorsTest, SavesTheSameBytesWhateverTheOrder) {
  const at::Tensor x = at::arange(3, at::kFloat), y = at::arange(3, at::kHalf);
  save_safetensors(folder_ / "a", {{"x", x}, {"y", y}}, {{"k", "v"}, {"l", "w"}});
  save_safetensors(folder_ / "b", {{"y", y}, {"x", x}}, {{"l", "w"}, {"k", "v"}});
  const std::string bytes = read_file(folder_ / "a");
  EXPECT_EQ(bytes, read_file(folder_ / "b"));
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0) << "data is aligned to 8 bytes";
}

TEST_F(SafetensorsTest, SavingReplacesAndReportsFailure) {
  save_safetensors(folder_ / "a", {{"x", at::zeros({2})}});
  save_safetensors(folder_ / "a", {{"x", at::ones({2})}});
  const auto file = SafetensorsFile::open(folder_ / "a");
  EXPECT_TRUE(at::equal(file->tensor(*file->find("x")), at::ones({2})));
  try {
    save_safetensors(folder_ / "no such folder/a", {{"x", at::zeros({2})}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::output);
  }
  EXPECT_THROW(save_safetensors(folder_ / "b", {{"x", at::zeros({2})}, {"x", at::zeros({2})}}),
               Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "b"));
}

}  // namespace
}  // namespace svd::weights
