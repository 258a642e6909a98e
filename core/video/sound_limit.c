#include <math.h>
#include <pthread.h>

#include "core/base/strbuf.h"
#include "core/video/sound_priv.h"

enum { TAPS = 16, MIDDLE = TAPS / 2 - 1, PHASES = 4, WINDOW = 144 /* 3 ms of looking ahead */ };

#define RELEASE_SECONDS 0.05

/* Windowed sinc that reads the signal a quarter, a half and three quarters behind a sample. */
static float kernel[PHASES][TAPS];
static pthread_once_t kernel_once = PTHREAD_ONCE_INIT;

static void kernel_make(void)
{
    for (int p = 0; p < PHASES; p++)
        for (int k = 0; k < TAPS; k++) {
            double x = k - MIDDLE - p / (double)PHASES;
            double sinc = fabs(x) < 1e-9 ? 1 : sin(M_PI * x) / (M_PI * x);
            kernel[p][k] = (float)(sinc * (0.5 + 0.5 * cos(M_PI * x / (TAPS / 2.0))));
        }
}

/* Largest magnitude at sample i and in between it and the next, both channels. */
static float peak_at(const float *lr, int64_t count, int64_t i, float skip_below)
{
    float peak = MAX(fabsf(lr[2 * i]), fabsf(lr[2 * i + 1]));
    if (i < TAPS / 2 - 1 || i + TAPS / 2 >= count)
        return peak;
    const float *from = lr + 2 * (i - MIDDLE);
    float near = 0;
    for (int k = TAPS / 2 - 3; k < TAPS / 2 + 3; k++)
        near = MAX(near, MAX(fabsf(from[(ptrdiff_t)2 * k]), fabsf(from[(ptrdiff_t)2 * k + 1])));
    if (near < skip_below)
        return peak;
    for (int p = 1; p < PHASES; p++) {
        float left = 0, right = 0;
        for (int k = 0; k < TAPS; k++) {
            left += kernel[p][k] * from[(ptrdiff_t)2 * k];
            right += kernel[p][k] * from[(ptrdiff_t)2 * k + 1];
        }
        peak = MAX(peak, MAX(fabsf(left), fabsf(right)));
    }
    return peak;
}

double true_peak(const float *lr, int64_t count)
{
    pthread_once(&kernel_once, kernel_make);
    float peak = 0;
    for (int64_t i = 0; i < count; i++) {
        float here = peak_at(lr, count, i, peak * 0.5f);
        peak = MAX(peak, here);
    }
    return peak;
}

/* Smallest of the last WINDOW gains wanted: a queue whose values rise. */
struct sliding_min {
    float value[WINDOW + 1];
    int64_t at[WINDOW + 1];
    int head, count;
};

static float sliding_min_push(struct sliding_min *s, int64_t i, float value)
{
    while (s->count && s->at[s->head] <= i - WINDOW) {
        s->head = (s->head + 1) % (WINDOW + 1);
        s->count--;
    }
    while (s->count && s->value[(s->head + s->count - 1) % (WINDOW + 1)] >= value)
        s->count--;
    int slot = (s->head + s->count++) % (WINDOW + 1);
    s->value[slot] = value;
    s->at[slot] = i;
    return s->value[s->head];
}

/* Gain at a sample = mean over WINDOW of gains that are each at most what this sample needs, so it
   is always enough, and it moves in a straight line instead of a step. */
bool limiter_run(struct mix *mix, double ceiling, struct err *e)
{
    pthread_once(&kernel_once, kernel_make);
    const float top = (float)ceiling;
    const float release = (float)(1 - exp(-1.0 / (RELEASE_SECONDS * VIDEO_RATE)));
    struct sliding_min min = {0};
    float history[WINDOW], held = 1;
    double sum = WINDOW;
    for (int i = 0; i < WINDOW; i++)
        history[i] = 1;
    for (int64_t i = 1 - WINDOW; i < mix->samples; i++) {
        if (i % SOUND_BLOCK == 0 && sound_cancelled(mix->cancel, e))
            return false;
        int64_t ahead = i + WINDOW - 1;
        float peak = ahead < mix->samples ? peak_at(mix->lr, mix->samples, ahead, top * 0.5f) : 0;
        float lowest = sliding_min_push(&min, ahead, peak > top ? top / peak : 1);
        held = MIN(lowest, held + (1 - held) * release);
        int slot = (int)((i + WINDOW) % WINDOW);
        sum += (double)held - (double)history[slot];
        history[slot] = held;
        if (i < 0)
            continue;
        float gain = MIN((float)(sum / WINDOW), 1);
        mix->lr[2 * i] *= gain;
        mix->lr[2 * i + 1] *= gain;
    }
    return true;
}
