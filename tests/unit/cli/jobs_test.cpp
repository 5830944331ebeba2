#include "cli/jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "svd/error.h"

namespace svd::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A folder that is the current one, and gone afterwards.
class Jobs : public testing::Test {
 protected:
  Jobs() {
    std::string name = testing::TempDir() + "svd-jobs-XXXXXX";
    folder_ = mkdtemp(name.data());
    std::filesystem::current_path(folder_);
  }
  ~Jobs() override {
    std::filesystem::current_path("/");
    std::filesystem::remove_all(folder_);
  }

  static void write(const std::string& name, const std::string& text = {}) {
    std::ofstream(name) << text;
  }

  static std::vector<Job> list(const std::vector<std::string>& arguments) {
    return list_jobs(parse_command_line(arguments).render);
  }

  static std::vector<std::string> outputs(const std::vector<std::string>& arguments) {
    std::vector<std::string> names;
    for (const Job& job : list(arguments)) names.push_back(job.output);
    return names;
  }

  static std::string refusal(const std::vector<std::string>& arguments) {
    try {
      list(arguments);
    } catch (const Error& error) {
      return std::to_string(static_cast<int>(error.kind())) + " " + error.what() + "; " +
             error.hint();
    }
    return "accepted";
  }

  std::filesystem::path folder_;
};

TEST_F(Jobs, OneClipDrawsItsSeed) {
  const std::vector<Job> jobs = list({"--image", "dir/cat.png"});
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_TRUE(jobs[0].seed_is_drawn);
  EXPECT_LE(*jobs[0].request.seed, 0xffffffffu);
  EXPECT_EQ(jobs[0].output, "cat.mp4");
}

TEST_F(Jobs, EveryPictureWithEverySeed) {
  EXPECT_THAT(outputs({"--image", "a.png", "--image", "x/b.png", "--seeds", "3..4"}),
              ElementsAre("a_3_0.mp4", "a_4_1.mp4", "b_3_2.mp4", "b_4_3.mp4"));
  EXPECT_THAT(outputs({"--image", "a.png", "--seeds", "9,2", "-o", "{seed}-{index:03}.gif"}),
              ElementsAre("9-000.gif", "2-001.gif"));
}

TEST_F(Jobs, RepeatCountsSeedsUp) {
  EXPECT_THAT(outputs({"--image", "a.png", "--seed", "7", "--repeat", "2"}),
              ElementsAre("a_7_0.mp4", "a_8_1.mp4"));
  EXPECT_THAT(outputs({"--image", "a.png", "--repeat", "2"}),
              ElementsAre("a_0_0.mp4", "a_1_1.mp4"));
}

TEST_F(Jobs, FoldersGiveTheirPicturesInOrder) {
  std::filesystem::create_directory("in");
  for (const char* name : {"in/b.JPG", "in/a.png", "in/notes.txt", "in/.hidden.png"}) write(name);
  EXPECT_THAT(outputs({"--image-dir", "in", "--seed", "1"}), ElementsAre("a_1_0.mp4", "b_1_1.mp4"));
  EXPECT_THAT(outputs({"--image-dir", "in/*.png", "--seed", "1"}), ElementsAre("a.mp4"));
  EXPECT_THAT(refusal({"--image-dir", "none"}), HasSubstr("3 --image-dir none: there is no such"));
  EXPECT_THAT(refusal({"--image-dir", "in/*.tiff"}), HasSubstr("holds no picture"));
}

TEST_F(Jobs, LinesOfABatchWinOverTheCommandLine) {
  write("jobs.jsonl",
        "{\"image\": \"a.png\", \"steps\": 3, \"output\": \"one.webm\"}\n"
        "\n"
        "{\"image\": \"b.png\", \"seed\": 18446744073709551615, \"width\": 128, \"height\": 64}\n");
  const std::vector<Job> jobs =
      list({"--batch", "jobs.jsonl", "--steps", "9", "-o", "{stem}.mp4", "--overwrite"});
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].output, "one.webm");
  EXPECT_EQ(jobs[0].request.steps, 3);
  EXPECT_EQ(jobs[0].request.seed, 0u);
  EXPECT_EQ(jobs[1].output, "b.mp4");
  EXPECT_EQ(jobs[1].request.steps, 9);
  EXPECT_EQ(jobs[1].request.seed, 18446744073709551615u);
  EXPECT_EQ(jobs[1].request.width, 128);
  EXPECT_TRUE(jobs[1].overwrite);
}

TEST_F(Jobs, LinesThatAreWrongAreNamed) {
  const auto refused = [](const std::string& line) {
    write("jobs.jsonl", "{\"image\": \"a.png\"}\n" + line + "\n");
    return refusal({"--batch", "jobs.jsonl"});
  };
  EXPECT_THAT(refused("{\"image\": \"a.png\", \"stepz\": 3}"),
              testing::AllOf(HasSubstr("2 jobs.jsonl:2"), HasSubstr("steps")));
  EXPECT_THAT(refused("{\"image\": \"a.png\", \"steps\": 0}"),
              HasSubstr("jobs.jsonl:2: --steps 0 is out of range"));
  EXPECT_THAT(refused("{\"steps\": 2}"), HasSubstr("jobs.jsonl:2: 'image' is missing"));
  EXPECT_THAT(refused("{\"image\": "), HasSubstr("jobs.jsonl:2"));
  EXPECT_THAT(refused("{\"image\": \"a.png\", \"overwrite\": 1}"), HasSubstr("jobs.jsonl:2"));
  EXPECT_THAT(refused("[]"), HasSubstr("jobs.jsonl:2"));
  EXPECT_THAT(refused("{\"image\": \"a.png\", \"batch\": \"x\"}"), HasSubstr("batch"));
  EXPECT_THAT(refusal({"--batch", "none.jsonl"}), HasSubstr("there is no such file"));
}

TEST_F(Jobs, ShardsShareTheListOut) {
  const std::vector<std::string> all = {"--image", "a.png", "--seeds", "0..4"};
  std::vector<std::string> found;
  for (const char* shard : {"0/2", "1/2"}) {
    std::vector<std::string> arguments = all;
    arguments.insert(arguments.end(), {"--shard", shard});
    for (const std::string& name : outputs(arguments)) found.push_back(name);
  }
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(outputs(all)));
}

TEST_F(Jobs, NoTwoClipsWriteOneFile) {
  EXPECT_THAT(refusal({"--image", "a.png", "--image", "b.png", "-o", "x.mp4"}),
              HasSubstr("clips 0 and 1 would both write x.mp4"));
  EXPECT_THAT(refusal({"--image", "a.png", "--repeat", "2", "--save-latents", "l.safetensors"}),
              HasSubstr("would both write l.safetensors"));
}

TEST_F(Jobs, StandardInputIsReadOnce) {
  EXPECT_THAT(refusal({"--image", "-", "--seeds", "1..2"}), HasSubstr("can be read once"));
  EXPECT_EQ(list({"--image", "-"}).size(), 1u);
}

TEST_F(Jobs, SeedsDoNotWrap) {
  EXPECT_THAT(refusal({"--image", "a.png", "--seed", "18446744073709551615", "--repeat", "2"}),
              HasSubstr("cannot be counted up"));
}

TEST_F(Jobs, TemplatesKnowTheirPlaceholders) {
  Job job;
  job.image = "in/cat.x.png";
  job.index = 12;
  job.request.seed = 5;
  EXPECT_EQ(fill_template("-o", "{stem}/{{{index:04}}}_{seed}", job), "cat.x/{0012}_5");
  EXPECT_THAT(refusal({"--image", "a.png", "-o", "{sed}.mp4"}), HasSubstr("did you mean seed?"));
  EXPECT_THAT(refusal({"--image", "a.png", "-o", "{seed.mp4"}), HasSubstr("not closed"));
  EXPECT_THAT(refusal({"--image", "a.png", "-o", "{seed:4}.mp4"}), HasSubstr("01 to 09"));
}

TEST(Stem, IsThePicturesName) {
  EXPECT_EQ(stem_of("a/b.c.png"), "b.c");
  EXPECT_EQ(stem_of("-"), "video");
  EXPECT_EQ(stem_of("a/clip.mp4@12.5s"), "clip");
  EXPECT_EQ(stem_of("https://example.org/x/cat.jpg?size=1"), "cat");
}

}  // namespace
}  // namespace svd::cli
