#include "core/video/source.h"

#include "core/video/backdrop.h"

struct source {
    const struct segment_spec *spec;
    struct media_watch watch;
    struct backdrop *backdrop;
};

bool source_create(const struct segment_spec *spec, struct source **ret, struct err *e)
{
    const struct footage *f = spec->footage;
    struct source *s = calloc(1, sizeof(*s));
    bool ok = false;
    if (!s)
        return media_fail(e, AVERROR(ENOMEM), "picture", f->path);
    s->spec = spec;
    s->watch = (struct media_watch){.cancel = spec->cancel};
    switch (f->kind) {
    case FOOTAGE_NONE:
    case FOOTAGE_CLIP:
    case FOOTAGE_PHOTO:
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

bool source_draw(struct source *s, AVFrame *frame, int n, struct err *e)
{
    (void)e;
    backdrop_draw(s->backdrop, frame, (double)n / STORY_FPS);
    return true;
}

void source_destroy(struct source *s)
{
    if (!s)
        return;
    backdrop_destroy(s->backdrop);
    free(s);
}
