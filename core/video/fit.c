#include "core/video/fit.h"

#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/video/cover.h"
#include "core/video/decoder.h"
#include "core/video/encoder.h"
#include "core/video/sound_priv.h"

#define LOG_MODULE "fit"

enum {
    AIM_PERCENT = 97,  /* of the limit */
    GOOD_PERCENT = 93, /* smaller than this is tried again */
    TRIES_MAX = 5,     /* second passes */
    FRAME_BYTES = 24,  /* what a container says about a picture and its share of the sound */
    HEAD_BYTES = 16000,
};

/* Bits per pixel: below `soft` a smaller picture looks better; below `hard` nothing does. Where the
   film itself, at the tier's quality, needs little, so many parts of that are enough. */
static const double soft = 0.04, soft_part = 0.45, hard = 0.022, hard_part = 0.3;
/* Shorter sides. */
static const int sides[] = {1080, 720, 576, 480, 432, 360, 288};
static const int64_t sounds[] = {96000, 64000, 48000};

/* --- arithmetic --- */

struct size {
    int width, height;
};

/* The size whose shorter side is `side`; as it is when it is smaller already. */
static struct size size_of(int width, int height, int side)
{
    int shorter = MIN(width, height);
    if (side >= shorter)
        return (struct size){width, height};
    return (struct size){(int)((int64_t)width * side / shorter + 1) / 2 * 2,
                         (int)((int64_t)height * side / shorter + 1) / 2 * 2};
}

static int64_t needed(struct size s, double bits_per_pixel)
{
    return (int64_t)(bits_per_pixel * s.width * s.height * STORY_FPS);
}

/* The largest picture that still gets enough of so many bits a second; the smallest if none does. */
static struct size choose_size(const struct fit_film *film, int64_t bits_s, double enough)
{
    struct size s = {film->width, film->height};
    for (size_t i = 0; i < COUNT(sides) && bits_s < needed(s, enough); i++)
        s = size_of(film->width, film->height, sides[i]);
    return s;
}

/* What is left for the pictures, in bits a second. */
static int64_t left_for_video(const struct fit_film *film, int64_t limit, int64_t audio_bytes)
{
    int64_t bytes = limit * AIM_PERCENT / 100 - audio_bytes - film->fixed;
    return bytes <= 0 ? 0 : bytes * 8 * STORY_FPS / film->frames;
}

bool fit_plan(const struct fit_film *film, int64_t limit, struct fit_plan *ret)
{
    double own = (double)film->video_bytes * 8 / film->frames / film->width / film->height;
    double enough = MIN(soft, soft_part * own), least = MIN(hard, hard_part * own);
    struct size smallest = size_of(film->width, film->height, sides[COUNT(sides) - 1]);
    int64_t bits = left_for_video(film, limit, film->audio_bytes), audio = 0;
    for (size_t i = 0; bits < needed(smallest, enough) && i < COUNT(sounds); i++) {
        int64_t bytes = sounds[i] * film->frames / STORY_FPS / 8;
        if (bytes >= film->audio_bytes)
            continue;
        audio = sounds[i];
        bits = left_for_video(film, limit, bytes);
    }
    if (bits <= 0 || bits < needed(smallest, least))
        return false;
    struct size s = choose_size(film, bits, enough);
    *ret = (struct fit_plan){s.width, s.height, bits, audio};
    return true;
}

int64_t fit_longest_ms(int width, int height, int64_t limit)
{
    struct size smallest = size_of(width, height, sides[COUNT(sides) - 1]);
    int64_t bits_s =
        needed(smallest, hard) + sounds[COUNT(sounds) - 1] + (int64_t)FRAME_BYTES * 8 * STORY_FPS;
    int64_t bytes = limit * AIM_PERCENT / 100 - HEAD_BYTES;
    return bytes <= 0 ? 0 : bytes * 8 * 1000 / bits_s;
}

/* --- one film --- */

struct fit {
    const struct fit_spec *spec;
    struct media_watch watch;
    struct fit_film is;
    struct fit_plan plan;
    char *stats, *stats_tree, *pictures, *sound, *film; /* files of ours */
    int64_t best;                                       /* bytes of what stands at `path` */
};

static void fit_free(struct fit *f)
{
    char *files[] = {f->stats, f->stats_tree, f->pictures, f->sound, f->film};
    for (size_t i = 0; i < COUNT(files); i++) {
        if (files[i])
            unlink(files[i]);
        free(files[i]);
    }
}

static bool too_large(const struct fit *f, struct err *e)
{
    char arg[24];
    snprintf(arg, sizeof(arg), "%lld", (long long)f->spec->limit);
    return err_set_arg(e, ERR_LIMIT, "make.file_too_large", arg,
                       "%d frames of %dx%d do not fit into %lld bytes", f->spec->frames,
                       f->is.width, f->is.height, (long long)f->spec->limit);
}

/* What the film is made of, packet by packet. */
static bool survey(struct fit *f, struct err *e)
{
    AUTO(avformat_close_input) AVFormatContext *fmt = NULL;
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    bool still;
    if (!packet)
        return media_fail(e, AVERROR(ENOMEM), "fit", f->spec->film);
    if (!media_open(f->spec->film, &f->watch, &fmt, &still, e))
        return false;
    int stream = media_picture_stream(fmt);
    if (stream < 0)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s: no pictures", f->spec->film);
    f->is.width = fmt->streams[stream]->codecpar->width;
    f->is.height = fmt->streams[stream]->codecpar->height;
    int r;
    while ((r = av_read_frame(fmt, packet)) >= 0) {
        *(packet->stream_index == stream ? &f->is.video_bytes : &f->is.audio_bytes) += packet->size;
        av_packet_unref(packet);
    }
    if (media_stopped(&f->watch))
        return media_cancelled(e);
    if (r != AVERROR_EOF)
        return media_fail(e, r, "read", f->spec->film);
    f->is.fixed = fs_size(f->spec->film) - f->is.video_bytes - f->is.audio_bytes;
    return true;
}

/* --- pictures --- */

struct pass {
    struct fit *fit;
    struct decoder *decoder;
    struct cover *cover; /* NULL: the size stays */
    struct encoder *encoder;
    AVFrame *frame;
};

static void pass_close(struct pass *p)
{
    decoder_destroy(p->decoder);
    cover_destroy(p->cover);
    encoder_destroy(p->encoder);
    av_frame_free(&p->frame);
}

static bool pass_open(struct pass *p, int number, int64_t bits_s, struct err *e)
{
    struct fit *f = p->fit;
    const struct fit_spec *s = f->spec;
    const struct encoder_spec how = {.width = f->plan.width,
                                     .height = f->plan.height,
                                     .tier = s->tier,
                                     .threads = s->threads,
                                     .cancel = s->cancel,
                                     .bits_s = bits_s,
                                     .pass = number,
                                     .stats = f->stats};
    p->frame = cover_frame_make(how.width, how.height);
    if (!p->frame)
        return media_fail(e, AVERROR(ENOMEM), "frame", s->film);
    bool same = how.width == f->is.width && how.height == f->is.height;
    return (same || cover_create(how.width, how.height, true, &p->cover, e)) &&
           decoder_create(s->film, 0, s->frames * 1000LL / STORY_FPS, &f->watch, &p->decoder, e) &&
           encoder_create(&how, f->pictures, &p->encoder, e);
}

static bool pass_frame(struct pass *p, int n, struct err *e)
{
    const AVFrame *shown = NULL;
    if (!decoder_at(p->decoder, n, &shown, e))
        return false;
    if (!shown) /* rounding at the very end: the last picture stands */
        return n > 0 ? encoder_push(p->encoder, p->frame, e)
                     : err_set(e, ERR_INTERNAL, "make.render_failed", "a film without pictures");
    if (av_frame_make_writable(p->frame) < 0)
        return media_fail(e, AVERROR(ENOMEM), "frame", p->fit->spec->film);
    if (p->cover ? !cover_draw(p->cover, shown, 1, (AVRational){1, 1}, p->frame, e)
                 : av_frame_copy(p->frame, shown) < 0)
        return p->cover ? false : media_fail(e, AVERROR_EXTERNAL, "copy", p->fit->spec->film);
    return encoder_push(p->encoder, p->frame, e);
}

/* from, to: the part of the whole work that this pass is. */
static bool run_pass(struct fit *f, int number, int64_t bits_s, double from, double to,
                     struct err *e)
{
    const struct fit_spec *s = f->spec;
    AUTO(pass_close) struct pass p = {.fit = f};
    if (!pass_open(&p, number, bits_s, e))
        return false;
    for (int n = 0; n < s->frames; n++) {
        if (media_stopped(&f->watch))
            return media_cancelled(e);
        if (!pass_frame(&p, n, e))
            return false;
        if (s->on_share)
            s->on_share(s->ctx, from + (to - from) * (n + 1) / s->frames);
    }
    return encoder_finish(p.encoder, e);
}

/* --- sound, and both together --- */

static bool thin_sound(struct fit *f, struct err *e)
{
    if (f->plan.audio_bits_s == 0)
        return true;
    struct mix m = {.samples = (int64_t)f->spec->frames * VIDEO_SAMPLES_PER_FRAME,
                    .cancel = f->spec->cancel};
    AUTO(free_ptr) float *lr = m.lr = calloc((size_t)m.samples * 2 + 2, sizeof(float));
    if (!m.lr)
        return media_fail(e, AVERROR(ENOMEM), "sound", f->spec->film);
    return aac_read(f->spec->film, &m, e) && aac_write(&m, f->plan.audio_bits_s, f->sound, e);
}

static bool put_together(struct fit *f, struct err *e)
{
    const char *segments[] = {f->pictures};
    const struct join_spec spec = {.segments = segments,
                                   .segment_count = 1,
                                   .sound = f->plan.audio_bits_s ? f->sound : f->spec->film,
                                   .title = f->spec->title,
                                   .comment = f->spec->comment,
                                   .lang = f->spec->lang,
                                   .cancel = f->spec->cancel};
    return video_join(&spec, f->film, e);
}

/* Keeps the largest film that fits. */
static bool keep_best(struct fit *f, const char *path, int64_t bytes, struct err *e)
{
    if (bytes > f->spec->limit || bytes <= f->best)
        return true;
    if (!fs_publish(f->film, path, e))
        return false;
    f->best = bytes;
    return true;
}

/* A rate that was tried, and the film it gave. */
struct tried {
    int64_t bits_s, bytes;
};

/* Scaled by what is missing; between a rate that was too low and one that was too high, on the line
   between them: a short film follows its rate in jumps, and scaling would go round in circles. */
static int64_t next_rate(struct tried now, struct tried under, struct tried over, int64_t fixed,
                         int64_t aim)
{
    if (under.bytes && over.bytes && over.bytes > under.bytes)
        return under.bits_s +
               (over.bits_s - under.bits_s) * (aim - under.bytes) / (over.bytes - under.bytes);
    return now.bytes > fixed ? now.bits_s * (aim - fixed) / (now.bytes - fixed) : 0;
}

/* The first pass of x264 is cheap beside the second. */
static bool encode(struct fit *f, const char *path, struct err *e)
{
    const double first = 0.3;
    int64_t limit = f->spec->limit, bits_s = f->plan.video_bits_s,
            least = limit * GOOD_PERCENT / 100, aim = limit * AIM_PERCENT / 100;
    struct tried under = {0}, over = {0};
    if (!run_pass(f, 1, bits_s, 0, first, e) || !thin_sound(f, e))
        return false;
    for (int i = 0; i < TRIES_MAX && f->best < least; i++) {
        if (!run_pass(f, 2, bits_s, first, 1, e) || !put_together(f, e))
            return false;
        int64_t bytes = fs_size(f->film), pictures = fs_size(f->pictures);
        log_debug("%dx%d, %lld bit/s: %lld of %lld bytes", f->plan.width, f->plan.height,
                  (long long)bits_s, (long long)bytes, (long long)limit);
        if (!keep_best(f, path, bytes, e))
            return false;
        struct tried now = {bits_s, bytes};
        *(bytes > aim ? &over : &under) = now;
        bits_s = next_rate(now, under, over, bytes - pictures, aim);
        if (bits_s <= 0)
            break;
        bits_s = MAX(bits_s, 1000);
    }
    return f->best > 0 || too_large(f, e);
}

static void name_files(struct fit *f, const char *path)
{
    f->stats = str_printf("%s.fit-stats", path);
    f->stats_tree = str_printf("%s.fit-stats.mbtree", path);
    f->pictures = str_printf("%s.fit-pictures.mp4", path);
    f->sound = str_printf("%s.fit-sound.m4a", path);
    f->film = str_printf("%s.fit-film.mp4", path);
}

bool video_fit(const struct fit_spec *spec, const char *path, int *ret_width, int *ret_height,
               struct err *e)
{
    AUTO(fit_free)
    struct fit f = {
        .spec = spec, .watch = {.cancel = spec->cancel}, .is = {.frames = spec->frames}};
    name_files(&f, path);
    if (!survey(&f, e))
        return false;
    if (spec->frames <= 0 || !fit_plan(&f.is, spec->limit, &f.plan))
        return too_large(&f, e);
    if (!encode(&f, path, e)) {
        if (f.best > 0)
            unlink(path);
        return false;
    }
    *ret_width = f.plan.width;
    *ret_height = f.plan.height;
    return true;
}
