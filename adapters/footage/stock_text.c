/* Foreign replies, their texts and links, and what goes into a search. */
#include "adapters/footage/stock_parts.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/base/utf8.h"

enum { AUTHOR_BYTES = 95, WORDS_BYTES = 400, LINK_BYTES = 900, PAGE_BYTES = 255, SIDE_MAX = 16384 };

void stock_page_free(struct stock_page *page)
{
    arena_free(&page->arena);
    *page = (struct stock_page){0};
}

bool stock_parse(const struct stock_service *service, const char *json, size_t len,
                 const struct stock_search *search, struct stock_page *ret, struct err *e)
{
    static const struct json_limits limits = {.bytes = 4 << 20, .depth = 16, .nodes = 100000};
    AUTO(json_free) cJSON *doc = NULL;
    const cJSON *item;
    *ret = (struct stock_page){0};
    if (!json_parse(json, len, &limits, &doc, e))
        return false;
    const cJSON *list = json_array(doc, service->list);
    if (!list)
        return err_set(e, ERR_INPUT, "error.bad_reply", "%s: no list of %s", service->title,
                       service->list);
    ret->clips = arena_alloc(&ret->arena, STOCK_CLIPS_MAX * sizeof(*ret->clips));
    cJSON_ArrayForEach(item, list)
    {
        if (ret->count == STOCK_CLIPS_MAX)
            break;
        struct stock_clip *clip = &ret->clips[ret->count];
        *clip = (struct stock_clip){.kind = service->kind};
        ret->count += service->read(item, search, ret, clip) && clip->rendition_count > 0;
    }
    return true;
}

enum stock_answer stock_classify(const struct net_reply *reply)
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

const char *stock_author(struct arena *a, const char *text)
{
    char *copy = arena_dup_n(a, text, utf8_cut(text, MIN(strlen(text), (size_t)AUTHOR_BYTES)));
    utf8_clean(copy);
    for (char *c = copy; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return copy + strspn(copy, " ");
}

bool stock_link_ok(const char *url)
{
    size_t skip = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
    size_t len = strlen(url);
    if (skip == 0 || len > LINK_BYTES || url[skip] == '/' || url[skip] == '\0')
        return false;
    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"<>\\^`{|}", url[i]))
            return false;
    return true;
}

/* The host of an https link is the domain or below it. */
static bool is_of_domain(const char *link, const char *domain)
{
    if (!str_starts(link, "https://") || !stock_link_ok(link) || strlen(link) > PAGE_BYTES)
        return false;
    const char *host = link + 8;
    size_t len = strcspn(host, "/?#"), n = strlen(domain);
    if (len < n || memchr(host, '@', len) || memchr(host, ':', len))
        return false;
    return memcmp(host + len - n, domain, n) == 0 && (len == n || host[len - n - 1] == '.');
}

const char *stock_page_link(const char *link, const char *domain, const char *instead)
{
    return is_of_domain(link, domain) ? link : instead;
}

/* Letters and digits of ASCII in lower case, whatever is beyond ASCII, single spaces. */
static size_t squeeze(char *out, size_t room, const char *text)
{
    size_t n = 0;
    bool gap = false;
    for (; *text && n + 2 < room; text++) {
        unsigned char c = (unsigned char)*text;
        bool upper = c >= 'A' && c <= 'Z';
        bool keep = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
        if (!keep) {
            gap = n > 0;
            continue;
        }
        if (gap)
            out[n++] = ' ';
        gap = false;
        out[n++] = (char)(upper ? c - 'A' + 'a' : c);
    }
    n = utf8_cut(out, n);
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return n;
}

char *stock_words(struct arena *a, const char *text)
{
    char words[WORDS_BYTES];
    squeeze(words, sizeof(words), text);
    return arena_dup(a, words);
}

void stock_term(const char *text, char ret_term[static STOCK_TERM_MAX + 1])
{
    AUTO(free_ptr) char *copy = str_dup(text);
    utf8_clean(copy);
    squeeze(ret_term, STOCK_TERM_MAX + 1, copy);
}

void stock_put_encoded(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);
        if (plain)
            strbuf_addc(out, (char)c);
        else
            strbuf_addf(out, "%%%02X", c);
    }
}

enum stock_shape stock_shape_of(int width, int height)
{
    if (width == height)
        return STOCK_SQUARE;
    return width > height ? STOCK_LANDSCAPE : STOCK_PORTRAIT;
}

void stock_add_rendition(struct stock_page *page, struct stock_clip *clip, const char *url,
                         int64_t width, int64_t height, double fps, double bytes)
{
    if (clip->rendition_count == STOCK_RENDITIONS_MAX || !stock_link_ok(url) || width < 16 ||
        width > SIDE_MAX || height < 16 || height > SIDE_MAX || strstr(url, ".m3u8"))
        return;
    if (isfinite(bytes) && bytes > STOCK_CLIP_BYTES_MAX)
        return;
    clip->renditions[clip->rendition_count++] = (struct stock_rendition){
        .url = arena_dup(&page->arena, url),
        .width = (int)width,
        .height = (int)height,
        .fps = isfinite(fps) && fps > 0 && fps < 1000 ? fps : 0,
        .bytes = isfinite(bytes) && bytes > 0 ? (int64_t)bytes : 0,
    };
}

/* --- languages --- */

static size_t language_len(const char *tag)
{
    return strcspn(tag, "-");
}

const char *stock_locale(const char *const *locales, const char *lang)
{
    size_t len = lang ? language_len(lang) : 0;
    const char *first = "";
    if (len == 0 || (len == 2 && strncasecmp(lang, "en", 2) == 0))
        return "";
    for (; locales && *locales; locales++) {
        if (strcasecmp(*locales, lang) == 0)
            return *locales;
        if (!*first && language_len(*locales) == len && strncasecmp(*locales, lang, len) == 0)
            first = *locales;
    }
    return first;
}

static bool has_foreign_bytes(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return true;
    return false;
}

bool stock_term_is_native(const struct footage_query *query, const char *term)
{
    if (!query->lang || strncasecmp(query->lang, "en", 2) == 0)
        return false;
    return has_foreign_bytes(term) ||
           (query->narration && *term && strcasestr(query->narration, term));
}
