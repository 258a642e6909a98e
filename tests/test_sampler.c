/* A voice that can be heard: spoken once, kept for all, bounded for each, told when it cannot be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include <libavutil/log.h>

#include "bot/card_json.h"
#include "bot/sampler.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/i18n/i18n.h"
#include "core/job/cache.h"
#include "tests/fixture_db.h"

enum { WAITS = 4000 /* of 5 ms */, MANY = 30 };

/* --- an engine that can wait, fail, and counts --- */

static atomic_int spoken, failing, waiting;
static atomic_bool closed; /* who speaks waits until it is open */
static char last_text[600];
static int last_percent;

static const struct speech_voice *list_voices(void *self, size_t *ret_count)
{
    static const struct speech_voice voices[] = {
        {"ann", "en-US", "Ann", true },
        {"mei", "zh-CN", "Mei", true },
        {"tau", "xx",    "Tau", false},
    };
    (void)self;
    *ret_count = COUNT(voices);
    return voices;
}

static void put_le(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static bool write_tone(const char *path, struct err *e)
{
    enum { RATE = 16000, SAMPLES = RATE / 2 };
    static unsigned char wav[44 + 2 * SAMPLES] = "RIFF----WAVEfmt \20\0\0\0\1\0\1\0";
    put_le(wav + 4, 36 + 2 * SAMPLES);
    put_le(wav + 24, RATE);
    put_le(wav + 28, 2 * RATE);
    memcpy(wav + 32, "\2\0\20\0data", 8);
    put_le(wav + 40, 2 * SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
        int16_t level = (int16_t)(6000 * sin(2 * M_PI * 300 * i / RATE));
        memcpy(wav + 44 + 2 * i, &level, 2);
    }
    return fs_write(path, wav, sizeof(wav), e);
}

static bool speak(void *self, const struct speech_request *r, struct speech_result *ret,
                  struct err *e)
{
    (void)self;
    waiting++;
    while (closed && !cancel_wait(r->cancel, 5))
        ;
    waiting--;
    if (cancel_fired(r->cancel))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped");
    if (failing > 0 && failing-- > 0)
        return err_set(e, ERR_RETRY, "make.voice_failed", "in this test");
    spoken++;
    str_copy(last_text, sizeof(last_text), r->text);
    last_percent = (int)lround(r->speed * 100);
    *ret = (struct speech_result){.duration_ms = 500};
    return write_tone(r->wav_path, e);
}

static int rate(void *self, const char *lang, const char *voice)
{
    (void)self, (void)lang, (void)voice;
    return 150;
}

static void destroy(void *self)
{
    (void)self;
}

static const struct speech_engine_ops engine_ops = {
    .name = "fake", .voices = list_voices, .speak = speak, .rate = rate, .destroy = destroy};

/* --- a bot around it --- */

static struct {
    struct bot bot;
    struct toolbox tools;
    struct sampler *sampler;
    char folder[64];
    size_t heard, refused; /* cards so far */
    char file[1024];       /* of the last that brought one */
    char text[200];
} w;

static int world_open(void **state)
{
    (void)state;
    struct err e = {0};
    memset(&w, 0, sizeof(w));
    spoken = failing = waiting = 0;
    closed = false;
    snprintf(w.folder, sizeof(w.folder), "/tmp/sampler-XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    assert_true(cache_open(w.folder, 100000000, &w.tools.cache, &e));
    w.tools.engines[0].ops = &engine_ops;
    w.tools.engine_count = 1;
    w.bot = (struct bot){.db = fixture_db_fresh(3), .tools = &w.tools};
    assert_true(sampler_start(&w.bot, &w.sampler, &e));
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    closed = false;
    sampler_stop(w.sampler);
    fixture_db_done(&w.bot.db);
    cache_close(w.tools.cache);
    fs_remove(w.folder);
    return 0;
}

static void ask(const char *user, const char *voice, int speed)
{
    struct sampler_wish wish = {.speed = speed, .lang = "en"};
    str_copy(wish.addr.network, sizeof(wish.addr.network), "fake");
    str_copy(wish.addr.chat, sizeof(wish.addr.chat), user);
    str_copy(wish.user, sizeof(wish.user), user);
    str_copy(wish.voice, sizeof(wish.voice), voice);
    sampler_ask(w.sampler, &wish);
}

static bool drain_body(struct db_tx *tx, void *data, struct err *e)
{
    (void)data;
    struct outbox_row rows[8];
    size_t count = 0;
    if (!outbox_claim(tx, "fake", COUNT(rows), rows, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        AUTO(card_doc_free) struct card_doc doc = {0};
        char ref[24];
        snprintf(ref, sizeof(ref), "r%lld", (long long)rows[i].id);
        assert_true(card_from_json(rows[i].body, &doc, e));
        assert_true(outbox_sent(tx, &rows[i], ref, e));
        str_copy(w.text, sizeof(w.text), doc.card.lines[0]);
        if (doc.card.file) {
            assert_true(doc.card.is_voice_note);
            assert_true(str_ends(doc.card.file_name, ".ogg"));
            str_copy(w.file, sizeof(w.file), doc.card.file);
        }
        *(doc.card.file ? &w.heard : &w.refused) += 1;
        outbox_row_free(&rows[i]);
    }
    return true;
}

static void drain(void)
{
    struct err e = {0};
    if (!db_run(w.bot.db, drain_body, NULL, &e))
        fail_msg("%s", e.detail);
}

/* Until so many were sent a sound, and so many a word about it. */
static void expect_cards(size_t heard, size_t refused)
{
    drain();
    for (int i = 0; w.heard + w.refused < heard + refused && i < WAITS; i++, drain())
        cancel_wait(NULL, 5);
    if (w.heard != heard || w.refused != refused)
        fail_msg("%zu heard, %zu not; \"%s\"", w.heard, w.refused, w.text);
}

static void wait_speaking(void)
{
    for (int i = 0; !waiting && i < WAITS; i++)
        cancel_wait(NULL, 5);
    assert_int_equal(waiting, 1);
}

/* --- cases --- */

static void a_sentence_is_spoken_once_for_all(void **state)
{
    (void)state;
    char first[sizeof(w.file)];
    ask("u1", "ann", 100);
    expect_cards(1, 0);
    assert_string_equal(w.text, "This is Ann.");
    assert_non_null(strstr(last_text, "Hello!"));
    str_copy(first, sizeof(first), w.file);
    AUTO(free_ptr) char *bytes = NULL;
    size_t len;
    struct err e = {0};
    assert_true(fs_read(w.file, 1 << 20, &bytes, &len, &e));
    assert_memory_equal(bytes, "OggS", 4);
    ask("u2", "ANN", 100);
    expect_cards(2, 0);
    assert_string_equal(w.file, first);
    assert_int_equal(spoken, 1);
    ask("u2", "ann", 120); /* another speed sounds different */
    expect_cards(3, 0);
    assert_string_not_equal(w.file, first);
    assert_int_equal(spoken, 2);
    assert_int_equal(last_percent, 120);
    ask("u2", "mei", 100);
    expect_cards(4, 0);
    assert_non_null(strstr(last_text, "你好"));
}

/* The same wish twice waits once; another speed or another chat is another wish. */
static void what_waits_already_is_not_asked_again(void **state)
{
    (void)state;
    closed = true;
    ask("u1", "mei", 100);
    wait_speaking();
    ask("u2", "ann", 100);
    ask("u2", "ann", 100);
    ask("u2", "ann", 110);
    ask("u3", "ann", 100);
    closed = false;
    expect_cards(4, 0);
    assert_int_equal(spoken, 3);
}

static void a_failure_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *voice, *says;
        int failing;
        const char *why;
    } rows[] = {
        {"ann",  "Ann cannot be heard",  1, "the engine is down"           },
        {"tau",  "Tau cannot be heard",  0, "no sentence in that language" },
        {"gone", "gone cannot be heard", 0, "the voice went away meanwhile"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        failing = rows[i].failing;
        ask("u1", rows[i].voice, 100);
        expect_cards(0, i + 1);
        if (!strstr(w.text, rows[i].says))
            fail_msg("%s: %s", rows[i].why, w.text);
    }
    ask("u1", "ann", 100); /* and the next try works */
    expect_cards(1, COUNT(rows));
}

/* One person's presses leave room for others, and none goes without an answer. */
static void nobody_fills_the_queue(void **state)
{
    (void)state;
    char user[16];
    closed = true;
    ask("u0", "mei", 100);
    wait_speaking();
    for (int i = 0; i < MANY; i++)
        ask("u1", "ann", 80 + i);
    expect_cards(0, MANY - 4);
    for (int i = 0; i < MANY; i++) { /* twelve of them find a place */
        snprintf(user, sizeof(user), "v%d", i);
        ask(user, "ann", 100);
    }
    expect_cards(0, MANY - 4 + MANY - 12);
    closed = false;
    expect_cards(1 + 4 + 12, MANY - 4 + MANY - 12);
    assert_int_equal(spoken, 1 + 4 + 1);
}

/* Newly spoken sentences are bounded by the day; what is kept costs nothing. */
static void a_day_has_a_bound(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        ask("u1", "ann", 80 + i);
        expect_cards((size_t)i + 1, 0);
    }
    ask("u1", "ann", 110);
    expect_cards(20, 1);
    ask("u1", "ann", 80);
    expect_cards(21, 1);
    ask("u2", "ann", 110);
    expect_cards(22, 1);
    assert_int_equal(spoken, 21);
    clock_fake(clock_mono_ms() + 24 * 3600 * 1000, clock_wall_ms()); /* the sampler sleeps */
    ask("u1", "ann", 111);
    expect_cards(23, 1);
    sampler_stop(TAKE(w.sampler));
    clock_fake(-1, 0);
}

/* The end of the program answers whoever waits. */
static void a_stop_tells_those_who_wait(void **state)
{
    (void)state;
    closed = true;
    ask("u1", "mei", 100);
    wait_speaking();
    ask("u2", "ann", 100);
    ask("u3", "mei", 100);
    sampler_stop(TAKE(w.sampler));
    expect_cards(0, 3);
    assert_int_equal(spoken, 0);
}

static int setup(void **state)
{
    struct err e = {0};
    log_init(LOG_OFF, false);
    av_log_set_level(AV_LOG_ERROR);
    return i18n_setup(&e) ? fixture_db_start(state) : -1;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_sentence_is_spoken_once_for_all),
        CASE(what_waits_already_is_not_asked_again),
        CASE(a_failure_is_told),
        CASE(nobody_fills_the_queue),
        CASE(a_day_has_a_bound),
        CASE(a_stop_tells_those_who_wait),
    };
    return cmocka_run_group_tests(tests, setup, fixture_db_stop);
}
