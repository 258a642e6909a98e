/* The cleaning chain: somewhere in what a model says there is a script. Every step is bounded. */
#include <string.h>

#include "adapters/writer/llm_internal.h"
#include "core/net/json.h"

enum { CANDIDATES_MAX = 32, UNWRAP_MAX = 3, DECODE_MAX = 2, JSON_DEPTH = 32, JSON_NODES = 20000 };

struct span {
    const char *text;
    size_t len;
};

static struct span span_skip(struct span s, size_t n)
{
    return (struct span){s.text + n, s.len - n};
}

static struct span span_trim(struct span s)
{
    if (s.len >= 3 && memcmp(s.text, "\xEF\xBB\xBF", 3) == 0)
        s = span_skip(s, 3);
    while (s.len && memchr(" \t\r\n", s.text[0], 4))
        s = span_skip(s, 1);
    while (s.len && memchr(" \t\r\n", s.text[s.len - 1], 4))
        s.len--;
    return s;
}

/* Thoughts before the answer: cut up to the last closing mark that comes before any document. */
static struct span cut_thoughts(struct span s)
{
    static const char *const ends[] = {"</think>", "</thinking>", "</thought>"};
    for (size_t i = 0; i < COUNT(ends); i++) {
        const char *last = NULL;
        size_t n = strlen(ends[i]);
        for (const char *p = s.text; (p = memmem(p, s.len - (size_t)(p - s.text), ends[i], n));
             p += n)
            last = p + n;
        /* A script that mentions the mark in its text starts before it. */
        if (last && (s.text[0] == '<' || !memchr(s.text, '{', (size_t)(last - s.text))))
            s = span_trim(span_skip(s, (size_t)(last - s.text)));
    }
    return s;
}

/* Length of the balanced {...} or [...] at the start; 0 when it never closes. */
static size_t balanced(struct span s)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                return i + 1;
        }
    }
    return 0;
}

/* A comma before a closing bracket, outside texts, becomes a blank. In place. */
static void drop_trailing_commas(char *text, size_t len)
{
    bool in_string = false;
    size_t comma = len;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        in_string = c == '"';
        if (c == ',') {
            comma = i;
        } else if (c == '}' || c == ']') {
            if (comma < len)
                text[comma] = ' ';
            comma = len;
        } else if (!memchr(" \t\r\n", c, 4)) {
            comma = len;
        }
    }
}

static cJSON *parse(struct span s)
{
    static const struct json_limits limits = {
        .bytes = LLM_REPLY_MAX, .depth = JSON_DEPTH, .nodes = JSON_NODES};
    struct err ignored;
    cJSON *doc = NULL;
    AUTO(free_ptr) char *copy = malloc(s.len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, s.text, s.len);
    copy[s.len] = '\0';
    drop_trailing_commas(copy, s.len);
    return json_parse(copy, s.len, &limits, &doc, &ignored) ? doc : NULL;
}

static bool is_scene_list(const cJSON *item)
{
    return cJSON_IsArray(item) && json_has(cJSON_GetArrayItem(item, 0), "narration");
}

/* {"script":{"title":...}}: the object inside, detached. Takes doc over. */
static cJSON *unwrap(cJSON *doc)
{
    for (int i = 0; i < UNWRAP_MAX && doc; i++) {
        if (is_scene_list(doc)) {
            cJSON *whole = cJSON_CreateObject();
            if (!whole || !cJSON_AddItemToObject(whole, "scenes", doc))
                cJSON_Delete(doc);
            return whole;
        }
        if (json_array(doc, "scenes"))
            return doc;
        cJSON *inner = cJSON_IsObject(doc) && cJSON_GetArraySize(doc) == 1 ? doc->child : NULL;
        if (cJSON_IsObject(inner) || is_scene_list(inner))
            inner = cJSON_DetachItemViaPointer(doc, inner);
        else
            inner = NULL;
        cJSON_Delete(doc);
        doc = inner;
    }
    cJSON_Delete(doc);
    return NULL;
}

/* The answer as one JSON text with JSON inside. Caller frees; NULL when it is none. */
static char *decode_string(struct span s)
{
    if (s.len < 2 || s.text[0] != '"')
        return NULL;
    AUTO(json_free) cJSON *doc = parse(s);
    return cJSON_IsString(doc) ? str_dup(doc->valuestring) : NULL;
}

static cJSON *find(struct span s, const char **ret_why)
{
    int tried = 0;
    bool cut = false;
    for (size_t at = 0; at < s.len && tried < CANDIDATES_MAX; at++) {
        if (s.text[at] != '{' && s.text[at] != '[')
            continue;
        struct span from = span_skip(s, at);
        size_t len = balanced(from);
        tried++;
        if (len == 0) {
            cut = true; /* chatter may have an odd bracket: look further */
            continue;
        }
        cJSON *doc = parse((struct span){from.text, len});
        cJSON *script = unwrap(doc);
        if (script)
            return script;
        if (doc)
            at += len - 1; /* something else: its inside is not the script either */
    }
    *ret_why = cut     ? "the JSON is not complete"
               : tried ? "the JSON is not of the asked shape"
                       : "there is no JSON";
    return NULL;
}

cJSON *llm_extract(const char *text, size_t len, const char **ret_why)
{
    AUTO(free_ptr) char *decoded = NULL;
    struct span s = cut_thoughts(span_trim((struct span){text, len}));
    *ret_why = "";
    for (int i = 0; i < DECODE_MAX; i++) {
        char *inner = decode_string(s);
        if (!inner)
            break;
        free(decoded);
        decoded = inner;
        s = cut_thoughts(span_trim((struct span){decoded, strlen(decoded)}));
    }
    return find(s, ret_why);
}
