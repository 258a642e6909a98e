#include "tests/fixture_video.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/video/decoder.h"

static char folder[200];

int fixture_video_start(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    hash_setup();
    video_setup();
    snprintf(folder, sizeof(folder), "%s/nanotik-video-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

int fixture_video_stop(void **state)
{
    (void)state;
    fs_remove(folder);
    return 0;
}

const char *fixture_video_path(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ & 7];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

void fixture_video_make(const char *arguments)
{
    AUTO(free_ptr)
    char *line =
        str_printf("cd '%s' && ffmpeg -nostdin -v error -y -threads 1 %s", folder, arguments);
    if (system(line) != 0) /* NOLINT(cert-env33-c): a fixed command of a test */
        fail_msg("ffmpeg %s", arguments);
}

void fixture_video_write(const char *name, const void *bytes, size_t len)
{
    struct err e = {0};
    if (!fs_write(fixture_video_path(name), bytes, len, &e))
        fail_msg("%s: %s", name, e.detail);
}

int fixture_video_count(const char *part)
{
    int count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;)
        count += strstr(entry->d_name, part) != NULL;
    closedir(d);
    return count;
}

int fixture_video_read(const char *path, AVFrame **ret_frames, int max)
{
    struct media_watch w = {0};
    struct decoder *d = NULL;
    struct err e = {0};
    int count = 0;
    if (!decoder_create(path, 0, 0, &w, &d, &e))
        fail_msg("%s", e.detail);
    for (; count < max; count++) {
        const AVFrame *f;
        if (!decoder_at(d, count, &f, &e))
            fail_msg("%s", e.detail);
        if (!f)
            break;
        ret_frames[count] = av_frame_clone(f);
        assert_non_null(ret_frames[count]);
    }
    decoder_destroy(d);
    return count;
}

void fixture_video_free(AVFrame **frames, int count)
{
    for (int i = 0; i < count; i++)
        av_frame_free(&frames[i]);
}

double fixture_video_mean(const AVFrame *f, int plane, int x0, int y0, int x1, int y1)
{
    int w = plane ? (f->width + 1) / 2 : f->width, h = plane ? (f->height + 1) / 2 : f->height;
    double sum = 0;
    int64_t count = 0;
    for (int y = h * y0 / 100; y < h * y1 / 100; y++) {
        for (int x = w * x0 / 100; x < w * x1 / 100; x++, count++)
            sum += f->data[plane][(ptrdiff_t)y * f->linesize[plane] + x];
    }
    return count ? sum / (double)count : 0;
}

char fixture_video_colour(const AVFrame *f, int x, int y)
{
    double u = fixture_video_mean(f, 1, x - 5, y - 5, x + 5, y + 5);
    double v = fixture_video_mean(f, 2, x - 5, y - 5, x + 5, y + 5);
    if (u > 170)
        return 'b';
    if (v > 170)
        return 'r';
    return u < 90 && v < 90 ? 'g' : 'y';
}

int fixture_video_on_full_disk(bool (*write)(const char *path, struct err *e), const char *path,
                               int64_t bytes)
{
    pid_t child = fork();
    if (child == 0) {
        struct err e = {0};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)bytes, (rlim_t)bytes});
        bool ok = write(path, &e);
        _exit(ok ? 100 : strcmp(e.user_key, "error.disk") == 0 ? (int)e.code : 101);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

double fixture_video_distance(const AVFrame *a, const AVFrame *b)
{
    double sum = 0;
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < a->width; x++)
            sum += abs(a->data[0][(ptrdiff_t)y * a->linesize[0] + x] -
                       b->data[0][(ptrdiff_t)y * b->linesize[0] + x]);
    return sum / ((double)a->width * a->height);
}

void fixture_video_render(const struct footage *f, int width, int height, int frames,
                          const char *path)
{
    struct segment_spec spec = {.width = width,
                                .height = height,
                                .tier = TIER_BASIC,
                                .frames = frames,
                                .footage = f,
                                .threads = 1};
    struct err e = {0};
    if (!segment_render(&spec, path, &e))
        fail_msg("%s: %s", path, e.detail);
}

struct footage fixture_video_clip(const char *name, int64_t in_ms)
{
    struct footage f = {.kind = FOOTAGE_CLIP, .in_ms = in_ms};
    str_copy(f.path, sizeof(f.path), fixture_video_path(name));
    return f;
}

struct footage fixture_video_photo(const char *name, uint64_t seed)
{
    struct footage f = {.kind = FOOTAGE_PHOTO, .seed = seed};
    str_copy(f.path, sizeof(f.path), fixture_video_path(name));
    return f;
}

struct footage fixture_video_backdrop(const char *look, uint64_t seed)
{
    struct footage f = {.kind = FOOTAGE_BACKDROP, .seed = seed};
    str_copy(f.look, sizeof(f.look), look);
    return f;
}
