/*
 * subtitles - what a film's subtitles say and when, held against the words that were spoken.
 *
 * Fails:   the case, through cmocka.
 */
#ifndef NANOTIK_TESTS_SUBTITLES_H
#define NANOTIK_TESTS_SUBTITLES_H

#include "core/net/json.h"
#include "core/story/storyboard.h"

/* An SRT text has every word of the story once, in order; each cue appears with its first word, and
   goes after its last has begun and before the next one begins. */
void subtitles_must_match(const char *srt, const struct storyboard *s);
/* Whenever the voice of the film sets in, a word of the story begins within 80 ms. */
void subtitles_must_match_sound(const char *film, const struct storyboard *s);
/* Each scene was said once to a service: turns is an array of {"text"}, letters and digits count. */
void subtitles_must_match_speech(const cJSON *turns, const struct storyboard *s);

#endif
