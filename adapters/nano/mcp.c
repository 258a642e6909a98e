#include "adapters/nano/mcp.h"

#include "core/base/strbuf.h"
#include "core/net/json.h"

enum { TOTAL_MS = 8000, REPLY_MAX = 256 << 10, CODE_MAX = 64 };

/* Letters, digits and a few signs of a text from there, for the log. */
static void clean(const char *from, char ret[static CODE_MAX])
{
    size_t n = 0;
    for (; *from && n + 1 < CODE_MAX; from++)
        if (*from >= ' ' && *from <= '~')
            ret[n++] = *from;
    ret[n] = '\0';
}

static bool refused(struct err *e, const char *shape, const char *text)
{
    char said[CODE_MAX];
    clean(text, said);
    return err_set(e, ERR_RETRY, "pay.node_down", "nano mcp: %s: %s", shape, said);
}

/* success:false, bare or inside the result. A false "success" is never an answer. */
static bool read_success(const cJSON *object, const char *shape, struct err *e)
{
    const cJSON *success =
        cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, "success") : NULL;
    if (!success || cJSON_IsTrue(success))
        return true;
    return refused(e, shape, json_text(object, "errorCode", json_text(object, "error", "?")));
}

bool nano_mcp_read(const char *text, size_t len, struct raw *ret, struct err *e)
{
    static const struct json_limits limits = {REPLY_MAX, 12, 4096};
    AUTO(json_free) cJSON *doc = NULL;
    if (!json_parse(text, len, &limits, &doc, e))
        return false;
    if (json_has(doc, "error"))
        return refused(e, "error",
                       json_text(json_object(doc, "error"), "message",
                                 json_text(doc, "errorCode", json_text(doc, "error", "?"))));
    const cJSON *result = json_object(doc, "result");
    if (!read_success(doc, "refused", e) || !read_success(result, "failed", e))
        return false;
    if (json_has(result, "error"))
        return refused(e, "the node says", json_text(result, "error", "?"));
    if (strcmp(json_text(doc, "jsonrpc", ""), "2.0") != 0 ||
        !raw_parse(json_text(result, "balance", NULL), ret))
        return err_set(e, ERR_INPUT, "error.bad_reply", "nano mcp: no balance in the answer");
    return true;
}

bool nano_mcp_balance(struct net_engine *net, const char *url, const struct nano_account *account,
                      struct raw *ret, const struct cancel *cancel, struct err *e)
{
    static const char *const headers[] = {"Content-Type: application/json"};
    char address[NANO_ADDRESS];
    nano_account_print(account, address);
    AUTO(free_ptr)
    char *body =
        str_printf("{\"jsonrpc\":\"2.0\",\"method\":\"getBalance\",\"params\":{\"address\":"
                   "\"%s\"},\"id\":1}",
                   address);
    AUTO(net_reply_free) struct net_reply reply = {0};
    struct net_request r = {.log_name = "nano mcp",
                            .url = url,
                            .headers = headers,
                            .header_count = COUNT(headers),
                            .body = body,
                            .body_len = strlen(body),
                            .reply_max = REPLY_MAX,
                            .total_ms = TOTAL_MS,
                            .cancel = cancel};
    if (!net_call(net, &r, &reply, e))
        return e->code != ERR_CANCELLED &&
               err_set(e, ERR_RETRY, "pay.node_down", "nano mcp: no answer");
    if (reply.status != 200)
        return err_set(e, ERR_RETRY, "pay.node_down", "nano mcp: HTTP status %d", reply.status);
    struct err why = {0};
    if (nano_mcp_read(reply.body, reply.len, ret, &why))
        return true;
    return err_set(e, ERR_RETRY, "pay.node_down", "%s", why.detail);
}
