#include "adapters/telegram/utf16.h"

#include <string.h>

#include "core/base/utf8.h"

size_t tg_utf16_bytes(const char *text, int64_t units)
{
    size_t len = strlen(text);
    size_t at = 0;
    while (units > 0 && at < len) {
        size_t before = at;
        int32_t cp = utf8_next(text, len, &at);
        units -= cp > 0xffff ? 2 : 1;
        if (units < 0)
            return before;
    }
    return at;
}

int64_t tg_utf16_units(const char *text, size_t len)
{
    int64_t units = 0;
    for (size_t at = 0; at < len;)
        units += utf8_next(text, len, &at) > 0xffff ? 2 : 1;
    return units;
}
