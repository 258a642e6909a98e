#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unicode/uchar.h>

#include "tests/subtitles.h"

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "tests/film.h"

enum { LINE_MAX_BYTES = 2000, NEAR_MS = 50, ONSETS_MAX = 64 };

/* --- the words of a story as a stream of bytes without white space --- */

struct place {
    size_t scene, word, byte; /* byte: of the word */
};

static const struct speech_word *word_at(const struct storyboard *s, const struct place *p)
{
    return p->scene < s->scene_count ? &s->scenes[p->scene].speech.words[p->word] : NULL;
}

static int64_t begins_ms(const struct storyboard *s, const struct place *p)
{
    return s->scenes[p->scene].cut.start_ms + STORY_HEAD_MS + word_at(s, p)->start_ms;
}

/* To the next byte that is no white space. */
static void settle(const struct storyboard *s, struct place *p)
{
    while (p->scene < s->scene_count) {
        const struct scene *scene = &s->scenes[p->scene];
        if (p->word == scene->speech.word_count) {
            *p = (struct place){.scene = p->scene + 1};
            continue;
        }
        const struct speech_word *w = &scene->speech.words[p->word];
        if (p->byte == w->len)
            *p = (struct place){.scene = p->scene, .word = p->word + 1};
        else if (strchr(" \t\n", scene->narration[w->at + p->byte]))
            p->byte++;
        else
            return;
    }
}

/* --- cues --- */

static int64_t read_time(const char *text)
{
    int h, m, s, ms;
    if (sscanf(text, "%2d:%2d:%2d,%3d", &h, &m, &s, &ms) != 4)
        fail_msg("no time: %.20s", text);
    return ((h * 60 + m) * 60 + s) * 1000 + ms;
}

/* Without its line end; moves *at on. */
static void read_line(const char **at, char ret[static LINE_MAX_BYTES])
{
    size_t len = strcspn(*at, "\r\n");
    assert_true(len < LINE_MAX_BYTES);
    memcpy(ret, *at, len);
    ret[len] = '\0';
    *at += len;
    *at += **at == '\r';
    *at += **at == '\n';
}

/* Takes the cue's text off the stream; *ret_last: the last word it touched. */
static void take_text(const struct storyboard *s, const char *text, struct place *p,
                      struct place *ret_last)
{
    for (const char *c = text; *c; c++) {
        if (*c == ' ')
            continue;
        settle(s, p);
        const struct speech_word *w = word_at(s, p);
        if (!w || s->scenes[p->scene].narration[w->at + p->byte] != *c)
            fail_msg("the subtitles say more, or something else, at \"%s\"", c);
        *ret_last = *p;
        p->byte++;
    }
}

void subtitles_must_match(const char *srt, const struct storyboard *s)
{
    struct place p = {0}, last = {0};
    char line[LINE_MAX_BYTES];
    for (const char *at = srt; *at;) {
        read_line(&at, line); /* its number */
        read_line(&at, line);
        const char *arrow = strstr(line, " --> ");
        assert_non_null(arrow);
        int64_t from = read_time(line), to = read_time(arrow + 5);
        settle(s, &p);
        assert_non_null(word_at(s, &p));
        int64_t first = begins_ms(s, &p);
        for (read_line(&at, line); line[0]; read_line(&at, line))
            take_text(s, line, &p, &last);
        settle(s, &p);
        int64_t next = word_at(s, &p) ? begins_ms(s, &p) : INT64_MAX / 2;
        if (llabs(from - first) > NEAR_MS || to < begins_ms(s, &last) || to > next + NEAR_MS)
            fail_msg("a cue from %lld to %lld ms, its words from %lld to before %lld",
                     (long long)from, (long long)to, (long long)first, (long long)next);
    }
    settle(s, &p);
    if (word_at(s, &p))
        fail_msg("the subtitles end before scene %zu, word %zu", p.scene, p.word);
}

/* --- sound --- */

void subtitles_must_match_sound(const char *film, const struct storyboard *s)
{
    double onsets[ONSETS_MAX];
    int count = film_voice_onsets(film, 0.15, onsets, ONSETS_MAX);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        double nearest = 1e9;
        struct place p = {0};
        for (settle(s, &p); word_at(s, &p); p.word++, settle(s, &p)) {
            double off = (double)begins_ms(s, &p) - onsets[i] * 1000;
            nearest = fabs(off) < fabs(nearest) ? off : nearest;
        }
        if (fabs(nearest) > 80)
            fail_msg("a voice at %.3f s, the nearest word %+.0f ms", onsets[i], nearest);
    }
}

/* --- what was said --- */

static char *letters_of(const char *text)
{
    struct strbuf out = STRBUF(1 << 16);
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t from = at;
        if (u_isalnum(utf8_next(text, len, &at)))
            strbuf_add(&out, text + from, at - from);
    }
    return strbuf_take(&out);
}

void subtitles_must_match_speech(const cJSON *turns, const struct storyboard *s)
{
    for (size_t i = 0; i < s->scene_count; i++) {
        AUTO(free_ptr) char *shown = letters_of(s->scenes[i].narration);
        int said = 0;
        const cJSON *turn;
        cJSON_ArrayForEach(turn, turns)
        {
            AUTO(free_ptr) char *heard = letters_of(json_text(turn, "text", ""));
            said += strcmp(heard, shown) == 0;
        }
        if (said != 1)
            fail_msg("\"%s\" was said %d times", s->scenes[i].narration, said);
    }
}
