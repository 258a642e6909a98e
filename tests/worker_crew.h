/*
 * worker_crew - workers against a real database, with tools that do what they are told, and the bot's
 * side of them.
 *
 * Use:     cmocka_unit_test_setup_teardown(case, crew_setup, crew_teardown); *state is a struct crew. All
 *          failures end the case through cmocka; each case ends with the ledger's invariants.
 * Threads: the main thread; counters are told by workers.
 */
#ifndef NANOTIK_WORKER_CREW_H
#define NANOTIK_WORKER_CREW_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/job/worker_internal.h"
#include "tests/fixture_tools.h"

enum { CREDITS = 10, PRICE = 3, REAL_PRICE = 2, PATIENCE_MS = 20000, BEAT_MS = 100 };

extern const char crew_topic[]; /* of each job: so many scenes */
enum { SCENES = 3 };

/* One program: workers, and the bot's side of them. */
struct crew {
    struct db *db;
    struct fake_tools *f;
    struct workers *workers;
    struct worker_options options;
    char out_dir[FAKE_FOLDER_MAX + 8];
    char account[UUID_TEXT];
    int jobs; /* for dedupe keys */
    /* What deliver shall do. */
    struct fake_step deliver;
    bool card_is_gone;
    int64_t takes;      /* bytes; 0: any */
    bool never_content; /* each film is too large for it */
    /* What the bot was told. */
    atomic_int delivering, delivered, failed, cancelled, kept, done;
    atomic_int progress;
    atomic_int own_asked;
    int own_refused; /* which time its files cannot be had */
    pthread_mutex_t lock;
    char fail_key[64], last_ref[CHAT_REF_MAX];
};

int crew_setup(void **state);
int crew_teardown(void **state);
void crew_start(struct crew *w);
void crew_stop(struct crew *w);
void crew_must(struct crew *w, db_body *body, void *ctx);

struct new_job {
    struct crew *w;
    const char *account, *media;
    char key[32], id[UUID_TEXT];
    enum job_start started;
};
/* ctx: a struct new_job. */
bool crew_job_body(struct db_tx *tx, void *ctx, struct err *e);
/* A job that was started, with its card. */
void crew_job_of(struct crew *w, const char *account, char ret_id[static UUID_TEXT]);
void crew_job(struct crew *w, char ret_id[static UUID_TEXT]);
/* ctx: the job's id. */
bool crew_cancel_body(struct db_tx *tx, void *ctx, struct err *e);
/* The caller's, for job_free. */
struct job crew_look(struct crew *w, const char *id);
enum job_state crew_state_of(struct crew *w, const char *id, int *ret_attempt);
void crew_assert_balance(struct crew *w, int64_t available, int64_t held);

void crew_wait_state(struct crew *w, const char *id, enum job_state want);
/* As fake_count of the tools. */
void crew_wait_event(struct crew *w, const char *what, char end, int count);
void crew_wait_count(atomic_int *counter, int count);
/* Back-off over. */
void crew_due_now(struct crew *w);

#endif
