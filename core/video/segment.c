#include "core/video/caption_draw.h"
#include "core/video/cover.h"
#include "core/video/encoder.h"
#include "core/video/source.h"
#include "core/video/video.h"

static void source_free(struct source **s)
{
    source_destroy(*s);
}

static void encoder_free(struct encoder **enc)
{
    encoder_destroy(*enc);
}

static void caption_free(struct caption_draw **d)
{
    caption_draw_destroy(*d);
}

static bool spec_sound(const struct segment_spec *spec)
{
    return spec->width >= 16 && spec->height >= 16 && spec->width <= 4096 && spec->height <= 4096 &&
           spec->width % 2 == 0 && spec->height % 2 == 0 && spec->frames > 0 && spec->footage;
}

bool segment_render(const struct segment_spec *spec, const char *path, struct err *e)
{
    if (!spec_sound(spec))
        return err_set(e, ERR_INTERNAL, "make.render_failed", "segment of %dx%d, %d frames",
                       spec->width, spec->height, spec->frames);
    AUTO(source_free) struct source *source = NULL;
    AUTO(caption_free) struct caption_draw *captions = NULL;
    AUTO(encoder_free) struct encoder *enc = NULL;
    AUTO(av_frame_free) AVFrame *frame = cover_frame_make(spec->width, spec->height);
    if (!frame)
        return media_fail(e, AVERROR(ENOMEM), "frame", path);
    if (!source_create(spec, &source, e))
        return false;
    if ((spec->captions || spec->title) &&
        !caption_draw_create(spec->width, spec->height, spec->style, spec->captions, spec->title,
                             &captions, e))
        return false;
    struct encoder_spec how = {spec->width,
                               spec->height,
                               spec->tier,
                               spec->threads,
                               spec->footage->kind == FOOTAGE_BACKDROP,
                               spec->cancel};
    if (!encoder_create(&how, path, &enc, e))
        return false;
    for (int n = 0; n < spec->frames; n++) {
        if (cancel_fired(spec->cancel))
            return media_cancelled(e);
        /* x264 has copied the last frame by now, so this one copies nothing. */
        if (av_frame_make_writable(frame) < 0)
            return media_fail(e, AVERROR(ENOMEM), "frame", path);
        if (!source_draw(source, frame, n, e))
            return false;
        if (captions && !caption_draw_frame(captions, frame, n * 1000LL / STORY_FPS, e))
            return false;
        if (!encoder_push(enc, frame, e))
            return false;
        if (spec->on_frame)
            spec->on_frame(spec->ctx, n + 1);
    }
    return encoder_finish(enc, e);
}
