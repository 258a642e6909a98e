#include "core/nano/work.h"

#include <assert.h>
#include <sodium.h>

#include "core/nano/work_engine.h"

static const struct {
    const char *name;
    work_search_fn *search;
} engines[] = {
    [NANO_WORK_PORTABLE] = {"portable", work_search_portable},
    [NANO_WORK_AVX2] = {"AVX2",     work_search_avx2    },
    [NANO_WORK_AVX512] = {"AVX-512",  work_search_avx512  },
};

static uint64_t read_word(const unsigned char *bytes)
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | bytes[i];
    return word;
}

uint64_t nano_work_value(const struct nano_hash *root, uint64_t work)
{
    unsigned char input[8 + NANO_BYTES];
    unsigned char digest[8];
    for (int i = 0; i < 8; i++)
        input[i] = (unsigned char)(work >> (8 * i));
    memcpy(input + 8, root->bytes, NANO_BYTES);
    crypto_generichash_blake2b(digest, sizeof(digest), input, sizeof(input), NULL, 0);
    return read_word(digest);
}

bool nano_work_valid(const struct nano_hash *root, uint64_t work, uint64_t threshold)
{
    return nano_work_value(root, work) >= threshold;
}

bool nano_work_parse(const char *hex, uint64_t *ret)
{
    unsigned char bytes[8];
    if (!nano_hex_parse(hex, bytes, sizeof(bytes)))
        return false;
    *ret = __builtin_bswap64(read_word(bytes));
    return true;
}

void nano_work_print(uint64_t work, char ret_hex[static NANO_WORK_HEX])
{
    snprintf(ret_hex, NANO_WORK_HEX, "%016llx", (unsigned long long)work);
}

double nano_work_tries(uint64_t threshold)
{
    return threshold == 0 ? 1 : 18446744073709551616.0 / (double)(0 - threshold);
}

const char *nano_work_engine_name(enum nano_work_engine engine)
{
    return engines[engine].name;
}

bool nano_work_engine_there(enum nano_work_engine engine)
{
#ifdef __x86_64__
    if (engine == NANO_WORK_AVX2)
        return __builtin_cpu_supports("avx2");
    if (engine == NANO_WORK_AVX512)
        return __builtin_cpu_supports("avx512f");
#endif
    return engine == NANO_WORK_PORTABLE;
}

enum nano_work_engine nano_work_engine_best(void)
{
    enum nano_work_engine best = NANO_WORK_PORTABLE;
    for (int i = NANO_WORK_AVX2; i < NANO_WORK_ENGINES; i++)
        if (nano_work_engine_there((enum nano_work_engine)i))
            best = (enum nano_work_engine)i;
    return best;
}

static uint64_t ror(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

/* One column of the first round; x and y are its message words. */
static void mix(uint64_t v[static 16], int column, uint64_t x, uint64_t y)
{
    uint64_t *a = v + column;
    uint64_t *b = a + 4;
    uint64_t *c = a + 8;
    uint64_t *d = a + 12;
    *a += *b + x;
    *d = ror(*d ^ *a, 32);
    *c += *d;
    *b = ror(*b ^ *c, 24);
    *a += *b + y;
    *d = ror(*d ^ *a, 16);
    *c += *d;
    *b = ror(*b ^ *c, 63);
}

static void start_from(struct work_start *s, const struct nano_hash *root)
{
    static const uint64_t iv[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                                   UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                                   UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                                   UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};
    enum { INPUT = 8 + NANO_BYTES, PARAMETERS = 0x01010008 }; /* no key, 8 bytes out */
    for (int i = 0; i < 8; i++)
        s->v[i] = s->v[i + 8] = iv[i];
    s->v[0] ^= PARAMETERS;
    s->out = s->v[0];
    s->v[12] ^= INPUT;
    s->v[14] = ~s->v[14]; /* the only block is the last one */
    s->m[0] = 0;
    const unsigned char *at = root->bytes;
    for (int i = 1; i < 5; i++, at += 8)
        s->m[i] = read_word(at);
    mix(s->v, 1, s->m[2], s->m[3]);
    mix(s->v, 2, s->m[4], 0);
    mix(s->v, 3, 0, 0);
}

bool nano_work_search(enum nano_work_engine engine, const struct nano_hash *root,
                      uint64_t threshold, uint64_t first, uint64_t count, uint64_t *ret)
{
    struct work_start s;
    uint64_t work;
    assert(count % 8 == 0);
    start_from(&s, root);
    if (!engines[engine].search(&s, threshold, first, count, &work))
        return false;
    /* An engine that computes wrong (an overclocked processor) finds nothing, rather than nonsense. */
    if (!nano_work_valid(root, work, threshold))
        return false;
    *ret = work;
    return true;
}
