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

static enum stock_answer classify(const struct net_reply *reply)
{
    switch (reply->status) {
    case 200:
        return STOCK_OK;
    case 401:
    case 403:
        return STOCK_BAD_KEY;
    case 404:
        return STOCK_NO_SUCH_PATH;
    case 429:
        return STOCK_LIMITED;
    default:
        return net_should_retry(reply) ? STOCK_RETRY : STOCK_BAD_REQUEST;
    }
}

/* --- replies --- */

static bool open_reply(const char *json, size_t len, const char *list_name, cJSON **ret_doc,
                       const cJSON **ret_list, struct stock_page *ret, struct err *e)
{
    static const struct json_limits limits = {.bytes = 4 << 20, .depth = 16, .nodes = 100000};
    if (!json_parse(json, len, &limits, ret_doc, e))
        return false;
    *ret_list = json_array(*ret_doc, list_name);
    if (!*ret_list)
        return err_set(e, ERR_INPUT, "error.bad_reply", "Pexels: no list of %s", list_name);
    ret->clips = arena_alloc(&ret->arena, STOCK_CLIPS_MAX * sizeof(*ret->clips));
    return true;
}

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

bool pexels_parse(const char *json, size_t len, struct stock_page *ret, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    const cJSON *list = NULL;
    const cJSON *item;
    *ret = (struct stock_page){0};
    if (!open_reply(json, len, "videos", &doc, &list, ret, e))
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (ret->count == STOCK_CLIPS_MAX)
            break;
        struct stock_clip *clip = &ret->clips[ret->count];
        double seconds = 0;
        *clip = (struct stock_clip){.kind = FOOTAGE_CLIP};
        if (!read_head(item, "video", ret, clip))
            continue;
        json_real(item, "duration", &seconds);
        clip->duration_ms = (int64_t)(CLAMP(seconds, 0, SECONDS_MAX) * 1000);
        clip->author = stock_author(&ret->arena, json_text(json_object(item, "user"), "name", ""));
        clip->words = read_words(item, ret, clip);
        read_files(item, ret, clip);
        ret->count += clip->rendition_count > 0;
    }
    return true;
}

/* The service cuts the photo to the film's size. */
static void read_photo(const cJSON *item, int width, int height, struct stock_page *page,
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

bool pexels_parse_photos(const char *json, size_t len, int width, int height,
                         struct stock_page *ret, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    const cJSON *list = NULL;
    const cJSON *item;
    *ret = (struct stock_page){0};
    if (!open_reply(json, len, "photos", &doc, &list, ret, e))
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (ret->count == STOCK_CLIPS_MAX)
            break;
        struct stock_clip *clip = &ret->clips[ret->count];
        *clip = (struct stock_clip){.kind = FOOTAGE_PHOTO};
        if (!read_head(item, "photo", ret, clip))
            continue;
        clip->author = stock_author(&ret->arena, json_text(item, "photographer", ""));
        clip->words = read_words(item, ret, clip);
        read_photo(item, width, height, ret, clip);
        ret->count += clip->rendition_count > 0;
    }
    return true;
}

/* --- the services --- */

static bool parse_videos(const char *json, size_t len, const struct stock_search *search,
                         struct stock_page *ret, struct err *e)
{
    (void)search;
    return pexels_parse(json, len, ret, e);
}

static bool parse_photos(const char *json, size_t len, const struct stock_search *search,
                         struct stock_page *ret, struct err *e)
{
    return pexels_parse_photos(json, len, search->width, search->height, ret, e);
}

static const struct stock_service videos = {
    .name = "pexels",
    .title = "Pexels",
    .licence = "Pexels License",
    .by_shape = true,
    .rate = {.calls = 200, .period_ms = 3600000, .limited_ms = 600000},
    .prefix = "/v1",
    .locales = locales,
    .put_query = put_videos,
    .key_header = "Authorization: ",
    .parse = parse_videos,
    .classify = classify,
    .reset_is_time = true,
};

static const struct stock_service photos = {
    .name = "pexels_photo",
    .title = "Pexels",
    .licence = "Pexels License",
    .by_shape = true,
    .rate = {.calls = 200, .period_ms = 3600000, .limited_ms = 600000},
    .prefix = "/v1",
    .locales = locales,
    .put_query = put_photos,
    .key_header = "Authorization: ",
    .parse = parse_photos,
    .classify = classify,
    .reset_is_time = true,
};

bool pexels_create(const struct stock_options *options, struct footage_source *ret_videos,
                   struct footage_source *ret_photos, struct err *e)
{
    struct stock_keys *keys = NULL;
    if (!stock_keys_create("PEXELS_API_KEYS", options->keys, &videos.rate, &keys, e))
        return false;
    bool ok = stock_create(&videos, options, keys, ret_videos, e);
    if (ok && !stock_create(&photos, options, keys, ret_photos, e)) {
        ret_videos->ops->destroy(ret_videos->self);
        ok = false;
    }
    stock_keys_release(keys);
    return ok;
}

bool pexels_check(const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                  struct err *e)
{
    return stock_check(&videos, "PEXELS_API_KEYS", options, on_key, ctx, e);
}
