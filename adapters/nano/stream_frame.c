/* Frames of the confirmation stream: what to say, and what came. */
#include "adapters/nano/nano_parts.h"

/* The block, when it came along, else the few fields beside it. Nothing of it is believed. */
static bool read_message(const cJSON *message, struct nano_hint *ret)
{
    const cJSON *block = json_object(message, "block");
    struct nano_hash link;
    if (!nano_hash_parse(json_text(message, "hash", NULL), &ret->hash))
        return false;
    ret->has_account = nano_account_parse(json_text(message, "account", NULL), &ret->account);
    ret->has_link = nano_account_parse(json_text(block, "link_as_account", NULL), &ret->link);
    if (!ret->has_link && nano_hash_parse(json_text(block, "link", NULL), &link)) {
        ret->link = nano_account_of(&link);
        ret->has_link = true;
    }
    return ret->has_account || ret->has_link;
}

enum nano_frame nano_read_frame(const char *text, size_t len, struct nano_hint *ret)
{
    static const struct json_limits limits = {1 << 20, 8, 4096};
    struct err ignored = {0};
    AUTO(json_free) cJSON *doc = NULL;
    *ret = (struct nano_hint){0};
    if (!json_parse(text, len, &limits, &doc, &ignored) || !cJSON_IsObject(doc))
        return NANO_FRAME_OTHER;
    const char *ack = json_text(doc, "ack", "");
    if (strcmp(ack, "pong") == 0)
        return NANO_FRAME_PONG;
    if (ack[0]) {
        str_copy(ret->ack_id, sizeof(ret->ack_id), json_text(doc, "id", ""));
        return NANO_FRAME_ACK;
    }
    if (strcmp(json_text(doc, "topic", ""), "confirmation") == 0 &&
        read_message(json_object(doc, "message"), ret))
        return NANO_FRAME_BLOCK;
    return NANO_FRAME_OTHER;
}
