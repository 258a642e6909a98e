/* Albums: up to ten messages, one of them with the words. */
#include "adapters/telegram/decode.h"

static bool same_album(const struct tg_update *x, const struct tg_update *y)
{
    return x->album && y->album && x->chat == y->chat && strcmp(x->album, y->album) == 0;
}

static void give_media(struct tg_update *to, const struct tg_update *from)
{
    for (size_t i = 0; i < from->event.media_count; i++)
        if (to->event.media_count < TG_MEDIA_MAX)
            to->media[to->event.media_count++] = from->media[i];
}

void tg_join_albums(struct tg_update *updates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        updates[i].event.media = updates[i].media;
    for (size_t i = 0; i < count; i++) {
        struct tg_update *u = &updates[i];
        if (!u->album || u->kind == TG_SKIP)
            continue;
        bool is_first = true, has_leader = u->leads_album;
        for (size_t k = 0; k < count; k++) {
            if (k == i || !same_album(u, &updates[k]))
                continue;
            has_leader = has_leader || updates[k].leads_album;
            if (u->leads_album)
                give_media(u, &updates[k]);
            else if (k < i)
                is_first = false;
        }
        if (!u->leads_album && (has_leader || !is_first))
            u->kind = TG_SKIP;
    }
}
