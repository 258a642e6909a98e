/* Any bytes as a chat service's reply and as a model's answer: what comes out can be spoken, searched
   and stored. The first byte chooses status and language. */
#include <assert.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_text(const char *text)
{
    assert(text && utf8_valid(text, strlen(text)) && !strchr(text, '\n'));
}

static void look_at_script(const struct llm_draft *d)
{
    const struct script *s = &d->script;
    assert(s->scene_count <= LLM_SCENES_MAX);
    assert(d->grade == GRADE_BAD || (s->scene_count > 0 && s->title && *s->title));
    assert(!s->caption || (utf8_valid(s->caption, strlen(s->caption)) &&
                           strlen(s->caption) <= 1600 && !strpbrk(s->caption, "\n\t@`")));
    for (size_t i = 0; i < s->scene_count; i++) {
        const struct script_scene *scene = &s->scenes[i];
        look_at_text(scene->narration);
        assert(text_has_words(scene->narration));
        assert(!scene->on_screen || text_has_words(scene->on_screen));
        assert(scene->term_count >= 1 && scene->term_count <= 5);
        for (size_t k = 0; k < scene->term_count; k++) {
            look_at_text(scene->terms[k]);
            assert(strlen(scene->terms[k]) <= 60);
        }
    }
}

static void read_script(const char *text, uint8_t choice)
{
    static const char *const langs[] = {"en", "zh", "ar", "ja", "de", "th", "xx", ""};
    struct script_request r = {.lang = langs[choice % COUNT(langs)],
                               .seconds = choice % 3 * 60,
                               .units_per_minute = 150,
                               .wish = choice % 2 ? text : "",
                               .style = "story"};
    struct llm_wish w;
    AUTO(llm_draft_free) struct llm_draft d = LLM_DRAFT;
    AUTO(llm_prompt_free) struct llm_prompt p = {0};
    llm_wish_make(&r, text, &w);
    llm_draft_read(&d, text, &w);
    look_at_script(&d);
    if (llm_prompt_make(&w, &p) && llm_prompt_repair(&p, text, strbuf_text(&d.faults))) {
        const char *user = strbuf_text(&p.user);
        const char *open = strstr(user, "<topic>");
        assert(open && !strstr(open + 1, "<topic>")); /* one pair of marks, whatever the topic is */
        assert(!strstr(strstr(user, "</topic>") + 1, "</topic>"));
        const char *wish = strstr(user, "</wish>");
        assert(!wish || !strstr(wish + 1, "</wish>"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 200, 200, 400, 429, 500, 403};
    if (size < 1)
        return 0;
    uint8_t choice = data[0];
    AUTO(free_ptr) char *text = malloc(size);
    assert(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    struct net_reply reply = {.outcome = NET_REPLY,
                              .status = statuses[choice % COUNT(statuses)],
                              .body = text,
                              .len = size - 1,
                              .retry_after_ms = -1};
    AUTO(llm_answer_free) struct llm_answer a = {0};
    llm_answer_read(&reply, &a);
    assert(utf8_valid(a.why, strlen(a.why)) && !strchr(a.why, '\n'));
    assert((a.class == LLM_OK || a.class == LLM_CUT) == (a.text != NULL));
    read_script(a.text ? a.text : text, choice / 8);
    return 0;
}
