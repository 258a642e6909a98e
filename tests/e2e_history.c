/* What a chat has seen: members of a group get different clips for the same topic, also after the
   group got another id; another chat begins anew; when all were shown, the oldest comes again. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "tests/fake_stock.h"
#include "tests/fake_telegram.h"
#include "tests/session.h"

enum { START_MS = 60000, ANSWER_MS = 15000, VIDEO_MS = 180000, STOP_MS = 30000 };
#define ANA 6123456789LL
#define BO 6123456790LL
#define GROUP (-4987654LL)
#define SUPER (-1009876543210LL)

#define VIDEO(id)                                                                             \
    "{\"id\":" id ",\"duration\":12,\"url\":\"https://www.pexels.com/video/sea-" id           \
    "/\",\"user\":{\"name\":\"Maker " id "\"},\"video_files\":[{\"id\":1,\"quality\":\"hd\"," \
    "\"file_type\":\"video/mp4\",\"width\":720,\"height\":1280,\"fps\":30,"                   \
    "\"link\":\"{base}/clip/" id ".mp4\"}]}"
#define HIT                                                                                     \
    "{\"id\":900,\"pageURL\":\"https://pixabay.com/videos/id-900/\",\"tags\":\"sea\","          \
    "\"duration\":12,\"user\":\"bo900\",\"videos\":{\"tiny\":{\"url\":\"{base}/clip/900.mp4\"," \
    "\"width\":720,\"height\":1280,\"size\":60000}}}"

static struct fake_node telegram, stock;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    struct site *p = *state;
    AUTO(free_ptr) char *clip = str_printf("%s/clip.mp4", p->folder);
    site_shell(p, "ffmpeg -v error -f lavfi -i testsrc2=size=720x1280:rate=30:duration=12 "
                  "-c:v libx264 -preset ultrafast -crf 40 -pix_fmt yuv420p clip.mp4");
    fake_start_keeping(&telegram, p->folder);
    fake_stock_start(&stock, clip, NULL);
    fake_do(&telegram, "chat", "{\"id\":%lld}", GROUP);
    fake_stock_tell(&stock, "videos", "[" VIDEO("100") "," VIDEO("101") "]");
    fake_stock_tell(&stock, "hits", "[" HIT "]");
    return 0;
}

static int close_all(void **state)
{
    fake_node_stop(&telegram);
    fake_node_stop(&stock);
    return site_close(state);
}

static struct session *start(struct site *p)
{
    AUTO(free_ptr) char *chat = str_printf("TELEGRAM_API_URL=%s", telegram.url);
    AUTO(free_ptr) char *pexels = str_printf("PEXELS_API_URL=%s/v1", stock.url);
    AUTO(free_ptr) char *pixabay = str_printf("PIXABAY_API_URL=%s/api/", stock.url);
    static const char token[] = "TELEGRAM_BOT_TOKEN=" FAKE_TOKEN;
    const char *env[] = {token,
                         "PEXELS_API_KEYS=good-key-22",
                         "PIXABAY_API_KEYS=good-key-33",
                         "NANOTIK_TRIAL_CREDITS=9",
                         chat,
                         pexels,
                         pixabay,
                         NULL};
    return session_run(p, false, env);
}

/* The same topic each time; the film must show this maker's clip. */
static void order(struct site *p, int64_t chat, int64_t user, const char *maker)
{
    size_t films = fake_messages(&telegram, chat, "video", NULL);
    size_t texts = fake_messages(&telegram, chat, "text", NULL);
    fake_say(&telegram, chat, user, "", "/make@ExampleClipBot The sea is deep. 9:16");
    free(fake_wait_messages(&telegram, chat, "text", texts + 1, START_MS));
    fake_wait_text(&telegram, chat, "text", "Make it", ANSWER_MS);
    fake_press(&telegram, chat, user, "Make it");
    AUTO(free_ptr)
    char *film = fake_wait_messages(&telegram, chat, "video", films + 1, VIDEO_MS);
    if (!strstr(film, maker))
        fail_msg("not by %s: %s", maker, film);
    fake_wait_text(&telegram, chat, "text", "Ready", ANSWER_MS);
    site_ledger_must_hold(p);
}

static void taken_in(struct site *p)
{
    for (int64_t end = clock_mono_ms() + ANSWER_MS; clock_mono_ms() < end; cancel_wait(NULL, 50))
        if (fake_number(&telegram, "queued") == 0 &&
            site_number(p, "select count(*) from events") == 0)
            return;
    fail_msg("the move was not taken in");
}

static void a_group_sees_no_clip_twice(void **state)
{
    struct site *p = *state;
    struct session *s = start(p);
    order(p, GROUP, ANA, "Maker 100");
    order(p, GROUP, BO, "Maker 101"); /* somebody else, the same words */
    order(p, ANA, ANA, "Maker 100");  /* nobody has seen it here */
    fake_do(&telegram, "migrate", "{\"from\":%lld,\"to\":%lld}", GROUP, SUPER);
    taken_in(p);
    order(p, SUPER, BO, "bo900");      /* the next source before anything is shown again */
    order(p, SUPER, ANA, "Maker 100"); /* all were shown: this one longest ago */
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    /* Five films from two searches, and a clip is fetched once. */
    assert_int_equal(fake_stock_calls(&stock, "clipCalls"), 3);
    fake_node_no_complaints(&telegram);
    fake_node_no_complaints(&stock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_sees_no_clip_twice, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
