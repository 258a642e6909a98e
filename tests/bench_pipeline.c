/*
 * bench_pipeline - how much of the waiting for others hides behind the encoder.
 *
 * A film of eight narrated scenes, 720x1280, really encoded, with stand-ins of known slowness for
 * everything outside: the script takes 3 s, a voice 0.5 s a scene, a search 0.3 s, clips come at
 * 20 MB/s over one link. Each stage is also run alone in the same run: the same pipeline with all
 * other slowness off (and, for those outside, nothing encoded). Fresh caches each time; medians.
 * On a machine that others use too, stages of different minutes cannot be compared; so the film is
 * also held against its own encoding: the time its render threads were busy, shared out evenly, and
 * the joining after it.
 *   BENCH_SECONDS=60 (of the film)  BENCH_ROUNDS=3
 * Time runs from the pipeline's start; what a chat adds before it is bench_telegram's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapters/footage/backdrop.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/pipeline.h"
#include "tests/cost.h"

enum { SCENES = 8, CHUNK = 256 << 10, LINK = 20 * 1000 * 1000, WORD_MS = 380 };

/* What is slow in a run. */
enum { SLOW_WRITE = 1, SLOW_SPEAK = 2, SLOW_FIND = 4, SLOW_VIDEO = 8, SLOW_ALL = 15 };

static struct {
    char folder[64];
    int words; /* of a scene */
    int slow;
    char *clips[SCENES]; /* their bytes; no two look alike */
    size_t clip_len[SCENES];
    int64_t begun_ms;
    atomic_llong first_frame_ms;
    atomic_llong busy_ms, ending_ms; /* of render threads; of the caller after them */
    int64_t encoding_ms;             /* of the last run */
    pthread_mutex_t lock;
    int64_t link_free_us; /* with lock held: when the link has sent all that was asked */
    void (*on_frame)(void *ctx, int done);
} b = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_pipeline: %s %s\n", what, e ? e->detail : "");
    fs_remove(b.folder);
    exit(1);
}

static bool wait_if(int slow, int ms, const struct cancel *cancel, struct err *e)
{
    return !(b.slow & slow) || !cancel_wait(cancel, ms) ||
           err_set(e, ERR_CANCELLED, "make.cancelled", "stopped");
}

static void nothing(void *self)
{
    (void)self;
}

/* --- script and voice --- */

static bool write_script(void *self, const struct script_request *request, struct script *ret,
                         struct err *e)
{
    (void)self;
    static const char *const words[] = {"the", "tide", "rises", "over", "quiet", "rocks", "while"};
    if (!wait_if(SLOW_WRITE, 3000, request->cancel, e))
        return false;
    *ret = (struct script){.scene_count = SCENES};
    ret->scenes = arena_alloc(&ret->arena, SCENES * sizeof(*ret->scenes));
    for (int i = 0; i < SCENES; i++) {
        AUTO(strbuf_free) struct strbuf text = STRBUF(2000);
        strbuf_addf(&text, "Scene %d:", i);
        for (int n = 2; n < b.words; n++)
            strbuf_addf(&text, " %s", words[(n + i) % (int)COUNT(words)]);
        strbuf_addc(&text, '.');
        ret->scenes[i].narration = arena_dup(&ret->arena, strbuf_text(&text));
        const char **terms = arena_alloc(&ret->arena, sizeof(*terms));
        terms[0] = arena_printf(&ret->arena, "term %d", i);
        ret->scenes[i].terms = terms;
        ret->scenes[i].term_count = 1;
    }
    ret->title = arena_dup(&ret->arena, "Tides");
    ret->mood = arena_dup(&ret->arena, "calm");
    return true;
}

static bool speak(void *self, const struct speech_request *request, struct speech_result *ret,
                  struct err *e)
{
    (void)self;
    AUTO(free_ptr) char *wav = str_printf("%s/voice.wav", b.folder);
    AUTO(free_ptr) char *bytes = NULL;
    size_t len, size = strlen(request->text), count = 0;
    struct speech_word *words = calloc(size + 1, sizeof(*words));
    if (!words || !wait_if(SLOW_SPEAK, 500, request->cancel, e) ||
        !fs_read(wav, 64 << 20, &bytes, &len, e) || !fs_write(request->wav_path, bytes, len, e)) {
        free(words);
        return false;
    }
    for (size_t at = 0; at < size; count++) {
        size_t n = strcspn(request->text + at, " ");
        int start = (int)count * WORD_MS;
        words[count] = (struct speech_word){at, n, start, start + WORD_MS};
        at += n + strspn(request->text + at + n, " ");
    }
    *ret = (struct speech_result){(int)count * WORD_MS, words, count};
    return true;
}

static const struct speech_voice *list_voices(void *self, size_t *ret_count)
{
    static const struct speech_voice voice = {.name = "bench", .lang = "en"};
    (void)self;
    *ret_count = 1;
    return &voice;
}

static int rate(void *self, const char *lang, const char *voice)
{
    (void)self, (void)lang, (void)voice;
    return 60000 / WORD_MS;
}

/* --- clips --- */

static bool prepare(void *self, const struct footage_query *q, bool *ret_any,
                    const struct cancel *cancel, struct err *e)
{
    (void)self, (void)q;
    *ret_any = true;
    return wait_if(SLOW_FIND, 300, cancel, e);
}

static bool search(void *self, const struct footage_query *q, struct footage *hits, size_t max,
                   size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    (void)self, (void)cancel, (void)e;
    *ret_count = MIN(max, (size_t)2);
    for (size_t i = 0; i < *ret_count; i++) {
        hits[i] = (struct footage){.kind = FOOTAGE_CLIP, .provider = "bench", .author = "Ada"};
        snprintf(hits[i].id, sizeof(hits[i].id), "%zu-%zu", q->scene, i);
    }
    return true;
}

/* All downloads share the link. */
static void send_bytes(size_t bytes)
{
    pthread_mutex_lock(&b.lock);
    int64_t now = clock_mono_ms() * 1000;
    b.link_free_us = MAX(b.link_free_us, now) + (int64_t)bytes * 1000000 / LINK;
    int64_t until = b.link_free_us;
    pthread_mutex_unlock(&b.lock);
    if (until > now)
        usleep((useconds_t)(until - now));
}

static bool fetch(void *self, struct footage *hit, const struct cancel *cancel, struct err *e)
{
    (void)self;
    size_t n = (size_t)(hit->id[0] - '0');
    snprintf(hit->path, sizeof(hit->path), "%s/clips/%s.mp4", b.folder, hit->id);
    for (size_t at = 0; b.slow & SLOW_FIND && at < b.clip_len[n] && !cancel_fired(cancel);
         at += CHUNK)
        send_bytes(MIN((size_t)CHUNK, b.clip_len[n] - at));
    return fs_exists(hit->path) || fs_write(hit->path, b.clips[n], b.clip_len[n], e);
}

/* --- video --- */

static void on_frame(void *ctx, int done)
{
    long long none = 0;
    atomic_compare_exchange_strong(&b.first_frame_ms, &none, clock_mono_ms() - b.begun_ms);
    if (b.on_frame)
        b.on_frame(ctx, done);
}

static bool segment(const struct segment_spec *spec, const char *path, struct err *e)
{
    struct segment_spec watched = *spec;
    b.on_frame = spec->on_frame;
    watched.on_frame = on_frame;
    int64_t begun = clock_mono_ms();
    bool ok = segment_render(&watched, path, e);
    atomic_fetch_add(&b.busy_ms, clock_mono_ms() - begun);
    return ok;
}

static bool sound(const struct sound_spec *spec, const char *path, struct err *e)
{
    int64_t begun = clock_mono_ms();
    bool ok = sound_render(spec, path, e);
    atomic_fetch_add(&b.busy_ms, clock_mono_ms() - begun);
    return ok;
}

static bool join(const struct join_spec *spec, const char *path, struct err *e)
{
    int64_t begun = clock_mono_ms();
    bool ok = video_join(spec, path, e);
    atomic_fetch_add(&b.ending_ms, clock_mono_ms() - begun);
    return ok;
}

static bool check(const char *path, int width, int height, int frames, const struct cancel *cancel,
                  struct err *e)
{
    int64_t begun = clock_mono_ms();
    bool ok = video_check(path, width, height, frames, cancel, e);
    atomic_fetch_add(&b.ending_ms, clock_mono_ms() - begun);
    return ok;
}

static bool no_segment(const struct segment_spec *spec, const char *path, struct err *e)
{
    (void)spec;
    return fs_write(path, "-", 1, e);
}
static bool no_sound(const struct sound_spec *spec, const char *path, struct err *e)
{
    (void)spec;
    return fs_write(path, "-", 1, e);
}
static bool no_join(const struct join_spec *spec, const char *path, struct err *e)
{
    (void)spec;
    return fs_write(path, "-", 1, e);
}
static bool no_check(const char *path, int width, int height, int frames,
                     const struct cancel *cancel, struct err *e)
{
    (void)path, (void)width, (void)height, (void)frames, (void)cancel, (void)e;
    return true;
}
static bool no_poster(const char *path, int64_t at_ms, const char *jpeg_path,
                      const struct cancel *cancel, struct err *e)
{
    (void)path, (void)at_ms, (void)cancel;
    return fs_write(jpeg_path, "-", 1, e);
}

/* --- runs --- */

static const struct script_writer_ops writer_ops = {
    .name = "bench", .write = write_script, .destroy = nothing};
static const struct speech_engine_ops engine_ops = {
    .name = "bench", .voices = list_voices, .speak = speak, .rate = rate, .destroy = nothing};
static const struct footage_source_ops source_ops = {
    .name = "bench", .search = search, .prepare = prepare, .fetch = fetch, .destroy = nothing};

/* Wall time of a film with this slowness, from nothing. */
static int64_t run(int slow)
{
    struct err e = {0};
    struct pipeline_video video = pipeline_video;
    AUTO(free_ptr) char *cache = str_printf("%s/cache", b.folder);
    AUTO(free_ptr) char *clips = str_printf("%s/clips", b.folder);
    AUTO(free_ptr) char *out = str_printf("%s/film.mp4", b.folder);
    struct toolbox box = {.writers = {{&writer_ops, NULL}},
                          .writer_count = 1,
                          .engines = {{&engine_ops, NULL}},
                          .engine_count = 1,
                          .sources = {{&source_ops, NULL}},
                          .source_count = 2,
                          .video = &video};
    AUTO(storyboard_free)
    struct storyboard story = {
        .settings = {.lang = "en", .seed = 7, .tier = TIER_BASIC}
    };
    struct pipeline_run r = {.tools = &box, .topic = "Tides", .story = &story, .out_path = out};
    struct pipeline_result result;
    fs_remove(cache);
    fs_remove(clips);
    video.segment = segment;
    video.sound = sound;
    video.join = join;
    video.check = check;
    if (!(slow & SLOW_VIDEO)) {
        video.segment = no_segment;
        video.sound = no_sound;
        video.join = no_join;
        video.check = no_check;
        video.poster = no_poster;
    }
    if (!backdrop_source_create(&box.sources[1]) || !fs_mkdirs(clips, 0700, &e) ||
        !cache_open(cache, 1 << 30, &box.cache, &e))
        die("set-up", &e);
    box.render = pool_create("render", 0, 64);
    b.slow = slow;
    atomic_store(&b.first_frame_ms, 0);
    atomic_store(&b.busy_ms, 0);
    atomic_store(&b.ending_ms, 0);
    b.begun_ms = clock_mono_ms();
    if (!pipeline_run(&r, &result, &e))
        die(e.user_key, &e);
    int64_t ms = clock_mono_ms() - b.begun_ms;
    b.encoding_ms =
        atomic_load(&b.busy_ms) / (int64_t)pool_threads(box.render) + atomic_load(&b.ending_ms);
    pool_destroy(box.render);
    cache_close(box.cache);
    return ms;
}

static void make(const char *arguments)
{
    AUTO(free_ptr)
    char *line = str_printf("cd '%s' && ffmpeg -nostdin -v error -y %s", b.folder, arguments);
    if (system(line) != 0) /* NOLINT(cert-env33-c): a fixed command */
        die(arguments, NULL);
}

static void make_clips(void)
{
    for (int i = 0; i < SCENES; i++) {
        struct err e = {0};
        AUTO(free_ptr)
        char *line = str_printf("-f lavfi -i mandelbrot=s=360x640:r=30:start_scale=%f:end_scale=%f:"
                                "end_pts=300:start_x=-0.743643887%d:start_y=-0.131825904 -t 9 -vf "
                                "scale=720:1280,rotate=%d*PI/4,noise=alls=8:allf=t -c:v libx264 "
                                "-preset veryfast -b:v 5M -minrate 5M -maxrate 5M -bufsize 2M "
                                "-pix_fmt yuv420p clip%d.mp4",
                                2.0 / (i + 1), 0.5 / (i + 1), i, i, i);
        AUTO(free_ptr) char *path = str_printf("%s/clip%d.mp4", b.folder, i);
        make(line);
        if (!fs_read(path, 64 << 20, &b.clips[i], &b.clip_len[i], &e))
            die("clip", &e);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        int slow;
    } ways[] = {
        {"script alone",                   SLOW_WRITE},
        {"voices alone",                   SLOW_SPEAK},
        {"searches and downloads alone",   SLOW_FIND },
        {"encoding, sound, joining alone", SLOW_VIDEO},
        {"the film",                       SLOW_ALL  },
    };
    enum { WAYS = COUNT(ways) };
    int seconds = cost_setting("BENCH_SECONDS", 60, 600),
        rounds = cost_setting("BENCH_ROUNDS", 3, COST_ROUNDS_MAX);
    double times[WAYS][COST_ROUNDS_MAX], frames[COST_ROUNDS_MAX], encoding[COST_ROUNDS_MAX];
    log_init(LOG_WARN, false);
    hash_setup();
    video_setup();
    snprintf(b.folder, sizeof(b.folder), "/tmp/bench-pipeline-XXXXXX");
    if (!mkdtemp(b.folder))
        die("no folder", NULL);
    b.words = MAX(seconds * 1000 / SCENES / WORD_MS, 3);
    AUTO(free_ptr)
    char *voice = str_printf("-f lavfi -i sine=f=180:r=22050 -t %f -ac 1 voice.wav",
                             b.words * WORD_MS / 1000.0);
    make(voice);
    make_clips();
    for (int round = 0; round < rounds; round++)
        for (int way = 0; way < WAYS; way++) {
            times[way][round] = (double)run(ways[way].slow) / 1000;
            frames[round] =
                (double)atomic_load(&b.first_frame_ms) / 1000; /* of the last way: the film */
            encoding[round] = (double)b.encoding_ms / 1000;
        }
    printf("film of %d s, %d scenes, %d clips of %.1f MB\n", seconds, SCENES, SCENES,
           (double)b.clip_len[0] / 1e6);
    double m[WAYS], slowest_s = 0;
    for (int way = 0; way < WAYS; way++) {
        m[way] = cost_middle(times[way], rounds);
        printf("%-32s %7.2f s\n", ways[way].name, m[way]);
        if (way + 1 < WAYS)
            slowest_s = MAX(slowest_s, m[way]);
    }
    double ratio = m[WAYS - 1] / slowest_s;
    printf("%-32s %7.2f s\n", "its first encoded frame after", cost_middle(frames, rounds));
    printf("%-32s %7.2f s\n", "its own encoding", cost_middle(encoding, rounds));
    printf("film against its own encoding    %.2f\n", m[WAYS - 1] / cost_middle(encoding, rounds));
    printf("film against its slowest stage   %.2f (goal 1.25)\n", ratio);
    for (size_t i = 0; i < SCENES; i++)
        free(b.clips[i]);
    fs_remove(b.folder);
    return 0;
}
