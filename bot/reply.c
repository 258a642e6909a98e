#include "bot/reply.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/story/storyboard.h"

enum { VOICES_SHOWN = 12 };

const char *job_short(const char *job_id)
{
    size_t len = strlen(job_id);
    return len >= JOB_SHORT ? job_id + len - (JOB_SHORT - 1) : job_id;
}

const char *reply_job_ref(const struct command_ctx *ctx, const char *job_id)
{
    return ctx->abilities->buttons ? job_id : job_short(job_id);
}

static bool put_row(struct db_tx *tx, struct outbox_row *row, const struct card_doc *doc,
                    const char *job, struct err *e)
{
    AUTO(free_ptr) char *body = NULL;
    if (!card_to_json(&doc->card, &body, e))
        return false;
    row->body = body;
    str_copy(row->job, sizeof(row->job), job ? job : "");
    return outbox_add(tx, row, e);
}

bool outbox_put(struct db_tx *tx, const struct chat_addr *addr, const struct card_doc *doc,
                const char *job, const char *edit_ref, bool sets_card, struct err *e)
{
    struct outbox_row row = {.addr = *addr, .sets_card = sets_card};
    str_copy(row.edit_ref, sizeof(row.edit_ref), edit_ref ? edit_ref : "");
    return put_row(tx, &row, doc, job, e);
}

bool outbox_put_edit(struct db_tx *tx, const struct chat_addr *addr, const struct card_doc *doc,
                     const char *job, bool is_last, struct err *e)
{
    struct outbox_row row = {.addr = *addr, .edits_card = true, .sets_card = !is_last};
    return put_row(tx, &row, doc, job, e);
}

/* What is for one person's eyes, on a network that cannot whisper in a group: a way to the private
   chat instead. */
static bool reply_link(struct command_ctx *ctx, const char *url, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, "private.line");
    card_link(&doc, ctx->lang, "private.button", url);
    return outbox_put(ctx->tx, &ctx->event->addr, &doc, NULL, NULL, false, e);
}

bool reply_send(struct command_ctx *ctx, const struct card_doc *doc, struct err *e)
{
    const struct chat_event *event = ctx->event;
    const struct chat_adapter *adapter = bot_adapter(ctx->bot, event->addr.network);
    struct card_doc copy = *doc; /* shares the arena; not freed here */
    unsigned flags = ctx->command ? ctx->command->flags : 0;
    copy.card.is_private |= event->is_group && (flags & (CMD_MONEY | CMD_PERSON));
    if (copy.card.is_private && event->is_group && adapter && adapter->ops->private_link) {
        char url[256];
        char *action =
            arena_printf(&ctx->arena, "/%s", ctx->command ? ctx->command->name : "start");
        if (adapter->ops->private_link(adapter->self, action, url, sizeof(url)))
            return reply_link(ctx, url, e);
    }
    return outbox_put(ctx->tx, &event->addr, &copy, NULL, NULL, false, e);
}

bool reply_job_card(struct command_ctx *ctx, const struct card_doc *doc, const char *job,
                    const char *edit_ref, struct err *e)
{
    return outbox_put(ctx->tx, &ctx->event->addr, doc, job, edit_ref, true, e);
}

bool reply_line(struct command_ctx *ctx, struct err *e, const char *key,
                const struct i18n_arg *args, size_t count)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_add_line(&doc, card_format(&doc, ctx->lang, key, args, count));
    return reply_send(ctx, &doc, e);
}

static bool lang_fits(const char *tag, const char *lang)
{
    size_t primary = strcspn(lang, "-");
    return strncmp(tag, lang, primary) == 0 && (tag[primary] == '\0' || tag[primary] == '-');
}

const char *reply_voices(struct card_doc *doc, const struct toolbox *tools, const char *lang,
                         size_t max)
{
    struct strbuf out = STRBUF(4096);
    size_t shown = 0;
    for (size_t i = 0; i < tools->engine_count; i++) {
        size_t count = 0;
        const struct speech_voice *voices =
            tools->engines[i].ops->voices(tools->engines[i].self, &count);
        for (size_t v = 0; v < count && shown < max; v++) {
            if (*lang && !lang_fits(voices[v].lang, lang))
                continue;
            strbuf_addf(&out, "%s%s", shown++ ? ", " : "", voices[v].name);
        }
    }
    return card_keep(doc, strbuf_take(&out));
}

/* "en, zh, ar, ..." of all voices, each once. */
static const char *spoken_langs(struct card_doc *doc, const struct toolbox *tools)
{
    struct strbuf out = STRBUF(4096);
    for (size_t i = 0; i < tools->engine_count; i++) {
        size_t count = 0;
        const struct speech_voice *voices =
            tools->engines[i].ops->voices(tools->engines[i].self, &count);
        for (size_t v = 0; v < count; v++) {
            char item[24];
            size_t primary = strcspn(voices[v].lang, "-");
            snprintf(item, sizeof(item), ", %.*s,", (int)MIN(primary, 8u), voices[v].lang);
            char seen[4200];
            snprintf(seen, sizeof(seen), ", %s,", strbuf_text(&out));
            if (!strstr(seen, item))
                strbuf_addf(&out, "%s%.*s", out.len ? ", " : "", (int)MIN(primary, 8u),
                            voices[v].lang);
        }
    }
    return card_keep(doc, strbuf_take(&out));
}

/* The line below an error that says what would have been possible. */
static void add_possible(struct card_doc *doc, struct command_ctx *ctx, const char *key)
{
    const char *lang = ctx->lang;
    if (strcmp(key, "make.unknown_setting") == 0 || strcmp(key, "make.bad_value") == 0 ||
        strcmp(key, "make.bad_aspect") == 0)
        card_line(doc, lang, "make.settings_list");
    else if (strcmp(key, "make.unknown_style") == 0)
        card_line(doc, lang, "make.possible", I18N_TEXT("list", card_list(doc, story_styles)));
    else if (strcmp(key, "make.unknown_script") == 0)
        card_line(doc, lang, "make.possible", I18N_TEXT("list", card_list(doc, story_scripts)));
    else if (strcmp(key, "make.unknown_mood") == 0)
        card_line(doc, lang, "make.possible_moods", I18N_TEXT("list", card_list(doc, story_moods)));
    else if (strcmp(key, "make.bad_lang") == 0 || strcmp(key, "make.no_voice_for_language") == 0)
        card_line(doc, lang, "make.possible",
                  I18N_TEXT("list", spoken_langs(doc, ctx->bot->tools)));
    else if (strcmp(key, "make.unknown_voice") == 0)
        card_line(doc, lang, "make.see_voices");
    else if (strcmp(key, "make.bad_seconds") == 0)
        card_line(doc, lang, "make.possible_seconds", I18N_NUM("max", ctx->bot->seconds_max));
}

bool reply_error(struct command_ctx *ctx, const struct err *what, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, what->user_key, I18N_TEXT("what", what->arg));
    add_possible(&doc, ctx, what->user_key);
    return reply_send(ctx, &doc, e);
}
