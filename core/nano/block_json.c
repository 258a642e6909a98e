#include "core/nano/block.h"

#include "core/nano/work.h"
#include "core/net/json.h"

static bool field_wrong(struct err *e, const char *name)
{
    return err_set(e, ERR_INPUT, "error.bad_reply", "block: field %s is missing or wrong", name);
}

static bool take_account(const cJSON *json, const char *name, struct nano_account *ret,
                         struct err *e)
{
    return nano_account_parse(json_text(json, name, NULL), ret) || field_wrong(e, name);
}

static bool take_hash(const cJSON *json, const char *name, struct nano_hash *ret, struct err *e)
{
    return nano_hash_parse(json_text(json, name, NULL), ret) || field_wrong(e, name);
}

/* The same key in another form; a reply in which they differ lies. */
static bool check_link(const cJSON *json, const struct nano_hash *link, struct err *e)
{
    struct nano_account said;
    if (!json_has(json, "link_as_account"))
        return true;
    if (!nano_account_parse(json_text(json, "link_as_account", NULL), &said) ||
        memcmp(said.key, link->bytes, NANO_BYTES) != 0)
        return field_wrong(e, "link_as_account");
    return true;
}

bool nano_block_from_json(const cJSON *json, struct nano_block *ret, struct err *e)
{
    struct nano_block b = {0};
    if (strcmp(json_text(json, "type", ""), "state") != 0)
        return field_wrong(e, "type");
    if (!take_account(json, "account", &b.account, e) ||
        !take_hash(json, "previous", &b.previous, e) ||
        !take_account(json, "representative", &b.representative, e) ||
        !take_hash(json, "link", &b.link, e) || !check_link(json, &b.link, e))
        return false;
    if (!raw_parse(json_text(json, "balance", NULL), &b.balance))
        return field_wrong(e, "balance");
    if (!nano_signature_parse(json_text(json, "signature", NULL), &b.signature))
        return field_wrong(e, "signature");
    if (json_has(json, "work") && !nano_work_parse(json_text(json, "work", NULL), &b.work))
        return field_wrong(e, "work");
    *ret = b;
    return true;
}

static void put_account(struct strbuf *out, const char *name, const struct nano_account *a)
{
    char text[NANO_ADDRESS];
    nano_account_print(a, text);
    strbuf_addf(out, ",\"%s\":\"%s\"", name, text);
}

static void put_hash(struct strbuf *out, const char *name, const struct nano_hash *h)
{
    char text[NANO_HEX];
    nano_hash_print(h, text);
    strbuf_addf(out, ",\"%s\":\"%s\"", name, text);
}

void nano_block_put_json(const struct nano_block *b, struct strbuf *out)
{
    char balance[RAW_TEXT];
    char signature[NANO_SIGNATURE_HEX];
    char work[NANO_WORK_HEX];
    raw_print(b->balance, balance);
    nano_signature_print(&b->signature, signature);
    nano_work_print(b->work, work);
    strbuf_adds(out, "{\"type\":\"state\"");
    put_account(out, "account", &b->account);
    put_hash(out, "previous", &b->previous);
    put_account(out, "representative", &b->representative);
    strbuf_addf(out, ",\"balance\":\"%s\"", balance);
    put_hash(out, "link", &b->link);
    strbuf_addf(out, ",\"signature\":\"%s\",\"work\":\"%s\"}", signature, work);
}
