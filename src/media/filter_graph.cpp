#include "media/filter_graph.h"

#include <memory>
#include <utility>

extern "C" {
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>
}

namespace svd::media {
namespace {

using Ends = std::unique_ptr<AVFilterInOut, libav::ByAddress<avfilter_inout_free>>;

int check(int code, const char* call, const std::string& file) {
  return libav::check(code, call, file, ErrorKind::output);
}

/// One open end of a graph, for the parser.
Ends open_end(const char* name, AVFilterContext* filter, const std::string& file) {
  Ends end(libav::check(avfilter_inout_alloc(), "avfilter_inout_alloc", file, ErrorKind::output));
  end->name = av_strdup(name);
  end->filter_ctx = filter;
  end->pad_idx = 0;
  end->next = nullptr;
  return end;
}

}  // namespace

FilterGraph::FilterGraph(const std::string& filters, AVPixelFormat format, int width, int height,
                         AVRational time_base, AVPixelFormat output_format, std::string file)
    : file_(std::move(file)) {
  libav::silence();
  struct Release {
    void operator()(AVFilterGraph* graph) const { avfilter_graph_free(&graph); }
  };
  std::unique_ptr<AVFilterGraph, Release> graph(
      libav::check(avfilter_graph_alloc(), "avfilter_graph_alloc", file_, ErrorKind::output));
  graph->nb_threads = 1;
  const std::string rate = std::to_string(time_base.den) + "/" + std::to_string(time_base.num);
  const std::string input = "video_size=" + std::to_string(width) + "x" + std::to_string(height) +
                            ":pix_fmt=" + av_get_pix_fmt_name(format) +
                            ":time_base=" + std::to_string(time_base.num) + "/" +
                            std::to_string(time_base.den) + ":frame_rate=" + rate;
  check(avfilter_graph_create_filter(&source_, avfilter_get_by_name("buffer"), "in", input.c_str(),
                                     nullptr, graph.get()),
        "buffer", file_);
  check(avfilter_graph_create_filter(&sink_, avfilter_get_by_name("buffersink"), "out", nullptr,
                                     nullptr, graph.get()),
        "buffersink", file_);
  AVFilterInOut* outputs = open_end("in", source_, file_).release();
  AVFilterInOut* inputs = open_end("out", sink_, file_).release();
  const std::string chain =
      "[in]" + filters + ",format=" + av_get_pix_fmt_name(output_format) + "[out]";
  const int code = avfilter_graph_parse_ptr(graph.get(), chain.c_str(), &inputs, &outputs, nullptr);
  avfilter_inout_free(&inputs);
  avfilter_inout_free(&outputs);
  check(code, "avfilter_graph_parse_ptr", file_);
  check(avfilter_graph_config(graph.get(), nullptr), "avfilter_graph_config", file_);
  graph_ = graph.release();
}

FilterGraph::~FilterGraph() { avfilter_graph_free(&graph_); }

void FilterGraph::send(AVFrame* frame) {
  check(av_buffersrc_add_frame_flags(source_, frame, AV_BUFFERSRC_FLAG_KEEP_REF), "filtering",
        file_);
}

libav::Frame FilterGraph::receive() {
  libav::Frame frame(libav::check(av_frame_alloc(), "av_frame_alloc", file_, ErrorKind::output));
  const int code = av_buffersink_get_frame(sink_, frame.get());
  if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return nullptr;
  check(code, "filtering", file_);
  return frame;
}

AVRational FilterGraph::output_time_base() const { return av_buffersink_get_time_base(sink_); }

}  // namespace svd::media
