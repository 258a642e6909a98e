/* The pipeline with fakes: what is asked and refused first, and who stands in for whom. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/strbuf.h"
#include "tests/pipe.h"

static void nothing_to_say_is_said(void **state)
{
    static const char *const topics[] = {"", "   ", "\U0001F600 \U0001F680!", "..."};
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(topics); i++) {
        struct pipeline_run r = {
            .tools = &x->f->box, .topic = topics[i], .story = &x->story, .out_path = x->out};
        assert_false(pipeline_run(&r, &x->result, &x->err));
        assert_int_equal(x->err.code, ERR_INPUT);
        assert_string_equal(x->err.user_key, "make.nothing_to_say");
    }
}

static void voices_are_checked_before_anything_costs(void **state)
{
    static const struct {
        const char *lang, *voice, *key, *why;
    } rows[] = {
        {"en",    "",    NULL,                         "first of the language"},
        {"en",    "Ada", NULL,                         "named"                },
        {"en-US", "Bob", NULL,                         "same language"        },
        {"en",    "Eve", "make.unknown_voice",         "nobody of that name"  },
        {"tlh",   "",    "make.no_voice_for_language", "no engine"            },
        {"tlh",   "Ada", "make.no_voice_for_language", "language before voice"},
    };
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct story_settings s = {0};
        struct err e = {0};
        str_copy(s.lang, sizeof s.lang, rows[i].lang);
        str_copy(s.voice, sizeof s.voice, rows[i].voice);
        bool ok = pipeline_check_voice(&x->f->box, &s, &e);
        if (ok != (rows[i].key == NULL) || (!ok && strcmp(e.user_key, rows[i].key) != 0))
            fail_msg("%s %s: %s", rows[i].lang, rows[i].voice, rows[i].why);
    }
}

static void the_estimate_grows_with_the_words(void **state)
{
    struct pipe *x = *state;
    struct story_settings s = {.lang = "en"};
    x->f->box.writers[0] = x->f->box.writers[1]; /* own words only */
    int64_t one =
        pipeline_estimate_ms(&x->f->box, "Ten words are about four seconds of speech.", &s);
    int64_t four = pipeline_estimate_ms(&x->f->box, pipe_topic, &s);
    assert_in_range(one, 2000, 8000);
    assert_true(four > one);
}

/* --- what is not made --- */

struct judge {
    const char *flagged; /* a word */
    enum err_code code;  /* of a service that cannot be asked */
    int asked;
};

static bool judge_check(void *self, const char *text, const struct cancel *cancel, struct err *e)
{
    struct judge *j = self;
    (void)cancel;
    j->asked++;
    if (j->code)
        return err_set(e, j->code, "writer.down", "the judge is ill");
    return !strstr(text, j->flagged) ||
           err_set_arg(e, ERR_REFUSED, "guard.flagged", "violence", "flagged");
}

static void judge_gone(void *self)
{
    (void)self;
}

static void what_is_not_made_is_refused_before_anything_is_spent(void **state)
{
    static const struct script_guard_ops ops = {
        .name = "judge", .check = judge_check, .destroy = judge_gone};
    static const struct {
        const char *topic, *script; /* NULL: the writer writes the topic */
        const char *key;            /* NULL: it is made */
        enum err_code ill;
        bool strict;
        int written;
        const char *why;
    } rows[] = {
        {"The badger sleeps.", NULL,                "guard.flagged", ERR_NONE,  false, 0,
         "the service flags the topic"                                                                                     },
        {"A pipe bomb.",       NULL,                "guard.refused", ERR_NONE,  false, 0, "a rule refuses the topic"       },
        {"The sea.",           "The badger bites.", "guard.script",  ERR_NONE,  false, 1,
         "the script is the writer's fault"                                                                                },
        {"The sea.",           "A pipe bomb.",      "guard.script",  ERR_NONE,  false, 1, "by a rule as well"              },
        {"The badger.",        NULL,                NULL,            ERR_RETRY, false, 1, "nobody is refused by a bad day" },
        {"The badger.",        NULL,                "guard.down",    ERR_RETRY, true,  0, "unless the operator wants it so"},
        {"The sea.",           NULL,                NULL,            ERR_NONE,  true,  1, "nothing to say against it"      },
    };
    struct pipe *x = *state;
    struct rules *rules = NULL;
    struct err e = {0};
    assert_true(rules_parse("[weapons]\npipe bomb\n", &rules, &e));
    x->f->box.rules = rules;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct judge judge = {.flagged = "badger", .code = rows[i].ill};
        x->f->box.guard = (struct script_guard){&ops, &judge};
        x->f->box.guard_strict = rows[i].strict;
        x->f->script = rows[i].script;
        x->topic = rows[i].topic;
        fake_forget(x->f);
        pipe_story_reset(x);
        bool ok = pipe_run(x);
        if (ok != (rows[i].key == NULL) || (!ok && strcmp(x->err.user_key, rows[i].key) != 0))
            fail_msg("%s: %s", rows[i].why, ok ? "made" : x->err.user_key);
        assert_int_equal(fake_count(x->f, "write0", '<'), rows[i].written);
        assert_int_equal(fake_count(x->f, "speak0", '>') > 0, ok);
    }
    /* A script that a person changed is looked at too, and that is the person's doing. */
    struct judge judge = {.flagged = "badger"};
    x->f->box.guard.self = &judge;
    pipe_story_reset(x);
    x->topic = "The sea.";
    pipe_must_run(x);
    free(x->story.scenes[0].narration);
    x->story.scenes[0].narration = str_dup("The badger again.");
    assert_false(pipe_run(x));
    assert_string_equal(x->err.user_key, "guard.flagged");
    x->f->box.rules = NULL;
    x->f->box.guard = (struct script_guard){0};
    rules_free(rules);
}

static void a_failing_writer_is_followed_by_the_next(void **state)
{
    static const struct {
        enum err_code code;
        bool falls_through;
        const char *why;
    } rows[] = {
        {ERR_RETRY,       true,  "provider away"          },
        {ERR_UNSUPPORTED, true,  "cannot this language"   },
        {ERR_REFUSED,     false, "policy is not bypassed" },
        {ERR_INPUT,       false, "the next reads the same"},
    };
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        pipe_story_reset(x);
        x->f->write[0] = (struct fake_step){.code = rows[i].code, .times = -1};
        bool ok = pipe_run(x);
        if (ok != rows[i].falls_through || (!ok && x->err.code != rows[i].code))
            fail_msg("%s", rows[i].why);
        if (ok)
            assert_string_equal(x->story.title, "Second writer");
    }
}

/* Every writer is down. A text can be narrated as it is, and the film says so; a topic of a few words
   is not what anybody would pay for. */
static void own_words_stand_in_only_for_a_text(void **state)
{
    static const struct {
        const char *topic;
        int seconds;
        enum err_code code; /* of the writer that fails */
        bool made;
        const char *why;
    } rows[] = {
        {pipe_topic,                  0, ERR_RETRY,  true,  "a text"                    },
        {pipe_topic,                  0, ERR_CONFIG, true,  "a text, for want of money" },
        {"How tides work",            0, ERR_RETRY,  false, "a topic"                   },
        {"Cats. Dogs. Birds.",        0, ERR_RETRY,  false, "sentences without length"  },
        {"One sentence that is long enough to be read aloud for quite a while but still is nothing "
         "more than a wish", 0, ERR_RETRY,  false, "one sentence"              },
        {"How tides work",            0, ERR_CONFIG, false, "a topic, for want of money"},
    };
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        pipe_story_reset(x);
        fake_forget(x->f);
        x->f->write[0] = (struct fake_step){.code = rows[i].code, .times = -1};
        x->story.settings.seconds = rows[i].seconds;
        struct pipeline_run r = {.tools = &x->f->box,
                                 .topic = rows[i].topic,
                                 .story = &x->story,
                                 .out_path = x->out,
                                 .cancel = &x->cancel};
        x->err = (struct err){0};
        bool ok = pipeline_run(&r, &x->result, &x->err);
        if (ok != rows[i].made || (!ok && x->err.code != rows[i].code))
            fail_msg("%s: %s", rows[i].why, err_code_name(x->err.code));
        assert_true(!ok || x->story.fell_back);
        assert_int_equal(fake_count(x->f, "write1", '>'), rows[i].made);
    }
    /* What stands in is too long for what was ordered: the writer's failure is the reason. */
    pipe_story_reset(x);
    x->f->write[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    x->f->write[1] = (struct fake_step){.code = ERR_LIMIT, .times = -1};
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_RETRY);
    x->f->write[0] = x->f->write[1] = (struct fake_step){0};
    pipe_story_reset(x);
    pipe_must_run(x);
    assert_false(x->story.fell_back);
    AUTO(free_ptr) char *json = NULL;
    AUTO(storyboard_free) struct storyboard again = {0};
    x->story.fell_back = true;
    assert_true(storyboard_to_json(&x->story, &json, &x->err));
    assert_true(storyboard_from_json(json, strlen(json), &again, &x->err) && again.fell_back);
}

static void a_script_is_a_minute_long_unless_told_otherwise(void **state)
{
    struct pipe *x = *state;
    struct story_settings s = {.lang = "en"};
    assert_int_equal(pipeline_estimate_ms(&x->f->box, "Cats", &s), 60000);
    x->f->box.seconds_max = 40;
    assert_int_equal(pipeline_estimate_ms(&x->f->box, "Cats", &s), 40000);
    s.seconds = 25;
    assert_int_equal(pipeline_estimate_ms(&x->f->box, "Cats", &s), 25000);
    x->f->box.seconds_max = 0;
}

static void a_failing_engine_is_followed_by_the_next_for_all_that_is_left(void **state)
{
    struct pipe *x = *state;
    x->f->speak[0] = (struct fake_step){.code = ERR_RETRY, .times = 1, .at = 2};
    pipe_must_run(x);
    assert_true(pipeline_other_voice(&x->f->box, &x->story));
    assert_string_equal(x->story.scenes[0].speech.engine, "one");
    for (size_t i = 1; i < PIPE_SCENES; i++)
        assert_string_equal(x->story.scenes[i].speech.engine, "two");
}

static void who_has_the_voice_is_down_another_stands_in(void **state)
{
    struct pipe *x = *state;
    x->f->own_voices = true;
    /* A voice of the second engine: the first is no stand-in while the second works. */
    str_copy(x->story.settings.voice, sizeof x->story.settings.voice, "Cyd");
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        assert_string_equal(x->story.scenes[i].speech.engine, "two");
    assert_false(pipeline_other_voice(&x->f->box, &x->story));
    assert_string_equal(x->f->spoke_as, "Cyd");
    /* A voice of the first, which fails once: a woman's voice for hers, to the end of the film. */
    pipe_story_reset(x);
    str_copy(x->story.settings.voice, sizeof x->story.settings.voice, "Ada");
    x->f->speak[0] = (struct fake_step){.code = ERR_RETRY, .times = 1};
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        assert_string_equal(x->story.scenes[i].speech.engine, "two");
    assert_true(pipeline_other_voice(&x->f->box, &x->story));
    assert_string_equal(x->f->spoke_as, "Dee");
    /* Nobody has it. */
    pipe_story_reset(x);
    str_copy(x->story.settings.voice, sizeof x->story.settings.voice, "Eve");
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_UNSUPPORTED);
}

static void when_no_engine_works_the_job_may_work_later(void **state)
{
    struct pipe *x = *state;
    x->f->speak[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    x->f->speaks[1] = false;
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_RETRY);
    assert_int_equal(pipe_out_files(x), 0);
}

/* What one voice cannot read, the next may; "try later" weighs more than "cannot". */
static void letters_that_one_voice_cannot_read(void **state)
{
    static const struct {
        enum err_code first, second, end;
        const char *why;
    } rows[] = {
        {ERR_INPUT, ERR_NONE,  ERR_NONE,  "the second reads them" },
        {ERR_RETRY, ERR_INPUT, ERR_RETRY, "the first may, later"  },
        {ERR_INPUT, ERR_RETRY, ERR_RETRY, "the second may, later" },
        {ERR_INPUT, ERR_INPUT, ERR_INPUT, "nobody reads them"     },
        {ERR_DISK,  ERR_NONE,  ERR_DISK,  "that is nobody's voice"},
    };
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        pipe_story_reset(x);
        x->story.settings.speed = 100 + (int)i; /* nothing from the cache */
        x->f->speak[0] = (struct fake_step){.code = rows[i].first, .times = -1};
        x->f->speak[1] = (struct fake_step){.code = rows[i].second, .times = -1};
        bool ok = pipe_run(x);
        if (ok != (rows[i].end == ERR_NONE) || (!ok && x->err.code != rows[i].end))
            fail_msg("%s: %s", rows[i].why, err_code_name(x->err.code));
    }
}

static void no_clip_is_shown_twice_while_another_is_unused(void **state)
{
    struct pipe *x = *state;
    x->f->clips = PIPE_SCENES;
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(x->story.scenes[i].footage.id, x->story.scenes[k].footage.id);
}

static void a_broken_clip_is_followed_by_the_next_hit(void **state)
{
    struct pipe *x = *state;
    str_copy(x->f->broken, sizeof x->f->broken, "clip0");
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        assert_string_not_equal(x->story.scenes[i].footage.id, "clip0");
}

static void a_clip_that_breaks_the_encoder_is_replaced(void **state)
{
    struct pipe *x = *state;
    x->f->clips = 1;
    str_copy(x->f->broken_late, sizeof x->f->broken_late, "clip0");
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        assert_string_equal(x->story.scenes[i].footage.provider, "backdrop");
}

static void without_clips_there_are_backdrops(void **state)
{
    struct pipe *x = *state;
    x->f->search[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    pipe_must_run(x);
    assert_string_equal(x->story.scenes[0].footage.provider, "backdrop");
}

static void a_clip_that_was_deleted_since_is_found_again(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    unlink(x->story.scenes[2].footage.path);
    fake_forget(x->f);
    pipe_must_run(x);
    assert_int_equal(fake_count(x->f, "search0", '<'), 1);
}

/* Their names say what they are; a date says only when somebody used them. */
static void clips_that_others_use_meanwhile_change_nothing(void **state)
{
    struct pipe *x = *state;
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    struct stat st;
    x->f->clips_in_cache = true;
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        assert_int_equal(utimensat(AT_FDCWD, x->story.scenes[i].footage.path, old, 0), 0);
    pipe_must_run(x);
    assert_int_equal(x->result.made, 0);
    /* In use again, so that the cache keeps them for this run. */
    assert_int_equal(stat(x->story.scenes[0].footage.path, &st), 0);
    assert_true(st.st_mtime > old[0].tv_sec + 3600);
    /* The operator's own files may change under their name. */
    x->f->clips_in_cache = false;
    pipe_story_reset(x);
    pipe_must_run(x);
    pipe_must_run(x); /* two scenes may have written the same file at once */
    assert_int_equal(utimensat(AT_FDCWD, x->story.scenes[1].footage.path, old, 0), 0);
    pipe_must_run(x);
    assert_int_equal(x->result.made, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPE_CASE(nothing_to_say_is_said),
        PIPE_CASE(voices_are_checked_before_anything_costs),
        PIPE_CASE(the_estimate_grows_with_the_words),
        PIPE_CASE(what_is_not_made_is_refused_before_anything_is_spent),
        PIPE_CASE(a_failing_writer_is_followed_by_the_next),
        PIPE_CASE(own_words_stand_in_only_for_a_text),
        PIPE_CASE(a_script_is_a_minute_long_unless_told_otherwise),
        PIPE_CASE(a_failing_engine_is_followed_by_the_next_for_all_that_is_left),
        PIPE_CASE(who_has_the_voice_is_down_another_stands_in),
        PIPE_CASE(when_no_engine_works_the_job_may_work_later),
        PIPE_CASE(letters_that_one_voice_cannot_read),
        PIPE_CASE(no_clip_is_shown_twice_while_another_is_unused),
        PIPE_CASE(a_broken_clip_is_followed_by_the_next_hit),
        PIPE_CASE(a_clip_that_breaks_the_encoder_is_replaced),
        PIPE_CASE(without_clips_there_are_backdrops),
        PIPE_CASE(a_clip_that_was_deleted_since_is_found_again),
        PIPE_CASE(clips_that_others_use_meanwhile_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
