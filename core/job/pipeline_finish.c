/* JOIN, FIT and CHECK: the film is made beside its place under a name of its own; poster, subtitles and
 * film then appear in that order, so that a film that is there is complete. */
#include "core/job/pipeline_internal.h"

#include <unistd.h>

#include "core/base/crash.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "finish"

enum {
    COMMENT_MAX = 2000,
    COMMENT_ROOM = COMMENT_MAX + 100,
    POSTER_PERCENT = 40,
    POSTER_MAX_MS = 4000
};

struct outputs {
    char film[CACHE_PATH_MAX], poster[CACHE_PATH_MAX], srt[CACHE_PATH_MAX];
    char fitted_temp[CACHE_PATH_MAX], film_temp[CACHE_PATH_MAX], poster_temp[CACHE_PATH_MAX],
        srt_temp[CACHE_PATH_MAX];
};

bool pipeline_beside(const char *out_path, const char *ext, char ret_path[static CACHE_PATH_MAX],
                     struct err *e)
{
    const char *slash = strrchr(out_path, '/');
    const char *dot = strrchr(out_path, '.');
    if (!dot || (slash && dot < slash) || dot == out_path || (slash && dot == slash + 1))
        dot = out_path + strlen(out_path);
    int n = snprintf(ret_path, CACHE_PATH_MAX, "%.*s.%s", (int)(dot - out_path), out_path, ext);
    if (n < 0 || n >= CACHE_PATH_MAX)
        return err_set_arg(e, ERR_INPUT, "error.disk", out_path, "path too long");
    return true;
}

static bool outputs_name(const char *out_path, struct outputs *o, struct err *e)
{
    if (!str_copy(o->film, sizeof o->film, out_path))
        return err_set_arg(e, ERR_INPUT, "error.disk", out_path, "path too long");
    return pipeline_beside(out_path, "jpg", o->poster, e) &&
           pipeline_beside(out_path, "srt", o->srt, e) && cache_temp(o->film, o->film_temp, e) &&
           cache_temp(o->film, o->fitted_temp, e) && cache_temp(o->poster, o->poster_temp, e) &&
           cache_temp(o->srt, o->srt_temp, e);
}

static void outputs_discard(struct outputs *o)
{
    unlink(o->film_temp);
    unlink(o->fitted_temp);
    unlink(o->poster_temp);
    unlink(o->srt_temp);
}

static bool add_maker(const struct footage *f, struct strbuf *out)
{
    char line[sizeof f->id + sizeof f->provider + sizeof f->page + 16];
    if (f->kind == FOOTAGE_NONE)
        return false;
    if (f->kind == FOOTAGE_BACKDROP)
        str_copy(line, sizeof line, "painted by NanoTik");
    else if (f->author[0] || f->page[0])
        snprintf(line, sizeof line, "%s (%s)%s%s", f->author[0] ? f->author : f->id, f->provider,
                 f->page[0] ? " " : "", f->page);
    else
        return false;
    if (strstr(strbuf_text(out), line) || out->len + strlen(line) + 2 > COMMENT_MAX)
        return false;
    strbuf_addf(out, "%s%s", out->len > 0 ? "; " : "Pictures: ", line);
    return true;
}

/* "Pictures: Ann Lee (pexels) https://…; painted by NanoTik. Voice: espeak. Music: NanoTik.": each
   maker once. */
static void credits(const struct storyboard *s, struct strbuf *out)
{
    bool any = false;
    for (size_t i = 0; i < s->scene_count; i++)
        for (int k = 0; k < 2; k++)
            any |= add_maker(k ? &s->scenes[i].second : &s->scenes[i].footage, out);
    strbuf_addf(out, "%sVoice: %s.", any ? ". " : "", s->scenes[0].speech.engine);
    if (strcmp(s->settings.music, "off") != 0)
        strbuf_adds(out, " Music: NanoTik.");
}

/* Gone from the cache, with what it is made from perhaps: the next attempt makes what is missing. */
static void again_later(struct err *e)
{
    err_set(e, ERR_RETRY, "error.busy", "a part of the film is gone from the cache");
}

/* Which segment to encode again when the join refuses: the one named, or the first, with which it
   was compared, when the named one has just been encoded. */
static bool odd_segment(struct run_state *r, struct err *e, size_t *ret)
{
    int64_t index;
    if (e->code != ERR_CONFLICT || !str_to_int(e->arg, 0, (int64_t)r->count, &index))
        return false;
    if ((size_t)index == r->count) { /* the sound */
        log_err(LOG_WARN, LOG_MODULE, e);
        unlink(r->sound->path);
        again_later(e);
        return false;
    }
    *ret = r->scenes[index].encoded_again ? 0 : (size_t)index;
    if (r->scenes[*ret].encoded_again)
        return false;
    r->scenes[*ret].encoded_again = true;
    return true;
}

static bool join(struct run_state *r, const char *path, struct err *e)
{
    const char **segments AUTO(free_ptr) = calloc(r->count, sizeof *segments);
    struct strbuf comment AUTO(strbuf_free) = STRBUF(COMMENT_ROOM);
    if (!segments)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    credits(r->story, &comment);
    struct join_spec spec = {
        .segments = segments,
        .segment_count = r->count,
        .sound = r->sound->path,
        .title = r->story->title,
        .comment = strbuf_text(&comment),
        .lang = r->story->settings.lang,
        .cancel = &r->stop,
    };
    for (;;) {
        size_t odd;
        for (size_t i = 0; i < r->count; i++)
            segments[i] = r->scenes[i].segment->path;
        if (r->video->join(&spec, path, e))
            return true;
        if (!odd_segment(r, e, &odd))
            return false;
        log_err(LOG_WARN, LOG_MODULE, e);
        if (!compose_again(r, odd, e)) {
            if (e->code == ERR_INPUT)
                again_later(e);
            return false;
        }
    }
}

/* A moment when the first caption stands and the title has not gone yet. */
static int64_t poster_moment(const struct storyboard *s)
{
    int64_t first_ms = (int64_t)s->scenes[0].cut.frames * 1000 / STORY_FPS;
    return MIN(first_ms * POSTER_PERCENT / 100, POSTER_MAX_MS);
}

static void on_fit(void *ctx, double done)
{
    struct run_state *r = ctx;
    r->progress.fitted = done;
    progress_show(r, false);
}

/* A film that the chat would not take is made smaller, from the same segments. */
static bool fit(struct run_state *r, const struct outputs *o, int *width, int *height,
                struct err *e)
{
    int64_t limit = r->story->settings.byte_limit;
    struct strbuf comment AUTO(strbuf_free) = STRBUF(COMMENT_ROOM);
    if (limit <= 0 || fs_size(o->film_temp) <= limit)
        return true;
    credits(r->story, &comment);
    const struct fit_spec spec = {
        .film = o->film_temp,
        .frames = storyboard_frames(r->story),
        .limit = limit,
        .tier = r->story->settings.tier,
        .title = r->story->title,
        .comment = strbuf_text(&comment),
        .lang = r->story->settings.lang,
        .threads = (int)pool_threads(r->tools->render),
        .cancel = &r->stop,
        .on_share = on_fit,
        .ctx = r,
    };
    r->progress.fitting = true;
    int64_t whole = fs_size(o->film_temp);
    if (!r->video->fit(&spec, o->fitted_temp, width, height, e) ||
        !cache_publish(o->fitted_temp, o->film_temp, e))
        return false;
    log_info("fitted from %lld to %lld of %lld bytes, %dx%d", (long long)whole,
             (long long)fs_size(o->film_temp), (long long)limit, *width, *height);
    return true;
}

static bool check(struct run_state *r, const struct outputs *o, int width, int height,
                  struct pipeline_result *ret, struct err *e)
{
    int frames = storyboard_frames(r->story);
    int64_t limit = r->story->settings.byte_limit;
    if (!r->video->check(o->film_temp, width, height, frames, &r->stop, e))
        return false;
    int64_t bytes = fs_size(o->film_temp);
    if (limit > 0 && bytes > limit) {
        char arg[24];
        snprintf(arg, sizeof arg, "%lld", (long long)limit);
        return err_set_arg(e, ERR_LIMIT, "make.file_too_large", arg, "%lld bytes, %lld allowed",
                           (long long)bytes, (long long)limit);
    }
    *ret = (struct pipeline_result){
        .duration_ms = (int64_t)frames * 1000 / STORY_FPS,
        .bytes = bytes,
        .width = width,
        .height = height,
        .cached = r->cached,
        .made = r->made,
    };
    return true;
}

static bool subtitles(const struct storyboard *s, const char *path, struct err *e)
{
    char *text AUTO(free_ptr) = NULL;
    return caption_srt(s, &text, e) && fs_write(path, text, strlen(text), e);
}

static bool make_outputs(struct run_state *r, const struct outputs *o, struct pipeline_result *ret,
                         struct err *e)
{
    int width = r->width, height = r->height;
    if (!join(r, o->film_temp, e))
        return false;
    r->progress.joined = 0.6;
    progress_show(r, false);
    /* The poster is of the film as it was composed. */
    if (!r->video->poster(o->film_temp, poster_moment(r->story), o->poster_temp, &r->stop, e) ||
        !fit(r, o, &width, &height, e) || !check(r, o, width, height, ret, e) ||
        !subtitles(r->story, o->srt_temp, e))
        return false;
    crash_at("pipeline.joined");
    /* Last question before anything appears: is the job still ours? */
    r->dirty = true;
    if (!run_save(r, e))
        return false;
    if (cancel_fired(&r->stop))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped before the film appeared");
    return cache_publish(o->poster_temp, o->poster, e) && cache_publish(o->srt_temp, o->srt, e) &&
           cache_publish(o->film_temp, o->film, e);
}

bool finish_film(struct run_state *r, struct pipeline_result *ret, struct err *e)
{
    struct outputs o;
    struct pipeline_result result;
    if (!outputs_name(r->run->out_path, &o, e))
        return false;
    r->progress.joining = true;
    progress_show(r, true);
    if (!make_outputs(r, &o, &result, e)) {
        outputs_discard(&o);
        return false;
    }
    r->progress.finished = true;
    r->progress.joined = 1;
    progress_show(r, true);
    *ret = result;
    return true;
}
