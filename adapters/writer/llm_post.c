/* What stands below the film when it is posted: a sentence and a few hashtags. Nothing depends on it,
   so what is odd is left out instead of asked for again. */
#include <string.h>
#include <strings.h>

#include <unicode/uchar.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/utf8.h"
#include "core/net/json.h"
#include "core/story/text.h"

enum {
    CAPTION_LETTERS_MAX = 220,
    TAGS_MAX = 5,
    TAG_LETTERS_MAX = 30,
    TAG_ROOM = 4 * TAG_LETTERS_MAX + 2,
    SHARE_MIN = 60,
};

struct tags {
    char list[TAGS_MAX][TAG_ROOM]; /* with their # */
    size_t count;
};

/* Letters, digits, their marks and _ only: spaces would end the tag, other marks mean something to
   the chat. */
static void add_tag(struct tags *t, const char *text, size_t len)
{
    char tag[TAG_ROOM] = "#";
    size_t at = 0, n = 1, letters = 0;
    bool word = false;
    while (at < len && letters < TAG_LETTERS_MAX) {
        int32_t cp = utf8_next(text, len, &at);
        bool mark = (U_GET_GC_MASK(cp) & U_GC_M_MASK) != 0;
        if (!u_isalnum(cp) && !mark && cp != '_')
            continue;
        word = word || u_isalpha(cp);
        n += utf8_put(tag + n, cp);
        letters++;
    }
    tag[n] = '\0';
    for (size_t i = 0; i < t->count; i++)
        word = word && strcasecmp(t->list[i], tag) != 0;
    if (word && t->count < TAGS_MAX)
        memcpy(t->list[t->count++], tag, n + 1);
}

/* A list, or one text. */
static void read_tags(const cJSON *doc, struct tags *t)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(doc, "hashtags");
    const cJSON *item;
    int looked = 0;
    if (cJSON_IsString(list))
        for (const char *p = list->valuestring; *p;) {
            size_t n = strcspn(p, " ,;#\n\t");
            add_tag(t, p, n);
            p += n + (p[n] != '\0');
        }
    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsString(item) && looked++ < 16)
            add_tag(t, item->valuestring, strlen(item->valuestring));
    }
}

static void put_sentence(struct strbuf *out, const char *text, const char *lang)
{
    AUTO(free_ptr) char *clean = text_clean(text);
    size_t len = strlen(clean), letters = 0;
    if (!text_has_words(clean) || llm_script_share(clean, lang) < SHARE_MIN)
        return;
    for (size_t at = 0; at < len; letters++) {
        size_t from = at;
        int32_t cp = utf8_next(clean, len, &at);
        if (letters == CAPTION_LETTERS_MAX) {
            strbuf_adds(out, "…");
            return;
        }
        if (cp == '\n')
            strbuf_addc(out, ' ');
        else if (cp != '@' && cp != '`' && cp != '#') /* nobody is called by name */
            strbuf_add(out, clean + from, at - from);
    }
}

const char *llm_post(struct arena *a, const cJSON *doc, const char *lang)
{
    struct tags tags = {.count = 0};
    struct strbuf out = STRBUF((size_t)4096);
    put_sentence(&out, json_text(doc, "caption", ""), lang);
    read_tags(doc, &tags);
    for (size_t i = 0; i < tags.count; i++)
        strbuf_addf(&out, "%s%s", out.len ? " " : "", tags.list[i]);
    const char *ret = out.len ? arena_dup(a, strbuf_text(&out)) : NULL;
    strbuf_free(&out);
    return ret;
}
