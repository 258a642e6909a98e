#include <math.h>

#include "core/video/music_priv.h"

#define QUIET 0.0004f /* -68 dB: a note below this is over */

static const struct {
    float reverb, delay;
} sends[INST_COUNT] = {
    [INST_PAD] = {0.45f, 0.00f},
      [INST_BASS] = {0.04f, 0.00f},
      [INST_KEYS] = {0.40f, 0.22f},
    [INST_PLUCK] = {0.30f, 0.28f},
      [INST_MALLET] = {0.35f, 0.2f },
      [INST_BELL] = {0.65f, 0.35f},
    [INST_KICK] = {0.03f, 0.00f},
      [INST_SHAKER] = {0.12f, 0.0f },
      [INST_SNAP] = {0.35f, 0.05f},
    [INST_RIM] = {0.30f, 0.10f},
      [INST_BOOM] = {0.40f, 0.00f},
};

float inst_reverb(enum instrument inst)
{
    return sends[inst].reverb;
}

float inst_delay(enum instrument inst)
{
    return sends[inst].delay;
}

/* Harmonics that fall off like those of a string behind a gentle filter. */
static void fill_wave(float *wave, double fall, double cut, int harmonics)
{
    double peak = 0;
    for (int i = 0; i <= WAVE_SIZE; i++) {
        double x = 0;
        for (int n = 1; n <= harmonics; n++)
            x += pow(n, -fall) * exp(-n / cut) * sin(2 * M_PI * n * i / WAVE_SIZE);
        wave[i] = (float)x;
        peak = fmax(peak, fabs(x));
    }
    for (int i = 0; i <= WAVE_SIZE; i++)
        wave[i] = (float)(wave[i] / peak);
}

void waves_make(struct waves *w, double bright)
{
    fill_wave(w->sine, 1, 1e9, 1);
    fill_wave(w->soft, 1.35, 2.5 + 6 * bright, 12);
    fill_wave(w->bright, 0.8, 6.0 + 14 * bright, 24);
}

/* phase in cycles, advanced by step */
static inline float look_up(const float *wave, float *phase, float step)
{
    float at = *phase * WAVE_SIZE;
    int i = (int)at;
    float x = wave[i] + (wave[i + 1] - wave[i]) * (at - (float)i);
    *phase += step;
    *phase -= (float)(int)*phase;
    return x;
}

static inline float sine_at(const struct waves *w, float cycles)
{
    float at = (cycles - floorf(cycles)) * WAVE_SIZE;
    int i = (int)at;
    return w->sine[i] + (w->sine[i + 1] - w->sine[i]) * (at - (float)i);
}

static inline float white(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)*state * (1.0f / 2147483648.0f);
}

/* 0 to 1 over `length` samples as half a cosine: no corner, no click. */
static inline float rise(int64_t age, float length)
{
    return age >= length ? 1 : 0.5f - 0.5f * cosf((float)M_PI * (float)age / length);
}

static float decay(int64_t age, double seconds)
{
    return expf(-(float)age / (float)(seconds * MUSIC_RATE));
}

/* Seconds after which the parts of a note have fallen to a third, in the order in which its
   instrument reads them. Within a block they go on by multiplication. */
enum { FALLS_MAX = 5 };
static const double fall_s[INST_COUNT][FALLS_MAX] = {
    [INST_BASS] = {0.35  },
    [INST_KEYS] = {      0.95,  0.30, 0.05},
    [INST_PLUCK] = {  0.06,   0.42},
    [INST_MALLET] = {0.38,   0.06, 0.015},
    [INST_BELL] = {  1.3,      0.5},
    [INST_KICK] = {       0.028,      0.11},
    [INST_SHAKER] = {0.034     },
    [INST_SNAP] = {       0.055 },
    [INST_RIM] = {0.38,  0.06, 0.015, 0.03, 0.012},
    [INST_BOOM] = { 0.028, 0.38},
};

struct falls {
    int count;
    float now[FALLS_MAX], step[FALLS_MAX];
};

static struct falls falls_at(enum instrument inst, int64_t age)
{
    struct falls f = {0};
    for (; f.count < FALLS_MAX && fall_s[inst][f.count] > 0; f.count++) {
        f.now[f.count] = decay(age, fall_s[inst][f.count]);
        f.step[f.count] = decay(1, fall_s[inst][f.count]);
    }
    return f;
}

/* Two detuned waves to the left and right, slowly in, slowly out. */
static bool pad_render(struct note *n, const struct waves *w, float *left, float *right,
                       size_t count)
{
    const float attack = 0.55f * MUSIC_RATE, release = 1.1f * MUSIC_RATE;
    for (size_t i = 0; i < count; i++, n->age++) {
        float env = rise(n->age, attack);
        if (n->age > n->gate)
            env *= 1 - rise(n->age - n->gate, release);
        float drift = 0.85f + 0.15f * sine_at(w, (float)n->age * (0.23f / MUSIC_RATE) + n->pan);
        float a = look_up(w->soft, &n->phase[0], n->step * 1.0026f);
        float b = look_up(w->soft, &n->phase[1], n->step * 0.9974f);
        float c = look_up(w->bright, &n->phase[2], n->step * 1.0009f);
        float amp = n->amp * env * drift;
        left[i] += amp * (a * (1 - 0.5f * n->pan) + 0.30f * c);
        right[i] += amp * (b * (1 + 0.5f * n->pan) + 0.30f * c);
    }
    return n->age < n->gate + (int64_t)release;
}

static float bass_sample(struct note *n, const struct waves *w, const float *fall)
{
    float env = rise(n->age, 0.008f * MUSIC_RATE) * (0.55f + 0.45f * fall[0]);
    if (n->age > n->gate)
        env *= 1 - rise(n->age - n->gate, 0.12f * MUSIC_RATE);
    float x = look_up(w->sine, &n->phase[0], n->step);
    float over = look_up(w->sine, &n->phase[1], n->step * 2);
    float third = look_up(w->sine, &n->phase[2], n->step * 3);
    return env * (x + 0.32f * over + 0.10f * third);
}

/* Frequency modulation: the bite fades faster than the tone. */
static float keys_sample(struct note *n, const struct waves *w, const float *fall)
{
    float env = rise(n->age, 0.004f * MUSIC_RATE) * fall[0];
    if (n->age > n->gate)
        env *= decay(n->age - n->gate, 0.5);
    float bite = 0.22f * fall[1];
    float tine = 0.10f * fall[2];
    float mod = look_up(w->sine, &n->phase[1], n->step);
    float high = look_up(w->sine, &n->phase[2], n->step * 7);
    look_up(w->sine, &n->phase[0], n->step);
    return env * sine_at(w, n->phase[0] + bite * mod + tine * high);
}

static float pluck_sample(struct note *n, const struct waves *w, const float *fall)
{
    float snap = fall[0], body = fall[1];
    float env = rise(n->age, 0.0025f * MUSIC_RATE);
    /* The 24th partial of a high key would alias. */
    const float *sharp = n->step < 0.45f / 24 ? w->bright : w->soft;
    float bright = look_up(sharp, &n->phase[0], n->step);
    float soft = look_up(w->soft, &n->phase[1], n->step);
    return env * (0.85f * snap * bright + 0.70f * body * soft);
}

static float mallet_sample(struct note *n, const struct waves *w, const float *fall)
{
    float env = rise(n->age, 0.002f * MUSIC_RATE);
    float tone = fall[0] * look_up(w->sine, &n->phase[0], n->step);
    float wood = fall[1] * look_up(w->sine, &n->phase[1], n->step * 3.93f);
    float tick = fall[2] * look_up(w->sine, &n->phase[2], n->step * 9.2f);
    return env * (tone + 0.28f * wood + 0.10f * tick);
}

static float bell_sample(struct note *n, const struct waves *w, const float *fall)
{
    float env = rise(n->age, 0.004f * MUSIC_RATE) * fall[0];
    float mod = 0.22f * fall[1] * look_up(w->sine, &n->phase[1], n->step * 3.5f);
    look_up(w->sine, &n->phase[0], n->step);
    return 0.8f * env * sine_at(w, n->phase[0] + mod);
}

static float drum_sample(struct note *n, const struct waves *w, const float *fall, float low,
                         float sweep)
{
    float hz = low + sweep * fall[0];
    float env = rise(n->age, 0.003f * MUSIC_RATE) * fall[1];
    return env * look_up(w->sine, &n->phase[0], hz / MUSIC_RATE);
}

/* Noise between two one-pole corners. */
static float noise_sample(struct note *n, float fall, float low_cut, float high_cut, float attack_s)
{
    float x = white(&n->noise);
    n->filter[0] += high_cut * (x - n->filter[0]);
    n->filter[1] += low_cut * (n->filter[0] - n->filter[1]);
    n->filter[2] += low_cut * (n->filter[0] - n->filter[1] - n->filter[2]);
    float band = n->filter[0] - n->filter[1] - n->filter[2];
    return band * rise(n->age, attack_s * MUSIC_RATE) * fall;
}

static float sample(struct note *n, const struct waves *w, const float *fall)
{
    switch (n->inst) {
    case INST_BASS:
        return bass_sample(n, w, fall);
    case INST_KEYS:
        return keys_sample(n, w, fall);
    case INST_PLUCK:
        return pluck_sample(n, w, fall);
    case INST_MALLET:
        return mallet_sample(n, w, fall);
    case INST_BELL:
        return bell_sample(n, w, fall);
    case INST_KICK:
        return drum_sample(n, w, fall, 47, 90);
    case INST_BOOM:
        return drum_sample(n, w, fall, 43, 55);
    case INST_SHAKER:
        return 1.6f * noise_sample(n, fall[0], 0.45f, 0.95f, 0.012f);
    case INST_SNAP:
        return 1.5f * noise_sample(n, fall[0], 0.13f, 0.35f, 0.002f);
    case INST_RIM:
        return 0.7f * mallet_sample(n, w, fall) * fall[3] +
               noise_sample(n, fall[4], 0.2f, 0.5f, 0.001f);
    default:
        return 0;
    }
}

/* How loud the note can still get; decaying instruments end by themselves. */
static float left_of(const struct note *n)
{
    switch (n->inst) {
    case INST_BASS:
        return n->age > n->gate + (int64_t)(0.12 * MUSIC_RATE) ? 0 : 1;
    case INST_KEYS:
        return decay(n->age, 0.95) * (n->age > n->gate ? decay(n->age - n->gate, 0.5) : 1);
    case INST_BELL:
        return decay(n->age, 1.3);
    case INST_PLUCK:
    case INST_MALLET:
        return decay(n->age, 0.42);
    case INST_BOOM:
        return decay(n->age, 0.38);
    default:
        return decay(n->age, 0.11);
    }
}

bool note_render(struct note *n, const struct waves *w, float *left, float *right, size_t count)
{
    if (n->inst == INST_PAD)
        return pad_render(n, w, left, right, count);
    float to_left = n->amp * cosf((n->pan + 1) * (float)M_PI / 4) * (float)M_SQRT2;
    float to_right = n->amp * sinf((n->pan + 1) * (float)M_PI / 4) * (float)M_SQRT2;
    struct falls f = falls_at(n->inst, n->age);
    for (size_t i = 0; i < count; i++, n->age++) {
        float x = sample(n, w, f.now);
        left[i] += to_left * x;
        right[i] += to_right * x;
        for (int k = 0; k < f.count; k++)
            f.now[k] *= f.step[k];
    }
    return n->amp * left_of(n) > QUIET;
}
