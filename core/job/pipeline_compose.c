/* COMPOSE: one task on the render pool per scene and one for the sound. A task owns a copy of all
 * it reads, so that a run that ends early can leave queued tasks behind. */
#include "core/job/pipeline_internal.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "compose"

enum {
    SOUND_SHARE = 4,                 /* a frame of sound weighs so much less than one of pictures */
    ENCODER_THREADS_MAX = 8,         /* more cost memory and bits, and win little */
    SHOT_FRAMES_MIN = 2 * STORY_FPS, /* a picture is seen so long at least */
};

static void task_free(struct render_task *t)
{
    caption_track_free(&t->captions);
    free(t->voices);
    free(t);
}

static void on_frame(void *ctx, int done)
{
    struct render_task *t = ctx;
    atomic_store_explicit(&t->frames_done, done, memory_order_relaxed);
}

/* Frames that are still to be encoded. What an earlier run made its pictures for is most likely in
   the cache, until it turns out not to be. */
static int frames_left(const struct run_state *r)
{
    int left = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct scene_work *w = &r->scenes[i];
        const struct render_task *t = w->segment;
        if (t && !w->composed)
            left += t->frames - atomic_load_explicit(&t->frames_done, memory_order_relaxed);
        else if (!t && !w->stood)
            left += w->need_ms * STORY_FPS / 1000;
    }
    return left;
}

void compose_share(struct run_state *r)
{
    atomic_store_explicit(&r->frames_left, frames_left(r), memory_order_relaxed);
}

/* The cores are shared out by what is left to encode: the last scene, or the only one that was
   changed, gets them all. A task that begins alone, as the first one does while the others are still
   looked for, has two. */
static int encoder_threads(const struct render_task *t)
{
    struct run_state *r = t->run;
    int cores = (int)pool_threads(r->tools->render);
    int left = MAX(atomic_load_explicit(&r->frames_left, memory_order_relaxed), t->frames);
    int share = (cores * t->frames + left / 2) / left;
    bool alone = atomic_load_explicit(&r->rendering, memory_order_relaxed) == 1;
    return CLAMP(share, alone && cores > 1 ? 2 : 1, ENCODER_THREADS_MAX);
}

static bool render_segment(struct render_task *t, const char *path, struct err *e)
{
    struct run_state *r = t->run;
    const struct story_settings *s = &r->story->settings;
    struct segment_spec spec = {
        .width = r->width,
        .height = r->height,
        .tier = s->tier,
        .frames = t->frames,
        .footage = &t->footage,
        .second = t->second_frame ? &t->second : NULL,
        .second_frame = t->second_frame,
        .captions = &t->captions,
        .title = t->title,
        .style = s->style,
        .threads = encoder_threads(t),
        .cancel = &r->stop,
        .on_frame = on_frame,
        .ctx = t,
    };
    return r->video->segment(&spec, path, e);
}

static const char *music_mood(const struct storyboard *s)
{
    return s->settings.music[0] ? s->settings.music : s->mood;
}

static bool render_sound(struct render_task *t, const char *path, struct err *e)
{
    struct run_state *r = t->run;
    struct sound_spec spec = {
        .voices = t->voices,
        .voice_count = t->voice_count,
        .frames = t->frames,
        .mood = music_mood(r->story),
        .seed = r->story->settings.seed,
        .cancel = &r->stop,
    };
    return r->video->sound(&spec, path, e);
}

static bool task_render(struct render_task *t, struct err *e)
{
    char temp[CACHE_PATH_MAX];
    if (cancel_fired(&t->run->stop))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped before it began");
    if (!cache_temp(t->path, temp, e))
        return false;
    bool ok = t->is_sound ? render_sound(t, temp, e) : render_segment(t, temp, e);
    if (ok && cache_publish(temp, t->path, e)) {
        crash_at(t->is_sound ? "pipeline.sound" : "pipeline.segment");
        return true;
    }
    unlink(temp);
    return false;
}

static void task_run(struct pool_task *task)
{
    struct render_task *t = (struct render_task *)task;
    enum task_state queued = TASK_QUEUED;
    if (!atomic_compare_exchange_strong(&t->state, &queued, TASK_RUNNING)) {
        task_free(t); /* abandoned */
        return;
    }
    struct run_state *r = t->run;
    log_job(r->job_id);
    int64_t begun = clock_mono_ms();
    struct err e = {0};
    atomic_fetch_add_explicit(&r->rendering, 1, memory_order_relaxed);
    bool ok = task_render(t, &e);
    atomic_fetch_sub_explicit(&r->rendering, 1, memory_order_relaxed);
    if (ok && !t->is_sound)
        log_debug("scene %zu: %d frames in %lld ms", t->scene + 1, t->frames,
                  (long long)(clock_mono_ms() - begun));
    log_job(NULL);
    pthread_mutex_lock(&r->lock);
    t->err = e;
    t->finished = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock); /* from here on t and r may be gone */
}

void compose_submit(struct run_state *r, struct render_task *t)
{
    t->submitted = true;
    t->task.run = task_run;
    t->task.weight = t->is_sound ? t->frames / SOUND_SHARE : t->frames;
    r->outstanding++;
    pool_submit(r->tools->render, &t->task);
}

static void wait_finished(struct run_state *r, const struct render_task *t)
{
    pthread_mutex_lock(&r->lock);
    while (!t->finished)
        run_wait_locked(r, WAKE_EVERY_MS);
    pthread_mutex_unlock(&r->lock);
}

void compose_release(struct run_state *r, struct render_task **task)
{
    struct render_task *t = TAKE(*task);
    if (!t)
        return;
    if (t->submitted) {
        enum task_state queued = TASK_QUEUED;
        if (atomic_compare_exchange_strong(&t->state, &queued, TASK_ABANDONED))
            return; /* still waiting for its turn, which may be long after we are gone */
        wait_finished(r, t);
    }
    task_free(t);
}

/* --- inputs and keys --- */

static void key_footage(const struct run_state *r, struct hash *h, const struct footage *f)
{
    struct stat st;
    const char *slash = strrchr(f->path, '/');
    hash_int(h, "kind", f->kind);
    hash_text(h, "look", f->look);
    hash_int(h, "seed", (int64_t)f->seed);
    hash_int(h, "in", f->in_ms);
    if (strcmp(f->provider, FOOTAGE_OWN) == 0) {
        hash_text(h, "own", f->id); /* its file is fetched anew by each attempt elsewhere */
        return;
    }
    if (slash && cache_holds(r->tools->cache, f->path)) {
        hash_text(h, "file", slash + 1);
        return;
    }
    if (f->kind == FOOTAGE_BACKDROP || stat(f->path, &st) != 0)
        return;
    hash_text(h, "path", f->path);
    hash_int(h, "size", st.st_size);
    hash_int(h, "mtime", (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
}

static void key_captions(struct hash *h, const struct caption_track *c)
{
    hash_text(h, "lang", c->lang);
    hash_int(h, "rtl", c->rtl);
    hash_int(h, "pages", (int64_t)c->page_count);
    for (size_t i = 0; i < c->page_count; i++) {
        const struct caption_page *page = &c->pages[i];
        hash_int(h, "start", page->start_ms);
        hash_int(h, "end", page->end_ms);
        hash_text(h, "text", page->text);
        hash_int(h, "words", (int64_t)page->word_count);
        for (size_t k = 0; k < page->word_count; k++) {
            hash_int(h, "at", (int64_t)page->words[k].at);
            hash_int(h, "len", (int64_t)page->words[k].len);
            hash_int(h, "from", page->words[k].start_ms);
            hash_int(h, "to", page->words[k].end_ms);
        }
    }
}

static void key_segment(const struct run_state *r, const struct render_task *t,
                        char ret_key[static HASH_HEX])
{
    const struct story_settings *s = &r->story->settings;
    struct hash h;
    hash_begin(&h, "segment");
    hash_int(&h, "revision", VIDEO_REVISION);
    hash_int(&h, "fps", STORY_FPS);
    hash_int(&h, "width", r->width);
    hash_int(&h, "height", r->height);
    hash_int(&h, "tier", s->tier);
    hash_int(&h, "frames", t->frames);
    hash_text(&h, "style", s->style);
    hash_text(&h, "title", t->title);
    key_footage(r, &h, &t->footage);
    if (t->second_frame) {
        hash_int(&h, "second", t->second_frame);
        key_footage(r, &h, &t->second);
    }
    key_captions(&h, &t->captions);
    hash_end(&h, ret_key);
}

static void key_sound(const struct run_state *r, const struct render_task *t,
                      char ret_key[static HASH_HEX])
{
    struct hash h;
    hash_begin(&h, "sound");
    hash_int(&h, "revision", VIDEO_REVISION);
    hash_int(&h, "frames", t->frames);
    hash_text(&h, "mood", music_mood(r->story));
    hash_int(&h, "seed", (int64_t)r->story->settings.seed);
    for (size_t i = 0; i < t->voice_count; i++) {
        /* The name of a spoken scene is the hash of what it says and who says it. */
        const char *slash = strrchr(t->voices[i].wav, '/');
        hash_text(&h, "voice", slash ? slash + 1 : t->voices[i].wav);
        hash_int(&h, "start", t->voices[i].start_ms);
        hash_int(&h, "duration", t->voices[i].duration_ms);
    }
    hash_end(&h, ret_key);
}

/* A title that only repeats the first words spoken would stand above the same words as caption. */
static const char *scene_title(const struct storyboard *story, size_t scene)
{
    const struct scene *s = &story->scenes[scene];
    if (s->title && s->title[0])
        return s->title;
    if (scene > 0 || !story->title || !story->title[0])
        return NULL;
    size_t len = strlen(story->title);
    while (len > 0 &&
           ((unsigned char)story->title[len - 1] >= 0x80 || strchr(".! ?", story->title[len - 1])))
        len--; /* an ellipsis, or half a foreign word: compare what is before it */
    return strncmp(s->narration, story->title, len) == 0 ? NULL : story->title;
}

static struct render_task *task_new(struct run_state *r, struct err *e)
{
    struct render_task *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
        return NULL;
    }
    t->run = r;
    return t;
}

static void task_drop(struct render_task **t)
{
    if (*t)
        task_free(*t);
}

bool compose_segment(struct run_state *r, size_t scene, struct render_task **ret, struct err *e)
{
    const struct scene *s = &r->story->scenes[scene];
    struct render_task *t AUTO(task_drop) = task_new(r, e);
    char key[HASH_HEX];
    if (!t)
        return false;
    t->scene = scene;
    t->frames = s->cut.frames;
    t->footage = s->footage;
    t->second = s->second;
    /* The scene may have become shorter than it was thought to be. */
    if (s->second.kind != FOOTAGE_NONE && t->frames >= 2 * SHOT_FRAMES_MIN)
        t->second_frame = t->frames / 2;
    t->title = scene_title(r->story, scene);
    if (!caption_build(s->narration, s->speech.words, s->speech.word_count, r->story->settings.lang,
                       STORY_HEAD_MS, caption_line_width(r->width, r->height), &t->captions, e))
        return false;
    key_segment(r, t, key);
    if (!cache_path(r->tools->cache, key, "mp4", t->path, e))
        return false;
    t->cached = cache_touch(t->path);
    *ret = TAKE(t);
    return true;
}

bool compose_sound(struct run_state *r, struct render_task **ret, struct err *e)
{
    struct render_task *t AUTO(task_drop) = task_new(r, e);
    char key[HASH_HEX];
    if (!t)
        return false;
    t->is_sound = true;
    t->frames = storyboard_frames(r->story);
    t->voices = calloc(r->count, sizeof *t->voices);
    if (!t->voices)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    t->voice_count = r->count;
    for (size_t i = 0; i < r->count; i++) {
        const struct scene *s = &r->story->scenes[i];
        t->voices[i] = (struct sound_voice){.wav = s->speech.file,
                                            .start_ms = s->cut.start_ms + STORY_HEAD_MS,
                                            .duration_ms = s->speech.duration_ms};
    }
    key_sound(r, t, key);
    if (!cache_path(r->tools->cache, key, "m4a", t->path, e))
        return false;
    t->cached = cache_touch(t->path);
    *ret = TAKE(t);
    return true;
}

bool compose_again(struct run_state *r, size_t scene, struct err *e)
{
    compose_release(r, &r->scenes[scene].segment);
    if (!compose_segment(r, scene, &r->scenes[scene].segment, e))
        return false;
    struct render_task *t = r->scenes[scene].segment;
    t->cached = false;
    atomic_store(&r->frames_left, t->frames);
    compose_submit(r, t);
    wait_finished(r, t);
    r->outstanding--;
    if (t->err.code != ERR_NONE) {
        *e = t->err;
        return false;
    }
    r->made++;
    return true;
}
