#include "video/video.h"

#include "api/boundary.h"
#include "video/memory_frames.h"
#include "video/sampling.h"

using ata::api::flag_of;
using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::read_struct;
using ata::api::read_structs;
using ata::api::require_enum;
using ata::api::require_pointer;
using ata::api::write_struct;

struct ata_video {
  std::shared_ptr<ata::VideoReader> reader;
};

struct ata_video_views {
  std::shared_ptr<ata::VideoReader> reader;  // the sampler reads from it
  ata::ViewSampler sampler;
};

struct ata_video_writer {
  ata::VideoWriter writer;
};

namespace {

/// The same file in memory of the library's own.
std::shared_ptr<const ata::InputFile> copy_of(const ata::InputFile& file) {
  auto content = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(file.size()));
  file.read(0, content->data(), content->size());
  return std::make_shared<const ata::InputFile>(file.path(), *content, content);
}

void check_clip_options(const ata_clip_options& options) {
  require_enum(options.sampling, ATA_SAMPLING_SEGMENTS, "ata_clip_options.sampling");
  require_enum(options.short_policy, ATA_SHORT_LOOP, "ata_clip_options.short_policy");
  require_enum(options.interpolation, ATA_BICUBIC, "ata_clip_options.interpolation");
}

}  // namespace

ata_status ata_video_options_init(ata_video_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, ata::default_video_options(), "ata_video_options");
}

ata_status ata_video_open(const char* path, const ata_video_options* options,
                          ata_video** video) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(video, "video");
    const ata_video_options checked =
        options_or_default(options, ata::default_video_options(), "ata_video_options");
    *video = new ata_video{ata::VideoReader::open(path, checked)};
  });
}

ata_status ata_video_open_memory(const void* data, size_t size, const char* name,
                                 ata_release_callback release, void* user_data,
                                 const ata_video_options* options, ata_video** video) noexcept {
  return guard([&] {
    require_pointer(video, "video");
    const ata_video_options checked =
        options_or_default(options, ata::default_video_options(), "ata_video_options");
    const auto loan = release != nullptr ? std::make_shared<ata::api::Loan>() : nullptr;
    auto file = ata::api::file_in_memory(data, size, name, loan);
    if (loan == nullptr) file = copy_of(*file);
    auto handle =
        std::make_unique<ata_video>(ata_video{ata::VideoReader::open(std::move(file), checked)});
    // Last, when nothing can fail any more.
    if (loan != nullptr) {
      loan->user_data = user_data;
      loan->release = release;
    }
    *video = handle.release();
  });
}

void ata_video_release(ata_video* video) noexcept {
  delete video;
}

ata_status ata_video_get_info(const ata_video* video, ata_video_info* info) noexcept {
  return guard([&] {
    require_pointer(video, "video");
    require_pointer(info, "info");
    write_struct(video->reader->info(), info, "ata_video_info");
  });
}

ata_status ata_video_get_kept_bytes(const ata_video* video, int64_t* bytes) noexcept {
  return guard([&] {
    require_pointer(video, "video");
    require_pointer(bytes, "bytes");
    *bytes = video->reader->kept_bytes();
  });
}

ata_status ata_video_read(ata_video* video, const double* times, size_t count,
                          const ata_cancellation* cancellation, ata_tensor** frames,
                          double* frame_times) noexcept {
  return guard([&] {
    require_pointer(video, "video");
    require_pointer(times, "times");
    require_pointer(frames, "frames");
    ata::require(count > 0, "count is 0; ask for at least one frame");
    std::vector<double> starts;
    auto handle =
        make_handle(video->reader->read(std::span(times, count), flag_of(cancellation), &starts));
    if (frame_times) std::copy(starts.begin(), starts.end(), frame_times);
    *frames = handle.release();
  });
}

ata_status ata_clip_options_init(ata_clip_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, ata::default_clip_options(), "ata_clip_options");
}

ata_status ata_video_sample(ata_video* video, const ata_clip_options* options,
                            const ata_cancellation* cancellation, ata_tensor** clip,
                            double* frame_times) noexcept {
  return guard([&] {
    require_pointer(video, "video");
    require_pointer(clip, "clip");
    const ata_clip_options checked =
        options_or_default(options, ata::default_clip_options(), "ata_clip_options");
    check_clip_options(checked);
    std::vector<double> starts;
    auto handle = make_handle(video->reader->sample(checked, flag_of(cancellation), &starts));
    if (frame_times) std::copy(starts.begin(), starts.end(), frame_times);
    *clip = handle.release();
  });
}

ata_status ata_frame_layout_init(ata_frame_layout* layout, size_t struct_size) noexcept {
  return init_options(layout, struct_size, ata::default_frame_layout(), "ata_frame_layout");
}

ata_status ata_clip_from_frames(const void* const* planes, size_t count,
                                const ata_frame_layout* layout, const ata_clip_options* options,
                                const ata_cancellation* cancellation, ata_tensor** clip,
                                double* frame_times) noexcept {
  return guard([&] {
    require_pointer(planes, "planes");
    require_pointer(layout, "layout");
    require_pointer(clip, "clip");
    const ata_frame_layout frames =
        read_struct(layout, ata::default_frame_layout(), "ata_frame_layout");
    const ata_clip_options checked =
        options_or_default(options, ata::default_clip_options(), "ata_clip_options");
    check_clip_options(checked);
    constexpr size_t kMaxFrames = size_t{1} << 24;
    ata::require(count >= 1 && count <= kMaxFrames, "count is ", count, "; valid values are 1 to ",
                 kMaxFrames);
    require_enum(frames.format, ATA_PIXELS_I420, "ata_frame_layout.format");
    const size_t plane_count = static_cast<size_t>(ata::plane_count(frames.format));
    ata::SampledClip sampled = ata::sample_frames(std::span(planes, count * plane_count), frames,
                                                  checked, flag_of(cancellation));
    auto handle = make_handle(std::move(sampled.clip));
    if (frame_times) std::copy(sampled.times.begin(), sampled.times.end(), frame_times);
    *clip = handle.release();
  });
}

ata_status ata_video_views_create(ata_video* video, const ata_clip_options* options, size_t count,
                                  ata_video_views** views) noexcept {
  return guard([&] {
    require_pointer(video, "video");
    require_pointer(options, "options");
    require_pointer(views, "views");
    constexpr size_t kMaxViews = size_t{1} << 20;
    ata::require(count >= 1 && count <= kMaxViews, "count is ", count, "; valid values are 1 to ",
                 kMaxViews);
    std::vector<ata_clip_options> checked =
        read_structs(options, count, ata::default_clip_options(), "ata_clip_options");
    for (const ata_clip_options& view : checked) check_clip_options(view);
    *views = new ata_video_views{video->reader, video->reader->views(std::move(checked))};
  });
}

ata_status ata_video_views_sample_next(ata_video_views* views, const ata_cancellation* cancellation,
                                       ata_tensor** clip, double* frame_times) noexcept {
  return guard([&] {
    require_pointer(views, "views");
    require_pointer(clip, "clip");
    std::optional<ata::SampledClip> sampled = views->sampler.next(flag_of(cancellation));
    if (!sampled) {
      *clip = nullptr;
      return;
    }
    auto handle = make_handle(std::move(sampled->clip));
    if (frame_times) std::copy(sampled->times.begin(), sampled->times.end(), frame_times);
    *clip = handle.release();
  });
}

void ata_video_views_release(ata_video_views* views) noexcept {
  delete views;
}

ata_status ata_image_write(const char* path, const ata_tensor* image) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(image, "image");
    ata::write_image(path, ata::api::host_tensor(image, "image"));
  });
}

ata_status ata_video_writer_create(const char* path, int32_t width, int32_t height, double fps,
                                   ata_video_writer** writer) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(writer, "writer");
    *writer = new ata_video_writer{ata::VideoWriter(path, width, height, fps)};
  });
}

ata_status ata_video_writer_add(ata_video_writer* writer, const ata_tensor* frame) noexcept {
  return guard([&] {
    require_pointer(writer, "writer");
    require_pointer(frame, "frame");
    writer->writer.add(ata::api::host_tensor(frame, "frame"));
  });
}

ata_status ata_video_writer_finish(ata_video_writer* writer) noexcept {
  return guard([&] {
    require_pointer(writer, "writer");
    writer->writer.finish();
  });
}

void ata_video_writer_release(ata_video_writer* writer) noexcept {
  delete writer;
}
