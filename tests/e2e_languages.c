/* The whole program through a pipe: what `echo '/make …' | make run` gives, in three languages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/net/json.h"
#include "core/story/storyboard.h"
#include "tests/fake_azure.h"
#include "tests/film.h"
#include "tests/session.h"
#include "tests/subtitles.h"

enum { RENDER_MS = 180000, ONSETS_MAX = 64, CHANGES_MAX = 256 };

/* The plan, from the document that is kept with the job. */
static double planned_s(const struct storyboard *s)
{
    double ms = STORY_END_MS;
    for (size_t i = 0; i < s->scene_count; i++)
        ms += STORY_HEAD_MS + STORY_TAIL_MS + s->scenes[i].speech.duration_ms;
    return ms / 1000;
}

/* Each scene may end up to one picture later, so that it is whole pictures long. */
static double rounding_s(const struct storyboard *s)
{
    return (double)s->scene_count / STORY_FPS;
}

static void story_of(struct site *p, const char *film, struct storyboard *ret)
{
    char *sql AUTO(free_ptr) = str_printf("select j.story from jobs j join videos v on "
                                          "v.job_id = j.id where v.path like '%%%s'",
                                          strrchr(film, '/') + 1);
    char *json AUTO(free_ptr) = site_audit(p, sql);
    struct err e = {0};
    if (!storyboard_from_json(json, strlen(json), ret, &e))
        fail_msg("story: %s %s", e.arg, e.detail);
}

/* The poster is a picture; the subtitles say what was spoken, when it was. */
static void files_beside(const char *film, const char *said, const struct storyboard *story)
{
    char path[1024];
    unsigned char head[3] = {0};
    char *text AUTO(free_ptr) = NULL;
    size_t len;
    struct err e;
    size_t stem = strlen(film) - strlen("mp4");
    snprintf(path, sizeof path, "%.*sjpg", (int)stem, film);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, 3, f), 3);
    fclose(f);
    assert_memory_equal(head, "\xff\xd8\xff", 3);
    snprintf(path, sizeof path, "%.*ssrt", (int)stem, film);
    assert_true(fs_read(path, 1 << 20, &text, &len, &e));
    const char *first = strstr(text, "00:00:00,");
    assert_non_null(first); /* the first word comes after the head, and what the voice waits */
    assert_in_range(strtol(first + strlen("00:00:00,"), NULL, 10), STORY_HEAD_MS, 500);
    if (!strstr(text, said))
        fail_msg("%s is not in the subtitles: %s", said, text);
    subtitles_must_match(text, story);
    subtitles_must_match_sound(film, story);
}

static void nothing_configured(void **state)
{
    struct site *p = *state;
    struct storyboard story AUTO(storyboard_free) = {0};
    char film[1024];
    struct session *s = session_run(p, false, NULL);
    session_say(s, "/make How tides work. The moon pulls the sea towards itself.\n");
    int status = session_finish(s, RENDER_MS);
    session_expect(s, "own words", 0); /* the quote says that nobody writes */
    session_path(s, ".mp4\n", 0, film);
    assert_int_equal(status, 0);
    story_of(p, film, &story);
    film_must_be_good(film, 720, 1280, planned_s(&story) + rounding_s(&story) / 2);
    files_beside(film, "The moon", &story);
    for (size_t i = 0; i < story.scene_count; i++)
        assert_int_equal(story.scenes[i].footage.kind, FOOTAGE_BACKDROP);
    site_audit_is(p,
                  "select concat_ws(' ', (select sum(amount) from entries where account='revenue'),"
                  " (select avail + held from wallets))",
                  "1 0");
}

/* --- the person's own clips, among files that are no use --- */

static void make_footage(struct site *p)
{
    /* Grey, so that all colour in the picture is captions; moving, so that nothing is frozen. */
    site_shell(p, "mkdir -p clips");
    site_shell(p, "ffmpeg -nostdin -v error -f lavfi -i "
                  "\"nullsrc=s=426x240:r=25:d=14,format=gray,"
                  "geq=lum='110+60*sin((X+T*50)/30)',format=yuv420p\" "
                  "-c:v libx264 -preset ultrafast clips/sea.mp4");
    site_shell(p, "ffmpeg -nostdin -v error -f lavfi -i "
                  "\"nullsrc=s=240x426:r=50:d=14,format=gray,"
                  "geq=lum='110+60*sin((Y+T*50)/30)',format=yuv420p\" "
                  "-c:v libx264 -preset ultrafast clips/moon.mp4");
    site_shell(p, ": > clips/empty.mp4");
    site_shell(p, "head -c 5000 /dev/urandom > clips/noise.mp4");
    site_shell(p, "head -c 3000 clips/sea.mp4 > clips/cut.mp4");
    site_shell(p, "ffmpeg -nostdin -v error -f lavfi -i sine=d=2 clips/sound.mp4");
    site_shell(p, "ln -s /etc/passwd clips/passwd.mp4; ln -s nowhere clips/dangling.mp4");
    site_shell(p, "printf '#EXTM3U\\n#EXTINF:10,\\nfile:///etc/passwd\\n' > clips/list.mp4");
    site_shell(p, "printf 'ffconcat version 1.0\\nfile sea.mp4\\n' > clips/concat.mp4");
}

struct language {
    const char *lang, *line, *said;
    const char *iso;   /* of the sound stream */
    const char *words; /* what is left of the line when it is cleaned */
};

static const struct language languages[] = {
    {"en", "/make One! Two! Three! The moon pulls the sea. music:off style:clean\n",                          "Two!",       "eng",
     NULL                                                                                                                              },
    {"zh", "/make 一！二！三！月亮吸引着大海。 music:off style:clean\n",                        "月亮",     "zho", NULL},
    {"ar", "/make واحد! اثنان! ثلاثة! القمر يجذب البحر. music:off style:clean\n", "القمر", "ara",
     NULL                                                                                                                              },
};

/* Each time the voice sets in, another word lights up within 80 ms, and all ink is in the frame. */
static void highlight_follows_voice(const char *film, const struct film_facts *facts)
{
    double onsets[ONSETS_MAX], changes[CHANGES_MAX];
    int pictures, lost = 0;
    struct film_lit *rows AUTO(free_ptr) = film_lit_words(film, &pictures);
    int onset_count = film_voice_onsets(film, 0.15, onsets, ONSETS_MAX);
    int change_count = film_lit_changes(rows, pictures, changes, CHANGES_MAX);
    assert_true(onset_count >= 4);
    assert_true(change_count >= 5);
    for (int i = 0; i < onset_count; i++) {
        double nearest = 1e9;
        for (int k = 0; k < change_count; k++)
            if (fabs(changes[k] - onsets[i]) < fabs(nearest))
                nearest = changes[k] - onsets[i];
        if (fabs(nearest) > 0.08) {
            print_message("voice at %.3f s, highlight %+.0f ms\n", onsets[i], nearest * 1000);
            lost++;
        }
    }
    assert_int_equal(lost, 0);
    for (int i = 0; i < pictures; i++)
        if (rows[i].pixels > 0) {
            assert_in_range(rows[i].x0, facts->width / 50, facts->width);
            assert_in_range(rows[i].x1, 0, facts->width - facts->width / 50);
            assert_in_range(rows[i].y1, 0, facts->height - facts->height / 50);
        }
}

static void check_language(struct site *p, const struct language *l, const char *film)
{
    struct storyboard story AUTO(storyboard_free) = {0};
    struct film_facts facts;
    story_of(p, film, &story);
    assert_string_equal(story.settings.lang, l->lang);
    film_must_be_good(film, 720, 1280, planned_s(&story) + rounding_s(&story) / 2);
    film_read(film, &facts);
    assert_string_equal(facts.lang, l->iso);
    files_beside(film, l->said, &story);
    highlight_follows_voice(film, &facts);
    for (size_t i = 0; i < story.scene_count; i++) {
        const struct footage *f = &story.scenes[i].footage;
        assert_string_equal(f->provider, "local");
        assert_true(str_ends(f->path, "/sea.mp4") || str_ends(f->path, "/moon.mp4"));
    }
}

static void three_languages_in_one_run_with_own_clips(void **state)
{
    struct site *p = *state;
    char films[COUNT(languages)][1024];
    make_footage(p);
    char *footage AUTO(free_ptr) = str_printf("NANOTIK_FOOTAGE_DIR=%s/clips", p->folder);
    const char *env[] = {footage, "NANOTIK_TRIAL_CREDITS=5", NULL};
    struct session *s = session_run(p, false, env);
    for (size_t i = 0; i < COUNT(languages); i++)
        session_say(s, languages[i].line);
    int status = session_finish(s, RENDER_MS);
    for (size_t i = 0; i < COUNT(languages); i++) {
        session_path(s, ".mp4\n", 0, films[i]);
    }
    assert_int_equal(status, 0);
    for (size_t i = 0; i < COUNT(languages); i++)
        check_language(p, &languages[i], films[i]);
    site_audit_is(p, "select avail from wallets", "2");
}

/* --- the service's voices, through the fake of Azure --- */

/* told: in what was said about the films; NULL: anything. */
static void speak_with_service(struct site *p, struct fake_node *fake, const char *const *lines,
                               size_t count, const char *told, char films[][1024])
{
    char *footage AUTO(free_ptr) = str_printf("NANOTIK_FOOTAGE_DIR=%s/clips", p->folder);
    char *url AUTO(free_ptr) = str_printf("AZURE_SPEECH_URL=%s", fake->url);
    static const char key[] = "AZURE_SPEECH_KEY=" FAKE_AZURE_KEY;
    const char *env[] = {footage, url, key, "NANOTIK_TRIAL_CREDITS=5", NULL};
    struct session *s = session_run(p, false, env);
    for (size_t i = 0; i < count; i++)
        session_say(s, lines[i]);
    int status = session_finish(s, RENDER_MS);
    if (told)
        session_expect(s, told, 0);
    for (size_t i = 0; i < count; i++)
        session_path(s, ".mp4\n", 0, films[i]);
    assert_int_equal(status, 0);
}

/* The same, as people write: what is not for reading aloud is neither heard nor shown. */
static const struct language written[] = {
    {"en",
     "/make One! **Two!** Three! The moon (https://example.org/a_b) pulls the _sea_. music:off "
     "style:clean\n",                                                                        "Two!",       "eng", "One! Two! Three! The moon pulls the sea."                         },
    {"zh", "/make 一！**二！**三！月亮吸引着_大海_。 music:off style:clean\n", "月亮",     "zho",
     "一！二！三！月亮吸引着大海。"                                                                                                                                    },
    {"ar",
     "/make واحد! **اثنان!** ثلاثة! القمر (https://example.org/a_b) يجذب `البحر`. music:off "
     "style:clean\n",                                                                        "القمر", "ara", "واحد! اثنان! ثلاثة! القمر يجذب البحر."},
};

static void spoken_by(struct site *p, const char *film, const char *engine)
{
    struct storyboard story AUTO(storyboard_free) = {0};
    story_of(p, film, &story);
    for (size_t i = 0; i < story.scene_count; i++)
        assert_string_equal(story.scenes[i].speech.engine, engine);
}

static void three_languages_with_the_services_voices(void **state)
{
    struct site *p = *state;
    struct fake_node fake;
    char films[COUNT(written)][1024];
    const char *lines[COUNT(written)];
    size_t scenes = 0;
    for (size_t i = 0; i < COUNT(written); i++)
        lines[i] = written[i].line;
    make_footage(p);
    fake_azure_start(&fake);
    speak_with_service(p, &fake, lines, COUNT(lines), NULL, films);
    AUTO(json_free) cJSON *said = fake_azure_ask(&fake, "state", "{}");
    fake_node_stop(&fake);
    assert_int_equal(cJSON_GetArraySize(json_array(said, "complaints")), 0);
    for (size_t i = 0; i < COUNT(written); i++) {
        struct storyboard story AUTO(storyboard_free) = {0};
        spoken_by(p, films[i], "azure");
        check_language(p, &written[i], films[i]);
        story_of(p, films[i], &story);
        subtitles_must_match_speech(json_array(said, "turns"), &story);
        scenes += story.scene_count;
        assert_string_equal(story.scenes[0].narration, written[i].words);
    }
    assert_int_equal(cJSON_GetArraySize(json_array(said, "turns")), scenes); /* a turn for each */
}

/* Each way in which the service can be away: the film comes all the same, in one voice. */
static void the_service_is_away(void **state)
{
    static const struct {
        const char *where, *fault, *why;
    } rows[] = {
        {"upgrade", "\"kind\":\"status\",\"code\":401",                                "the key is refused"},
        {"turn",    "\"kind\":\"close\",\"code\":1007,\"reason\":\"Quota exceeded.\"",
         "no money there"                                                                                  },
        {"turn",    "\"kind\":\"silence\"",                                            "only silence comes"},
    };
    struct site *p = *state;
    struct fake_node fake;
    make_footage(p);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char film[1][1024];
        char *line AUTO(free_ptr) =
            str_printf("/make Number %zu is here. The moon pulls the sea. music:off\n", i);
        fake_azure_start(&fake);
        fake_azure_do(&fake, "fault", "{\"where\":\"%s\",\"times\":1000,%s}", rows[i].where,
                      rows[i].fault);
        fake_azure_do(&fake, "fault",
                      "{\"where\":\"rest\",\"times\":1000,\"kind\":\"status\","
                      "\"code\":503}");
        const char *const lines[] = {line};
        speak_with_service(p, &fake, lines, 1, "another one stands in", film);
        fake_node_stop(&fake);
        print_message("%s\n", rows[i].why);
        spoken_by(p, film[0], "espeak");
    }
}

static void the_bot_speaks_three_languages(void **state)
{
    static const struct {
        const char *say, *expect;
    } talk[] = {
        {"/help\n",          "/make"                       },
        {"/lang zh\n",       "中文"                      },
        {"/credits\n",       "你有 1 积分"             },
        {"/lang ar\n",       "العربية"              },
        {"/credits\n",       "لديك نقطة واحدة"},
        {"/lang en\n",       "English"                     },
        {"/credits\n",       "You have 1 credit"           },
        {"/settings hd\n",   "Quality: hd"                 },
        {"/voice\n",         "Voices for"                  },
        {"/voice en-tom\n",  "This is Tom."                },
        {"/voice en-anna\n", ".ogg"                        },
        {"/style neon\n",    "style neon"                  },
        {"/history\n",       "no video"                    },
        {"/queue\n",         "Nothing"                     },
        {"/terms\n",         "The rules"                   },
        {"/privacy\n",       "What is stored"              },
        {"/pay\n",           "nanotik grant"               },
        {"/start\n",         "Welcome"                     },
        {"/nonsense\n",      "no command"                  },
        {"/make\n",          "What should"                 },
        {"/make x 7000s\n",  "5 to 180"                    },
        {"/forget yes\n",    "deleted"                     },
    };
    struct site *p = *state;
    struct session *s = session_run(p, false, NULL);
    for (size_t i = 0; i < COUNT(talk); i++) {
        session_say(s, talk[i].say);
        session_expect(s, talk[i].expect, 15000);
    }
    assert_int_equal(session_finish(s, 15000), 0);
    site_audit_is(p, "select count(*) from identities", "0"); /* forgotten */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, site_open, site_close)
    const struct CMUnitTest tests[] = {
        CASE(the_bot_speaks_three_languages),
        CASE(nothing_configured),
        CASE(three_languages_in_one_run_with_own_clips),
        CASE(three_languages_with_the_services_voices),
        CASE(the_service_is_away),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
