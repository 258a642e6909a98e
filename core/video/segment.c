#include "core/video/caption_draw.h"
#include "core/video/cover.h"
#include "core/video/encoder.h"
#include "core/video/source.h"
#include "core/video/video.h"

static bool spec_sound(const struct segment_spec *spec)
{
    return spec->width >= 16 && spec->height >= 16 && spec->width <= 4096 && spec->height <= 4096 &&
           spec->width % 2 == 0 && spec->height % 2 == 0 && spec->frames > 0 && spec->footage &&
           (!spec->second || (spec->second_frame > 0 && spec->second_frame < spec->frames));
}

/* Everything that one frame passes through. */
struct line {
    struct segment_spec shot; /* what is seen now, as a segment of its own */
    int shot_start;
    struct source *source;
    struct caption_draw *captions; /* NULL: none */
    struct encoder *encoder;
    AVFrame *frame;
};

static bool line_open(struct line *l, const struct segment_spec *spec, const char *path,
                      struct err *e)
{
    const struct encoder_spec how = {.width = spec->width,
                                     .height = spec->height,
                                     .tier = spec->tier,
                                     .threads = spec->threads,
                                     .painted = spec->footage->kind == FOOTAGE_BACKDROP,
                                     .cancel = spec->cancel};
    l->frame = cover_frame_make(spec->width, spec->height);
    if (!l->frame)
        return media_fail(e, AVERROR(ENOMEM), "frame", path);
    l->shot = *spec;
    if (spec->second)
        l->shot.frames = spec->second_frame;
    if (!source_create(&l->shot, &l->source, e))
        return false;
    if ((spec->captions || spec->title) &&
        !caption_draw_create(spec->width, spec->height, spec->style, spec->captions, spec->title,
                             &l->captions, e))
        return false;
    return encoder_create(&how, path, &l->encoder, e);
}

/* A hard cut to the second picture. */
static bool line_cut(struct line *l, const struct segment_spec *spec, struct err *e)
{
    source_destroy(TAKE(l->source));
    l->shot.footage = spec->second;
    l->shot.frames = spec->frames - spec->second_frame;
    l->shot_start = spec->second_frame;
    return source_create(&l->shot, &l->source, e);
}

static bool line_frame(struct line *l, int n, struct err *e)
{
    /* x264 has copied the last frame by now, so this one copies nothing. */
    if (av_frame_make_writable(l->frame) < 0)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "frame: no memory");
    if (!source_draw(l->source, l->frame, n - l->shot_start, e))
        return false;
    if (l->captions && !caption_draw_frame(l->captions, l->frame, n * 1000LL / STORY_FPS, e))
        return false;
    return encoder_push(l->encoder, l->frame, e);
}

static void line_close(struct line *l)
{
    source_destroy(l->source);
    caption_draw_destroy(l->captions);
    encoder_destroy(l->encoder);
    av_frame_free(&l->frame);
}

static bool line_run(struct line *l, const struct segment_spec *spec, struct err *e)
{
    for (int n = 0; n < spec->frames; n++) {
        if (cancel_fired(spec->cancel))
            return media_cancelled(e);
        if (spec->second && n == spec->second_frame && !line_cut(l, spec, e))
            return false;
        if (!line_frame(l, n, e))
            return false;
        if (spec->on_frame)
            spec->on_frame(spec->ctx, n + 1);
    }
    return encoder_finish(l->encoder, e);
}

bool segment_render(const struct segment_spec *spec, const char *path, struct err *e)
{
    if (!spec_sound(spec))
        return err_set(e, ERR_INTERNAL, "make.render_failed", "segment of %dx%d, %d frames",
                       spec->width, spec->height, spec->frames);
    AUTO(line_close) struct line line = {0};
    return line_open(&line, spec, path, e) && line_run(&line, spec, e);
}
