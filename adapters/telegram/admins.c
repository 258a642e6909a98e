/* Who leads a group: remembered for ten minutes, asked in the background, so that polling never
 * waits. Until the first answer nobody counts as an admin. */
#include <inttypes.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/clock.h"
#include "core/net/json.h"

enum {
    FRESH_MS = 600000,
    AGAIN_MS = 30000, /* after a failure */
};

/* With lock held. */
static struct tg_admins *find(struct telegram *t, int64_t chat)
{
    struct tg_admins *oldest = NULL;
    for (size_t i = 0; i < TG_ADMIN_CHATS; i++) {
        struct tg_admins *a = &t->admins[i];
        if (a->chat == chat)
            return a;
        if (!a->asking && (!oldest || a->asked_ms < oldest->asked_ms))
            oldest = a;
    }
    if (oldest)
        *oldest = (struct tg_admins){.chat = chat};
    return oldest;
}

/* Network's thread. */
static void admins_done(struct telegram *t, const struct tg_reply *r, void *ctx)
{
    struct tg_admins *a = ctx;
    const cJSON *member;
    pthread_mutex_lock(&t->lock);
    a->asking = false;
    a->asked_ms = clock_mono_ms() - (r->action == TG_DONE ? 0 : FRESH_MS - AGAIN_MS);
    if (r->action == TG_DONE && cJSON_IsArray(r->result)) {
        a->count = 0;
        cJSON_ArrayForEach(member, r->result)
        {
            int64_t id;
            if (a->count < TG_ADMINS_MAX && json_int(json_object(member, "user"), "id", &id))
                a->users[a->count++] = id;
        }
    }
    pthread_mutex_unlock(&t->lock);
}

bool tg_is_admin(struct telegram *t, int64_t chat, const char *user_id)
{
    int64_t user = 0;
    bool found = false, ask = false;
    if (!str_to_int(user_id, 1, INT64_MAX, &user))
        return false;
    pthread_mutex_lock(&t->lock);
    struct tg_admins *a = find(t, chat);
    for (size_t i = 0; a && i < a->count && !found; i++)
        found = a->users[i] == user;
    if (a && !a->asking && (a->asked_ms == 0 || clock_mono_ms() - a->asked_ms > FRESH_MS)) {
        ask = a->asking = true;
        a->asked_ms = MAX(clock_mono_ms(), 1);
    }
    pthread_mutex_unlock(&t->lock);
    if (ask && !tg_post(t, "getChatAdministrators", str_printf("{\"chat_id\":%" PRId64 "}", chat),
                        admins_done, a)) {
        pthread_mutex_lock(&t->lock);
        a->asking = false;
        pthread_mutex_unlock(&t->lock);
    }
    return found;
}

void tg_admins_forget(struct telegram *t, int64_t chat)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_ADMIN_CHATS; i++)
        if (t->admins[i].chat == chat && !t->admins[i].asking)
            t->admins[i] = (struct tg_admins){0};
    pthread_mutex_unlock(&t->lock);
}
