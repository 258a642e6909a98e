#include "adapters/telegram/quiet.h"

void tg_quiet_begin(struct tg_quiet *q, int64_t now_ms)
{
    *q = (struct tg_quiet){.good_ms = now_ms};
}

bool tg_quiet_good(struct tg_quiet *q, int64_t now_ms)
{
    bool was_alarmed = q->alarmed;
    tg_quiet_begin(q, now_ms);
    return was_alarmed;
}

bool tg_quiet_bad(struct tg_quiet *q, int64_t now_ms)
{
    if (q->alarmed || now_ms - q->good_ms <= TG_QUIET_MS)
        return false;
    return q->alarmed = true;
}
