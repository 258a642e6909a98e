/*
 * music - a quiet bed of our own making: chords, plucks, bass and soft percussion from a mood and
 * a seed. No recording is used, so there is no licence and no claim.
 *
 * What:    48 kHz stereo, as long as the film: it builds up, comes to rest on the tonic at the end,
 *          and leaves room for a voice around 2 kHz. The same mood, seed and length give the same
 *          samples.
 * Owner:   music_destroy.
 * Threads: one object, one thread.
 */
#ifndef NANOTIK_VIDEO_MUSIC_H
#define NANOTIK_VIDEO_MUSIC_H

#include "core/base/base.h"
#include "core/base/err.h"

struct music;

/* mood: one of story_moods; an unknown one or "" is calm. total: samples that will be rendered. */
bool music_create(const char *mood, uint64_t seed, int64_t total, struct music **ret,
                  struct err *e);
/* The next `count` stereo samples, interleaved, within -1 .. 1. */
void music_render(struct music *m, float *ret_lr, size_t count);
void music_destroy(struct music *m); /* NULL is fine */

#endif
