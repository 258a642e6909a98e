/* Backdrops: moving, smooth, readable under white captions, the same again from the same seed. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/story/storyboard.h"
#include "core/video/backdrop.h"
#include "core/video/cover.h"
#include "tests/fixture_video.h"

static struct backdrop *make(int width, int height, const char *look, uint64_t seed,
                             const char *style)
{
    struct backdrop *b = NULL;
    struct err e = {0};
    if (!backdrop_create(width, height, look, seed, style, &b, &e))
        fail_msg("%s", e.detail);
    return b;
}

static AVFrame *paint(const char *look, uint64_t seed, const char *style, double seconds)
{
    struct backdrop *b = make(180, 320, look, seed, style);
    AVFrame *f = cover_frame_make(180, 320);
    assert_non_null(f);
    backdrop_draw(b, f, seconds);
    backdrop_destroy(b);
    return f;
}

/* Share of pixels with luma above a level, in percent. */
static double brighter(const AVFrame *f, int level)
{
    int count = 0;
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            count += f->data[0][(ptrdiff_t)y * f->linesize[0] + x] > level;
    return 100.0 * count / (f->width * f->height);
}

static void test_readable(void **state)
{
    (void)state;
    for (const char *const *style = story_styles; *style; style++) {
        for (const char *const *look = backdrop_looks; *look; look++) {
            for (uint64_t seed = 0; seed < 12; seed++) {
                AVFrame *f = paint(*look, seed, *style, (double)seed);
                double mean = fixture_video_mean(f, 0, 0, 0, 100, 100);
                /* 60 % of white is code 147; only sparks may pass it. Black would be no picture. */
                if (brighter(f, 147 + 4) > 1.5 || mean > 125 || mean < 22)
                    fail_msg("%s %s %d: mean %.0f, %.1f %% too bright", *style, *look, (int)seed,
                             mean, brighter(f, 151));
                av_frame_free(&f);
            }
        }
    }
}

static void test_motion(void **state)
{
    (void)state;
    AVFrame *f[2] = {cover_frame_make(180, 320), cover_frame_make(180, 320)};
    for (const char *const *look = backdrop_looks; *look; look++) {
        struct backdrop *b = make(180, 320, *look, 3, "clean");
        double fastest = 0, second = 0;
        backdrop_draw(b, f[0], 0);
        for (int n = 1; n <= 90; n++) {
            backdrop_draw(b, f[n & 1], n / 30.0);
            double d = fixture_video_distance(f[0], f[1]);
            fastest = MAX(fastest, d);
            second += d;
        }
        if (fastest > 3)
            fail_msg("%s: a frame differs by %.2f from the one before", *look, fastest);
        if (second / 3 < 0.6)
            fail_msg("%s: changes only by %.2f in a second", *look, second / 3);
        backdrop_destroy(b);
    }
    av_frame_free(&f[0]);
    av_frame_free(&f[1]);
}

/* Smooth gradients have no steps: neighbours in the mean of 16 x 16 blocks differ little by little,
   so in a picture of one look no code value is missing between the ones used most. */
static void test_no_bands(void **state)
{
    (void)state;
    AVFrame *f = paint("aurora", 4, "clean", 1);
    int used[256] = {0}, low = 255, high = 0, missing = 0;
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            used[f->data[0][(ptrdiff_t)y * f->linesize[0] + x]]++;
    for (int v = 0; v < 256; v++) {
        if (used[v] > 20) {
            low = MIN(low, v);
            high = MAX(high, v);
        }
    }
    for (int v = low; v <= high; v++)
        missing += used[v] == 0;
    assert_true(high - low > 30);
    assert_int_equal(missing, 0);
    /* Dither: inside a flat-looking block both neighbours of the true value appear. */
    int both = 0, blocks = 0;
    for (int y = 0; y + 8 <= f->height; y += 8) {
        for (int x = 0; x + 8 <= f->width; x += 8, blocks++) {
            const uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0] + x;
            int reversals = 0;
            for (int k = 1; k < 7; k++)
                reversals += (p[k] - p[k - 1]) * (p[k + 1] - p[k]) < 0;
            both += reversals > 0;
        }
    }
    assert_true(both > blocks / 4);
    av_frame_free(&f);
}

static void test_repeatable(void **state)
{
    (void)state;
    for (const char *const *look = backdrop_looks; *look; look++) {
        AVFrame *a = paint(*look, 11, "bold", 2.5), *b = paint(*look, 11, "bold", 2.5);
        AVFrame *c = paint(*look, 12, "bold", 2.5);
        assert_true(fixture_video_distance(a, b) == 0);
        if (fixture_video_distance(a, c) < 2)
            fail_msg("%s: another seed gives nearly the same picture", *look);
        av_frame_free(&a);
        av_frame_free(&b);
        av_frame_free(&c);
    }
}

static void test_looks_of_a_film(void **state)
{
    (void)state;
    size_t looks = 0;
    while (backdrop_looks[looks])
        looks++;
    assert_true(looks >= 6);
    for (uint64_t seed = 0; seed < 50; seed++) {
        char before[32] = "", first[32] = "";
        int same_as_first = 0;
        for (size_t scene = 0; scene < 3 * looks; scene++) {
            char name[32];
            snprintf(name, sizeof(name), "auto:%zu", scene);
            struct backdrop *b = make(32, 32, name, seed, "");
            if (strcmp(backdrop_look(b), before) == 0)
                fail_msg("seed %d, scene %zu: %s twice in a row", (int)seed, scene, before);
            snprintf(before, sizeof(before), "%s", backdrop_look(b));
            if (scene == 0)
                snprintf(first, sizeof(first), "%s", before);
            same_as_first += strcmp(first, before) == 0;
            backdrop_destroy(b);
        }
        assert_int_equal(same_as_first, 3); /* each look once a round */
    }
}

static void test_any_name_and_size(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",        "7",       "auto:", "auto:99999999999999999999", "auto:-1", "no such look",
        "auto:3x", "\xff\xfe"};
    static const int sizes[][2] = {
        {16,   16  },
        {2160, 16  },
        {16,   2160},
        {180,  320 },
        {322,  182 }
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct backdrop *b = make(64, 64, names[i], 1, NULL);
        AVFrame *f = cover_frame_make(64, 64);
        backdrop_draw(b, f, 1);
        backdrop_destroy(b);
        av_frame_free(&f);
    }
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (const char *const *look = backdrop_looks; *look; look++) {
            struct backdrop *b = make(sizes[i][0], sizes[i][1], *look, 1, "paper");
            AVFrame *f = cover_frame_make(sizes[i][0], sizes[i][1]);
            backdrop_draw(b, f, 0);
            backdrop_draw(b, f, 3600);
            backdrop_destroy(b);
            av_frame_free(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readable),        cmocka_unit_test(test_motion),
        cmocka_unit_test(test_no_bands),        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_looks_of_a_film), cmocka_unit_test(test_any_name_and_size),
    };
    return cmocka_run_group_tests(tests, fixture_video_start, fixture_video_stop);
}
