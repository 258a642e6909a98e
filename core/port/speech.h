/*
 * speech - text to a voice, with the time of every word.
 */
#ifndef NANOTIK_PORT_SPEECH_H
#define NANOTIK_PORT_SPEECH_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

/* A word of the spoken text: bytes [at, at+len) of it, from start_ms to end_ms of the sound. Words
   are in text order, do not overlap, and their times never decrease. */
struct speech_word {
    size_t at, len;
    int start_ms, end_ms;
};

struct speech_voice {
    const char *name;  /* what a user types after voice: ; unique within the engine */
    const char *lang;  /* BCP 47 primary subtag or with region */
    const char *label; /* "Mei": shown to people, not translated */
    bool female;
};

struct speech_request {
    const char *text;     /* cleaned, valid UTF-8, at most 4,000 bytes, not blank */
    const char *lang;     /* BCP 47 */
    const char *voice;    /* a name of the engine's list, or "" for the language's first */
    double speed;         /* 1.0 = normal; 0.8-1.3 */
    const char *wav_path; /* where to write: PCM s16 WAV, mono */
    const struct cancel *cancel;
};

struct speech_result {
    int duration_ms;
    struct speech_word *words; /* the caller's, free() */
    size_t word_count;
};

struct speech_engine_ops {
    const char *name; /* REQUIRED. "espeak", "azure" */
    /* REQUIRED. Any thread. The list is static or lives as long as self. */
    const struct speech_voice *(*voices)(void *self, size_t *ret_count);
    /* REQUIRED. Any thread, blocks. The file is whole (fs_publish) when true comes back. Errors:
       ERR_UNSUPPORTED (language or voice; arg names it), ERR_RETRY (after its own retry),
       ERR_CANCELLED. */
    bool (*speak)(void *self, const struct speech_request *request,
                  struct speech_result *ret_result, struct err *e);
    /* REQUIRED. Units (words; code points for zh, ja, th) per minute at speed 1, for estimates and
     * prices. 0: unknown language. */
    int (*rate)(void *self, const char *lang, const char *voice);
    /* REQUIRED. Accepts a half-built self. */
    void (*destroy)(void *self);
    int price_rank; /* lower is tried first */
};

struct speech_engine {
    const struct speech_engine_ops *ops;
    void *self;
};

#endif
