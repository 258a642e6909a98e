/*
 * bot_world - the bot's commands over a real database, for tests: a chat that remembers, a voice and
 * a writer that only know what quotes ask.
 *
 * What:    say() types a line as the template `event` says and collects what it was answered with.
 *          Failures end the case through cmocka.
 * Owner:   world_close; the texts of say() live until the next say().
 * Threads: main.
 */
#ifndef NANOTIK_TESTS_BOT_WORLD_H
#define NANOTIK_TESTS_BOT_WORLD_H

#include "bot/bot.h"
#include "core/base/strbuf.h"
#include "tests/fake_chat.h"

struct world {
    struct bot bot;
    struct toolbox tools;
    struct fake_chat chat;
    unsigned events;
    struct strbuf said; /* what the last event was answered with */
    size_t cards;
    bool any_private;
    char file[200];          /* that the last card brought */
    struct chat_event event; /* the template of the next events */
};

/* Of each test program: catalogs and a database server. */
int world_setup(void **state);
int world_teardown(void **state);

void world_open(struct world *w, bool buttons);
void world_close(struct world *w);
/* Types a line and collects the answer. */
const char *say(struct world *w, const char *line);
/* The answer must have this in it. */
void expect(struct world *w, const char *line, const char *needle);
/* What this SQL gives. */
int64_t number(struct world *w, const char *sql);

struct gift {
    char account[37];
    int64_t credits;
};
/* A transaction's body: `data` is a struct gift, which is granted. */
bool gift_body(struct db_tx *tx, void *data, struct err *e);

struct purchase {
    struct bot *bot;
    struct gift gift;
};
/* The same for a struct purchase: paid in Nano, and the bot hears of it. */
bool purchase_body(struct db_tx *tx, void *data, struct err *e);

#endif
