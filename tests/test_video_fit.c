/* FIT: a film that is too large for the chat becomes one that is not, as good as the limit allows. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/video/fit.h"
#include "tests/fixture_video.h"

enum { WIDTH = 640, HEIGHT = 360, FRAMES = 90 };

static char film[512], fitted[512];

/* A film as the pipeline joins it, of pictures that cost many bits. */
static int start(void **state)
{
    if (fixture_video_start(state) != 0)
        return -1;
    fixture_video_make("-f lavfi -i mandelbrot=s=640x360:r=30:start_scale=1.2:end_scale=0.4:"
                       "end_pts=200,noise=alls=6:allf=t -t 3 -c:v libx264 -preset ultrafast "
                       "-pix_fmt yuv420p clip.mp4");
    AUTO(free_ptr)
    char *sound = str_printf("-f lavfi -i anoisesrc=r=48000:a=0.3,aformat=channel_layouts=stereo,"
                             "atrim=end_sample=%d -c:a aac -b:a 128k sound.m4a",
                             FRAMES * VIDEO_SAMPLES_PER_FRAME);
    fixture_video_make(sound);
    struct footage f = fixture_video_clip("clip.mp4", 0);
    struct err e = {0};
    char segment[512], track[512];
    str_copy(segment, sizeof(segment), fixture_video_path("segment.mp4"));
    str_copy(track, sizeof(track), fixture_video_path("sound.m4a"));
    str_copy(film, sizeof(film), fixture_video_path("film.mp4"));
    str_copy(fitted, sizeof(fitted), fixture_video_path("fitted.mp4"));
    fixture_video_render(&f, WIDTH, HEIGHT, FRAMES, segment);
    const char *segments[] = {segment};
    const struct join_spec join = {.segments = segments,
                                   .segment_count = 1,
                                   .sound = track,
                                   .title = "Tides",
                                   .comment = "Clip: A. Author",
                                   .lang = "en"};
    if (!video_join(&join, film, &e))
        fail_msg("%s", e.detail);
    return 0;
}

static struct fit_spec spec_of(int64_t limit)
{
    return (struct fit_spec){.film = film,
                             .frames = FRAMES,
                             .limit = limit,
                             .title = "Tides",
                             .comment = "Clip: A. Author",
                             .lang = "en",
                             .threads = 2};
}

/* Mean difference of luma between a picture and the same one of the film before. */
static double difference(int at)
{
    AVFrame *was[FRAMES], *is[FRAMES];
    assert_int_equal(fixture_video_read(film, was, FRAMES), FRAMES);
    assert_int_equal(fixture_video_read(fitted, is, FRAMES), FRAMES);
    double d = fixture_video_distance(was[at], is[at]);
    fixture_video_free(was, FRAMES);
    fixture_video_free(is, FRAMES);
    return d;
}

static void the_file_has_92_to_100_percent_of_the_limit(void **state)
{
    (void)state;
    static const struct {
        int percent; /* of the film as it was rendered */
        int width;
        const char *why;
    } rows[] = {
        {95, WIDTH, "just a little too large"                },
        {50, WIDTH, "half the bytes at the same size"        },
        {30, WIDTH, "far fewer bytes"                        },
        {20, 512,   "so few that a smaller picture is better"},
        {12, 512,   "so few that the sound gives way too"    },
    };
    int64_t whole = fs_size(film);
    double before = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        int width = 0, height = 0;
        struct fit_spec spec = spec_of(whole * rows[i].percent / 100);
        if (!video_fit(&spec, fitted, &width, &height, &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        int64_t bytes = fs_size(fitted);
        if (bytes > spec.limit || bytes * 100 < spec.limit * 92)
            fail_msg("%s: %lld of %lld bytes", rows[i].why, (long long)bytes,
                     (long long)spec.limit);
        if (width != rows[i].width || height != width * HEIGHT / WIDTH)
            fail_msg("%s: %dx%d", rows[i].why, width, height);
        if (!video_check(fitted, width, height, FRAMES, NULL, &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        if (width == WIDTH) {
            double d = difference(FRAMES / 2);
            if (d > 12 || d < before - 0.5)
                fail_msg("%s: pictures differ by %.2f, with more bytes by %.2f", rows[i].why, d,
                         before);
            before = d;
        }
        assert_int_equal(fixture_video_count("fitted.mp4."), 0);
    }
}

static void what_cannot_fit_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    int width = 0, height = 0;
    struct fit_spec spec = spec_of(9000);
    AUTO(free_ptr) char *path = str_dup(fixture_video_path("never.mp4"));
    assert_false(video_fit(&spec, path, &width, &height, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.user_key, "make.file_too_large");
    assert_string_equal(e.arg, "9000");
    assert_int_equal(fixture_video_count("never"), 0);
}

static void stop_soon(void *ctx, double done)
{
    if (done > 0.4)
        cancel_fire(ctx);
}

static void a_stop_ends_it_and_leaves_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    struct cancel cancel;
    int width = 0, height = 0;
    struct fit_spec spec = spec_of(fs_size(film) / 2);
    AUTO(free_ptr) char *path = str_dup(fixture_video_path("stopped.mp4"));
    cancel_init(&cancel, NULL);
    spec.cancel = &cancel;
    spec.on_share = stop_soon;
    spec.ctx = &cancel;
    assert_false(video_fit(&spec, path, &width, &height, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_int_equal(fixture_video_count("stopped"), 0);
}

static void rate_gives_way_first_then_size_then_sound(void **state)
{
    (void)state;
    static const struct {
        int width, height, seconds;
        int64_t bits_s; /* of the pictures as they were made */
        int64_t limit;
        bool fits;
        int ret_width, ret_height;
        int64_t audio;
        const char *why;
    } rows[] = {
        {1080, 1920, 60,  9000000, 50000000, true,  1080, 1920, 0,     "6.5 Mbit/s: full size"          },
        {1080, 1920, 180, 9000000, 50000000, true,  720,  1280, 0,     "2.1 Mbit/s: 720p looks better"  },
        {1080, 1920, 60,  9000000, 10485760, true,  720,  1280, 0,
         "10 MiB for a minute: 720p, as measured"                                                       },
        {720,  1280, 60,  9000000, 10485760, true,  720,  1280, 0,     "the basic tier keeps its size"  },
        {1080, 1920, 180, 9000000, 10485760, true,  360,  640,  0,     "10 MiB for three minutes"       },
        {1920, 1080, 180, 9000000, 10485760, true,  640,  360,  0,     "lying down"                     },
        {1080, 1920, 180, 9000000, 5000000,  true,  288,  512,  48000,
         "so little that the sound gives way as well"                                                   },
        {1080, 1920, 180, 9000000, 3000000,  false, 0,    0,    0,     "less than anybody would look at"},
        {1080, 1920, 60,  2300000, 12000000, true,  1080, 1920, 0,     "simple pictures keep their size"},
        {1080, 1920, 180, 2300000, 10485760, true,  576,  1024, 0,     "and need less for a size"       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int frames = rows[i].seconds * STORY_FPS;
        int64_t audio = rows[i].seconds * 16000LL, fixed = 20000 + 24LL * frames;
        struct fit_plan plan = {0};
        const struct fit_film is = {.width = rows[i].width,
                                    .height = rows[i].height,
                                    .frames = frames,
                                    .video_bytes = rows[i].seconds * rows[i].bits_s / 8,
                                    .audio_bytes = audio,
                                    .fixed = fixed};
        bool fits = fit_plan(&is, rows[i].limit, &plan);
        if (fits != rows[i].fits || plan.width != rows[i].ret_width ||
            plan.height != rows[i].ret_height || plan.audio_bits_s != rows[i].audio)
            fail_msg("%s: %d %dx%d, %lld and %lld bit/s", rows[i].why, fits, plan.width,
                     plan.height, (long long)plan.video_bits_s, (long long)plan.audio_bits_s);
        /* What is said before anything is charged agrees with what is done later. */
        if (rows[i].bits_s < 3000000)
            continue; /* simple pictures fit better than was promised */
        int64_t longest = fit_longest_ms(rows[i].width, rows[i].height, rows[i].limit);
        assert_int_equal(longest >= rows[i].seconds * 1000LL, fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_gives_way_first_then_size_then_sound),
        cmocka_unit_test(the_file_has_92_to_100_percent_of_the_limit),
        cmocka_unit_test(what_cannot_fit_is_refused_and_leaves_nothing),
        cmocka_unit_test(a_stop_ends_it_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, start, fixture_video_stop);
}
