/*
 * Groups that became supergroups. Telegram tells of it in both chats, and in the answer to whatever
 * is sent to the old one: what a sender learns is told to the bot with the next batch, in front of
 * it, so that nothing of the new chat is dealt with before.
 */
#include <inttypes.h>

#include "adapters/telegram/telegram_internal.h"

int64_t tg_chat_now(struct telegram *t, int64_t chat)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_MOVED_MAX; i++)
        if (t->moved[i].from == chat && chat != 0)
            chat = t->moved[i].to;
    pthread_mutex_unlock(&t->lock);
    return chat;
}

void tg_chat_moved(struct telegram *t, int64_t from, int64_t to, bool told)
{
    if (from >= 0 || to >= 0 || from == to)
        return;
    pthread_mutex_lock(&t->lock);
    struct tg_move *m = NULL;
    for (size_t i = 0; i < TG_MOVED_MAX && !m; i++)
        if (t->moved[i].from == from)
            m = &t->moved[i];
    if (!m) {
        m = &t->moved[t->moved_next];
        *m = (struct tg_move){.from = from, .to = to};
        t->moved_next = (t->moved_next + 1) % TG_MOVED_MAX;
    }
    m->told = m->told || told;
    pthread_mutex_unlock(&t->lock);
}

/* One id for a move, however often and by whichever process it is learnt. */
static void fill_event(const struct tg_move *m, struct arena *a, struct chat_event *ret)
{
    *ret = (struct chat_event){
        .kind = CHAT_MOVED,
        .event_id = arena_printf(a, "moved:%" PRId64 ":%" PRId64, m->from, m->to),
        .addr = {.network = "telegram"},
        .user_id = "",
        .lang = "",
        .text = arena_printf(a, "%" PRId64, m->to),
        .card_ref = "",
        .quoted = "",
        .is_group = true,
    };
    snprintf(ret->addr.chat, sizeof(ret->addr.chat), "%" PRId64, m->from);
}

size_t tg_moves_untold(struct telegram *t, struct arena *a, struct chat_event ret[TG_MOVED_MAX],
                       struct tg_move ret_moves[TG_MOVED_MAX])
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_MOVED_MAX; i++)
        if (t->moved[i].from != 0 && !t->moved[i].told)
            ret_moves[n++] = t->moved[i];
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < n; i++)
        fill_event(&ret_moves[i], a, &ret[i]);
    return n;
}
