/*
 * film - looks at a finished film with the FFmpeg libraries and filters alone, sharing no code with
 * core/video, which it judges.
 *
 * Errors:  what cannot be read fails the case through cmocka.
 * Threads: none.
 */
#ifndef NANOTIK_TEST_FILM_H
#define NANOTIK_TEST_FILM_H

#include "core/base/base.h"

struct film_facts {
    bool moov_first;
    int streams, width, height, frames;
    bool h264_high, yuv420p, aac_lc;
    bool constant_30; /* every picture exactly 1/30 s after the one before, from zero */
    int rate, channels;
    double video_s, audio_s, file_s;
    char title[256], comment[1024], lang[8];
};
void film_read(const char *path, struct film_facts *ret);

/* Integrated loudness (LUFS) and true peak (dBTP). */
void film_loudness(const char *path, double *ret_lufs, double *ret_peak);

/* Stretches of at least this many seconds that are black, or in which nothing moves. */
void film_dead_stretches(const char *path, double seconds, int *ret_black, int *ret_frozen);

/* Pixels of the lit word's yellow (style "clean") in the lower half of a picture. */
struct film_lit {
    double at_s;
    int pixels, x0, y0, x1, y1; /* box of them; inclusive */
};
/* One row per picture; the caller frees. */
struct film_lit *film_lit_words(const char *path, int *ret_count);
/* Moments at which another word is lit. */
int film_lit_changes(const struct film_lit *rows, int count, double *ret_at, int max);
/* Moments at which the voice begins after at least `silence_s` of silence. */
int film_voice_onsets(const char *path, double silence_s, double *ret_at, int max);

/* Everything that every film must be. plan_s: the storyboard's length. */
void film_must_be_good(const char *path, int width, int height, double plan_s);

#endif
