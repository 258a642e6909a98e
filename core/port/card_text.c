#include "core/port/card_text.h"

#include <stdio.h>
#include <string.h>

enum { CELLS = 12 };

const char *card_stage_mark(enum card_stage_state state)
{
    switch (state) {
    case STAGE_DONE:
        return "✅ ";
    case STAGE_RUNNING:
        return "▶️ ";
    case STAGE_FAILED:
        return "❌ ";
    case STAGE_WAITING:
        break;
    }
    return "▫️ ";
}

void card_bar(int percent, char ret[static CARD_BAR_TEXT])
{
    static const char full[] = "▰", empty[] = "▱"; /* three bytes each */
    char *at = ret;
    percent = MIN(percent, 100);
    for (int i = 0; i < CELLS; i++, at += sizeof(full) - 1)
        memcpy(at, i * 100 < percent * CELLS ? full : empty, sizeof(full) - 1);
    snprintf(at, CARD_BAR_TEXT - (size_t)(at - ret), " %d %%", percent);
}
