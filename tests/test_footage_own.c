/* Files that a person sent along, as footage: their order, fetched once, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "adapters/footage/chat_media.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"

static struct {
    char folder[64];
    atomic_int fetches;
    int64_t file_bytes; /* size of each file; not really written */
    struct footage_source source;
} w;

/* The chat: a file per name; "p:gone" is not there any more. */
static bool fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
                  char **ret_path, struct err *e)
{
    (void)self, (void)cancel;
    atomic_fetch_add(&w.fetches, 1);
    if (strcmp(media, "p:gone") == 0)
        return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "test");
    usleep(20000);
    char *path = str_printf("%s/%s", folder, media + 2);
    assert_true(fs_write(path, media, strlen(media), e));
    assert_int_equal(truncate(path, w.file_bytes), 0);
    *ret_path = path;
    return true;
}

static const struct chat_adapter_ops chat_ops = {.name = "test", .fetch = fetch};
static const struct chat_adapter_ops mute_ops = {.name = "mute"};

static int setup(void **state)
{
    (void)state;
    hash_setup();
    memset(&w, 0, sizeof w);
    w.file_bytes = 100;
    snprintf(w.folder, sizeof w.folder, "/tmp/test-own-XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (w.source.ops)
        w.source.ops->destroy(w.source.self);
    fs_remove(w.folder);
    return 0;
}

static void open_names(const char *names)
{
    const struct chat_adapter chat = {.ops = &chat_ops};
    AUTO(free_ptr) char *folder = str_printf("%s/job/1", w.folder); /* made when needed */
    struct err e = {0};
    if (w.source.ops)
        w.source.ops->destroy(w.source.self);
    assert_true(chat_media_create(&chat, names, folder, &w.source, &e));
}

static size_t search(size_t scene, const char *const *used, size_t used_count, struct footage *hits,
                     size_t max)
{
    struct footage_query q = {.scene = scene, .used = used, .used_count = used_count, .seed = 7};
    struct err e = {0};
    size_t count = 99;
    assert_true(w.source.ops->search(w.source.self, &q, hits, max, &count, NULL, &e));
    return count;
}

static bool get(struct footage *hit, struct err *e)
{
    return w.source.ops->fetch(w.source.self, hit, NULL, e);
}

static void in_the_order_they_were_sent(void **state)
{
    (void)state;
    struct footage hits[12], again[12];
    struct err e = {0};
    open_names("p:a\nv:b\np:c");
    assert_int_equal(search(0, NULL, 0, hits, 12), 3);
    assert_string_equal(hits[0].provider, FOOTAGE_OWN);
    assert_int_equal(hits[0].kind, FOOTAGE_PHOTO);
    assert_int_equal(hits[1].kind, FOOTAGE_CLIP);
    assert_string_equal(hits[0].author, ""); /* nobody has to be named */
    char name[200];
    snprintf(name, sizeof name, FOOTAGE_OWN ":%s", hits[0].id);
    const char *used[] = {"pexels:1", name};
    assert_int_equal(search(1, used, 2, again, 12), 2);
    assert_string_equal(again[0].id, hits[1].id);
    /* A fourth scene with nothing left begins again, and moves otherwise. */
    assert_int_equal(search(3, NULL, 0, again, 1), 1);
    assert_string_equal(again[0].id, hits[0].id);
    assert_true(again[0].seed != hits[0].seed);
    for (size_t i = 0; i < 3; i++) {
        assert_true(get(&hits[i], &e));
        assert_int_equal(access(hits[i].path, R_OK), 0);
    }
}

static void names_that_are_too_many_or_the_same(void **state)
{
    (void)state;
    struct footage hits[20];
    open_names("p:a\np:a\n\np:b\n");
    assert_int_equal(search(0, NULL, 0, hits, 20), 2);
    open_names("p:1\np:2\np:3\np:4\np:5\np:6\np:7\np:8\np:9\np:10\np:11\np:12");
    assert_int_equal(search(0, NULL, 0, hits, 20), CHAT_MEDIA_FILES);
    open_names("");
    assert_int_equal(search(0, NULL, 0, hits, 20), 0);
}

static void what_cannot_be_fetched(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    const struct chat_adapter mute = {.ops = &mute_ops};
    struct footage_source none = {0};
    open_names("p:gone\np:big\np:more");
    assert_int_equal(search(0, NULL, 0, hits, 4), 3);
    assert_false(get(&hits[0], &e));
    assert_string_equal(e.user_key, "chat.file_gone");
    w.file_bytes = CHAT_MEDIA_BYTES - 10; /* a hole: nothing is written */
    assert_true(get(&hits[1], &e));
    assert_false(get(&hits[2], &e)); /* all of them together are bounded */
    assert_string_equal(e.user_key, "chat.file_too_large");
    AUTO(free_ptr) char *left = str_printf("%s/job/1/more", w.folder);
    assert_false(fs_exists(left));
    struct footage stranger = {.provider = FOOTAGE_OWN, .id = "00"};
    assert_false(get(&stranger, &e));
    assert_false(chat_media_create(&mute, "p:a", w.folder, &none, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
}

static void *fetch_main(void *arg)
{
    struct err e = {0};
    return get(arg, &e) ? arg : NULL;
}

static void two_scenes_want_the_same_file(void **state)
{
    (void)state;
    struct footage hits[4];
    pthread_t threads[4];
    open_names("p:a");
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(search(i, NULL, 0, &hits[i], 1), 1);
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_main, &hits[i]), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    assert_int_equal(atomic_load(&w.fetches), 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(in_the_order_they_were_sent),
        CASE(names_that_are_too_many_or_the_same),
        CASE(what_cannot_be_fetched),
        CASE(two_scenes_want_the_same_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
