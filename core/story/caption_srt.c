#include "core/base/strbuf.h"
#include "core/story/caption.h"
#include "core/story/storyboard.h"

enum { SRT_MAX = 4 << 20 };

#define SRT_LINE_WIDTH 20.0 /* about 38 Latin letters, 20 Han */

static void add_time(struct strbuf *out, int64_t ms)
{
    strbuf_addf(out, "%02d:%02d:%02d,%03d", (int)(ms / 3600000), (int)(ms / 60000 % 60),
                (int)(ms / 1000 % 60), (int)(ms % 1000));
}

/* One scene's cues. Cues never overlap: until_ms is where the next scene's speech begins. */
static void add_cues(struct strbuf *out, const struct caption_track *t, int64_t until_ms,
                     int *number)
{
    for (size_t i = 0; i < t->page_count; i++) {
        const struct caption_page *p = &t->pages[i];
        strbuf_addf(out, "%d\r\n", ++*number);
        add_time(out, p->start_ms);
        strbuf_adds(out, " --> ");
        add_time(out, MAX(MIN(p->end_ms, until_ms), p->start_ms));
        strbuf_adds(out, "\r\n");
        for (const char *c = p->text; *c; c++)
            if (*c == '\n')
                strbuf_adds(out, "\r\n");
            else
                strbuf_addc(out, *c);
        strbuf_adds(out, "\r\n\r\n");
    }
}

bool caption_srt(const struct storyboard *s, char **ret_text, struct err *e)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(SRT_MAX);
    int number = 0;
    for (size_t i = 0; i < s->scene_count; i++) {
        const struct scene *scene = &s->scenes[i];
        if (!scene->cut.frames || !scene->narration)
            continue;
        AUTO(caption_track_free) struct caption_track track = {0};
        if (!caption_build(scene->narration, scene->speech.words, scene->speech.word_count,
                           s->settings.lang, scene->cut.start_ms + STORY_HEAD_MS, SRT_LINE_WIDTH,
                           &track, e))
            return false;
        int64_t until = scene->cut.start_ms + (int64_t)scene->cut.frames * 1000 / STORY_FPS;
        add_cues(&out, &track, until, &number);
    }
    char *text = strbuf_take(&out);
    if (!text)
        return err_set(e, ERR_LIMIT, "make.too_long", "subtitles over %d bytes", SRT_MAX);
    *ret_text = text;
    return true;
}
