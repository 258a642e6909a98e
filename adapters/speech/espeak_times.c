#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include <unicode/uchar.h>

#include "adapters/speech/espeak_parts.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

/* Below this the voice is silent: its breath and echo are quieter, its softest consonants not. */
enum { SILENT = 90, HEAD_MS = 10, TAIL_MS = 40, FADE_MS = 4, GAP_MS = 90, AFTER_MS = 30 };

static size_t samples_of(const struct utterance *u, int ms)
{
    return (size_t)ms * u->sample_rate / 1000;
}

static bool is_loud(const struct utterance *u, size_t i)
{
    return u->samples[i] > SILENT || u->samples[i] < -SILENT;
}

bool utterance_trim(struct utterance *u)
{
    size_t first = 0, end = u->count;
    while (first < end && !is_loud(u, first))
        first++;
    while (end > first && !is_loud(u, end - 1))
        end--;
    if (first == end)
        return false;
    first -= MIN(first, samples_of(u, HEAD_MS));
    end = MIN(u->count, end + samples_of(u, TAIL_MS));
    u->count = end - first;
    memmove(u->samples, u->samples + first, u->count * sizeof(*u->samples));
    for (size_t i = 0; i < u->event_count; i++)
        u->events[i].sample -= MIN(u->events[i].sample, (uint32_t)first);
    size_t fade = MIN(samples_of(u, FADE_MS), u->count / 2);
    for (size_t i = 0; i < fade; i++) {
        u->samples[i] = (int16_t)(u->samples[i] * (int)i / (int)fade);
        size_t tail = u->count - 1 - i;
        u->samples[tail] = (int16_t)(u->samples[tail] * (int)i / (int)fade);
    }
    return true;
}

/* --- events to words --- */

/* A token of the text on its way to a time. */
struct slot {
    size_t at, end, letter; /* bytes; letter: its first letter or digit */
    int weight;             /* letters and digits: how long it takes among its neighbours */
    int64_t sample;         /* -1: not known yet */
    bool exact;             /* from an event at the very start of the word */
};

static struct slot slot_make(const char *text, const struct text_token *t)
{
    struct slot s = {.at = t->at, .end = t->at + t->len, .letter = SIZE_MAX, .sample = -1};
    for (size_t at = s.at; at < s.end;) {
        size_t from = at;
        if (!u_isalnum(utf8_next(text, s.end, &at)))
            continue;
        s.weight++;
        if (s.letter == SIZE_MAX)
            s.letter = from;
    }
    if (s.letter == SIZE_MAX)
        s.letter = s.at;
    return s;
}

static struct slot *slot_find(struct slot *slots, size_t count, size_t byte)
{
    size_t low = 0, high = count;
    while (low < high) { /* first slot that ends after byte */
        size_t middle = (low + high) / 2;
        if (slots[middle].end > byte)
            high = middle;
        else
            low = middle + 1;
    }
    return low < count && slots[low].at <= byte ? &slots[low] : NULL;
}

/* Numbers and short forms give several events, some at wrong places: an event at the start of a
   word counts more than one inside it, and the first of a kind more than later ones. */
static void slots_take_events(struct slot *slots, size_t count, const struct utterance *u,
                              const struct spoken *s)
{
    for (size_t i = 0; i < u->event_count; i++) {
        const struct wire_event *event = &u->events[i];
        if (event->length == 0 || event->position < 1 || event->position > s->count ||
            event->sample > u->count)
            continue;
        size_t byte = s->origin[event->position - 1];
        struct slot *slot = slot_find(slots, count, byte);
        if (!slot)
            continue;
        bool exact = byte <= slot->letter;
        if (slot->sample < 0 || (exact && !slot->exact)) {
            slot->sample = event->sample;
            slot->exact = exact;
        }
    }
}

/* Times must not fall: first the sure ones are held against each other, then the rest against
   them. */
static void slots_drop_unordered(struct slot *slots, size_t count)
{
    int64_t last = 0;
    for (size_t i = 0; i < count; i++)
        if (slots[i].exact && slots[i].sample < last)
            slots[i].sample = -1;
        else if (slots[i].exact)
            last = slots[i].sample;
    int64_t next = INT64_MAX;
    for (size_t i = count; i-- > 0;)
        if (slots[i].sample >= 0 && slots[i].exact)
            next = slots[i].sample;
        else if (slots[i].sample > next)
            slots[i].sample = -1;
    last = 0;
    for (size_t i = 0; i < count; i++)
        if (slots[i].sample >= 0 && slots[i].sample < last)
            slots[i].sample = -1;
        else if (slots[i].sample >= 0)
            last = slots[i].sample;
}

/* Words without a time share the time up to the next known one by their length. */
static void slots_fill(struct slot *slots, size_t count, int64_t end)
{
    int64_t from = 0; /* time of the last known word, which shares too */
    for (size_t i = 0; i < count; i++) {
        if (slots[i].sample >= 0) {
            from = slots[i].sample;
            continue;
        }
        size_t next = i;
        int64_t total = i ? slots[i - 1].weight : 0, passed = total;
        for (; next < count && slots[next].sample < 0; next++)
            total += slots[next].weight;
        int64_t until = next < count ? slots[next].sample : end;
        for (size_t k = i; k < next; k++) {
            slots[k].sample = from + (total ? (until - from) * passed / total : 0);
            passed += slots[k].weight;
        }
        i = next - 1;
        from = slots[i].sample;
    }
}

/* Where the voice falls silent before sample `end`, looking back no further than `start`. */
static int64_t voice_end(const struct utterance *u, int64_t start, int64_t end)
{
    int64_t at = MIN(end, (int64_t)u->count);
    while (at > start && !is_loud(u, (size_t)at - 1))
        at--;
    if (at == start || end - at < (int64_t)samples_of(u, GAP_MS))
        return end;
    return MIN(end, at + (int64_t)samples_of(u, AFTER_MS));
}

static int ms_of(const struct utterance *u, int64_t sample)
{
    return (int)(sample * 1000 / u->sample_rate);
}

bool utterance_times(const struct utterance *u, const struct spoken *s, const char *text,
                     const char *lang, struct speech_word **ret_words, size_t *ret_count,
                     struct err *e)
{
    AUTO(arena_free) struct arena a = {0};
    size_t count;
    const struct text_token *tokens = text_tokens(&a, text, lang, &count);
    AUTO(free_ptr) struct slot *slots = calloc(count + 1, sizeof(*slots));
    AUTO(free_ptr) struct speech_word *words = calloc(count + 1, sizeof(*words));
    if (!slots || !words)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory for %zu words", count);
    for (size_t i = 0; i < count; i++)
        slots[i] = slot_make(text, &tokens[i]);
    slots_take_events(slots, count, u, s);
    slots_drop_unordered(slots, count);
    slots_fill(slots, count, (int64_t)u->count);
    for (size_t i = 0; i < count; i++) {
        int64_t next = i + 1 < count ? slots[i + 1].sample : (int64_t)u->count;
        words[i] = (struct speech_word){
            .at = slots[i].at,
            .len = slots[i].end - slots[i].at,
            .start_ms = ms_of(u, slots[i].sample),
            .end_ms = ms_of(u, voice_end(u, slots[i].sample, next)),
        };
    }
    *ret_words = TAKE(words);
    *ret_count = count;
    return true;
}

/* --- the file --- */

static void put_le(unsigned char *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static void wav_header(const struct utterance *u, unsigned char ret[static 44])
{
    uint32_t bytes = (uint32_t)(u->count * sizeof(*u->samples));
    memset(ret, 0, 44);
    memcpy(ret, "RIFF", 4);
    put_le(ret + 4, 36 + bytes, 4);
    memcpy(ret + 8, "WAVEfmt ", 8);
    put_le(ret + 16, 16, 4); /* size of what follows in this part */
    put_le(ret + 20, 1, 2);  /* PCM */
    put_le(ret + 22, 1, 2);  /* channels */
    put_le(ret + 24, u->sample_rate, 4);
    put_le(ret + 28, u->sample_rate * 2, 4); /* bytes a second */
    put_le(ret + 32, 2, 2);                  /* bytes a sample */
    put_le(ret + 34, 16, 2);                 /* bits a sample */
    memcpy(ret + 36, "data", 4);
    put_le(ret + 40, bytes, 4);
}

bool utterance_save(const struct utterance *u, const char *path, struct err *e)
{
    static atomic_uint serial; /* two jobs may speak the same scene for the same cache at once */
    AUTO(free_ptr)
    char *part = str_printf("%s.%d-%u.part", path, (int)getpid(), atomic_fetch_add(&serial, 1));
    unsigned char header[44];
    wav_header(u, header);
    FILE *f = fopen(part, "wbe");
    if (!f)
        return err_set_io(e, errno, part, "create");
    bool ok = fwrite(header, sizeof(header), 1, f) == 1 &&
              fwrite(u->samples, sizeof(*u->samples), u->count, f) == u->count;
    int why = errno;
    if (fclose(f) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (!ok) {
        unlink(part);
        return err_set_io(e, why, part, "write");
    }
    if (fs_publish(part, path, e))
        return true;
    unlink(part);
    return false;
}
