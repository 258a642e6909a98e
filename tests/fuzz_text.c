/* Any bytes as a person's text: scenes of valid one-line text, tokens in order, no word invented. */
#include <assert.h>

#include "core/base/arena.h"
#include "core/base/utf8.h"
#include "core/story/storyboard.h"
#include "core/story/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const langs[] = {"en", "zh", "ar", "th"};
    AUTO(arena_free) struct arena a = {0};
    AUTO(free_ptr) char *text = malloc(size + 1);
    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    const char *lang = langs[size % COUNT(langs)];
    AUTO(free_ptr) char *clean = text_clean(text);
    assert(utf8_valid(clean, strlen(clean)));
    size_t scenes, count, units = 0;
    const char **scene = text_scenes(&a, clean, lang, 150, &scenes);
    for (size_t i = 0; i < scenes; i++) {
        size_t len = strlen(scene[i]), end = 0;
        assert(len > 0 && len <= STORY_NARRATION_MAX && utf8_valid(scene[i], len));
        assert(!strchr(scene[i], '\n'));
        units += text_units(scene[i], "zh"); /* letters and digits */
        const struct text_token *t = text_tokens(&a, scene[i], lang, &count);
        for (size_t k = 0; k < count; k++) {
            assert(t[k].len > 0 && t[k].at >= end && t[k].at + t[k].len <= len);
            end = t[k].at + t[k].len;
        }
        assert(count > 0);
        text_terms(&a, scene[i], lang, 3, &count);
    }
    assert(units == text_units(clean, "zh"));
    text_script_lang(text);
    text_sentences(&a, text, lang, 40, &count);
    return 0;
}
