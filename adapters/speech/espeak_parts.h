/*
 * espeak_parts - the pieces of the local voice: text for it, helpers that speak it, times from what
 * comes back. Internal to adapters/speech.
 */
#ifndef NANOTIK_ESPEAK_PARTS_H
#define NANOTIK_ESPEAK_PARTS_H

#include "adapters/speech/espeak_wire.h"
#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/port/speech.h"

/* --- what is said: the request's text without what cannot be spoken, numbers in words where
 * espeak-ng reads them wrong. Every code point knows the byte of the original that it stands for,
 * so that events find their words. --- */
struct spoken {
    char *text;
    size_t len, room;
    uint32_t *origin; /* per code point of text */
    size_t count, origin_room;
    bool has_words;
};
void spoken_make(struct spoken *ret, const char *text, const char *lang);
void spoken_free(struct spoken *s);
/* Appends a code point that stands for byte `origin`. */
void spoken_put(struct spoken *s, int32_t cp, size_t origin);
/* Chinese: reads the number at text[at] into s; returns the bytes it took, 0 when there is none. */
size_t spoken_put_chinese_number(struct spoken *s, const char *text, size_t len, size_t at);

/* --- what comes back --- */
struct utterance {
    int16_t *samples;
    size_t count;
    struct wire_event *events;
    size_t event_count;
    unsigned sample_rate;
};
void utterance_free(struct utterance *u);

/* --- helpers --- */
struct speak_pool;
bool speak_pool_create(const char *helper, int helpers, int deadline_ms, struct speak_pool **ret,
                       struct err *e);
/* Blocks. voice: espeak-ng's name. */
bool speak_pool_say(struct speak_pool *p, const char *voice, unsigned rate, const char *text,
                    size_t len, const struct cancel *cancel, struct utterance *ret, struct err *e);
void speak_pool_destroy(struct speak_pool *p); /* NULL is fine */

/* --- times --- */
/* Drops the silence around the voice; false when there is no voice at all. Event samples keep
   pointing to the same sound. */
bool utterance_trim(struct utterance *u);
/* The words of text with their times in u. The caller frees *ret_words. */
bool utterance_times(const struct utterance *u, const struct spoken *s, const char *text,
                     const char *lang, struct speech_word **ret_words, size_t *ret_count,
                     struct err *e);
bool utterance_save(const struct utterance *u, const char *path, struct err *e);

#endif
