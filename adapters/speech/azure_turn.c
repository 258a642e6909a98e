#include <math.h>

#include "adapters/speech/azure_parts.h"
#include "core/net/json.h"

void azure_turn_init(struct azure_turn *t)
{
    *t = (struct azure_turn){.audio = STRBUF(AZURE_AUDIO_MAX), .words = STRBUF(AZURE_WORDS_MAX)};
    azure_id_make(t->id);
}

void azure_turn_free(struct azure_turn *t)
{
    strbuf_free(&t->audio);
    strbuf_free(&t->words);
    free(t->events);
    t->events = NULL;
    t->event_count = t->event_room = 0;
}

static void add_event(struct azure_turn *t, double ticks, const char *word)
{
    size_t len = strlen(word);
    /* Ticks pass 31 bits after 214 s, and may be anything. */
    if (!isfinite(ticks) || ticks < 0 || ticks > AZURE_SECONDS_MAX * 1e7 || len == 0 ||
        t->event_count >= AZURE_EVENTS_MAX || t->words.len + len >= AZURE_WORDS_MAX)
        return;
    if (t->event_count == t->event_room) {
        size_t room = MAX(64u, 2 * t->event_room);
        struct azure_event *bigger = realloc(t->events, room * sizeof(*bigger));
        if (!bigger)
            return; /* a word without a time: the neighbours give it one */
        t->events = bigger;
        t->event_room = room;
    }
    t->events[t->event_count++] =
        (struct azure_event){.sample = (uint32_t)(ticks * AZURE_RATE / 1e7),
                             .word = (uint32_t)t->words.len,
                             .len = (uint32_t)len};
    strbuf_adds(&t->words, word);
}

/* False: unreadable. */
static bool take_metadata(struct azure_turn *t, const struct azure_frame *f)
{
    static const struct json_limits limits = {.bytes = 1 << 20, .depth = 16, .nodes = 100000};
    AUTO(json_free) cJSON *doc = NULL;
    struct err ignored = {0};
    const cJSON *item;
    if (!json_parse(f->body, f->len, &limits, &doc, &ignored))
        return false;
    cJSON_ArrayForEach(item, json_array(doc, "Metadata"))
    {
        const cJSON *data = json_object(item, "Data");
        const cJSON *word = json_object(data, "text");
        double ticks;
        if (strcmp(json_text(item, "Type", ""), "WordBoundary") != 0 ||
            strcmp(json_text(word, "BoundaryType", "WordBoundary"), "WordBoundary") != 0 ||
            !json_real(data, "Offset", &ticks))
            continue;
        add_event(t, ticks, json_text(word, "Text", ""));
    }
    return true;
}

void azure_turn_take(struct azure_turn *t, const char *bytes, size_t len, bool is_text)
{
    struct azure_frame f;
    if (t->state != AZURE_TURN_OPEN || !azure_frame_read(bytes, len, is_text, &f) ||
        strcmp(f.id, t->id) != 0)
        return;
    if (!is_text && strcmp(f.path, "audio") == 0) {
        strbuf_add(&t->audio, f.body, f.len);
        if (t->audio.failed)
            t->state = AZURE_TURN_BROKEN;
    } else if (is_text && strcmp(f.path, "audio.metadata") == 0) {
        if (!take_metadata(t, &f))
            return;
    } else if (is_text && strcmp(f.path, "turn.end") == 0) {
        t->state = AZURE_TURN_DONE;
    } else if (!is_text || (strcmp(f.path, "turn.start") != 0 && strcmp(f.path, "response") != 0)) {
        return; /* unknown: no sign of life either */
    }
    t->frames++;
}
