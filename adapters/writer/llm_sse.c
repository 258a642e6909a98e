/* Chat completions, whole or as an event stream: both become one struct llm_completion. */
#include <string.h>

#include "adapters/writer/llm_internal.h"
#include "core/net/json.h"

enum { EVENTS_MAX = 200000 };

void llm_completion_free(struct llm_completion *c)
{
    strbuf_free(&c->content);
    strbuf_free(&c->reasoning);
    strbuf_free(&c->refusal);
    json_free(&c->error);
}

/* A text, or (some services) a list of parts with texts. */
static void add_content(struct strbuf *out, const cJSON *message, const char *name)
{
    const cJSON *part;
    strbuf_adds(out, json_text(message, name, ""));
    cJSON_ArrayForEach(part, json_array(message, name))
    {
        strbuf_adds(out, json_text(part, "text", ""));
    }
}

static void add_usage(struct llm_completion *c, const cJSON *doc)
{
    const cJSON *usage = json_object(doc, "usage");
    c->tokens_in = json_int_or(usage, "prompt_tokens", c->tokens_in);
    c->tokens_out = json_int_or(usage, "completion_tokens", c->tokens_out);
}

static bool has_error(const cJSON *doc)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(doc, "error");
    return (error && !cJSON_IsNull(error) && !cJSON_IsFalse(error)) ||
           strcmp(json_text(doc, "object", ""), "error") == 0;
}

void llm_completion_add(struct llm_completion *c, cJSON **doc, bool part)
{
    if (!cJSON_IsObject(*doc))
        return;
    add_usage(c, *doc);
    const cJSON *choice = cJSON_GetArrayItem(json_array(*doc, "choices"), 0);
    if (has_error(*doc) || has_error(choice)) {
        json_free(&c->error);
        c->error = has_error(*doc) ? TAKE(*doc) : cJSON_Duplicate(choice, true);
        return;
    }
    if (!cJSON_IsObject(choice))
        return;
    const cJSON *message = json_object(choice, part ? "delta" : "message");
    c->choice = true;
    add_content(&c->content, message, "content");
    add_content(&c->refusal, message, "refusal");
    add_content(&c->reasoning, message, "reasoning_content");
    add_content(&c->reasoning, message, "reasoning");
    const char *finish = json_text(choice, "finish_reason", "");
    if (*finish)
        str_copy(c->finish, sizeof(c->finish), finish);
}

/* One "data:" line, without its name. */
static void add_data(struct llm_completion *c, const char *data, size_t len)
{
    AUTO(json_free) cJSON *doc = NULL;
    struct err ignored;
    if (len > 0 && data[0] == ' ') {
        data++;
        len--;
    }
    if (len == 6 && memcmp(data, "[DONE]", 6) == 0)
        return;
    if (json_parse(data, len, NULL, &doc, &ignored))
        llm_completion_add(c, &doc, true);
}

static bool line_is(const char *line, size_t len, const char *start)
{
    size_t n = strlen(start);
    return len >= n && memcmp(line, start, n) == 0;
}

/* The first line that is not blank tells a stream from a document or a page. */
static bool looks_like_stream(const char *body, size_t len)
{
    size_t at = 0;
    while (at < len && memchr(" \t\r\n", body[at], 4))
        at++;
    static const char *const starts[] = {"data:", ":", "event:", "id:", "retry:"};
    for (size_t i = 0; i < COUNT(starts); i++)
        if (line_is(body + at, len - at, starts[i]))
            return true;
    return false;
}

/* The body is whole, so that no character and no line is torn. Events of several data lines do not
   occur in this protocol; lines end with LF, CRLF or CR. */
bool llm_sse_read(const char *body, size_t len, struct llm_completion *c)
{
    if (!looks_like_stream(body, len))
        return false;
    int events = 0;
    for (size_t at = 0; at < len && events < EVENTS_MAX;) {
        size_t end = at;
        while (end < len && body[end] != '\n' && body[end] != '\r')
            end++;
        if (line_is(body + at, end - at, "data:")) {
            add_data(c, body + at + 5, end - at - 5);
            events++;
        }
        at = end + 1;
    }
    return true;
}
