/*
 * crash - named places where a test may kill the program, to prove that nothing is lost there.
 * NANOTIK_CRASH_AT="name" or "name:3" (the third time) raises SIGKILL at crash_at("name"); unset
 * costs one pointer test.
 *
 * Threads: any.
 */
#ifndef NANOTIK_CRASH_H
#define NANOTIK_CRASH_H

void crash_at(const char *name);

#endif
