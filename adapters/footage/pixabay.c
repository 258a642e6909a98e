/* Pixabay: the shape of its requests and replies. Videos only. */
#include "adapters/footage/stock_parts.h"

#include <inttypes.h>

#include "core/net/json.h"

enum { PER_PAGE = 50, SECONDS_MAX = 24 * 3600 };

/* The key is in the query: this text goes to core/net and nowhere else. */
static const char *const locales[] = {"cs", "da", "de", "es", "fr", "id", "it", "hu", "nl",
                                      "no", "pl", "pt", "ro", "sk", "fi", "sv", "tr", "vi",
                                      "th", "bg", "ru", "el", "ja", "ko", "zh", NULL};

static void put_query(struct strbuf *out, const struct stock_search *search, const char *key)
{
    strbuf_adds(out, "/videos/?key=");
    stock_put_encoded(out, key);
    strbuf_adds(out, "&q=");
    stock_put_encoded(out, search->term);
    if (search->locale[0])
        strbuf_addf(out, "&lang=%s", search->locale);
    strbuf_addf(out, "&video_type=film&safesearch=true&per_page=%d", PER_PAGE);
}

/* Errors are plain text, and a wrong key is a 400 like any other mistake. */
static enum stock_answer classify(const struct net_reply *reply)
{
    if (reply->status == 400 && strcasestr(reply->body, "api key"))
        return STOCK_BAD_KEY;
    return stock_classify(reply);
}

/* A size that is missing has the url "" and 0 bytes; the names say nothing about the size. */
static void read_files(const cJSON *item, struct stock_page *page, struct stock_clip *clip)
{
    const cJSON *file;
    cJSON_ArrayForEach(file, json_object(item, "videos"))
    {
        double bytes = 0;
        json_real(file, "size", &bytes);
        stock_add_rendition(page, clip, json_text(file, "url", ""), json_int_or(file, "width", 0),
                            json_int_or(file, "height", 0), 0, bytes);
    }
}

static bool read_video(const cJSON *item, const struct stock_search *search,
                       struct stock_page *page, struct stock_clip *clip)
{
    char own[64];
    double seconds = 0;
    int64_t id;
    (void)search;
    if (!json_int(item, "id", &id) || id <= 0)
        return false;
    snprintf(clip->id, sizeof(clip->id), "%" PRId64, id);
    snprintf(own, sizeof(own), "https://pixabay.com/videos/id-%" PRId64 "/", id);
    clip->page = arena_dup(&page->arena,
                           stock_page_link(json_text(item, "pageURL", ""), "pixabay.com", own));
    json_real(item, "duration", &seconds);
    clip->duration_ms = (int64_t)(CLAMP(seconds, 0, SECONDS_MAX) * 1000);
    clip->author = stock_author(&page->arena, json_text(item, "user", ""));
    clip->words = stock_words(&page->arena, json_text(item, "tags", ""));
    read_files(item, page, clip);
    return true;
}

const struct stock_service pixabay_videos = {
    .name = "pixabay",
    .title = "Pixabay",
    .licence = "Pixabay Content License",
    .rate = {.calls = 100, .period_ms = 60000, .limited_ms = 60000},
    .prefix = "/api",
    .locales = locales,
    .put_query = put_query,
    .list = "hits",
    .kind = FOOTAGE_CLIP,
    .read = read_video,
    .classify = classify,
};

bool pixabay_create(const struct stock_options *options, struct footage_source *ret, struct err *e)
{
    struct stock_keys *keys = NULL;
    if (!stock_keys_create("PIXABAY_API_KEYS", options->keys, &pixabay_videos.rate, &keys, e))
        return false;
    bool ok = stock_create(&pixabay_videos, options, keys, ret, e);
    stock_keys_release(keys);
    return ok;
}

bool pixabay_check(const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                   struct err *e)
{
    return stock_check(&pixabay_videos, "PIXABAY_API_KEYS", options, on_key, ctx, e);
}
