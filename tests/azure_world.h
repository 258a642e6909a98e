/*
 * azure_world - the Azure engine beside the fake service (tests/fakes/azure.mjs), for test programs.
 *
 * What:    azw_open and azw_close are a group's set-up and tear-down, azw_begin and azw_end a case's: a
 *          fresh engine before, no complaint of the fake after. Failures end the case through cmocka.
 * Threads: azw_speak from any; the rest main.
 */
#ifndef NANOTIK_TESTS_AZURE_WORLD_H
#define NANOTIK_TESTS_AZURE_WORLD_H

#include "adapters/speech/azure.h"
#include "tests/fake_azure.h"

enum { AZW_WORDS = 13 }; /* of azw_story */
extern const char azw_story[];

extern struct azure_world {
    struct fake_node fake;
    struct net_engine *net;
    struct speech_engine engine;
    char dir[64], wav[96];
} azw;

int azw_open(void **state);
int azw_close(void **state);
int azw_begin(void **state);
int azw_end(void **state);

void azw_start(const char *key, struct azure_limits limits);
void azw_restart(const char *key, struct azure_limits limits);
/* The fake forgets what it saw and what it was told to do. */
void azw_reset(void);
void azw_no_complaints(void);
/* What the fake counted: the length of a list, or a number. */
int azw_count(const char *name);
/* fault: members of its JSON; "": none. */
void azw_fault(const char *where, const char *fault);
bool azw_speak(const char *path, const char *text, const char *lang, double speed,
               const struct cancel *cancel, struct speech_result *ret, struct err *e);
/* The file is as long as it says, the words keep speech.h's promises. */
void azw_check(const char *why, const char *text, const struct speech_result *r);

#endif
