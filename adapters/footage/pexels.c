/* Pexels: the shape of its requests and replies, videos and photos. */
#include "adapters/footage/stock_parts.h"

#include <inttypes.h>

#include "core/net/json.h"

enum { PER_PAGE = 40, SECONDS_MAX = 24 * 3600 };

/* --- requests --- */

static const char *const locales[] = {"pt-BR", "es-ES", "ca-ES", "de-DE", "it-IT", "fr-FR", "sv-SE",
                                      "id-ID", "pl-PL", "ja-JP", "zh-CN", "zh-TW", "ko-KR", "th-TH",
                                      "nl-NL", "hu-HU", "vi-VN", "cs-CZ", "da-DK", "fi-FI", "uk-UA",
                                      "el-GR", "ro-RO", "nb-NO", "sk-SK", "tr-TR", "ru-RU", NULL};

static void put_search(struct strbuf *out, const char *path, const struct stock_search *search)
{
    static const char *const shapes[] = {
        [STOCK_ANY] = "",
        [STOCK_LANDSCAPE] = "&orientation=landscape",
        [STOCK_PORTRAIT] = "&orientation=portrait",
        [STOCK_SQUARE] = "&orientation=square",
    };
    strbuf_addf(out, "%s?query=", path);
    stock_put_encoded(out, search->term);
    strbuf_addf(out, "%s&per_page=%d", shapes[search->shape], PER_PAGE);
    if (search->locale[0])
        strbuf_addf(out, "&locale=%s", search->locale);
}

static void put_videos(struct strbuf *out, const struct stock_search *search, const char *key)
{
    (void)key;
    put_search(out, "/videos/search", search);
}

static void put_photos(struct strbuf *out, const struct stock_search *search, const char *key)
{
    (void)key;
    put_search(out, "/search", search);
}

/* --- replies --- */

/* The id and the page, whose name says what is to be seen. False: not an item that can be used. */
static bool read_head(const cJSON *item, const char *folder, struct stock_page *page,
                      struct stock_clip *clip)
{
    char own[64];
    int64_t id;
    if (!json_int(item, "id", &id) || id <= 0)
        return false;
    snprintf(clip->id, sizeof(clip->id), "%" PRId64, id);
    snprintf(own, sizeof(own), "https://www.pexels.com/%s/%" PRId64 "/", folder, id);
    clip->page =
        arena_dup(&page->arena, stock_page_link(json_text(item, "url", ""), "pexels.com", own));
    return true;
}

/* "https://www.pexels.com/video/waves-on-a-beach-123/" -> "waves-on-a-beach-123/" */
static const char *page_name(const char *link)
{
    static const char *const folders[] = {"/video/", "/photo/"};
    for (size_t i = 0; i < COUNT(folders); i++) {
        const char *at = strstr(link, folders[i]);
        if (at)
            return at + strlen(folders[i]);
    }
    return "";
}

static const char *read_words(const cJSON *item, struct stock_page *page,
                              const struct stock_clip *clip)
{
    AUTO(strbuf_free) struct strbuf all = STRBUF(4096);
    const cJSON *tag;
    strbuf_adds(&all, page_name(clip->page));
    cJSON_ArrayForEach(tag, json_array(item, "tags"))
    {
        const char *text = cJSON_IsString(tag) ? tag->valuestring : json_text(tag, "name", "");
        if (strlen(text) < 100 && all.len < 2048)
            strbuf_addf(&all, " %s", text);
    }
    const char *alt = json_text(item, "alt", "");
    if (strlen(alt) < 1000)
        strbuf_addf(&all, " %s", alt);
    return stock_words(&page->arena, strbuf_text(&all));
}

static void read_files(const cJSON *item, struct stock_page *page, struct stock_clip *clip)
{
    const cJSON *file;
    cJSON_ArrayForEach(file, json_array(item, "video_files"))
    {
        double fps = 0, bytes = 0;
        json_real(file, "fps", &fps);
        json_real(file, "size", &bytes);
        if (strcmp(json_text(file, "file_type", ""), "video/mp4") == 0 &&
            strcmp(json_text(file, "quality", ""), "hls") != 0)
            stock_add_rendition(page, clip, json_text(file, "link", ""),
                                json_int_or(file, "width", 0), json_int_or(file, "height", 0), fps,
                                bytes);
    }
}

static bool read_video(const cJSON *item, const struct stock_search *search,
                       struct stock_page *page, struct stock_clip *clip)
{
    double seconds = 0;
    (void)search;
    if (!read_head(item, "video", page, clip))
        return false;
    json_real(item, "duration", &seconds);
    clip->duration_ms = (int64_t)(CLAMP(seconds, 0, SECONDS_MAX) * 1000);
    clip->author = stock_author(&page->arena, json_text(json_object(item, "user"), "name", ""));
    clip->words = read_words(item, page, clip);
    read_files(item, page, clip);
    return true;
}

/* The service cuts the photo to the film's size. */
static void read_picture(const cJSON *item, int width, int height, struct stock_page *page,
                         struct stock_clip *clip)
{
    const char *original = json_text(json_object(item, "src"), "original", "");
    int64_t w = json_int_or(item, "width", 0), h = json_int_or(item, "height", 0);
    struct stock_clip whole = {0};
    stock_add_rendition(page, &whole, original, w, h, 0, 0);
    if (choose_rendition(&whole, width, height) < 0)
        return;
    AUTO(free_ptr)
    char *url = str_printf("%s%cauto=compress&cs=tinysrgb&fit=crop&w=%d&h=%d", original,
                           strchr(original, '?') ? '&' : '?', width, height);
    stock_add_rendition(page, clip, url, width, height, 0, 0);
}

static bool read_photo(const cJSON *item, const struct stock_search *search,
                       struct stock_page *page, struct stock_clip *clip)
{
    if (!read_head(item, "photo", page, clip))
        return false;
    clip->author = stock_author(&page->arena, json_text(item, "photographer", ""));
    clip->words = read_words(item, page, clip);
    read_picture(item, search->width, search->height, page, clip);
    return true;
}

/* --- the services --- */

/* One account and one licence for both. */
#define PEXELS                                                                           \
    .title = "Pexels", .licence = "Pexels License", .by_shape = true,                    \
    .rate = {.calls = 200, .period_ms = 3600000, .limited_ms = 600000}, .prefix = "/v1", \
    .locales = locales, .key_header = "Authorization: ", .classify = stock_classify,     \
    .reset_is_time = true

const struct stock_service pexels_videos = {
    PEXELS,           .name = "pexels",     .put_query = put_videos,
    .list = "videos", .kind = FOOTAGE_CLIP, .read = read_video,
};

const struct stock_service pexels_photos = {
    PEXELS,           .name = "pexels_photo", .put_query = put_photos,
    .list = "photos", .kind = FOOTAGE_PHOTO,  .read = read_photo,
};

bool pexels_create(const struct stock_options *options, struct footage_source *ret_videos,
                   struct footage_source *ret_photos, struct err *e)
{
    struct stock_keys *keys = NULL;
    if (!stock_keys_create("PEXELS_API_KEYS", options->keys, &pexels_videos.rate, &keys, e))
        return false;
    bool ok = stock_create(&pexels_videos, options, keys, ret_videos, e);
    if (ok && !stock_create(&pexels_photos, options, keys, ret_photos, e)) {
        ret_videos->ops->destroy(ret_videos->self);
        ok = false;
    }
    stock_keys_release(keys);
    return ok;
}

bool pexels_check(const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                  struct err *e)
{
    return stock_check(&pexels_videos, "PEXELS_API_KEYS", options, on_key, ctx, e);
}
