#include "bot/payer.h"

#include <string.h>

#include "core/base/strbuf.h"

bool payer_group_here(struct command_ctx *ctx, char ret_id[static UUID_TEXT], struct err *e)
{
    ret_id[0] = '\0';
    return !ctx->event->is_group || group_find(ctx->tx, &ctx->event->addr, false, ret_id, e);
}

bool payer_load(struct db_tx *tx, const struct bot *bot, const struct job *job, struct payer *ret,
                struct err *e)
{
    char id[UUID_TEXT];
    str_copy(id, sizeof(id), job->payer);
    *ret = (struct payer){.by_group = id[0] != '\0'};
    if (!id[0] && !group_find(tx, &job->addr, false, id, e))
        return false;
    ret->has_group = id[0] != '\0';
    ret->in_group = ret->has_group || bot_is_overheard(bot, &job->addr);
    return !ret->has_group || group_look(tx, id, job->account, &ret->group, e);
}

bool payer_choose(struct command_ctx *ctx, const char *id, struct payer *ret, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    *ret = (struct payer){0};
    if (!ctx->event->is_group)
        return true;
    if (!job_get(ctx->tx, id, &job, e) || !payer_load(ctx->tx, ctx->bot, &job, ret, e))
        return false;
    ret->in_group = true;
    if (job.state != JOB_QUOTED || ret->by_group || !ret->has_group || job.price == 0 ||
        group_may_use(&ret->group) < job.price)
        return true;
    ret->by_group = true;
    return job_set_payer(ctx->tx, id, ret->group.id, e);
}

static const char *credits(struct card_doc *doc, const char *lang, int64_t count)
{
    return card_text(doc, lang, "unit.credits", I18N_NUM("count", count));
}

void payer_add_line(struct card_doc *doc, const char *lang, const struct payer *p, int64_t price)
{
    const struct group *g = &p->group;
    if (!p->in_group)
        return;
    if (p->by_group && g->cap == GROUP_NO_CAP) {
        card_line(doc, lang, "payer.group_all",
                  I18N_TEXT("have", credits(doc, lang, g->available)));
        return;
    }
    const char *have = credits(doc, lang, g->available);
    const char *more = credits(doc, lang, group_may_use(g));
    if (p->by_group) {
        card_line(doc, lang, "payer.group", I18N_TEXT("have", have), I18N_TEXT("more", more));
        return;
    }
    card_line(doc, lang, "payer.own");
    if (p->has_group && !g->is_on)
        card_line(doc, lang, "payer.group_off");
    else if (p->has_group && group_may_use(g) < price)
        card_line(doc, lang, "payer.group_short", I18N_TEXT("have", have), I18N_TEXT("more", more));
}

void payer_add_button(struct card_doc *doc, const char *lang, const struct payer *p, int64_t price,
                      const char *job)
{
    if (p->by_group)
        card_button(doc, lang, "button.own_pays", true, "/payer %s own", job);
    else if (p->has_group && price > 0 && group_may_use(&p->group) >= price)
        card_button(doc, lang, "button.group_pays", true, "/payer %s group", job);
}
