#include "core/net/json.h"

#include <math.h>

#include "core/base/utf8.h"

/* Value of the four hex digits at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* An escape at p (the backslash). Returns its length and what to put in its place, or NULL. */
static size_t look_at_escape(const char *p, const char *end, const char **ret_instead)
{
    *ret_instead = NULL;
    if (end - p < 2 || (unsigned char)p[1] >= 0x80)
        return 1; /* no escape; a character is never torn apart */
    if (p[1] != 'u')
        return 2;
    int32_t unit = hex4(p + 2, end);
    if (unit < 0) {
        *ret_instead = "\\!"; /* cJSON would take it for a NUL: give it what it refuses */
        return 2;
    }
    if (is_high(unit) && end - p >= 12 && p[6] == '\\' && p[7] == 'u' && is_low(hex4(p + 8, end)))
        return 12;
    if (unit == 0 || is_high(unit) || is_low(unit))
        *ret_instead = "\\ufffd";
    return 6;
}

struct scan {
    char *out; /* up to three times the length: a bad byte becomes U+FFFD */
    size_t depth, nodes, deepest;
    bool in_string;
};

static void scan_mark(struct scan *s, char c)
{
    if (c == '"') {
        s->in_string = !s->in_string;
    } else if (!s->in_string) {
        if (c == '[' || c == '{') {
            s->depth++;
            s->nodes++;
        } else if (c == ']' || c == '}') {
            s->depth -= s->depth > 0;
        } else if (c == ',') {
            s->nodes++;
        }
        s->deepest = MAX(s->deepest, s->depth);
    }
}

/* Copies the document, repairing what cJSON handles badly; returns the length of the copy. A bad
   byte grows to three, hence the room. */
static size_t repair(struct scan *s, const char *text, size_t len)
{
    size_t out = 0;
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)text[at];
        if (c == '\\' && s->in_string) {
            const char *instead;
            size_t n = look_at_escape(text + at, text + len, &instead);
            memcpy(s->out + out, instead ? instead : text + at, n);
            out += n;
            at += n;
        } else if (c < 0x80) {
            scan_mark(s, (char)c);
            s->out[out++] = (char)(c == 0 ? ' ' : text[at]);
            at++;
        } else {
            int32_t cp = utf8_next(text, len, &at);
            out += utf8_put(s->out + out, cp);
        }
    }
    s->out[out] = '\0';
    return out;
}

bool json_parse(const char *text, size_t len, const struct json_limits *limits, cJSON **ret,
                struct err *e)
{
    size_t bytes = limits && limits->bytes ? limits->bytes : 8u << 20;
    size_t depth = limits && limits->depth ? limits->depth : 64;
    size_t nodes = limits && limits->nodes ? limits->nodes : 400000;
    if (len > bytes)
        return err_set(e, ERR_LIMIT, "error.bad_reply", "JSON of %zu bytes, %zu allowed", len,
                       bytes);
    size_t room = utf8_valid(text, len) ? len : 3 * len;
    AUTO(free_ptr) char *copy = malloc(room + 1);
    if (!copy)
        return err_set(e, ERR_RETRY, "error.bad_reply", "out of memory for JSON");
    struct scan s = {.out = copy};
    size_t n = repair(&s, text, len);
    if (s.deepest > depth || s.nodes > nodes)
        return err_set(e, ERR_LIMIT, "error.bad_reply", "JSON too deep (%zu) or too rich (%zu)",
                       s.deepest, s.nodes);
    cJSON *doc = cJSON_ParseWithLengthOpts(copy, n + 1, NULL, true);
    if (!doc)
        return err_set(e, ERR_INPUT, "error.bad_reply", "not JSON (%zu bytes)", len);
    *ret = doc;
    return true;
}

void json_free(cJSON **doc)
{
    cJSON_Delete(*doc);
    *doc = NULL;
}

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

const cJSON *json_object(const cJSON *object, const char *name)
{
    const cJSON *item = get(object, name);
    return cJSON_IsObject(item) ? item : NULL;
}

const cJSON *json_array(const cJSON *object, const char *name)
{
    const cJSON *item = get(object, name);
    return cJSON_IsArray(item) ? item : NULL;
}

const char *json_text(const cJSON *object, const char *name, const char *fallback)
{
    const cJSON *item = get(object, name);
    return cJSON_IsString(item) && item->valuestring ? item->valuestring : fallback;
}

bool json_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(get(object, name));
}

bool json_has(const cJSON *object, const char *name)
{
    const cJSON *item = get(object, name);
    return item && !cJSON_IsNull(item);
}

bool json_item_int(const cJSON *item, int64_t *ret)
{
    if (!cJSON_IsNumber(item))
        return false;
    double v = item->valuedouble;
    if (!isfinite(v) || v != floor(v) || fabs(v) > 9007199254740992.0)
        return false;
    *ret = (int64_t)v;
    return true;
}

bool json_int(const cJSON *object, const char *name, int64_t *ret)
{
    return json_item_int(get(object, name), ret);
}

int64_t json_int_or(const cJSON *object, const char *name, int64_t fallback)
{
    int64_t v = fallback;
    return json_int(object, name, &v) ? v : fallback;
}

bool json_real(const cJSON *object, const char *name, double *ret)
{
    const cJSON *item = get(object, name);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return false;
    *ret = item->valuedouble;
    return true;
}

void json_put_text(struct strbuf *out, const char *text)
{
    size_t len = strlen(text);
    strbuf_addc(out, '"');
    for (size_t at = 0; at < len;) {
        int32_t cp = utf8_next(text, len, &at);
        char bytes[4];
        if (cp == '"' || cp == '\\') {
            strbuf_addc(out, '\\');
            strbuf_addc(out, (char)cp);
        } else if (cp < 0x20 || cp == 0x7f) {
            strbuf_addf(out, "\\u%04x", (unsigned)cp);
        } else {
            strbuf_add(out, bytes, utf8_put(bytes, cp));
        }
    }
    strbuf_addc(out, '"');
}
