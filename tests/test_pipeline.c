/* The pipeline with fakes: overlap, resume, fall-back, cancel, clean-up. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "tests/fixture_tools.h"

static const char topic[] = "The moon pulls the sea. The sea rises twice each day. Sailors know. "
                            "The sun helps a little.";
enum { SCENES = 4, ENOUGH_MS = 1000 };

struct fixture {
    struct fake_tools *f;
    struct storyboard story;
    struct cancel cancel;
    char out[FAKE_FOLDER_MAX + 16];
    const char *topic; /* NULL: the usual one */
    struct pipeline_result result;
    struct err err;
    /* What the callbacks saw. */
    int saves, last_percent, falls, reports;
    bool ended;
    struct pipeline_progress last;
    atomic_bool composing;
    int refuse_save; /* the n-th save fails: the lease is lost */
    size_t saved_scenes;
};

static bool on_save(void *ctx, const struct storyboard *story, struct err *e)
{
    struct fixture *x = ctx;
    x->saves++;
    x->saved_scenes = story->scene_count;
    if (x->saves == x->refuse_save)
        return err_set(e, ERR_CONFLICT, "error.lease_lost", "test");
    return true;
}

static void on_progress(void *ctx, const struct pipeline_progress *p)
{
    struct fixture *x = ctx;
    x->falls += p->percent < x->last_percent;
    x->last_percent = p->percent;
    x->last = *p;
    x->reports++;
    atomic_store(&x->composing, p->stages[PIPE_COMPOSE] == PIPE_RUNNING);
}

static void story_reset(struct fixture *x)
{
    storyboard_free(&x->story);
    x->story = (struct storyboard){
        .settings = {.lang = "en", .seed = 7}
    };
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);
    log_init(LOG_OFF, false);
    x->f = fake_tools_open(2);
    snprintf(x->out, sizeof x->out, "%s/film.mp4", x->f->folder);
    story_reset(x);
    cancel_init(&x->cancel, NULL);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    storyboard_free(&x->story);
    fake_tools_close(x->f);
    free(x);
    return 0;
}

static bool run(struct fixture *x)
{
    struct pipeline_run r = {
        .tools = &x->f->box,
        .topic = x->topic ? x->topic : topic,
        .story = &x->story,
        .out_path = x->out,
        .cancel = &x->cancel,
        .on_save = on_save,
        .on_progress = on_progress,
        .ctx = x,
    };
    x->err = (struct err){0};
    x->last_percent = 0;
    return pipeline_run(&r, &x->result, &x->err);
}

static void must_run(struct fixture *x)
{
    if (!run(x))
        fail_msg("%s: %s", x->err.user_key, x->err.detail);
}

static int out_files(struct fixture *x)
{
    return fake_files(x->f->folder, "film");
}

static void a_topic_becomes_three_files(void **state)
{
    struct fixture *x = *state;
    char path[CACHE_PATH_MAX];
    must_run(x);
    assert_int_equal(x->story.scene_count, SCENES);
    assert_int_equal(x->result.made, SCENES);
    assert_int_equal(x->result.cached, 0);
    assert_int_equal(x->result.width, 720);
    assert_int_equal(x->result.bytes, fs_size(x->out));
    assert_int_equal(x->result.duration_ms,
                     (int64_t)storyboard_frames(&x->story) * 1000 / STORY_FPS);
    assert_true(pipeline_beside(x->out, "jpg", path, &x->err) && fs_exists(path));
    assert_true(pipeline_beside(x->out, "srt", path, &x->err) && fs_exists(path));
    assert_int_equal(out_files(x), 3);
    assert_int_equal(fake_files(x->f->folder, ".tmp."), 0);
    assert_true(x->saves >= 2);
    assert_int_equal(x->saved_scenes, SCENES);
}

static void makers_of_the_clips_are_named_in_the_film(void **state)
{
    struct fixture *x = *state;
    char *film AUTO(free_ptr) = NULL;
    size_t len;
    must_run(x);
    assert_true(fs_read(x->out, 1 << 20, &film, &len, &x->err));
    assert_non_null(strstr(
        film, "comment Pictures: Author 0 (clips); Author 1 (clips); Author 2 (clips). Voice: "));
}

static void progress_never_falls_and_ends_at_100(void **state)
{
    struct fixture *x = *state;
    x->f->segment.ms = 250;
    must_run(x);
    assert_int_equal(x->falls, 0);
    assert_int_equal(x->last_percent, 100);
    assert_int_equal(x->last.left_ms, 0);
    assert_true(x->reports >= 4);
    for (int i = 0; i < PIPE_STAGES; i++)
        assert_int_equal(x->last.stages[i], PIPE_DONE);
}

static void scenes_are_encoded_while_later_ones_are_spoken(void **state)
{
    struct fixture *x = *state;
    x->f->speak[0].ms = 150;
    must_run(x);
    assert_in_range(fake_nth(x->f, "segment", '<', 0), 0, fake_nth(x->f, "speak0", '>', 3));
    /* Pictures are looked for without waiting for voices. */
    assert_in_range(fake_nth(x->f, "search0", '>', 3), 0, fake_nth(x->f, "speak0", '<', 1));
}

static void slow_parts_overlap(void **state)
{
    struct fixture *x = *state;
    x->f->speak[0].ms = 200;
    x->f->fetch.ms = 200;
    x->f->segment.ms = 200;
    int64_t begun = clock_mono_ms();
    must_run(x);
    int64_t took = clock_mono_ms() - begun;
    /* One after the other: 3 * 4 * 200. Perfect: 4 * 200 and the last segment. */
    assert_in_range(took, 4 * 200, 2200);
}

static void a_second_run_takes_all_from_the_cache(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    fake_forget(x->f);
    unlink(x->out);
    must_run(x);
    assert_int_equal(x->result.cached, SCENES);
    assert_int_equal(x->result.made, 0);
    assert_int_equal(fake_count(x->f, "speak0", '>'), 0);
    assert_int_equal(fake_count(x->f, "sound", '>'), 0);
    assert_int_equal(fake_count(x->f, "fetch", '>'), 0);
    assert_int_equal(x->falls, 0);
}

static void from_the_topic_again_everything_is_the_same(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    story_reset(x);
    must_run(x);
    assert_int_equal(x->result.cached, SCENES);
}

static void after_a_failure_only_the_rest_is_made(void **state)
{
    struct fixture *x = *state;
    x->f->segment = (struct fake_step){.code = ERR_DISK, .times = 1, .at = 3};
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_DISK);
    int made = fake_count(x->f, "segment", '<');
    assert_true(made >= 2);
    x->f->segment = (struct fake_step){0};
    must_run(x);
    assert_int_equal(x->result.cached, made);
    assert_int_equal(x->result.made, SCENES - made);
}

static void one_edited_scene_is_one_new_segment(void **state)
{
    struct fixture *x = *state;
    for (int word_ms = 201; word_ms < 217; word_ms += 5) { /* no whole number of frames */
        x->f->word_ms = word_ms;
        story_reset(x);
        x->story.settings.seed = (uint64_t)word_ms;
        fs_remove(x->f->cache_folder);
        must_run(x);
        free(x->story.scenes[1].narration);
        x->story.scenes[1].narration = str_dup("It rises three times.");
        must_run(x);
        assert_int_equal(x->result.made, 1);
        assert_int_equal(x->result.cached, SCENES - 1);
    }
}

static void a_scene_that_becomes_the_last_one_is_encoded_anew(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    x->story.scene_count--; /* the third scene now carries the end of the film */
    must_run(x);
    assert_int_equal(x->result.made, 1);
    assert_int_equal(x->result.cached, SCENES - 2);
    x->story.scene_count = SCENES;
}

static void a_broken_cache_entry_is_made_again(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    for (size_t i = 0; i < SCENES; i++) {
        char words[CACHE_PATH_MAX];
        assert_true(pipeline_beside(x->story.scenes[i].speech.file, "words", words, &x->err));
        assert_true(fs_write(words, "nanotik-words 1 99\n7 -1", 23, &x->err));
    }
    fake_forget(x->f);
    must_run(x);
    assert_int_equal(fake_count(x->f, "speak0", '<'), SCENES);
}

static void another_seed_shows_other_moments(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    int64_t in_ms = x->story.scenes[0].footage.in_ms;
    assert_in_range(in_ms, 1, 60000 - 2000);
    story_reset(x);
    x->story.settings.seed = 8;
    must_run(x);
    assert_int_not_equal(x->story.scenes[0].footage.in_ms, in_ms);
}

static void another_speed_is_spoken_anew(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    assert_int_equal(x->f->spoke_percent, 100);
    int64_t usual = pipeline_estimate_ms(&x->f->box, "Some words of my own.", &x->story.settings);
    fake_forget(x->f);
    story_reset(x);
    x->story.settings.speed = 130;
    must_run(x);
    assert_int_equal(fake_count(x->f, "speak0", '<'), SCENES);
    assert_int_equal(x->f->spoke_percent, 130);
    int64_t fast = pipeline_estimate_ms(&x->f->box, "Some words of my own.", &x->story.settings);
    assert_true(fast <= usual);
}

/* Ten scenes of ten words for 45 s at 150 words a minute; the voice is faster or slower than its
   rate says. */
static void the_film_gets_the_length_that_was_asked_for(void **state)
{
    static const struct {
        int word_ms;   /* 400 is the rate */
        int pace;      /* of the last scene */
        int low, high; /* of the film, per cent of the 45 s */
        const char *why;
    } rows[] = {
        {380, 100, 93,  100, "nearly right: nothing is changed"   },
        {352, 90,  90,  100, "too fast: the rest is spoken slower"},
        {448, 110, 100, 110, "too slow: the rest is spoken faster"},
        {240, 90,  60,  75,  "far too fast: no more than a tenth" },
    };
    struct fixture *x = *state;
    struct strbuf text = STRBUF(1000);
    for (size_t i = 0; i < COUNT(rows); i++) {
        x->f->word_ms = rows[i].word_ms;
        strbuf_reset(&text); /* other words each time: the cache shall not speak */
        for (int k = 0; k < 10; k++)
            strbuf_addf(&text, "%zu two three four five six seven eight nine ten. ", i + 1);
        story_reset(x);
        x->story.settings.seconds = 45;
        x->topic = strbuf_text(&text);
        must_run(x);
        const struct scene *last = &x->story.scenes[x->story.scene_count - 1];
        int percent = (int)(x->result.duration_ms / 450);
        if (abs(last->pace - rows[i].pace) > 2 || percent < rows[i].low || percent > rows[i].high)
            fail_msg("%s: pace %d, %d %%", rows[i].why, last->pace, percent);
        assert_int_equal(x->story.scenes[0].pace, 0); /* what was heard first stays as it is */
    }
    /* Once decided it stays: the same storyboard again speaks nothing anew. */
    fake_forget(x->f);
    must_run(x);
    assert_int_equal(fake_count(x->f, "speak0", '<'), 0);
    strbuf_free(&text);
}

static void a_short_clip_starts_at_its_beginning(void **state)
{
    struct fixture *x = *state;
    x->f->clip_ms = 500;
    must_run(x);
    assert_int_equal(x->story.scenes[0].footage.in_ms, 0);
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
        {"The badger.",        NULL,                "writer.down",   ERR_RETRY, true,  0, "unless the operator wants it so"},
        {"The sea.",           NULL,                NULL,            ERR_NONE,  true,  1, "nothing to say against it"      },
    };
    struct fixture *x = *state;
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
        story_reset(x);
        bool ok = run(x);
        if (ok != (rows[i].key == NULL) || (!ok && strcmp(x->err.user_key, rows[i].key) != 0))
            fail_msg("%s: %s", rows[i].why, ok ? "made" : x->err.user_key);
        assert_int_equal(fake_count(x->f, "write0", '<'), rows[i].written);
        assert_int_equal(fake_count(x->f, "speak0", '>') > 0, ok);
    }
    /* A script that a person changed is looked at too, and that is the person's doing. */
    struct judge judge = {.flagged = "badger"};
    x->f->box.guard.self = &judge;
    story_reset(x);
    x->topic = "The sea.";
    must_run(x);
    free(x->story.scenes[0].narration);
    x->story.scenes[0].narration = str_dup("The badger again.");
    assert_false(run(x));
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
    struct fixture *x = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        story_reset(x);
        x->f->write[0] = (struct fake_step){.code = rows[i].code, .times = -1};
        bool ok = run(x);
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
        {topic,                       0, ERR_RETRY,  true,  "a text"                    },
        {topic,                       0, ERR_CONFIG, true,  "a text, for want of money" },
        {"How tides work",            0, ERR_RETRY,  false, "a topic"                   },
        {"Cats. Dogs. Birds.",        0, ERR_RETRY,  false, "sentences without length"  },
        {"One sentence that is long enough to be read aloud for quite a while but still is nothing "
         "more than a wish", 0, ERR_RETRY,  false, "one sentence"              },
        {"How tides work",            0, ERR_CONFIG, false, "a topic, for want of money"},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        story_reset(x);
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
    story_reset(x);
    x->f->write[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    x->f->write[1] = (struct fake_step){.code = ERR_LIMIT, .times = -1};
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_RETRY);
    x->f->write[0] = x->f->write[1] = (struct fake_step){0};
    story_reset(x);
    must_run(x);
    assert_false(x->story.fell_back);
    AUTO(free_ptr) char *json = NULL;
    AUTO(storyboard_free) struct storyboard again = {0};
    x->story.fell_back = true;
    assert_true(storyboard_to_json(&x->story, &json, &x->err));
    assert_true(storyboard_from_json(json, strlen(json), &again, &x->err) && again.fell_back);
}

static void a_script_is_a_minute_long_unless_told_otherwise(void **state)
{
    struct fixture *x = *state;
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
    struct fixture *x = *state;
    x->f->speak[0] = (struct fake_step){.code = ERR_RETRY, .times = 1, .at = 2};
    must_run(x);
    assert_string_equal(x->story.scenes[0].speech.engine, "one");
    for (size_t i = 1; i < SCENES; i++)
        assert_string_equal(x->story.scenes[i].speech.engine, "two");
}

static void who_has_the_voice_is_down_another_stands_in(void **state)
{
    struct fixture *x = *state;
    x->f->own_voices = true;
    /* A voice of the second engine: the first is no stand-in while the second works. */
    str_copy(x->story.settings.voice, sizeof x->story.settings.voice, "Cyd");
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        assert_string_equal(x->story.scenes[i].speech.engine, "two");
    assert_string_equal(x->f->spoke_as, "Cyd");
    /* A voice of the first, which fails once: a woman's voice for hers, to the end of the film. */
    story_reset(x);
    str_copy(x->story.settings.voice, sizeof x->story.settings.voice, "Ada");
    x->f->speak[0] = (struct fake_step){.code = ERR_RETRY, .times = 1};
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        assert_string_equal(x->story.scenes[i].speech.engine, "two");
    assert_string_equal(x->f->spoke_as, "Dee");
    /* Nobody has it. */
    story_reset(x);
    str_copy(x->story.settings.voice, sizeof x->story.settings.voice, "Eve");
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_UNSUPPORTED);
}

static void when_no_engine_works_the_job_may_work_later(void **state)
{
    struct fixture *x = *state;
    x->f->speak[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    x->f->speaks[1] = false;
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_RETRY);
    assert_int_equal(out_files(x), 0);
}

static void no_clip_is_shown_twice_while_another_is_unused(void **state)
{
    struct fixture *x = *state;
    x->f->clips = SCENES;
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(x->story.scenes[i].footage.id, x->story.scenes[k].footage.id);
}

static void a_broken_clip_is_followed_by_the_next_hit(void **state)
{
    struct fixture *x = *state;
    str_copy(x->f->broken, sizeof x->f->broken, "clip0");
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        assert_string_not_equal(x->story.scenes[i].footage.id, "clip0");
}

static void a_clip_that_breaks_the_encoder_is_replaced(void **state)
{
    struct fixture *x = *state;
    x->f->clips = 1;
    str_copy(x->f->broken_late, sizeof x->f->broken_late, "clip0");
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        assert_string_equal(x->story.scenes[i].footage.provider, "backdrop");
}

static void without_clips_there_are_backdrops(void **state)
{
    struct fixture *x = *state;
    x->f->search[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    must_run(x);
    assert_string_equal(x->story.scenes[0].footage.provider, "backdrop");
}

static void a_clip_that_was_deleted_since_is_found_again(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    unlink(x->story.scenes[2].footage.path);
    fake_forget(x->f);
    must_run(x);
    assert_int_equal(fake_count(x->f, "search0", '<'), 1);
}

/* Their names say what they are; a date says only when somebody used them. */
static void clips_that_others_use_meanwhile_change_nothing(void **state)
{
    struct fixture *x = *state;
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    struct stat st;
    x->f->clips_in_cache = true;
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        assert_int_equal(utimensat(AT_FDCWD, x->story.scenes[i].footage.path, old, 0), 0);
    must_run(x);
    assert_int_equal(x->result.made, 0);
    /* In use again, so that the cache keeps them for this run. */
    assert_int_equal(stat(x->story.scenes[0].footage.path, &st), 0);
    assert_true(st.st_mtime > old[0].tv_sec + 3600);
    /* The operator's own files may change under their name. */
    x->f->clips_in_cache = false;
    story_reset(x);
    must_run(x);
    assert_int_equal(utimensat(AT_FDCWD, x->story.scenes[1].footage.path, old, 0), 0);
    must_run(x);
    assert_int_equal(x->result.made, 1);
}

/* --- errors and cancel --- */

struct stage_row {
    size_t step; /* offset in fake_tools */
    const char *name;
};
#define STEP(field, name)                        \
    {                                            \
        offsetof(struct fake_tools, field), name \
    }
static const struct stage_row stages[] = {
    STEP(write[0], "write"), STEP(speak[0], "speak"), STEP(search[0], "search"),
    STEP(fetch, "fetch"),    STEP(probe, "probe"),    STEP(segment, "segment"),
    STEP(sound, "sound"),    STEP(join, "join"),      STEP(check, "check"),
    STEP(poster, "poster"),
};

static struct fake_step *step_of(struct fixture *x, size_t i)
{
    return (struct fake_step *)((char *)x->f + stages[i].step);
}

static void an_error_anywhere_leaves_no_film_and_no_junk(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < COUNT(stages); i++) {
        if (strcmp(stages[i].name, "search") == 0 || strcmp(stages[i].name, "fetch") == 0 ||
            strcmp(stages[i].name, "probe") == 0)
            continue; /* there are backdrops */
        story_reset(x);
        x->story.settings.seed = i + 100;
        *step_of(x, i) = (struct fake_step){.code = ERR_DISK, .times = -1};
        if (run(x) || x->err.code != ERR_DISK)
            fail_msg("%s: error %s", stages[i].name, err_code_name(x->err.code));
        if (out_files(x) != 0 || fake_files(x->f->folder, ".tmp.") != 0)
            fail_msg("%s: something was left behind", stages[i].name);
        *step_of(x, i) = (struct fake_step){0};
    }
}

static void *run_main(void *fixture)
{
    struct fixture *x = fixture;
    x->ended = run(x);
    return NULL;
}

static void wait_for(struct fixture *x, const char *what)
{
    int64_t until = clock_mono_ms() + 10000;
    while (fake_nth(x->f, what, '>', 0) < 0) {
        if (clock_mono_ms() > until)
            fail_msg("%s never began", what);
        cancel_wait(NULL, 5);
    }
}

static void cancel_at_any_stage_takes_less_than_a_second(void **state)
{
    static const char *const begins[] = {"write0",  "speak0", "search0", "fetch", "probe",
                                         "segment", "sound",  "join",    "check", "poster"};
    struct fixture *x = *state;
    for (size_t i = 0; i < COUNT(stages); i++) {
        pthread_t thread;
        story_reset(x);
        x->story.settings.seed = i + 200;
        fake_forget(x->f);
        cancel_init(&x->cancel, NULL);
        *step_of(x, i) = (struct fake_step){.ms = 60000};
        assert_int_equal(pthread_create(&thread, NULL, run_main, x), 0);
        wait_for(x, begins[i]);
        int64_t begun = clock_mono_ms();
        cancel_fire(&x->cancel);
        pthread_join(thread, NULL);
        if (clock_mono_ms() - begun >= ENOUGH_MS)
            fail_msg("%s: %d ms", stages[i].name, (int)(clock_mono_ms() - begun));
        if (x->ended || x->err.code != ERR_CANCELLED)
            fail_msg("%s: %s", stages[i].name, err_code_name(x->err.code));
        if (out_files(x) != 0 || fake_files(x->f->folder, ".tmp.") != 0)
            fail_msg("%s: something was left behind", stages[i].name);
        *step_of(x, i) = (struct fake_step){0};
    }
}

/* Queued behind another run's long segments, it must not wait for them. */
static void cancel_does_not_wait_for_another_run(void **state)
{
    struct fixture *x = *state;
    struct fixture other = {.f = x->f};
    pthread_t slow, thread;
    story_reset(&other);
    other.story.settings.seed = 99;
    cancel_init(&other.cancel, NULL);
    snprintf(other.out, sizeof other.out, "%s/other.mp4", x->f->folder);
    x->f->segment.ms = 60000;
    assert_int_equal(pthread_create(&slow, NULL, run_main, &other), 0);
    while (fake_count(x->f, "segment", '>') < 2)
        cancel_wait(NULL, 5);
    atomic_store(&x->composing, false);
    assert_int_equal(pthread_create(&thread, NULL, run_main, x), 0);
    while (!atomic_load(&x->composing))
        cancel_wait(NULL, 5);
    int64_t begun = clock_mono_ms();
    cancel_fire(&x->cancel);
    pthread_join(thread, NULL);
    assert_in_range(clock_mono_ms() - begun, 0, ENOUGH_MS);
    assert_int_equal(x->err.code, ERR_CANCELLED);
    cancel_fire(&other.cancel);
    pthread_join(slow, NULL);
    storyboard_free(&other.story);
}

static void a_lost_lease_stops_the_run(void **state)
{
    struct fixture *x = *state;
    must_run(x);
    int saves = x->saves;
    assert_true(saves >= 2);
    for (int i = 1; i <= saves; i++) {
        story_reset(x);
        x->story.settings.seed = (uint64_t)i + 300;
        x->saves = 0;
        x->refuse_save = i;
        unlink(x->out);
        bool ok = run(x);
        if (!ok) {
            assert_int_equal(x->err.code, ERR_CONFLICT);
            assert_false(fs_exists(x->out));
        } else {
            assert_true(x->saves < i); /* saves are merged when things arrive together */
        }
    }
}

static void an_odd_segment_is_encoded_once_more(void **state)
{
    struct fixture *x = *state;
    x->f->odd_segment = 2;
    must_run(x);
    assert_int_equal(fake_count(x->f, "segment", '<'), SCENES + 1);
    assert_int_equal(fake_count(x->f, "join", '<'), 2);
}

static void a_film_that_gets_too_long_is_refused_early(void **state)
{
    struct fixture *x = *state;
    x->f->box.seconds_max = 3;
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_LIMIT);
    assert_string_equal(x->err.user_key, "make.too_long");
    assert_string_equal(x->err.arg, "3");
    assert_int_equal(fake_count(x->f, "join", '>'), 0);
}

/* Another language: the writer says it anew, the pictures of each scene stay. */
static void a_dub_keeps_the_pictures(void **state)
{
    struct fixture *x = *state;
    char pictures[SCENES][sizeof(x->story.scenes[0].footage.id)];
    must_run(x);
    for (size_t i = 0; i < SCENES; i++)
        str_copy(pictures[i], sizeof pictures[i], x->story.scenes[i].footage.id);
    fake_forget(x->f);
    x->story.dub = true;
    str_copy(x->story.settings.lang, sizeof x->story.settings.lang, "zh");
    must_run(x);
    assert_false(x->story.dub);
    assert_int_equal(fake_count(x->f, "write0", '<'), 1);
    assert_int_equal(fake_count(x->f, "search0", '>'), 0);
    assert_int_equal(fake_count(x->f, "fetch", '>'), 0);
    assert_int_equal(x->story.scene_count, SCENES);
    for (size_t i = 0; i < SCENES; i++)
        assert_string_equal(x->story.scenes[i].footage.id, pictures[i]);
    assert_string_equal(x->story.settings.wish, ""); /* what was asked of the writer is not kept */
    /* With the writer away nobody may narrate the old language: it is tried again later. */
    x->story.dub = true;
    x->f->write[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    x->f->write[1] = x->f->write[0];
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_RETRY);
    assert_true(x->story.dub && x->story.scene_count == SCENES);
}

static void a_film_above_the_byte_limit_is_fitted_from_the_same_scenes(void **state)
{
    struct fixture *x = *state;
    x->f->film_bytes = 50000;
    x->story.settings.byte_limit = 60000;
    must_run(x);
    assert_int_equal(fake_count(x->f, "fit", '>'), 0);
    assert_int_equal(x->result.bytes, 50000);
    x->story.settings.byte_limit = 40000;
    must_run(x);
    assert_int_equal(x->result.made, 0);
    assert_int_equal(fake_count(x->f, "segment", '>'), SCENES);
    assert_int_equal(fake_count(x->f, "fit", '>'), 1);
    assert_int_equal(x->result.bytes, 40000);
    assert_int_equal(x->result.width, 360);
    assert_int_equal(fs_size(x->out), 40000);
    assert_int_equal(out_files(x), 3);
    assert_int_equal(x->falls, 0);
}

static void a_film_that_cannot_be_fitted_is_refused(void **state)
{
    struct fixture *x = *state;
    x->f->film_bytes = 50000;
    x->story.settings.byte_limit = 40000;
    x->f->fit = (struct fake_step){.code = ERR_LIMIT, .times = 1};
    assert_false(run(x));
    assert_int_equal(x->err.code, ERR_LIMIT);
    assert_int_equal(out_files(x), 0);
    assert_int_equal(fake_files(x->f->folder, ".tmp."), 0);
    must_run(x);
}

static void nothing_to_say_is_said(void **state)
{
    static const char *const topics[] = {"", "   ", "\U0001F600 \U0001F680!", "..."};
    struct fixture *x = *state;
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
    struct fixture *x = *state;
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
    struct fixture *x = *state;
    struct story_settings s = {.lang = "en"};
    x->f->box.writers[0] = x->f->box.writers[1]; /* own words only */
    int64_t one =
        pipeline_estimate_ms(&x->f->box, "Ten words are about four seconds of speech.", &s);
    int64_t four = pipeline_estimate_ms(&x->f->box, topic, &s);
    assert_in_range(one, 2000, 8000);
    assert_true(four > one);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_topic_becomes_three_files),
        CASE(makers_of_the_clips_are_named_in_the_film),
        CASE(progress_never_falls_and_ends_at_100),
        CASE(scenes_are_encoded_while_later_ones_are_spoken),
        CASE(slow_parts_overlap),
        CASE(a_second_run_takes_all_from_the_cache),
        CASE(from_the_topic_again_everything_is_the_same),
        CASE(after_a_failure_only_the_rest_is_made),
        CASE(one_edited_scene_is_one_new_segment),
        CASE(a_scene_that_becomes_the_last_one_is_encoded_anew),
        CASE(a_broken_cache_entry_is_made_again),
        CASE(another_seed_shows_other_moments),
        CASE(another_speed_is_spoken_anew),
        CASE(the_film_gets_the_length_that_was_asked_for),
        CASE(a_short_clip_starts_at_its_beginning),
        CASE(what_is_not_made_is_refused_before_anything_is_spent),
        CASE(a_failing_writer_is_followed_by_the_next),
        CASE(a_failing_engine_is_followed_by_the_next_for_all_that_is_left),
        CASE(who_has_the_voice_is_down_another_stands_in),
        CASE(when_no_engine_works_the_job_may_work_later),
        CASE(no_clip_is_shown_twice_while_another_is_unused),
        CASE(a_broken_clip_is_followed_by_the_next_hit),
        CASE(a_clip_that_breaks_the_encoder_is_replaced),
        CASE(without_clips_there_are_backdrops),
        CASE(a_clip_that_was_deleted_since_is_found_again),
        CASE(clips_that_others_use_meanwhile_change_nothing),
        CASE(an_error_anywhere_leaves_no_film_and_no_junk),
        CASE(cancel_at_any_stage_takes_less_than_a_second),
        CASE(cancel_does_not_wait_for_another_run),
        CASE(a_lost_lease_stops_the_run),
        CASE(an_odd_segment_is_encoded_once_more),
        CASE(a_film_that_gets_too_long_is_refused_early),
        CASE(a_dub_keeps_the_pictures),
        CASE(a_film_above_the_byte_limit_is_fitted_from_the_same_scenes),
        CASE(a_film_that_cannot_be_fitted_is_refused),
        CASE(nothing_to_say_is_said),
        CASE(voices_are_checked_before_anything_costs),
        CASE(own_words_stand_in_only_for_a_text),
        CASE(a_script_is_a_minute_long_unless_told_otherwise),
        CASE(the_estimate_grows_with_the_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
