/*
 * bench_film - a whole film against the ffmpeg command line that makes the same.
 *
 * Eight scenes of clips (720p60, 1080p24, 1080x1920 at 25, 4K30) in 1080x1920, tier hd, captions
 * burnt in, voices, a bed ducked under them, loudness, AAC. Each way in a process of its own, in
 * turn, several rounds; medians.
 *   film       segments on a pool with as many threads as cores, sound, join: as the pipeline does
 *   ffmpeg     one command: a good graph (drop, crop, scale once), concat, ass, the same x264 settings
 *   x264       the ffmpeg program on the graph's raw frames: the limit
 *   changed    the film again after one scene was changed: its segment, sound, join; one row for
 *              each kind of clip
 * The ratios are what counts.  BENCH_FRAMES=60 (per scene; 225 is a film of a minute)
 * BENCH_ROUNDS=3
 */
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/pool.h"
#include "core/base/strbuf.h"
#include "core/video/video.h"
#include "tests/cost.h"

enum { WIDTH = 1080, HEIGHT = 1920, SCENES = 8, WORDS = 32 };

#define X264                                                                                  \
    "-c:v libx264 -preset veryfast -profile:v high -crf 22 -maxrate 14M -bufsize 28M -g 150 " \
    "-x264-params open-gop=0:scenecut=40:force-cfr=1:stitchable=1:vbv-init=0.5:aq-mode=3"

static char folder[200];
static int frames_per_scene, rounds;
static struct footage clips[SCENES];
static struct speech_word words[SCENES][WORDS];
static struct caption_page pages[SCENES][WORDS];
static struct caption_track tracks[SCENES];

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_film: %s %s\n", what, e ? e->detail : "");
    fs_remove(folder);
    exit(1);
}

/* --- what the film is made of --- */

static void make(const char *arguments)
{
    AUTO(free_ptr)
    char *line = str_printf("cd '%s' && ffmpeg -nostdin -v error -y %s", folder, arguments);
    if (system(line) != 0) /* NOLINT(cert-env33-c): a fixed command */
        die(arguments, NULL);
}

static void make_clips(void)
{
    static const struct {
        const char *size, *rate;
    } kinds[] = {
        {"1280x720",  "60"},
        {"1920x1080", "24"},
        {"1080x1920", "25"},
        {"3840x2160", "30"},
    };
    double seconds = frames_per_scene / 30.0 + 1;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        /* Moving and a little noisy, as camera clips are. */
        AUTO(free_ptr)
        char *line = str_printf(
            "-f lavfi -i mandelbrot=s=640x360:r=%s:start_scale=%f:end_scale=0.3:"
            "end_pts=%d -t %.2f -vf scale=%s,noise=alls=4:allf=t -c:v libx264 "
            "-preset ultrafast -crf 20 -pix_fmt yuv420p %zu.mp4",
            kinds[i].rate, 1.0 + (double)i / 5, 60 * frames_per_scene, seconds, kinds[i].size, i);
        make(line);
    }
    for (size_t i = 0; i < SCENES; i++) {
        clips[i] = (struct footage){.kind = FOOTAGE_CLIP, .in_ms = i < 4 ? 0 : 400};
        snprintf(clips[i].path, sizeof(clips[i].path), "%s/%zu.mp4", folder, i % 4);
        AUTO(free_ptr)
        char *voice = str_printf("-f lavfi -i 'sine=f=%zu:r=22050,tremolo=f=4:d=0.9' -t %.3f -ac 1 "
                                 "v%zu.wav",
                                 150 + 10 * i, frames_per_scene / 30.0, i);
        make(voice);
    }
}

/* Four words a second on pages of four, as track and as an ASS file for the whole film. */
static void make_captions(void)
{
    static char text[] = "the moon pulls\nthe sea";
    static const uint32_t at[4] = {0, 4, 9, 15}, len[4] = {3, 4, 5, 7};
    AUTO(strbuf_free) struct strbuf ass = STRBUF(1 << 20);
    int length_ms = frames_per_scene * 1000 / 30, page_ms = 1000;
    strbuf_addf(&ass,
                "[Script Info]\nPlayResX: %d\nPlayResY: %d\n[V4+ Styles]\nFormat: Name, Fontname, "
                "Fontsize, PrimaryColour, OutlineColour, Outline, Alignment, MarginV\n"
                "Style: s,Noto Sans,84,&H00FFFFFF,&H00000000,6,2,500\n[Events]\n"
                "Format: Start, End, Style, Text\n",
                WIDTH, HEIGHT);
    for (int i = 0; i < SCENES; i++) {
        size_t count = 0;
        for (int from = 0; from + page_ms <= length_ms && count < WORDS / 4; from += page_ms) {
            struct caption_page *p = &pages[i][count];
            *p = (struct caption_page){.start_ms = from,
                                       .end_ms = from + page_ms,
                                       .text = text,
                                       .words = &words[i][4 * count],
                                       .word_count = 4};
            for (int k = 0; k < 4; k++) {
                words[i][4 * count + (size_t)k] = (struct speech_word){
                    at[k], len[k], from + k * page_ms / 4, from + (k + 1) * page_ms / 4};
                int a = i * length_ms + from + k * page_ms / 4, b = a + page_ms / 4;
                strbuf_addf(&ass,
                            "Dialogue: 0:%02d:%02d.%02d,0:%02d:%02d.%02d,s,%sthe moon pulls\\N"
                            "%sthe sea\n",
                            a / 60000, a / 1000 % 60, a / 10 % 100, b / 60000, b / 1000 % 60,
                            b / 10 % 100, k < 3 ? "{\\c&H00FFFF&}" : "",
                            k < 3 ? "{\\c&HFFFFFF&}" : "");
            }
            count++;
        }
        tracks[i] = (struct caption_track){.pages = pages[i], .page_count = count, .lang = "en"};
    }
    AUTO(free_ptr) char *path = str_printf("%s/film.ass", folder);
    struct err e = {0};
    if (!fs_write(path, strbuf_text(&ass), ass.len, &e))
        die("captions", &e);
}

/* --- our way --- */

struct task {
    struct pool_task task; /* first */
    int scene;             /* SCENES: the sound */
    atomic_int *left;      /* frames of all scenes that are not encoded */
    int done;              /* of this one's */
    char path[300];
};

static void on_frame(void *ctx, int done)
{
    struct task *t = ctx;
    atomic_fetch_sub(t->left, done - t->done);
    t->done = done;
}

static void run_task(struct pool_task *pool_task)
{
    struct task *t = (struct task *)pool_task;
    struct err e = {0};
    if (t->scene < SCENES) {
        int cores = (int)sysconf(_SC_NPROCESSORS_ONLN), left = atomic_load(t->left);
        struct segment_spec spec = {.width = WIDTH,
                                    .height = HEIGHT,
                                    .tier = TIER_HD,
                                    .frames = frames_per_scene,
                                    .footage = &clips[t->scene],
                                    .captions = &tracks[t->scene],
                                    .style = "clean",
                                    /* As the pipeline does. */
                                    .threads = MAX((cores * frames_per_scene + left / 2) / left, 1),
                                    .on_frame = on_frame,
                                    .ctx = t};
        if (!segment_render(&spec, t->path, &e))
            die("segment", &e);
        return;
    }
    struct sound_voice voices[SCENES];
    char wavs[SCENES][300];
    for (int i = 0; i < SCENES; i++) {
        snprintf(wavs[i], sizeof(wavs[i]), "%s/v%d.wav", folder, i);
        int ms = frames_per_scene * 1000 / 30;
        voices[i] = (struct sound_voice){wavs[i], (int64_t)i * ms, ms};
    }
    struct sound_spec spec = {.voices = voices,
                              .voice_count = SCENES,
                              .frames = SCENES * frames_per_scene,
                              .mood = "calm",
                              .seed = 7};
    if (!sound_render(&spec, t->path, &e))
        die("sound", &e);
}

/* These scenes and the sound; the other scenes lie there already. */
static void make_film(int first, int count)
{
    struct task tasks[SCENES + 1];
    const char *segments[SCENES];
    struct err e = {0};
    struct pool *pool = pool_create("render", 0, SCENES + 1);
    atomic_int left;
    atomic_init(&left, count * frames_per_scene);
    for (int i = 0; i <= SCENES; i++) {
        tasks[i] = (struct task){
            .task = {.run = run_task, .weight = i < SCENES ? 1 : 2}, /* as the pipeline does */
            .scene = i,
            .left = &left
        };
        snprintf(tasks[i].path, sizeof(tasks[i].path), "%s/part%d.mp4", folder, i);
        if (i < SCENES)
            segments[i] = tasks[i].path;
        if (i == SCENES || (i >= first && i < first + count))
            pool_submit(pool, &tasks[i].task);
    }
    pool_destroy(pool); /* runs what is queued */
    struct join_spec join = {.segments = segments,
                             .segment_count = SCENES,
                             .sound = tasks[SCENES].path,
                             .title = "Tides",
                             .comment = "bench",
                             .lang = "en"};
    AUTO(free_ptr) char *film = str_printf("%s/film.mp4", folder);
    if (!video_join(&join, film, &e) ||
        !video_check(film, WIDTH, HEIGHT, SCENES * frames_per_scene, NULL, &e))
        die("join", &e);
}

static void way_film(int none)
{
    (void)none;
    make_film(0, SCENES);
}

static void way_changed(int scene)
{
    make_film(scene, 1);
}

/* --- the command line --- */

static void put_graph(struct strbuf *out)
{
    for (int i = 0; i < SCENES; i++)
        strbuf_addf(out, " -ss %.3f -t %.3f -i %d.mp4", (double)clips[i].in_ms / 1000,
                    frames_per_scene / 30.0 + 0.1, i % 4);
    for (int i = 0; i < SCENES; i++)
        strbuf_addf(out, " -i v%d.wav", i);
    strbuf_adds(out, " -filter_complex '");
    for (int i = 0; i < SCENES; i++)
        strbuf_addf(out,
                    "[%d:v]fps=30,trim=end_frame=%d,setpts=PTS-STARTPTS,"
                    "crop=min(iw\\,ih*9/16):ih,scale=%d:%d:flags=bicubic,setsar=1,"
                    "format=yuv420p[v%d];",
                    i, frames_per_scene, WIDTH, HEIGHT, i);
    for (int i = 0; i < SCENES; i++)
        strbuf_addf(out, "[v%d]", i);
    strbuf_addf(out, "concat=n=%d:v=1:a=0,ass=film.ass[v]", SCENES);
}

static void put_sound(struct strbuf *out)
{
    strbuf_adds(out, ";");
    for (int i = 0; i < SCENES; i++)
        strbuf_addf(out, "[%d:a]", SCENES + i);
    strbuf_addf(out,
                "concat=n=%d:v=0:a=1,aresample=48000,asplit[a][k];"
                "sine=f=220:r=48000,volume=0.2[b];[b][k]sidechaincompress[d];"
                "[a][d]amix=duration=first,loudnorm,aresample=48000[s]",
                SCENES);
}

static void run_ffmpeg(const char *arguments)
{
    AUTO(free_ptr)
    char *line = str_printf("cd '%s' && exec ffmpeg -nostdin -v error -y %s", folder, arguments);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

static void way_ffmpeg(int none)
{
    (void)none;
    AUTO(strbuf_free) struct strbuf line = STRBUF(20000);
    put_graph(&line);
    put_sound(&line);
    strbuf_addf(&line,
                "' -map '[v]' -map '[s]' -frames:v %d %s -c:a aac -b:a 128k -movflags "
                "+faststart cli.mp4",
                SCENES * frames_per_scene, X264);
    run_ffmpeg(strbuf_text(&line));
}

static void make_raw(void)
{
    AUTO(strbuf_free) struct strbuf line = STRBUF(20000);
    put_graph(&line);
    strbuf_addf(&line, "' -map '[v]' -frames:v %d -f rawvideo film.yuv", SCENES * frames_per_scene);
    make(strbuf_text(&line));
}

static void way_x264(int none)
{
    (void)none;
    AUTO(free_ptr)
    char *line = str_printf("-f rawvideo -pix_fmt yuv420p -s %dx%d -r 30 -i film.yuv %s bare.mp4",
                            WIDTH, HEIGHT, X264);
    run_ffmpeg(line);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*way)(int);
        int scene;
    } ways[] = {
        {"film",               way_film,    0},
        {"ffmpeg",             way_ffmpeg,  0},
        {"x264",               way_x264,    0},
        {"changed: 720p60",    way_changed, 4},
        {"changed: 1080p24",   way_changed, 5},
        {"changed: 1080x1920", way_changed, 6},
        {"changed: 4K30",      way_changed, 7},
    };
    enum { CHANGED = 3 };
    struct cost costs[COUNT(ways)][COST_ROUNDS_MAX], m[COUNT(ways)];
    const char *tmp = getenv("TMPDIR");
    frames_per_scene = cost_setting("BENCH_FRAMES", 60, 240);
    rounds = cost_setting("BENCH_ROUNDS", 3, COST_ROUNDS_MAX);
    log_init(LOG_WARN, false);
    hash_setup();
    video_setup();
    snprintf(folder, sizeof(folder), "%s/nanotik-bench-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(folder))
        die("temporary folder", NULL);
    make_clips();
    make_captions();
    make_raw();
    for (int r = 0; r < rounds; r++)
        for (size_t w = 0; w < COUNT(ways); w++)
            if (!cost_measure(ways[w].way, ways[w].scene, &costs[w][r]))
                die(ways[w].name, NULL);
    printf("film of %d scenes of %d frames, %dx%d, %d rounds\n", SCENES, frames_per_scene, WIDTH,
           HEIGHT, rounds);
    const double kinds = (int)COUNT(ways) - CHANGED;
    double changed = 0;
    printf("%-18s %7s %7s %7s\n", "", "wall s", "CPU s", "MiB");
    for (size_t w = 0; w < COUNT(ways); w++) {
        m[w] = cost_median(costs[w], rounds);
        printf("%-18s %7.2f %7.2f %7.0f\n", ways[w].name, m[w].wall, m[w].cpu, m[w].mib);
        if (w >= CHANGED)
            changed += m[w].wall / kinds;
    }
    printf("film / ffmpeg: wall %.2f (goal 0.92), CPU %.2f (goal 0.97), memory %.2f (goal 0.45)\n",
           m[0].wall / m[1].wall, m[0].cpu / m[1].cpu, m[0].mib / m[1].mib);
    printf("film / x264:   wall %.2f (goal 1.35); ffmpeg / x264: wall %.2f\n",
           m[0].wall / m[2].wall, m[1].wall / m[2].wall);
    printf("changed / film: wall %.2f, mean of the kinds (goal 0.16)\n", changed / m[0].wall);
    fs_remove(folder);
    return 0;
}
