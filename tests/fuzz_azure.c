/* Frames as a hostile or broken speech service would send them: a turn takes them in, sound and word
   times come out in order and within bounds. Input: a text, then frames, each led by its kind ('t' or
   'b') and ended by the bytes "\n\x01\n". */
#include <assert.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 400 };

/* The words of `text` lie in it in order, and in the sound. */
static void look_at(const struct speech_word *words, size_t count, size_t text_len, int length_ms)
{
    size_t reached = 0;
    int last = 0;
    for (size_t i = 0; i < count; i++) {
        assert(words[i].at >= reached && words[i].at + words[i].len <= text_len);
        assert(words[i].start_ms >= last && words[i].end_ms >= words[i].start_ms);
        assert(words[i].end_ms <= length_ms + 1);
        reached = words[i].at + words[i].len;
        last = words[i].start_ms;
    }
}

static void times_of(const struct azure_turn *t, const char *text, const char *lang)
{
    AUTO(utterance_free) struct utterance u = {0};
    AUTO(free_ptr) struct speech_word *words = NULL;
    AUTO(spoken_free) struct spoken s;
    struct err e = {0};
    size_t count = 0;
    azure_spoken_make(&s, text, lang);
    if (s.has_words && azure_sound(t, 0, &u, &e)) {
        assert(azure_times(&u, t, &s, text, lang, &words, &count, &e));
        look_at(words, count, strlen(text), (int)(u.count * 1000 / AZURE_RATE));
    }
}

/* Cuts one piece off; returns its length. */
static size_t piece(const char **at, size_t *left, const char **ret)
{
    const char *end = memmem(*at, *left, "\n\x01\n", 3);
    size_t len = end ? (size_t)(end - *at) : *left, used = end ? len + 3 : len;
    *ret = *at;
    *at += used;
    *left -= used;
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const langs[] = {"en", "zh", "ar", "th"};
    const char *at = (const char *)data, *part;
    struct azure_turn t;
    char text[TEXT_MAX + 1];
    size_t left = size, len = piece(&at, &left, &part);
    len = MIN(len, TEXT_MAX);
    memcpy(text, part, len);
    text[len] = '\0';
    utf8_clean(text);
    azure_turn_init(&t);
    memset(t.id, 'A', AZURE_ID - 1);
    t.audio.max = 1 << 20;
    while (left) {
        len = piece(&at, &left, &part);
        if (len)
            azure_turn_take(&t, part + 1, len - 1, part[0] == 't');
    }
    assert(t.event_count <= AZURE_EVENTS_MAX && t.audio.len <= t.audio.max);
    for (size_t i = 0; i < t.event_count; i++)
        assert(t.events[i].word + t.events[i].len <= t.words.len);
    times_of(&t, text, langs[size % COUNT(langs)]);
    azure_turn_free(&t);
    return 0;
}
