#include "tests/bot_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bot/card_json.h"
#include "bot/command.h"
#include "bot/inbox.h"
#include "bot/pay_calls.h"
#include "core/db/store_chat.h"
#include "core/db/store_ledger.h"
#include "core/i18n/i18n.h"
#include "tests/fixture_db.h"

/* --- a voice and a writer that only know what quotes ask --- */

static const struct speech_voice *fake_voices(void *self, size_t *ret_count)
{
    static const struct speech_voice voices[] = {
        {"ann", "en",    "Ann", true },
        {"bob", "en-GB", "Bob", false},
        {"mei", "zh",    "Mei", true },
        {"nur", "ar",    "Nur", true }
    };
    (void)self;
    *ret_count = COUNT(voices);
    return voices;
}

static int fake_rate(void *self, const char *lang, const char *voice)
{
    (void)self, (void)voice;
    return strncmp(lang, "zh", 2) == 0 ? 240 : strncmp(lang, "tl", 2) == 0 ? 0 : 150;
}

static bool fake_speak(void *self, const struct speech_request *r, struct speech_result *ret,
                       struct err *e)
{
    (void)self, (void)r, (void)ret;
    return err_set(e, ERR_INTERNAL, "error.internal", "not in this test");
}

static void fake_destroy(void *self)
{
    (void)self;
}

static const struct speech_engine_ops speech_ops = {.name = "fake",
                                                    .voices = fake_voices,
                                                    .speak = fake_speak,
                                                    .rate = fake_rate,
                                                    .destroy = fake_destroy};

static const struct script_writer_ops writer_ops = {
    .name = "own-words", .destroy = fake_destroy, .own_words = true};

void world_open(struct world *w, bool buttons)
{
    memset(w, 0, sizeof(*w));
    fake_chat_init(&w->chat, buttons);
    w->tools.engines[0].ops = &speech_ops;
    w->tools.engine_count = 1;
    w->tools.writers[0].ops = &writer_ops;
    w->tools.writer_count = 1;
    w->tools.seconds_max = 180;
    w->bot = (struct bot){
        .db = fixture_db_fresh(3),
        .tools = &w->tools,
        .adapters = {fake_chat_adapter(&w->chat)},
        .adapter_count = 1,
        .prices = { 1, 2, 3},
        .trial_credits = 1,
        .seconds_max = 180,
        .own_words = true,
    };
    w->said = (struct strbuf)STRBUF(1 << 20);
    w->event = (struct chat_event){.user_id = "u1", .lang = "en", .card_ref = "", .quoted = ""};
    str_copy(w->event.addr.network, sizeof(w->event.addr.network), "fake");
    str_copy(w->event.addr.chat, sizeof(w->event.addr.chat), "c1");
}

void world_close(struct world *w)
{
    fixture_db_done(&w->bot.db);
    fake_chat_free(&w->chat);
    strbuf_free(&w->said);
}

static bool drain_body(struct db_tx *tx, void *data, struct err *e)
{
    struct world *w = data;
    for (;;) {
        struct outbox_row rows[8];
        size_t count = 0;
        if (!outbox_claim(tx, "fake", COUNT(rows), rows, &count, e))
            return false;
        for (size_t i = 0; i < count; i++) {
            AUTO(card_doc_free) struct card_doc doc = {0};
            char ref[24];
            snprintf(ref, sizeof(ref), "r%lld", (long long)rows[i].id);
            bool ok = card_from_json(rows[i].body, &doc, e) && outbox_sent(tx, &rows[i], ref, e);
            AUTO(free_ptr) char *text = ok ? fake_card_text(&doc.card) : NULL;
            strbuf_adds(&w->said, text ? text : "");
            w->any_private |= doc.card.is_private;
            str_copy(w->file, sizeof(w->file), doc.card.file ? doc.card.file : "");
            w->cards++;
            outbox_row_free(&rows[i]);
            if (!ok)
                return false;
        }
        if (count == 0)
            return true;
    }
}

const char *say(struct world *w, const char *line)
{
    char id[24];
    struct err e = {0};
    snprintf(id, sizeof(id), "e%u", ++w->events);
    w->event.event_id = id;
    w->event.text = line;
    strbuf_reset(&w->said);
    w->cards = 0;
    w->any_private = false;
    assert_true(bot_on_events(&w->bot, &w->event, 1, NULL));
    enum bot_did did;
    while ((did = bot_handle_one(&w->bot)) == BOT_ONE)
        ;
    assert_int_equal(did, BOT_NOTHING);
    if (!db_run(w->bot.db, drain_body, w, &e))
        fail_msg("%s", e.detail);
    return strbuf_text(&w->said);
}

void expect(struct world *w, const char *line, const char *needle)
{
    const char *said = say(w, line);
    if (!strstr(said, needle))
        fail_msg("\"%s\" was answered with:\n%swithout \"%s\"", line, said, needle);
}

int64_t number(struct world *w, const char *sql)
{
    return fixture_db_number(w->bot.db, sql);
}

bool gift_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct gift *gift = data;
    enum ledger_result result;
    return ledger_grant(tx, "grant:test", gift->account, gift->credits, "cli", "test", &result, e);
}

int world_setup(void **state)
{
    struct err e = {0};
    return i18n_setup(&e) ? fixture_db_start(state) : -1;
}

int world_teardown(void **state)
{
    i18n_teardown();
    return fixture_db_stop(state);
}

bool purchase_body(struct db_tx *tx, void *data, struct err *e)
{
    struct purchase *p = data;
    enum ledger_result r;
    struct pay_calls calls = bot_pay_calls(p->bot);
    char key[40];
    snprintf(key, sizeof(key), "pay:%d", (int)p->gift.credits);
    const struct pay_credited c = {.account = p->gift.account,
                                   .credits = p->gift.credits,
                                   .amount = "1",
                                   .unit = "XNO",
                                   .rest = "0",
                                   .ref = "x"};
    return ledger_grant(tx, key, p->gift.account, p->gift.credits, "test", "paid", &r, e) &&
           calls.on_credited(tx, calls.ctx, &c, e);
}
