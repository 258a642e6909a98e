#include <strings.h>

#include <unicode/uchar.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

enum {
    QUIET_RMS = 60, /* of 32768; soft speech has ten times that */
    WINDOW_MS = 20,
    LOUD_PERCENT = 15, /* speech with long pauses has over 40 */
    WINDOW = 160,      /* bytes of text in which the next word must be found */
    SPACELESS = 0xE00  /* from Thai on: words may begin in the middle of a run of letters */
};

/* --- sound --- */

/* Clicks in silence are no voice: a good part of the sound must be loud. */
static bool has_sound(const struct utterance *u)
{
    const size_t window = (size_t)AZURE_RATE * WINDOW_MS / 1000;
    size_t loud = 0, all = 0;
    for (size_t at = 0; at < u->count; at += window, all++) {
        size_t end = MIN(at + window, u->count);
        double sum = 0;
        for (size_t i = at; i < end; i++)
            sum += (double)u->samples[i] * u->samples[i];
        loud += sum > (double)(end - at) * QUIET_RMS * QUIET_RMS;
    }
    return loud > 0 && loud * 100 >= all * LOUD_PERCENT;
}

bool azure_sound(const struct azure_turn *t, int64_t expected_ms, struct utterance *ret,
                 struct err *e)
{
    AUTO(utterance_free) struct utterance u = {.sample_rate = AZURE_RATE};
    const unsigned char *bytes = (const unsigned char *)t->audio.text;
    u.count = t->audio.len / 2; /* half a sample at the end is dropped */
    u.samples = calloc(u.count + 1, sizeof(*u.samples));
    u.events = calloc(t->event_count + 1, sizeof(*u.events));
    if (!u.samples || !u.events)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory for %zu samples", u.count);
    for (size_t i = 0; i < u.count; i++)
        u.samples[i] = (int16_t)(uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    for (size_t i = 0; i < t->event_count; i++)
        if (t->events[i].sample <= u.count)
            u.events[u.event_count++] =
                (struct wire_event){(uint32_t)i + 1, 1, t->events[i].sample};
    if (!utterance_trim(&u) || !has_sound(&u))
        return err_set(e, ERR_RETRY, "make.voice_failed", "azure: the voice stayed silent");
    int64_t ms = (int64_t)u.count * 1000 / AZURE_RATE;
    if (expected_ms > 2000 && ms < expected_ms / 5)
        return err_set(e, ERR_RETRY, "make.voice_failed", "azure: %lld ms of sound, about %lld due",
                       (long long)ms, (long long)expected_ms);
    *ret = u;
    u = (struct utterance){0};
    return true;
}

/* --- events to places in the text --- */

struct place {
    uint32_t event;  /* in u->events */
    size_t from, to; /* code points of the spoken text */
    uint32_t sample;
};

/* Bytes of `word` that are worth searching: no marks at its ends; only the first word of an event
   that holds the whole rest of the paragraph. */
static void trim_word(const char **word, size_t *len)
{
    const char *w = *word;
    size_t n = *len, at = 0, first = SIZE_MAX, end = 0;
    int spaces = 0;
    while (at < n) {
        size_t from = at;
        int32_t cp = utf8_next(w, n, &at);
        spaces += cp == ' ';
        if (!u_isalnum(cp) && u_charType(cp) != U_NON_SPACING_MARK &&
            u_charType(cp) != U_COMBINING_SPACING_MARK)
            continue;
        if (first == SIZE_MAX)
            first = from;
        end = at;
    }
    if (first == SIZE_MAX) {
        *len = 0;
        return;
    }
    *word = w + first;
    *len = end - first;
    const char *space = memchr(*word, ' ', *len);
    if (spaces > 3 && space)
        *len = (size_t)(space - *word);
    else if (spaces == 0 && *len > 36)
        *len = utf8_cut(*word, 12);
}

static bool begins_word(const struct spoken *s, size_t at)
{
    size_t before = at, next = at;
    if (at == 0)
        return true;
    do
        before--;
    while (before && ((unsigned char)s->text[before] & 0xC0) == 0x80);
    int32_t cp = utf8_next(s->text, s->len, &before);
    return !u_isalnum(cp) || cp >= SPACELESS || utf8_next(s->text, s->len, &next) >= SPACELESS;
}

/* Where the word stands next in the text, close behind `from`; SIZE_MAX: nowhere. */
static size_t find_word(const struct spoken *s, size_t from, const char *word, size_t len)
{
    if (len == 0 || len > s->len)
        return SIZE_MAX;
    size_t last = MIN(s->len - len, from + WINDOW);
    for (size_t at = from; at <= last; at++)
        if (strncasecmp(s->text + at, word, len) == 0 && begins_word(s, at))
            return at;
    return SIZE_MAX;
}

/* An event before the last that reaches the end of the text holds "the rest of the paragraph". */
static size_t first_word_of_rest(const struct spoken *s, size_t at, size_t len)
{
    const char *space = memchr(s->text + at, ' ', len);
    for (size_t next = at + len; next < s->len;)
        if (u_isalnum(utf8_next(s->text, s->len, &next)))
            return len;
    return space ? (size_t)(space - (s->text + at)) : len;
}

static size_t points_in(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static size_t find_places(const struct utterance *u, const struct azure_turn *t,
                          const struct spoken *s, struct place *places)
{
    size_t count = 0, at = 0, point = 0; /* `point` code points stand before byte `at` */
    for (size_t i = 0; i < u->event_count; i++) {
        const struct azure_event *event = &t->events[u->events[i].position - 1];
        const char *word = t->words.text + event->word;
        size_t len = event->len;
        trim_word(&word, &len);
        size_t found = find_word(s, at, word, len);
        if (found == SIZE_MAX || u->events[i].sample > u->count)
            continue;
        if (i + 1 < u->event_count)
            len = first_word_of_rest(s, found, len);
        point += points_in(s->text + at, found - at);
        size_t points = points_in(s->text + found, len);
        places[count++] = (struct place){(uint32_t)i, point, point + points, u->events[i].sample};
        point += points;
        at = found + len;
    }
    return count;
}

/* Keeps the longest run of places whose times never fall: one odd time must not cost the others. */
static size_t keep_rising(struct place *places, size_t count)
{
    AUTO(free_ptr) size_t *tail = calloc(count + 1, sizeof(*tail)); /* by length: its last place */
    AUTO(free_ptr) size_t *before = calloc(count + 1, sizeof(*before));
    size_t longest = 0;
    if (!tail || !before)
        return 0;
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = longest;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (places[tail[middle]].sample <= places[i].sample)
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? tail[low - 1] : SIZE_MAX;
        tail[low] = i;
        longest = MAX(longest, low + 1);
    }
    for (size_t i = longest ? tail[longest - 1] : SIZE_MAX, k = longest; k-- > 0; i = before[i])
        tail[k] = i;
    for (size_t k = 0; k < longest; k++)
        places[k] = places[tail[k]];
    return longest;
}

/* The share of the words that have a time of their own, and whether the times move at all. */
static bool places_are_good(const struct place *places, size_t count, const struct utterance *u,
                            const struct spoken *s, const struct text_token *tokens,
                            size_t token_count)
{
    size_t matched = 0, k = 0;
    for (size_t i = 0; i < token_count; i++) {
        while (k < count && s->origin[places[k].to - 1] < tokens[i].at)
            k++;
        matched += k < count && s->origin[places[k].from] < tokens[i].at + tokens[i].len;
    }
    if (matched * 2 < token_count)
        return false;
    if (count < 2)
        return true;
    /* Times that cover far less of the sound than their words do of the text. */
    double of_text = (double)(places[count - 1].from - places[0].from) / (double)s->count;
    double of_sound =
        (double)(places[count - 1].sample - places[0].sample) / (double)MAX(u->count, 1u);
    return of_sound > of_text / 3;
}

bool azure_times(struct utterance *u, const struct azure_turn *t, const struct spoken *s,
                 const char *text, const char *lang, struct speech_word **ret_words,
                 size_t *ret_count, struct err *e)
{
    AUTO(arena_free) struct arena a = {0};
    size_t token_count;
    const struct text_token *tokens = text_tokens(&a, text, lang, &token_count);
    AUTO(free_ptr) struct place *places = calloc(u->event_count + 1, sizeof(*places));
    if (!places)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory for word times");
    size_t count = keep_rising(places, find_places(u, t, s, places));
    if (!places_are_good(places, count, u, s, tokens, token_count)) {
        AUTO(spoken_free) struct spoken own = {0};
        return azure_spread(u, &own, text, lang, e) &&
               utterance_times(u, &own, text, lang, ret_words, ret_count, e);
    }
    for (size_t i = 0; i < count; i++)
        u->events[i] =
            (struct wire_event){(uint32_t)places[i].from + 1,
                                (uint32_t)(places[i].to - places[i].from), places[i].sample};
    u->event_count = count;
    return utterance_times(u, s, text, lang, ret_words, ret_count, e);
}
