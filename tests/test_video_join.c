/* Join, check, poster: segments and sound become a film that is what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/video/media.h"
#include "tests/fixture_video.h"

static const int lengths[] = {37, 1, 2, 64, 3, 30};
enum { FRAMES = 37 + 1 + 2 + 64 + 3 + 30 };

static const char *names[COUNT(lengths)];

static struct join_spec spec_of(const char *sound)
{
    return (struct join_spec){.segments = names,
                              .segment_count = COUNT(names),
                              .sound = sound,
                              .title = "Wie Gezeiten «wirken» 潮汐",
                              .comment = "Clip: A. Author",
                              .lang = "zh-Hans"};
}

static char segment_paths[COUNT(lengths)][512], sound_path[512];

static int start(void **state)
{
    if (fixture_video_start(state) != 0)
        return -1;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        char look[16], name[24];
        snprintf(look, sizeof(look), "auto:%zu", i);
        snprintf(name, sizeof(name), "s%zu.mp4", i);
        struct footage f = fixture_video_backdrop(look, 9);
        str_copy(segment_paths[i], sizeof(segment_paths[i]), fixture_video_path(name));
        names[i] = segment_paths[i];
        fixture_video_render(&f, 128, 96, lengths[i], names[i]);
    }
    AUTO(free_ptr)
    char *line = str_printf(
        "-f lavfi -i sine=r=48000,aformat=channel_layouts=stereo,atrim=end_sample=%d -c:a aac "
        "sound.m4a",
        FRAMES * VIDEO_SAMPLES_PER_FRAME);
    fixture_video_make(line);
    str_copy(sound_path, sizeof(sound_path), fixture_video_path("sound.m4a"));
    return 0;
}

static void join_or_fail(const struct join_spec *spec, const char *path)
{
    struct err e = {0};
    if (!video_join(spec, path, &e))
        fail_msg("%s", e.detail);
}

static void test_film(void **state)
{
    (void)state;
    static char film[512];
    struct join_spec spec = spec_of(sound_path);
    struct err e = {0};
    str_copy(film, sizeof(film), fixture_video_path("film.mp4"));
    join_or_fail(&spec, film);
    if (!video_check(film, 128, 96, FRAMES, NULL, &e))
        fail_msg("%s", e.detail);
    struct media_info info;
    assert_true(video_probe(film, NULL, &info, &e));
    assert_true(info.moov_first && info.has_audio && info.has_video);
    assert_in_range(info.duration_ms, FRAMES * 1000 / 30 - 2, FRAMES * 1000 / 30 + 50);
    assert_string_equal(info.audio_codec, "aac");

    struct media_watch w = {0};
    bool still;
    AUTO(avformat_close_input) AVFormatContext *fmt = NULL;
    assert_true(media_open(film, &w, &fmt, &still, &e));
    assert_string_equal(av_dict_get(fmt->metadata, "title", NULL, 0)->value, spec.title);
    assert_string_equal(av_dict_get(fmt->metadata, "comment", NULL, 0)->value, spec.comment);
    assert_string_equal(av_dict_get(fmt->metadata, "encoder", NULL, 0)->value, "NanoTik");
    assert_null(av_dict_get(fmt->metadata, "creation_time", NULL, 0));
    assert_string_equal(av_dict_get(fmt->streams[1]->metadata, "language", NULL, 0)->value, "zho");
    assert_int_equal(fixture_video_count(".part"), 0);
}

/* Frame n of the film is frame n - start of its segment, to the pixel. */
static void test_pictures(void **state)
{
    (void)state;
    struct join_spec spec = spec_of(sound_path);
    AVFrame *film[FRAMES + 1], *part[70];
    join_or_fail(&spec, fixture_video_path("film.mp4"));
    assert_int_equal(fixture_video_read(fixture_video_path("film.mp4"), film, FRAMES + 1), FRAMES);
    for (size_t i = 0, first = 0; i < COUNT(lengths); first += (size_t)lengths[i++]) {
        assert_int_equal(fixture_video_read(names[i], part, 70), lengths[i]);
        for (int n = 0; n < lengths[i]; n++)
            assert_true(fixture_video_distance(film[first + (size_t)n], part[n]) == 0);
        fixture_video_free(part, lengths[i]);
    }
    fixture_video_free(film, FRAMES);
}

static void test_equal_bytes(void **state)
{
    (void)state;
    struct join_spec spec = spec_of(sound_path);
    char *a = NULL, *b = NULL;
    size_t a_len = 0, b_len = 0;
    struct err e = {0};
    join_or_fail(&spec, fixture_video_path("a.mp4"));
    join_or_fail(&spec, fixture_video_path("b.mp4"));
    assert_true(fs_read(fixture_video_path("a.mp4"), 1 << 24, &a, &a_len, &e));
    assert_true(fs_read(fixture_video_path("b.mp4"), 1 << 24, &b, &b_len, &e));
    assert_int_equal(a_len, b_len);
    assert_memory_equal(a, b, a_len);
    free(a);
    free(b);
}

static void test_odd_segment(void **state)
{
    (void)state;
    struct footage f = fixture_video_backdrop("hills", 1);
    struct err e = {0};
    struct segment_spec odd = {
        .width = 128, .height = 96, .tier = TIER_PREMIUM, .frames = 5, .footage = &f, .threads = 1};
    assert_true(segment_render(&odd, fixture_video_path("odd.mp4"), &e));
    char odd_path[512];
    str_copy(odd_path, sizeof(odd_path), fixture_video_path("odd.mp4"));
    const char *mixed[] = {names[0], names[3], odd_path};
    struct join_spec spec = spec_of(sound_path);
    spec.segments = mixed;
    spec.segment_count = 3;
    assert_false(video_join(&spec, fixture_video_path("mixed.mp4"), &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.arg, "2");
    assert_int_equal(fixture_video_count("mixed"), 0);
}

static void test_parts_that_are_gone(void **state)
{
    (void)state;
    static char broken[512];
    static const struct {
        const char *path, *why;
    } rows[] = {
        {"/nowhere/at.all", "gone"          },
        {broken,            "something else"},
    };
    str_copy(broken, sizeof(broken), fixture_video_path("broken.bin"));
    fixture_video_write("broken.bin", "these are no pictures, and no sound", 35);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t part = 0; part <= COUNT(names); part += 2) {
            const char *mixed[COUNT(names)];
            char want[8];
            struct err e = {0};
            struct join_spec join = spec_of(sound_path);
            memcpy(mixed, names, sizeof(mixed));
            join.segments = mixed;
            *(part < COUNT(names) ? &mixed[part] : &join.sound) = rows[i].path;
            snprintf(want, sizeof(want), "%zu", part);
            if (video_join(&join, fixture_video_path("gone.mp4"), &e) || e.code != ERR_CONFLICT ||
                strcmp(e.arg, want) != 0)
                fail_msg("part %zu, %s: %s", part, rows[i].why, e.detail);
            assert_int_equal(fixture_video_count("gone"), 0);
        }
    }
}

/* The last scenes of a film are encoded by more threads than the others. */
static void test_threads_make_no_odd_segment(void **state)
{
    (void)state;
    struct footage f = fixture_video_backdrop("auto:3", 9);
    struct err e = {0};
    char quick[512];
    str_copy(quick, sizeof(quick), fixture_video_path("quick.mp4"));
    for (int threads = 2; threads <= 16; threads *= 2) {
        struct segment_spec spec = {.width = 128,
                                    .height = 96,
                                    .tier = TIER_BASIC,
                                    .frames = lengths[3],
                                    .footage = &f,
                                    .threads = threads};
        assert_true(segment_render(&spec, quick, &e));
        const char *mixed[COUNT(names)];
        memcpy(mixed, names, sizeof(mixed));
        mixed[3] = quick;
        struct join_spec join = spec_of(sound_path);
        join.segments = mixed;
        join_or_fail(&join, fixture_video_path("threads.mp4"));
        if (!video_check(fixture_video_path("threads.mp4"), 128, 96, FRAMES, NULL, &e))
            fail_msg("%d threads: %s", threads, e.detail);
    }
}

static void test_stop(void **state)
{
    (void)state;
    struct cancel c;
    struct join_spec spec = spec_of(sound_path);
    struct err e = {0};
    cancel_init(&c, NULL);
    cancel_fire(&c);
    spec.cancel = &c;
    assert_false(video_join(&spec, fixture_video_path("stopped.mp4"), &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    e = (struct err){0};
    assert_false(video_check(sound_path, 128, 96, FRAMES, &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    e = (struct err){0};
    assert_false(video_poster(names[0], 0, fixture_video_path("stopped.jpg"), &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_int_equal(fixture_video_count("stopped"), 0);
}

static bool join_it(const char *path, struct err *e)
{
    struct join_spec spec = spec_of(sound_path);
    return video_join(&spec, path, e);
}

static void test_full_disk(void **state)
{
    (void)state;
    assert_int_equal(fixture_video_on_full_disk(join_it, fixture_video_path("fits.mp4"), 1 << 24),
                     100);
    int64_t whole = fs_size(fixture_video_path("fits.mp4"));
    /* The last one is reached only while moov is moved to the front. */
    const int64_t limits[] = {0, 30, whole / 3, whole - 1000, whole - 1};
    for (size_t i = 0; i < COUNT(limits); i++)
        if (fixture_video_on_full_disk(join_it, fixture_video_path("full.mp4"), limits[i]) !=
            ERR_DISK)
            fail_msg("limit %d of %d: not a disk error", (int)limits[i], (int)whole);
    assert_int_equal(fixture_video_count("full"), 0);
}

/* check must see every way in which a film can be wrong. */
static void test_check_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *make, *why, *says;
        int width, frames;
    } rows[] = {
        {"-i film.mp4 -c copy -movflags faststart bad.mp4",                         NULL,              NULL,           128, FRAMES},
        {"-i film.mp4 -c copy -movflags faststart bad.mp4",                         "another size",    "another size", 130,
         FRAMES                                                                                                                   },
        {"-i film.mp4 -c copy -movflags faststart bad.mp4",                         "a frame short",   "length",       128,
         FRAMES + 2                                                                                                               },
        {"-i film.mp4 -c copy -movflags faststart bad.mp4",                         "a frame more",    "place",        128,
         FRAMES - 1                                                                                                               },
        {"-i film.mp4 -c copy bad.mp4",                                             "moov at the end", "moov",         128, FRAMES},
        {"-i film.mp4 -c copy -an -movflags faststart bad.mp4",                     "no sound",        "sound stream", 128,
         FRAMES                                                                                                                   },
        {"-i film.mp4 -c copy -vn -movflags faststart bad.mp4",                     "no picture",      "sound stream", 128,
         FRAMES                                                                                                                   },
        {"-i film.mp4 -c:a copy -c:v mpeg4 -movflags faststart bad.mp4",            "other codec",     "H.264",
         128,                                                                                                               FRAMES},
        {"-i film.mp4 -c:a copy -profile:v main -movflags faststart bad.mp4",       "main profile",
         "High",                                                                                                       128, FRAMES},
        {"-i film.mp4 -c:v copy -c:a libmp3lame -movflags faststart bad.mp4",       "mp3",             "AAC",          128,
         FRAMES                                                                                                                   },
        {"-i film.mp4 -c:v copy -c:a aac -ar 44100 -movflags faststart bad.mp4",    "44.1 kHz",        "AAC",
         128,                                                                                                               FRAMES},
        {"-i film.mp4 -c:a copy -r 25 -profile:v high -movflags faststart bad.mp4", "25 fps",
         "30 frames",                                                                                                  128, FRAMES},
        {"-i film.mp4 -t 3 -c copy -movflags faststart bad.mp4",                    "cut short",       "length",       128,
         FRAMES                                                                                                                   },
        {"-i film.mp4 -c:v copy -af atrim=0:3 -movflags faststart bad.mp4",         "sound too short",
         "sound has",                                                                                                  128, FRAMES},
    };
    struct join_spec spec = spec_of(sound_path);
    join_or_fail(&spec, fixture_video_path("film.mp4"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        fixture_video_make(rows[i].make);
        bool ok =
            video_check(fixture_video_path("bad.mp4"), rows[i].width, 96, rows[i].frames, NULL, &e);
        if (!rows[i].says && !ok)
            fail_msg("a copy of a good film: %s", e.detail);
        if (rows[i].says && (ok || e.code != ERR_INTERNAL || !strstr(e.detail, rows[i].says)))
            fail_msg("%s: %s", rows[i].why, ok ? "accepted" : e.detail);
    }
}

static void test_poster(void **state)
{
    (void)state;
    struct join_spec spec = spec_of(sound_path);
    struct err e = {0};
    static char film[512], jpeg[512];
    AVFrame *frames[FRAMES], *poster[1];
    str_copy(film, sizeof(film), fixture_video_path("film.mp4"));
    str_copy(jpeg, sizeof(jpeg), fixture_video_path("film.jpg"));
    join_or_fail(&spec, film);
    assert_int_equal(fixture_video_read(film, frames, FRAMES), FRAMES);
    const int at[] = {0, 60, FRAMES - 1, 100000};
    for (size_t i = 0; i < COUNT(at); i++) {
        struct media_info info;
        /* a little later than the frame's start, so that rounding cannot name its neighbour */
        if (!video_poster(film, at[i] * 1000LL / 30 + 1, jpeg, NULL, &e))
            fail_msg("%d: %s", at[i], e.detail);
        assert_true(video_probe(jpeg, NULL, &info, &e));
        assert_int_equal(info.kind, FOOTAGE_PHOTO);
        assert_int_equal(info.width, 128);
        assert_int_equal(info.height, 96);
        /* Through the photo path and back it has the film's colours again: range and matrix are
           right. */
        struct footage f = fixture_video_photo("film.jpg", 1);
        fixture_video_render(&f, 128, 96, 1, fixture_video_path("poster.mp4"));
        assert_int_equal(fixture_video_read(fixture_video_path("poster.mp4"), poster, 1), 1);
        const AVFrame *want = frames[MIN(at[i], FRAMES - 1)];
        for (int p = 0; p < 3; p++) {
            double is = fixture_video_mean(poster[0], p, 0, 0, 100, 100);
            double was = fixture_video_mean(want, p, 0, 0, 100, 100);
            if (is < was - 2.5 || is > was + 2.5)
                fail_msg("poster at frame %d, plane %d: %.1f, film %.1f", at[i], p, is, was);
        }
        fixture_video_free(poster, 1);
    }
    fixture_video_free(frames, FRAMES);
    assert_false(video_poster(sound_path, 0, jpeg, NULL, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_film),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_equal_bytes),
        cmocka_unit_test(test_odd_segment),
        cmocka_unit_test(test_parts_that_are_gone),
        cmocka_unit_test(test_threads_make_no_odd_segment),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_check_refuses),
        cmocka_unit_test(test_poster),
    };
    return cmocka_run_group_tests(tests, start, fixture_video_stop);
}
