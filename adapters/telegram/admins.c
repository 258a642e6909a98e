/* Who leads a group: asked in the background when a command wants to know, remembered for ten
 * minutes. Nobody waits on a thread for the answer. */
#include <inttypes.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
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
    a->asked_ms = MAX(clock_mono_ms() - (r->action == TG_DONE ? 0 : FRESH_MS - AGAIN_MS), 1);
    if (r->action != TG_DONE)
        a->count = 0;
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

static void ask(struct telegram *t, struct tg_admins *a, int64_t chat)
{
    if (tg_post(t, "getChatAdministrators", str_printf("{\"chat_id\":%" PRId64 "}", chat),
                admins_done, a))
        return;
    pthread_mutex_lock(&t->lock);
    a->asking = false;
    pthread_mutex_unlock(&t->lock);
}

int tg_is_admin(void *self, const struct chat_addr *where, const char *user_id)
{
    struct telegram *t = self;
    int64_t chat = 0, user = 0, now = clock_mono_ms();
    if (!str_to_int(user_id, 1, INT64_MAX, &user) || !str_to_int(where->chat, INT64_MIN, -1, &chat))
        return 0;
    chat = tg_chat_now(t, chat);
    pthread_mutex_lock(&t->lock);
    struct tg_admins *a = find(t, chat);
    bool known = a && !a->asking && a->asked_ms != 0 && now - a->asked_ms <= FRESH_MS;
    bool is_admin = false, must_ask = a && !a->asking && !known;
    for (size_t i = 0; known && i < a->count && !is_admin; i++)
        is_admin = a->users[i] == user;
    if (must_ask)
        a->asking = true;
    pthread_mutex_unlock(&t->lock);
    if (must_ask)
        ask(t, a, chat);
    return known ? is_admin : -1;
}

void tg_admins_forget(struct telegram *t, int64_t chat)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_ADMIN_CHATS; i++)
        if (t->admins[i].chat == chat && !t->admins[i].asking)
            t->admins[i] = (struct tg_admins){0};
    pthread_mutex_unlock(&t->lock);
}
