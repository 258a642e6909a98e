/*
 * Voices, music under them, one loudness, peaks under a ceiling, AAC: in this order. The mix stays
 * in memory (23 MB a minute), everything else passes in blocks of 100 ms.
 */
#include <math.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/video/music.h"
#include "core/video/sound_priv.h"

/* Loudness in LUFS, levels in dB. */
#define TARGET (-14.0)
#define TARGET_NEAR 0.1     /* close enough */
#define GAIN_MAX 45.0       /* a whisper is not blown up to noise */
#define MUSIC_UNDER (-20.3) /* bed against voice; the limiter takes the voice 1-2 dB nearer */
#define MUSIC_OPEN 9.0      /* louder by this in long gaps: 10 dB under the voice */
#define CEILING (-2.5)      /* true peak before AAC, which adds up to about 1 dB */
#define PEAK_MAX (-1.65)    /* true peak of the decoded file; promised: -1.5 */

enum {
    GAP_MS = 1000, /* shorter gaps keep the music down */
    DOWN_MS = 180, /* and it is down when the voice begins */
    UP_MS = 500,
    FADE_MS = 1500,
    ROUNDS_MAX = 6,      /* of gain and limiter, until the loudness is right */
    TRIES_MAX = 5,       /* of encoding, until the decoded peak is right */
    MUSIC_SAMPLE_S = 40, /* of music that is measured */
};

bool sound_cancelled(const struct cancel *cancel, struct err *e)
{
    if (!cancel_fired(cancel))
        return false;
    return !err_set(e, ERR_CANCELLED, "make.cancelled", "sound: cancelled");
}

static double from_db(double db)
{
    return pow(10, db / 20);
}

static double to_db(double linear)
{
    return 20 * log10(MAX(linear, 1e-9));
}

static void mix_free(struct mix *m)
{
    free(m->lr);
    free(m->spoken);
}

/* Closes gaps of speech under GAP_MS, so that the music does not pump between sentences. */
static void close_gaps(struct mix *m)
{
    const int64_t gap = GAP_MS * SOUND_TICKS_PER_S / 1000;
    int64_t last = -1; /* last spoken tick */
    for (int64_t t = 0; t < m->ticks; t++) {
        if (!m->spoken[t])
            continue;
        if (last >= 0 && t - last <= gap)
            memset(m->spoken + last, 1, (size_t)(t - last));
        last = t;
    }
}

/* How far the music is up, in dB over its level under the voice, per tick: a straight line down
   that ends where speech begins, another up from where it ends. */
static float *duck_curve(const struct mix *m)
{
    float *up = malloc(((size_t)m->ticks + 1) * sizeof(float));
    if (!up)
        return NULL;
    const float rise = (float)(MUSIC_OPEN * 1000 / UP_MS / SOUND_TICKS_PER_S);
    const float fall = (float)(MUSIC_OPEN * 1000 / DOWN_MS / SOUND_TICKS_PER_S);
    float level = (float)MUSIC_OPEN;
    for (int64_t t = 0; t < m->ticks; t++) {
        level = m->spoken[t] ? 0 : MIN(level + rise, (float)MUSIC_OPEN);
        up[t] = level;
    }
    up[m->ticks] = level;
    for (int64_t t = m->ticks - 1; t >= 0; t--)
        up[t] = MIN(up[t], up[t + 1] + fall);
    return up;
}

static void music_free(struct music **m)
{
    music_destroy(*m);
}

/* The whole bed in place of what is in the mix, and how loud it is. */
static bool play_music(const struct sound_spec *spec, struct mix *m, double *ret_lufs,
                       struct err *e)
{
    AUTO(loudness_destroy) struct loudness *meter = NULL;
    AUTO(music_free) struct music *music = NULL;
    if (!loudness_create(&meter, e) || !music_create(spec->mood, spec->seed, m->samples, &music, e))
        return false;
    for (int64_t at = 0; at < m->samples; at += SOUND_BLOCK) {
        size_t count = (size_t)MIN(m->samples - at, (int64_t)SOUND_BLOCK);
        music_render(music, m->lr + 2 * at, count);
        if (sound_cancelled(m->cancel, e) || (at < (int64_t)MUSIC_SAMPLE_S * VIDEO_RATE &&
                                              !loudness_feed(meter, m->lr + 2 * at, count, e)))
            return false;
    }
    *ret_lufs = loudness_value(meter);
    return true;
}

/* Half a cosine in and out. */
static double fade_at(int64_t at, int64_t samples)
{
    double length = MIN((double)FADE_MS * VIDEO_RATE / 1000, (double)samples / 2);
    double near = (double)MIN(at, samples - 1 - at);
    return near >= length ? 1 : 0.5 - 0.5 * cos(M_PI * near / length);
}

/* The bed in the mix to this level under the voice; up in gaps, in at the start, out at the end. */
static bool duck_music(struct mix *m, double level, struct err *e)
{
    AUTO(free_ptr) float *curve = duck_curve(m);
    if (!curve)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "sound: out of memory");
    for (int64_t t = 0; t < m->ticks; t++) {
        double gain = level * from_db(curve[t]);
        double step = (level * from_db(curve[t + 1]) - gain) / SOUND_TICK;
        for (int64_t i = 0; i < SOUND_TICK && t * SOUND_TICK + i < m->samples; i++) {
            int64_t at = t * SOUND_TICK + i;
            float g = (float)((gain + step * (double)i) * fade_at(at, m->samples));
            m->lr[2 * at] *= g;
            m->lr[2 * at + 1] *= g;
        }
    }
    return !sound_cancelled(m->cancel, e);
}

static bool add_voices(const struct sound_spec *spec, struct mix *m, struct err *e)
{
    for (size_t i = 0; i < spec->voice_count; i++)
        if (!voice_add(m, &spec->voices[i], e))
            return false;
    return true;
}

/* Voices first: the music's level follows from theirs. They are added again to the bed, which is
   cheaper than a second mix or playing it twice. */
static bool mix_fill(const struct sound_spec *spec, struct mix *m, struct err *e)
{
    double voice = SOUND_SILENCE, music = SOUND_SILENCE;
    if (!add_voices(spec, m, e))
        return false;
    close_gaps(m);
    if (spec->mood && strcmp(spec->mood, "off") == 0)
        return true;
    if (!loudness_measure(m, &voice, e) || !play_music(spec, m, &music, e))
        return false;
    if (voice <= SOUND_SILENCE)
        voice = TARGET; /* nobody speaks: the master brings it up */
    /* Too short to be heard as music: none. */
    double level = music <= SOUND_SILENCE ? 0 : from_db(voice + MUSIC_UNDER - music);
    return duck_music(m, level, e) && add_voices(spec, m, e);
}

/* One gain to the target, then peaks under the ceiling; limiting takes a little loudness away, so
   it is measured again. */
static bool mix_master(struct mix *m, double ceiling_db, struct err *e)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        double lufs = SOUND_SILENCE;
        if (!loudness_measure(m, &lufs, e))
            return false;
        if (lufs <= SOUND_SILENCE) /* silence stays silence */
            return limiter_run(m, from_db(ceiling_db), e);
        if (i > 0 && fabs(TARGET - lufs) < TARGET_NEAR)
            return true;
        /* What is added late mostly meets the limiter: about half of it is heard. */
        double more = (TARGET - lufs) * (i > 0 && lufs < TARGET ? 1.8 : 1);
        float gain = (float)from_db(MIN(more, GAIN_MAX));
        for (int64_t k = 0; k < 2 * m->samples; k++)
            m->lr[k] *= gain;
        if (!limiter_run(m, from_db(ceiling_db), e))
            return false;
    }
    return true;
}

/* Encodes, listens, and lowers the ceiling until what a player hears keeps the promise. */
static bool write_checked(struct mix *m, const char *path, struct err *e)
{
    double ceiling = CEILING;
    for (int i = 0;; i++) {
        double peak = 0;
        if (!mix_master(m, ceiling, e) || !aac_write(m, AAC_BITS, path, e) ||
            !aac_peak(path, m->cancel, &peak, e))
            return false;
        double over = to_db(peak) - PEAK_MAX;
        if (over <= 0 || i + 1 == TRIES_MAX)
            return true;
        ceiling -= over + 0.15;
    }
}

/* What both kinds of sound start from. */
static bool mix_make(struct mix *m, int64_t samples, const struct cancel *cancel, struct err *e)
{
    *m = (struct mix){
        .samples = samples, .ticks = (samples + SOUND_TICK - 1) / SOUND_TICK, .cancel = cancel};
    m->lr = calloc((size_t)samples * 2 + 2, sizeof(float));
    m->spoken = calloc((size_t)m->ticks + 1, 1);
    return (m->lr && m->spoken) || err_set(e, ERR_INTERNAL, "make.render_failed",
                                           "sound: no memory for %lld samples", (long long)samples);
}

bool sound_voice_note(const char *wav, int duration_ms, const char *path,
                      const struct cancel *cancel, struct err *e)
{
    AUTO(mix_free) struct mix m = {0};
    const struct sound_voice voice = {.wav = wav, .duration_ms = duration_ms};
    return mix_make(&m, (int64_t)duration_ms * VIDEO_RATE / 1000, cancel, e) &&
           voice_add(&m, &voice, e) && mix_master(&m, CEILING, e) && opus_write(&m, path, e);
}

bool sound_render(const struct sound_spec *spec, const char *path, struct err *e)
{
    AUTO(mix_free) struct mix m = {0};
    if (!mix_make(&m, (int64_t)spec->frames * VIDEO_SAMPLES_PER_FRAME, spec->cancel, e))
        return false;
    if (!mix_fill(spec, &m, e))
        return false;
    AUTO(free_ptr) char *draft = str_printf("%s.draft", path);
    bool ok = write_checked(&m, draft, e) && fs_publish(draft, path, e);
    if (!ok)
        unlink(draft);
    return ok;
}
