#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/stock_world.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/net/json.h"

struct stock_world stock_world;
const char *const stock_sea[1] = {"stormy sea"};

int stock_open(void **state)
{
    (void)state;
    hash_setup();
    fake_stock_start(&stock_world.fake, NULL, NULL);
    return 0;
}

int stock_close(void **state)
{
    (void)state;
    fake_node_stop(&stock_world.fake);
    return 0;
}

int stock_setup(void **state)
{
    (void)state;
    stock_tell("reset", "{}");
    snprintf(stock_world.dir, sizeof(stock_world.dir), "/tmp/test-stock-XXXXXX");
    assert_non_null(mkdtemp(stock_world.dir));
    return 0;
}

int stock_teardown(void **state)
{
    (void)state;
    fs_remove(stock_world.dir);
    fake_node_no_complaints(&stock_world.fake);
    return 0;
}

void stock_tell(const char *name, const char *body)
{
    fake_stock_tell(&stock_world.fake, name, body);
}

int stock_calls(const char *list)
{
    return fake_stock_calls(&stock_world.fake, list);
}

const char *stock_field(const char *list, int n, const char *field)
{
    return fake_stock_field(&stock_world.fake, list, n, field);
}

/* --- files --- */

void stock_empty(void)
{
    fs_remove(stock_world.dir);
    assert_int_equal(mkdir(stock_world.dir, 0700), 0);
}

int stock_files(const char *part)
{
    DIR *dir = opendir(stock_world.dir);
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *d = readdir(dir); d; d = readdir(dir))
        n += strstr(d->d_name, part) != NULL;
    closedir(dir);
    return n;
}

/* The fake's clip: boxes, then (i * 31 + (i >> 8)) & 255. */
void stock_is_the_clip(const char *path)
{
    AUTO(free_ptr) char *text = NULL;
    struct err e = {0};
    size_t len = 0;
    if (!fs_read(path, 1 << 20, &text, &len, &e))
        fail_msg("%s", e.detail);
    AUTO(json_free) cJSON *state = fake_node_ask(&stock_world.fake, "state", "{}");
    assert_int_equal(len, json_int_or(state, "clipBytes", -1));
    size_t body = 24 + 72 + 8;
    assert_memory_equal(text + 4, "ftyp", 4);
    for (size_t i = body; i < len; i++)
        if ((unsigned char)text[i] != (((i - body) * 31 + ((i - body) >> 8)) & 255))
            fail_msg("byte %zu is wrong", i);
}

/* --- sources --- */

static bool place(void *ctx, const char *key, const char *ext, char *ret_path, struct err *e)
{
    (void)e;
    snprintf(ret_path, FOOTAGE_PATH_MAX, "%s/%s.%s", (const char *)ctx, key, ext);
    return true;
}

struct stock_options stock_options_for(const char *keys, const char *base)
{
    return (struct stock_options){.net = stock_world.fake.net,
                                  .keys = keys,
                                  .api_url = base,
                                  .place = place,
                                  .ctx = stock_world.dir};
}

struct stock_sources stock_pexels_at(const char *keys, const char *base)
{
    struct stock_sources s;
    struct err e = {0};
    struct stock_options o = stock_options_for(keys, base);
    if (!pexels_create(&o, &s.videos, &s.photos, &e))
        fail_msg("%s", e.detail);
    return s;
}

struct stock_sources stock_pexels(const char *keys)
{
    return stock_pexels_at(keys, stock_world.fake.url);
}

void stock_end(struct stock_sources *s)
{
    s->videos.ops->destroy(s->videos.self);
    s->photos.ops->destroy(s->photos.self);
}

struct footage_query stock_query(const char *const *terms, size_t count)
{
    return (struct footage_query){.terms = terms,
                                  .term_count = count,
                                  .narration = "",
                                  .lang = "en",
                                  .width = 720,
                                  .height = 1280,
                                  .need_ms = 4000,
                                  .seed = 7,
                                  .scene_total = 4,
                                  .style = ""};
}

size_t stock_find(const struct footage_source *source, const char *const *terms, size_t count,
                  struct footage *hits, size_t max)
{
    struct err e = {0};
    size_t found = 99;
    struct footage_query q = stock_query(terms, count);
    if (!source->ops->search(source->self, &q, hits, max, &found, NULL, &e))
        fail_msg("search: %s %s", e.user_key, e.detail);
    return found;
}

struct footage stock_one_hit(const struct stock_sources *s)
{
    struct footage hits[4];
    stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
    assert_int_equal(stock_find(&s->videos, stock_sea, 1, hits, 4), 1);
    return hits[0];
}

void *stock_fire_soon(void *cancel)
{
    usleep(150000);
    cancel_fire(cancel);
    return NULL;
}
