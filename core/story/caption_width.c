#include <unicode/uchar.h>

#include "core/base/utf8.h"
#include "core/story/caption.h"

/* Advances of a bold sans-serif, in em. */
static double latin_width(int32_t cp)
{
    if (cp == ' ')
        return 0.26;
    if (cp && cp < 128 && strchr("ijl.,:;'!|()[]Itfr\"`-", cp))
        return cp == 't' || cp == 'f' || cp == 'r' ? 0.43 : 0.32;
    if (cp == 'm' || cp == 'w' || cp == 'M' || cp == 'W' || cp == '@' || cp == '%')
        return 0.92;
    return u_isupper(cp) ? 0.68 : 0.59;
}

static bool is_zero_width(int32_t cp)
{
    switch (u_charType(cp)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_FORMAT_CHAR:
    case U_CONTROL_CHAR:
        return true;
    default:
        return u_hasBinaryProperty(cp, UCHAR_EMOJI_MODIFIER);
    }
}

static double code_point_width(int32_t cp)
{
    if (is_zero_width(cp))
        return 0;
    if (u_hasBinaryProperty(cp, UCHAR_REGIONAL_INDICATOR))
        return 0.55; /* two make one flag */
    if (u_hasBinaryProperty(cp, UCHAR_EMOJI_PRESENTATION))
        return 1.1;
    switch (u_getIntPropertyValue(cp, UCHAR_EAST_ASIAN_WIDTH)) {
    case U_EA_WIDE:
    case U_EA_FULLWIDTH:
        return 1.0;
    default:
        return latin_width(cp);
    }
}

double caption_width(const char *text, size_t len)
{
    double width = 0;
    bool joined = false;
    for (size_t pos = 0; pos < len;) {
        int32_t cp = utf8_next(text, len, &pos);
        if (!joined || !u_hasBinaryProperty(cp, UCHAR_EMOJI)) /* the second half of a ZWJ emoji */
            width += code_point_width(cp);
        joined = cp == 0x200D;
    }
    return width;
}

double caption_line_width(int width, int height)
{
    if (height * 10 > width * 12)
        return 9.3;
    if (width * 10 > height * 12)
        return 18;
    return 12.5;
}
