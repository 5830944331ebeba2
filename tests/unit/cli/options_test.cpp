#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/help.h"
#include "cli/jobs.h"
#include "cli/option_table.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

CommandLine parse(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments);
}

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what() + (error.hint().empty() ? "" : "; " + error.hint());
  }
  return "accepted";
}

TEST(Options, LeavesUnsetWhatWasNotGiven) {
  const CommandLine line = parse({"--image", "in.png"});
  EXPECT_EQ(line.command, Command::render);
  EXPECT_EQ(line.render.job.image, "in.png");
  EXPECT_EQ(line.render.job.model, std::nullopt);
  EXPECT_EQ(line.render.job.models_dir, std::nullopt);
  EXPECT_FALSE(line.render.job.overwrite || line.render.dry_run);
  EXPECT_FALSE(line.messages.json || line.messages.quiet || line.messages.verbose);
  const RequestOptions& request = line.render.job.request;
  EXPECT_FALSE(request.frames || request.fps || request.condition_fps || request.steps ||
               request.seed || request.motion_bucket_id || request.noise_aug_strength ||
               request.min_guidance || request.max_guidance || request.width || request.height ||
               request.fit || request.dtype || request.vae_dtype || request.device ||
               request.threads || request.decode_chunk || request.profile || request.save_latents ||
               request.init_latents);
}

TEST(Options, ReadsEveryOption) {
  const CommandLine line = parse({"--image=in.png",
                                  "-o",
                                  "out.mp4",
                                  "--model",
                                  "svd",
                                  "--models-dir",
                                  "m",
                                  "--frames",
                                  "14",
                                  "--fps",
                                  "12.5",
                                  "--condition-fps",
                                  "6",
                                  "--steps",
                                  "20",
                                  "--seed",
                                  "18446744073709551615",
                                  "--motion-bucket-id",
                                  "60",
                                  "--noise-aug-strength",
                                  "0.1",
                                  "--min-guidance",
                                  "1",
                                  "--max-guidance",
                                  "2.5",
                                  "--size",
                                  "576x1024",
                                  "--fit",
                                  "pad",
                                  "--dtype",
                                  "float16",
                                  "--vae-dtype",
                                  "bfloat16",
                                  "--device",
                                  "cuda:1",
                                  "--threads",
                                  "3",
                                  "--decode-chunk",
                                  "7",
                                  "--profile",
                                  "diffusers",
                                  "--save-latents",
                                  "a.safetensors",
                                  "--init-latents",
                                  "b.safetensors",
                                  "-n",
                                  "--overwrite",
                                  "--json",
                                  "-q"});
  EXPECT_EQ(line.render.job.output, "out.mp4");
  EXPECT_EQ(line.render.job.model, "svd");
  EXPECT_EQ(line.render.job.models_dir, "m");
  EXPECT_TRUE(line.render.job.overwrite);
  EXPECT_TRUE(line.render.dry_run);
  EXPECT_TRUE(line.messages.json);
  EXPECT_TRUE(line.messages.quiet);
  const RequestOptions& request = line.render.job.request;
  EXPECT_EQ(request.frames, 14);
  EXPECT_EQ(request.fps, 12.5);
  EXPECT_EQ(request.condition_fps, 6);
  EXPECT_EQ(request.steps, 20);
  EXPECT_EQ(request.seed, 18446744073709551615u);
  EXPECT_EQ(request.motion_bucket_id, 60);
  EXPECT_EQ(request.noise_aug_strength, 0.1);
  EXPECT_EQ(request.min_guidance, 1);
  EXPECT_EQ(request.max_guidance, 2.5);
  EXPECT_EQ(request.width, 576);
  EXPECT_EQ(request.height, 1024);
  EXPECT_EQ(request.fit, Fit::pad);
  EXPECT_EQ(request.dtype, Dtype::float16);
  EXPECT_EQ(request.vae_dtype, Dtype::bfloat16);
  EXPECT_EQ(request.device, "cuda:1");
  EXPECT_EQ(request.threads, 3);
  EXPECT_EQ(request.decode_chunk, 7);
  EXPECT_EQ(request.profile, Profile::diffusers);
  EXPECT_EQ(request.save_latents, "a.safetensors");
  EXPECT_EQ(request.init_latents, "b.safetensors");
}

TEST(Options, DerivesTheOutputFromTheImage) {
  const auto output = [](const std::vector<std::string>& arguments) {
    return list_jobs(parse(arguments).render).front().output;
  };
  EXPECT_EQ(output({"--image", "dir/cat.jpeg"}), "cat.mp4");
  EXPECT_EQ(output({"--image", "-"}), "video.mp4");
  EXPECT_EQ(output({"--image", "dir/"}), "video.mp4");
  EXPECT_EQ(output({"--image", "cat", "-o", "frames/"}), "frames/");
}

TEST(Options, TakesTheLastOfRepeatedOptions) {
  const CommandLine line = parse({"--image", "a", "--steps", "3", "--image", "b", "--steps", "4",
                                  "--overwrite", "--overwrite"});
  EXPECT_EQ(line.render.job.image, "b");
  EXPECT_EQ(line.render.job.request.steps, 4);
  EXPECT_TRUE(line.render.job.overwrite);
}

TEST(Options, KeepsValuesThatLookUnusual) {
  EXPECT_EQ(parse({"--image", "[a,b].png"}).render.job.image, "[a,b].png");
  EXPECT_EQ(parse({"--image", "{}"}).render.job.image, "{}");
  EXPECT_EQ(parse({"--image", "'quoted' \"twice\""}).render.job.image, "'quoted' \"twice\"");
  EXPECT_EQ(parse({"--image", "a=b,c d\n.png"}).render.job.image, "a=b,c d\n.png");
  EXPECT_EQ(parse({"--image", "inspect"}).render.job.image, "inspect");
  EXPECT_EQ(parse({"--image", "-x.png"}).render.job.image, "-x.png");
  EXPECT_EQ(parse({"--image", "%s"}).render.job.image, "%s");
}

TEST(Options, HandsNegativeNumbersOverAsValues) {
  EXPECT_EQ(parse({"--image", "a", "--frames", "-3"}).render.job.request.frames, -3);
  EXPECT_EQ(parse({"--image", "a", "--fps", "-1"}).render.job.request.fps, -1);
  EXPECT_THAT(refusal({"--image", "a", "--seed", "-1"}), HasSubstr("--seed '-1'"));
}

TEST(Options, NamesAnOptionWithoutItsValue) {
  EXPECT_THAT(refusal({"--image"}), HasSubstr("--image needs a value"));
  EXPECT_THAT(refusal({"--image", ""}), HasSubstr("--image needs a value"));
  EXPECT_THAT(refusal({"--image", "a", "--size="}), HasSubstr("--size needs a value"));
  EXPECT_THAT(refusal({"--image", "a", "-o"}), HasSubstr("needs a value"));
  EXPECT_THAT(refusal({"--image", "--", "a"}), HasSubstr("--image needs a value"));
  // CLI11 would take --frames as the picture's name.
  EXPECT_THAT(refusal({"--image", "--frames", "3"}), HasSubstr("--image needs a value"));
  EXPECT_THAT(refusal({"--image", "a", "--overwrite=no"}), HasSubstr("--overwrite takes no value"));
}

TEST(Options, SuggestsNamesForUnknownOptions) {
  EXPECT_EQ(refusal({"--image", "a", "--stepz", "3"}),
            "unknown option --stepz; did you mean --steps?");
  EXPECT_EQ(refusal({"--image", "a", "--overwrit"}),
            "unknown option --overwrit; did you mean --overwrite?");
  EXPECT_EQ(refusal({"--sede=4"}), "unknown option --sede; did you mean --seed?");
  EXPECT_EQ(refusal({"--watermark"}), "unknown option --watermark; see svd-gen --help");
  EXPECT_THAT(refusal({"--image", "a", "-z"}), HasSubstr("unknown option -z"));
  EXPECT_THAT(refusal({"in.png"}),
              AllOf(HasSubstr("unexpected argument 'in.png'"), HasSubstr("--image in.png")));
  EXPECT_THAT(refusal({"inspct", "m"}), HasSubstr("did you mean inspect?"));
  EXPECT_THAT(refusal({"--image", "a", "--", "b"}), HasSubstr("unexpected argument 'b'"));
}

TEST(Options, AsksForThePicture) {
  EXPECT_THAT(refusal({}), HasSubstr("--image is missing"));
  EXPECT_THAT(refusal({"--frames", "3"}), HasSubstr("--image is missing"));
}

TEST(Options, RefusesQuietTogetherWithVerbose) {
  EXPECT_THAT(refusal({"--image", "a", "-qv"}), HasSubstr("exclude each other"));
}

TEST(Options, ReadsInspect) {
  const CommandLine line = parse({"inspect", "m.safetensors", "--json", "--models-dir", "d"});
  EXPECT_EQ(line.command, Command::inspect);
  EXPECT_EQ(line.inspect.path, "m.safetensors");
  EXPECT_EQ(line.inspect.models_dir, "d");
  EXPECT_TRUE(line.messages.json);
  EXPECT_TRUE(parse({"--json", "inspect", "m"}).messages.json);
  EXPECT_TRUE(parse({"inspect", "-v", "m"}).messages.verbose);
}

TEST(Options, RefusesWhatInspectDoesNotTake) {
  EXPECT_THAT(refusal({"inspect"}), HasSubstr("needs an argument: NAME_OR_PATH"));
  EXPECT_THAT(refusal({"inspect", "a", "b"}), HasSubstr("unexpected argument 'b'"));
  EXPECT_THAT(refusal({"inspect", "m", "--frames", "3"}), HasSubstr("unknown option --frames"));
  EXPECT_THAT(refusal({"--frames", "3", "inspect", "m"}),
              HasSubstr("--frames is not an option of svd-gen inspect"));
  EXPECT_THAT(refusal({"inspect", "m", "--jsn"}), HasSubstr("did you mean --json?"));
}

TEST(Options, GivesHelpAndVersionWithoutAnythingElse) {
  EXPECT_EQ(parse({"-h"}).help, short_help());
  EXPECT_EQ(parse({"--help"}).help, help_of(command_row("")));
  EXPECT_EQ(parse({"inspect", "--help"}).help, help_of(command_row("inspect")));
  EXPECT_EQ(parse({"inspect", "-h"}).help, help_of(command_row("inspect")));
  EXPECT_EQ(parse({"help"}).help, help_of(command_row("")));
  EXPECT_EQ(parse({"help", "inspect"}).help, help_of(command_row("inspect")));
  EXPECT_EQ(parse({"help", "help"}).help, help_of(command_row("help")));
  EXPECT_THAT(refusal({"help", "inspct"}), HasSubstr("unknown command 'inspct'"));
  EXPECT_THAT(refusal({"help", "inspct"}), HasSubstr("did you mean inspect?"));
  EXPECT_THAT(refusal({"help", "inspect", "more"}), HasSubstr("unexpected argument 'more'"));
  EXPECT_THAT(refusal({"help", "--nope"}), HasSubstr("unknown command '--nope'"));
  EXPECT_EQ(parse({"--frames", "x", "--help"}).command, Command::help);
  EXPECT_EQ(parse({"--version"}).command, Command::version);
  EXPECT_TRUE(parse({"--version", "--json"}).messages.json);
}

TEST(Options, FindsJsonInArgumentsThatDoNotParse) {
  EXPECT_TRUE(wants_json({"--bogus", "--json"}));
  EXPECT_FALSE(wants_json({"--bogus", "--", "--json"}));
  EXPECT_FALSE(wants_json({}));
}

TEST(Help, ListsEveryOptionAndEveryExitCode) {
  const std::string help = help_of(command_row(""));
  for (const OptionRow& row : render_options()) {
    const std::string names = row.names;
    const std::string name = names.substr(names.rfind(',') + 1);
    EXPECT_EQ(
        help.find("  " + name) == std::string::npos && help.find(", " + name) == std::string::npos,
        *row.group == '\0')
        << name;
  }
  for (const char* code : {"0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "130 "})
    EXPECT_THAT(help, HasSubstr(std::string("\n  ") + code));
  EXPECT_THAT(help, Not(HasSubstr("--force-tty")));
}

TEST(Help, FitsTheScreen) {
  std::vector<std::string> texts = {short_help()};
  for (const CommandRow& row : commands()) texts.push_back(help_of(row));
  for (const std::string& text : texts) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  }
  const std::string text = short_help();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24);
}

TEST(Bench, TakesRenderOptionsAndItsOwn) {
  const CommandLine line =
      parse({"bench", "--model", "m", "--frames", "2", "--size", "64x128", "--warmup-steps", "3",
             "--profile-ops", "--without", "merged_qkv,split_skip", "--json"});
  EXPECT_EQ(line.command, Command::bench);
  EXPECT_EQ(line.bench.model, "m");
  EXPECT_EQ(line.bench.image, std::nullopt);
  EXPECT_EQ(line.bench.warmup_steps, 3);
  EXPECT_EQ(line.bench.without, (std::vector<std::string>{"merged_qkv", "split_skip"}));
  EXPECT_TRUE(line.bench.profile_operations);
  EXPECT_EQ(line.bench.request.frames, 2);
  EXPECT_EQ(line.bench.request.height, 128);
  EXPECT_EQ(line.bench.request.steps, std::nullopt);
  EXPECT_TRUE(line.messages.json);
  EXPECT_EQ(parse({"bench"}).bench.warmup_steps, std::nullopt);  // decided with the steps
}

TEST(Bench, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refusal({"bench", "--output", "a.mp4"}), HasSubstr("unknown option --output"));
  EXPECT_THAT(refusal({"bench", "--stepz", "2"}), HasSubstr("did you mean --steps?"));
  EXPECT_THAT(refusal({"bench", "tiny"}), HasSubstr("--model tiny"));
  EXPECT_THAT(refusal({"bench", "--warmup-steps", "x"}), HasSubstr("--warmup-steps 'x'"));
  EXPECT_THAT(refusal({"--overwrite", "bench"}),
              HasSubstr("--overwrite is not an option of svd-gen bench"));
}

TEST(Bench, HasHelpThatListsEveryOption) {
  const CommandLine line = parse({"bench", "--help"});
  EXPECT_EQ(line.command, Command::help);
  for (const char* name :
       {"--model", "--steps", "--warmup-steps", "--profile-ops", "--decode-chunk"})
    EXPECT_THAT(line.help, HasSubstr(name));
  EXPECT_THAT(line.help, Not(HasSubstr("--overwrite")));
}

}  // namespace
}  // namespace svd::cli
