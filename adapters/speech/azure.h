/*
 * azure - the voices of Azure AI Speech: sound and word times over WebSocket, REST behind it.
 *
 * What:    speech_engine "azure". One turn per scene on a kept connection; after two failed turns
 *          the same text goes over REST, its word times then follow from the measured pauses. What
 *          comes back is never silence and never empty. A refused key or a used-up quota rests the
 *          engine for a while, so that a film does not wait for each scene's refusal.
 * Source:  facts sheet "providers" 2.1-2.4.
 * Owner:   `net` is borrowed until ops->destroy; nobody may be speaking then. The rest is copied.
 * Threads: speak from any thread; as many turns at once as callers, each on its own connection.
 * Fails:   ERR_UNSUPPORTED "make.no_voice_for_language" (arg: language), "make.unknown_voice" (arg:
 *          voice); ERR_INPUT "make.nothing_to_say"; ERR_LIMIT "make.too_long"; ERR_CONFIG
 *          "make.voice_failed" (key, region, voice or quota: the operator's); ERR_RETRY
 *          "make.voice_failed"; ERR_CANCELLED; ERR_DISK.
 */
#ifndef NANOTIK_AZURE_H
#define NANOTIK_AZURE_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/net/net.h"
#include "core/port/speech.h"

/* Milliseconds; 0 takes the default in brackets. */
struct azure_limits {
    int connect_ms; /* [10 s] */
    int first_ms;   /* to the first frame of a turn [15 s] */
    int between_ms; /* between two frames [10 s] */
    int total_ms;   /* of a turn, besides twice its expected sound [60 s] */
    int backoff_ms; /* before a second attempt [0.5 s, then twice that] */
    int check_ms;   /* of azure_check [5 s] */
    int rest_ms;    /* after a refused key or a used-up quota [60 s] */
};

struct azure_options {
    struct net_engine *net; /* REQUIRED; the engine trusts its base there */
    const char *key;        /* REQUIRED */
    const char *region;     /* "westeurope" */
    const char *url;        /* REQUIRED when region is "": base of all calls instead of the region's
                               host; http(s) */
    const char *list_path;  /* file for a day's list of the service's voices; NULL: only ours */
    const char *rates_path; /* file for the measured rates of voices; NULL: of this process only */
    struct ws_engine *ws;   /* outlives the engine; NULL: one of its own */
    bool allow_plain;       /* NANOTIK_ALLOW_PLAIN=1 */
    struct azure_limits limits;
};

/* ERR_CONFIG "start.bad_config" (arg: what is missing or wrong). */
bool azure_create(const struct azure_options *options, struct speech_engine *ret, struct err *e);
/* For doctor: the key works and the service still has the first voice of every language. ERR_CONFIG, ERR_RETRY. */
bool azure_check(const struct speech_engine *engine, const struct cancel *cancel, struct err *e);

#endif
