/* The wire is cut at every step from the start of the bot to its film. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/discord_bot.h"

/* --- a cut at every step --- */

/* As the bot's outbox would: again while it may work later. Missing cards are sent anew. */
static void outbox(const struct chat_addr *to, const char *title, int percent,
                   char ref[CHAT_REF_MAX])
{
    struct err e = {0};
    struct card card = dbot_text_card(title);
    card.percent = percent;
    for (int i = 0; i < 40; i++) {
        if (ref[0] && w.chat.ops->edit(w.chat.self, to, ref, &card, &e))
            return;
        bool fresh = !ref[0] || e.code == ERR_NOT_FOUND;
        if (fresh && w.chat.ops->send(w.chat.self, to, &card, ref, &e))
            return;
        if (e.code != ERR_RETRY && e.code != ERR_CONFLICT && e.code != ERR_NOT_FOUND)
            break;
        usleep(50000);
    }
    fail_msg("%s: %d %s", title, e.code, e.detail);
}

/* The n-th different event; replays are what the inbox is for. */
static bool hear(size_t n, struct heard *ret)
{
    char seen[4][96] = {""};
    size_t count = 0;
    for (int i = 0; i < 300; i++, usleep(10000)) {
        pthread_mutex_lock(&w.lock);
        count = 0;
        for (size_t k = 0; k < w.count && count < n; k++) {
            bool old = false;
            for (size_t j = 0; j < count; j++)
                old |= strcmp(seen[j], w.heard[k].id) == 0;
            if (old)
                continue;
            str_copy(seen[count++], sizeof(seen[0]), w.heard[k].id);
            *ret = w.heard[k];
        }
        pthread_mutex_unlock(&w.lock);
        if (count == n)
            return true;
    }
    return false;
}

/* "The application did not respond": only what was never acknowledged may be said once more. Discord
   itself loses what came for a session whose READY was cut, and the next identify waits its 5 s. */
static void say_until_heard(int cut, size_t n, const char *name, const char *args,
                            struct heard *ret)
{
    static int cuts_that_lost;
    for (int tries = 0; tries < 4; tries++) {
        dfake_do(&w.fake, name, "%s", args);
        if (hear(n, ret))
            return;
        AUTO(json_free) cJSON *at = fake_node_state(&w.fake);
        cuts_that_lost += tries == 0;
        if (json_int_or(at, "unanswered", 0) == 0 || cuts_that_lost > 3)
            fail_msg("cut %d (%s): an event was lost", cut, json_text(at, "cutWas", ""));
    }
    fail_msg("cut %d: nothing is heard any more", cut);
}

/* From the start of the bot to the film; false: one step fewer than `cut` is all there are. */
static bool journey_cut_at(int cut)
{
    char ref[CHAT_REF_MAX] = "", film[CHAT_REF_MAX] = "", press[80];
    struct err e = {0};
    struct heard h;
    w.film++;
    w.count = w.kept_count = 0;
    size_t films = dbot_films();
    dfake_do(&w.fake, "forget", "{}");
    dfake_do(&w.fake, "set", "{\"steps\":0,\"cutAt\":%d,\"cutWas\":\"\"}", cut);
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    say_until_heard(cut, 1, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}", &h);
    outbox(&h.addr, "Quote", -1, ref);
    snprintf(press, sizeof(press), "{\"message\":\"%.*s\",\"label\":\"Go\"}",
             (int)strcspn(ref, ":"), ref);
    say_until_heard(cut, 2, "press", press, &h);
    outbox(&h.addr, "Making", 40, ref);
    bool ok = false;
    for (int i = 0; i < 10 && !ok; i++, usleep(ok ? 0 : 50000))
        ok = dbot_deliver(&h.addr, ref, film, &e);
    outbox(&h.addr, "Ready", -1, ref);
    AUTO(json_free) cJSON *at = fake_node_state(&w.fake);
    if (!ok || dbot_films() != films + 1)
        fail_msg("cut %d (%s): %zu films, %s", cut, json_text(at, "cutWas", ""),
                 dbot_films() - films, e.detail);
    bool was_cut = json_text(at, "cutWas", "")[0] != '\0';
    dfake_do(&w.fake, "set", "{\"cutAt\":0}");
    dbot_adapter_end();
    return was_cut;
}

static void a_cut_at_every_step(void **state)
{
    (void)state;
    dbot_adapter_end();
    int cut = 1;
    while (cut < 100 && journey_cut_at(cut))
        cut++;
    print_message("%d steps, each was cut once\n", cut - 1);
    assert_in_range(cut, 25, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cut_at_every_step, dbot_setup, dbot_teardown),
    };
    hash_setup();
    log_init(getenv("LOUD") ? LOG_INFO : LOG_OFF, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
