/* Photos: upright, moved without jitter, and no picture takes the memory of the machine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/video/cover.h"
#include "core/video/photo.h"
#include "tests/fixture_video.h"

/* Position of the middle of a bright line on a dark ground, to parts of a pixel, over many rows. */
static double line_at(const AVFrame *f)
{
    double sum = 0, weight = 0;
    int peak = 0, middle = f->height / 2;
    const uint8_t *row = f->data[0] + (ptrdiff_t)middle * f->linesize[0];
    for (int x = 0; x < f->width; x++)
        peak = row[x] > row[peak] ? x : peak;
    for (int y = middle - 60; y < middle + 60; y++) {
        row = f->data[0] + (ptrdiff_t)y * f->linesize[0];
        for (int x = MAX(peak - 9, 0); x < MIN(peak + 10, f->width); x++) {
            double v = row[x] - row[MAX(peak - 12, 0)];
            sum += v * (x + 0.5);
            weight += v;
        }
    }
    return weight > 0 ? sum / weight : -1;
}

static void test_smooth_motion(void **state)
{
    (void)state;
    enum { FRAMES = 150 };
    fixture_video_make("-f lavfi -i color=0x303030:s=1600x1200,drawbox=780:0:12:1200:white:fill "
                       "-frames:v 1 line.png");
    struct media_watch w = {0};
    struct err e = {0};
    AUTO(av_frame_free) AVFrame *f = cover_frame_make(180, 320);
    assert_non_null(f);
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct photo *p = NULL;
        double at[FRAMES], travelled = 0;
        assert_true(
            photo_create(fixture_video_path("line.png"), 180, 320, FRAMES, seed, &w, &p, &e));
        for (int n = 0; n < FRAMES; n++) {
            assert_true(photo_draw(p, f, n, &e));
            at[n] = line_at(f);
            assert_true(at[n] > 0);
        }
        photo_destroy(p);
        for (int n = 1; n < FRAMES; n++)
            travelled += fabs(at[n] - at[n - 1]);
        assert_true(travelled > 0.5); /* it does move */
        /* Speed hardly changes from one frame to the next: whole-pixel steps would show as 1. */
        for (int n = 2; n < FRAMES; n++) {
            double jerk = fabs(at[n] - 2 * at[n - 1] + at[n - 2]);
            if (jerk > 0.06)
                fail_msg("seed %d, frame %d: the line jumps by %.3f pixels", (int)seed, n, jerk);
        }
    }
}

static void test_view_stays_inside(void **state)
{
    (void)state;
    static const struct {
        const char *size, *why;
        int width, height;
    } rows[] = {
        {"1600x1200", "landscape in portrait", 180, 320},
        {"300x2000",  "strip in landscape",    320, 180},
        {"64x48",     "smaller than shown",    180, 320},
        {"401x401",   "odd square",            320, 320},
    };
    struct media_watch w = {0};
    struct err e = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *line = str_printf("-f lavfi -i testsrc2=s=%s -frames:v 1 view.png", rows[i].size);
        fixture_video_make(line);
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct photo *p = NULL;
            assert_true(photo_create(fixture_video_path("view.png"), rows[i].width, rows[i].height,
                                     300, seed, &w, &p, &e));
            for (int n = 0; n < 300; n += 13) {
                struct photo_view v = photo_view_at(p, n);
                if (v.x < -0.01 || v.y < -0.01 || v.x + v.w > 1.01 || v.y + v.h > 1.01)
                    fail_msg("%s: frame %d looks outside", rows[i].why, n);
            }
            photo_destroy(p);
        }
    }
}

/* A JPEG of four quarters (red, green / blue, grey) with the EXIF orientation put in. */
static void write_oriented(int orientation)
{
    struct err e = {0};
    char *jpeg = NULL;
    size_t len = 0;
    assert_true(fs_read(fixture_video_path("quarters.jpg"), 1 << 20, &jpeg, &len, &e));
    const unsigned char exif[] = {
        0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, '*', 0,
        0,    0,    8, 0,  1,   1,   18,  0,   3, 0, 0,   0,   1, 0,   (unsigned char)orientation,
        0,    0,    0, 0,  0,   0};
    AUTO(strbuf_free) struct strbuf all = STRBUF(2 << 20);
    strbuf_add(&all, jpeg, 2);
    strbuf_add(&all, exif, sizeof(exif));
    strbuf_add(&all, jpeg + 2, len - 2);
    fixture_video_write("turned.jpg", all.text, all.len);
    free(jpeg);
}

static void test_orientation(void **state)
{
    (void)state;
    static const char *const wanted[] = {"",     "rgby", "gryb", "ybgr", "byrg",
                                         "rbgy", "bryg", "ygbr", "gyrb"};
    fixture_video_make("-f lavfi -i color=red:s=160x120 -f lavfi -i color=lime:s=160x120 -f lavfi "
                       "-i color=blue:s=160x120 -f lavfi -i color=gray:s=160x120 -filter_complex "
                       "\"[0][1]hstack[a];[2][3]hstack[b];[a][b]vstack\" -frames:v 1 quarters.jpg");
    struct media_watch w = {0};
    struct err e = {0};
    AUTO(av_frame_free) AVFrame *f = cover_frame_make(96, 96);
    for (int o = 1; o <= 8; o++) {
        struct photo *p = NULL;
        struct media_info info;
        write_oriented(o);
        assert_true(video_probe(fixture_video_path("turned.jpg"), NULL, &info, &e));
        assert_int_equal(info.kind, FOOTAGE_PHOTO);
        assert_int_equal(info.width, o >= 5 ? 240 : 320);
        assert_int_equal(info.height, o >= 5 ? 320 : 240);
        assert_true(photo_create(fixture_video_path("turned.jpg"), 96, 96, 2, 1, &w, &p, &e));
        assert_true(photo_draw(p, f, 0, &e));
        photo_destroy(p);
        char got[5] = {fixture_video_colour(f, 20, 20), fixture_video_colour(f, 80, 20),
                       fixture_video_colour(f, 20, 80), fixture_video_colour(f, 80, 80)};
        if (strcmp(got, wanted[o]) != 0)
            fail_msg("orientation %d: %s, not %s", o, got, wanted[o]);
    }
}

static void test_formats(void **state)
{
    (void)state;
    static const char *const names[] = {"a.jpg",  "a.png",  "a.bmp",
                                        "a.tiff", "a.webp", "a.jpeg.mp4"};
    fixture_video_make("-f lavfi -i testsrc2=s=320x240 -frames:v 1 a.png -frames:v 1 a.jpg "
                       "-frames:v 1 a.bmp -frames:v 1 a.tiff -frames:v 1 a.webp");
    fixture_video_make("-f lavfi -i testsrc2=s=320x240 -frames:v 1 -f mjpeg a.jpeg.mp4");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct media_info info;
        struct err e = {0};
        struct footage f = fixture_video_photo(names[i], 3);
        if (!video_probe(f.path, NULL, &info, &e))
            fail_msg("%s: %s", names[i], e.detail);
        assert_int_equal(info.kind, FOOTAGE_PHOTO);
        assert_int_equal(info.width, 320);
        fixture_video_render(&f, 96, 64, 5, fixture_video_path("out.mp4"));
    }
}

static long peak_kb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void put32(unsigned char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* The header says 60000 x 60000; the rest does not matter any more. */
static void test_bombs(void **state)
{
    (void)state;
    unsigned char png[64] = "\x89PNG\r\n\x1a\n";
    /* The checksum is right, so that the size alone is the reason. */
    put32(png + 8, 13);
    memcpy(png + 12, "IHDR", 4);
    put32(png + 16, 60000);
    put32(png + 20, 60000);
    memcpy(png + 24, "\x08\x06\0\0\0", 5);
    put32(png + 29, 0x80D27542);
    fixture_video_write("bomb.png", png, sizeof(png));
    fixture_video_make("-f lavfi -i color=gray:s=9000x7000:r=1 -frames:v 1 -q:v 31 large.jpg");
    static const char *const names[] = {"bomb.png", "large.jpg"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct media_watch w = {0};
        struct media_info info;
        struct photo *p = NULL;
        struct err e = {0};
        long before = peak_kb();
        assert_false(video_probe(fixture_video_path(names[i]), NULL, &info, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_string_equal(e.user_key, "footage.broken");
        assert_string_equal(e.arg, names[i]);
        assert_false(photo_create(fixture_video_path(names[i]), 180, 320, 30, 1, &w, &p, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_true(peak_kb() - before < 40 * 1024);
    }
}

/* 48 megapixels of a phone are fine, and never held at full size. */
static void test_large_photo(void **state)
{
    (void)state;
    fixture_video_make("-f lavfi -i color=gray:s=8000x6000:r=1 -frames:v 1 -q:v 31 phone.jpg");
    struct footage f = fixture_video_photo("phone.jpg", 1);
    long before = peak_kb();
    fixture_video_render(&f, 180, 320, 3, fixture_video_path("out.mp4"));
    assert_true(peak_kb() - before < 60 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bombs),         cmocka_unit_test(test_large_photo),
        cmocka_unit_test(test_smooth_motion), cmocka_unit_test(test_view_stays_inside),
        cmocka_unit_test(test_orientation),   cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, fixture_video_start, fixture_video_stop);
}
