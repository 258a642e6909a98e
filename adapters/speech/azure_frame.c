#include <strings.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/clock.h"
#include "core/base/hash.h"

#define AZURE_VERSION "1"

/* --- from the service --- */

static void copy_cased(char *to, size_t size, const char *from, size_t len, bool upper)
{
    to[0] = '\0';
    if (len >= size)
        return; /* none of ours is so long */
    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (upper && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (!upper && c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        to[i] = c;
    }
    to[len] = '\0';
}

static void take_header(struct azure_frame *f, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (!colon)
        return;
    size_t name_len = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t value_len = len - name_len - 1;
    while (value_len && (*value == ' ' || *value == '\t'))
        value++, value_len--;
    while (value_len && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    if (name_len == 4 && strncasecmp(line, "path", 4) == 0)
        copy_cased(f->path, sizeof(f->path), value, value_len, false);
    else if (name_len == 11 && strncasecmp(line, "x-requestid", 11) == 0)
        copy_cased(f->id, sizeof(f->id), value, value_len, true);
}

/* Header lines up to an empty line or the end; returns the bytes they took. */
static size_t take_headers(struct azure_frame *f, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t next = end ? (size_t)(end - bytes) + 1 : len;
        size_t line = (end ? next - 1 : next) - at;
        if (line && bytes[at + line - 1] == '\r')
            line--;
        if (line == 0)
            return next;
        take_header(f, bytes + at, line);
        at = next;
    }
    return at;
}

bool azure_frame_read(const char *bytes, size_t len, bool is_text, struct azure_frame *ret)
{
    *ret = (struct azure_frame){.body = bytes};
    if (is_text) {
        size_t head = take_headers(ret, bytes, len);
        ret->body = bytes + head;
        ret->len = len - head;
        return ret->path[0];
    }
    if (len < 2)
        return false;
    size_t head = (size_t)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
    if (head + 2 > len)
        return false;
    take_headers(ret, bytes + 2, head);
    ret->body = bytes + 2 + head;
    ret->len = len - 2 - head;
    return ret->path[0];
}

/* --- to the service --- */

void azure_id_make(char ret[static AZURE_ID])
{
    unsigned char bytes[16];
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(ret + 2 * i, 3, "%02X", bytes[i]);
}

static void put_head(struct strbuf *out, const char *path, const char *id, const char *type)
{
    char when[32];
    int64_t now = clock_wall_ms();
    clock_iso(now, when);
    when[strcspn(when, "Z")] = '\0';
    strbuf_addf(out,
                "Path: %s\r\nX-RequestId: %s\r\nX-Timestamp: %s.%03dZ\r\nContent-Type: %s\r\n\r\n",
                path, id, when, (int)(now % 1000), type);
}

void azure_frame_config(struct strbuf *out, const char *id)
{
    put_head(out, "speech.config", id, "application/json");
    strbuf_adds(out, "{\"context\":{\"system\":{\"name\":\"NanoTik\",\"version\":\"" AZURE_VERSION
                     "\",\"build\":\"C\",\"lang\":\"C\"},\"os\":{\"platform\":\"Linux\","
                     "\"name\":\"Linux\",\"version\":\"\"}}}");
}

void azure_frame_context(struct strbuf *out, const char *id)
{
    put_head(out, "synthesis.context", id, "application/json");
    strbuf_adds(out,
                "{\"synthesis\":{\"audio\":{\"metadataOptions\":{\"bookmarkEnabled\":false,"
                "\"punctuationBoundaryEnabled\":false,\"sentenceBoundaryEnabled\":false,"
                "\"sessionEndEnabled\":true,\"visemeEnabled\":false,\"wordBoundaryEnabled\":true},"
                "\"outputFormat\":\"raw-24khz-16bit-mono-pcm\"},"
                "\"language\":{\"autoDetection\":false}}}");
}

void azure_frame_ssml(struct strbuf *out, const char *id, const char *ssml)
{
    put_head(out, "ssml", id, "application/ssml+xml");
    strbuf_adds(out, ssml);
}
