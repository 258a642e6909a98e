#include "tests/fake_chat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"

void fake_chat_init(struct fake_chat *f, bool buttons)
{
    *f = (struct fake_chat){
        .abilities = {.edit_interval_ms = 10, .buttons = buttons, .shows_paths = !buttons}
    };
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
}

void fake_chat_free(struct fake_chat *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->messages[i].text);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

char *fake_card_text(const struct card *card)
{
    struct strbuf out = STRBUF(1 << 20);
    if (card->title)
        strbuf_addf(&out, "%s\n", card->title);
    for (size_t i = 0; i < card->line_count; i++)
        strbuf_addf(&out, "%s\n", card->lines[i]);
    for (size_t i = 0; i < card->button_count; i++)
        strbuf_addf(&out, "[%s|%s]\n", card->buttons[i].label,
                    card->buttons[i].action ? card->buttons[i].action : card->buttons[i].url);
    return strbuf_take(&out);
}

/* Lock held. */
static struct fake_message *remember(struct fake_chat *f, int kind, const char *ref,
                                     const struct card *card)
{
    if (f->count == FAKE_MESSAGES)
        abort();
    struct fake_message *m = &f->messages[f->count++];
    m->kind = kind;
    str_copy(m->ref, sizeof(m->ref), ref);
    m->text = fake_card_text(card);
    m->is_private = card->is_private;
    m->has_progress = card->percent >= 0;
    m->has_picture = card->picture != NULL;
    m->percent = card->percent;
    pthread_cond_broadcast(&f->changed);
    return m;
}

static bool fake_run(void *self, chat_events_fn *on_events, void *ctx, struct err *e)
{
    (void)self, (void)on_events, (void)ctx, (void)e;
    return true;
}

static void fake_stop(void *self)
{
    (void)self;
}

static const struct chat_abilities *fake_abilities(void *self)
{
    return &((struct fake_chat *)self)->abilities;
}

static bool fake_send(void *self, const struct chat_addr *to, const struct card *card,
                      char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct fake_chat *f = self;
    (void)to;
    pthread_mutex_lock(&f->lock);
    bool fails = f->fail_sends > 0;
    enum err_code code = f->fail_next_send;
    if (fails) {
        f->fail_sends--;
    } else {
        snprintf(ret_ref, CHAT_REF_MAX, "m%u", ++f->refs);
        remember(f, FAKE_SENT, ret_ref, card);
    }
    pthread_mutex_unlock(&f->lock);
    return !fails || err_set(e, code, "error.network", "told to fail");
}

static bool fake_edit(void *self, const struct chat_addr *to, const char *ref,
                      const struct card *card, struct err *e)
{
    struct fake_chat *f = self;
    (void)to;
    pthread_mutex_lock(&f->lock);
    bool gone = f->cards_gone;
    if (!gone)
        remember(f, FAKE_EDITED, ref, card);
    pthread_mutex_unlock(&f->lock);
    return !gone || err_set(e, ERR_NOT_FOUND, "error.internal", "card is gone");
}

static bool fake_deliver(void *self, const struct chat_addr *to, const char *ref,
                         const struct chat_video *video, const struct cancel *cancel,
                         char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct fake_chat *f = self;
    (void)to, (void)cancel, (void)e;
    pthread_mutex_lock(&f->lock);
    if (ref[0])
        str_copy(ret_ref, CHAT_REF_MAX, ref);
    else
        snprintf(ret_ref, CHAT_REF_MAX, "m%u", ++f->refs);
    remember(f, FAKE_DELIVERED, ret_ref, video->caption);
    pthread_mutex_unlock(&f->lock);
    return true;
}

static void fake_destroy(void *self)
{
    (void)self;
}

struct chat_adapter fake_chat_adapter(struct fake_chat *f)
{
    static const struct chat_adapter_ops ops = {
        .name = "fake",
        .run = fake_run,
        .stop = fake_stop,
        .abilities = fake_abilities,
        .send = fake_send,
        .edit = fake_edit,
        .deliver = fake_deliver,
        .destroy = fake_destroy,
    };
    return (struct chat_adapter){.ops = &ops, .self = f};
}

static struct timespec in_ten_seconds(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    return until;
}

bool fake_chat_wait(struct fake_chat *f, size_t count)
{
    struct timespec until = in_ten_seconds();
    int r = 0;
    pthread_mutex_lock(&f->lock);
    while (f->count < count && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&f->changed, &f->lock, &until);
    bool there = f->count >= count;
    pthread_mutex_unlock(&f->lock);
    return there;
}

int fake_chat_wait_text(struct fake_chat *f, const char *needle)
{
    struct timespec until = in_ten_seconds();
    int found = -1, r = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t seen = 0; found < 0 && r != ETIMEDOUT;) {
        for (; seen < f->count && found < 0; seen++)
            if (strstr(f->messages[seen].text, needle))
                found = (int)seen;
        if (found < 0)
            r = pthread_cond_timedwait(&f->changed, &f->lock, &until);
    }
    pthread_mutex_unlock(&f->lock);
    return found;
}

bool fake_chat_wait_percent(struct fake_chat *f, int percent)
{
    struct timespec until = in_ten_seconds();
    int r = 0;
    pthread_mutex_lock(&f->lock);
    while ((f->count == 0 || f->messages[f->count - 1].percent != percent) && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&f->changed, &f->lock, &until);
    bool there = f->count > 0 && f->messages[f->count - 1].percent == percent;
    pthread_mutex_unlock(&f->lock);
    return there;
}

size_t fake_chat_count(struct fake_chat *f)
{
    pthread_mutex_lock(&f->lock);
    size_t count = f->count;
    pthread_mutex_unlock(&f->lock);
    return count;
}
