/* A group became a supergroup: jobs, orders and waiting cards go along, once. The account: test_db_merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/seal.h"
#include "core/db/store_chat.h"
#include "core/db/store_job.h"
#include "core/db/store_move.h"
#include "tests/fixture_db.h"

#define OLD "-4987"
#define NEW "-1002233"
#define OTHER "-4111"

struct step {
    enum { QUOTE, GET, CARD, CLAIM, MOVE } verb;
    const char *chat, *account, *text;
    char id[UUID_TEXT];
    struct chat_addr addr;
    char card[CHAT_REF_MAX];
};

static bool quote(struct db_tx *tx, struct step *s, struct err *e)
{
    struct job spec = {
        .lang = "en", .addr = {.network = "test", .thread = "7", .reply = "55"}
    };
    str_copy(spec.addr.chat, sizeof(spec.addr.chat), s->chat);
    memcpy(spec.account, s->account, UUID_TEXT);
    return job_quote(tx, &spec, s->text, s->id, e) && job_set_card(tx, s->id, "old:9", e);
}

static bool get(struct db_tx *tx, struct step *s, struct err *e)
{
    AUTO(job_free) struct job j = {0};
    if (!job_get(tx, s->id, &j, e))
        return false;
    s->addr = j.addr;
    return str_copy(s->card, sizeof(s->card), j.card_ref);
}

static bool add_card(struct db_tx *tx, struct step *s, struct err *e)
{
    char body[40];
    struct outbox_row row = {.addr = {.network = "test"}, .body = body};
    str_copy(body, sizeof(body), s->text);
    str_copy(row.addr.chat, sizeof(row.addr.chat), s->chat);
    str_copy(row.edit_ref, sizeof(row.edit_ref), s->card);
    return outbox_add(tx, &row, e);
}

static bool claim(struct db_tx *tx, struct step *s, struct err *e)
{
    struct outbox_row row;
    size_t count = 0;
    if (!outbox_claim(tx, "test", 1, &row, &count, e) || count == 0)
        return count == 0 && err_set(e, ERR_NOT_FOUND, "error.internal", "nothing to claim");
    s->addr = row.addr;
    str_copy(s->card, sizeof(s->card), row.edit_ref);
    str_copy(s->id, sizeof(s->id), row.body);
    bool ok = outbox_sent(tx, &row, "", e);
    outbox_row_free(&row);
    return ok;
}

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    switch (s->verb) {
    case QUOTE:
        return quote(tx, s, e);
    case GET:
        return get(tx, s, e);
    case CARD:
        return add_card(tx, s, e);
    case CLAIM:
        return claim(tx, s, e);
    case MOVE:
        return chat_move(tx, "test", OLD, NEW, e);
    }
    return false;
}

static void run(struct db *db, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, step_body, s, &e))
        fail_msg("step %d: %s", (int)s->verb, e.detail);
}

static void move(struct db *db)
{
    struct step s = {.verb = MOVE};
    run(db, &s);
}

static void job_is_in(struct db *db, const char *id, const char *chat, bool moved)
{
    struct step s = {.verb = GET};
    memcpy(s.id, id, UUID_TEXT);
    run(db, &s);
    assert_string_equal(s.addr.chat, chat);
    assert_string_equal(s.addr.thread, moved ? "" : "7");
    assert_string_equal(s.addr.reply, moved ? "" : "55"); /* old messages are not there */
    assert_string_equal(s.card, moved ? "" : "old:9");
}

static void everything_goes_along_once(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 5, ann);
    struct step here = {.verb = QUOTE, .chat = OLD, .account = ann, .text = "a"};
    struct step there = {.verb = QUOTE, .chat = OTHER, .account = ann, .text = "b"};
    run(db, &here);
    run(db, &there);
    AUTO(free_ptr) char *addr = seal_addr(&(struct chat_addr){.network = "test", .chat = OLD});
    AUTO(free_ptr)
    char *order = str_printf("insert into orders(id, user_id, method, address, raw, credits,"
                             " per_credit, lang, network, addr, card_ref, expires_at)"
                             " select gen_random_uuid(), id, 'nano', 'x', 1, 1, 1, 'en', 'test',"
                             " '%s', 'old:10', now() from users",
                             addr);
    AUTO(free_ptr)
    char *said = str_printf("insert into claims(method, ref, user_id, lang, network, addr)"
                            " select 'nano', 'x', id, 'en', 'test', '%s' from users",
                            addr);
    fixture_db_sql(db, order);
    fixture_db_sql(db, said);
    struct step first = {.verb = CARD, .chat = OLD, .text = "first"};
    struct step edit = {.verb = CARD, .chat = OLD, .text = "edit", .card = "old:9"};
    struct step other = {.verb = CARD, .chat = OTHER, .text = "other", .card = "other:1"};
    run(db, &first);
    run(db, &edit);
    run(db, &other);
    for (int i = 0; i < 2; i++) { /* it is told in both chats */
        move(db);
        job_is_in(db, here.id, NEW, true);
        job_is_in(db, there.id, OTHER, false);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from orders where card_ref = ''"), 1);
    AUTO(free_ptr)
    char *left = str_printf("select count(*) from (select addr from orders union all"
                            " select addr from claims) a where addr = '%s'",
                            addr);
    assert_int_equal(fixture_db_number(db, left), 0);
    static const struct {
        const char *body, *chat, *card;
    } sent[] = {
        {"first", NEW,   ""       },
        {"edit",  NEW,   ""       }, /* sent anew */
        {"other", OTHER, "other:1"},
    };
    for (size_t i = 0; i < COUNT(sent); i++) {
        struct step s = {.verb = CLAIM};
        run(db, &s);
        assert_string_equal(s.id, sent[i].body);
        assert_string_equal(s.addr.chat, sent[i].chat);
        assert_string_equal(s.card, sent[i].card);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_goes_along_once),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
