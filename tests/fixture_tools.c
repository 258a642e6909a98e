#include "tests/fixture_tools.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

static struct fake_tools *fake; /* for the video steps, which have no self */

/* --- the log and the knobs --- */

static void note(const char *what, int scene, char end)
{
    pthread_mutex_lock(&fake->lock);
    if (fake->event_count < FAKE_EVENTS_MAX) {
        struct fake_event *ev = &fake->events[fake->event_count++];
        str_copy(ev->what, sizeof ev->what, what);
        ev->scene = scene;
        ev->end = end;
    }
    pthread_mutex_unlock(&fake->lock);
}

int fake_nth(struct fake_tools *f, const char *what, char end, int n)
{
    int found = -1;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->event_count && found < 0; i++)
        if (f->events[i].end == end && (!what || strcmp(f->events[i].what, what) == 0) && n-- == 0)
            found = (int)i;
    pthread_mutex_unlock(&f->lock);
    return found;
}

int fake_count(struct fake_tools *f, const char *what, char end)
{
    int count = 0;
    while (fake_nth(f, what, end, count) >= 0)
        count++;
    return count;
}

void fake_forget(struct fake_tools *f)
{
    pthread_mutex_lock(&f->lock);
    f->event_count = 0;
    pthread_mutex_unlock(&f->lock);
}

/* True when the step goes on to do its work. */
static bool step(struct fake_step *s, const char *what, int scene, const struct cancel *cancel,
                 struct err *e)
{
    note(what, scene, '>');
    if (s->ms > 0 && cancel_wait(cancel, s->ms)) {
        note(what, scene, '!');
        return err_set(e, ERR_CANCELLED, "make.cancelled", "fake %s stopped", what);
    }
    pthread_mutex_lock(&fake->lock);
    bool fails = s->code != ERR_NONE && s->times != 0 && ++s->calls >= s->at;
    if (fails && s->times > 0)
        s->times--;
    pthread_mutex_unlock(&fake->lock);
    note(what, scene, fails ? '!' : '<');
    return !fails || err_set(e, s->code, "error.internal", "fake %s fails", what);
}

static bool put(const char *path, const char *text, struct err *e)
{
    return fs_write(path, text, strlen(text), e);
}

/* --- writers: one scene per sentence --- */

static bool write_script(int which, const struct script_request *request, struct script *ret,
                         struct err *e)
{
    char what[16];
    snprintf(what, sizeof what, "write%d", which);
    if (!step(&fake->write[which], what, -1, request->cancel, e))
        return false;
    *ret = (struct script){0};
    ret->scenes = arena_alloc(&ret->arena, STORY_SCENES_MAX * sizeof *ret->scenes);
    const char *at = fake->script ? fake->script : request->topic;
    while (*at && ret->scene_count < STORY_SCENES_MAX) {
        size_t len = strcspn(at, ".");
        len += at[len] == '.';
        ret->scenes[ret->scene_count++].narration = arena_dup_n(&ret->arena, at, len);
        at += len + strspn(at + len, " ");
    }
    ret->title = arena_dup(&ret->arena, which ? "Second writer" : "First writer");
    ret->mood = arena_dup(&ret->arena, "calm");
    return true;
}

static bool write0(void *self, const struct script_request *request, struct script *ret,
                   struct err *e)
{
    (void)self;
    return write_script(0, request, ret, e);
}

static bool write1(void *self, const struct script_request *request, struct script *ret,
                   struct err *e)
{
    (void)self;
    return write_script(1, request, ret, e);
}

static void nothing(void *self)
{
    (void)self;
}

static const struct script_writer_ops writers[] = {
    {.name = "first",  .write = write0,    .destroy = nothing},
    { .name = "own-words", .write = write1, .destroy = nothing,  .own_words = true},
};

/* --- speech: a tone per word --- */

static const struct speech_voice voices[] = {
    {"Ada", "en",    "Ada", true },
    {"Bob", "en-GB", "Bob", false},
};

static const struct speech_voice voices_of_two[] = {
    {"Cyd", "en", "Cyd", false},
    {"Dee", "en", "Dee", true },
};

static const struct speech_voice *list_two(void *self, size_t *ret_count)
{
    (void)self;
    *ret_count = COUNT(voices);
    return fake->own_voices ? voices_of_two : voices;
}

static const struct speech_voice *list_voices(void *self, size_t *ret_count)
{
    (void)self;
    *ret_count = COUNT(voices);
    return voices;
}

static bool tone(const char *path, int ms, struct err *e)
{
    enum { RATE = 8000 };
    uint32_t count = (uint32_t)(RATE / 1000 * ms), bytes = 2 * count, size = 36 + bytes;
    unsigned char *wav AUTO(free_ptr) = calloc(1, 44 + bytes);
    static const unsigned char head[44] = {'R', 'I', 'F', 'F', 0,    0,    0,   0,   'W',  'A',
                                           'V', 'E', 'f', 'm', 't',  ' ',  16,  0,   0,    0,
                                           1,   0,   1,   0,   0x40, 0x1f, 0,   0,   0x80, 0x3e,
                                           0,   0,   2,   0,   16,   0,    'd', 'a', 't',  'a'};
    if (!wav)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    memcpy(wav, head, sizeof head);
    memcpy(wav + 4, &size, 4);
    memcpy(wav + 40, &bytes, 4);
    for (uint32_t i = 0; i < count; i++) {
        int16_t sample = (int16_t)(8000 * sin(2 * M_PI * 220 * i / RATE));
        memcpy(wav + 44 + 2 * (size_t)i, &sample, 2);
    }
    return fs_write(path, wav, 44 + bytes, e);
}

static bool speak(int which, const struct speech_request *request, struct speech_result *ret,
                  struct err *e)
{
    char what[16];
    snprintf(what, sizeof what, "speak%d", which);
    if (!fake->speaks[which])
        return err_set_arg(e, ERR_UNSUPPORTED, "make.no_voice_for_language", request->lang, "no");
    const struct speech_voice *own = which && fake->own_voices ? voices_of_two : voices;
    if (fake->own_voices && request->voice[0] && strcmp(request->voice, own[0].name) != 0 &&
        strcmp(request->voice, own[1].name) != 0)
        return err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", request->voice, "not here");
    if (!step(&fake->speak[which], what, -1, request->cancel, e))
        return false;
    pthread_mutex_lock(&fake->lock); /* two films may be made at once */
    str_copy(fake->spoke_as, sizeof fake->spoke_as, request->voice);
    fake->spoke_percent = (int)lround(request->speed * 100);
    pthread_mutex_unlock(&fake->lock);
    size_t len = strlen(request->text), count = 0;
    int word_ms = (int)lround(fake->word_ms / request->speed);
    struct speech_word *words AUTO(free_ptr) = calloc(len + 1, sizeof *words);
    for (size_t at = 0; words && at < len;) {
        size_t n = strcspn(request->text + at, " ");
        int start = (int)count * word_ms;
        words[count++] = (struct speech_word){at, n, start, start + word_ms};
        at += n;
        at += strspn(request->text + at, " ");
    }
    int ms = (int)count * word_ms;
    if (!words || !tone(request->wav_path, ms, e))
        return false;
    *ret = (struct speech_result){ms, TAKE(words), count};
    return true;
}

static bool speak0(void *self, const struct speech_request *request, struct speech_result *ret,
                   struct err *e)
{
    (void)self;
    return speak(0, request, ret, e);
}

static bool speak1(void *self, const struct speech_request *request, struct speech_result *ret,
                   struct err *e)
{
    (void)self;
    return speak(1, request, ret, e);
}

static bool knows(const char *voice)
{
    return !voice[0] || strcmp(voice, voices[0].name) == 0 || strcmp(voice, voices[1].name) == 0;
}

static int rate0(void *self, const char *lang, const char *voice)
{
    (void)self;
    return fake->speaks[0] && str_starts(lang, "en") && knows(voice) ? 150 : 0;
}

static int rate1(void *self, const char *lang, const char *voice)
{
    (void)self;
    return fake->speaks[1] && str_starts(lang, "en") && knows(voice) ? 150 : 0;
}

static const struct speech_engine_ops engines[] = {
    {.name = "one", .voices = list_voices, .speak = speak0, .rate = rate0, .destroy = nothing},
    {.name = "two", .voices = list_two,    .speak = speak1, .rate = rate1, .destroy = nothing},
};

/* --- footage: numbered clips, unused first; then backdrops --- */

static bool is_used(const struct footage_query *query, const char *id)
{
    char name[200];
    snprintf(name, sizeof name, "clips:%s", id);
    for (size_t i = 0; i < query->used_count; i++)
        if (strcmp(query->used[i], name) == 0)
            return true;
    return false;
}

static bool search_clips(void *self, const struct footage_query *query, struct footage *ret_hits,
                         size_t max, size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    (void)self;
    if (!step(&fake->search[0], "search0", (int)query->scene, cancel, e))
        return false;
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < fake->clips && count < max; i++) {
            struct footage *f = &ret_hits[count];
            *f = (struct footage){.kind = FOOTAGE_CLIP, .provider = "clips"};
            snprintf(f->id, sizeof f->id, "clip%d", i);
            snprintf(f->author, sizeof f->author, "Author %d", i);
            count += is_used(query, f->id) == (pass == 1);
        }
    *ret_count = count;
    return true;
}

static bool fetch_clip(void *self, struct footage *hit, const struct cancel *cancel, struct err *e)
{
    (void)self;
    snprintf(hit->path, sizeof hit->path, "%s/%s.clip",
             fake->clips_in_cache ? fake->cache_folder : fake->folder, hit->id);
    if (!step(&fake->fetch, "fetch", -1, cancel, e))
        return false;
    return fs_exists(hit->path) || put(hit->path, hit->id, e);
}

static bool search_backdrop(void *self, const struct footage_query *query, struct footage *ret_hits,
                            size_t max, size_t *ret_count, const struct cancel *cancel,
                            struct err *e)
{
    (void)self, (void)max;
    if (!step(&fake->search[1], "search1", (int)query->scene, cancel, e))
        return false;
    ret_hits[0] = (struct footage){
        .kind = FOOTAGE_BACKDROP, .provider = "backdrop", .seed = query->seed + query->scene};
    snprintf(ret_hits[0].id, sizeof ret_hits[0].id, "look%zu", query->scene);
    *ret_count = 1;
    return true;
}

static bool fetch_nothing(void *self, struct footage *hit, const struct cancel *cancel,
                          struct err *e)
{
    (void)self, (void)hit, (void)cancel, (void)e;
    return true;
}

static const struct footage_source_ops sources[] = {
    {.name = "clips",    .search = search_clips,    .fetch = fetch_clip,    .destroy = nothing},
    {.name = "backdrop", .search = search_backdrop, .fetch = fetch_nothing, .destroy = nothing},
};

/* --- the steps of core/video --- */

static bool fake_probe(const char *path, const struct cancel *cancel, struct media_info *ret,
                       struct err *e)
{
    if (!step(&fake->probe, "probe", -1, cancel, e))
        return false;
    char *id AUTO(free_ptr) = NULL;
    size_t len;
    if (!fs_read(path, 1 << 20, &id, &len, e))
        return false;
    if (fake->broken[0] && strcmp(id, fake->broken) == 0)
        return err_set_arg(e, ERR_INPUT, "footage.broken", id, "fake");
    *ret = (struct media_info){.kind = FOOTAGE_CLIP,
                               .width = 1280,
                               .height = 720,
                               .fps = 25,
                               .duration_ms = fake->clip_ms,
                               .has_video = true};
    return true;
}

static bool fake_segment(const struct segment_spec *spec, const char *path, struct err *e)
{
    if (spec->footage->kind == FOOTAGE_CLIP && !fs_exists(spec->footage->path))
        return err_set_arg(e, ERR_INPUT, "footage.broken", spec->footage->id, "it is not there");
    if (fake->broken_late[0] && strcmp(spec->footage->id, fake->broken_late) == 0)
        return err_set_arg(e, ERR_INPUT, "footage.broken", spec->footage->id, "fake");
    for (int most = atomic_load(&fake->threads); spec->threads > most;)
        if (atomic_compare_exchange_weak(&fake->threads, &most, spec->threads))
            break;
    if (!step(&fake->segment, "segment", -1, spec->cancel, e))
        return false;
    if (spec->on_frame)
        spec->on_frame(spec->ctx, spec->frames / 2);
    char text[600];
    snprintf(text, sizeof text, "%dx%d %d frames of %s from %lld%s%s\n", spec->width, spec->height,
             spec->frames, spec->footage->id, (long long)spec->footage->in_ms,
             spec->second ? ", then " : "", spec->second ? spec->second->id : "");
    return put(path, text, e);
}

static bool fake_sound(const struct sound_spec *spec, const char *path, struct err *e)
{
    for (size_t i = 0; i < spec->voice_count; i++)
        if (!fs_exists(spec->voices[i].wav))
            return err_set(e, ERR_INTERNAL, "error.internal", "voice %zu is not there", i);
    return step(&fake->sound, "sound", -1, spec->cancel, e) && put(path, "sound\n", e);
}

static bool not_there(struct err *e, size_t part)
{
    char arg[24];
    snprintf(arg, sizeof arg, "%zu", part);
    return err_set_arg(e, ERR_CONFLICT, "make.render_failed", arg, "fake: it is not there");
}

static void lose(void)
{
    char line[2 * FAKE_FOLDER_MAX];
    snprintf(line, sizeof line, "find '%s' -type f -name '*%s*' -delete", fake->cache_folder,
             fake->lost);
    if (system(line) != 0) /* NOLINT(cert-env33-c): a fixed command */
        abort();
    fake->lost = NULL;
}

static bool fake_join(const struct join_spec *spec, const char *path, struct err *e)
{
    if (!step(&fake->join, "join", -1, spec->cancel, e))
        return false;
    if (fake->lost)
        lose();
    if (fake->odd_segment >= 0) {
        char arg[16];
        snprintf(arg, sizeof arg, "%d", fake->odd_segment);
        fake->odd_segment = -1;
        return err_set_arg(e, ERR_CONFLICT, "make.render_failed", arg, "fake: odd header");
    }
    struct strbuf film AUTO(strbuf_free) = STRBUF(1 << 20);
    for (size_t i = 0; i < spec->segment_count; i++) {
        char *text AUTO(free_ptr) = NULL;
        size_t len;
        if (!fs_read(spec->segments[i], 4096, &text, &len, e))
            return not_there(e, i);
        strbuf_add(&film, text, len);
    }
    strbuf_addf(&film, "title %s comment %s\n", spec->title ? spec->title : "-", spec->comment);
    while (film.len < (size_t)fake->film_bytes)
        strbuf_addc(&film, '.');
    if (!fs_exists(spec->sound))
        return not_there(e, spec->segment_count);
    return put(path, strbuf_text(&film), e);
}

/* As large as may be. */
static bool fake_fit(const struct fit_spec *spec, const char *path, int *ret_width, int *ret_height,
                     struct err *e)
{
    struct strbuf film AUTO(strbuf_free) = STRBUF(1 << 20);
    if (!step(&fake->fit, "fit", spec->frames, spec->cancel, e) || !fs_exists(spec->film))
        return false;
    while (film.len < (size_t)spec->limit)
        strbuf_addc(&film, 'f');
    *ret_width = 360;
    *ret_height = 640;
    return put(path, strbuf_text(&film), e);
}

static bool fake_check(const char *path, int width, int height, int frames,
                       const struct cancel *cancel, struct err *e)
{
    (void)width, (void)height;
    return step(&fake->check, "check", frames, cancel, e) && fs_exists(path);
}

static bool fake_poster(const char *path, int64_t at_ms, const char *jpeg_path,
                        const struct cancel *cancel, struct err *e)
{
    (void)at_ms;
    return fs_exists(path) && step(&fake->poster, "poster", -1, cancel, e) &&
           put(jpeg_path, "jpeg\n", e);
}

static const struct pipeline_video video = {
    .probe = fake_probe,
    .segment = fake_segment,
    .sound = fake_sound,
    .join = fake_join,
    .fit = fake_fit,
    .check = fake_check,
    .poster = fake_poster,
};

/* --- open and close --- */

struct fake_tools *fake_tools_open(size_t threads)
{
    struct fake_tools *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    struct err e;
    if (!f)
        abort();
    hash_setup();
    snprintf(f->folder, sizeof f->folder, "%s/nanotik-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(f->folder))
        abort();
    snprintf(f->cache_folder, sizeof f->cache_folder, "%s/cache", f->folder);
    if (!cache_open(f->cache_folder, 1 << 30, &f->box.cache, &e))
        abort();
    pthread_mutex_init(&f->lock, NULL);
    f->word_ms = 200;
    f->clips = 3;
    f->clip_ms = 60000;
    f->odd_segment = -1;
    f->speaks[0] = f->speaks[1] = true;
    f->box.render = pool_create("render", threads, 64);
    f->box.video = &video;
    f->box.seconds_max = 180;
    for (size_t i = 0; i < 2; i++) {
        f->box.writers[i] = (struct script_writer){&writers[i], NULL};
        f->box.engines[i] = (struct speech_engine){&engines[i], NULL};
        f->box.sources[i] = (struct footage_source){&sources[i], NULL};
    }
    f->box.writer_count = f->box.engine_count = f->box.source_count = 2;
    fake = f;
    return f;
}

void fake_tools_close(struct fake_tools *f)
{
    if (!f)
        return;
    pool_destroy(f->box.render);
    cache_close(f->box.cache);
    fs_remove(f->folder);
    pthread_mutex_destroy(&f->lock);
    fake = NULL;
    free(f);
}

int fake_files(const char *folder, const char *part)
{
    int count = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char path[1024];
        struct stat st;
        if (entry->d_name[0] == '.' && strlen(entry->d_name) <= 2)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            count += fake_files(path, part);
        else
            count += strstr(entry->d_name, part) != NULL;
    }
    if (dir)
        closedir(dir);
    return count;
}
