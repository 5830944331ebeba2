#include "cli/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svd/error.h"

namespace svd::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <typename Parse>
std::string refusal(Parse parse, const std::string& text) {
  try {
    parse("--flag", text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what() + (error.hint().empty() ? "" : "; " + error.hint());
  }
  return "accepted";
}

TEST(ParseInt, ReadsTheWholeTextOrNothing) {
  EXPECT_EQ(parse_int("--flag", "25"), 25);
  EXPECT_EQ(parse_int("--flag", "-3"), -3);
  EXPECT_EQ(parse_int("--flag", "007"), 7);
  for (const char* text : {"", " 1", "1 ", "1e9", "2.0", "0x10", "+1", "x", "1,000", "--1"})
    EXPECT_THAT(refusal(parse_int, text),
                HasSubstr("--flag '" + std::string(text) + "' is not a whole number"));
}

TEST(ParseInt, NeitherWrapsNorSaturates) {
  EXPECT_EQ(parse_int("--flag", "2147483647"), 2147483647);
  for (const char* text : {"2147483648", "4294967297", "-2147483649", "99999999999999999999"})
    EXPECT_THAT(refusal(parse_int, text), AllOf(HasSubstr(text), HasSubstr("out of range")));
}

TEST(ParseBytes, KnowsUnitsOf1024) {
  EXPECT_EQ(parse_bytes("--flag", "8G"), std::int64_t{8} << 30);
  EXPECT_EQ(parse_bytes("--flag", "8GiB"), std::int64_t{8} << 30);
  EXPECT_EQ(parse_bytes("--flag", "1500m"), std::int64_t{1500} << 20);
  EXPECT_EQ(parse_bytes("--flag", "1.5g"), std::int64_t{3} << 29);
  EXPECT_EQ(parse_bytes("--flag", "1000"), 1000);
  for (const char* text : {"", "G", "8X", "-1G", "8 G", "1..5G", "nan", "8GG"})
    EXPECT_THAT(refusal(parse_bytes, text), HasSubstr("is not an amount of memory"));
  for (const char* text : {"99999999999G", "5000000000000000000"})
    EXPECT_THAT(refusal(parse_bytes, text), HasSubstr("out of range"));
}

// CLI11 turns a seed of -1 into 2^64 - 1 and cuts what is too large to that value too.
TEST(ParseUint64, NeitherWrapsNorSaturates) {
  EXPECT_EQ(parse_uint64("--seed", "0"), 0u);
  EXPECT_EQ(parse_uint64("--seed", "18446744073709551615"), 18446744073709551615u);
  EXPECT_THAT(refusal(parse_uint64, "18446744073709551616"), HasSubstr("out of range"));
  for (const char* text : {"-1", "-0", "1.0", "", "seed"})
    EXPECT_THAT(refusal(parse_uint64, text), HasSubstr("is not a whole number"));
}

TEST(ParseDouble, ReadsDecimalsAndRefusesWhatIsNoFiniteNumber) {
  EXPECT_EQ(parse_double("--fps", "23.976"), 23.976);
  EXPECT_EQ(parse_double("--fps", "-1.5e1"), -15);
  EXPECT_EQ(parse_double("--fps", ".5"), 0.5);
  for (const char* text : {"", "12fps", "1,5", "x", " 1"})
    EXPECT_THAT(refusal(parse_double, text), HasSubstr("is not a number"));
  for (const char* text : {"nan", "NaN", "inf", "-inf", "infinity"})
    EXPECT_THAT(refusal(parse_double, text), HasSubstr("is not a finite number"));
  EXPECT_THAT(refusal(parse_double, "1e999"), HasSubstr("out of range"));
}

TEST(ParseSize, TakesTwoWholeNumbers) {
  EXPECT_EQ(parse_size("--size", "1024x576"), std::pair(1024, 576));
  for (const char* text : {"", "x", "1024", "1024x", "x576", "1024X576", "1024x576x3", "1e3x5",
                           "1024 x 576", "99999999999x64"})
    EXPECT_THAT(refusal(parse_size, text), HasSubstr("like 1024x576")) << text;
}

// CLI11 would list the numbers behind the names.
TEST(ParseChoices, ListTheNamesAndSuggestOne) {
  EXPECT_EQ(parse_fit("--fit", "stretch"), Fit::stretch);
  EXPECT_EQ(parse_dtype("--dtype", "auto"), Dtype::automatic);
  EXPECT_EQ(parse_dtype("--dtype", "bfloat16"), Dtype::bfloat16);
  EXPECT_EQ(parse_profile("--profile", "diffusers"), Profile::diffusers);
  EXPECT_EQ(refusal(parse_fit, "corp"),
            "--flag 'corp' is not one of crop, pad, stretch; did you mean crop?");
  EXPECT_EQ(refusal(parse_profile, "Reference"),
            "--flag 'Reference' is not one of reference, diffusers; did you mean reference?");
  EXPECT_THAT(refusal(parse_dtype, "fp16"), HasSubstr("did you mean float16?"));
  EXPECT_EQ(refusal(parse_dtype, "int8"),
            "--flag 'int8' is not one of auto, float32, bfloat16, float16");
}

}  // namespace
}  // namespace svd::cli
