#include "adapters/telegram/errors.h"

#include <string.h>

/* First match wins; "" matches any text. Code first: the texts are no contract. */
static const struct {
    int code;
    const char *text;
    enum tg_action action;
} table[] = {
    {400, "message is not modified",                 TG_DONE       },
    {400, "message to edit not found",               TG_CARD_GONE  },
    {400, "MESSAGE_ID_INVALID",                      TG_CARD_GONE  },
    {400, "message can't be edited",                 TG_CARD_GONE  },
    {400, "message identifier is not specified",     TG_CARD_GONE  },
    {400, "no text in the message to edit",          TG_NO_TEXT    },
    {400, "message to delete not found",             TG_IGNORE     },
    {400, "message can't be deleted",                TG_IGNORE     },
    {400, "query is too old",                        TG_IGNORE     },
    {400, "query ID is invalid",                     TG_IGNORE     },
    {400, "group chat was upgraded to a supergroup", TG_MOVED      },
    {400, "chat not found",                          TG_UNREACHABLE},
    {400, "PEER_ID_INVALID",                         TG_UNREACHABLE},
    {400, "USER_DEACTIVATED",                        TG_UNREACHABLE},
    {400, "group chat was deactivated",              TG_UNREACHABLE},
    {400, "message thread not found",                TG_NO_THREAD  },
    {400, "TOPIC_DELETED",                           TG_NO_THREAD  },
    {400, "TOPIC_CLOSED",                            TG_NO_THREAD  },
    {400, "TOPIC_ID_INVALID",                        TG_NO_THREAD  },
    {400, "not enough rights",                       TG_NO_RIGHTS  },
    {400, "have no rights to send",                  TG_NO_RIGHTS  },
    {400, "CHAT_WRITE_FORBIDDEN",                    TG_NO_RIGHTS  },
    {400, "CHAT_RESTRICTED",                         TG_NO_RIGHTS  },
    {400, "CHAT_SEND_VOICES_FORBIDDEN",              TG_BAD_FILE   }, /* a plain file may go */
    {400, "VOICE_MESSAGES_FORBIDDEN",                TG_BAD_FILE   }, /* a person's own choice */
    {400, "CHAT_SEND_",                              TG_NO_RIGHTS  }, /* CHAT_SEND_VIDEOS_FORBIDDEN and its family */
    {400, "can't parse entities",                    TG_PLAIN      },
    {400, "message is too long",                     TG_SHORTEN    },
    {400, "caption is too long",                     TG_SHORTEN    },
    {400, "text is empty",                           TG_SHORTEN    },
    {400, "text must be non-empty",                  TG_SHORTEN    },
    {400, "BUTTON_",                                 TG_NO_BUTTONS }, /* BUTTON_DATA_INVALID, BUTTON_URL_INVALID, ... */
    {400, "reply markup is too long",                TG_NO_BUTTONS },
    {400, "can't parse inline keyboard",             TG_NO_BUTTONS },
    {400, "can't parse reply keyboard markup",       TG_NO_BUTTONS },
    {400, "inline keyboard expected",                TG_NO_BUTTONS },
    {400, "wrong file identifier",                   TG_UPLOAD     },
    {400, "wrong remote file identifier",            TG_UPLOAD     },
    {400, "wrong file_id",                           TG_UPLOAD     },
    {400, "file is temporarily unavailable",         TG_UPLOAD     },
    {400, "file must be non-empty",                  TG_BAD_FILE   },
    {400, "IMAGE_PROCESS_FAILED",                    TG_BAD_FILE   },
    {400, "PHOTO_INVALID_DIMENSIONS",                TG_BAD_FILE   },
    {400, "PHOTO_EXT_INVALID",                       TG_BAD_FILE   },
    {400, "file is too big",                         TG_TOO_BIG    },
    {400, "",                                        TG_BUG        },
    {401, "",                                        TG_TOKEN      },
    {403, "not enough rights",                       TG_NO_RIGHTS  },
    {403, "have no rights to send",                  TG_NO_RIGHTS  },
    {403, "",                                        TG_UNREACHABLE},
    {404, "",                                        TG_BUG        },
    {409, "webhook",                                 TG_WEBHOOK    },
    {409, "",                                        TG_CONFLICT   },
    {413, "",                                        TG_TOO_BIG    },
    {429, "",                                        TG_WAIT       },
    {408, "",                                        TG_RETRY      },
};

enum tg_action tg_classify(int status, const char *description)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (table[i].code == status && strcasestr(description, table[i].text))
            return table[i].action;
    return status >= 500 ? TG_RETRY : TG_BUG;
}

/* How the bot hears of it. The key is the chat's, for those who can still be told. */
static const struct {
    enum err_code code;
    const char *key;
} told[] = {
    [TG_DONE] = {ERR_INTERNAL,    "error.internal"      },
    [TG_IGNORE] = {ERR_NOT_FOUND,   "error.internal"      },
    [TG_CARD_GONE] = {ERR_NOT_FOUND,   "error.internal"      },
    [TG_NO_TEXT] = {ERR_NOT_FOUND,   "error.internal"      },
    [TG_NO_THREAD] = {ERR_REFUSED,     "deliver.unreachable" },
    [TG_MOVED] = {ERR_NOT_FOUND,   "error.internal"      },
    [TG_PLAIN] = {ERR_INTERNAL,    "error.internal"      },
    [TG_SHORTEN] = {ERR_INTERNAL,    "error.internal"      },
    [TG_NO_BUTTONS] = {ERR_INTERNAL,    "error.internal"      },
    [TG_UPLOAD] = {ERR_INTERNAL,    "error.internal"      },
    [TG_BAD_FILE] = {ERR_UNSUPPORTED, "deliver.bad_file"    },
    [TG_TOO_BIG] = {ERR_LIMIT,       "deliver.too_large"   },
    [TG_NO_RIGHTS] = {ERR_REFUSED,     "deliver.no_rights"   },
    [TG_UNREACHABLE] = {ERR_REFUSED,     "deliver.unreachable" },
    [TG_TOKEN] = {ERR_CONFIG,      "start.telegram_token"},
    [TG_WEBHOOK] = {ERR_RETRY,       "error.network"       },
    [TG_CONFLICT] = {ERR_RETRY,       "error.network"       },
    [TG_WAIT] = {ERR_RETRY,       "error.network"       },
    [TG_RETRY] = {ERR_RETRY,       "error.network"       },
    [TG_UNCLEAR] = {ERR_CONFLICT,    "error.network"       },
    [TG_BUG] = {ERR_INTERNAL,    "error.internal"      },
};

bool tg_error_set(struct err *e, enum tg_action action, int status, const char *description,
                  const char *method)
{
    return err_set(e, told[action].code, told[action].key, "telegram %s: %d %s", method, status,
                   description);
}
