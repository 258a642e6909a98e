#include <fcntl.h>
#include <unistd.h>

#include <libavutil/pixdesc.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/video/media.h"
#include "core/video/video.h"

/* Walks the top-level boxes of an MP4. */
static bool moov_is_first(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int64_t at = 0;
    bool found = false;
    for (int i = 0; fd >= 0 && i < 64; i++) {
        unsigned char h[16];
        if (pread(fd, h, sizeof(h), at) != (ssize_t)sizeof(h) || memcmp(h + 4, "mdat", 4) == 0)
            break;
        if (memcmp(h + 4, "moov", 4) == 0) {
            found = true;
            break;
        }
        uint64_t size = (uint64_t)h[0] << 24 | (uint64_t)h[1] << 16 | (uint64_t)h[2] << 8 | h[3];
        if (size == 1) {
            size = 0;
            for (int k = 8; k < 16; k++)
                size = size << 8 | h[k];
        }
        if (size < 8 || size > INT64_MAX / 2)
            break;
        at += (int64_t)size;
    }
    if (fd >= 0)
        close(fd);
    return found;
}

/* A clip has its size in the container; a still only in the decoder. */
static void fill_video(struct media_info *m, const AVStream *st, const AVCodecContext *codec,
                       const AVFrame *frame)
{
    const AVCodecParameters *p = st->codecpar;
    AVRational sar =
        st->sample_aspect_ratio.num > 0 ? st->sample_aspect_ratio : p->sample_aspect_ratio;
    int64_t width = codec->lowres ? codec->coded_width : frame->width;
    int64_t height = codec->lowres ? codec->coded_height : frame->height;
    if (sar.num > 0 && sar.den > 0 && sar.num < 100 * sar.den && sar.den < 100 * sar.num)
        width = av_rescale(width, sar.num, sar.den);
    if (media_orientation(st, frame) >= 5) {
        int64_t keep = width;
        width = height;
        height = keep;
    }
    m->width = (int)MAX(width, 1);
    m->height = (int)MAX(height, 1);
    m->has_video = true;
    str_copy(m->video_codec, sizeof(m->video_codec), avcodec_get_name(p->codec_id));
    const char *format = av_get_pix_fmt_name(frame->format);
    str_copy(m->pixel_format, sizeof(m->pixel_format), format ? format : "");
    const char *profile = avcodec_profile_name(p->codec_id, codec->profile);
    str_copy(m->profile, sizeof(m->profile), profile ? profile : "");
}

bool video_probe(const char *path, const struct cancel *cancel, struct media_info *ret,
                 struct err *e)
{
    struct media_watch w = {cancel, clock_mono_ms() + 20000};
    struct media_info m = {.kind = FOOTAGE_NONE};
    AUTO(avformat_close_input) AVFormatContext *fmt = NULL;
    AUTO(avcodec_free_context) AVCodecContext *codec = NULL;
    AUTO(av_frame_free) AVFrame *frame = av_frame_alloc();
    bool still;
    if (!frame)
        return media_fail(e, AVERROR(ENOMEM), "probe", path);
    if (!media_open(path, &w, &fmt, &still, e))
        return false;
    int picture = media_picture_stream(fmt);
    int sound = av_find_best_stream(fmt, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (picture < 0 && sound < 0)
        return media_broken(e, &w, AVERROR_INVALIDDATA, "no picture or sound in", path);
    if (!still && fmt->duration != AV_NOPTS_VALUE)
        m.duration_ms = MAX(fmt->duration, 0) / 1000;
    if (picture >= 0) {
        const AVStream *st = fmt->streams[picture];
        /* Decoding one picture proves that it can be done, and shows how it is turned. */
        if (!media_open_decoder(fmt, picture, 1, still ? 3 : 0, still, &codec, e) ||
            !media_first_frame(fmt, codec, picture, &w, path, frame, e))
            return false;
        m.kind = still ? FOOTAGE_PHOTO : FOOTAGE_CLIP;
        fill_video(&m, st, codec, frame);
        if (!still && st->avg_frame_rate.num > 0 && st->avg_frame_rate.den > 0)
            m.fps = av_q2d(st->avg_frame_rate);
    }
    if (sound >= 0) {
        m.has_audio = true;
        str_copy(m.audio_codec, sizeof(m.audio_codec),
                 avcodec_get_name(fmt->streams[sound]->codecpar->codec_id));
    }
    m.moov_first = strncmp(fmt->iformat->name, "mov", 3) == 0 && moov_is_first(path);
    *ret = m;
    return true;
}
