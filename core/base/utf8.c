#include "core/base/utf8.h"

enum { REPLACEMENT = 0xFFFD };

/* Length of the sequence that this byte begins; 0 for a byte that begins none. */
static size_t lead_len(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c < 0xC2) /* continuation, or a lead that could only be overlong */
        return 0;
    if (c < 0xE0)
        return 2;
    if (c < 0xF0)
        return 3;
    return c < 0xF5 ? 4 : 0;
}

/* The code point at text, or -1; *ret_len is its length in bytes (1 when invalid). */
static int32_t decode(const char *text, size_t len, size_t *ret_len)
{
    const unsigned char *t = (const unsigned char *)text;
    size_t n = lead_len(t[0]);
    *ret_len = 1;
    if (n == 1)
        return t[0];
    if (n == 0 || n > len)
        return -1;
    static const int32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    int32_t cp = t[0] & (0x7F >> n);
    for (size_t i = 1; i < n; i++) {
        if ((t[i] & 0xC0) != 0x80)
            return -1;
        cp = cp << 6 | (t[i] & 0x3F);
    }
    if (cp < smallest[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return -1;
    *ret_len = n;
    return cp;
}

int32_t utf8_next(const char *text, size_t len, size_t *pos)
{
    if (*pos >= len)
        return -1;
    size_t n;
    int32_t cp = decode(text + *pos, len - *pos, &n);
    *pos += n;
    return cp < 0 ? REPLACEMENT : cp;
}

size_t utf8_put(char out[static 4], int32_t cp)
{
    if (cp < 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        cp = REPLACEMENT;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (char)(lead[n] | cp);
    return n;
}

bool utf8_valid(const char *text, size_t len)
{
    size_t n;
    for (size_t i = 0; i < len; i += n)
        if (decode(text + i, len - i, &n) < 0)
            return false;
    return true;
}

size_t utf8_cut(const char *text, size_t len)
{
    /* Looks back only, so text[len] need not be there. */
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)text[len - back];
        if ((c & 0xC0) != 0x80)
            return lead_len(c) > back ? len - back : len;
    }
    return len;
}

size_t utf8_count(const char *text)
{
    size_t len = strlen(text);
    size_t count = 0;
    for (size_t pos = 0; utf8_next(text, len, &pos) >= 0;)
        count++;
    return count;
}

static bool is_unwanted(int32_t cp)
{
    if (cp < 0x20)
        return cp != '\t' && cp != '\n';
    if (cp >= 0x7F && cp < 0xA0) /* DEL and C1, which some terminals obey */
        return true;
    return cp == 0x200B || cp == 0x180E || (cp >= 0x202A && cp <= 0x202E) ||
           (cp >= 0x2060 && cp <= 0x2064) || (cp >= 0x2066 && cp <= 0x206F) || cp == 0xFEFF;
}

size_t utf8_clean(char *text)
{
    size_t len = strlen(text);
    size_t kept = 0;
    size_t invalid = 0;
    for (size_t i = 0; i < len;) {
        size_t n;
        int32_t cp = decode(text + i, len - i, &n);
        if (cp == '\r' && text[i + 1] != '\n') { /* an old line end, not a lost one */
            text[kept++] = '\n';
        } else if (cp < 0) {
            invalid++;
        } else if (!is_unwanted(cp)) {
            memmove(text + kept, text + i, n);
            kept += n;
        }
        i += n;
    }
    text[kept] = '\0';
    return invalid;
}
