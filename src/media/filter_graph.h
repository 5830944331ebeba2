#pragma once

#include <string>

#include "media/libav.h"

struct AVFilterGraph;
struct AVFilterContext;

/// libavfilter for one stream. Private to src/media.
namespace svd::media {

/// Filters of libavfilter with one input and one output, as FFmpeg's -vf spells them.
class FilterGraph {
 public:
  /// Frames of `format` and size go in, one every `time_base`; frames of `output_format` come out.
  /// Errors name `file`.
  FilterGraph(const std::string& filters, AVPixelFormat format, int width, int height,
              AVRational time_base, AVPixelFormat output_format, std::string file);
  ~FilterGraph();
  FilterGraph(const FilterGraph&) = delete;
  FilterGraph& operator=(const FilterGraph&) = delete;

  /// Sends a frame, or null at the end. The frame may be changed afterwards.
  void send(AVFrame* frame);

  /// The next frame that is ready, null if none is. Its pts counts in `output_time_base`.
  libav::Frame receive();
  AVRational output_time_base() const;

 private:
  std::string file_;
  AVFilterGraph* graph_ = nullptr;
  AVFilterContext* source_ = nullptr;  ///< owned by graph_
  AVFilterContext* sink_ = nullptr;    ///< owned by graph_
};

}  // namespace svd::media
