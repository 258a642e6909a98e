/* Stock footage through the whole program: keys from the environment to clips and credits in a
 * chat, a service that is down, and what doctor says. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/story/storyboard.h"
#include "tests/fake_stock.h"
#include "tests/film.h"
#include "tests/session.h"

enum { SOON_MS = 30000, RENDER_MS = 120000 };

#define VIDEO(id)                                                                           \
    "{\"id\":" id ",\"duration\":12,\"url\":\"https://www.pexels.com/video/sea-" id         \
    "/\",\"user\":{\"name\":\"Ana " id "\"},\"video_files\":[{\"id\":1,\"quality\":\"hd\"," \
    "\"file_type\":\"video/mp4\",\"width\":720,\"height\":1280,\"fps\":30,"                 \
    "\"link\":\"{base}/clip/" id ".mp4\"}]}"

#define HIT(id)                                                                           \
    "{\"id\":" id ",\"pageURL\":\"https://pixabay.com/videos/id-" id                      \
    "/\",\"tags\":\"sea\",\"duration\":12,\"user\":\"bo\",\"videos\":{\"tiny\":{\"url\":" \
    "\"{base}/clip/p" id ".mp4\",\"width\":720,\"height\":1280,\"size\":60000}}}"

struct settings {
    char *texts[8];
    const char *env[9];
};

static void settings_free(struct settings *s)
{
    for (size_t i = 0; i < COUNT(s->texts); i++)
        free(s->texts[i]);
}

static struct settings settings_for(const struct fake_node *f, const char *pexels,
                                    const char *pixabay)
{
    struct settings s = {
        .texts = {
                  str_printf("PEXELS_API_KEYS=%s", pexels),
                  str_printf("PEXELS_API_URL=%s/v1", f->url),
                  str_printf("PIXABAY_API_KEYS=%s", pixabay),
                  str_printf("PIXABAY_API_URL=%s/api/", f->url),
                  str_dup("NANOTIK_TRIAL_CREDITS=9"),
                  }
    };
    for (size_t i = 0; i < COUNT(s.texts); i++)
        s.env[i] = s.texts[i];
    return s;
}

static void start(struct site *p, struct fake_node *f)
{
    AUTO(free_ptr) char *clip = str_printf("%s/clip.mp4", p->folder);
    AUTO(free_ptr) char *photo = str_printf("%s/photo.jpg", p->folder);
    site_shell(p, "ffmpeg -v error -f lavfi -i testsrc2=size=720x1280:rate=30:duration=12 "
                  "-c:v libx264 -preset ultrafast -crf 40 -pix_fmt yuv420p clip.mp4 && "
                  "ffmpeg -v error -f lavfi -i testsrc2=size=900x1600 -frames:v 1 photo.jpg");
    fake_stock_start(f, clip, photo);
    fake_stock_tell(f, "videos", "[" VIDEO("100") "," VIDEO("101") "," VIDEO("102") "]");
    fake_stock_tell(f, "hits", "[" HIT("900") "]");
    fake_stock_tell(f, "photos",
                    "[{\"id\":7,\"width\":3000,\"height\":4000,\"photographer\":\"Bo\",\"src\":{"
                    "\"original\":\"{base}/photo/7.jpeg\"},"
                    "\"url\":\"https://www.pexels.com/photo/cliffs-7/\"}]");
}

static void a_chat_sees_no_clip_twice(void **state)
{
    struct site *p = *state;
    struct fake_node f;
    start(p, &f);
    fake_stock_tell(&f, "keys", "{\"pexels\":[\"good-key-22\"]}");
    AUTO(settings_free) struct settings env = settings_for(&f, "bad-key-11,good-key-22", "");
    struct session *s = session_run(p, false, env.env);
    session_say(s, "/make The sea is deep.\n");
    session_expect(s, "Pictures: Ana 100 / Pexels https://www.pexels.com/video/sea-100/",
                   RENDER_MS);
    session_expect(s, "Ready", RENDER_MS);
    session_say(s, "/make The sea is blue.\n");
    session_expect(s, "Pictures: Ana 101 / Pexels https://www.pexels.com/video/sea-101/",
                   RENDER_MS);
    assert_int_equal(session_finish(s, RENDER_MS), 0);
    AUTO(free_ptr) char *log = session_log(s);
    if (strstr(log, "bad-key-11") || strstr(log, "good-key-22"))
        fail_msg("a key is in the log: %s", log);
    fake_node_no_complaints(&f);
    fake_node_stop(&f);
}

static void read_story(const char *path, struct storyboard *ret)
{
    AUTO(free_ptr) char *json = NULL;
    struct err e = {0};
    size_t len;
    if (!fs_read(path, STORY_JSON_MAX, &json, &len, &e) ||
        !storyboard_from_json(json, len, ret, &e))
        fail_msg("%s", e.detail);
}

static void the_next_source_stands_in(void **state)
{
    static const struct {
        const char *why, *fault, *want;
        bool no_clips;
    } rows[] = {
        {"both there",                NULL,                                                                 "pexels",       false},
        {"Pexels is down",            "{\"on\":\"search\",\"kind\":\"status\",\"code\":500,\"times\":3}",
         "pixabay",                                                                                                         false},
        {"nobody has a clip of it",   NULL,                                                                 "pexels_photo", true },
        {"both are down",             "{\"on\":\"search\",\"kind\":\"status\",\"code\":500,\"times\":999}",
         "backdrop",                                                                                                        false},
        {"no clip can be downloaded", "{\"on\":\"clip\",\"kind\":\"html\",\"times\":999}",
         "backdrop",                                                                                                        false},
    };
    struct site *p = *state;
    struct fake_node f;
    start(p, &f);
    AUTO(settings_free) struct settings env = settings_for(&f, "good-key-22", "good-key-33");
    AUTO(free_ptr) char *film = str_printf("%s/one.mp4", p->folder);
    AUTO(free_ptr) char *path = str_printf("%s/story.json", p->folder);
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(storyboard_free) struct storyboard story = {0};
        site_shell(p, "rm -rf data/cache");
        fake_stock_tell(&f, "set", "{\"faults\":[]}");
        if (rows[i].fault)
            fake_stock_tell(&f, "fault", rows[i].fault);
        fake_stock_tell(&f, "set", rows[i].no_clips ? "{\"hidden\":true}" : "{\"hidden\":false}");
        const char *args[] = {"make", "The sea is deep.", "-o", film, "--story", path, NULL};
        struct session_options o = {.args = args, .env = env.env};
        if (session_finish(session_start(p, &o), RENDER_MS) != 0)
            fail_msg("no film: %s", rows[i].why);
        read_story(path, &story);
        if (strcmp(story.scenes[0].footage.provider, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].why, story.scenes[0].footage.provider);
        film_must_be_good(film, 720, 1280, (double)storyboard_frames(&story) / STORY_FPS);
    }
    fake_node_no_complaints(&f);
    fake_node_stop(&f);
}

static void doctor_asks_with_each_key(void **state)
{
    struct site *p = *state;
    struct fake_node f;
    fake_stock_start(&f, NULL, NULL);
    fake_stock_tell(&f, "keys", "{\"pexels\":[\"good-key-22\"],\"pixabay\":[\"good-key-33\"]}");
    AUTO(settings_free)
    struct settings env = settings_for(&f, "bad-key-11,good-key-22", "good-key-33");
    const char *args[] = {"doctor", NULL};
    struct session_options o = {.args = args, .env = env.env};
    struct session *s = session_start(p, &o);
    assert_int_equal(session_finish(s, SOON_MS), 1); /* a key that is set and does not work */
    const char *seen = strbuf_text(&s->seen);
    static const char *const lines[] = {
        "missing  stock footage from Pexels 1/2", "Pexels does not accept the key",
        "ok       stock footage from Pexels 2/2", "ok       stock footage from Pixabay"};
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(seen, lines[i]))
            fail_msg("doctor lacks '%s': %s", lines[i], seen);
    assert_null(strstr(seen, "key-11"));
    fake_node_stop(&f);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, site_open, site_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_chat_sees_no_clip_twice),
        CASE(the_next_source_stands_in),
        CASE(doctor_asks_with_each_key),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
