#include "core/money/raw.h"

/* 39 digits can pass 2^128 - 1. */
static bool push_digit(unsigned __int128 *value, char c)
{
    unsigned __int128 next;
    if (c < '0' || c > '9' || __builtin_mul_overflow(*value, 10, &next) ||
        __builtin_add_overflow(next, (unsigned)(c - '0'), &next))
        return false;
    *value = next;
    return true;
}

bool raw_parse(const char *text, struct raw *ret)
{
    if (!text || !*text || (text[0] == '0' && text[1]))
        return false;
    unsigned __int128 value = 0;
    for (const char *p = text; *p; p++)
        if (!push_digit(&value, *p))
            return false;
    ret->value = value;
    return true;
}

/* Writes at least min_digits; returns their number. The text is not terminated. */
static size_t put_digits(unsigned __int128 value, size_t min_digits, char *out)
{
    char back[RAW_TEXT];
    size_t n = 0;
    for (; value > 0 || n < min_digits; value /= 10)
        back[n++] = (char)('0' + (int)(value % 10));
    for (size_t i = 0; i < n; i++)
        out[i] = back[n - 1 - i];
    return n;
}

void raw_print(struct raw a, char ret_text[static RAW_TEXT])
{
    ret_text[put_digits(a.value, 1, ret_text)] = '\0';
}

bool raw_from_xno(const char *text, struct raw *ret)
{
    if (!text)
        return false;
    unsigned __int128 value = 0;
    bool dot = false;
    int digits = 0;
    int decimals = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '.' && !dot) {
            dot = true;
            continue;
        }
        if (!push_digit(&value, *p) || (dot && ++decimals > XNO_DECIMALS))
            return false;
        digits++;
    }
    if (digits == 0)
        return false;
    for (; decimals < XNO_DECIMALS; decimals++)
        if (!push_digit(&value, '0'))
            return false;
    ret->value = value;
    return true;
}

void raw_to_xno_short(struct raw a, int decimals, char ret_text[static XNO_TEXT])
{
    char digits[RAW_TEXT];
    size_t n = put_digits(a.value, XNO_DECIMALS + 1, digits);
    size_t whole = n - XNO_DECIMALS;
    size_t end = whole + (size_t)CLAMP(decimals, 0, XNO_DECIMALS);
    while (end > whole && digits[end - 1] == '0')
        end--;
    memcpy(ret_text, digits, whole);
    size_t len = whole;
    if (end > whole) {
        ret_text[len++] = '.';
        memcpy(ret_text + len, digits + whole, end - whole);
        len += end - whole;
    }
    ret_text[len] = '\0';
}

void raw_to_xno(struct raw a, char ret_text[static XNO_TEXT])
{
    raw_to_xno_short(a, XNO_DECIMALS, ret_text);
}

void raw_to_bytes(struct raw a, unsigned char ret_bytes[static RAW_BYTES])
{
    for (int i = RAW_BYTES - 1; i >= 0; i--, a.value >>= 8)
        ret_bytes[i] = (unsigned char)a.value;
}

bool raw_add(struct raw a, struct raw b, struct raw *ret)
{
    unsigned __int128 sum;
    if (__builtin_add_overflow(a.value, b.value, &sum))
        return false;
    ret->value = sum;
    return true;
}

bool raw_sub(struct raw a, struct raw b, struct raw *ret)
{
    if (b.value > a.value)
        return false;
    ret->value = a.value - b.value;
    return true;
}

bool raw_mul(struct raw a, uint64_t factor, struct raw *ret)
{
    unsigned __int128 product;
    if (__builtin_mul_overflow(a.value, factor, &product))
        return false;
    ret->value = product;
    return true;
}

bool raw_divide(struct raw a, struct raw unit, int64_t *ret_quotient, struct raw *ret_rest)
{
    if (unit.value == 0 || a.value / unit.value > INT64_MAX)
        return false;
    *ret_quotient = (int64_t)(a.value / unit.value);
    ret_rest->value = a.value % unit.value;
    return true;
}

bool raw_round_up(struct raw a, struct raw unit, struct raw *ret)
{
    if (unit.value == 0)
        return false;
    unsigned __int128 over = a.value % unit.value;
    struct raw missing = {over ? unit.value - over : 0};
    return raw_add(a, missing, ret);
}

int raw_compare(struct raw a, struct raw b)
{
    return a.value < b.value ? -1 : a.value > b.value;
}

bool raw_is_zero(struct raw a)
{
    return a.value == 0;
}
