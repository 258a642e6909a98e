#include "core/nano/account.h"

#include <sodium.h>

#include "core/base/strbuf.h"
#include "core/money/raw.h"

enum { KEY_CHARS = 52, CHECK_CHARS = 8, CHECK_BYTES = 5 };

static const char alphabet[33] = "13456789abcdefghijkmnopqrstuwxyz";

/* The checksum as it is written: the digest's bytes from the last to the first. */
static void checksum(const struct nano_account *a, unsigned char ret[static CHECK_BYTES])
{
    unsigned char digest[CHECK_BYTES];
    crypto_generichash_blake2b(digest, sizeof(digest), a->key, sizeof(a->key), NULL, 0);
    for (int i = 0; i < CHECK_BYTES; i++)
        ret[i] = digest[CHECK_BYTES - 1 - i];
}

/* Groups of five bits, highest first; `bits` starts with as many zero bits as are missing. */
static void put_chars(const unsigned char *bytes, size_t len, size_t chars, char *out)
{
    unsigned bits = 0;
    size_t have = chars * 5 - len * 8;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 5; have -= 5)
            *out++ = alphabet[bits >> (have - 5) & 31];
    }
}

static bool take_chars(const char *text, size_t chars, unsigned char *out, size_t len)
{
    unsigned bits = 0;
    size_t skip = chars * 5 - len * 8;
    size_t have = 0;
    size_t done = 0;
    for (size_t i = 0; i < chars; i++) {
        const char *at = text[i] ? memchr(alphabet, text[i], 32) : NULL;
        if (!at)
            return false;
        bits = bits << 5 | (unsigned)(at - alphabet);
        have += 5;
        if (i == 0) {
            if (bits >> (5 - skip) != 0) /* the bits in front of the key are zero */
                return false;
            have -= skip;
        }
        if (have >= 8) {
            have -= 8;
            out[done++] = (unsigned char)(bits >> have);
        }
    }
    return done == len;
}

bool nano_account_parse(const char *address, struct nano_account *ret)
{
    if (!address)
        return false;
    const char *text = address;
    if (str_starts(address, "nano_"))
        text += 5;
    else if (str_starts(address, "xrb_"))
        text += 4;
    else
        return false;
    struct nano_account a;
    unsigned char said[CHECK_BYTES];
    unsigned char want[CHECK_BYTES];
    if (strlen(text) != KEY_CHARS + CHECK_CHARS ||
        !take_chars(text, KEY_CHARS, a.key, sizeof(a.key)) ||
        !take_chars(text + KEY_CHARS, CHECK_CHARS, said, sizeof(said)))
        return false;
    checksum(&a, want);
    if (memcmp(said, want, sizeof(want)) != 0)
        return false;
    *ret = a;
    return true;
}

void nano_account_print(const struct nano_account *a, char ret_address[static NANO_ADDRESS])
{
    unsigned char check[CHECK_BYTES];
    checksum(a, check);
    memcpy(ret_address, "nano_", 5);
    put_chars(a->key, sizeof(a->key), KEY_CHARS, ret_address + 5);
    put_chars(check, sizeof(check), CHECK_CHARS, ret_address + 5 + KEY_CHARS);
    ret_address[NANO_ADDRESS - 1] = '\0';
}

bool nano_account_equal(const struct nano_account *a, const struct nano_account *b)
{
    return memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

bool nano_account_is_burn(const struct nano_account *a)
{
    return sodium_is_zero(a->key, sizeof(a->key)) == 1;
}

struct nano_account nano_account_of(const struct nano_hash *link)
{
    struct nano_account a;
    memcpy(a.key, link->bytes, sizeof(a.key));
    return a;
}

struct nano_hash nano_hash_of(const struct nano_account *a)
{
    struct nano_hash h;
    memcpy(h.bytes, a->key, sizeof(h.bytes));
    return h;
}

bool nano_hex_parse(const char *hex, unsigned char *ret_bytes, size_t len)
{
    if (!hex || strlen(hex) != 2 * len)
        return false;
    return sodium_hex2bin(ret_bytes, len, hex, 2 * len, NULL, NULL, NULL) == 0;
}

void nano_hex_print(const unsigned char *bytes, size_t len, char *ret_hex)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        *ret_hex++ = digits[bytes[i] >> 4];
        *ret_hex++ = digits[bytes[i] & 15];
    }
    *ret_hex = '\0';
}

bool nano_hash_parse(const char *hex, struct nano_hash *ret)
{
    struct nano_hash h;
    if (!nano_hex_parse(hex, h.bytes, sizeof(h.bytes)))
        return false;
    *ret = h;
    return true;
}

void nano_hash_print(const struct nano_hash *h, char ret_hex[static NANO_HEX])
{
    nano_hex_print(h->bytes, sizeof(h->bytes), ret_hex);
}

bool nano_hash_equal(const struct nano_hash *a, const struct nano_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool nano_hash_is_zero(const struct nano_hash *h)
{
    return sodium_is_zero(h->bytes, sizeof(h->bytes)) == 1;
}

void nano_uri(const struct nano_account *a, const struct raw *amount, char ret_uri[static NANO_URI])
{
    char address[NANO_ADDRESS];
    char text[RAW_TEXT];
    nano_account_print(a, address);
    raw_print(*amount, text);
    if (raw_is_zero(*amount))
        snprintf(ret_uri, NANO_URI, "nano:%s", address);
    else
        snprintf(ret_uri, NANO_URI, "nano:%s?amount=%s", address, text);
}
