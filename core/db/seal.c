#include "core/db/seal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"

enum { KEY_BYTES = 32, ADDR_TEXT_MAX = 512 };

static unsigned char keys[SEAL_PURPOSES][KEY_BYTES];
static bool have_key;

void seal_set_key(const unsigned char key[static 32])
{
    static const char *const names[SEAL_PURPOSES] = {
        [SEAL_TRIAL] = "nanotik trial",         [SEAL_LANE] = "nanotik lane",
        [SEAL_EVENT] = "nanotik event",         [SEAL_ADDRESS] = "nanotik address",
        [SEAL_NOTE] = "nanotik note",           [SEAL_PERSON] = "nanotik person",
        [SEAL_CHECK] = "nanotik check",         [SEAL_REF] = "nanotik ref",
        [SEAL_REF_NONCE] = "nanotik ref nonce",
    };
    for (int i = 0; i < SEAL_PURPOSES; i++) {
        if (names[i])
            hash_mac(key, names[i], keys[i]);
        else
            memcpy(keys[i], key, KEY_BYTES);
    }
    have_key = true;
}

void seal_mac(enum seal_purpose purpose, const char *text, char ret[static SEAL_MAC_TEXT])
{
    assert(have_key);
    unsigned char mac[MAC_BYTES];
    hash_mac(keys[purpose], text, mac);
    ret[0] = '\\';
    ret[1] = 'x';
    sodium_bin2hex(ret + 2, SEAL_MAC_TEXT - 2, mac, sizeof(mac));
}

void seal_lane(const char *network, const char *chat, char ret[static SEAL_MAC_TEXT])
{
    AUTO(free_ptr) char *text = str_printf("%s:%s", network, chat);
    seal_mac(SEAL_LANE, text, ret);
}

/* The texts in a row, each with its NUL, padded by nothing: they are short. */
char *seal_addr(const struct chat_addr *addr)
{
    assert(have_key);
    unsigned char plain[sizeof(*addr)];
    unsigned char box[crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + sizeof(plain)];
    size_t len = 0;
    const char *const parts[] = {addr->network, addr->chat, addr->thread, addr->reply, addr->group};
    size_t count = addr->group[0] ? COUNT(parts) : COUNT(parts) - 1; /* as before there was one */
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(parts[i]) + 1;
        memcpy(plain + len, parts[i], n);
        len += n;
    }
    random_bytes(box, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, plain, len, box, keys[SEAL_ADDRESS]);
    size_t total = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len;
    char *text = malloc(ADDR_TEXT_MAX);
    if (!text)
        abort();
    sodium_bin2base64(text, ADDR_TEXT_MAX, box, total, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return text;
}

/* The next NUL-ended text of the opened box. */
static bool next_part(const unsigned char **at, size_t *left, char *dest, size_t size)
{
    const unsigned char *end = memchr(*at, 0, *left);
    if (!end || !str_copy(dest, size, (const char *)*at))
        return false;
    size_t n = (size_t)(end - *at) + 1;
    *at += n;
    *left -= n;
    return true;
}

bool seal_open_addr(const char *text, struct chat_addr *ret)
{
    assert(have_key);
    *ret = (struct chat_addr){0};
    unsigned char box[ADDR_TEXT_MAX], plain[ADDR_TEXT_MAX];
    size_t len;
    const size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (!*text ||
        sodium_base642bin(box, sizeof(box), text, strlen(text), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len <= extra ||
        crypto_secretbox_open_easy(plain, box + crypto_secretbox_NONCEBYTES,
                                   len - crypto_secretbox_NONCEBYTES, box, keys[SEAL_ADDRESS]) != 0)
        return false;
    struct chat_addr addr = {0};
    const unsigned char *at = plain;
    size_t left = len - extra;
    if (!next_part(&at, &left, addr.network, sizeof(addr.network)) ||
        !next_part(&at, &left, addr.chat, sizeof(addr.chat)) ||
        !next_part(&at, &left, addr.thread, sizeof(addr.thread)) ||
        !next_part(&at, &left, addr.reply, sizeof(addr.reply)))
        return false;
    if (left > 0 && !next_part(&at, &left, addr.group, sizeof(addr.group)))
        return false;
    *ret = addr;
    return true;
}

enum {
    BOX_EXTRA = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES,
    BOX_MAX = SEAL_TEXT_MAX + BOX_EXTRA,
    LINES_MAX = 60000, /* bytes of all sealed lines together: a column's bound */
};

/* The nonce stands in box already. */
static char *close_box(unsigned char box[static BOX_MAX], const char *text, size_t len,
                       enum seal_purpose purpose)
{
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const unsigned char *)text, len, box,
                          keys[purpose]);
    size_t room =
        sodium_base64_ENCODED_LEN(len + BOX_EXTRA, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *sealed = malloc(room);
    if (!sealed)
        abort();
    sodium_bin2base64(sealed, room, box, len + BOX_EXTRA, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return sealed;
}

char *seal_text(const char *text)
{
    assert(have_key);
    unsigned char box[BOX_MAX];
    size_t len = strlen(text);
    if (len > SEAL_TEXT_MAX)
        return NULL;
    random_bytes(box, crypto_secretbox_NONCEBYTES);
    return close_box(box, text, len, SEAL_NOTE);
}

static bool open_box(const char *sealed, enum seal_purpose purpose, char *ret, size_t size)
{
    assert(have_key);
    unsigned char box[BOX_MAX], plain[BOX_MAX];
    size_t len;
    if (sodium_base642bin(box, sizeof(box), sealed, strlen(sealed), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len < BOX_EXTRA || len - BOX_EXTRA >= size ||
        crypto_secretbox_open_easy(plain, box + crypto_secretbox_NONCEBYTES,
                                   len - crypto_secretbox_NONCEBYTES, box, keys[purpose]) != 0)
        return false;
    memcpy(ret, plain, len - BOX_EXTRA);
    ret[len - BOX_EXTRA] = '\0';
    return true;
}

bool seal_open_text(const char *sealed, char *ret, size_t size)
{
    return open_box(sealed, SEAL_NOTE, ret, size);
}

/* The nonce follows from the text: it repeats only with the text. */
char *seal_ref(const char *ref)
{
    assert(have_key);
    unsigned char box[BOX_MAX], mac[MAC_BYTES];
    static_assert(MAC_BYTES >= crypto_secretbox_NONCEBYTES, "a nonce is a part of a hash");
    if (!*ref || strlen(ref) > SEAL_TEXT_MAX) /* no name is so long */
        return str_dup("");
    hash_mac(keys[SEAL_REF_NONCE], ref, mac);
    memcpy(box, mac, crypto_secretbox_NONCEBYTES);
    return close_box(box, ref, strlen(ref), SEAL_REF);
}

void seal_open_ref(const char *sealed, char *ret, size_t size)
{
    if (!*sealed || !open_box(sealed, SEAL_REF, ret, size))
        ret[0] = '\0';
}

/* Every line of `text` through `turn`, which may leave it out; joined again with \n. */
static char *each_line(const char *text, char *turn(const char *line))
{
    struct strbuf out = STRBUF(LINES_MAX);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        AUTO(free_ptr) char *line = str_printf("%.*s", (int)len, at);
        AUTO(free_ptr) char *turned = turn(line);
        if (turned)
            strbuf_addf(&out, "%s%s", out.len ? "\n" : "", turned);
        at += len + (at[len] == '\n');
    }
    char *done = strbuf_take(&out);
    return done ? done : str_dup("");
}

static char *open_line(const char *sealed)
{
    char text[SEAL_TEXT_MAX + 1];
    return seal_open_text(sealed, text, sizeof(text)) ? str_dup(text) : NULL;
}

char *seal_lines(const char *text)
{
    return each_line(text ? text : "", seal_text);
}

char *seal_open_lines(const char *sealed)
{
    char *text = each_line(sealed, open_line);
    if (!*text)
        free(TAKE(text));
    return text;
}

char *seal_long(const char *text)
{
    assert(have_key);
    size_t len = strlen(text);
    unsigned char *box = malloc(len + BOX_EXTRA);
    size_t room =
        sodium_base64_ENCODED_LEN(len + BOX_EXTRA, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *sealed = malloc(room);
    if (!box || !sealed)
        abort();
    random_bytes(box, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const unsigned char *)text, len, box,
                          keys[SEAL_NOTE]);
    sodium_bin2base64(sealed, room, box, len + BOX_EXTRA, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    free(box);
    return sealed;
}

char *seal_open_long(const char *sealed)
{
    assert(have_key);
    size_t room = strlen(sealed), len = 0;
    unsigned char *box = malloc(room + 1);
    char *text = malloc(room + 1);
    if (!box || !text)
        abort();
    bool ok =
        sodium_base642bin(box, room, sealed, room, NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
        len >= BOX_EXTRA &&
        crypto_secretbox_open_easy((unsigned char *)text, box + crypto_secretbox_NONCEBYTES,
                                   len - crypto_secretbox_NONCEBYTES, box, keys[SEAL_NOTE]) == 0;
    if (ok)
        text[len - BOX_EXTRA] = '\0';
    else
        free(TAKE(text));
    free(box);
    return text;
}
