#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/story/storyboard.h"

static const struct story_settings settings = {.lang = "en",
                                               .voice = "en-anna",
                                               .aspect = ASPECT_1_1,
                                               .tier = TIER_PREMIUM,
                                               .seconds = 45,
                                               .speed = 85,
                                               .style = "neon",
                                               .music = "off",
                                               .seed = UINT64_MAX - 4,
                                               .byte_limit = INT64_C(50000000000)};

/* A storyboard with every field in use. */
static struct storyboard full_story(void)
{
    struct storyboard s = {.settings = settings, .title = str_dup("A \"title\"\\ with 月亮 🎉")};
    str_copy(s.mood, sizeof(s.mood), "playful");
    s.scenes = calloc(3, sizeof(*s.scenes));
    s.scene_count = 3;
    for (size_t i = 0; i < 3; i++) {
        struct scene *it = &s.scenes[i];
        snprintf(it->id, sizeof(it->id), "s%zu", i + 1);
        it->narration = str_dup("月亮 pulls the sea.");
    }
    for (size_t i = 0; i < 2; i++) {
        struct scene *it = &s.scenes[i];
        it->title = str_dup("On screen");
        it->terms[it->term_count++] = str_dup("moon");
        it->terms[it->term_count++] = str_dup("sea");
        it->speech.file = str_dup("/var/cache/ab/abc.wav");
        str_copy(it->speech.engine, sizeof(it->speech.engine), "espeak");
        it->speech.duration_ms = 2345;
        it->speech.words = calloc(2, sizeof(*it->speech.words));
        it->speech.words[0] = (struct speech_word){0, 6, 10, 500};
        it->speech.words[1] = (struct speech_word){7, 5, 500, 2345};
        it->speech.word_count = 2;
        it->footage = (struct footage){.kind = i ? FOOTAGE_BACKDROP : FOOTAGE_CLIP,
                                       .provider = "local",
                                       .id = "sea waves.mp4",
                                       .author = "Me",
                                       .page = "https://example.org/1",
                                       .licence = "own",
                                       .path = "/clips/sea waves.mp4",
                                       .look = "auto:1",
                                       .seed = 18446744073709551557u,
                                       .in_ms = 1234,
                                       .duration_ms = 98765,
                                       .width = 1920,
                                       .height = 1080};
    }
    s.scenes[0].second = s.scenes[0].footage;
    str_copy(s.scenes[0].second.id, sizeof(s.scenes[0].second.id), "sea gulls.mp4");
    s.own_lost = 2;
    assert_int_equal(storyboard_cut(&s), 2);
    return s;
}

static void check_same(const struct storyboard *a, const struct storyboard *b)
{
    assert_memory_equal(&a->settings, &b->settings, sizeof(a->settings));
    assert_string_equal(a->title, b->title);
    assert_string_equal(a->mood, b->mood);
    assert_int_equal(a->own_lost, b->own_lost);
    assert_int_equal(a->scene_count, b->scene_count);
    for (size_t i = 0; i < a->scene_count; i++) {
        const struct scene *x = &a->scenes[i], *y = &b->scenes[i];
        assert_string_equal(x->id, y->id);
        assert_string_equal(x->narration, y->narration);
        assert_int_equal(x->title != NULL, y->title != NULL);
        assert_int_equal(x->term_count, y->term_count);
        for (size_t k = 0; k < x->term_count; k++)
            assert_string_equal(x->terms[k], y->terms[k]);
        assert_int_equal(x->speech.file != NULL, y->speech.file != NULL);
        assert_int_equal(x->speech.duration_ms, y->speech.duration_ms);
        assert_int_equal(x->speech.word_count, y->speech.word_count);
        if (x->speech.word_count)
            assert_memory_equal(x->speech.words, y->speech.words,
                                x->speech.word_count * sizeof(*x->speech.words));
        assert_memory_equal(&x->footage, &y->footage, sizeof(x->footage));
        assert_memory_equal(&x->second, &y->second, sizeof(x->second));
        assert_memory_equal(&x->cut, &y->cut, sizeof(x->cut));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    AUTO(storyboard_free) struct storyboard s = full_story();
    AUTO(storyboard_free) struct storyboard back = {0};
    AUTO(free_ptr) char *json = NULL;
    AUTO(free_ptr) char *again = NULL;
    struct err e = {0};
    assert_true(storyboard_to_json(&s, &json, &e));
    if (!storyboard_from_json(json, strlen(json), &back, &e))
        fail_msg("%s\n%s", e.detail, json);
    check_same(&s, &back);
    assert_true(storyboard_to_json(&back, &again, &e));
    assert_string_equal(json, again);
}

static void test_settings_alone(void **state)
{
    (void)state;
    struct storyboard s = {.settings = settings};
    AUTO(storyboard_free) struct storyboard back = {0};
    AUTO(free_ptr) char *json = NULL;
    struct err e = {0};
    assert_true(storyboard_to_json(&s, &json, &e)); /* a job before its script */
    assert_true(storyboard_from_json(json, strlen(json), &back, &e));
    assert_memory_equal(&s.settings, &back.settings, sizeof(s.settings));
    assert_int_equal(back.scene_count, 0);
    assert_int_equal(storyboard_frames(&back), 0);
}

/* --- hostile documents --- */

#define SETTINGS "\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":\"en\"}"
#define HEAD "{\"version\":1,\"title\":\"T\"," SETTINGS ","
#define SCENE "\"id\":\"s1\",\"narration\":\"the moon\""
#define SPOKEN SCENE ",\"speech\":{\"file\":\"x.wav\",\"duration_ms\":1000,\"words\":"
/* clang-format off: version 14 crashes on this table */
static const struct {
    const char *json;
    const char *where; /* NULL: it loads */
    const char *why;
} documents[] = {
    {HEAD "\"scenes\":[{" SCENE "}]}",                                                              NULL,                     "the least there is"     },
    {HEAD "\"scenes\":[{" SCENE ",\"later\":{\"x\":1}}],\"more\":[]}",                              NULL,                     "unknown keys"           },
    {HEAD "\"scenes\":[{" SPOKEN "[[0,3,0,500],[4,4,500,1000]]}}]}",                                NULL,                     "words"                  },
    {"",                                                                                            "JSON",                   "nothing"                },
    {"[]",                                                                                          "JSON",                   "a list"                 },
    {"{",                                                                                           "JSON",                   "cut"                    },
    {HEAD "\"scenes\":[]} trailing",                                                                "JSON",                   "text after it"          },
    {HEAD "\"scenes\":[{\"id\":\"s1\",\"narration\":\"\xFF\"}]}",                                   "JSON",                   "not UTF-8"              },
    {"{\"version\":1,\"title\":\"T\",\"scenes\":[]}",                                               "settings",               "no settings"            },
    {"{\"version\":2,\"title\":\"T\"," SETTINGS ",\"scenes\":[]}",                                  "version",                "of the future"          },
    {"{\"title\":\"T\"," SETTINGS ",\"scenes\":[]}",                                                "version",                "no version"             },
    {"{\"version\":1," SETTINGS ",\"scenes\":[]}",                                                  "title",                  "no title"               },
    {"{\"version\":1,\"title\":7," SETTINGS ",\"scenes\":[]}",                                      "title",                  "a number"               },
    {"{\"version\":1,\"title\":\"T\",\"mood\":\"angry\"," SETTINGS ",\"scenes\":[]}",               "mood",
     "unknown"                                                                                                                                         },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"4:3\",\"tier\":\"hd\",\"lang\":"
     "\"en\"}}",                                                                               "settings.aspect",        "unknown"                },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"8k\",\"lang\":"
     "\"en\"}}",                                                                               "settings.tier",          "unknown"                },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\"}}",
     "settings.lang",                                                                                                         "missing"                },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"seed\":\"18446744073709551616\"}}",                                                    "settings.seed",          "65 bits"                },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"seed\":7}}",                                                                           "settings.seed",          "a number loses bits"    },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"seed\":\"-1\"}}",                                                                      "settings.seed",          "negative"               },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"seconds\":1e999}}",                                                                    "settings.seconds",       "infinite"               },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"seconds\":1.5}}",                                                                      "settings.seconds",       "not whole"              },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"style\":\"../../etc\"}}",                                                              "settings.style",         "unknown"                },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\","
     "\"music\":\"loud\"}}",                                                                   "settings.music",         "unknown"                },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\",\"lang\":"
     "\"en\",\"speed\":131}}",                                                                 "settings.speed",         "too fast"               },
    {"{\"version\":1,\"title\":\"T\",\"settings\":{\"aspect\":\"9:16\",\"tier\":\"hd\","
     "\"lang\":\"0123456789abcdef\"}}",                                                        "settings.lang",          "too long"               },
    {"{\"version\":1,\"title\":\"T\"," SETTINGS "}",                                                "scenes",                 "missing"                },
    {HEAD "\"scenes\":{}}",                                                                         "scenes",                 "no list"                },
    {HEAD "\"scenes\":[7]}",                                                                        "scenes[0]",              "no object"              },
    {HEAD "\"scenes\":[{\"narration\":\"x\"}]}",                                                    "scenes[0].id",           "missing"                },
    {HEAD "\"scenes\":[{\"id\":\"s1\"}]}",                                                          "scenes[0].narration",    "missing"                },
    {HEAD "\"scenes\":[{\"id\":\"s1\",\"narration\":\" \\n \"}]}",                                  "scenes[0].narration",    "blank"                  },
    {HEAD "\"scenes\":[{\"id\":\"s1\",\"narration\":\"a\\u001b[2J\"}]}",                            "scenes[0].narration",
     "escape"                                                                                                                                          },
    {HEAD "\"scenes\":[{" SCENE "},{" SCENE "}]}",                                                  "scenes[1].id",           "twice the same"         },
    {HEAD "\"scenes\":[{" SCENE ",\"search\":\"moon\"}]}",                                          "scenes[0].search",       "no list"                },
    {HEAD "\"scenes\":[{" SCENE ",\"search\":[1]}]}",                                               "scenes[0].search",       "no text"                },
    {HEAD "\"scenes\":[{" SCENE
          ",\"search\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}]}",            "scenes[0].search",       "too many"               },
    {HEAD "\"scenes\":[{" SCENE ",\"speech\":[]}]}",                                                "scenes[0].speech",       "no object"              },
    {HEAD "\"scenes\":[{" SCENE ",\"speech\":{\"file\":\"x\",\"duration_ms\":-5}}]}",
     "scenes[0].speech.duration_ms",                                                                                          "negative"               },
    {HEAD "\"scenes\":[{" SPOKEN "[[0,3,0]]}}]}",                                                   "scenes[0].speech.words", "too short"              },
    {HEAD "\"scenes\":[{" SPOKEN "[[0,99,0,5]]}}]}",                                                "scenes[0].speech.words", "past the end"           },
    {HEAD "\"scenes\":[{" SPOKEN "[[0,3,0,500],[2,2,500,600]]}}]}",                                 "scenes[0].speech.words",
     "overlap"                                                                                                                                         },
    {HEAD "\"scenes\":[{" SPOKEN "[[0,3,500,600],[4,2,100,600]]}}]}",                               "scenes[0].speech.words",
     "falls"                                                                                                                                           },
    {HEAD "\"scenes\":[{" SPOKEN "[[0,3,0,1001]]}}]}",                                              "scenes[0].speech.words", "after the sound"        },
    {HEAD "\"scenes\":[{" SPOKEN "[[-1,3,0,1]]}}]}",                                                "scenes[0].speech.words", "before the text"        },
    {HEAD "\"scenes\":[{" SCENE ",\"footage\":{\"kind\":\"url\"}}]}",                               "scenes[0].footage.kind",
     "unknown"                                                                                                                                         },
    {HEAD "\"scenes\":[{" SCENE ",\"footage\":{\"kind\":\"clip\",\"width\":99999}}]}",
     "scenes[0].footage.width",                                                                                               "too wide"               },
    {HEAD "\"scenes\":[{" SCENE ",\"footage\":{\"kind\":\"clip\",\"in_ms\":-1}}]}",
     "scenes[0].footage.in_ms",                                                                                               "negative"               },
    {HEAD "\"scenes\":[{" SCENE ",\"cut\":{\"first_frame\":0,\"frames\":30,\"start_ms\":0}}]}",
     "scenes[0].cut",                                                                                                         "cut before it is spoken"},
    {HEAD "\"scenes\":[{" SPOKEN "[]},\"cut\":{\"first_frame\":5,\"frames\":30,\"start_ms\":0}}]}",
     "scenes[0].cut.first_frame",                                                                                             "a gap"                  },
    {HEAD "\"scenes\":[{" SPOKEN
          "[]},\"cut\":{\"first_frame\":0,\"frames\":2000000000,\"start_ms\":0}}]}",           "scenes[0].cut.frames",   "too long"               },
};
/* clang-format on */

static void test_hostile_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(documents); i++) {
        AUTO(storyboard_free) struct storyboard s = {0};
        struct err e = {0};
        bool ok = storyboard_from_json(documents[i].json, strlen(documents[i].json), &s, &e);
        if (ok != !documents[i].where)
            fail_msg("%s: %s\n%s", documents[i].why, ok ? "loads" : e.detail, documents[i].json);
        if (ok)
            continue;
        assert_int_equal(e.code, ERR_INPUT);
        assert_string_equal(e.user_key, "make.bad_story");
        if (strcmp(e.arg, documents[i].where) != 0)
            fail_msg("%s: blames %s\n%s", documents[i].why, e.arg, documents[i].json);
        assert_int_equal(s.scene_count, 0);
    }
}

static void test_bombs(void **state)
{
    static const char *const bombs[] = {"[", "{\"a\":", "[[],", "1,", "\"\\ud83d", "{}"};
    (void)state;
    for (size_t i = 0; i < COUNT(bombs); i++) {
        struct strbuf json = STRBUF(STORY_JSON_MAX + 100);
        struct storyboard s = {0};
        struct err e = {0};
        while (json.len < STORY_JSON_MAX - 10)
            strbuf_adds(&json, bombs[i]);
        int64_t start = clock_mono_ms();
        assert_false(storyboard_from_json(json.text, json.len, &s, &e));
        assert_true(clock_mono_ms() - start < 3000);
        while (json.len <= STORY_JSON_MAX)
            strbuf_addc(&json, ' ');
        assert_false(storyboard_from_json(json.text, json.len, &s, &e));
        assert_int_equal(e.code, ERR_LIMIT);
        strbuf_free(&json);
    }
}

/* Every cut, and thousands of changed bytes: refused or a storyboard within its bounds. */
static void test_damaged_documents(void **state)
{
    (void)state;
    AUTO(storyboard_free) struct storyboard s = full_story();
    AUTO(free_ptr) char *json = NULL;
    struct err e = {0};
    assert_true(storyboard_to_json(&s, &json, &e));
    size_t len = strlen(json), loaded = 0;
    for (size_t cut = 0; cut < len; cut++) {
        struct storyboard back = {0};
        AUTO(free_ptr) char *piece = malloc(cut + 1); /* so that reading past it is seen */
        memcpy(piece, json, cut);
        if (cut + 1 < len)
            assert_false(storyboard_from_json(piece, cut, &back, &e));
        storyboard_free(&back);
    }
    unsigned seed = 1;
    static const char bytes[] = "\"\\{}[],:0-9e\xF0\xFF\0 nt";
    for (int round = 0; round < 4000; round++) {
        struct storyboard back = {0};
        AUTO(free_ptr) char *copy = malloc(len);
        memcpy(copy, json, len);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed = seed * 1103515245u + 12345u;
            size_t at = (seed >> 8) % len;
            seed = seed * 1103515245u + 12345u;
            copy[at] = bytes[(seed >> 8) % (sizeof(bytes) - 1)];
        }
        if (storyboard_from_json(copy, len, &back, &e)) {
            loaded++;
            assert_true(back.scene_count <= STORY_SCENES_MAX);
            for (size_t i = 0; i < back.scene_count; i++)
                for (size_t w = 0; w < back.scenes[i].speech.word_count; w++)
                    assert_true(back.scenes[i].speech.words[w].at +
                                    back.scenes[i].speech.words[w].len <=
                                strlen(back.scenes[i].narration));
        }
        storyboard_free(&back);
    }
    assert_true(loaded > 0); /* else the bounds were never asked */
}

/* --- from a script --- */

static struct storyboard from(struct script_scene *scenes, size_t count, bool ok, struct err *e)
{
    struct script script = {.title = "  A **title**\nof two lines ",
                            .mood = "odd",
                            .scenes = scenes,
                            .scene_count = count};
    struct storyboard s = {0};
    assert_int_equal(storyboard_from_script(&s, &script, &settings, e), ok);
    return s;
}

static void test_from_script(void **state)
{
    (void)state;
    const char *terms[] = {" ocean ", "", "**waves**", "a", "b", "c", "d", "e", "f", "g"};
    struct err e = {0};
    struct script_scene scenes[] = {
        {.narration = "First *scene*.\nIt goes on.",
         .on_screen = "Tides",
         .terms = terms,
         .term_count = COUNT(terms)},
        {.narration = " 🎉 "                            },
        {.narration = NULL                                         },
        {.narration = "Second."             },
    };
    AUTO(storyboard_free) struct storyboard s = from(scenes, COUNT(scenes), true, &e);
    assert_int_equal(s.scene_count, 2);
    assert_string_equal(s.title, "A title of two lines");
    assert_string_equal(s.mood, "calm");
    assert_string_equal(s.scenes[0].id, "s1");
    assert_string_equal(s.scenes[0].narration, "First scene. It goes on.");
    assert_string_equal(s.scenes[0].title, "Tides");
    assert_int_equal(s.scenes[0].term_count, STORY_TERMS_MAX);
    assert_string_equal(s.scenes[0].terms[0], "ocean");
    assert_string_equal(s.scenes[0].terms[1], "waves");
    assert_string_equal(s.scenes[1].id, "s2");
    assert_null(s.scenes[1].title);
    from(scenes + 1, 2, false, &e);
    assert_string_equal(e.user_key, "make.nothing_to_say");
}

static void test_long_scenes_are_split(void **state)
{
    (void)state;
    struct strbuf text = STRBUF(500000);
    struct err e = {0};
    while (text.len < 6000)
        strbuf_adds(&text, "The moon pulls the water, and the earth turns below. ");
    struct script_scene scene = {.narration = text.text, .on_screen = "Once"};
    AUTO(storyboard_free) struct storyboard s = from(&scene, 1, true, &e);
    assert_true(s.scene_count > 3);
    size_t letters = 0;
    for (size_t i = 0; i < s.scene_count; i++) {
        assert_true(strlen(s.scenes[i].narration) <= STORY_NARRATION_MAX);
        assert_int_equal(s.scenes[i].title != NULL, i == 0);
        letters += strlen(s.scenes[i].narration) + 1;
    }
    assert_int_equal(letters, text.len);
    /* No end of sentence anywhere, and more than a film may have. */
    strbuf_reset(&text);
    while (text.len < 450000)
        strbuf_adds(&text, "月亮");
    scene.narration = text.text;
    from(&scene, 1, false, &e);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.user_key, "make.too_long");
    strbuf_free(&text);
}

/* --- timeline --- */

static void test_cut(void **state)
{
    (void)state;
    struct storyboard s = {0};
    struct scene scenes[100] = {0};
    s.scenes = scenes;
    s.scene_count = COUNT(scenes);
    assert_int_equal(storyboard_cut(&s), 0);
    int64_t want = 0;
    for (size_t i = 0; i < COUNT(scenes); i++) {
        scenes[i].speech.file = (char *)"x.wav";
        scenes[i].speech.duration_ms = 7001 + (int)i * 13;
        assert_int_equal(storyboard_frames(&s), 0);
        assert_int_equal(storyboard_cut(&s), i + 1);
        want += scenes[i].speech.duration_ms + STORY_HEAD_MS + STORY_TAIL_MS;
    }
    want += STORY_END_MS;
    int next = 0;
    for (size_t i = 0; i < COUNT(scenes); i++) {
        const struct scene *it = &scenes[i];
        int speech_end_ms = it->cut.start_ms + STORY_HEAD_MS + it->speech.duration_ms;
        assert_int_equal(it->cut.first_frame, next); /* no gap, no overlap */
        next += it->cut.frames;
        assert_true(abs(it->cut.start_ms * STORY_FPS - it->cut.first_frame * 1000) <= 500);
        assert_true(next * 1000 / STORY_FPS >= speech_end_ms + STORY_TAIL_MS - 1);
        assert_true(next * 1000 / STORY_FPS <= speech_end_ms + STORY_TAIL_MS + STORY_END_MS + 35);
    }
    assert_int_equal(storyboard_frames(&s), next);
    assert_true(llabs((int64_t)next * 1000 / STORY_FPS - want) <= 34 * (int)COUNT(scenes));
    scenes[50].speech.file = NULL; /* to be spoken again: what comes after it has no place yet */
    assert_int_equal(storyboard_cut(&s), 50);
    assert_int_equal(scenes[70].cut.frames, 0);
    assert_int_equal(storyboard_frames(&s), 0);
}

static void test_names_and_sizes(void **state)
{
    static const struct {
        const char *aspect, *tier;
        int width, height;
    } rows[] = {
        {"9:16", "basic",   720,  1280},
        {"9:16", "hd",      1080, 1920},
        {"9:16", "premium", 1080, 1920},
        {"16:9", "basic",   1280, 720 },
        {"16:9", "HD",      1920, 1080},
        {"1:1",  "basic",   720,  720 },
        {"1:1",  "premium", 1080, 1080}
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum story_aspect a;
        enum story_tier t;
        int w, h;
        assert_true(story_aspect_parse(rows[i].aspect, &a) && story_tier_parse(rows[i].tier, &t));
        assert_string_equal(story_aspect_name(a), rows[i].aspect);
        story_size(a, t, &w, &h);
        assert_int_equal(w, rows[i].width);
        assert_int_equal(h, rows[i].height);
    }
    enum story_aspect a;
    enum story_tier t;
    assert_false(story_aspect_parse("4:3", &a) || story_aspect_parse("", &a));
    assert_false(story_tier_parse("8k", &t) || story_tier_parse("", &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_settings_alone),
        cmocka_unit_test(test_hostile_documents),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_damaged_documents),
        cmocka_unit_test(test_from_script),
        cmocka_unit_test(test_long_scenes_are_split),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_names_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
