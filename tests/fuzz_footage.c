/* Search replies as a hostile or broken service would send them, and what is chosen from them. The
   first byte says whose reply it is; 'm' is the beginning of a downloaded film. */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapters/footage/stock_parts.h"
#include "core/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_clip(const struct stock_clip *c)
{
    assert(c->id[0] && strspn(c->id, "0123456789") == strlen(c->id));
    assert(c->author && strlen(c->author) < sizeof(((struct footage *)0)->author));
    assert(utf8_valid(c->author, strlen(c->author)) && !strpbrk(c->author, "\n\r\t"));
    assert(c->words && utf8_valid(c->words, strlen(c->words)));
    assert(c->page && strlen(c->page) < sizeof(((struct footage *)0)->page));
    assert(strncmp(c->page, "https://", 8) == 0);
    assert(c->duration_ms >= 0 && c->duration_ms <= 24 * 3600 * 1000);
    assert(c->rendition_count > 0 && c->rendition_count <= STOCK_RENDITIONS_MAX);
    for (size_t i = 0; i < c->rendition_count; i++) {
        const struct stock_rendition *r = &c->renditions[i];
        assert(stock_link_ok(r->url) && strlen(r->url) < FOOTAGE_PATH_MAX);
        assert(r->width >= 16 && r->height >= 16 && r->bytes >= 0 && r->fps >= 0);
        assert(r->bytes <= STOCK_CLIP_BYTES_MAX);
    }
}

static void choose(const struct stock_page *page, int width, int height)
{
    static const char *const used[] = {"pexels:1"};
    struct footage hits[8];
    struct footage_query q = {
        .width = width, .height = height, .need_ms = 5000, .used = used, .used_count = 1};
    struct choose_scene scene = {
        .query = &q, .provider = "pexels", .term = "stormy sea", .neighbour_author = "Ana"};
    size_t n = choose_order(&scene, page, hits, COUNT(hits));
    assert(n <= COUNT(hits) && n <= page->count);
    for (size_t i = 0; i < n; i++) {
        assert(strcmp(hits[i].id, "1") != 0 && stock_link_ok(hits[i].path));
        assert(choose_crop_loss(hits[i].width, hits[i].height, width, height) <= 0.4001);
        assert(hits[i].width * 3 >= width * 2 - 2 && hits[i].height * 3 >= height * 2 - 2);
    }
}

static void look_at_film(const uint8_t *data, size_t size)
{
    int fd = memfd_create("film", MFD_CLOEXEC);
    assert(fd >= 0);
    if (write(fd, data, size) == (ssize_t)size && stock_mp4_whole(fd, (int64_t)size))
        assert(size >= 24 && memcmp(data + 4, "ftyp", 4) == 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(stock_page_free) struct stock_page page = {0};
    struct err e = {0};
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] == 'm') {
        look_at_film(data + 1, size - 1);
        return 0;
    }
    const struct stock_search search = {.width = 1080, .height = 1920};
    const struct stock_service *service = data[0] == 'b'   ? &pixabay_videos
                                          : data[0] == 'i' ? &pexels_photos
                                                           : &pexels_videos;
    bool ok = stock_parse(service, text, size - 1, &search, &page, &e);
    assert(ok || e.code != ERR_NONE);
    if (!ok)
        return 0;
    assert(page.count <= STOCK_CLIPS_MAX);
    for (size_t i = 0; i < page.count; i++)
        look_at_clip(&page.clips[i]);
    choose(&page, 1080, 1920);
    choose(&page, 1080, 1080);
    choose(&page, 1920, 1080);
    return 0;
}
