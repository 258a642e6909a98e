/* Which pictures a film gets: several scenes at once and still the same ones, the first scene's
   before all others, the person's own files first, two for a long scene, none that look alike, the
   mood before backdrops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/footage/listed.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "tests/fixture_tools.h"

static const char four[] = "The moon pulls the sea. The sea rises twice each day. Sailors know. "
                           "The sun helps a little.";
static const char long_ones[] =
    "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty twenty twenty twenty twenty. "
    "Short one here. "
    "Aa two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty twenty twenty twenty twenty.";

enum { FILES_MAX = 12, ENOUGH_MS = 1000 };

/* A service that searches by words, and the person's own files. */
static struct {
    struct fake_tools *tools;
    struct storyboard story;
    struct cancel cancel;
    char out[FAKE_FOLDER_MAX + 16];
    struct err err;
    /* Knobs. */
    int clips, own_files, prepare_ms;
    int clip_ms;           /* as the service says; 0: it does not */
    const char *only_term; /* the service has hits for this term alone; NULL: for all */
    uint64_t jitter;       /* fetches take as long as this seed says; 0: no time */
    int alike_from;        /* clips with this number and above look the same; -1: none */
    int unlike;            /* but for this one; 0: none */
    int begins_dark;       /* the clip with this number shows nothing at first; -1: none */
    bool first_hangs;      /* the first clip comes only once another is on its way */
    bool own_broken[FILES_MAX];
    bool any_order;            /* which scene shows which picture does not matter */
    const char *const *recent; /* what the chat saw lately */
    size_t recent_count;
    /* Seen. */
    atomic_int looked;
    atomic_int preparing, preparing_most, fetching, fetching_most;
    atomic_int searched_last; /* highest scene that was searched so far */
    atomic_bool out_of_order, no_budget;
    atomic_bool crowded; /* the clips of the first two scenes did not come alone */
    atomic_int calls[STORY_SCENES_MAX], mood_calls;
} w;

static void raise_most(atomic_int *now, atomic_int *most)
{
    int n = atomic_fetch_add(now, 1) + 1, seen = atomic_load(most);
    while (n > seen && !atomic_compare_exchange_weak(most, &seen, n))
        ;
}

static bool is_used(const struct footage_query *q, const char *provider, const char *id)
{
    return footage_place(q->used, q->used_count, provider, id) < q->used_count;
}

static bool may_come(const struct footage_query *q, const char *id)
{
    bool seen = footage_place(q->recent, q->recent_count, "stock", id) < q->recent_count;
    return !is_used(q, "stock", id) && (!seen || q->again);
}

static bool has_term(const struct footage_query *q)
{
    for (size_t i = 0; i < q->term_count; i++)
        if (w.only_term && strcmp(q->terms[i], w.only_term) == 0)
            return true;
    return w.only_term == NULL;
}

static bool service_prepare(void *self, const struct footage_query *q, bool *ret_any,
                            const struct cancel *cancel, struct err *e)
{
    (void)self;
    raise_most(&w.preparing, &w.preparing_most);
    bool stopped = w.prepare_ms > 0 && cancel_wait(cancel, w.prepare_ms);
    atomic_fetch_sub(&w.preparing, 1);
    atomic_store(&w.no_budget, atomic_load(&w.no_budget) || !q->calls_left);
    /* A ladder of seven terms, each a call, until one has a hit. */
    bool by_mood = q->term_count == 1 && strcmp(q->terms[0], "calm nature") == 0;
    for (int i = 0; i < (has_term(q) ? 1 : 7) && atomic_load(q->calls_left) > 0; i++) {
        atomic_fetch_sub(q->calls_left, 1);
        atomic_fetch_add(by_mood ? &w.mood_calls : &w.calls[q->scene], 1);
    }
    *ret_any = has_term(q);
    return !stopped || err_set(e, ERR_CANCELLED, "make.cancelled", "test");
}

static bool service_search(void *self, const struct footage_query *q, struct footage *hits,
                           size_t max, size_t *ret_count, const struct cancel *cancel,
                           struct err *e)
{
    (void)self, (void)cancel, (void)e;
    *ret_count = 0;
    if ((int)q->scene < atomic_load(&w.searched_last))
        atomic_store(&w.out_of_order, true);
    atomic_store(&w.searched_last, (int)q->scene);
    for (int i = 0; has_term(q) && i < w.clips && *ret_count < max; i++) {
        struct footage *f = &hits[*ret_count];
        *f = (struct footage){.kind = FOOTAGE_CLIP, .provider = "stock", .duration_ms = w.clip_ms};
        snprintf(f->id, sizeof f->id, "c%d", i);
        snprintf(f->author, sizeof f->author, "Author %d", i);
        *ret_count += may_come(q, f->id);
    }
    return true;
}

static bool own_search(void *self, const struct footage_query *q, struct footage *hits, size_t max,
                       size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    (void)self, (void)cancel, (void)e;
    *ret_count = 0;
    for (int i = 0; i < w.own_files && *ret_count < max; i++) {
        struct footage *f = &hits[*ret_count];
        *f = (struct footage){.kind = FOOTAGE_PHOTO, .provider = FOOTAGE_OWN};
        snprintf(f->id, sizeof f->id, "own%zu", (q->scene + (size_t)i) % (size_t)w.own_files);
        *ret_count += !is_used(q, FOOTAGE_OWN, f->id);
    }
    return true;
}

static bool fetch(void *self, struct footage *hit, const struct cancel *cancel, struct err *e)
{
    (void)self;
    struct rng rng = rng_make(w.jitter, (uint64_t)hit->id[strlen(hit->id) - 1]);
    raise_most(&w.fetching, &w.fetching_most);
    bool first = strcmp(hit->id, "c0") == 0, alone = first || strcmp(hit->id, "c1") == 0;
    if (w.jitter)
        cancel_wait(cancel, (int)(rng_next(&rng) % 60));
    for (int i = 0; w.first_hangs && first && atomic_load(&w.fetching) == 1 && i < 1000; i++)
        cancel_wait(cancel, 10);
    if (atomic_fetch_sub(&w.fetching, 1) != 1 && alone)
        atomic_store(&w.crowded, true);
    int64_t n = -1;
    if (str_starts(hit->id, "own") && str_to_int(hit->id + 3, 0, FILES_MAX, &n) && w.own_broken[n])
        return err_set_arg(e, ERR_NOT_FOUND, "chat.file_gone", hit->id, "test");
    snprintf(hit->path, sizeof hit->path, "%s/%s.file", w.tools->folder, hit->id);
    return fs_exists(hit->path) || fs_write(hit->path, hit->id, strlen(hit->id), e);
}

static void nothing(void *self)
{
    (void)self;
}

/* From the file's content, which is its id. */
static bool look(const char *path, int64_t at_ms, const struct cancel *cancel, uint64_t *ret,
                 struct err *e)
{
    (void)cancel;
    atomic_fetch_add(&w.looked, 1);
    AUTO(free_ptr) char *id = NULL;
    size_t len;
    int64_t n = 0;
    if (!fs_read(path, 100, &id, &len, e) || !str_to_int(id + 1, 0, 1000, &n))
        return false;
    struct rng rng = rng_make(
        5, w.alike_from >= 0 && n >= w.alike_from && (n != w.unlike || n == 0) ? 999 : (uint64_t)n);
    *ret = n == w.begins_dark && at_ms == 0 ? 0 : rng_next(&rng);
    return true;
}

static const struct footage_source_ops service_ops = {.name = "stock",
                                                      .search = service_search,
                                                      .prepare = service_prepare,
                                                      .fetch = fetch,
                                                      .destroy = nothing};
static const struct footage_source_ops own_ops = {
    .name = FOOTAGE_OWN, .search = own_search, .fetch = fetch, .destroy = nothing};
static struct pipeline_video video;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    log_init(LOG_OFF, false);
    w.tools = fake_tools_open(2);
    w.clips = 8;
    w.alike_from = w.begins_dark = -1;
    atomic_store(&w.searched_last, -1);
    w.tools->box.sources[0] = (struct footage_source){&service_ops, NULL};
    snprintf(w.out, sizeof w.out, "%s/film.mp4", w.tools->folder);
    cancel_init(&w.cancel, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    storyboard_free(&w.story);
    fake_tools_close(w.tools);
    return 0;
}

/* From where the storyboard stands. */
static bool go_on(const char *topic)
{
    static const struct footage_source own = {&own_ops, NULL};
    struct pipeline_result result;
    struct pipeline_run r = {.tools = &w.tools->box,
                             .topic = topic,
                             .story = &w.story,
                             .out_path = w.out,
                             .cancel = &w.cancel,
                             .recent = w.recent,
                             .recent_count = w.recent_count,
                             .own = w.own_files ? &own : NULL};
    atomic_store(&w.searched_last, -1);
    w.err = (struct err){0};
    return pipeline_run(&r, &result, &w.err);
}

static bool run(const char *topic)
{
    storyboard_free(&w.story);
    w.story = (struct storyboard){
        .settings = {.lang = "en", .seed = 7}
    };
    return go_on(topic);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct scene *)a)->footage.id, ((const struct scene *)b)->footage.id);
}

/* "c0 c1+c2 own0": the pictures of each scene. */
static void must_show(const char *topic, const char *want, const char *why)
{
    char shown[500] = "";
    if (!run(topic))
        fail_msg("%s: %s: %s", why, w.err.user_key, w.err.detail);
    if (w.any_order)
        qsort(w.story.scenes, w.story.scene_count, sizeof(*w.story.scenes), by_id);
    for (size_t i = 0; i < w.story.scene_count; i++) {
        const struct scene *s = &w.story.scenes[i];
        size_t n = strlen(shown);
        snprintf(shown + n, sizeof shown - n, "%s%s%s%s", i ? " " : "", s->footage.id,
                 s->second.id[0] ? "+" : "", s->second.id);
    }
    if (strcmp(shown, want) != 0)
        fail_msg("%s: '%s' instead of '%s'", why, shown, want);
}

/* From now on pictures have a look. */
static void see(void)
{
    video = *w.tools->box.video;
    video.look = look;
    w.tools->box.video = &video;
}

/* --- several at once --- */

static void scenes_are_asked_for_at_once(void **state)
{
    (void)state;
    w.prepare_ms = 200;
    w.jitter = 3;
    int64_t begun = clock_mono_ms();
    must_show(four, "c0 c1 c2 c3", "in the service's order");
    assert_in_range(clock_mono_ms() - begun, 0, 650); /* one after the other: 800 */
    assert_int_equal(atomic_load(&w.preparing_most), 4);
    assert_true(atomic_load(&w.fetching_most) > 1);
    assert_false(atomic_load(&w.out_of_order));
    assert_false(atomic_load(&w.no_budget));
}

/* Nothing can be encoded before the first scene is there, so nothing shares its link. */
static void the_first_scenes_come_before_all_others(void **state)
{
    (void)state;
    for (uint64_t jitter = 1; jitter <= 4; jitter++) {
        w.jitter = jitter;
        must_show(four, "c0 c1 c2 c3", "in the service's order");
    }
    assert_false(atomic_load(&w.crowded));
}

static void a_slow_first_scene_does_not_hold_up_the_others(void **state)
{
    (void)state;
    w.first_hangs = true;
    must_show(four, "c0 c1 c2 c3", "in the service's order");
    assert_true(atomic_load(&w.crowded));
}

static void whatever_is_slow_the_pictures_are_the_same(void **state)
{
    (void)state;
    w.clips = 9;
    w.alike_from = 2; /* the third to the ninth */
    see();
    for (uint64_t jitter = 1; jitter <= 8; jitter++) {
        w.jitter = jitter;
        must_show(four, "c0 c1 c2 c3", "no other hit looks different: the first one stays");
    }
    w.alike_from = 7;
    for (uint64_t jitter = 1; jitter <= 8; jitter++) {
        w.jitter = jitter;
        must_show(long_ones, "c0+c1 c2 c3+c4", "two for those of eight seconds and more");
    }
}

static void pictures_that_look_alike_are_passed_over(void **state)
{
    (void)state;
    see();
    w.clips = 2;
    w.alike_from = 0;
    must_show("The moon. The sea.", "c0 c1", "there is no other");
    w.clips = 8;
    w.alike_from = 7;
    must_show("The moon. The sea.", "c0 c1", "none looks alike");
    w.alike_from = 0;
    w.unlike = 3;
    must_show("The moon. The sea.", "c0 c3", "two are passed over for one that looks different");
    w.unlike = 4;
    must_show("The moon. The sea.", "c0 c1", "but not three");
}

static void a_clip_that_begins_dark_is_looked_at_later(void **state)
{
    (void)state;
    see();
    w.clip_ms = 9000;
    w.alike_from = 0;
    w.unlike = 2;
    w.begins_dark = 1;
    must_show("The moon. The sea.", "c0 c2", "a second later it looks like the other one");
    assert_int_equal(atomic_load(&w.looked), 4);
}

static void what_stands_is_looked_at_only_beside_something_new(void **state)
{
    (void)state;
    see();
    must_show(four, "c0 c1 c2 c3", "all new");
    atomic_store(&w.looked, 0);
    assert_true(go_on(four));
    assert_int_equal(atomic_load(&w.looked), 0);
    unlink(w.story.scenes[2].footage.path);
    w.alike_from = 2; /* c2 looks like c3, which stands */
    w.unlike = 4;
    assert_true(go_on(four));
    assert_string_equal(w.story.scenes[2].footage.id, "c4");
    assert_in_range(atomic_load(&w.looked), 4, 8);
}

static void stopped_while_services_are_asked(void **state)
{
    (void)state;
    w.prepare_ms = 60000;
    cancel_fire(&w.cancel);
    int64_t begun = clock_mono_ms();
    assert_false(run(four));
    assert_int_equal(w.err.code, ERR_CANCELLED);
    assert_in_range(clock_mono_ms() - begun, 0, ENOUGH_MS);
}

/* --- what is shown --- */

static void own_files_come_first(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        int own, clips;
        int broken; /* bits */
        int lost;
        const char *want, *why;
    } rows[] = {
        {four,      4, 8, 0, 0, "own0 own1 own2 own3",      "a file for each scene"            },
        {four,      2, 8, 0, 0, "own0 own1 c0 c1",          "then what the service has"        },
        {four,      2, 0, 0, 0, "own0 own1 own0 own1",      "before a backdrop they come again"},
        {four,      1, 0, 0, 0, "own0 own0 own0 own0",      "one picture all along"            },
        {four,      3, 8, 2, 1, "c0 c1 own0 own2",          "the broken one is left out"       },
        {four,      2, 8, 3, 2, "c0 c1 c2 c3",              "none can be used"                 },
        {four,      2, 0, 3, 2, "look0 look1 look2 look3",  "nothing at all but paint"         },
        {four,      6, 8, 0, 0, "own0 own1 own2 own3",      "short scenes show one each"       },
        {long_ones, 3, 8, 0, 0, "own0 own1 own2",           "two of a scene only when spare"   },
        {long_ones, 4, 8, 0, 0, "own0+own1 own2 own3",      "one is spare"                     },
        {long_ones, 5, 8, 0, 0, "own0+own1 own2 own3+own4", "two are"                          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        w.own_files = rows[i].own;
        w.clips = rows[i].clips;
        w.only_term = rows[i].clips ? NULL : "no such term";
        for (int n = 0; n < FILES_MAX; n++)
            w.own_broken[n] = rows[i].broken >> n & 1;
        /* A scene whose file turns out broken chooses again when others may have chosen already. */
        w.any_order = rows[i].broken != 0;
        must_show(rows[i].topic, rows[i].want, rows[i].why);
        if (w.story.own_lost != rows[i].lost)
            fail_msg("%s: %d files lost", rows[i].why, w.story.own_lost);
    }
}

static void a_mood_stands_in_before_backdrops(void **state)
{
    (void)state;
    w.only_term = "calm nature"; /* the writer says that the mood is calm */
    must_show(four, "c0 c1 c2 c3", "by mood");
    w.only_term = "no such term";
    must_show(four, "look0 look1 look2 look3", "nothing but paint");
}

static void what_the_chat_saw_comes_before_mood_and_paint(void **state)
{
    (void)state;
    static const char *const seen[] = {"stock:c0", "stock:c2"};
    w.recent = seen;
    w.recent_count = COUNT(seen);
    must_show(four, "c1 c3 c4 c5", "there is enough that it did not see");
    w.clips = 4;
    must_show(four, "c1 c3 c0 c2", "not enough: again, each once");
    w.clips = 3;
    must_show(four, "c1 c0 c2 look3", "no clip twice in a film");
    w.clips = 1;
    w.only_term = "calm nature";
    must_show(four, "c0 look1 look2 look3", "by mood, seen before: still better than paint");
}

/* Scenes without luck leave calls for the others, and for the mood. */
static void calls_are_shared_out(void **state)
{
    (void)state;
    int all = 0;
    w.only_term = "calm nature";
    must_show(four, "c0 c1 c2 c3", "by mood");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(atomic_load(&w.calls[i]), 2);
        all += atomic_load(&w.calls[i]);
    }
    assert_in_range(all, 1, 12);
    AUTO(strbuf_free) struct strbuf many = STRBUF(10000);
    for (int i = 0; i < 30; i++)
        strbuf_addf(&many, "Sentence number %d is here. ", i);
    w.only_term = "no such term";
    assert_true(run(strbuf_text(&many)));
    all = 0;
    for (int i = 0; i < 30; i++)
        all += atomic_exchange(&w.calls[i], 0);
    assert_in_range(all, 30, 8 + 60 + 4); /* those of the first film, two a scene, the mood's */
}

static void a_long_scene_cuts_to_its_second_picture(void **state)
{
    (void)state;
    AUTO(free_ptr) char *film = NULL;
    size_t len;
    must_show(long_ones, "c0+c1 c2 c3+c4", "two, one, two");
    assert_true(fs_read(w.out, 1 << 20, &film, &len, &w.err));
    assert_non_null(strstr(film, "c0 from"));
    assert_non_null(strstr(film, ", then c1"));
    assert_non_null(strstr(film, ", then c4"));
    assert_null(strstr(film, ", then c2"));
    /* Both makers are named. */
    assert_non_null(strstr(film, "Author 1"));
}

/* Sooner than one clip over again. */
static void short_clips_come_in_twos(void **state)
{
    (void)state;
    static const char six_seconds[] = "One two three four five six seven eight nine ten eleven "
                                      "twelve thirteen fourteen fifteen.";
    w.clip_ms = 4000;
    must_show(six_seconds, "c0+c1", "neither is long enough");
    must_show(four, "c0 c1 c2 c3", "short scenes have no room for two");
    w.clip_ms = 9000;
    must_show(six_seconds, "c0", "long enough");
    w.clip_ms = 0;
    must_show(six_seconds, "c0", "the service does not say");
    w.clip_ms = 4000;
    w.clips = 1;
    must_show(six_seconds, "c0", "there is no other");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(scenes_are_asked_for_at_once),
        CASE(the_first_scenes_come_before_all_others),
        CASE(a_slow_first_scene_does_not_hold_up_the_others),
        CASE(whatever_is_slow_the_pictures_are_the_same),
        CASE(pictures_that_look_alike_are_passed_over),
        CASE(a_clip_that_begins_dark_is_looked_at_later),
        CASE(what_stands_is_looked_at_only_beside_something_new),
        CASE(stopped_while_services_are_asked),
        CASE(own_files_come_first),
        CASE(a_mood_stands_in_before_backdrops),
        CASE(what_the_chat_saw_comes_before_mood_and_paint),
        CASE(calls_are_shared_out),
        CASE(a_long_scene_cuts_to_its_second_picture),
        CASE(short_clips_come_in_twos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
