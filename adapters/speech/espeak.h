/*
 * espeak - the local voice: espeak-ng in helper processes.
 *
 * What:    speech_engine "espeak". Each text is spoken by a helper process of its own
 *          (nanotik-speak), started and ended by a thread of the engine; one that crashes, hangs or
 *          sends nonsense costs one retry. The same request gives the same sound, byte for byte.
 *          Words get their times from the library's word events.
 * Source:  facts sheet "providers" 2.5.
 * Owner:   ops->destroy ends the threads; nobody may be speaking then.
 * Threads: speak from any thread; as many texts at once as there are helpers, others wait.
 * Fails:   ERR_UNSUPPORTED "make.no_voice_for_language" (arg: language; also Japanese, which
 *          espeak-ng spells), "make.unknown_voice" (arg: voice); ERR_INPUT "make.nothing_to_say";
 *          ERR_LIMIT "make.too_long"; ERR_RETRY "make.voice_failed"; ERR_CANCELLED; ERR_DISK.
 */
#ifndef NANOTIK_ESPEAK_H
#define NANOTIK_ESPEAK_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/speech.h"

struct espeak_options {
    const char
        *helper; /* the program; NULL: $NANOTIK_SPEAK, or beside our own program, or installed */
    int helpers; /* processes at most; 0: 2 */
    int deadline_ms; /* for a short text, longer ones get more; 0: 10,000 */
};

/* ERR_CONFIG "doctor.no_speak_helper" (arg: where it was expected) when there is no such program.
 */
bool espeak_create(const char *helper, struct speech_engine *ret, struct err *e);
bool espeak_create_with(const struct espeak_options *options, struct speech_engine *ret,
                        struct err *e);

#endif
