/* The finished sound track, decoded by the ffmpeg program and measured: loudness, peaks, bit rate,
   ducking, length, silence, cancel, bad voices. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/video/music_priv.h"
#include "core/video/video.h"

static char folder[256];

static int start(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/nanotik-sound-XXXXXX", tmp ? tmp : "/tmp");
    video_setup();
    hash_setup();
    return mkdtemp(folder) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    fs_remove(folder);
    return 0;
}

/* Valid until the eighth next call. */
static const char *path_of(const char *name)
{
    static char paths[8][512];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof(paths[0]), "%s/%s", folder, name);
    return p;
}

static void put32(FILE *f, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        fputc((int)(v >> (8 * i) & 0xFF), f);
}

/* A "voice": a tone in syllables of 0.2 s (a low one with spikes), said_ms of it, then silence. */
static const char *make_voice(const char *name, int rate, int channels, double hz, double level,
                              int said_ms, int total_ms)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    uint32_t samples = (uint32_t)((int64_t)rate * total_ms / 1000);
    uint32_t bytes = samples * 2 * (uint32_t)channels;
    fputs("RIFF", f);
    put32(f, 36 + bytes);
    fputs("WAVEfmt ", f);
    put32(f, 16);
    put32(f, 1u | (uint32_t)channels << 16);
    put32(f, (uint32_t)rate);
    put32(f, (uint32_t)(rate * 2 * channels));
    put32(f, (uint32_t)(2 * channels) | 16u << 16);
    fputs("data", f);
    put32(f, bytes);
    for (uint32_t i = 0; i < samples; i++) {
        double t = (double)i / rate, syllable = fmod(t, 0.25);
        double env = t * 1000 < said_ms && syllable < 0.2 ? sin(M_PI * syllable / 0.2) : 0;
        double x = level * env * sin(2 * M_PI * hz * t);
        if (hz < 1000 && env > 0.9 && i % 997 == 0)
            x = fmin(3 * level, 0.98); /* a glottal spike */
        int v = (int)lrint(32767 * x);
        for (int c = 0; c < channels; c++) {
            fputc(v & 0xFF, f);
            fputc(v >> 8 & 0xFF, f);
        }
    }
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct sound_spec spec_of(const struct sound_voice *voices, size_t count, int frames,
                                 const char *mood)
{
    return (struct sound_spec){
        .voices = voices, .voice_count = count, .frames = frames, .mood = mood, .seed = 9};
}

static void render(const struct sound_spec *spec, const char *path)
{
    struct err e = {0};
    if (!sound_render(spec, path, &e))
        fail_msg("%s", e.detail);
}

/* Runs a shell command; its output, the caller's. */
static char *run(const char *command)
{
    struct strbuf out = STRBUF(1 << 20);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    char line[512];
    while (fgets(line, sizeof(line), p))
        strbuf_adds(&out, line);
    assert_int_equal(pclose(p), 0);
    return strbuf_take(&out);
}

/* What ffmpeg's own meter says about the decoded file. */
static void measure(const char *options, const char *path, double *ret_lufs, double *ret_peak)
{
    char command[700];
    snprintf(
        command, sizeof(command),
        "ffmpeg -nostdin -hide_banner -nostats %s -i '%s' -af ebur128=peak=true -f null - 2>&1",
        options, path);
    char *text = run(command);
    const char *summary = strstr(text, "Summary:");
    assert_non_null(summary);
    const char *i = strstr(summary, "I:"), *peak = strstr(summary, "Peak:");
    assert_non_null(i);
    assert_non_null(peak);
    *ret_lufs = strtod(i + 2, NULL);
    *ret_peak = strtod(peak + 5, NULL);
    free(text);
}

/* Decoded to interleaved floats by ffmpeg; the caller frees. */
static float *decode(const char *path, int64_t *ret_samples)
{
    char command[1200];
    const char *raw = path_of("decoded.f32");
    snprintf(command, sizeof(command),
             "ffmpeg -nostdin -v error -y -i '%s' -f f32le -ac 2 -ar 48000 '%s'", path, raw);
    free(run(command));
    struct err e = {0};
    char *bytes = NULL;
    size_t len = 0;
    assert_true(fs_read(raw, 256 << 20, &bytes, &len, &e));
    *ret_samples = (int64_t)(len / 8);
    return (float *)(void *)bytes;
}

static void loudness_and_peak_are_as_promised(void **state)
{
    (void)state;
    static const struct {
        int rate, channels;
        double level;
        const char *mood, *why;
    } rows[] = {
        {22050, 1, 0.02, "calm",     "a quiet voice"       },
        {16000, 1, 0.30, "upbeat",   "a loud and spiky one"},
        {48000, 2, 0.10, "off",      "no music"            },
        {44100, 1, 0.10, "dramatic", "low drums under it"  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *wav =
            make_voice("v.wav", rows[i].rate, rows[i].channels, 300, rows[i].level, 2600, 3000);
        struct sound_voice voices[] = {
            {wav, 200,  3000},
            {wav, 3800, 3000}
        };
        struct sound_spec spec = spec_of(voices, 2, 240, rows[i].mood);
        const char *out = path_of("out.m4a");
        render(&spec, out);
        double lufs = 0, peak = 0;
        measure("", out, &lufs, &peak);
        long long bits_s = fs_size(out) * 8 / (240 / STORY_FPS);
        if (fabs(lufs + 14) > 0.5 || peak > -1.5)
            fail_msg("%s: %.1f LUFS, %.1f dBTP", rows[i].why, lufs, peak);
        if (bits_s < 90000 || bits_s > 140000) /* meant: at most 128,000, and the container */
            fail_msg("%s: %lld bits a second", rows[i].why, bits_s);
    }
}

/* What a chat plays as a voice message: Ogg Opus, mono, as loud as a film, as long as it was spoken. */
static void a_voice_note_is_playable(void **state)
{
    (void)state;
    struct err e = {0};
    const char *wav = make_voice("n.wav", 24000, 1, 300, 0.05, 2600, 3000);
    const char *out = path_of("note.ogg");
    char command[700];
    double lufs = 0, peak = 0;
    if (!sound_voice_note(wav, 3000, out, NULL, &e))
        fail_msg("%s", e.detail);
    snprintf(command, sizeof(command),
             "ffprobe -v error -show_entries format=format_name,duration:"
             "stream=codec_name,channels,sample_rate -of compact=p=0:nk=1 '%s'",
             out);
    char *told = run(command);
    assert_non_null(strstr(told, "opus|48000|1"));
    assert_non_null(strstr(told, "ogg|3.0"));
    free(told);
    measure("", out, &lufs, &peak);
    if (fabs(lufs + 14) > 4 || peak > -1) /* mono: half the power of two channels */
        fail_msg("%.1f LUFS, %.1f dBTP", lufs, peak);
    assert_false(sound_voice_note(path_of("none.wav"), 3000, path_of("no.ogg"), NULL, &e));
    assert_false(fs_exists(path_of("no.ogg")));
}

static void length_is_exact(void **state)
{
    (void)state;
    static const int frames[] = {30, 61, 127};
    const char *wav = make_voice("v.wav", 22050, 1, 300, 0.1, 700, 800);
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct sound_voice voice = {wav, 100, 800};
        struct sound_spec spec = spec_of(&voice, 1, frames[i], "calm");
        const char *out = path_of("out.m4a");
        render(&spec, out);
        int64_t samples = 0;
        free(decode(out, &samples));
        int64_t want = (int64_t)frames[i] * VIDEO_SAMPLES_PER_FRAME;
        assert_true(samples >= want && samples - want < 1024); /* AAC ends on whole blocks */
        struct media_info info;
        struct err e = {0};
        assert_true(video_probe(out, NULL, &info, &e));
        assert_true(llabs(info.duration_ms - (int64_t)frames[i] * 1000 / 30) <= 2);
        assert_string_equal(info.audio_codec, "aac");
        assert_false(info.has_video);
    }
}

/* Mean level in dB between two times of all there is, or of what is below some 300 Hz. */
static double level_of(const float *lr, double from_s, double to_s, bool only_low)
{
    double sum = 0, n = 0, low[4] = {0};
    for (int64_t i = (int64_t)((from_s - 0.02) * VIDEO_RATE); i < (int64_t)(to_s * VIDEO_RATE);
         i++) {
        double x = lr[2 * i];
        for (int k = 0; only_low && k < 4; k++)
            x = low[k] += 0.0385 * (x - low[k]);
        if (i < (int64_t)(from_s * VIDEO_RATE))
            continue;
        sum += x * x;
        n++;
    }
    return 10 * log10(sum / n + 1e-12);
}

static void music_ducks_under_the_voice(void **state)
{
    (void)state;
    /* The voice is a tone of 3 kHz: below 300 Hz there is only music, and how far it is down shows
       against the same music rendered alone. */
    const char *wav = make_voice("v.wav", 48000, 1, 3000, 0.1, 3000, 3000);
    struct sound_voice voices[] = {
        {wav, 3000,  3000},
        {wav, 6500,  3000},
        {wav, 13000, 3000}
    };
    struct sound_spec spec = spec_of(voices, 3, 600, "upbeat");
    const char *out = path_of("out.m4a");
    render(&spec, out);
    int64_t samples = 0;
    float *lr = decode(out, &samples);
    struct err e = {0};
    struct music *m = NULL;
    float *bed = malloc(sizeof(float) * 2 * 600 * VIDEO_SAMPLES_PER_FRAME);
    assert_non_null(bed);
    assert_true(music_create("upbeat", 9, 600 * VIDEO_SAMPLES_PER_FRAME, &m, &e));
    music_render(m, bed, 600 * VIDEO_SAMPLES_PER_FRAME);
    music_destroy(m);
#define GAIN(from, to) (level_of(lr, from, to, true) - level_of(bed, from, to, true))
    double open = GAIN(10.4, 12.5);  /* a gap of 3.5 s */
    double under = GAIN(3.2, 5.8);   /* while somebody speaks */
    double between = GAIN(6.1, 6.4); /* a gap of half a second */
    double again = GAIN(13.2, 15.8);
    assert_true(open - under > 8 && open - under < 10);
    assert_true(fabs(between - under) < 1); /* stays down */
    assert_true(fabs(again - under) < 1);
    /* 18-20 dB under the voice, as loudness: the film is -14 by its voice. */
    double bed_lufs = 0, peak = 0;
    struct err io = {0};
    assert_true(
        fs_write(path_of("bed.f32"), bed, sizeof(float) * 2 * 600 * VIDEO_SAMPLES_PER_FRAME, &io));
    measure("-f f32le -ar 48000 -ac 2", path_of("bed.f32"), &bed_lufs, &peak);
    assert_true(bed_lufs + under < -14 - 17 && bed_lufs + under > -14 - 21.5);
    /* Down before the first word, and gone at the end. */
    assert_true(GAIN(2.96, 3.0) - under < 3.5);
    assert_true(level_of(lr, 19.93, 19.99, false) < -50);
    free(bed);
    free(lr);
}

static void voices_stand_where_they_were_put(void **state)
{
    (void)state;
    const char *wav = make_voice("v.wav", 22050, 1, 300, 0.2, 500, 500);
    struct sound_voice voice = {wav, 1234, 500};
    struct sound_spec spec = spec_of(&voice, 1, 90, "off");
    const char *out = path_of("out.m4a");
    render(&spec, out);
    int64_t samples = 0, first = -1;
    float *lr = decode(out, &samples);
    for (int64_t i = 0; first < 0 && i < samples; i++)
        if (fabsf(lr[2 * i]) > 0.1f)
            first = i;
    /* The first syllable rises over 0.1 s. */
    assert_in_range(first * 1000 / VIDEO_RATE, 1234, 1234 + 60);
    free(lr);
}

static void silence_is_a_valid_track(void **state)
{
    (void)state;
    const char *mute = make_voice("mute.wav", 22050, 1, 300, 0, 1000, 1000);
    struct sound_voice voice = {mute, 0, 1000};
    static const char *const moods[] = {"off", "calm", "", NULL};
    for (size_t i = 0; i < COUNT(moods); i++) {
        struct sound_spec spec = spec_of(&voice, i % 2, 60, moods[i] ? moods[i] : "off");
        const char *out = path_of("out.m4a");
        render(&spec, out);
        int64_t samples = 0;
        float *lr = decode(out, &samples);
        double sum = 0;
        for (int64_t k = 0; k < 2 * samples; k++) {
            assert_true(isfinite(lr[k]));
            sum += fabsf(lr[k]);
        }
        assert_true(samples >= 96000);
        bool music = moods[i] && strcmp(moods[i], "off") != 0;
        assert_true(music ? sum > 1000 : sum < 1);
        free(lr);
    }
    struct sound_spec tiny = spec_of(NULL, 0, 1, "upbeat"); /* one frame */
    render(&tiny, path_of("tiny.m4a"));
}

static void same_input_same_bytes(void **state)
{
    (void)state;
    const char *wav = make_voice("v.wav", 22050, 1, 300, 0.1, 900, 1000);
    struct sound_voice voice = {wav, 200, 1000};
    struct sound_spec spec = spec_of(&voice, 1, 60, "playful");
    char *made[3];
    size_t len[3];
    struct err e = {0};
    for (int i = 0; i < 3; i++) {
        spec.seed += i == 2;
        render(&spec, path_of("out.m4a"));
        assert_true(fs_read(path_of("out.m4a"), 1 << 24, &made[i], &len[i], &e));
    }
    assert_true(len[0] == len[1] && memcmp(made[0], made[1], len[0]) == 0);
    assert_false(len[0] == len[2] && memcmp(made[0], made[2], len[0]) == 0);
    for (int i = 0; i < 3; i++)
        free(made[i]);
}

static void bad_voices_are_refused_and_leave_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } rows[] = {
        {"",                                                                                   0,  "empty"                     },
        {"RIFF....WAVE",                                                                       12, "no chunks"                 },
        {"RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0data\0\0\0\0",     44,
         "no rate"                                                                                                             },
        {"RIFF....WAVEfmt \xFF\xFF\xFF\xFF\x01\0\x01\0",                                       24, "chunk longer than the file"},
        {"RIFF....WAVEfmt \x10\0\0\0\x03\0\x01\0\x80\xBB\0\0\0\0\0\0\x04\0\x20\0data\0\0\0\0", 44,
         "float samples"                                                                                                       },
        {"RIFF....WAVEdata\x10\0\0\0",                                                         20, "sound before format"       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        assert_true(fs_write(path_of("bad.wav"), rows[i].bytes, rows[i].len, &e));
        struct sound_voice voice = {path_of("bad.wav"), 0, 1000};
        struct sound_spec spec = spec_of(&voice, 1, 30, "off");
        const char *out = path_of("never.m4a");
        if (sound_render(&spec, out, &e))
            fail_msg("%s was taken", rows[i].why);
        assert_non_null(e.user_key);
        assert_false(fs_exists(out));
    }
    struct err e = {0};
    struct sound_voice missing = {path_of("none.wav"), 0, 1000};
    struct sound_spec spec = spec_of(&missing, 1, 30, "off");
    assert_false(sound_render(&spec, path_of("never.m4a"), &e));
    struct sound_spec nowhere = spec_of(NULL, 0, 30, "calm");
    assert_false(sound_render(&nowhere, path_of("no/such/folder.m4a"), &e));
    assert_int_equal(e.code, ERR_DISK);
}

static void *fire_later(void *arg)
{
    cancel_wait(NULL, 150);
    cancel_fire(arg);
    return NULL;
}

static void cancel_stops_it_soon(void **state)
{
    (void)state;
    const char *wav = make_voice("v.wav", 22050, 1, 300, 0.1, 9000, 9000);
    struct sound_voice voice = {wav, 200, 9000};
    struct sound_spec spec = spec_of(&voice, 1, 5400, "upbeat"); /* three minutes */
    struct cancel cancel;
    cancel_init(&cancel, NULL);
    spec.cancel = &cancel;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fire_later, &cancel), 0);
    int64_t begin = clock_mono_ms();
    struct err e = {0};
    assert_false(sound_render(&spec, path_of("never.m4a"), &e));
    int64_t took = clock_mono_ms() - begin;
    pthread_join(thread, NULL);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(took < 150 + 500 + 500); /* the thread's wait, the promise, a busy machine */
    assert_false(fs_exists(path_of("never.m4a")));
    assert_false(fs_exists(path_of("never.m4a.draft")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loudness_and_peak_are_as_promised),
        cmocka_unit_test(a_voice_note_is_playable),
        cmocka_unit_test(length_is_exact),
        cmocka_unit_test(music_ducks_under_the_voice),
        cmocka_unit_test(voices_stand_where_they_were_put),
        cmocka_unit_test(silence_is_a_valid_track),
        cmocka_unit_test(same_input_same_bytes),
        cmocka_unit_test(bad_voices_are_refused_and_leave_nothing),
        cmocka_unit_test(cancel_stops_it_soon),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
