/*
 * stock_world - the fakes of Pexels and Pixabay (tests/fakes/stock.mjs), a folder for what is
 * fetched, and sources that use both.
 *
 * What:    one fake for a test program (stock_open, stock_close), emptied for each case
 *          (STOCK_CASE); a case ends with no complaint of the fake.
 * Owner:   sources: stock_end. Texts of stock_field live for the next seven calls.
 * Threads: stock_tell, stock_calls and stock_field from one.
 */
#ifndef NANOTIK_TESTS_STOCK_WORLD_H
#define NANOTIK_TESTS_STOCK_WORLD_H

#include "adapters/footage/stock.h"
#include "tests/fake_stock.h"

struct stock_world {
    struct fake_node fake;
    char dir[64];
};
extern struct stock_world stock_world;

int stock_open(void **state);
int stock_close(void **state);
int stock_setup(void **state);
int stock_teardown(void **state);
#define STOCK_CASE(f) cmocka_unit_test_setup_teardown(f, stock_setup, stock_teardown)

void stock_tell(const char *name, const char *body);
int stock_calls(const char *list);
const char *stock_field(const char *list, int n, const char *field);

/* Everything that was fetched goes. */
void stock_empty(void);
/* Files whose names hold this. */
int stock_files(const char *part);
/* The file has the very bytes of the fake's clip. */
void stock_is_the_clip(const char *path);

struct stock_sources {
    struct footage_source videos, photos;
};
struct stock_options stock_options_for(const char *keys, const char *base);
struct stock_sources stock_pexels_at(const char *keys, const char *base);
struct stock_sources stock_pexels(const char *keys);
void stock_end(struct stock_sources *s);

extern const char *const stock_sea[1];
struct footage_query stock_query(const char *const *terms, size_t count);
size_t stock_find(const struct footage_source *source, const char *const *terms, size_t count,
                  struct footage *hits, size_t max);
/* There is one clip, and it is found. */
struct footage stock_one_hit(const struct stock_sources *s);

/* pthread_create's: fires the cancel after 150 ms. */
void *stock_fire_soon(void *cancel);

#define STOCK_VIDEO(id, term, shape)                                                               \
    "{\"id\":" id ",\"term\":\"" term "\",\"orientation\":\"" shape "\",\"duration\":9,"           \
    "\"url\":\"https://www.pexels.com/video/stormy-sea-" id "/\",\"user\":{\"name\":\"Ana " id     \
    "\"},\"video_files\":[{\"id\":1,\"quality\":\"hd\",\"file_type\":\"video/mp4\",\"width\":720," \
    "\"height\":1280,\"fps\":30,\"link\":\"{base}/clip/" id ".mp4\"}]}"

#define STOCK_HIT(id)                                                                          \
    "{\"id\":" id ",\"pageURL\":\"https://pixabay.com/videos/id-" id                           \
    "/\",\"tags\":\"sea\",\"duration\":9,\"user\":\"bo\",\"videos\":{\"large\":{\"url\":\"\"," \
    "\"width\":0,\"height\":0,\"size\":0},\"tiny\":{\"url\":\"{base}/clip/p" id                \
    ".mp4\",\"width\":720,\"height\":1280,\"size\":60000}}}"

#endif
