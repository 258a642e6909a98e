/* Cleaned once, for voice and captions: what is shown is said, and what is said is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unicode/uchar.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

static const struct {
    const char *lang, *raw, *clean, *why;
    bool local; /* the local voice has this language, too */
} rows[] = {
    {"en", "# Tides\n\nThe **moon** & the [sea](https://example.org/a_b) 🌙 rise 3.5 % by 2024.",
     "Tides\nThe moon & the sea 🌙 rise 3.5 % by 2024.",                                                                                                                                                                                                   "markdown, link, sign, emoji, numbers",
     true                                                                                                                                                                                                                                                                                                      },
    {"en", "Isn't it *great*? See www.example.org/x now: #ocean!",
     "Isn't it great? See now: ocean!",                                                                                                                                                                                                                      "apostrophe, bare address, hashtag",         true },
    {"zh", "## 潮汐\n**月亮**每天吸引海水2次 🌊，约12小时（https://example.org/a）。",
     "潮汐\n月亮每天吸引海水2次 🌊，约12小时。",                                                                                                                                                                                           "full-width brackets around a link",         true },
    {"ar", "**القمر** يجذب `البحر` 🌊 مرتين كل 24 ساعة، انظر https://example.org/a_b الآن.",
     "القمر يجذب البحر 🌊 مرتين كل 24 ساعة، انظر الآن.",                                                                                                                                                                 "right to left with a link inside",          true },
    {"hi", "**चाँद** समुद्र को दिन में 2 बार 🌊 खींचता है। https://example.org/a",
     "चाँद समुद्र को दिन में 2 बार 🌊 खींचता है।",                                                                                                                                             "marks inside words stay",                   true },
    {"th", "**ดวงจันทร์**ดึงดูดน้ำทะเลวันละ 2 ครั้ง 🌊",                       "ดวงจันทร์ดึงดูดน้ำทะเลวันละ 2 ครั้ง 🌊",
     "words without spaces",                                                                                                                                                                                                                                                                              false},
    {"ja", "**月**は1日に2回🌊海を引きます。https://example.org/a",                                                                "月は1日に2回🌊海を引きます。",
     "three scripts in a sentence",                                                                                                                                                                                                                                                                       false},
    {"de", "- Der *Mond* zieht ~~nie~~ 2× am Tag & zu 100 % 🌙.",
     "Der Mond zieht nie 2× am Tag & zu 100 % 🌙.",                                                                                                                                                                                                       "a list item, struck words are still words",
     true                                                                                                                                                                                                                                                                                                      },
    {"fa", "**می‌رود** و 2 بار بالا می‌آید 🌊",
     "می‌رود و 2 بار بالا می‌آید 🌊",                                                                                                                                                                                                "joiners shape words",                       true },
    {"en", "Family 👨‍👩‍👧 and flag 🇩🇪 and thumb 👍🏽 end.",
     "Family 👨‍👩‍👧 and flag 🇩🇪 and thumb 👍🏽 end.",                                                                                                                                                                                  "emoji of several characters are silent",    true },
};

static bool has_word(const char *text, const struct text_token *t)
{
    for (size_t at = t->at; at < t->at + t->len;)
        if (u_isalnum(utf8_next(text, t->at + t->len, &at)))
            return true;
    return false;
}

/* Which token holds this byte; count: none. */
static size_t token_of(const struct text_token *tokens, size_t count, size_t byte)
{
    size_t i = 0;
    while (i < count && tokens[i].at + tokens[i].len <= byte)
        i++;
    return i < count && tokens[i].at <= byte ? i : count;
}

static void compare(const char *engine, const char *why, const char *shown, const char *lang,
                    const struct spoken *s)
{
    AUTO(arena_free) struct arena a = {0};
    size_t count;
    const struct text_token *tokens = text_tokens(&a, shown, lang, &count);
    AUTO(free_ptr) bool *said = calloc(count + 1, sizeof(*said));
    assert_non_null(said);
    for (size_t at = 0, k = 0; at < s->len; k++) {
        int32_t cp = utf8_next(s->text, s->len, &at);
        size_t token = token_of(tokens, count, s->origin[k]);
        if (u_isalnum(cp) && token == count)
            fail_msg("%s, %s: something is said that no caption has: %s", engine, why, s->text);
        said[token] |= u_isalnum(cp);
        if (text_is_emoji(cp) || strchr("*`#~", cp < 0x80 ? cp : ' '))
            fail_msg("%s, %s: a mark is left for the voice: %s", engine, why, s->text);
    }
    for (size_t i = 0; i < count; i++)
        if (has_word(shown, &tokens[i]) && !said[i])
            fail_msg("%s, %s: \"%.*s\" is shown and not said: %s", engine, why, (int)tokens[i].len,
                     shown + tokens[i].at, s->text);
}

static void voice_and_captions_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *clean = text_clean(rows[i].raw);
        AUTO(free_ptr) char *again = text_clean(clean);
        AUTO(spoken_free) struct spoken service = {0}, local = {0};
        if (strcmp(clean, rows[i].clean) != 0)
            fail_msg("%s\n   got: %s\n  want: %s", rows[i].why, clean, rows[i].clean);
        assert_string_equal(again, clean);
        azure_spoken_make(&service, clean, rows[i].lang);
        compare("azure", rows[i].why, clean, rows[i].lang, &service);
        spoken_make(&local, clean, rows[i].lang);
        if (rows[i].local)
            compare("espeak", rows[i].why, clean, rows[i].lang, &local);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(voice_and_captions_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
