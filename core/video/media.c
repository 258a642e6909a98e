#include "core/video/media.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/display.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"

static const char decoders[] =
    "h264,hevc,libdav1d,av1,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg2video,theora,prores,mjpeg,png,"
    "webp,bmp,tiff,aac,mp3,mp3float,opus,libopus,vorbis,flac,alac,ac3,eac3,pcm_s16le,pcm_s24le,"
    "pcm_s32le,pcm_f32le,pcm_u8,pcm_s16be";

int media_interrupt(void *opaque)
{
    return media_stopped(opaque);
}

bool media_stopped(const struct media_watch *w)
{
    return cancel_fired(w->cancel) || (w->deadline_ms && clock_mono_ms() > w->deadline_ms);
}

bool media_cancelled(struct err *e)
{
    return err_set(e, ERR_CANCELLED, "make.cancelled", "rendering was stopped");
}

bool media_fail(struct err *e, int averror, const char *what, const char *path)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(averror, text, sizeof(text));
    switch (averror) {
    case AVERROR_EXIT:
        return media_cancelled(e);
    case AVERROR(ENOSPC):
    case AVERROR(EDQUOT):
    case AVERROR(EROFS):
    case AVERROR(EFBIG):
    case AVERROR(EIO):
    case AVERROR(EACCES):
    case AVERROR(EPERM):
    case AVERROR(ENOENT):
        return err_set(e, ERR_DISK, "error.disk", "%s %s: %s", what, path, text);
    default:
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s %s: %s", what, path, text);
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool media_broken(struct err *e, const struct media_watch *w, int averror, const char *what,
                  const char *path)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (cancel_fired(w->cancel))
        return media_cancelled(e);
    av_strerror(averror, text, sizeof(text));
    return err_set_arg(e, ERR_INPUT, "footage.broken", base_name(path), "%s %s: %s", what, path,
                       text);
}

/* One row per container that is let in. A mask byte of 0 in `fixed` means any byte. */
static const struct magic {
    const char *format;
    bool still;
    int offset, len;
    const char *bytes;
} magics[] = {
    {"mov",       false, 4, 4, "ftyp"             },
    {"mov",       false, 4, 4, "moov"             },
    {"mov",       false, 4, 4, "mdat"             },
    {"mov",       false, 4, 4, "wide"             },
    {"mov",       false, 4, 4, "free"             },
    {"mov",       false, 4, 4, "skip"             },
    {"matroska",  false, 0, 4, "\x1a\x45\xdf\xa3" },
    {"jpeg_pipe", true,  0, 3, "\xff\xd8\xff"     },
    {"png_pipe",  true,  0, 8, "\x89PNG\r\n\x1a\n"},
    {"webp_pipe", true,  8, 4, "WEBP"             },
    {"wav",       false, 8, 4, "WAVE"             },
    {"tiff_pipe", true,  0, 4, "II*\0"            },
    {"tiff_pipe", true,  0, 4, "MM\0*"            },
    {"bmp_pipe",  true,  6, 4, "\0\0\0\0"         },
    {"ogg",       false, 0, 4, "OggS"             },
    {"flac",      false, 0, 4, "fLaC"             },
    {"mp3",       false, 0, 3, "ID3"              },
    {"mp3",       false, 0, 2, "\xff\xfb"         },
    {"mp3",       false, 0, 2, "\xff\xf3"         },
};

static const struct magic *sniff(const unsigned char *head, size_t len)
{
    for (size_t i = 0; i < COUNT(magics); i++) {
        const struct magic *m = &magics[i];
        if ((size_t)m->offset + (size_t)m->len > len ||
            memcmp(head + m->offset, m->bytes, (size_t)m->len) != 0)
            continue;
        /* Two of them need a second look at the first bytes. */
        if (m->offset == 8 && memcmp(head, "RIFF", 4) != 0)
            continue;
        if (m->offset == 6 && memcmp(head, "BM", 2) != 0)
            continue;
        return m;
    }
    return NULL;
}

static const struct magic *sniff_file(const char *path)
{
    unsigned char head[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (fd < 0)
        return NULL;
    struct stat st;
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, head, sizeof(head));
    close(fd);
    return n > 0 ? sniff(head, (size_t)n) : NULL;
}

static bool find_streams(AVFormatContext *fmt, const struct media_watch *w, const char *path,
                         struct err *e)
{
    /* The trial decoding in there must obey the same bounds; streams found later have the defaults
       of the container's own limits. */
    unsigned count = fmt->nb_streams;
    AVDictionary **opts = av_calloc(count ? count : 1, sizeof(AVDictionary *));
    if (!opts)
        return media_fail(e, AVERROR(ENOMEM), "probe", path);
    for (unsigned i = 0; i < count; i++) {
        av_dict_set_int(&opts[i], "max_pixels", MEDIA_PIXELS_MAX, 0);
        av_dict_set(&opts[i], "threads", "1", 0);
    }
    int r = avformat_find_stream_info(fmt, opts);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&opts[i]);
    av_freep(&opts);
    if (r < 0)
        return media_broken(e, w, r, "probe", path);
    return true;
}

bool media_open(const char *path, struct media_watch *w, AVFormatContext **ret, bool *ret_still,
                struct err *e)
{
    const struct magic *m = sniff_file(path);
    const AVInputFormat *input = m ? av_find_input_format(m->format) : NULL;
    if (!input)
        return media_broken(e, w, AVERROR_INVALIDDATA, "no known media in", path);
    AUTO(avformat_close_input) AVFormatContext *fmt = avformat_alloc_context();
    if (!fmt)
        return media_fail(e, AVERROR(ENOMEM), "open", path);
    fmt->interrupt_callback = (AVIOInterruptCB){media_interrupt, w};
    fmt->probesize = 5LL << 20;
    fmt->max_analyze_duration = 5LL * AV_TIME_BASE;
    fmt->max_streams = 8;
    fmt->flags |= AVFMT_FLAG_GENPTS;

    AUTO(av_dict_free) AVDictionary *opts = NULL;
    av_dict_set(&opts, "protocol_whitelist", "file", 0);
    av_dict_set(&opts, "format_whitelist", input->name, 0);
    av_dict_set(&opts, "codec_whitelist", decoders, 0);
    /* An explicit protocol, so that a name with a colon stays a name. */
    AUTO(free_ptr) char *url = str_printf("file:%s", path);
    int r = avformat_open_input(&fmt, url, input, &opts);
    if (r < 0)
        return media_broken(e, w, r, "open", path);
    /* A still says all in its own header; trial decoding would only cost a second full picture. */
    if (!m->still && !find_streams(fmt, w, path, e))
        return false;
    *ret = TAKE(fmt);
    *ret_still = m->still;
    return true;
}

int media_picture_stream(const AVFormatContext *fmt)
{
    int best = -1;
    int64_t best_pixels = -1;
    for (unsigned i = 0; i < fmt->nb_streams; i++) {
        const AVStream *st = fmt->streams[i];
        const AVCodecParameters *p = st->codecpar;
        if (p->codec_type != AVMEDIA_TYPE_VIDEO ||
            (st->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)))
            continue;
        if ((int64_t)p->width * p->height > best_pixels) {
            best = (int)i;
            best_pixels = (int64_t)p->width * p->height;
        }
    }
    return best;
}

bool media_open_decoder(const AVFormatContext *fmt, int stream, int threads, int lowres, bool still,
                        AVCodecContext **ret, struct err *e)
{
    const AVCodecParameters *p = fmt->streams[stream]->codecpar;
    const char *name = base_name(fmt->url);
    const AVCodec *codec = avcodec_find_decoder(p->codec_id);
    if (p->width > MEDIA_SIDE_MAX || p->height > MEDIA_SIDE_MAX)
        return err_set_arg(e, ERR_INPUT, "footage.broken", name, "%s: %dx%d is too large", fmt->url,
                           p->width, p->height);
    if (!codec)
        return err_set_arg(e, ERR_INPUT, "footage.broken", name, "%s: no decoder for %s", fmt->url,
                           avcodec_get_name(p->codec_id));
    AUTO(avcodec_free_context) AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (!ctx || avcodec_parameters_to_context(ctx, p) < 0)
        return media_fail(e, AVERROR(ENOMEM), "decoder of", fmt->url);
    ctx->pkt_timebase = fmt->streams[stream]->time_base;
    ctx->thread_count = threads;
    ctx->lowres = MIN(lowres, (int)codec->max_lowres);
    ctx->max_pixels = still ? STILL_PIXELS_MAX : MEDIA_PIXELS_MAX;
    AUTO(av_dict_free) AVDictionary *opts = NULL;
    av_dict_set(&opts, "codec_whitelist", decoders, 0);
    int r = avcodec_open2(ctx, codec, &opts);
    if (r < 0)
        return err_set_arg(e, ERR_INPUT, "footage.broken", name, "%s: decoder %s: %s", fmt->url,
                           codec->name, av_err2str(r));
    *ret = TAKE(ctx);
    return true;
}

bool media_first_frame(AVFormatContext *fmt, AVCodecContext *codec, int stream,
                       const struct media_watch *w, const char *path, AVFrame *frame, struct err *e)
{
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    if (!packet)
        return media_fail(e, AVERROR(ENOMEM), "decode", path);
    int problem = AVERROR_INVALIDDATA;
    for (int i = 0, failures = 0; i < 400 && failures < 20; i++) {
        if (media_stopped(w))
            return media_broken(e, w, AVERROR_EXIT, "decode", path);
        int end = av_read_frame(fmt, packet), r = 0;
        if (end < 0)
            avcodec_send_packet(codec, NULL);
        else if (packet->stream_index == stream)
            r = avcodec_send_packet(codec, packet);
        av_packet_unref(packet);
        int got = avcodec_receive_frame(codec, frame);
        if (got == 0)
            return true;
        if (r < 0 || (got < 0 && got != AVERROR(EAGAIN) && got != AVERROR_EOF)) {
            problem = r < 0 ? r : got;
            failures++;
        }
        if (end < 0)
            break;
    }
    return media_broken(e, w, problem, "no picture in", path);
}

static int orientation_of_matrix(const int32_t m[9])
{
    /* x' = a x + c y, y' = b x + d y */
    int64_t a = m[0], b = m[1], c = m[3], d = m[4];
    if (llabs(a) + llabs(d) >= llabs(b) + llabs(c)) {
        if (a >= 0)
            return d >= 0 ? 1 : 4;
        return d >= 0 ? 2 : 3;
    }
    if (c < 0)
        return b >= 0 ? 6 : 7;
    return b >= 0 ? 5 : 8;
}

int media_orientation(const AVStream *st, const AVFrame *frame)
{
    const AVFrameSideData *sd =
        frame ? av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX) : NULL;
    if (sd && sd->size >= 9 * sizeof(int32_t))
        return orientation_of_matrix((const int32_t *)sd->data);
    size_t size = 0;
    const uint8_t *matrix = av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (matrix && size >= 9 * sizeof(int32_t))
        return orientation_of_matrix((const int32_t *)(const void *)matrix);
    const AVDictionaryEntry *tag =
        frame ? av_dict_get(frame->metadata, "Orientation", NULL, 0) : NULL;
    int64_t value = 1;
    if (tag) {
        const char *text = tag->value;
        while (*text == ' ' || *text == '\n')
            text++;
        if (!str_to_int(text, 1, 8, &value))
            value = 1;
    }
    return (int)value;
}
