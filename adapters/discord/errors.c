#include "adapters/discord/errors.h"

static const struct {
    int64_t code;
    enum dc_action action;
} by_code[] = {
    {10003,  DC_NO_ACCESS}, /* unknown channel */
    {10004,  DC_NO_ACCESS}, /* unknown guild */
    {10008,  DC_GONE     },
    {10013,  DC_NO_DM    }, /* unknown user */
    {10015,  DC_EXPIRED  }, /* unknown webhook */
    {10062,  DC_EXPIRED  }, /* unknown interaction */
    {20016,  DC_WAIT     }, /* slow mode */
    {20028,  DC_WAIT     },
    {30034,  DC_FULL     },
    {40001,  DC_TOKEN    },
    {50014,  DC_TOKEN    },
    {40005,  DC_TOO_BIG  },
    {40060,  DC_DONE     }, /* already acknowledged */
    {40062,  DC_WAIT     },
    {40094,  DC_FOLLOWUPS},
    {50001,  DC_NO_ACCESS},
    {50007,  DC_NO_DM    },
    {50278,  DC_NO_DM    },
    {50013,  DC_NO_ACCESS},
    {50083,  DC_NO_ACCESS}, /* archived thread */
    {400001, DC_NO_ACCESS}, /* uploads limited for this guild */
    {50027,  DC_EXPIRED  },
    {50045,  DC_TOO_BIG  },
    {50046,  DC_BAD_FILE },
    {130000, DC_RETRY    },
    {200000, DC_BLOCKED  },
    {200001, DC_BLOCKED  },
    {240000, DC_BLOCKED  },
};

enum dc_action dc_classify(int status, int64_t code)
{
    if (status >= 200 && status < 300)
        return DC_DONE;
    if (status == 429)
        return DC_WAIT;
    for (size_t i = 0; i < COUNT(by_code); i++)
        if (code != 0 && by_code[i].code == code)
            return by_code[i].action;
    switch (status) {
    case 401:
        return DC_TOKEN;
    case 403:
        return DC_NO_ACCESS;
    case 408:
        return DC_RETRY;
    case 413:
        return DC_TOO_BIG;
    default:
        return status >= 500 ? DC_UNCLEAR : DC_BUG;
    }
}

static const struct {
    enum err_code code;
    const char *key;
} told[] = {
    [DC_DONE] = {ERR_INTERNAL,    "error.internal"     },
    [DC_EXPIRED] = {ERR_NOT_FOUND,   "error.internal"     },
    [DC_GONE] = {ERR_NOT_FOUND,   "error.internal"     },
    [DC_NO_ACCESS] = {ERR_REFUSED,     "deliver.no_rights"  },
    [DC_NO_DM] = {ERR_REFUSED,     "deliver.unreachable"},
    [DC_TOO_BIG] = {ERR_LIMIT,       "deliver.too_large"  },
    [DC_BAD_FILE] = {ERR_UNSUPPORTED, "deliver.bad_file"   },
    [DC_FOLLOWUPS] = {ERR_NOT_FOUND,   "error.internal"     },
    [DC_BLOCKED] = {ERR_REFUSED,     "deliver.no_rights"  },
    [DC_FULL] = {ERR_LIMIT,       "error.network"      },
    [DC_TOKEN] = {ERR_CONFIG,      "start.discord_token"},
    [DC_WAIT] = {ERR_RETRY,       "error.network"      },
    [DC_RETRY] = {ERR_RETRY,       "error.network"      },
    [DC_UNCLEAR] = {ERR_CONFLICT,    "error.network"      },
    [DC_BUG] = {ERR_INTERNAL,    "error.internal"     },
};

bool dc_error_set(struct err *e, enum dc_action action, int status, int64_t code, const char *name,
                  const char *detail)
{
    return err_set(e, told[action].code, told[action].key, "discord %s: %d, code %lld %s", name,
                   status, (long long)code, detail);
}
