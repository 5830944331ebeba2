// Networks that stay loaded from one run of a Generator to the next.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "generator_fixture.h"
#include "ops/packed.h"
#include "svd/error.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

using test::Frames;
using test::render;
using test::tiny_request;

Request with(const std::function<void(Request&)>& change) {
  Request request = tiny_request();
  change(request);
  return request;
}

const Request kA = tiny_request();

TEST(KeepNetworks, GivesTheBytesOfAFreshRunWhateverCameBetween) {
  const std::vector<Request> others = {
      with([](Request& r) { r.seed = 8; }),
      with([](Request& r) { r.steps = 3; }),
      with([](Request& r) { r.profile = Profile::diffusers; }),
      with([](Request& r) { r.dtype = Dtype::bfloat16; }),
      with([](Request& r) { r.vae_dtype = Dtype::bfloat16; }),
      with([](Request& r) { r.noise_aug_strength = 0; }),
      with([](Request& r) { r.noise_aug_strength = 0, r.seed = 9; }),
      with([](Request& r) { r.min_guidance = r.max_guidance = 1; }),
      with([](Request& r) { r.frames = 2, r.decode_chunk = 1; }),
      with([](Request& r) { r.width = 128; }),
  };
  Generator keeping = test::tiny_generator();
  keeping.set_keep_networks(true);
  const auto fresh = [](const Request& request) {
    Generator generator = test::tiny_generator();
    return render(generator, request);
  };
  const Frames a = fresh(kA);
  for (std::size_t i = 0; i < others.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(render(keeping, kA), a);
    EXPECT_EQ(render(keeping, others[i]), fresh(others[i]));
  }
  EXPECT_EQ(render(keeping, kA), a);
  EXPECT_EQ(render(keeping, kA), a);
}

TEST(KeepNetworks, MindsAnotherPicture) {
  Generator keeping = test::tiny_generator(), fresh = test::tiny_generator();
  keeping.set_keep_networks(true);
  const InputImages other = test::picture(kA, 90);
  render(keeping, kA);
  EXPECT_EQ(render(keeping, kA, other), render(fresh, kA, other));
}

// Zeros for a tensor in the file of a model, behind the back of who has opened it.
void wipe(const std::filesystem::path& path, const std::string& tensor) {
  const auto file = weights::SafetensorsFile::open(path);
  const weights::TensorInfo* info = file->find(tensor);
  ASSERT_NE(info, nullptr);
  std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
  std::uint64_t header_bytes = 0;
  stream.read(reinterpret_cast<char*>(&header_bytes), sizeof header_bytes);
  stream.seekp(static_cast<std::streamoff>(8 + header_bytes + info->begin));
  stream << std::string(info->end - info->begin, '\0');
}

TEST(KeepNetworks, DoesNotReadTheWeightsAgain) {
  if (!ops::can_pack(at::kCPU, at::kFloat)) GTEST_SKIP() << "weights may be views of the file";
  const std::filesystem::path folder = testing::TempDir() + "/kept_model";
  std::filesystem::remove_all(folder);
  std::filesystem::copy(SVD_TEST_DATA "/models/tiny-svd", folder,
                        std::filesystem::copy_options::recursive);
  Generator generator = test::tiny_generator(folder.string());
  generator.set_keep_networks(true);
  const Frames before = render(generator, kA);
  wipe(folder / "unet/diffusion_pytorch_model.safetensors", "conv_out.weight");
  wipe(folder / "vae/diffusion_pytorch_model.safetensors", "decoder.conv_in.weight");
  EXPECT_EQ(render(generator, kA), before);
  generator.set_keep_networks(false);
  EXPECT_NE(render(generator, kA), before) << "given back";
  std::filesystem::remove_all(folder);
}

TEST(KeepNetworks, IsPlannedAndCountedOnce) {
  Generator generator = test::tiny_generator();
  EXPECT_FALSE(generator.plan(kA).keep_networks);
  generator.set_keep_networks(true);
  EXPECT_TRUE(generator.plan(kA).keep_networks);
  Result result;
  render(generator, kA, test::picture(kA), &result);
  EXPECT_TRUE(result.memory.keep_networks);
  const std::int64_t first = result.memory.process_bytes;
  render(generator, kA, test::picture(kA), &result);
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer keeps freed memory, so that the process only grows";
#endif
  EXPECT_LT(result.memory.process_bytes, first + (64 << 20)) << "what is kept is counted once";
}

TEST(KeepNetworks, LeavesNothingBrokenAfterAFailure) {
  Generator fresh = test::tiny_generator(), keeping = test::tiny_generator();
  keeping.set_keep_networks(true);
  const Frames expected = render(fresh, kA);
  render(keeping, kA);
  for (const Stage stage : {Stage::load_conditioning, Stage::condition, Stage::load_unet,
                            Stage::sample, Stage::load_decoder, Stage::decode}) {
    SCOPED_TRACE(to_string(stage));
    test::StoppingObserver stopping(stage);
    test::CollectingSink sink;
    try {
      keeping.run(kA, test::picture(kA), sink, stopping, stopping.token());
      ADD_FAILURE() << "not stopped";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
    EXPECT_EQ(render(keeping, kA), expected);
    EXPECT_EQ(render(keeping, kA), expected);
  }
}

}  // namespace
}  // namespace svd
