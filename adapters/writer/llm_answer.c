/* What a reply means. Status first, then code, then type, then (services differ) the words of the
   message. */
#include <string.h>
#include <strings.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

enum { WAIT_MAX_MS = 86400000, SHOWN_MAX = 120, CODE_SHOWN_MAX = 40 };

const char *llm_class_name(enum llm_class c)
{
    static const char *const names[] = {
        [LLM_OK] = "ok",
        [LLM_RETRY] = "retry",
        [LLM_RETRY_AFTER] = "retry_after",
        [LLM_ADAPT] = "adapt_once",
        [LLM_BLANK] = "blank",
        [LLM_CUT] = "cut",
        [LLM_FATAL_REQUEST] = "fatal_request",
        [LLM_FATAL_CONFIG] = "fatal_config",
        [LLM_FATAL_QUOTA] = "fatal_quota",
        [LLM_REFUSED] = "refused",
    };
    return names[c];
}

void llm_answer_free(struct llm_answer *a)
{
    free(TAKE(a->text));
}

/* --- the words of an error --- */

struct trouble {
    int status;
    char code[64], type[64], param[64], message[600];
};

static bool has(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool is_any(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcasecmp(text, *list) == 0)
            return true;
    return false;
}

static bool has_any(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (has(text, *list))
            return true;
    return false;
}

static void take_fields(struct trouble *t, const cJSON *error)
{
    int64_t number = 0;
    str_copy(t->code, sizeof(t->code), json_text(error, "code", ""));
    str_copy(t->type, sizeof(t->type), json_text(error, "type", ""));
    str_copy(t->param, sizeof(t->param), json_text(error, "param", ""));
    str_copy(t->message, sizeof(t->message),
             json_text(error, "message", json_text(error, "detail", "")));
    if (json_int(error, "code", &number)) { /* llama.cpp, OpenRouter: an HTTP status */
        snprintf(t->code, sizeof(t->code), "%lld", (long long)number);
        if (t->status < 400 && number >= 400 && number < 600)
            t->status = (int)number;
    }
}

static void one_line(char *text)
{
    utf8_clean(text);
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
}

/* {"error":{...}}, {"error":"text"}, or flat. */
static void trouble_read(struct trouble *t, const cJSON *doc)
{
    const cJSON *error = json_object(doc, "error");
    const char *text = json_text(doc, "error", NULL);
    if (text)
        str_copy(t->message, sizeof(t->message), text);
    else
        take_fields(t, error ? error : doc);
    one_line(t->message);
}

/* --- what each kind of error is --- */

static bool is_refusal(const struct trouble *t)
{
    static const char *const codes[] = {"content_policy_violation", "content_filter",
                                        "content_filter_error", "moderation_blocked", NULL};
    static const char *const words[] = {"content exists risk", "considered high risk",
                                        "usage policy",        "content management policy",
                                        "requires moderation", NULL};
    return is_any(t->code, codes) || is_any(t->type, codes) || has_any(t->message, words);
}

static bool is_quota(const struct trouble *t)
{
    static const char *const codes[] = {
        "insufficient_quota",         "credit_balance_exhausted", "exceeded_current_quota_error",
        "billing_hard_limit_reached", "insufficient_balance",     NULL};
    static const char *const words[] = {"insufficient balance", "credit balance",
                                        "insufficient credits", NULL};
    return t->status == 402 || is_any(t->code, codes) || is_any(t->type, codes) ||
           has_any(t->message, words);
}

static bool is_wrong_model(const struct trouble *t)
{
    static const char *const words[] = {"model not exist", "model does not exist",
                                        "not a valid model", "no such model", NULL};
    return strcasecmp(t->code, "model_not_found") == 0 || has_any(t->message, words);
}

static bool is_too_long(const struct trouble *t)
{
    static const char *const words[] = {"context length", "context size", "context window", NULL};
    return strcasecmp(t->code, "context_length_exceeded") == 0 || has_any(t->message, words);
}

static enum llm_field field_in(const char *text)
{
    static const struct {
        const char *word;
        enum llm_field field;
    } words[] = {
        {"response_format",       FIELD_FORMAT  },
        {"json_schema",           FIELD_FORMAT  },
        {"json_object",           FIELD_FORMAT  },
        {"json schema",           FIELD_FORMAT  },
        {"grammar",               FIELD_FORMAT  },
        {"max_completion_tokens", FIELD_MAX     },
        {"max_tokens",            FIELD_MAX     },
        {"reasoning_effort",      FIELD_EFFORT  },
        {"reasoning.effort",      FIELD_EFFORT  },
        {"thinking",              FIELD_THINKING},
        {"store",                 FIELD_STORE   },
        {"safety_identifier",     FIELD_PERSON  },
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (has(text, words[i].word))
            return words[i].field;
    return FIELD_NONE;
}

static enum llm_class classify_400(const struct trouble *t, struct llm_answer *a)
{
    if (is_too_long(t))
        return LLM_FATAL_REQUEST;
    if (is_wrong_model(t) || has(t->message, "api key"))
        return LLM_FATAL_CONFIG;
    a->field = field_in(t->param);
    if (a->field == FIELD_NONE)
        a->field = field_in(t->message);
    a->gone =
        strcasecmp(t->code, "unsupported_value") != 0 && !has(t->message, "unsupported value");
    return LLM_ADAPT;
}

/* "please try again after 1 seconds", "try again in 1.5s", "in 20ms" */
static int wait_in_text(const char *message)
{
    static const char *const marks[] = {"again after ", "again in "};
    for (size_t i = 0; i < COUNT(marks); i++) {
        const char *p = strcasestr(message, marks[i]);
        if (!p)
            continue;
        p += strlen(marks[i]);
        char *end;
        double n = strtod(p, &end);
        if (end == p || !(n >= 0 && n < 86400))
            continue;
        while (*end == ' ')
            end++;
        bool ms = end[0] == 'm' && end[1] == 's';
        bool minutes = *end == 'm' && !ms;
        return (int)MIN(n * (ms ? 1 : minutes ? 60000 : 1000) + 0.999, WAIT_MAX_MS);
    }
    return -1;
}

static enum llm_class classify_429(const struct trouble *t, struct llm_answer *a)
{
    if (has(t->type, "overloaded"))
        return LLM_RETRY;
    if (a->wait_ms < 0)
        a->wait_ms = wait_in_text(t->message);
    return LLM_RETRY_AFTER;
}

static enum llm_class classify(const struct trouble *t, struct llm_answer *a)
{
    int s = t->status;
    if (is_quota(t))
        return LLM_FATAL_QUOTA;
    if (is_refusal(t))
        return LLM_REFUSED;
    if (s == 429)
        return classify_429(t, a);
    if (s == 400 || s == 422)
        return classify_400(t, a);
    if (s == 408 || s == 409 || s == 425 || s >= 500)
        return a->wait_ms >= 0 ? LLM_RETRY_AFTER : LLM_RETRY;
    if (s == 413)
        return LLM_FATAL_REQUEST;
    if (s == 401 || s == 403 || s == 404 || s == 405 || (s >= 300 && s < 400))
        return LLM_FATAL_CONFIG;
    if (s < 400) /* an error inside a 200 that names no status */
        return is_wrong_model(t) || has(t->message, "api key") ? LLM_FATAL_CONFIG : LLM_RETRY;
    return LLM_FATAL_REQUEST;
}

static void read_trouble(struct llm_answer *a, int status, const cJSON *doc)
{
    struct trouble t = {.status = status};
    trouble_read(&t, doc);
    a->class = classify(&t, a);
    char shown[SHOWN_MAX], code[CODE_SHOWN_MAX];
    str_copy(shown, sizeof(shown), t.message);
    str_copy(code, sizeof(code), t.code[0] ? t.code : t.type);
    one_line(code);
    snprintf(a->why, sizeof(a->why), "%d %s: %s", t.status, code, shown);
}

/* --- a 200 --- */

static bool is_blank(const struct strbuf *b)
{
    const char *text = strbuf_text(b);
    return text[strspn(text, " \t\r\n")] == '\0';
}

static void say(struct llm_answer *a, enum llm_class class, const char *why)
{
    a->class = class;
    str_copy(a->why, sizeof(a->why), why);
}

/* Takes the text; content wins, the thoughts count only where nothing else is. */
static void take_text(struct llm_answer *a, struct llm_completion *c)
{
    struct strbuf *from = is_blank(&c->content) ? &c->reasoning : &c->content;
    a->text = strbuf_take(from);
    if (!a->text)
        say(a, LLM_RETRY, "answer over the limit");
}

static void judge(struct llm_answer *a, struct llm_completion *c)
{
    const char *finish = c->finish;
    bool content = !is_blank(&c->content);
    bool thoughts = strchr(strbuf_text(&c->reasoning), '{') != NULL;
    a->tokens_in = c->tokens_in;
    a->tokens_out = c->tokens_out;
    if (c->error)
        read_trouble(a, 200, c->error);
    else if (!c->choice)
        say(a, LLM_RETRY, "no choices");
    else if (!is_blank(&c->refusal) || strcmp(finish, "content_filter") == 0)
        say(a, LLM_REFUSED, "refused by the service");
    else if (strcmp(finish, "insufficient_system_resource") == 0 || strcmp(finish, "error") == 0)
        say(a, LLM_RETRY, finish);
    else if (strcmp(finish, "length") == 0)
        say(a, LLM_CUT, "stopped at the token limit");
    else if (!content && !thoughts)
        say(a, LLM_BLANK, "empty content");
    else
        say(a, LLM_OK, "");
    if (a->class == LLM_OK || a->class == LLM_CUT)
        take_text(a, c);
}

static void read_200(const struct net_reply *reply, struct llm_answer *a)
{
    struct llm_completion c = LLM_COMPLETION;
    AUTO(json_free) cJSON *doc = NULL;
    struct err ignored;
    const char *body = reply->body;
    if (llm_sse_read(body, reply->len, &c)) {
        if (c.choice && !c.error && !c.finish[0])
            say(a, LLM_RETRY, "the stream broke off");
        else
            judge(a, &c);
    } else if (json_parse(body, reply->len, NULL, &doc, &ignored) && cJSON_IsObject(doc)) {
        llm_completion_add(&c, &doc, false);
        judge(a, &c);
    } else {
        say(a, LLM_RETRY, body[strspn(body, " \t\r\n")] ? "200 that is not JSON" : "empty 200");
    }
    llm_completion_free(&c);
}

/* --- all --- */

/* The server's own word about trying again, where it does not contradict a clear refusal. */
static void obey_should_retry(const struct net_reply *reply, struct llm_answer *a)
{
    const char *told = net_reply_header(reply, "x-should-retry");
    bool retries = a->class == LLM_RETRY || a->class == LLM_RETRY_AFTER;
    if (strcmp(told, "false") == 0 && retries)
        a->last = true;
    else if (strcmp(told, "true") == 0 && a->class == LLM_FATAL_REQUEST)
        a->class = LLM_RETRY;
}

void llm_answer_read(const struct net_reply *reply, struct llm_answer *ret)
{
    *ret = (struct llm_answer){.wait_ms = reply->retry_after_ms, .tokens_in = -1, .tokens_out = -1};
    if (reply->outcome != NET_REPLY) {
        say(ret, reply->outcome == NET_FORBIDDEN ? LLM_FATAL_CONFIG : LLM_RETRY, "no reply");
        return;
    }
    if (reply->status >= 200 && reply->status < 300) {
        read_200(reply, ret);
    } else {
        AUTO(json_free) cJSON *doc = NULL;
        struct err ignored;
        json_parse(reply->body, reply->len, NULL, &doc, &ignored);
        read_trouble(ret, reply->status, doc);
    }
    obey_should_retry(reply, ret);
}
