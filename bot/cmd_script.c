/*
 * /script: the script before any credit is held, and everything that can be done with it. A draft is
 * a quoted job whose storyboard has scenes; whoever replies to its card, or types `/script` with the
 * number of a scene, changes it.
 */
#include <stdlib.h>
#include <string.h>

#include "bot/command.h"
#include "bot/guard.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "bot/script_card.h"
#include "core/base/strbuf.h"
#include "core/db/store_draft.h"
#include "core/story/story_edit.h"

/* --- words --- */

#define WIDE_COLON "\xEF\xBC\x9A" /* U+FF1A, as a Chinese keyboard types it */

/* Takes `word` off the front of *at when a blank or the end follows. */
static bool take_word(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncasecmp(*at, word, len) != 0)
        return false;
    char behind = (*at)[len];
    if (behind != '\0' && behind != ' ' && behind != '\n')
        return false;
    *at += len;
    *at += strspn(*at, " \n");
    return true;
}

/* "3 ", "3:", "3." at the front: the number, else 0. *ret_colon: with a colon behind it, narrow or wide. */
static int take_number(const char **at, bool *ret_colon)
{
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 3)
        return 0;
    int number = (int)strtol(*at, NULL, 10);
    const char *end = *at + digits;
    size_t mark = *end == ':' || *end == '.' || *end == ')' ? 1
                  : str_starts(end, WIDE_COLON)             ? 3
                                                            : 0;
    *ret_colon = mark == 3 || *end == ':';
    if (!mark && *end != ' ' && *end != '\n' && *end != '\0')
        return 0;
    end += mark;
    *at = end + strspn(end, " \n");
    return number;
}

/* --- what is done with a draft --- */

struct target {
    struct job job;
    struct storyboard story;
    enum draft_turn turn; /* a script is being written for it, its words are judged */
    bool named; /* by a reply to its card or its number: what follows is a wish, not a topic */
};

static void target_free(struct target *t)
{
    job_free(&t->job);
    storyboard_free(&t->story);
}

static bool target_open(struct command_ctx *ctx, const char *id, struct target *t, struct err *e)
{
    bool is_draft = false;
    return job_get(ctx->tx, id, &t->job, e) && draft_look(ctx->tx, id, &is_draft, &t->turn, e) &&
           storyboard_from_json(t->job.story, strlen(t->job.story), &t->story, e);
}

/* The card is where the person looks: on it after a button or a reply, else below what was typed. */
static bool show(struct command_ctx *ctx, const struct job *job, const struct card_doc *doc,
                 struct err *e)
{
    const char *card = ctx->event->card_ref;
    return reply_job_card(ctx, doc, job->id, card ? card : "", e);
}

static bool show_script(struct command_ctx *ctx, struct target *t, int from, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    if (t->turn != DRAFT_RESTS) {
        if (t->turn == DRAFT_WRITING)
            script_wait_card(ctx->bot, &t->job, &doc);
        else
            quote_check_card(&doc, &t->job, ctx->abilities->buttons);
        return show(ctx, &t->job, &doc, e);
    }
    if (t->story.scene_count == 0)
        return err_set(e, ERR_NOT_FOUND, "script.none", "no script of job %s", t->job.id);
    card_begin(&doc, ctx->lang);
    return script_card(ctx->tx, ctx->bot, &t->job, &t->story, from, &doc, e) &&
           show(ctx, &t->job, &doc, e);
}

/* Orders a script for a quoted job and says so. */
static bool order(struct command_ctx *ctx, const struct job *job, const char *wish, struct err *e)
{
    enum draft_ask asked = DRAFT_ASKED;
    const struct bot *bot = ctx->bot;
    if (!guard_words(bot, wish, e) ||
        !draft_ask(ctx->tx, job->id, wish, &bot->draft_limits, &asked, e))
        return false;
    if (asked == DRAFT_BUSY)
        return err_set(e, ERR_LIMIT, "script.busy", "scripts at once");
    if (asked == DRAFT_USED_UP) {
        char most[16];
        snprintf(most, sizeof(most), "%d", bot->draft_limits.per_day);
        return err_set_arg(e, ERR_LIMIT, "script.used_up", most, "scripts a day");
    }
    AUTO(card_doc_free) struct card_doc doc;
    script_wait_card(bot, job, &doc);
    ctx->after.script_ordered = true;
    return show(ctx, job, &doc, e);
}

static bool must_be_quoted(const struct job *job, struct err *e)
{
    return job->state == JOB_QUOTED ||
           err_set(e, ERR_CONFLICT, "make.quote_gone", "script of job %s is no draft", job->id);
}

static bool must_be_still(const struct target *t, struct err *e)
{
    if (!must_be_quoted(&t->job, e) || !draft_must_rest(t->turn, e))
        return false;
    return t->story.scene_count > 0 ||
           err_set(e, ERR_NOT_FOUND, "script.none", "no script of job %s", t->job.id);
}

/* "2: words", "2: search: words"; where the draft is named also without the colon. Typed beside it only a
   colon makes the number a scene's: "5 reasons", "3. Liga" are topics. */
static bool edit_scene(struct target *t, const char *at, bool *ret_known, struct err *e)
{
    bool colon = false;
    int scene = take_number(&at, &colon);
    *ret_known = scene >= 1 && (t->named || colon) && *at;
    if (!*ret_known)
        return true;
    if (!must_be_still(t, e))
        return false;
    return str_starts(at, "search:") ? story_edit_terms(&t->story, scene, at + strlen("search:"), e)
                                     : story_edit_text(&t->story, scene, at, e);
}

/* "drop 2", "move 3 1", "add 2 words", or a scene's words. *ret_known false: no such. */
static bool edit(struct target *t, const char *words, bool *ret_known, struct err *e)
{
    bool colon = false;
    const char *at = words;
    bool drop = take_word(&at, "drop"), move = !drop && take_word(&at, "move");
    bool add = !drop && !move && take_word(&at, "add");
    if (!drop && !move && !add)
        return edit_scene(t, words, ret_known, e);
    int scene = take_number(&at, &colon), to = move ? take_number(&at, &colon) : scene;
    *ret_known = scene > 0 && to > 0 && (*at != '\0') == add;
    if (!*ret_known)
        return true;
    if (!must_be_still(t, e))
        return false;
    return drop   ? story_edit_drop(&t->story, scene, e)
           : move ? story_edit_move(&t->story, scene, to, e)
                  : story_edit_add(&t->story, scene, at, e);
}

/* Which scene there is not, and how many there are. */
static bool say_no_scene(struct command_ctx *ctx, const struct target *t, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, "script.no_scene", I18N_TEXT("what", arena_dup(&doc.arena, e->arg)));
    card_line(&doc, ctx->lang, "script.scene_count",
              I18N_NUM("count", (int64_t)t->story.scene_count));
    return reply_send(ctx, &doc, e);
}

/* The words after the draft's name. *ret_known false: they are no such wish. */
static bool act(struct command_ctx *ctx, struct target *t, const char *words, bool *ret_known,
                struct err *e)
{
    bool colon = false;
    const char *at = words;
    *ret_known = true;
    if (!*at)
        return show_script(ctx, t, 1, e);
    if (strcasecmp(at, "go") == 0) /* pressed twice: the same answer twice */
        return (t->turn == DRAFT_CHECKING || must_be_still(t, e)) && quote_go(ctx, &t->job, e);
    if (strcasecmp(at, "cancel") == 0) {
        ctx->args = arena_dup(&ctx->arena, t->job.id);
        return cmd_cancel(ctx, e);
    }
    if (strcasecmp(at, "first") == 0 && t->story.scene_count == 0)
        return must_be_quoted(&t->job, e) && order(ctx, &t->job, "", e);
    if (strcasecmp(at, "first") == 0) /* pressed twice */
        return must_be_quoted(&t->job, e) && show_script(ctx, t, 1, e);
    if (take_word(&at, "rewrite"))
        return must_be_quoted(&t->job, e) && order(ctx, &t->job, at, e);
    if (take_word(&at, "show")) {
        int from = take_number(&at, &colon);
        if (!*at)
            return show_script(ctx, t, from, e);
    }
    if (!guard_words(ctx->bot, words, e))
        return false;
    if (!edit(t, words, ret_known, e))
        return strcmp(e->user_key, "script.no_scene") == 0 && say_no_scene(ctx, t, e);
    return !*ret_known ||
           (script_store(ctx->tx, ctx->bot, &t->job, &t->story, e) && show_script(ctx, t, 1, e));
}

/* --- commands --- */

/* The draft that is named, replied to, or the newest; id "" when there is none. *ret_words moves
   behind a name. */
static bool find_target(struct command_ctx *ctx, const char **ret_words, char ret[static UUID_TEXT],
                        bool *ret_named, struct err *e)
{
    char name[UUID_TEXT];
    size_t len = strcspn(*ret_words, " \n");
    bool hex = strspn(*ret_words, "0123456789abcdefABCDEF-") == len;
    *ret_named = false;
    if (hex && (len == JOB_SHORT - 1 || len == UUID_TEXT - 1)) {
        AUTO(job_free) struct job job = {0};
        struct err ignored = {0};
        snprintf(name, sizeof(name), "%.*s", (int)len, *ret_words);
        if (job_find(ctx->tx, ctx->account.id, name, &job, &ignored)) {
            str_copy(ret, UUID_TEXT, job.id);
            *ret_words += len;
            *ret_words += strspn(*ret_words, " \n");
            *ret_named = true;
            return true;
        }
        if (ignored.code != ERR_NOT_FOUND) {
            *e = ignored;
            return false;
        }
        if (len == UUID_TEXT - 1)
            return err_set_arg(e, ERR_NOT_FOUND, "error.no_job", name, "script of no job");
    }
    const char *card =
        ctx->event->card_ref && ctx->event->card_ref[0] ? ctx->event->card_ref : NULL;
    if (card && !draft_find(ctx->tx, ctx->account.id, card, ret, e))
        return false;
    *ret_named = card && ret[0];
    return *ret_named || draft_find(ctx->tx, ctx->account.id, NULL, ret, e);
}

static bool new_script(struct command_ctx *ctx, const char *words, struct err *e)
{
    char id[UUID_TEXT];
    AUTO(job_free) struct job job = {0};
    if (!*words && !(ctx->event->quoted && ctx->event->quoted[0]))
        return err_set(e, ERR_INPUT, "script.how", "no topic");
    return quote_order(ctx, words, id, e) && job_get(ctx->tx, id, &job, e) &&
           order(ctx, &job, "", e);
}

bool cmd_script(struct command_ctx *ctx, struct err *e)
{
    AUTO(target_free) struct target t = {0};
    const char *words = ctx->args;
    char id[UUID_TEXT] = "";
    bool named = false, known = false;
    words += strspn(words, " \n");
    if (take_word(&words, "new"))
        return new_script(ctx, words, e);
    if (!find_target(ctx, &words, id, &named, e))
        return false;
    t.named = named;
    if (id[0] && (!target_open(ctx, id, &t, e) || !act(ctx, &t, words, &known, e)))
        return false;
    if (known)
        return true;
    return named ? err_set(e, ERR_INPUT, "script.how_reply", "not understood")
                 : new_script(ctx, words, e);
}

bool script_reply(struct command_ctx *ctx, bool *ret_taken, struct err *e)
{
    AUTO(target_free) struct target t = {0};
    char id[UUID_TEXT] = "";
    const char *card = ctx->event->card_ref;
    const char *words = ctx->event->text + strspn(ctx->event->text, " \n");
    bool known = false;
    *ret_taken = false;
    if (!card || !card[0] || ctx->event->kind != CHAT_LINE || *words == '/' || *words == '\0')
        return true;
    if (!draft_find(ctx->tx, ctx->account.id, card, id, e))
        return false;
    if (!id[0])
        return true;
    *ret_taken = t.named = true;
    if (!guard_account(ctx, e) || !target_open(ctx, id, &t, e) || !act(ctx, &t, words, &known, e))
        return false;
    return known || err_set(e, ERR_INPUT, "script.how_reply", "reply not understood");
}
