/*
 * writer_world - the script writers against the fake services, for tests.
 *
 * What:    one fake per program; a writer of it asks for a minute about the tides. Failures end the
 *          case through cmocka.
 * Threads: writer_write from any; the rest on the main thread.
 */
#ifndef NANOTIK_TESTS_WRITER_WORLD_H
#define NANOTIK_TESTS_WRITER_WORLD_H

#include "adapters/writer/llm_internal.h"
#include "tests/fake_llm.h"

extern struct fake_node writer_fake;

/* Of each test program; writer_fresh before each case. */
int writer_setup(void **state);
int writer_teardown(void **state);
int writer_fresh(void **state);

/* model NULL: the profile's own. */
struct script_writer writer_of(const char *service, const char *model, const char *key);
void writer_fault(const char *json);

struct written {
    bool ok;
    struct script script;
    struct err err;
};
struct written writer_write(struct script_writer *w, const char *lang, int rate);
void writer_done(struct written *r);

/* Questions that came to the services; the body of the n-th, which the caller deletes. */
int writer_calls(void);
cJSON *writer_body(int n);
void writer_no_complaints(void);

#endif
