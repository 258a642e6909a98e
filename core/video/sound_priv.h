/*
 * sound_priv - what the sound files share: voices in, mix, loudness, limiter, AAC out.
 */
#ifndef NANOTIK_VIDEO_SOUND_PRIV_H
#define NANOTIK_VIDEO_SOUND_PRIV_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/video/video.h"

enum {
    SOUND_BLOCK = 4800, /* 100 ms: how often cancel is asked */
    SOUND_TICK = 480,   /* 10 ms: grid of voice activity and of the ducking envelope */
    SOUND_TICKS_PER_S = VIDEO_RATE / SOUND_TICK,
};

#define SOUND_SILENCE (-70.0) /* LUFS: at or below this there is nothing to measure */

/* The whole timeline, interleaved stereo: 23 MB a minute. */
struct mix {
    float *lr;
    int64_t samples;
    uint8_t *spoken; /* per tick: a voice sounds */
    int64_t ticks;
    const struct cancel *cancel;
};

bool sound_cancelled(const struct cancel *cancel, struct err *e);

/* --- WAV reader: 16-bit PCM, 1 or 2 channels, any rate, as 48 kHz mono floats --- */
struct wav;
bool wav_open(const char *path, struct wav **ret, struct err *e);
/* Up to max samples; *ret_count 0 at the end. */
bool wav_read(struct wav *w, float *ret_samples, size_t max, size_t *ret_count, struct err *e);
void wav_close(struct wav **w); /* for AUTO */

/* --- voice: cleaned, levelled, added to the mix; marks mix->spoken --- */
bool voice_add(struct mix *mix, const struct sound_voice *voice, struct err *e);

/* --- loudness: integrated, BS.1770 (libavfilter ebur128) --- */
struct loudness;
bool loudness_create(struct loudness **ret, struct err *e);
bool loudness_feed(struct loudness *l, const float *lr, size_t count, struct err *e);
/* LUFS; SOUND_SILENCE when too quiet or too short. */
double loudness_value(const struct loudness *l);
void loudness_destroy(struct loudness **l); /* for AUTO */
bool loudness_measure(const struct mix *mix, double *ret_lufs, struct err *e);

/* --- peaks --- */
/* Largest value between samples too (4 times oversampled) of lr[0 .. count). */
double true_peak(const float *lr, int64_t count);
/* Turns peaks above ceiling (linear) down ahead of time; the rest is untouched. */
bool limiter_run(struct mix *mix, double ceiling, struct err *e);

/* --- files --- */
enum { AAC_BITS = 128000 };
bool aac_write(const struct mix *mix, int64_t bits_s, const char *path, struct err *e);
/* The sound of a film, no longer than mix->samples, into mix->lr. */
bool aac_read(const char *path, struct mix *mix, struct err *e);
/* One voice, mono, Ogg Opus. */
bool opus_write(const struct mix *mix, const char *path, struct err *e);
/* True peak of what a player hears, linear. */
bool aac_peak(const char *path, const struct cancel *cancel, double *ret_peak, struct err *e);

#endif
