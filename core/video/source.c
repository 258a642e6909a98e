#include "core/video/source.h"

#include <libavutil/imgutils.h>

#include "core/video/backdrop.h"
#include "core/video/cover.h"
#include "core/video/decoder.h"
#include "core/video/photo.h"

enum {
    FADE_FRAMES = 14, /* from the end of a clip into its next round */
    ROUND_FRAMES_MIN =
        STORY_FPS, /* clips shorter than this would flicker: their last frame zooms */
};

struct source {
    const struct segment_spec *spec;
    struct media_watch watch;
    struct backdrop *backdrop;
    struct photo *photo;
    int photo_start; /* frame that is the photo's 0 */

    /* --- clips --- */
    struct decoder *decoder;
    struct cover *cover;
    const AVFrame *drawn; /* decoded frame that `last` was made from */
    int64_t drawn_pts;
    AVFrame *last;   /* the clip's newest composed frame */
    AVFrame *ending; /* last frame of the round before, while it fades out */
    int round_start; /* frame at which this round began */
};

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_INTERNAL, "make.render_failed", "picture: no memory");
}

static bool clip_create(struct source *s, struct err *e)
{
    const struct segment_spec *spec = s->spec;
    int64_t need_ms = spec->frames * 1000LL / STORY_FPS;
    s->last = cover_frame_make(spec->width, spec->height);
    if (!s->last)
        return no_memory(e);
    return cover_create(spec->width, spec->height, spec->tier == TIER_PREMIUM, &s->cover, e) &&
           decoder_create(spec->footage->path, spec->footage->in_ms, need_ms, &s->watch,
                          &s->decoder, e);
}

bool source_create(const struct segment_spec *spec, struct source **ret, struct err *e)
{
    const struct footage *f = spec->footage;
    struct source *s = calloc(1, sizeof(*s));
    bool ok = false;
    if (!s)
        return no_memory(e);
    s->spec = spec;
    s->watch = (struct media_watch){.cancel = spec->cancel};
    switch (f->kind) {
    case FOOTAGE_CLIP:
        ok = clip_create(s, e);
        break;
    case FOOTAGE_PHOTO:
        ok = photo_create(f->path, spec->width, spec->height, spec->frames, f->seed, &s->watch,
                          &s->photo, e);
        break;
    case FOOTAGE_NONE:
    case FOOTAGE_BACKDROP:
        ok = backdrop_create(spec->width, spec->height, f->look, f->seed, spec->style, &s->backdrop,
                             e);
        break;
    }
    if (!ok) {
        source_destroy(s);
        return false;
    }
    *ret = s;
    return true;
}

static void copy_frame(AVFrame *to, const AVFrame *from)
{
    av_image_copy(to->data, to->linesize, (const uint8_t **)from->data, from->linesize,
                  AV_PIX_FMT_YUV420P, from->width, from->height);
}

/* part/256 of `to`, the rest of `from`. */
static void mix_frame(AVFrame *to, const AVFrame *from, int part)
{
    for (int p = 0; p < 3; p++) {
        int w = p ? to->width / 2 : to->width, h = p ? to->height / 2 : to->height;
        for (int y = 0; y < h; y++) {
            uint8_t *t = to->data[p] + (ptrdiff_t)y * to->linesize[p];
            const uint8_t *f = from->data[p] + (ptrdiff_t)y * from->linesize[p];
            for (int x = 0; x < w; x++)
                t[x] = (uint8_t)((t[x] * part + f[x] * (256 - part) + 128) >> 8);
        }
    }
}

/* The clip's frame of this moment into s->last; *ret_over when the clip has ended. */
static bool clip_fetch(struct source *s, int n, bool *ret_over, struct err *e)
{
    const AVFrame *f;
    if (!decoder_at(s->decoder, n - s->round_start, &f, e))
        return false;
    *ret_over = f == NULL;
    if (!f || (f == s->drawn && f->pts == s->drawn_pts))
        return true;
    s->drawn = f;
    s->drawn_pts = f->pts;
    return cover_draw(s->cover, f, decoder_orientation(s->decoder, f), decoder_sar(s->decoder, f),
                      s->last, e);
}

/* The clip is shorter than its scene: play it again, or when it is only an instant, zoom on. */
static bool clip_again(struct source *s, int n, struct err *e)
{
    if (n - s->round_start < ROUND_FRAMES_MIN) {
        decoder_destroy(s->decoder);
        s->decoder = NULL;
        s->photo_start = n - 1;
        return photo_of_frame(s->last, s->spec->frames - s->photo_start, &s->photo, e);
    }
    if (!s->ending && !(s->ending = cover_frame_make(s->spec->width, s->spec->height)))
        return no_memory(e);
    copy_frame(s->ending, s->last);
    s->round_start = n;
    s->drawn = NULL;
    bool over;
    return decoder_rewind(s->decoder, e) && clip_fetch(s, n, &over, e);
}

static bool clip_draw(struct source *s, AVFrame *frame, int n, struct err *e)
{
    bool over;
    if (!clip_fetch(s, n, &over, e) || (over && !clip_again(s, n, e)))
        return false;
    if (s->photo)
        return photo_draw(s->photo, frame, n - s->photo_start, e);
    copy_frame(frame, s->last);
    int since = n - s->round_start;
    if (s->ending && since < FADE_FRAMES)
        mix_frame(frame, s->ending, 256 * (since + 1) / (FADE_FRAMES + 1));
    return true;
}

bool source_draw(struct source *s, AVFrame *frame, int n, struct err *e)
{
    if (s->photo)
        return photo_draw(s->photo, frame, n - s->photo_start, e);
    if (s->decoder)
        return clip_draw(s, frame, n, e);
    backdrop_draw(s->backdrop, frame, (double)n / STORY_FPS);
    return true;
}

void source_destroy(struct source *s)
{
    if (!s)
        return;
    backdrop_destroy(s->backdrop);
    photo_destroy(s->photo);
    decoder_destroy(s->decoder);
    cover_destroy(s->cover);
    av_frame_free(&s->last);
    av_frame_free(&s->ending);
    free(s);
}
