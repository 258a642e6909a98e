/* Clips: the right frame at the right time, the right part of it, upright, in the right colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "tests/fixture_video.h"

/* A clip whose frame n has luma 20 + 2 n all over. */
static void make_counting(const char *name, const char *rate, int frames, const char *more)
{
    AUTO(free_ptr)
    char *line = str_printf(
        "-f lavfi -i \"color=black:s=96x64:r=%s,trim=end_frame=%d,"
        "geq=lum='20+2*N':cb=128:cr=128\" %s -c:v libx264 -qp 6 -g 12 -pix_fmt yuv420p %s",
        rate, frames, more, name);
    fixture_video_make(line);
}

static int counted(const AVFrame *f)
{
    return (int)((fixture_video_mean(f, 0, 10, 10, 90, 90) - 20) / 2 + 0.5);
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *rate;
        double fps;
        int in_ms;
        const char *why;
    } rows[] = {
        {"30",         30,             0,    "same rate: every frame once"           },
        {"25",         25,             0,    "PAL: the nearest frame, some twice"    },
        {"60",         60,             0,    "every second frame, others not decoded"},
        {"30000/1001", 30000.0 / 1001, 0,    "NTSC"                                  },
        {"50",         50,             500,  "in-point between key frames"           },
        {"24",         24,             1000, "in-point of a slow clip"               },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        make_counting("count.mp4", rows[i].rate, 100, "");
        struct footage f = fixture_video_clip("count.mp4", rows[i].in_ms);
        AVFrame *frames[30];
        fixture_video_render(&f, 96, 64, 30, fixture_video_path("out.mp4"));
        assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frames, 30), 30);
        for (int n = 0; n < 30; n++) {
            /* The frame on screen half of our frame later is the nearest one. */
            double at = (rows[i].in_ms / 1000.0 + (n + 0.5) / 30) * rows[i].fps;
            int want = (int)(at + 1e-6), got = counted(frames[n]);
            if (got != want && !(got == want - 1 && at - want < 0.02))
                fail_msg("%s: frame %d shows %d, not %d", rows[i].why, n, got, want);
        }
        fixture_video_free(frames, 30);
    }
}

static void test_variable_rate(void **state)
{
    (void)state;
    /* Frames 0..9 of 30 fps, then only every fifth. */
    make_counting("vfr.mkv", "30", 60, "-vf \"select='lt(n,10)+not(mod(n,5))'\" -vsync vfr");
    struct footage f = fixture_video_clip("vfr.mkv", 0);
    AVFrame *frames[50];
    fixture_video_render(&f, 96, 64, 50, fixture_video_path("out.mp4"));
    assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frames, 50), 50);
    for (int n = 0; n < 50; n++)
        assert_int_equal(counted(frames[n]), n < 10 ? n : n / 5 * 5);
    fixture_video_free(frames, 50);
}

static void test_near_end(void **state)
{
    (void)state;
    /* 2 s of a 3.3 s clip from 3 s on: it starts earlier instead of running out. */
    make_counting("count.mp4", "30", 100, "");
    struct footage f = fixture_video_clip("count.mp4", 3000);
    AVFrame *frames[60];
    fixture_video_render(&f, 96, 64, 60, fixture_video_path("out.mp4"));
    assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frames, 60), 60);
    for (int n = 1; n < 60; n++)
        assert_int_equal(counted(frames[n]), counted(frames[n - 1]) + 1);
    fixture_video_free(frames, 60);
}

/* Longest run of frames that nobody could tell apart. */
static int longest_still(AVFrame **frames, int count)
{
    int longest = 0, run = 0;
    for (int n = 1; n < count; n++) {
        run = fixture_video_distance(frames[n], frames[n - 1]) < 0.05 ? run + 1 : 0;
        longest = MAX(longest, run);
    }
    return longest;
}

static void test_short_clips(void **state)
{
    (void)state;
    static const struct {
        const char *source, *why;
    } rows[] = {
        {"testsrc2=s=128x96:r=30:d=1.3",  "plays again, faded into its beginning"    },
        {"testsrc2=s=128x96:r=30:d=0.3",  "too short to repeat: its last frame zooms"},
        {"testsrc2=s=128x96:r=30:d=0.03", "a clip of one frame zooms as a photo does"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *line =
            str_printf("-f lavfi -i %s -c:v libx264 -pix_fmt yuv420p short.mp4", rows[i].source);
        fixture_video_make(line);
        struct footage f = fixture_video_clip("short.mp4", 0);
        AVFrame *frames[120];
        fixture_video_render(&f, 160, 90, 120, fixture_video_path("out.mp4"));
        assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frames, 120), 120);
        int still = longest_still(frames, 120);
        double jump = 0;
        for (int n = 1; n < 120; n++)
            jump = MAX(jump, fixture_video_distance(frames[n], frames[n - 1]));
        if (still > 15)
            fail_msg("%s: stands still for %d frames", rows[i].why, still);
        if (jump > 12)
            fail_msg("%s: jumps by %.1f", rows[i].why, jump);
        fixture_video_free(frames, 120);
    }
}

/* Red, green / blue, grey quarters, so that every way of turning is seen. */
static const char quarters[] =
    "-f lavfi -i color=red:s=160x120:r=30:d=0.5 -f lavfi -i color=lime:s=160x120:r=30:d=0.5 "
    "-f lavfi -i color=blue:s=160x120:r=30:d=0.5 -f lavfi -i color=gray:s=160x120:r=30:d=0.5 "
    "-filter_complex \"[0][1]hstack[a];[2][3]hstack[b];[a][b]vstack,"
    "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p\" -colorspace bt709 "
    "-color_primaries bt709 -color_trc bt709 -color_range tv ";

static void corners(const AVFrame *f, char ret[5])
{
    ret[0] = fixture_video_colour(f, 25, 25);
    ret[1] = fixture_video_colour(f, 75, 25);
    ret[2] = fixture_video_colour(f, 25, 75);
    ret[3] = fixture_video_colour(f, 75, 75);
    ret[4] = '\0';
}

static void test_rotation(void **state)
{
    (void)state;
    static const struct {
        int degrees;
        const char *corners, *why;
    } rows[] = {
        {0,   "rgby", "as stored"   },
        {90,  "gyrb", "turned left" },
        {180, "ybgr", "upside down" },
        {270, "bryg", "turned right"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *line = str_printf(
            "%s -c:v libx264 -qp 10 plain.mp4 && ffmpeg -nostdin -v error -y -i plain.mp4 -c copy "
            "-metadata:s:v rotate=%d turned.mp4",
            quarters, rows[i].degrees);
        fixture_video_make(line);
        struct footage f = fixture_video_clip("turned.mp4", 0);
        struct media_info info;
        struct err e = {0};
        assert_true(video_probe(f.path, NULL, &info, &e));
        bool lying = rows[i].degrees % 180 == 0;
        assert_int_equal(info.width, lying ? 320 : 240);
        assert_int_equal(info.height, lying ? 240 : 320);
        AVFrame *frame[1];
        char got[5];
        fixture_video_render(&f, 96, 96, 1, fixture_video_path("out.mp4"));
        assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frame, 1), 1);
        corners(frame[0], got);
        if (strcmp(got, rows[i].corners) != 0)
            fail_msg("%s: %s, not %s", rows[i].why, got, rows[i].corners);
        fixture_video_free(frame, 1);
    }
}

/* Width over height of the white square, as shown. */
static double box_aspect(const AVFrame *f)
{
    int x0 = f->width, x1 = 0, y0 = f->height, y1 = 0;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            if (f->data[0][(ptrdiff_t)y * f->linesize[0] + x] < 128)
                continue;
            x0 = MIN(x0, x);
            x1 = MAX(x1, x + 1);
            y0 = MIN(y0, y);
            y1 = MAX(y1, y + 1);
        }
    }
    return (double)(x1 - x0) / (double)(y1 - y0);
}

static void test_never_stretched(void **state)
{
    (void)state;
    static const struct {
        const char *source, *codec, *why;
        int width, height;
    } rows[] = {
        {"color=black:s=640x360:r=30:d=0.2,drawbox=270:130:100:100:white:fill",                "libx264",
         "landscape into portrait",                                                                                         180, 320},
        {"color=black:s=360x640:r=30:d=0.2,drawbox=130:270:100:100:white:fill",                "libx264",
         "portrait into landscape",                                                                                         320, 180},
        {"color=black:s=720x576:r=25:d=0.2,drawbox=305:208:110:160:white:fill,setsar=16/11",
         "libx264",                                                                                       "anamorphic PAL", 320, 180},
        {"color=black:s=641x359:r=30:d=0.2,format=yuv444p,drawbox=270:130:100:100:white:fill",
         "png",                                                                                           "odd size",       180, 320},
        {"color=black:s=200x2000:r=30:d=0.2,drawbox=50:800:100:100:white:fill",                "libx264",
         "a very tall strip",                                                                                               320, 180},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *line = str_printf("-f lavfi -i %s -c:v %s box.mkv", rows[i].source, rows[i].codec);
        fixture_video_make(line);
        struct footage f = fixture_video_clip("box.mkv", 0);
        AVFrame *frame[1];
        fixture_video_render(&f, rows[i].width, rows[i].height, 1, fixture_video_path("out.mp4"));
        assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frame, 1), 1);
        double aspect = box_aspect(frame[0]);
        if (aspect < 0.95 || aspect > 1.05)
            fail_msg("%s: the square is %.3f wide per high", rows[i].why, aspect);
        fixture_video_free(frame, 1);
    }
}

static void test_colours(void **state)
{
    (void)state;
    static const struct {
        const char *make, *why;
        int y, u, v; /* wanted in bt709 limited */
    } rows[] = {
        {"-f lavfi -i color=red:s=320x240:r=30:d=0.2,format=yuv420p -c:v libx264 -qp 4",
         "bt601 red, untagged SD",                                                                                                   63,  102, 240},
        {"-f lavfi -i color=red:s=320x240:r=30:d=0.2,scale=out_color_matrix=bt709,format=yuv420p "
         "-c:v libx264 -qp 4 -colorspace bt709 -color_primaries bt709 -color_trc bt709", "bt709 red, tagged",               63,  102, 240},
        {"-f lavfi -i color=red:s=320x240:r=30:d=0.2,scale=out_range=pc:out_color_matrix=bt601,"
         "format=yuvj420p -c:v libx264 -qp 4",                                           "full range bt601 red",            63,  102, 240},
        {"-f lavfi -i color=lime:s=320x240:r=30:d=0.2,format=gbrp -c:v libx264rgb -qp 1",
         "RGB green",                                                                                                                173, 42,  26 },
        {"-f lavfi -i color=0x808080:s=320x240:r=30:d=0.2,format=yuv444p10le -c:v libx264 -qp 4",
         "10-bit grey",                                                                                                              126, 128, 128},
        {"-f lavfi -i "
         "\"color=black:s=320x240:r=30:d=0.2,format=yuv420p10le,geq=lum=571:cb=512:cr=512\" "
         "-c:v libx265 -x265-params log-level=0:colorprim=9:transfer=16:colormatrix=9",  "PQ, 203 nits: white of paper",    221, 128, 128},
        {"-f lavfi -i "
         "\"color=black:s=320x240:r=30:d=0.2,format=yuv420p10le,geq=lum=64:cb=512:cr=512\" "
         "-c:v libx265 -x265-params log-level=0:colorprim=9:transfer=18:colormatrix=9",  "HLG black",                       16,  128, 128},
        {"-f lavfi -i "
         "\"color=black:s=320x240:r=30:d=0.2,format=yuv420p10le,geq=lum=940:cb=512:cr=512\" "
         "-c:v libx265 -x265-params log-level=0:colorprim=9:transfer=16:colormatrix=9",  "PQ, 10000 nits: white, not more", 235, 128, 128},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *line = str_printf("%s colour.mkv", rows[i].make);
        fixture_video_make(line);
        struct footage f = fixture_video_clip("colour.mkv", 0);
        AVFrame *frame[1];
        fixture_video_render(&f, 160, 90, 1, fixture_video_path("out.mp4"));
        assert_int_equal(fixture_video_read(fixture_video_path("out.mp4"), frame, 1), 1);
        double y = fixture_video_mean(frame[0], 0, 10, 10, 90, 90);
        double u = fixture_video_mean(frame[0], 1, 10, 10, 90, 90);
        double v = fixture_video_mean(frame[0], 2, 10, 10, 90, 90);
        if (y < rows[i].y - 3 || y > rows[i].y + 3 || u < rows[i].u - 3 || u > rows[i].u + 3 ||
            v < rows[i].v - 3 || v > rows[i].v + 3)
            fail_msg("%s: %.1f %.1f %.1f, not %d %d %d", rows[i].why, y, u, v, rows[i].y, rows[i].u,
                     rows[i].v);
        fixture_video_free(frame, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),    cmocka_unit_test(test_variable_rate),
        cmocka_unit_test(test_near_end), cmocka_unit_test(test_short_clips),
        cmocka_unit_test(test_rotation), cmocka_unit_test(test_never_stretched),
        cmocka_unit_test(test_colours),
    };
    return cmocka_run_group_tests(tests, fixture_video_start, fixture_video_stop);
}
