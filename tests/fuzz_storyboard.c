/* Any bytes: a storyboard within its bounds that survives a round trip, or a named fault. */
#include <assert.h>

#include "core/base/utf8.h"
#include "core/story/storyboard.h"

static void check(const struct storyboard *s)
{
    assert(s->scene_count <= STORY_SCENES_MAX);
    for (size_t i = 0; i < s->scene_count; i++) {
        const struct scene *it = &s->scenes[i];
        size_t len = strlen(it->narration), end = 0;
        assert(len <= STORY_NARRATION_MAX && utf8_valid(it->narration, len));
        assert(it->term_count <= STORY_TERMS_MAX);
        for (size_t w = 0; w < it->speech.word_count; w++) {
            const struct speech_word *word = &it->speech.words[w];
            assert(word->at >= end && word->at + word->len <= len);
            assert(word->start_ms <= word->end_ms && word->end_ms <= it->speech.duration_ms);
            end = word->at + word->len;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    AUTO(storyboard_free) struct storyboard s = {0};
    AUTO(storyboard_free) struct storyboard back = {0};
    if (!storyboard_from_json((const char *)data, size, &s, &e)) {
        assert(e.code != ERR_NONE && e.arg[0]);
        return 0;
    }
    check(&s);
    AUTO(free_ptr) char *json = NULL;
    AUTO(free_ptr) char *again = NULL;
    bool ok = storyboard_to_json(&s, &json, &e) &&
              storyboard_from_json(json, strlen(json), &back, &e) &&
              storyboard_to_json(&back, &again, &e);
    assert(ok && strcmp(json, again) == 0);
    return 0;
}
