/* Segments: what every one has in common, and what bad input, a stop and a full disk get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/video/media.h"
#include "tests/fixture_video.h"

static struct segment_spec spec_of(const struct footage *f, int frames)
{
    return (struct segment_spec){.width = 128,
                                 .height = 96,
                                 .tier = TIER_BASIC,
                                 .frames = frames,
                                 .footage = f,
                                 .threads = 1};
}

static void make_sources(void)
{
    fixture_video_make("-f lavfi -i testsrc2=s=160x120:r=25:d=2 -c:v libx264 -pix_fmt yuv420p "
                       "-movflags faststart clip.mp4");
    fixture_video_make("-f lavfi -i testsrc2=s=300x200 -frames:v 1 photo.jpg");
}

static AVFormatContext *open_film(const char *path)
{
    static struct media_watch w;
    AVFormatContext *fmt = NULL;
    bool still;
    struct err e = {0};
    if (!media_open(path, &w, &fmt, &still, &e))
        fail_msg("%s", e.detail);
    return fmt;
}

static void check_packets(AVFormatContext *fmt, int frames)
{
    AUTO(av_packet_free) AVPacket *p = av_packet_alloc();
    int count = 0;
    while (av_read_frame(fmt, p) >= 0) {
        if (count == 0)
            assert_true(p->flags & AV_PKT_FLAG_KEY);
        assert_int_equal(av_rescale_q(p->duration, fmt->streams[0]->time_base, (AVRational){1, 30}),
                         1);
        count++;
        av_packet_unref(p);
    }
    assert_int_equal(count, frames);
}

static void test_promises(void **state)
{
    (void)state;
    make_sources();
    const struct footage sources[] = {fixture_video_backdrop("auto:0", 5),
                                      fixture_video_clip("clip.mp4", 300),
                                      fixture_video_photo("photo.jpg", 2)};
    static const int lengths[] = {1, 2, 3, 40};
    for (int tier = TIER_BASIC; tier <= TIER_PREMIUM; tier++) {
        AVCodecParameters *first = avcodec_parameters_alloc();
        for (size_t i = 0; i < COUNT(sources) * COUNT(lengths); i++) {
            struct segment_spec spec = spec_of(&sources[i % 3], lengths[i / 3]);
            struct err e = {0};
            spec.tier = tier;
            if (!segment_render(&spec, fixture_video_path("seg.mp4"), &e))
                fail_msg("%s", e.detail);
            AVFormatContext *fmt = open_film(fixture_video_path("seg.mp4"));
            const AVCodecParameters *p = fmt->streams[0]->codecpar;
            assert_int_equal(fmt->nb_streams, 1);
            assert_int_equal(p->codec_id, AV_CODEC_ID_H264);
            assert_int_equal(p->profile, FF_PROFILE_H264_HIGH);
            assert_int_equal(p->format, AV_PIX_FMT_YUV420P);
            assert_int_equal(p->color_range, AVCOL_RANGE_MPEG);
            assert_int_equal(p->color_space, AVCOL_SPC_BT709);
            assert_int_equal(p->color_trc, AVCOL_TRC_BT709);
            assert_int_equal(p->color_primaries, AVCOL_PRI_BT709);
            assert_int_equal(p->width, 128);
            if (i == 0)
                avcodec_parameters_copy(first, p);
            assert_int_equal(p->extradata_size, first->extradata_size);
            assert_memory_equal(p->extradata, first->extradata, (size_t)p->extradata_size);
            check_packets(fmt, lengths[i / 3]);
            avformat_close_input(&fmt);
        }
        avcodec_parameters_free(&first);
    }
    assert_int_equal(fixture_video_count(".part"), 0);
}

static void test_equal_bytes(void **state)
{
    (void)state;
    make_sources();
    const struct footage sources[] = {fixture_video_backdrop("stars", 5),
                                      fixture_video_clip("clip.mp4", 300),
                                      fixture_video_photo("photo.jpg", 2)};
    for (size_t i = 0; i < COUNT(sources); i++) {
        char *a = NULL, *b = NULL;
        size_t a_len = 0, b_len = 0;
        struct err e = {0};
        fixture_video_render(&sources[i], 128, 96, 45, fixture_video_path("a.mp4"));
        fixture_video_render(&sources[i], 128, 96, 45, fixture_video_path("b.mp4"));
        assert_true(fs_read(fixture_video_path("a.mp4"), 1 << 24, &a, &a_len, &e));
        assert_true(fs_read(fixture_video_path("b.mp4"), 1 << 24, &b, &b_len, &e));
        assert_int_equal(a_len, b_len);
        assert_memory_equal(a, b, a_len);
        free(a);
        free(b);
    }
}

/* --- hostile and unlucky input --- */

static void cut(const char *from, const char *to, size_t keep)
{
    struct err e = {0};
    char *bytes = NULL;
    size_t len = 0;
    assert_true(fs_read(fixture_video_path(from), 1 << 24, &bytes, &len, &e));
    fixture_video_write(to, bytes, MIN(len, keep));
    free(bytes);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } rows[] = {
        {"missing.mp4",  "not there"                                      },
        {"zero.mp4",     "no byte in it"                                  },
        {"playlist.mp4", "a playlist could name other files and addresses"},
        {"concat.mp4",   "so could a concat script"                       },
        {"sdp.mp4",      "and a session description"                      },
        {"text.png",     "plain text"                                     },
        {"audio.m4a",    "sound only"                                     },
        {"cover.m4a",    "the cover of a song is no footage"              },
        {"nomoov.mp4",   "cut off before its index"                       },
        {"garbage.mp4",  "right first bytes, then noise"                  },
        {"garbage.jpg",  "the same for a picture"                         },
        {"garbage.mkv",  "the same for Matroska"                          },
        {"folder.mp4",   "a folder"                                       },
        {"fifo.mp4",     "a pipe must not make us wait"                   },
    };
    fixture_video_make("-f lavfi -i testsrc2=s=160x120:r=25:d=2 -c:v libx264 plain.mp4");
    fixture_video_make("-f lavfi -i sine=d=1 audio.m4a");
    fixture_video_make("-f lavfi -i sine=d=1 -f lavfi -i testsrc2=s=64x64 -frames:v 1 -c:v mjpeg "
                       "-disposition:v attached_pic cover.m4a");
    static const char playlist[] = "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n";
    static const char concat[] = "ffconcat version 1.0\nfile plain.mp4\n";
    static const char sdp[] = "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n";
    fixture_video_write("zero.mp4", "", 0);
    fixture_video_write("playlist.mp4", playlist, sizeof(playlist) - 1);
    fixture_video_write("concat.mp4", concat, sizeof(concat) - 1);
    fixture_video_write("sdp.mp4", sdp, sizeof(sdp) - 1);
    fixture_video_write("text.png", "hello", 5);
    cut("plain.mp4", "nomoov.mp4", 9000);
    unsigned char noise[20000];
    unsigned state_of_noise = 1;
    for (size_t i = 0; i < sizeof(noise); i++) {
        state_of_noise = state_of_noise * 1103515245 + 12345;
        noise[i] = (unsigned char)(state_of_noise >> 16);
    }
    memcpy(noise,
           "\0\0\0\x18"
           "ftypisom",
           12);
    fixture_video_write("garbage.mp4", noise, sizeof(noise));
    memcpy(noise, "\xff\xd8\xff\xe0", 4);
    fixture_video_write("garbage.jpg", noise, sizeof(noise));
    memcpy(noise, "\x1a\x45\xdf\xa3\x84", 5);
    fixture_video_write("garbage.mkv", noise, sizeof(noise));
    assert_int_equal(mkdir(fixture_video_path("folder.mp4"), 0700), 0);
    assert_int_equal(mkfifo(fixture_video_path("fifo.mp4"), 0600), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int kind = FOOTAGE_CLIP; kind <= FOOTAGE_PHOTO; kind++) {
            struct footage f = fixture_video_clip(rows[i].name, 0);
            struct segment_spec spec = spec_of(&f, 5);
            struct err e = {0};
            f.kind = kind;
            if (segment_render(&spec, fixture_video_path("refused.mp4"), &e) ||
                e.code != ERR_INPUT || strcmp(e.user_key, "footage.broken") != 0 ||
                strcmp(e.arg, rows[i].name) != 0)
                fail_msg("%s: %s %s", rows[i].why, err_code_name(e.code), e.detail);
        }
    }
    assert_int_equal(fixture_video_count("refused"), 0);
}

static void test_probe(void **state)
{
    (void)state;
    struct media_info info;
    struct err e = {0};
    make_sources();
    assert_true(video_probe(fixture_video_path("clip.mp4"), NULL, &info, &e));
    assert_int_equal(info.kind, FOOTAGE_CLIP);
    assert_true(info.has_video && !info.has_audio && info.moov_first);
    assert_int_equal(info.width, 160);
    assert_in_range(info.duration_ms, 1990, 2010);
    assert_true(info.fps > 24.9 && info.fps < 25.1);
    assert_string_equal(info.video_codec, "h264");
    assert_string_equal(info.pixel_format, "yuv420p");
    assert_string_equal(info.profile, "High");
    fixture_video_make("-f lavfi -i sine=d=1 song.mp3");
    assert_true(video_probe(fixture_video_path("song.mp3"), NULL, &info, &e));
    assert_int_equal(info.kind, FOOTAGE_NONE);
    assert_true(info.has_audio && !info.has_video);
    /* A link that the adapter gave is a file; a name may hold anything. */
    assert_int_equal(symlink("clip.mp4", fixture_video_path("a: b%d,c|d.mp4")), 0);
    assert_true(video_probe(fixture_video_path("a: b%d,c|d.mp4"), NULL, &info, &e));
}

/* What is left of a broken clip is used; damage all over is refused; nothing crashes. */
static void test_damaged(void **state)
{
    (void)state;
    make_sources();
    cut("clip.mp4", "half.mp4", (size_t)fs_size(fixture_video_path("clip.mp4")) / 2);
    struct footage half = fixture_video_clip("half.mp4", 0);
    fixture_video_render(&half, 128, 96, 60, fixture_video_path("seg.mp4"));
    AVFrame *frames[60];
    assert_int_equal(fixture_video_read(fixture_video_path("seg.mp4"), frames, 60), 60);
    fixture_video_free(frames, 60);

    fixture_video_make("-f lavfi -i testsrc2=s=160x120:r=25:d=3 -c:v mpeg4 -g 5 ok.mkv");
    char *bytes = NULL;
    size_t len = 0;
    struct err e = {0};
    assert_true(fs_read(fixture_video_path("ok.mkv"), 1 << 24, &bytes, &len, &e));
    for (unsigned step = 37; step < 4000; step = step * 3 + 1) {
        char *bad = malloc(len);
        memcpy(bad, bytes, len);
        for (size_t at = 1500; at < len; at += step)
            bad[at] = (char)(bad[at] ^ 0x5a);
        fixture_video_write("bad.mkv", bad, len);
        free(bad);
        struct footage f = fixture_video_clip("bad.mkv", 200);
        struct segment_spec spec = spec_of(&f, 30);
        e = (struct err){0};
        if (!segment_render(&spec, fixture_video_path("seg.mp4"), &e))
            assert_int_equal(e.code, ERR_INPUT);
    }
    free(bytes);
    assert_int_equal(fixture_video_count(".part"), 0);
}

/* --- stop --- */

struct stop {
    struct cancel cancel;
    int at;
    int64_t fired_ms;
};

static void stop_at_frame(void *ctx, int done)
{
    struct stop *s = ctx;
    if (done == s->at) {
        s->fired_ms = clock_mono_ms();
        cancel_fire(&s->cancel);
    }
}

static void test_cancel(void **state)
{
    (void)state;
    make_sources();
    const struct footage sources[] = {fixture_video_backdrop("rays", 5),
                                      fixture_video_clip("clip.mp4", 0),
                                      fixture_video_photo("photo.jpg", 2)};
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct stop s = {.at = 7};
        struct segment_spec spec = spec_of(&sources[i], 100000);
        struct err e = {0};
        cancel_init(&s.cancel, NULL);
        spec.cancel = &s.cancel;
        spec.on_frame = stop_at_frame;
        spec.ctx = &s;
        assert_false(segment_render(&spec, fixture_video_path("stopped.mp4"), &e));
        assert_int_equal(e.code, ERR_CANCELLED);
        assert_true(clock_mono_ms() - s.fired_ms < 500);
        /* Fired before the start: nothing is made at all. */
        e = (struct err){0};
        assert_false(segment_render(&spec, fixture_video_path("stopped.mp4"), &e));
        assert_int_equal(e.code, ERR_CANCELLED);
    }
    assert_int_equal(fixture_video_count("stopped"), 0);
}

/* --- disk --- */

static bool render_it(const char *path, struct err *e)
{
    struct footage f = fixture_video_backdrop("dots", 5);
    struct segment_spec spec = spec_of(&f, 60);
    return segment_render(&spec, path, e);
}

static void test_full_disk(void **state)
{
    (void)state;
    assert_int_equal(fixture_video_on_full_disk(render_it, fixture_video_path("fits.mp4"), 1 << 24),
                     100);
    int64_t whole = fs_size(fixture_video_path("fits.mp4"));
    const struct {
        int64_t bytes;
        const char *why;
    } rows[] = {
        {0,         "no room at all"              },
        {20,        "within the header"           },
        {whole / 2, "in the middle"               },
        {whole - 1, "shows only when it is closed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (fixture_video_on_full_disk(render_it, fixture_video_path("full.mp4"), rows[i].bytes) !=
            ERR_DISK)
            fail_msg("%s: not a disk error", rows[i].why);
    assert_int_equal(
        fixture_video_on_full_disk(render_it, fixture_video_path("no/such/full.mp4"), 1 << 24),
        ERR_DISK);
    assert_int_equal(fixture_video_count("full"), 0);
}

/* A long scene: a hard cut to its second picture, frame by frame. */
static void test_second(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        const char *why;
    } rows[] = {
        {"red.mp4", "blue.mp4", "two clips"         },
        {"red.jpg", "blue.jpg", "two photos"        },
        {"red.mp4", "blue.jpg", "a clip and a photo"},
    };
    fixture_video_make("-f lavfi -i color=0xff0000:s=160x120:r=25:d=2 -c:v libx264 -pix_fmt "
                       "yuv420p red.mp4");
    fixture_video_make("-f lavfi -i color=0x0000ff:s=160x120:r=25:d=2 -c:v libx264 -pix_fmt "
                       "yuv420p blue.mp4");
    fixture_video_make("-f lavfi -i color=0xff0000:s=160x120 -frames:v 1 red.jpg");
    fixture_video_make("-f lavfi -i color=0x0000ff:s=160x120 -frames:v 1 blue.jpg");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct footage f[2] = {
            str_ends(rows[i].first, "mp4") ? fixture_video_clip(rows[i].first, 0)
                                           : fixture_video_photo(rows[i].first, 2),
            str_ends(rows[i].second, "mp4") ? fixture_video_clip(rows[i].second, 0)
                                            : fixture_video_photo(rows[i].second, 2)};
        struct segment_spec spec = spec_of(&f[0], 20);
        AVFrame *frames[20] = {0};
        struct err e = {0};
        spec.second = &f[1];
        spec.second_frame = 8;
        if (!segment_render(&spec, fixture_video_path("seg.mp4"), &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        assert_int_equal(fixture_video_read(fixture_video_path("seg.mp4"), frames, 20), 20);
        for (int n = 0; n < 20; n++) {
            bool red = fixture_video_mean(frames[n], 2, 0, 0, 100, 100) > 160;
            bool blue = fixture_video_mean(frames[n], 1, 0, 0, 100, 100) > 160;
            if (red != (n < 8) || blue != (n >= 8))
                fail_msg("%s: frame %d", rows[i].why, n);
        }
        fixture_video_free(frames, 20);
        spec.second_frame = 20;
        assert_false(segment_render(&spec, fixture_video_path("seg.mp4"), &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promises),  cmocka_unit_test(test_equal_bytes),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_probe),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_full_disk), cmocka_unit_test(test_second),
    };
    return cmocka_run_group_tests(tests, fixture_video_start, fixture_video_stop);
}
