/*
 * Numbers in Chinese. The library reads whole numbers, but drops the point of 3.14, is silent for
 * full-width digits, says "percent" in English, and reads a year as a quantity.
 */
#include "adapters/speech/espeak_parts.h"
#include "core/base/utf8.h"

enum { DIGITS_MAX = 12 }; /* longer runs are codes: digit by digit */

static const int32_t numerals[] = {0x96F6, 0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94,
                                   0x516D, 0x4E03, 0x516B, 0x4E5D}; /* 零一二三四五六七八九 */

struct number {
    char whole[64];
    size_t whole_len;
    char part[64]; /* after the point */
    size_t part_len;
    bool percent;
};

/* The ASCII digit that cp is, or 0. */
static char digit_of(int32_t cp)
{
    static const char digits[] = "0123456789";
    if (cp >= '0' && cp <= '9')
        return digits[cp - '0'];
    if (cp >= 0xFF10 && cp <= 0xFF19) /* full-width */
        return digits[cp - 0xFF10];
    return 0;
}

/* Digits from *at on, at most 60; moves *at past them. */
static size_t read_digits(const char *text, size_t len, size_t *at, char ret_digits[static 64])
{
    size_t n = 0;
    for (size_t next = *at; n < 60; *at = next) {
        char d = digit_of(utf8_next(text, len, &next));
        if (!d)
            break;
        ret_digits[n++] = d;
    }
    return n;
}

/* ",250" follows: exactly three digits. */
static bool group_follows(const char *text, size_t len, size_t at)
{
    char digits[64];
    if (at >= len || text[at] != ',')
        return false;
    at++;
    return read_digits(text, len, &at, digits) == 3;
}

/* Returns the bytes it took. */
static size_t number_read(const char *text, size_t len, size_t from, struct number *ret)
{
    size_t at = from;
    *ret = (struct number){0};
    ret->whole_len = read_digits(text, len, &at, ret->whole);
    if (ret->whole_len == 0)
        return 0;
    bool grouped = ret->whole_len <= 3;
    while (grouped && ret->whole_len <= DIGITS_MAX && group_follows(text, len, at)) {
        at++;
        char digits[64];
        size_t n = read_digits(text, len, &at, digits);
        memcpy(ret->whole + ret->whole_len, digits, n);
        ret->whole_len += n;
    }
    if (at < len && text[at] == '.') {
        size_t after = at + 1;
        ret->part_len = read_digits(text, len, &after, ret->part);
        if (ret->part_len)
            at = after;
    }
    size_t after = at;
    int32_t cp = utf8_next(text, len, &after);
    if (cp == '%' || cp == 0xFF05) {
        ret->percent = true;
        at = after;
    }
    return at - from;
}

static void put_each(struct spoken *s, const char *digits, size_t n, size_t origin)
{
    for (size_t i = 0; i < n; i++)
        spoken_put(s, numerals[digits[i] - '0'], origin);
}

/* Up to four digits as a quantity: 一千二百五. started: something was said before them, so that
   leading zeros are heard (10,050: 一万零五十). */
static void put_group(struct spoken *s, const char *digits, size_t n, bool started, size_t origin)
{
    static const int32_t powers[] = {0, 0x5341, 0x767E, 0x5343}; /* 十百千 */
    bool zero = false;
    for (size_t i = 0; i < n; i++) {
        size_t power = n - 1 - i;
        if (digits[i] == '0') {
            zero = true;
            continue;
        }
        if (zero && started)
            spoken_put(s, numerals[0], origin);
        zero = false;
        if (digits[i] != '1' || power != 1 || started) /* 十二, not 一十二 */
            spoken_put(s, numerals[digits[i] - '0'], origin);
        if (power)
            spoken_put(s, powers[power], origin);
        started = true;
    }
}

static bool all_zero(const char *digits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (digits[i] != '0')
            return false;
    return true;
}

static void put_quantity(struct spoken *s, const char *digits, size_t n, size_t origin)
{
    static const int32_t units[] = {0, 0x4E07, 0x4EBF}; /* 万亿 */
    bool started = false;
    if (all_zero(digits, n))
        spoken_put(s, numerals[0], origin);
    while (n > 0) {
        size_t group = (n - 1) / 4, head = n - 4 * group;
        if (!all_zero(digits, head)) {
            put_group(s, digits, head, started, origin);
            if (group)
                spoken_put(s, units[group], origin);
            started = true;
        }
        digits += head;
        n -= head;
    }
}

/* A thing that is counted with 两 follows. */
static bool counter_follows(int32_t cp)
{
    static const char counters[] =
        "个個只隻条條位次天种種人倍块塊张張本辆輛座颗顆匹杯周小岁歲米公家件句年名头頭";
    char text[8];
    size_t n = cp > 0x7F ? utf8_put(text, cp) : 0;
    return n && memmem(counters, sizeof(counters) - 1, text, n) != NULL;
}

size_t spoken_put_chinese_number(struct spoken *s, const char *text, size_t len, size_t at)
{
    struct number n;
    size_t bytes = number_read(text, len, at, &n);
    if (bytes == 0)
        return 0;
    size_t after = at + bytes;
    int32_t next = utf8_next(text, len, &after);
    bool year = n.whole_len == 4 && !n.part_len && !n.percent && next == 0x5E74; /* 年 */
    bool code = n.whole_len > DIGITS_MAX || (n.whole_len > 1 && n.whole[0] == '0');
    bool pair = n.whole_len == 1 && n.whole[0] == '2' && !n.part_len && counter_follows(next);
    if (n.percent)
        for (const int32_t *cp = (const int32_t[]){0x767E, 0x5206, 0x4E4B, 0}; *cp; cp++)
            spoken_put(s, *cp, at); /* 百分之 */
    if (pair)
        spoken_put(s, 0x4E24, at); /* 两 */
    else if (year || code)
        put_each(s, n.whole, n.whole_len, at);
    else
        put_quantity(s, n.whole, n.whole_len, at);
    if (n.part_len) {
        spoken_put(s, 0x70B9, at); /* 点 */
        put_each(s, n.part, n.part_len, at);
    }
    return bytes;
}
