/* Changes of a script: what they do, and that a refused one does nothing. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/story/story_edit.h"

static void make(struct storyboard *s)
{
    *s = (struct storyboard){.settings = {.lang = "en"}};
    s->scenes = calloc(3, sizeof(*s->scenes));
    assert_non_null(s->scenes);
    s->scene_count = 3;
    for (int i = 0; i < 3; i++) {
        snprintf(s->scenes[i].id, sizeof(s->scenes[i].id), "s%d", i + 1);
        s->scenes[i].narration = str_printf("Sentence %c.", 'A' + i);
        s->scenes[i].terms[s->scenes[i].term_count++] = str_dup("sea");
    }
}

/* "s1:A s2:B" */
static char *shape(const struct storyboard *s)
{
    struct strbuf out = STRBUF(4000);
    for (size_t i = 0; i < s->scene_count; i++) {
        const char *words = s->scenes[i].narration;
        words += str_starts(words, "Sentence ") ? strlen("Sentence ") : 0;
        strbuf_addf(&out, "%s%s:%s", i ? " " : "", s->scenes[i].id, words);
    }
    return strbuf_take(&out);
}

enum verb { TEXT, DROP, MOVE, ADD };

static void each_change(void **state)
{
    (void)state;
    static const struct {
        enum verb verb;
        int scene, to;
        const char *words, *shape, *error, *why;
    } rows[] = {
        {TEXT, 2, 0, "New *words*.",   "s1:A. s2:New words. s3:C.",          NULL,                    "a scene anew, cleaned"},
        {TEXT, 4, 0, "x",              NULL,                                 "script.no_scene",       "past the end"         },
        {TEXT, 0, 0, "x",              NULL,                                 "script.no_scene",       "no number"            },
        {TEXT, 1, 0, "...",            NULL,                                 "make.nothing_to_say",   "no words"             },
        {TEXT, 1, 0, "LONG",           NULL,                                 "script.scene_too_long", "too long"             },
        {DROP, 1, 0, NULL,             "s2:B. s3:C.",                        NULL,                    "the first"            },
        {DROP, 3, 0, NULL,             "s1:A. s2:B.",                        NULL,                    "the last"             },
        {MOVE, 1, 3, NULL,             "s2:B. s3:C. s1:A.",                  NULL,                    "down"                 },
        {MOVE, 3, 1, NULL,             "s3:C. s1:A. s2:B.",                  NULL,                    "up"                   },
        {MOVE, 2, 2, NULL,             "s1:A. s2:B. s3:C.",                  NULL,                    "where it is"          },
        {MOVE, 2, 4, NULL,             NULL,                                 "script.no_scene",       "nowhere"              },
        {ADD,  1, 0, "First.\nAgain.", "s4:First. Again. s1:A. s2:B. s3:C.", NULL,
         "in front, one line"                                                                                                },
        {ADD,  4, 0, "Last.",          "s1:A. s2:B. s3:C. s4:Last.",         NULL,                    "at the end"           },
        {ADD,  5, 0, "Last.",          NULL,                                 "script.no_scene",       "behind the end"       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(storyboard_free) struct storyboard s;
        struct strbuf long_words = STRBUF(4000);
        struct err e = {0};
        make(&s);
        while (long_words.len <= STORY_NARRATION_MAX)
            strbuf_adds(&long_words, "word ");
        bool is_long = rows[i].words && strcmp(rows[i].words, "LONG") == 0;
        const char *words = is_long ? strbuf_text(&long_words) : rows[i].words;
        bool ok = rows[i].verb == TEXT   ? story_edit_text(&s, rows[i].scene, words, &e)
                  : rows[i].verb == DROP ? story_edit_drop(&s, rows[i].scene, &e)
                  : rows[i].verb == MOVE ? story_edit_move(&s, rows[i].scene, rows[i].to, &e)
                                         : story_edit_add(&s, rows[i].scene, words, &e);
        AUTO(free_ptr) char *now = shape(&s);
        const char *want = rows[i].shape ? rows[i].shape : "s1:A. s2:B. s3:C.";
        if (ok != (rows[i].error == NULL) || strcmp(now, want) != 0 ||
            (rows[i].error && strcmp(e.user_key, rows[i].error) != 0))
            fail_msg("%s: %s, %s", rows[i].why, now, ok ? "taken" : e.user_key);
        strbuf_free(&long_words);
    }
}

static void the_only_scene_stays(void **state)
{
    (void)state;
    AUTO(storyboard_free) struct storyboard s;
    struct err e = {0};
    make(&s);
    assert_true(story_edit_drop(&s, 1, &e) && story_edit_drop(&s, 1, &e));
    assert_false(story_edit_drop(&s, 1, &e));
    assert_string_equal(e.user_key, "script.last_scene");
    assert_int_equal(s.scene_count, 1);
}

/* What was made of the old words goes; ids never come back to mean another scene. */
static void work_is_forgotten_and_ids_are_new(void **state)
{
    (void)state;
    AUTO(storyboard_free) struct storyboard s;
    struct err e = {0};
    make(&s);
    s.scenes[0].speech.file = str_dup("a.wav");
    s.scenes[0].speech.duration_ms = 900;
    assert_true(story_edit_text(&s, 1, "Other words.", &e));
    assert_null(s.scenes[0].speech.file);
    assert_int_equal(s.scenes[0].speech.duration_ms, 0);
    assert_string_equal(s.scenes[0].terms[0], "sea"); /* a small change is about the same */
    assert_true(story_edit_terms(&s, 1, " ocean waves , full moon,, ", &e));
    assert_int_equal(s.scenes[0].term_count, 2);
    assert_string_equal(s.scenes[0].terms[1], "full moon");
    assert_false(story_edit_terms(&s, 1, ", ,", &e));
    assert_int_equal(s.scenes[0].term_count, 2);
    assert_true(story_edit_add(&s, 4, "A lighthouse in the storm.", &e));
    assert_true(s.scenes[3].term_count > 0); /* found by its own words */
    assert_true(story_edit_drop(&s, 2, &e) && story_edit_add(&s, 1, "One more.", &e));
    assert_string_equal(s.scenes[0].id, "s5");
    char *json = NULL;
    struct storyboard again = {0};
    assert_true(storyboard_to_json(&s, &json, &e));
    assert_true(storyboard_from_json(json, strlen(json), &again, &e));
    storyboard_free(&again);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change),
        cmocka_unit_test(the_only_scene_stays),
        cmocka_unit_test(work_is_forgotten_and_ids_are_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
