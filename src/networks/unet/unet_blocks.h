#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "nn/resnet.h"
#include "nn/transformer.h"

/// diffusers: models/unets/unet_3d_blocks.py, the SpatioTemporal blocks of SVD's UNet.
/// A block with attention is the CrossAttn... class of the same name; without it the plain one.
namespace svd::networks {

using nn::BeforeUnit;
using nn::Tensor;

/// What is constant over a clip in one block; `forward` takes that of one step.
struct BlockConstants {
  std::vector<nn::ResBlockConstants> resnets;
  std::vector<nn::TransformerConstants> attentions;

  BlockConstants clip(std::int64_t i) const;    ///< of one of the clips
  BlockConstants at(const Tensor& step) const;  ///< of one of the steps
};

/// Shape of a UNet block.
struct BlockShape {
  int layers = 2;  ///< (resnet, attention) pairs
  int transformer_layers = 1;
  int context_channels = 1024;
  int heads = 5;
  int time_channels = 1280;
  double eps = 1e-5;  ///< of the resnets' norms
  bool attention = true;
  bool resample = true;  ///< downsampler or upsampler at the end
};

/// (CrossAttn)DownBlockSpatioTemporal. Keys: resnets.N, attentions.N, downsamplers.0.conv.
class DownBlockSpatioTemporal : public nn::Module {
 public:
  DownBlockSpatioTemporal(nn::Module& parent, std::string name, int in, int out,
                          const BlockShape& shape);
  BlockConstants prepare(const Tensor& time, const Tensor& context, std::int64_t frames,
                         const BeforeUnit& before) const;
  /// Every intermediate result is appended to `skips`; the last one is returned.
  Tensor forward(Tensor x, std::int64_t frames, const BlockConstants& constants,
                 std::vector<Tensor>& skips, const BeforeUnit& before) const;

 private:
  nn::ModuleList<nn::TransformerSpatioTemporalModel> attentions_;
  nn::ModuleList<nn::SpatioTemporalResBlock> resnets_;
  nn::ModuleList<nn::Downsample2D> downsamplers_;
};

/// UNetMidBlockSpatioTemporal. Keys: resnets.0, attentions.0, resnets.1.
class UNetMidBlockSpatioTemporal : public nn::Module {
 public:
  UNetMidBlockSpatioTemporal(nn::Module& parent, std::string name, int channels,
                             const BlockShape& shape);
  BlockConstants prepare(const Tensor& time, const Tensor& context, std::int64_t frames,
                         const BeforeUnit& before) const;
  Tensor forward(Tensor x, std::int64_t frames, const BlockConstants& constants,
                 const BeforeUnit& before) const;

 private:
  nn::ModuleList<nn::TransformerSpatioTemporalModel> attentions_;
  nn::ModuleList<nn::SpatioTemporalResBlock> resnets_;
};

/// (CrossAttn)UpBlockSpatioTemporal. Keys: resnets.N, attentions.N, upsamplers.0.conv.
class UpBlockSpatioTemporal : public nn::Module {
 public:
  /// `in`: channels of the last skip; `previous`: channels coming from the block below.
  UpBlockSpatioTemporal(nn::Module& parent, std::string name, int in, int previous, int out,
                        const BlockShape& shape);
  BlockConstants prepare(const Tensor& time, const Tensor& context, std::int64_t frames,
                         const BeforeUnit& before) const;
  /// Takes its inputs off the end of `skips`.
  Tensor forward(Tensor x, std::int64_t frames, const BlockConstants& constants,
                 std::vector<Tensor>& skips, const BeforeUnit& before) const;

 private:
  nn::ModuleList<nn::TransformerSpatioTemporalModel> attentions_;
  nn::ModuleList<nn::SpatioTemporalResBlock> resnets_;
  nn::ModuleList<nn::Upsample2D> upsamplers_;
};

}  // namespace svd::networks
