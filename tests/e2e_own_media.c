/* The built program with pictures of the person's own: an album on Telegram, attachments on Discord,
   until the film shows their colours; what cannot be used is said; nothing of them stays. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_discord.h"
#include "tests/fake_telegram.h"
#include "tests/session.h"

enum { START_MS = 60000, ANSWER_MS = 15000, VIDEO_MS = 180000, STOP_MS = 30000 };
#define ANA 6123456789LL
#define THREE_SCENES                                                                              \
    "The first picture of this story is as red as a poppy in the summer sun. The second one is "  \
    "as green as the grass of a meadow after long rain. The third picture is as blue as the sea " \
    "on a very clear and windy day."

static struct fake_node telegram, discord;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    struct site *p = *state;
    fake_start_keeping(&telegram, p->folder);
    dfake_start(&discord);
    site_shell(p, "for c in red:0xff0000 green:0x00c000 blue:0x0000ff; do "
                  "ffmpeg -v error -f lavfi -i color=${c#*:}:s=640x960 -frames:v 1 ${c%%:*}.jpg && "
                  "base64 -w0 ${c%%:*}.jpg > ${c%%:*}.txt || exit 1; done; "
                  "ffmpeg -v error -f lavfi -i color=0xffff00:s=360x640:r=30:d=9 -c:v libx264 "
                  "yellow.mp4 && base64 -w0 yellow.mp4 > yellow.txt; "
                  "printf '<html>not a picture</html>' | base64 -w0 > broken.txt");
    return 0;
}

static int close_all(void **state)
{
    fake_node_stop(&telegram);
    fake_node_stop(&discord);
    return site_close(state);
}

static struct session *start(struct site *p)
{
    AUTO(free_ptr) char *one = str_printf("TELEGRAM_API_URL=%s", telegram.url);
    AUTO(free_ptr) char *two = str_printf("DISCORD_API_URL=%s", discord.api);
    const char *env[] = {"TELEGRAM_BOT_TOKEN=" FAKE_TOKEN, "DISCORD_BOT_TOKEN=" DFAKE_TOKEN, one,
                         two, NULL};
    return session_run(p, false, env);
}

static char *file_base64(const struct site *p, const char *name)
{
    AUTO(free_ptr) char *path = str_printf("%s/%s.txt", p->folder, name);
    struct err e = {0};
    char *text = NULL;
    size_t len = 0;
    assert_true(fs_read(path, 4 << 20, &text, &len, &e));
    return text;
}

static void give_telegram(const struct site *p, const char *name)
{
    AUTO(free_ptr) char *bytes = file_base64(p, name);
    fake_do(&telegram, "file",
            "{\"file_id\":\"AgAC_%s\",\"file_path\":\"photos/%s\",\"base64\":\"%s\"}", name, name,
            bytes);
}

static void album(const char *name, const char *caption)
{
    AUTO(free_ptr)
    char *words = caption ? str_printf(",\"text\":\"%s\"", caption) : str_dup("");
    fake_do(&telegram, "say",
            "{\"chat\":%lld,\"from\":{\"id\":%lld}%s,\"extra\":{\"media_group_id\":\"1312\","
            "\"photo\":[{\"file_id\":\"AgAC_small\",\"width\":90,\"height\":60},"
            "{\"file_id\":\"AgAC_%s\",\"width\":960,\"height\":640}]}}",
            ANA, ANA, words, name);
}

static char *wait_message(const char *field, const char *part, int ms)
{
    for (int64_t until = clock_mono_ms() + ms;;) {
        char *last = NULL;
        fake_messages(&telegram, ANA, field, &last);
        if (strstr(last, part))
            return last;
        if (clock_mono_ms() > until)
            fail_msg("no '%s' in the last message: %s", part, last);
        free(last);
        usleep(50000);
    }
}

static void press_go(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&telegram);
    const cJSON *message;
    int64_t id = 0;
    char chat[32];
    snprintf(chat, sizeof(chat), "%lld", ANA);
    cJSON_ArrayForEach(message, json_array(json_object(state, "chats"),
                                           chat)) if (json_has(message, "reply_markup")) id =
        json_int_or(message, "message_id", 0);
    fake_do(&telegram, "press",
            "{\"chat\":%lld,\"message_id\":%" PRId64
            ",\"from\":{\"id\":%lld},\"label\":\"Make it\"}",
            ANA, id, ANA);
}

/* The film's picture at `part` of its length: which of its colours is the strongest. want: "r", "g",
   "b", "y" (red and green). */
static void must_show(struct site *p, const char *film, const char *part, char want)
{
    AUTO(free_ptr)
    char *command = str_printf(
        "f=$(ls -t %s | head -1); d=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "
        "$f); "
        "t=$(awk \"BEGIN{print $d*%s}\"); ffmpeg -v error -ss $t -i $f -frames:v 1 -vf "
        "crop=iw/4:ih/12:iw/8:ih/3,scale=1:1 -f rawvideo -pix_fmt rgb24 - | od -An -tu1 | "
        "awk '{c = ($1>130&&$2>130) ? \"y\" : ($1>$2&&$1>$3) ? \"r\" : ($2>$1&&$2>$3) ? \"g\" : "
        "\"b\";"
        " print $1, $2, $3, c; exit c != \"%c\"}' > colour.txt || { cat colour.txt >&2; exit 1; }",
        film, part, want);
    site_shell(p, command);
}

static void nothing_stays(struct site *p)
{
    site_shell(p, "test -z \"$(find . -path '*/.own/*' -type f)\"");
}

/* --- cases --- */

static void an_album_becomes_the_film(void **state)
{
    struct site *p = *state;
    struct session *s = start(p);
    give_telegram(p, "red");
    give_telegram(p, "green");
    give_telegram(p, "blue");
    album("red", "/make 9:16 " THREE_SCENES);
    album("green", NULL); /* the parts of an album are updates of their own */
    album("blue", NULL);
    free(wait_message("text", "your 3 pictures", START_MS));
    assert_int_equal(site_number(p, "select count(*) from jobs where media like '%AgAC%'"), 0);
    press_go();
    free(wait_message("video", "/again", VIDEO_MS));
    must_show(p, "uploads/video_*", "0.1", 'r');
    must_show(p, "uploads/video_*", "0.5", 'g');
    must_show(p, "uploads/video_*", "0.9", 'b');
    free(wait_message("text", "Ready", ANSWER_MS));
    nothing_stays(p);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    fake_node_no_complaints(&telegram);
    site_ledger_must_hold(p);
}

/* A clip and a picture to which /make is said as an answer, and one file that is none. */
static void a_reply_a_clip_and_a_broken_file(void **state)
{
    struct site *p = *state;
    struct session *s = start(p);
    give_telegram(p, "broken");
    give_telegram(p, "yellow");
    fake_do(
        &telegram, "say",
        "{\"chat\":%lld,\"from\":{\"id\":%lld},\"text\":\"/make 9:16 A yellow field in the sun.\","
        "\"extra\":{\"photo\":[{\"file_id\":\"AgAC_broken\",\"width\":960,\"height\":640}]},"
        "\"reply_to\":{\"message_id\":3,\"from\":{\"id\":5},\"chat\":{\"id\":%lld},\"caption\":"
        "\"look\",\"video\":{\"file_id\":\"AgAC_yellow\",\"width\":360,\"height\":640,"
        "\"duration\":9}}}",
        ANA, ANA, ANA);
    free(wait_message("text", "your 2 pictures", START_MS));
    press_go();
    AUTO(free_ptr) char *film = wait_message("video", "/again", VIDEO_MS);
    assert_non_null(strstr(film, "One of the files you sent could not be used"));
    must_show(p, "uploads/video_*", "0.5", 'y');
    free(wait_message("text", "Ready", ANSWER_MS));
    nothing_stays(p);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    site_ledger_must_hold(p);
}

static void find_card(const char *text, int ms, char ret_id[static 32])
{
    const cJSON *message;
    for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until; usleep(50000)) {
        AUTO(json_free) cJSON *seen = NULL;
        message = dfake_message(&discord, text, &seen);
        if (message) {
            str_copy(ret_id, 32, json_text(message, "id", ""));
            return;
        }
    }
    fail_msg("no message says '%s'", text);
}

static void attachments_become_the_film(void **state)
{
    struct site *p = *state;
    struct session *s = start(p);
    char id[32];
    static const char *const names[] = {"blue", "red"};
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTO(free_ptr) char *bytes = file_base64(p, names[i]);
        dfake_do(&discord, "file", "{\"path\":\"/attachments/%s.jpg?ex=1&hm=2\",\"base64\":\"%s\"}",
                 names[i], bytes);
    }
    for (int64_t until = clock_mono_ms() + START_MS;
         dfake_lines(&discord, "ops", "op 2") == 0 && clock_mono_ms() < until;)
        usleep(50000);
    dfake_do(&discord, "command",
             "{\"name\":\"make\",\"where\":\"dm\",\"user\":\"7002\",\"options\":{\"topic\":"
             "\"The sea is very deep and as blue as it was on the first day of all days. A red sun "
             "goes down behind the mountains on the far side of it.\",\"aspect\":\"9:16\","
             "\"media\":\"81\",\"media2\":\"82\"},\"resolved\":{\"attachments\":{"
             "\"81\":{\"id\":\"81\",\"content_type\":\"image/jpeg\",\"url\":"
             "\"%s/attachments/blue.jpg?ex=1&hm=2\"},\"82\":{\"id\":\"82\",\"content_type\":"
             "\"image/jpeg\",\"url\":\"%s/attachments/red.jpg?ex=1&hm=2\"}}}}",
             discord.url, discord.url);
    find_card("your 2 pictures", START_MS, id);
    dfake_do(&discord, "press",
             "{\"message\":\"%s\",\"label\":\"Make it\",\"where\":\"dm\",\"user\":\"7002\"}", id);
    find_card("Ready", VIDEO_MS, id);
    must_show(p, "films/*.mp4", "0.1", 'b');
    must_show(p, "films/*.mp4", "0.9", 'r');
    nothing_stays(p);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    fake_node_no_complaints(&discord);
    site_ledger_must_hold(p);
}

/* At a terminal a file of this machine is named; the person's own file stays where it is. */
static void files_of_this_machine_become_the_film(void **state)
{
    struct site *p = *state;
    char path[1024];
    AUTO(free_ptr) char *none = str_printf("/make @%s/no.jpg The sea is blue.\n", p->folder);
    AUTO(free_ptr)
    char *line =
        str_printf("/make @%s/blue.jpg @\"%s/yellow.mp4\" 9:16 The sea is very deep and as "
                   "blue as it was on the first day of all days. A yellow field lies "
                   "behind the mountains on the far side of it.\n",
                   p->folder, p->folder);
    struct session *s = session_run(p, false, NULL);
    session_say(s, none);
    session_expect(s, "There is no file", START_MS);
    session_say(s, line);
    session_expect(s, "your 2 pictures", START_MS);
    session_path(s, ".mp4", VIDEO_MS, path);
    session_expect(s, "Ready", ANSWER_MS);
    assert_int_equal(session_finish(s, STOP_MS), 0);
    must_show(p, "films/*.mp4", "0.1", 'b');
    must_show(p, "films/*.mp4", "0.9", 'y');
    nothing_stays(p);
    site_shell(p, "test -s blue.jpg && test -s yellow.mp4");
    site_ledger_must_hold(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_album_becomes_the_film, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_reply_a_clip_and_a_broken_file, open_all, close_all),
        cmocka_unit_test_setup_teardown(attachments_become_the_film, open_all, close_all),
        cmocka_unit_test_setup_teardown(files_of_this_machine_become_the_film, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
