#include <math.h>

#include "core/base/strbuf.h"
#include "core/video/music_priv.h"
#include "core/video/sound_priv.h"

/* Levels are of the signal as a share of full scale. */
#define VOICE_LEVEL 0.1     /* -20 dB, mean of the spoken parts */
#define FLOOR_POWER 1e-6    /* -60 dB: below this nothing is said */
#define GAIN_MAX 30.0       /* +29.5 dB */
#define ACTIVE_BELOW 0.0032 /* -25 dB under the level still counts as speech */
#define COMP_THRESHOLD 0.14 /* a little above the level */
#define COMP_RATIO 3.0
#define BEND_FROM 0.30 /* peaks above are rounded off, */
#define BEND_TO 0.42   /* and never pass this */

enum { VOICE_TICKS_MAX = 30 * 60 * SOUND_TICKS_PER_S, EDGE = VIDEO_RATE / 200 };

/* High pass without thump: espeak's plosives and rumble carry energy that only eats headroom. */
struct cleaner {
    struct biquad low_cut[2];
};

static struct cleaner cleaner_make(void)
{
    /* Two sections make a fourth-order Butterworth. */
    return (struct cleaner){
        .low_cut = {biquad_high_pass(VIDEO_RATE, 80, 0.5412),
                    biquad_high_pass(VIDEO_RATE, 80, 1.3066)}
    };
}

static void cleaner_run(struct cleaner *c, float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)biquad_step(&c->low_cut[1], 0, biquad_step(&c->low_cut[0], 0, x[i]));
}

struct compressor {
    double envelope;
};

/* Levels out syllables (2 ms down, 90 ms up) and rounds off what is still a spike: espeak's glottal
   pulses are 17 dB above its mean, and a limiter alone would have to hold the whole voice down. */
static void compressor_run(struct compressor *c, float *x, size_t count)
{
    const double attack = 1 - exp(-1.0 / (0.002 * VIDEO_RATE));
    const double release = 1 - exp(-1.0 / (0.090 * VIDEO_RATE));
    for (size_t i = 0; i < count; i++) {
        double a = fabs(x[i]);
        c->envelope += (a > c->envelope ? attack : release) * (a - c->envelope);
        double y = x[i];
        if (c->envelope > COMP_THRESHOLD)
            y *= pow(c->envelope / COMP_THRESHOLD, 1 / COMP_RATIO - 1);
        double room = BEND_TO - BEND_FROM;
        if (fabs(y) > BEND_FROM)
            y = copysign(BEND_FROM + room * tanh((fabs(y) - BEND_FROM) / room), y);
        x[i] = (float)y;
    }
}

struct survey {
    float *power; /* mean square per tick */
    size_t ticks, room;
    double gain;
    double active_power; /* after which a tick counts as speech, before gain */
};

static void survey_free(struct survey *s)
{
    free(s->power);
}

static bool survey_push(struct survey *s, double mean_square)
{
    if (s->ticks == s->room) {
        size_t room = s->room ? 2 * s->room : 1024;
        float *grown = room > VOICE_TICKS_MAX ? NULL : realloc(s->power, room * sizeof(float));
        if (!grown)
            return false;
        s->power = grown;
        s->room = room;
    }
    s->power[s->ticks++] = (float)mean_square;
    return true;
}

/* First reading: how loud is speech in this file, and when. */
static bool survey_read(const char *path, const struct cancel *cancel, struct survey *s,
                        struct err *e)
{
    AUTO(wav_close) struct wav *w = NULL;
    struct cleaner clean = cleaner_make();
    size_t filled = 0, count = 0;
    double sum = 0;
    float block[SOUND_BLOCK];
    if (!wav_open(path, &w, e))
        return false;
    do {
        if (sound_cancelled(cancel, e) || !wav_read(w, block, COUNT(block), &count, e))
            return false;
        cleaner_run(&clean, block, count);
        for (size_t i = 0; i < count; i++) {
            sum += (double)block[i] * block[i];
            if (++filled < SOUND_TICK)
                continue;
            if (!survey_push(s, sum / SOUND_TICK))
                return err_set(e, ERR_LIMIT, "make.render_failed", "%s: too long", path);
            sum = 0;
            filled = 0;
        }
    } while (count);
    return true;
}

/* Mean over the ticks louder than `gate`; 0 when there is none. */
static double gated_mean(const struct survey *s, double gate)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < s->ticks; i++)
        if (s->power[i] > gate) {
            sum += s->power[i];
            n++;
        }
    return n ? sum / (double)n : 0;
}

static void survey_level(struct survey *s)
{
    double all = gated_mean(s, FLOOR_POWER);
    double level = gated_mean(s, MAX(FLOOR_POWER, all / 10)); /* pauses do not count */
    s->gain = level > 0 ? MIN(VOICE_LEVEL / sqrt(level), GAIN_MAX) : 1;
    s->active_power = MAX(FLOOR_POWER, level * ACTIVE_BELOW);
}

static void mark_spoken(struct mix *mix, const struct survey *s, int64_t start)
{
    for (size_t i = 0; i < s->ticks; i++) {
        int64_t tick = start / SOUND_TICK + (int64_t)i;
        if (s->power[i] > s->active_power && tick >= 0 && tick < mix->ticks)
            mix->spoken[tick] = 1;
    }
}

static void add_samples(struct mix *mix, const float *x, size_t count, int64_t at)
{
    for (size_t i = 0; i < count; i++) {
        int64_t to = at + (int64_t)i;
        if (to < 0 || to >= mix->samples)
            continue;
        mix->lr[2 * to] += x[i];
        mix->lr[2 * to + 1] += x[i];
    }
}

/* Ramps of 5 ms at both ends, so that a cut voice does not click. */
static void soften_edges(float *x, size_t count, int64_t done, int64_t total)
{
    for (size_t i = 0; i < count; i++) {
        int64_t from_start = done + (int64_t)i, to_end = total - 1 - from_start;
        int64_t near = MIN(from_start, MAX(to_end, 0));
        if (near < EDGE)
            x[i] *= (float)near / EDGE;
    }
}

bool voice_add(struct mix *mix, const struct sound_voice *voice, struct err *e)
{
    AUTO(survey_free) struct survey s = {0};
    if (!survey_read(voice->wav, mix->cancel, &s, e))
        return false;
    survey_level(&s);
    int64_t start = voice->start_ms * VIDEO_RATE / 1000;
    mark_spoken(mix, &s, start);
    AUTO(wav_close) struct wav *w = NULL;
    if (!wav_open(voice->wav, &w, e))
        return false;
    struct cleaner clean = cleaner_make();
    struct compressor comp = {0};
    int64_t total = (int64_t)s.ticks * SOUND_TICK, done = 0;
    size_t count = 0;
    float block[SOUND_BLOCK];
    do {
        if (sound_cancelled(mix->cancel, e) || !wav_read(w, block, COUNT(block), &count, e))
            return false;
        cleaner_run(&clean, block, count);
        for (size_t i = 0; i < count; i++)
            block[i] *= (float)s.gain;
        compressor_run(&comp, block, count);
        soften_edges(block, count, done, total);
        add_samples(mix, block, count, start + done);
        done += (int64_t)count;
    } while (count);
    return true;
}
