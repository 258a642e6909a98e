/*
 * bench_video - what rendering costs beside the encoder.
 *
 * Eight mixed scenes (three clips, two photos, three painted) in 1080x1920, tier hd, one after the
 * other on one thread, several rounds in turn, each run in a process of its own:
 *   whole      segment_render with captions
 *   x264       the same finished frames, read from a raw file, through the same encoder
 *   clips      the three clip scenes by segment_render, without captions
 *   ffmpeg     the same three by the ffmpeg program: crop, scale, fps, same x264 settings
 * At last the rendered scenes are joined and fitted into less and less of their size: the file against
 * the limit, and what it costs against rendering.
 * Medians of the sums over scenes; memory is that of the largest scene. The ratios are what counts,
 * seconds belong to the machine.
 *   BENCH_FRAMES=45 (per scene)  BENCH_ROUNDS=3
 */
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/video/caption_draw.h"
#include "core/video/encoder.h"
#include "core/video/fit.h"
#include "core/video/source.h"
#include "core/video/video.h"
#include "tests/cost.h"

enum { WIDTH = 1080, HEIGHT = 1920, SCENES = 8, CLIPS = 3 };

static char folder[200];
static int frames_per_scene, rounds;
static struct footage scenes[SCENES];

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_video: %s %s\n", what, e ? e->detail : "");
    fs_remove(folder);
    exit(1);
}

static char *in_folder(const char *name)
{
    return str_printf("%s/%s", folder, name);
}

static void make(const char *arguments)
{
    AUTO(free_ptr)
    char *line =
        str_printf("cd '%s' && ffmpeg -nostdin -v error -y -threads 2 %s", folder, arguments);
    if (system(line) != 0) /* NOLINT(cert-env33-c): a fixed command */
        die(arguments, NULL);
}

static void make_sources(void)
{
    /* Moving, detailed and a little noisy, as camera clips are. */
    make(
        "-f lavfi -i "
        "mandelbrot=s=1920x1080:r=30:start_scale=1.2:end_scale=0.4:end_pts=200,noise=alls=4:allf=t "
        "-t 3 -c:v libx264 -preset veryfast -pix_fmt yuv420p a.mp4");
    make("-f lavfi -i testsrc2=s=1280x720:r=60,noise=alls=4:allf=t -t 3 -c:v libx264 -preset "
         "veryfast "
         "-pix_fmt yuv420p b.mp4");
    make("-f lavfi -i mandelbrot=s=1080x1920:r=25:start_scale=0.9:end_scale=0.3:end_pts=200 -t 3 "
         "-c:v libx264 -preset veryfast -pix_fmt yuv420p c.mp4");
    make("-f lavfi -i mandelbrot=s=3000x2000 -frames:v 1 -q:v 3 d.jpg");
    make("-f lavfi -i mandelbrot=s=1600x2400:start_scale=0.5 -frames:v 1 -q:v 3 e.jpg");
    static const char *const names[] = {"a.mp4", "b.mp4", "c.mp4", "d.jpg", "e.jpg"};
    for (size_t i = 0; i < SCENES; i++) {
        struct footage *f = &scenes[i];
        f->seed = 5;
        f->kind = i < 3 ? FOOTAGE_CLIP : i < 5 ? FOOTAGE_PHOTO : FOOTAGE_BACKDROP;
        if (i < 5)
            snprintf(f->path, sizeof(f->path), "%s/%s", folder, names[i]);
        else
            snprintf(f->look, sizeof(f->look), "auto:%zu", i);
    }
}

/* A page of four words every 1.2 s. */
static struct speech_word words[32];
static struct caption_page pages[8];
static struct caption_track track = {.pages = pages, .page_count = 8, .lang = "en"};

static void make_captions(void)
{
    static char text[] = "the moon pulls\nthe sea";
    static const struct {
        uint32_t start, end;
    } places[4] = {
        {0,  3 },
        {4,  8 },
        {9,  14},
        {15, 22}
    };
    for (int p = 0; p < 8; p++) {
        pages[p] = (struct caption_page){.start_ms = p * 1200,
                                         .end_ms = (p + 1) * 1200,
                                         .text = text,
                                         .words = &words[4 * p],
                                         .word_count = 4};
        for (int k = 0; k < 4; k++) {
            struct speech_word *w = &words[4 * p + k];
            w->start_ms = p * 1200 + k * 300;
            w->end_ms = w->start_ms + 300;
            w->at = places[k].start;
            w->len = places[k].end - places[k].start;
        }
    }
}

static struct segment_spec spec_of(int scene, bool captions)
{
    return (struct segment_spec){.width = WIDTH,
                                 .height = HEIGHT,
                                 .tier = TIER_HD,
                                 .frames = frames_per_scene,
                                 .footage = &scenes[scene],
                                 .captions = captions ? &track : NULL,
                                 .style = "clean",
                                 .threads = 1};
}

/* --- the four ways, each in a process of its own --- */

static void render(int scene, bool captions)
{
    struct segment_spec spec = spec_of(scene, captions);
    struct err e = {0};
    AUTO(free_ptr) char *path = in_folder("segment.mp4");
    if (!segment_render(&spec, path, &e))
        die("segment", &e);
}

static void way_whole(int scene)
{
    render(scene, true);
}

static void way_clips(int scene)
{
    render(scene, false);
}

static size_t plane_bytes(const AVFrame *f, int plane)
{
    return plane ? (size_t)f->width * (size_t)f->height / 4 : (size_t)f->width * (size_t)f->height;
}

static FILE *raw_open(const char *mode)
{
    AUTO(free_ptr) char *path = in_folder("raw.yuv");
    FILE *f = fopen(path, mode);
    if (!f)
        die("raw file", NULL);
    return f;
}

/* Rows of WIDTH and WIDTH / 2 samples have no gaps at this size (checked). */
static void raw_copy(FILE *f, AVFrame *frame, bool writing)
{
    for (int p = 0; p < 3; p++) {
        size_t n = plane_bytes(frame, p);
        if (frame->linesize[p] != (p ? WIDTH / 2 : WIDTH))
            die("frame has gaps", NULL);
        if ((writing ? fwrite(frame->data[p], 1, n, f) : fread(frame->data[p], 1, n, f)) != n)
            die("raw file", NULL);
    }
}

/* Without gaps between rows, so that a plane is one read. */
static AVFrame *dense_frame(void)
{
    AVFrame *f = av_frame_alloc();
    if (!f)
        die("memory", NULL);
    f->format = AV_PIX_FMT_YUV420P;
    f->width = WIDTH;
    f->height = HEIGHT;
    f->color_range = AVCOL_RANGE_MPEG;
    f->colorspace = AVCOL_SPC_BT709;
    if (av_frame_get_buffer(f, 1) < 0)
        die("memory", NULL);
    f->linesize[0] = WIDTH;
    f->linesize[1] = f->linesize[2] = WIDTH / 2;
    return f;
}

static void dump_scene(int scene)
{
    struct segment_spec spec = spec_of(scene, true);
    struct source *source = NULL;
    struct caption_draw *captions = NULL;
    struct err e = {0};
    AVFrame *frame = dense_frame();
    FILE *f = raw_open("we");
    if (!source_create(&spec, &source, &e) ||
        !caption_draw_create(WIDTH, HEIGHT, spec.style, &track, NULL, &captions, &e))
        die("dump", &e);
    for (int n = 0; n < frames_per_scene; n++) {
        if (!source_draw(source, frame, n, &e) ||
            !caption_draw_frame(captions, frame, n * 1000LL / STORY_FPS, &e))
            die("dump", &e);
        raw_copy(f, frame, true);
    }
    source_destroy(source);
    caption_draw_destroy(captions);
    av_frame_free(&frame);
    if (fclose(f) != 0)
        die("raw file", NULL);
}

static void way_x264(int scene)
{
    struct encoder_spec how = {.width = WIDTH,
                               .height = HEIGHT,
                               .tier = TIER_HD,
                               .threads = 1,
                               .painted = scenes[scene].kind == FOOTAGE_BACKDROP};
    struct encoder *enc = NULL;
    struct err e = {0};
    AUTO(free_ptr) char *path = in_folder("bare.mp4");
    AVFrame *frame = dense_frame();
    FILE *f = raw_open("re");
    if (!encoder_create(&how, path, &enc, &e))
        die("encoder", &e);
    for (int n = 0; n < frames_per_scene; n++) {
        raw_copy(f, frame, false);
        if (!encoder_push(enc, frame, &e))
            die("encoder", &e);
    }
    if (!encoder_finish(enc, &e))
        die("encoder", &e);
    encoder_destroy(enc);
    av_frame_free(&frame);
    fclose(f);
}

/* exec, so that the program's own resource use is what is measured. */
static void way_ffmpeg(int scene)
{
    AUTO(free_ptr)
    char *line = str_printf(
        "cd '%s' && exec ffmpeg -nostdin -v error -y -threads 1 -i %s -filter_threads 1 -vf "
        "'fps=30,crop=min(iw\\,ih*9/16):ih,scale=%d:%d:flags=bicubic,setsar=1,format=yuv420p' "
        "-frames:v %d -c:v libx264 -threads 1 -preset veryfast -profile:v high -crf 22 -maxrate "
        "14M "
        "-bufsize 28M -g 150 -x264-params "
        "open-gop=0:scenecut=40:force-cfr=1:stitchable=1:vbv-init=0.5:aq-mode=3 cli.mp4",
        folder, scenes[scene].path, WIDTH, HEIGHT, frames_per_scene);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

static struct cost measured(void (*way)(int), int scene)
{
    struct cost c;
    if (!cost_measure(way, scene, &c))
        die("a run failed", NULL);
    return c;
}

static void report(const char *name, struct cost c, double film_s)
{
    printf("%-10s %7.2f %7.2f %7.0f %9.2f\n", name, c.wall, c.cpu, c.mib, film_s / c.wall);
}

/* --- FIT --- */

static void fit_into(const char *film, int percent, double render_wall)
{
    AUTO(free_ptr) char *path = in_folder("fitted.mp4");
    struct fit_spec spec = {.film = film,
                            .frames = SCENES * frames_per_scene,
                            .limit = fs_size(film) * percent / 100,
                            .tier = TIER_HD,
                            .title = "bench",
                            .lang = "en",
                            .threads = 2};
    struct err e = {0};
    int width = 0, height = 0;
    int64_t begun = clock_mono_ms();
    if (!video_fit(&spec, path, &width, &height, &e))
        die("fit", &e);
    double wall = (double)(clock_mono_ms() - begun) / 1000;
    double share = 100.0 * (double)fs_size(path) / (double)spec.limit;
    printf("fit into %3d %%: %.1f %% of the limit (92 to 100), %dx%d, wall %.2f of rendering\n",
           percent, share, width, height, wall / render_wall);
}

/* The eight scenes as one film, then smaller and smaller. */
static void bench_fit(double render_wall)
{
    static const int percents[] = {90, 50, 25, 12};
    char paths[SCENES][300];
    const char *segments[SCENES];
    struct err e = {0};
    AUTO(free_ptr) char *sound = in_folder("sound.m4a");
    AUTO(free_ptr) char *film = in_folder("film.mp4");
    for (int i = 0; i < SCENES; i++) {
        struct segment_spec spec = spec_of(i, true);
        spec.threads = 2;
        snprintf(paths[i], sizeof(paths[i]), "%s/s%d.mp4", folder, i);
        segments[i] = paths[i];
        if (!segment_render(&spec, paths[i], &e))
            die("segment", &e);
    }
    AUTO(free_ptr)
    char *line = str_printf("-f lavfi -i sine=r=48000,aformat=channel_layouts=stereo,"
                            "atrim=end_sample=%d -c:a aac -b:a 128k sound.m4a",
                            SCENES * frames_per_scene * VIDEO_SAMPLES_PER_FRAME);
    make(line);
    const struct join_spec join = {.segments = segments,
                                   .segment_count = SCENES,
                                   .sound = sound,
                                   .title = "bench",
                                   .lang = "en"};
    if (!video_join(&join, film, &e))
        die("join", &e);
    for (size_t i = 0; i < COUNT(percents); i++)
        fit_into(film, percents[i], render_wall);
}

int main(void)
{
    static void (*const ways[])(int) = {way_whole, way_x264, way_clips, way_ffmpeg};
    struct cost costs[COUNT(ways)][COST_ROUNDS_MAX] = {0}, m[COUNT(ways)];
    const char *tmp = getenv("TMPDIR");
    frames_per_scene = cost_setting("BENCH_FRAMES", 45, 90);
    rounds = cost_setting("BENCH_ROUNDS", 3, COST_ROUNDS_MAX);
    hash_setup();
    video_setup();
    snprintf(folder, sizeof(folder), "%s/nanotik-bench-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(folder))
        die("temporary folder", NULL);
    make_sources();
    make_captions();
    for (int i = 0; i < SCENES; i++) {
        dump_scene(i);
        for (int r = 0; r < rounds; r++)
            for (size_t w = 0; w < (i < CLIPS ? COUNT(ways) : 2); w++)
                cost_add(&costs[w][r], measured(ways[w], i));
    }
    for (size_t w = 0; w < COUNT(ways); w++)
        m[w] = cost_median(costs[w], rounds);
    double film = SCENES * frames_per_scene / 30.0, clips = CLIPS * frames_per_scene / 30.0;
    printf("%d scenes of %d frames, %dx%d, %d rounds\n", SCENES, frames_per_scene, WIDTH, HEIGHT,
           rounds);
    printf("%-10s %7s %7s %7s %9s\n", "", "wall s", "CPU s", "MiB", "film s/s");
    report("whole", m[0], film);
    report("x264", m[1], film);
    report("clips", m[2], clips);
    report("ffmpeg", m[3], clips);
    printf("whole / x264: wall %.2f (at most 1.35), CPU %.2f, memory %.2f\n", m[0].wall / m[1].wall,
           m[0].cpu / m[1].cpu, m[0].mib / m[1].mib);
    printf("clips / ffmpeg: wall %.2f (at most 0.92), CPU %.2f (at most 0.97), memory of one "
           "scene %.2f\n",
           m[2].wall / m[3].wall, m[2].cpu / m[3].cpu, m[2].mib / m[3].mib);
    bench_fit(m[0].wall);
    fs_remove(folder);
    return 0;
}
