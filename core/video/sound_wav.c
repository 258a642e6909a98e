#include <errno.h>
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
#include <stdio.h>

#include "core/base/strbuf.h"
#include "core/video/sound_priv.h"

enum { READ_FRAMES = 4096, RATE_MIN = 8000, RATE_MAX = 192000 };

struct wav {
    FILE *file;
    int channels, rate;
    int64_t left; /* bytes of sound not yet read */
    struct SwrContext *swr;
    bool drained;
};

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

void wav_close(struct wav **w)
{
    if (!*w)
        return;
    if ((*w)->file)
        fclose((*w)->file);
    swr_free(&(*w)->swr);
    free(*w);
    *w = NULL;
}

static bool broken(struct err *e, const char *path, const char *why)
{
    return err_set(e, ERR_INPUT, "make.render_failed", "%s: %s", path, why);
}

static bool read_format(struct wav *w, const char *path, struct err *e)
{
    uint8_t b[16];
    if (fread(b, 1, 16, w->file) != 16)
        return broken(e, path, "cut off");
    w->channels = le16(b + 2);
    w->rate = (int)MIN(le32(b + 4), (uint32_t)INT32_MAX);
    bool pcm = le16(b) == 1 || le16(b) == 0xFFFE;
    if (!pcm || le16(b + 14) != 16 || w->channels < 1 || w->channels > 2 || w->rate < RATE_MIN ||
        w->rate > RATE_MAX)
        return broken(e, path, "not 16-bit PCM, mono or stereo");
    return true;
}

/* Walks the chunks up to the sound itself. */
static bool read_header(struct wav *w, const char *path, struct err *e)
{
    uint8_t b[12];
    if (fread(b, 1, 12, w->file) != 12 || memcmp(b, "RIFF", 4) != 0 ||
        memcmp(b + 8, "WAVE", 4) != 0)
        return broken(e, path, "not a WAV file");
    while (fread(b, 1, 8, w->file) == 8) {
        uint32_t size = le32(b + 4);
        if (memcmp(b, "data", 4) == 0) {
            /* A writer that could not seek leaves 0 or all ones: then to the end of the file. */
            w->left = size == 0 || size >= 0xFFFFFF00u ? INT64_MAX : size;
            return w->rate ? true : broken(e, path, "sound before format");
        }
        bool format = memcmp(b, "fmt ", 4) == 0 && size >= 16;
        if (format && !read_format(w, path, e))
            return false;
        if (fseek(w->file, (long)size - (format ? 16 : 0) + (long)(size & 1), SEEK_CUR) != 0)
            break;
    }
    return broken(e, path, "no sound in it");
}

bool wav_open(const char *path, struct wav **ret, struct err *e)
{
    AUTO(wav_close) struct wav *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s: out of memory", path);
    w->file = fopen(path, "re");
    if (!w->file)
        return err_set_io(e, errno, path, "open");
    if (!read_header(w, path, e))
        return false;
    AVChannelLayout in, mono = AV_CHANNEL_LAYOUT_MONO;
    av_channel_layout_default(&in, w->channels);
    if (swr_alloc_set_opts2(&w->swr, &mono, AV_SAMPLE_FMT_FLT, VIDEO_RATE, &in, AV_SAMPLE_FMT_S16,
                            w->rate, 0, NULL) < 0 ||
        swr_init(w->swr) < 0)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s: resampler for %d Hz", path,
                       w->rate);
    *ret = TAKE(w);
    return true;
}

bool wav_read(struct wav *w, float *ret_samples, size_t max, size_t *ret_count, struct err *e)
{
    uint8_t *out = (uint8_t *)ret_samples;
    *ret_count = 0;
    while (*ret_count == 0 && !w->drained) {
        int16_t raw[2 * READ_FRAMES];
        size_t frame = 2 * (size_t)w->channels;
        size_t want = (size_t)MIN(w->left, (int64_t)(READ_FRAMES * frame)) / frame;
        /* What the last call could not hold comes out first. */
        bool pending = swr_get_out_samples(w->swr, 0) > (int)max;
        size_t got = want && !pending ? fread(raw, frame, want, w->file) : 0;
        w->left -= (int64_t)(got * frame);
        if (ferror(w->file))
            return err_set_io(e, errno, "voice", "read");
        bool flush = !got && !pending;
        const uint8_t *in = (const uint8_t *)raw;
        int n = swr_convert(w->swr, &out, (int)max, flush ? NULL : &in, (int)got);
        if (n < 0)
            return err_set(e, ERR_INTERNAL, "make.render_failed", "resampler failed (%d)", n);
        w->drained = flush && n == 0;
        *ret_count = (size_t)n;
    }
    return true;
}
