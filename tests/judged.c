#include "tests/judged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "bot/script_card.h"
#include "core/base/clock.h"

enum { SOON_MS = 20000 };

/* --- the judge --- */

static bool judge_check(void *self, const char *text, const struct cancel *cancel, struct err *e)
{
    struct judge *j = self;
    atomic_fetch_add(&j->asked, 1);
    while (atomic_load(&j->holds))
        if (cancel_wait(cancel, 5))
            return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped");
    if (j->ill)
        return err_set(e, j->ill, "writer.down", "the judge is ill");
    return !strstr(text, "badger") ||
           err_set_arg(e, ERR_REFUSED, "guard.flagged", "violence", "flagged");
}

static bool judge_let_pass(void *self, const char *text)
{
    const struct judge *j = self;
    return j->remembers && !strstr(text, "badger");
}

static void judge_gone(void *self)
{
    (void)self;
}

/* --- a bot whose drafter runs --- */

void judged_drafter(struct judged *p, const char *name, struct drafter **ret)
{
    struct err e = {0};
    struct drafter_options o = {.db = p->w.bot.db,
                                .tools = &p->w.tools,
                                .name = name,
                                .calls = bot_drafter_calls(&p->w.bot)};
    if (!drafter_start(&o, ret, &e))
        fail_msg("%s", e.detail);
}

void judged_open(struct judged *p, bool buttons)
{
    static const struct script_guard_ops ops = {
        .name = "judge", .check = judge_check, .destroy = judge_gone, .let_pass = judge_let_pass};
    *p = (struct judged){0};
    world_open(&p->w, buttons);
    p->w.tools.guard = (struct script_guard){&ops, &p->judge};
    p->w.bot.strikes = (struct strike_limits){.most = 3, .days = 30, .pause_hours = 72};
    judged_drafter(p, "one", &p->w.bot.drafter);
}

void judged_close(struct judged *p)
{
    atomic_store(&p->judge.holds, false);
    drafter_stop(p->w.bot.drafter);
    world_close(&p->w);
}

void judged_wait(struct judged *p, const char *sql, int64_t want)
{
    int64_t got = -1;
    for (int64_t until = clock_mono_ms() + SOON_MS; clock_mono_ms() < until; usleep(5000))
        if ((got = number(&p->w, sql)) == want)
            return;
    fail_msg("%s is %lld, not %lld", sql, (long long)got, (long long)want);
}

void judged_wait_asked(struct judged *p, int want)
{
    for (int64_t until = clock_mono_ms() + SOON_MS; atomic_load(&p->judge.asked) < want;
         usleep(2000))
        assert_true(clock_mono_ms() < until);
}

void judged_is(struct judged *p, const char *sql, int64_t want)
{
    assert_int_equal(number(&p->w, sql), want);
}

void judged_no_credit_moved(struct judged *p)
{
    judged_is(p, "select count(*) from holds", 0);
    judged_is(p, "select count(*) from transfers where verb <> 'trial'", 0);
}

void judged_cards(struct judged *p, const char *text, int64_t want)
{
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from outbox where body like '%%%s%%'", text);
    judged_wait(p, sql, want);
}

void judged_quote(struct judged *p, const char *topic)
{
    AUTO(free_ptr) char *line = str_printf("/make %s", topic);
    p->w.event.kind = CHAT_LINE;
    const char *go = strstr(say(&p->w, line), "|/go ");
    assert_non_null(go);
    str_copy(p->job, sizeof(p->job), go + 5);
    p->w.event.kind = CHAT_BUTTON;
}

void judged_press(struct judged *p, const char *verb, const char *needle)
{
    AUTO(free_ptr) char *line = str_printf("/%s %s", verb, p->job);
    expect(&p->w, line, needle);
}

void judged_go(struct judged *p)
{
    atomic_store(&p->judge.holds, true);
    judged_press(p, "go", "Checking the topic");
}

void judged_begin(struct judged *p, const char *topic)
{
    judged_open(p, true);
    judged_quote(p, topic);
    judged_go(p);
    judged_wait_asked(p, 1);
}

void judged_let_judge(struct judged *p)
{
    atomic_store(&p->judge.holds, false);
}
