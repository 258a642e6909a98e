/*
 * espeak_wire - what the bot and the nanotik-speak helper say to each other over a pipe.
 *
 * One request, then its reply, over and over; end of input ends the helper. Numbers are those of
 * the machine: both ends are built together and run on it.
 *   request: struct wire_request, voice (voice_len bytes), text (text_len bytes; no NULs)
 *   reply:   struct wire_reply, samples (int16 each), events (struct wire_event each)
 */
#ifndef NANOTIK_ESPEAK_WIRE_H
#define NANOTIK_ESPEAK_WIRE_H

#include <stdint.h>

enum {
    WIRE_ASK = 0x31414b53,    /* "SKA1" */
    WIRE_ANSWER = 0x31524b53, /* "SKR1" */
    WIRE_VOICE_MAX = 63,
    WIRE_TEXT_MAX = 32768,
    WIRE_SECONDS_MAX = 600,
    WIRE_SAMPLES_MAX = 22050 * WIRE_SECONDS_MAX,
    WIRE_EVENTS_MAX = 20000,
};

enum wire_status { WIRE_OK, WIRE_NO_VOICE, WIRE_TOO_LONG, WIRE_BROKEN };

struct wire_request {
    uint32_t magic, voice_len, text_len;
    uint32_t rate; /* nominal words a minute, 80-450 */
};

struct wire_reply {
    uint32_t magic, status, sample_rate, samples, events;
};

struct wire_event {
    uint32_t position; /* 1-based, in code points of the text */
    uint32_t length;   /* in code points */
    uint32_t sample;   /* where the word starts in the sound */
};

#endif
