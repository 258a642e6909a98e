#include "core/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <unistd.h>

#include "core/base/clock.h"

_Static_assert(sizeof(struct hash) >= sizeof(crypto_generichash_state), "room for the state");
_Static_assert(_Alignof(struct hash) >= _Alignof(crypto_generichash_state), "its alignment");
_Static_assert(MAC_BYTES == crypto_auth_hmacsha256_BYTES, "HMAC-SHA-256");

static crypto_generichash_state *state(struct hash *h)
{
    return (crypto_generichash_state *)(void *)h->state;
}

void hash_setup(void)
{
    if (sodium_init() < 0)
        abort();
}

static void feed(struct hash *h, const void *bytes, size_t len)
{
    if (len > 0)
        crypto_generichash_update(state(h), bytes, len);
}

/* Eight bytes, lowest first, on every machine. */
static void feed_number(struct hash *h, uint64_t n)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(n >> (8 * i));
    feed(h, b, sizeof(b));
}

static void feed_name(struct hash *h, char kind, const char *name)
{
    feed(h, &kind, 1);
    feed_number(h, strlen(name));
    feed(h, name, strlen(name));
}

void hash_begin(struct hash *h, const char *purpose)
{
    memset(h, 0, sizeof(*h));
    crypto_generichash_init(state(h), NULL, 0, HASH_BYTES);
    feed_name(h, 'p', purpose);
}

void hash_text(struct hash *h, const char *name, const char *text)
{
    feed_name(h, text ? 't' : '-', name);
    if (!text)
        return;
    feed_number(h, strlen(text));
    feed(h, text, strlen(text));
}

void hash_int(struct hash *h, const char *name, int64_t value)
{
    feed_name(h, 'i', name);
    feed_number(h, (uint64_t)value);
}

void hash_bytes(struct hash *h, const char *name, const void *bytes, size_t len)
{
    feed_name(h, 'b', name);
    feed_number(h, len);
    feed(h, bytes, len);
}

void hash_end(struct hash *h, char ret_hex[static HASH_HEX])
{
    unsigned char digest[HASH_BYTES];
    crypto_generichash_final(state(h), digest, sizeof(digest));
    sodium_bin2hex(ret_hex, HASH_HEX, digest, sizeof(digest));
}

void hash_mac(const unsigned char key[static 32], const char *text,
              unsigned char ret_mac[static MAC_BYTES])
{
    crypto_auth_hmacsha256(ret_mac, (const unsigned char *)text, strlen(text), key);
}

void random_bytes(void *bytes, size_t len)
{
    randombytes_buf(bytes, len);
}

/*
 * Ids of one process rise strictly, also within a millisecond and when the clock steps back: the 12
 * bits after the version are a counter (RFC 9562 section 6.2, method 1) that starts low at random.
 */
static void uuid_tick(uint64_t *ret_ms, unsigned *ret_counter)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last_ms;
    static unsigned counter;
    uint64_t now = (uint64_t)clock_wall_ms();
    pthread_mutex_lock(&lock);
    if (now > last_ms) {
        last_ms = now;
        counter = randombytes_uniform(0x400);
    } else if (++counter > 0xFFF) {
        last_ms++;
        counter = randombytes_uniform(0x400);
    }
    *ret_ms = last_ms;
    *ret_counter = counter;
    pthread_mutex_unlock(&lock);
}

void uuid_make(char ret_text[static UUID_TEXT])
{
    uint64_t ms;
    unsigned counter;
    uuid_tick(&ms, &counter);
    unsigned char b[16];
    random_bytes(b, sizeof(b));
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (8 * (5 - i)));
    b[6] = (unsigned char)(0x70 | counter >> 8);
    b[7] = (unsigned char)counter;
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3F));
    char hex[33];
    sodium_bin2hex(hex, sizeof(hex), b, sizeof(b));
    snprintf(ret_text, UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

bool uuid_valid(const char *text)
{
    for (int i = 0; i < UUID_TEXT - 1; i++) {
        char c = text[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text[UUID_TEXT - 1] == '\0';
}
