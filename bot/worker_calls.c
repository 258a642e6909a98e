#define LOG_MODULE "bot"
#include "bot/worker_calls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bot/card.h"
#include "bot/film.h"
#include "bot/guard.h"
#include "bot/outbox.h"
#include "bot/reply.h"
#include "bot/status.h"
#include "bot/wire.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_ledger.h"
#include "core/video/video.h"

enum { NAMES_MAX = 500 }; /* bytes: a caption has room for little more */

static const char *job_lang(const struct job *job)
{
    return job->lang[0] ? job->lang : "en";
}

/* "Ada / Pexels https://…": the services want to be named and linked to. */
static void add_author(struct strbuf *names, const struct footage *f)
{
    char service[sizeof(f->provider)];
    char full[sizeof(f->author) + sizeof(f->provider) + sizeof(f->page) + 8];
    str_copy(service, sizeof(service), f->provider);
    service[strcspn(service, "_")] = '\0'; /* "pexels_photo" */
    if (service[0] >= 'a' && service[0] <= 'z')
        service[0] = (char)(service[0] - 'a' + 'A');
    snprintf(full, sizeof(full), "%s / %s %s", f->author, service, f->page);
    const char *credit = f->page[0] && names->len + strlen(full) < NAMES_MAX ? full : f->author;
    if (names->len + strlen(credit) < NAMES_MAX)
        strbuf_addf(names, "%s%s", names->len ? ", " : "", credit);
}

static const struct footage *nth_footage(const struct storyboard *story, size_t n)
{
    const struct scene *s = &story->scenes[n / 2];
    return n % 2 ? &s->second : &s->footage;
}

/* Names below the film: who made the pictures, when somebody has to be named. */
static void add_authors(struct card_doc *doc, const char *lang, const struct storyboard *story)
{
    struct strbuf names = STRBUF(600);
    for (size_t i = 0; i < 2 * story->scene_count; i++) {
        const struct footage *f = nth_footage(story, i);
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(nth_footage(story, k)->author, f->author) == 0;
        if (f->author[0] && !seen)
            add_author(&names, f);
    }
    if (names.len)
        card_line(doc, lang, "film.authors", I18N_TEXT("names", strbuf_text(&names)));
    strbuf_free(&names);
}

static void build_caption(struct bot *bot, struct card_doc *doc, const struct job *job,
                          const struct storyboard *story, const struct chat_video *video)
{
    const char *lang = job_lang(job);
    card_begin(doc, lang);
    if (story->caption)
        card_add_line(doc, story->caption);
    doc->card.title =
        card_excerpt(doc, video->title && video->title[0] ? video->title : job->topic, 80);
    card_line(
        doc, lang, "film.facts", I18N_TEXT("length", card_duration(doc, lang, video->duration_ms)),
        I18N_TEXT("size", card_bytes(doc, lang, video->bytes)),
        I18N_TEXT("picture", arena_printf(&doc->arena, "%d×%d", video->width, video->height)));
    if (story->fell_back)
        card_line(doc, lang, "film.fell_back");
    if (pipeline_other_voice(bot->tools, story))
        card_line(doc, lang, "film.other_voice");
    if (story->own_lost)
        card_line(doc, lang, "film.own_lost", I18N_NUM("count", story->own_lost));
    add_authors(doc, lang, story);
    bool buttons = bot_abilities(bot, job->addr.network)->buttons;
    const char *ref = buttons ? job->id : job_short(job->id);
    card_button(doc, lang, "button.again", false, "/again %s", ref);
    card_button(doc, lang, "button.remix", true, "/remix %s", ref);
    card_button(doc, lang, "button.dub", false, "/dub %s", ref);
    card_button(doc, lang, "button.subtitles", true, "/subtitles %s", ref);
}

/* A small picture beside the film, for networks that want one; without it the film still goes. */
static char *make_thumb(const struct chat_video *video, int side, const struct cancel *cancel)
{
    struct err e = {0};
    if (side <= 0 || !video->poster)
        return NULL;
    char *path = str_printf("%s.thumb", video->poster);
    if (video_thumb(video->poster, side, path, cancel, &e))
        return path;
    log_err(LOG_WARN, LOG_MODULE, &e);
    free(path);
    return NULL;
}

static bool deliver(void *data, const struct job *job, const struct storyboard *story,
                    const struct chat_video *video, const struct cancel *cancel,
                    char ret_ref[static CHAT_REF_MAX], struct err *e)
{
    struct bot *bot = data;
    const struct chat_adapter *adapter = bot_adapter(bot, job->addr.network);
    if (!adapter)
        return err_set(e, ERR_RETRY, "fail.no_network", "network %s is not served here",
                       job->addr.network);
    status_end(bot->status, job->id);
    AUTO(card_doc_free) struct card_doc doc;
    build_caption(bot, &doc, job, story, video);
    struct chat_video with = *video;
    with.id = job->id;
    with.caption = &doc.card;
    int side = bot_abilities(bot, job->addr.network)->thumb_side;
    AUTO(free_ptr) char *thumb = make_thumb(video, side, cancel);
    with.thumb = thumb;
    bool ok =
        adapter->ops->deliver(adapter->self, &job->addr, job->card_ref, &with, cancel, ret_ref, e);
    if (!ok && e->code == ERR_NOT_FOUND &&
        job->card_ref[0]) /* deleted, or of an earlier terminal */
        ok = adapter->ops->deliver(adapter->self, &job->addr, "", &with, cancel, ret_ref, e);
    if (thumb)
        unlink(thumb);
    return ok;
}

static int64_t price(void *data, const struct storyboard *story, int64_t duration_ms)
{
    return bot_story_price(data, story, duration_ms);
}

/* A line that tells what the person can do, when there is anything. */
static const char *advice_key(const struct job *job)
{
    static const struct {
        const char *fail_key, *advice;
    } advice[] = {
        {"make.too_long",              "advice.shorten"    },
        {"make.file_too_large",        "advice.shorten"    },
        {"make.no_voice_for_language", "advice.other_voice"},
        {"make.unknown_voice",         "advice.other_voice"},
        {"make.nothing_to_say",        "advice.other_words"},
        {"make.refused",               "advice.other_words"},
        {"guard.refused",              "advice.other_words"},
        {"guard.flagged",              "advice.other_words"},
        {"guard.script",               "advice.other_words"},
        {"error.disk",                 "advice.operator"   },
        {"start.disk_full",            "advice.operator"   },
        {"doctor.font",                "advice.operator"   },
    };
    for (size_t i = 0; i < COUNT(advice); i++)
        if (strcmp(advice[i].fail_key, job->fail_key) == 0)
            return advice[i].advice;
    return "advice.again";
}

static bool on_failed(struct db_tx *tx, void *data, const struct job *job, struct err *e)
{
    struct bot *bot = data;
    const char *lang = job_lang(job);
    bool cancelled = job->state == JOB_CANCELLED;
    status_end(bot->status, job->id);
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, lang);
    doc.card.title = card_excerpt(&doc, job->topic ? job->topic : "", 60);
    card_line(&doc, lang, cancelled ? "cancel.done" : "fail.title");
    if (!cancelled)
        card_line(&doc, lang, job->fail_key[0] ? job->fail_key : "error.internal",
                  I18N_TEXT("what", job->fail_arg));
    if (job->price > 0)
        card_line(&doc, lang, "fail.refunded", I18N_NUM("count", job->price));
    if (!cancelled && strcmp(job->fail_key, "guard.flagged") == 0 &&
        !guard_strike(tx, bot, job->account, lang, job->fail_arg, &doc, e))
        return false;
    if (!cancelled) {
        const char *ref = job_short(job->id);
        card_line(&doc, lang, advice_key(job),
                  I18N_TEXT("command", arena_printf(&doc.arena, "/again %s", ref)));
        card_line(&doc, lang, "fail.reference", I18N_TEXT("ref", ref));
        atomic_store(&bot->job_failed, true);
    }
    bool ok = outbox_put_edit(tx, &job->addr, &doc, job->id, true, e);
    outbox_wake(bot->outbox); /* may come before the commit; the sender looks each second anyway */
    return ok;
}

/* Perhaps words still arrive where films do not. */
static bool on_kept(struct db_tx *tx, void *data, const struct job *job, struct err *e)
{
    struct bot *bot = data;
    AUTO(card_doc_free) struct card_doc doc;
    status_end(bot->status, job->id);
    film_kept_card(&doc, job_lang(job), job);
    card_line(&doc, job_lang(job), "kept.where");
    bool ok = outbox_put_edit(tx, &job->addr, &doc, job->id, true, e);
    outbox_wake(bot->outbox);
    return ok;
}

static bool on_done(struct db_tx *tx, void *data, const struct job *job,
                    const struct chat_video *video, int64_t credits, struct err *e)
{
    struct bot *bot = data;
    const char *lang = job_lang(job);
    struct balance balance;
    if (job->is_resend)
        return true; /* whoever asked is looking */
    if (!ledger_balance(tx, job->account, &balance, e))
        return false;
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, lang);
    const char *used = card_text(&doc, lang, "ready.used", I18N_NUM("count", credits));
    const char *length = card_duration(&doc, lang, video->duration_ms);
    if (bot_is_overheard(bot, &job->addr)) /* what is left is nobody's business there */
        card_line(&doc, lang, "ready.overheard", I18N_TEXT("length", length),
                  I18N_TEXT("used", used));
    else
        card_line(&doc, lang, "ready.line", I18N_TEXT("length", length), I18N_TEXT("used", used),
                  I18N_TEXT("left", card_text(&doc, lang, "ready.left",
                                              I18N_NUM("count", balance.available))));
    bool ok = outbox_put(tx, &job->addr, &doc, NULL, NULL, false, e);
    outbox_wake(bot->outbox);
    return ok;
}

static void on_progress(void *data, const struct job *job, const struct pipeline_progress *p)
{
    struct bot *bot = data;
    status_progress(bot->status, job, p);
}

static bool own_footage(void *data, const struct job *job, const char *folder,
                        struct footage_source *ret, struct err *e)
{
    const struct chat_adapter *chat = bot_adapter(data, job->addr.network);
    if (!chat)
        return err_set(e, ERR_RETRY, "fail.no_network", "network %s is not served here",
                       job->addr.network);
    return wire_footage_own(chat, job, folder, ret, e);
}

struct worker_calls bot_worker_calls(struct bot *bot)
{
    return (struct worker_calls){
        .deliver = deliver,
        .price = price,
        .on_failed = on_failed,
        .on_kept = on_kept,
        .on_done = on_done,
        .own_footage = own_footage,
        .on_progress = on_progress,
        .ctx = bot,
    };
}
