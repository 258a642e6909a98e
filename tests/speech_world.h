/*
 * speech_world - the local voice in a folder of its own, for test programs.
 *
 * What:    spw_open and spw_close are a group's set-up and tear-down. Failures end the case through cmocka.
 * Threads: spw_speak_with from any; the rest main.
 */
#ifndef NANOTIK_TESTS_SPEECH_WORLD_H
#define NANOTIK_TESTS_SPEECH_WORLD_H

#include "core/port/speech.h"

extern struct speech_world {
    char folder[256];
    struct speech_engine engine;
} spw;

/* A spoken text, read back from its file. */
struct spw_file {
    struct speech_result result;
    int16_t *samples;
    size_t count;
    int rate;
    char *bytes;
};

int spw_open(void **state);
int spw_close(void **state);
void spw_file_free(struct spw_file *f);
/* A failure leaves no file. */
bool spw_speak_with(const struct speech_engine *en, const char *lang, const char *voice,
                    double speed, const char *text, const struct cancel *cancel,
                    struct spw_file *ret, struct err *e);
/* With the engine of the world, at speed 1; must work. */
struct spw_file spw_speak(const char *lang, const char *voice, const char *text);
/* The words are those of the text, their times keep speech.h's promises. */
void spw_check_words(const struct spw_file *f, const char *text, const char *lang);

#endif
