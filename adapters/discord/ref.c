#include "adapters/discord/ref.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"

enum { MAC_TEXT = 16 }; /* hex digits of a signature */

bool dc_id_ok(const char *text)
{
    size_t len = strspn(text, "0123456789");
    return len > 0 && len < DC_ID_MAX && text[len] == '\0';
}

void dc_ref_put(char ret[static CHAT_REF_MAX], const char *message, const char *channel,
                bool ephemeral)
{
    snprintf(ret, CHAT_REF_MAX, "%s:%s:%c", message, channel, ephemeral ? 'e' : 'p');
}

bool dc_ref_get(const char *ref, char ret_message[static DC_ID_MAX],
                char ret_channel[static DC_ID_MAX], bool *ret_ephemeral)
{
    const char *first = strchr(ref, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;
    if (!second || first - ref >= DC_ID_MAX || second - first - 1 >= DC_ID_MAX)
        return false;
    memcpy(ret_message, ref, (size_t)(first - ref));
    ret_message[first - ref] = '\0';
    memcpy(ret_channel, first + 1, (size_t)(second - first - 1));
    ret_channel[second - first - 1] = '\0';
    *ret_ephemeral = second[1] == 'e';
    return dc_id_ok(ret_message) && dc_id_ok(ret_channel) && second[1] && second[2] == '\0';
}

static void signature(const unsigned char key[static 32], const char *text, size_t len,
                      char ret[static MAC_TEXT + 1])
{
    char copy[DC_CUSTOM_MAX + 1];
    unsigned char mac[MAC_BYTES];
    memcpy(copy, text, len);
    copy[len] = '\0';
    hash_mac(key, copy, mac);
    for (int i = 0; i < MAC_TEXT / 2; i++)
        snprintf(ret + (size_t)i * 2, 3, "%02x", mac[i]);
}

void dc_sign(const unsigned char key[static 32], const char *action, int nth,
             char ret[static DC_CUSTOM_MAX + 1])
{
    char mac[MAC_TEXT + 1];
    snprintf(ret, DC_CUSTOM_MAX + 1, "%.*s|%d|", CHAT_ACTION_MAX, action, nth % 100);
    signature(key, ret, strlen(ret), mac);
    size_t len = strlen(ret);
    snprintf(ret + len, DC_CUSTOM_MAX + 1 - len, "%s", mac);
}

bool dc_unsign(const unsigned char key[static 32], const char *custom_id,
               char ret_action[static CHAT_ACTION_MAX + 1])
{
    char mac[MAC_TEXT + 1];
    const char *last = strrchr(custom_id, '|');
    size_t len = strlen(custom_id);
    if (!last || len > DC_CUSTOM_MAX || strlen(last + 1) != MAC_TEXT)
        return false;
    signature(key, custom_id, (size_t)(last + 1 - custom_id), mac);
    unsigned char differ = 0;
    for (int i = 0; i < MAC_TEXT; i++)
        differ |= (unsigned char)(mac[i] ^ last[1 + i]);
    const char *end = last;
    while (end > custom_id && *--end != '|')
        continue;
    if (differ != 0 || *end != '|' || end - custom_id > CHAT_ACTION_MAX)
        return false;
    memcpy(ret_action, custom_id, (size_t)(end - custom_id));
    ret_action[end - custom_id] = '\0';
    return true;
}
