/*
 * New messages with a video cannot be repeated without being seen twice, so each is written down
 * before it is sent and after it was taken: a later attempt, also of another process, finds the
 * message that is there, and repeats an unclear one once at most.
 */

#include "adapters/telegram/telegram_internal.h"
#include "core/base/hash.h"

enum { KEEP_SECONDS = 7 * 86400 };

void tg_sent_read(struct telegram *t, const struct chat_addr *to, int64_t chat,
                  const struct chat_video *video, struct tg_sent *ret)
{
    struct hash h;
    char value[CHAT_REF_MAX + 8] = "";
    *ret = (struct tg_sent){.tries = 0};
    hash_begin(&h, "telegram-sent");
    pthread_mutex_lock(&t->lock);
    hash_int(&h, "bot", t->me.id);
    pthread_mutex_unlock(&t->lock);
    hash_int(&h, "chat", chat);
    hash_text(&h, "reply", to->reply);
    hash_text(&h, "video", video->id ? video->id : video->path);
    hash_end(&h, ret->key);
    if (!t->o.recall || !t->o.recall(t->o.ctx, ret->key, value, sizeof(value)))
        return;
    int64_t tries;
    if (str_to_int(value, 0, TG_SENT_MAX, &tries))
        ret->tries = (int)tries;
    else if (str_starts(value, "ref "))
        str_copy(ret->ref, sizeof(ret->ref), value + 4);
}

bool tg_sent_write(struct telegram *t, const struct tg_sent *s, struct err *e)
{
    char value[CHAT_REF_MAX + 8];
    if (s->ref[0])
        snprintf(value, sizeof(value), "ref %s", s->ref);
    else
        snprintf(value, sizeof(value), "%d", s->tries);
    return !t->o.keep || t->o.keep(t->o.ctx, s->key, value, KEEP_SECONDS) ||
           err_set(e, ERR_RETRY, "error.database", "telegram: a delivery cannot be noted now");
}
