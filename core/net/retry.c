#include <curl/curl.h>
#include <math.h>

#include "core/base/hash.h"
#include "core/net/net.h"

int net_backoff_ms(int attempt)
{
    int64_t ms = attempt >= 4 ? 8000 : 500LL << MAX(attempt, 0);
    uint32_t dice;
    random_bytes(&dice, sizeof(dice));
    return (int)(ms - (int64_t)((double)ms * 0.25 * dice / 4294967296.0));
}

int net_parse_retry_after(const char *value, int64_t wall_ms)
{
    enum { DAY_MS = 86400000 };
    while (*value == ' ')
        value++;
    char *end;
    double seconds = strtod(value, &end);
    if (end != value) {
        while (*end == ' ')
            end++;
        if (*end != '\0' || !isfinite(seconds) || seconds < 0)
            return -1;
        return seconds >= DAY_MS / 1000.0 ? DAY_MS : (int)ceil(seconds * 1000.0);
    }
    time_t when = curl_getdate(value, NULL);
    if (when == (time_t)-1)
        return -1;
    int64_t ms = (int64_t)when * 1000 - wall_ms;
    return (int)CLAMP(ms, 0, DAY_MS);
}

enum net_fate net_reply_fate(const struct net_reply *reply)
{
    switch (reply->outcome) {
    case NET_REPLY:
        return NET_FATE_ANSWERED;
    case NET_CANCELLED:
        return reply->sent ? NET_FATE_UNCLEAR : NET_FATE_NO_EFFECT;
    case NET_NOT_SENT:
        return NET_FATE_NO_EFFECT;
    case NET_FORBIDDEN:
        return NET_FATE_FORBIDDEN;
    case NET_DISK:
        return NET_FATE_BAD_FILE;
    case NET_UNKNOWN:
    case NET_TOO_LARGE:
        break;
    }
    return NET_FATE_UNCLEAR;
}

bool net_should_retry(const struct net_reply *reply)
{
    if (reply->outcome == NET_NOT_SENT || reply->outcome == NET_UNKNOWN)
        return true;
    if (reply->outcome != NET_REPLY)
        return false;
    const char *told = net_reply_header(reply, "x-should-retry");
    if (strcmp(told, "true") == 0 || strcmp(told, "false") == 0)
        return told[0] == 't';
    int s = reply->status;
    return s == 408 || s == 425 || s == 429 || s >= 500 || (s == 200 && reply->len == 0);
}
