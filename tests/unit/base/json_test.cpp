#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace svd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class F>
std::string message_of(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return std::string(error.what()) + " | " + error.hint();
  }
  return "no error";
}

std::string parse_error(const std::string& text) {
  return message_of([&] { parse_json(text, "a.json", ErrorKind::usage); });
}

TEST(ParseJson, BuildsTheSameDocumentAsNlohmann) {
  const std::string text =
      R"({"a": [1, -2, 2.5, true, null, "x\u00e4", {"b": {}}, []], "c": 18446744073709551615})";
  EXPECT_EQ(parse_json(text, "a.json", ErrorKind::usage), Json::parse(text));
  EXPECT_EQ(parse_json("3", "a.json", ErrorKind::usage), Json(3));
}

TEST(ParseJson, RefusesDuplicateNames) {
  EXPECT_THAT(parse_error(R"({"x": {"a": 1, "a": 1}})"),
              AllOf(HasSubstr("a.json"), HasSubstr("'a' occurs twice")));
  EXPECT_EQ(parse_error(R"([{"a": 1}, {"a": 1}])"), "no error");
}

TEST(ParseJson, RefusesBrokenTextWithThePlace) {
  EXPECT_THAT(parse_error("{\"a\": 1,\n  oops}"), HasSubstr("line 2, column 3"));
  for (const char* text :
       {"", " ", "{", "{\"a\"}", "[1,]", "{} x", "nul", "1e999", "NaN", "\"\xff\"", "// c\n1"}) {
    EXPECT_THAT(parse_error(text), HasSubstr("not valid JSON")) << text;
  }
}

TEST(ParseJson, AZeroByteIsNotTheEnd) {
  EXPECT_THAT(parse_error(std::string("{}\0 more", 8)), HasSubstr("not valid JSON"));
}

TEST(ParseJson, DeepNestingIsAnError) {
  EXPECT_EQ(parse_error(std::string(64, '[') + std::string(64, ']')), "no error");
  EXPECT_THAT(parse_error(std::string(65, '[') + std::string(65, ']')), HasSubstr("64 levels"));
  EXPECT_THAT(parse_error(std::string(1'000'000, '[')), HasSubstr("64 levels"));
}

TEST(ReadJsonFile, NamesTheFile) {
  const auto path =
      std::filesystem::temp_directory_path() / ("svd_json_" + std::to_string(getpid()));
  EXPECT_THAT(message_of([&] { read_json_file(path, ErrorKind::usage); }),
              HasSubstr("no such file"));
  EXPECT_THAT(message_of([&] { read_json_file(path.parent_path(), ErrorKind::usage); }),
              HasSubstr("not a regular file"));
  std::ofstream(path) << "{\"a\": 1}";
  EXPECT_EQ(read_json_file(path, ErrorKind::usage), Json({{"a", 1}}));
  EXPECT_THAT(message_of([&] { read_json_file(path, ErrorKind::usage, 7); }),
              HasSubstr("larger than 7 bytes"));
  std::filesystem::remove(path);
}

class JsonObjectTest : public testing::Test {
 protected:
  const Json json_ =
      Json::parse(R"({"i": 7, "big": 18446744073709551615, "f": 2.5, "t": true, "s": "x",
                                     "n": null, "l": [1, 2], "m": [1, "x"], "o": {"k": 1}})");
  const JsonObject object_{json_, "a.json", ErrorKind::usage};
};

TEST_F(JsonObjectTest, ReadsTypedValues) {
  EXPECT_EQ(object_.integer("i", 0, 10), 7);
  EXPECT_EQ(object_.integer("absent", 0, 10, 3), 3);
  EXPECT_EQ(object_.integer("n", 0, 10, 3), 3);
  EXPECT_EQ(object_.number("f", 0, 10), 2.5);
  EXPECT_EQ(object_.number("i", 0, 10), 7.0);
  EXPECT_TRUE(object_.boolean("t"));
  EXPECT_EQ(object_.string("s"), "x");
  EXPECT_EQ(object_.integers("l", 0, 2, 1, 2), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(object_.numbers("l", 0, 2, 1, 2), (std::vector<double>{1, 2}));
  EXPECT_EQ(object_.object("o").integer("k", 0, 1), 1);
}

TEST_F(JsonObjectTest, NamesKeyValueAndExpectation) {
  EXPECT_THAT(message_of([&] { object_.integer("i", 0, 6); }),
              HasSubstr("a.json: 'i' is 7, expected an integer from 0 to 6"));
  EXPECT_THAT(message_of([&] { object_.integer("f", 0, 6); }), HasSubstr("'f' is 2.5"));
  EXPECT_THAT(message_of([&] { object_.integer("big", 0, 6); }), HasSubstr("18446744073709551615"));
  EXPECT_THAT(message_of([&] { object_.integer("t", 0, 6); }), HasSubstr("'t' is true"));
  EXPECT_THAT(message_of([&] { object_.integer("absent", 0, 6); }),
              HasSubstr("'absent' is missing"));
  EXPECT_THAT(message_of([&] { object_.number("s", 0, 1); }), HasSubstr("a number from 0 to 1"));
  EXPECT_THAT(message_of([&] { object_.boolean("i"); }), HasSubstr("true or false"));
  EXPECT_THAT(message_of([&] { object_.string("i"); }), HasSubstr("a string"));
  EXPECT_THAT(message_of([&] { object_.integers("l", 0, 1, 1, 2); }), HasSubstr("'l' contains 2"));
  EXPECT_THAT(message_of([&] { object_.integers("l", 0, 2, 3, 3); }),
              HasSubstr("a list of 3 integers"));
  EXPECT_THAT(message_of([&] { object_.strings("m", 0, 9); }), HasSubstr("contains 1"));
  EXPECT_THAT(message_of([&] { object_.object("s"); }), HasSubstr("expected an object"));
  EXPECT_THAT(message_of([&] { JsonObject(json_["l"], "b.json", ErrorKind::usage); }),
              HasSubstr("b.json: is a list of 2, expected an object"));
}

TEST_F(JsonObjectTest, UnknownKeysGetASuggestion) {
  EXPECT_EQ(message_of([&] { object_.object("o").allow_only({"k", "l"}); }), "no error");
  const Json json = Json::parse(R"({"frmes": 1})");
  EXPECT_THAT(message_of([&] {
                JsonObject(json, "b.json", ErrorKind::usage).allow_only({"frames", "steps"});
              }),
              AllOf(HasSubstr("'frmes'"), HasSubstr("frames")));
}

TEST(Printable, CannotHurtATerminal) {
  EXPECT_EQ(printable("a b"), "'a b'");
  EXPECT_EQ(printable("\x1b[2J\n\xff"), "'\\x1b[2J\\x0a\\xff'");
  EXPECT_EQ(printable(std::string(500, 'a')).size(), 125u);
}

}  // namespace
}  // namespace svd
