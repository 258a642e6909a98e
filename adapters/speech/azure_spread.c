/* Word times where none came: the voiced time is shared out by length, and the marks of the text
   are laid on the pauses of the sound, in order, at the least total distance. */
#include <unicode/uchar.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

enum {
    QUIET = 90,
    PAUSE_MS = 110, /* shorter ones are inside words */
    PAUSES_MAX = 400,
    BREAKS_MAX = 400,
    SKIP_COMMA_MS = 200, /* what it costs to leave a mark without a pause */
    SKIP_STOP_MS = 600,
    SKIP_PAUSE_MS = 100, /* and a pause without a mark, besides its own length */
    DIGIT_WEIGHT = 4,    /* a digit is a word */
};

struct pause {
    int64_t voiced; /* voiced samples before it */
    int64_t len;
};
struct mark {
    size_t token; /* the first after it */
    double part;  /* of the text's weight before it */
    bool stop;
};
/* Time of the voice alone -> time of the sound. */
struct plan {
    struct pause pauses[PAUSES_MAX];
    size_t pause_count;
    struct mark marks[BREAKS_MAX];
    size_t mark_count;
    int64_t voiced; /* all of it */
};

static int64_t ms(int64_t milliseconds)
{
    return milliseconds * AZURE_RATE / 1000;
}

static void find_pauses(const struct utterance *u, struct plan *p)
{
    int64_t silent = 0, voiced = 0, count = (int64_t)u->count;
    for (int64_t i = 0; i < count; i++) {
        int level = u->samples[i] < 0 ? -u->samples[i] : u->samples[i];
        if (level <= QUIET) {
            silent++;
            continue;
        }
        if (silent >= ms(PAUSE_MS) && voiced > 0 && p->pause_count < PAUSES_MAX)
            p->pauses[p->pause_count++] = (struct pause){voiced, silent};
        else
            voiced += silent;
        silent = 0;
        voiced++;
    }
    p->voiced = MAX(voiced, 1);
}

/* 0: no mark, 1: a comma, 2: a full stop, in the last characters of a token. */
static int mark_after(const char *text, const struct text_token *t)
{
    static const int32_t stops[] = {'.',   '!',    '?',    0x2026, 0x61F,
                                    0x6D4, 0x3002, 0xFF01, 0xFF1F, 0x964};
    static const int32_t commas[] = {',',   ';',    ':',    0x2013, 0x2014, 0x60C,
                                     0x61B, 0x3001, 0xFF0C, 0xFF1B, 0xFF1A};
    int mark = 0;
    for (size_t at = t->at; at < t->at + t->len;) {
        int32_t cp = utf8_next(text, t->at + t->len, &at);
        if (u_isalnum(cp))
            mark = 0; /* "3.5": inside the word */
        for (size_t i = 0; i < COUNT(stops); i++)
            mark = cp == stops[i] ? 2 : mark;
        for (size_t i = 0; i < COUNT(commas); i++)
            mark = cp == commas[i] ? MAX(mark, 1) : mark;
    }
    return mark;
}

static int weight_of(const char *text, const struct text_token *t)
{
    int weight = 0;
    for (size_t at = t->at; at < t->at + t->len;) {
        int32_t cp = utf8_next(text, t->at + t->len, &at);
        if (u_isdigit(cp))
            weight += DIGIT_WEIGHT;
        else if (u_isalpha(cp))
            weight += u_hasBinaryProperty(cp, UCHAR_IDEOGRAPHIC) ? 3 : 1;
    }
    return MAX(weight, 1);
}

/* Weight before each token, [count] = all. */
static void weigh(const char *text, const struct text_token *tokens, size_t count, double *sum,
                  struct plan *p)
{
    for (size_t i = 0; i < count; i++)
        sum[i + 1] = sum[i] + weight_of(text, &tokens[i]);
    for (size_t i = 0; i + 1 < count && p->mark_count < BREAKS_MAX; i++) {
        int mark = mark_after(text, &tokens[i]);
        if (mark)
            p->marks[p->mark_count++] = (struct mark){i + 1, sum[i + 1] / sum[count], mark == 2};
    }
}

static int64_t skip_mark(const struct mark *m)
{
    return ms(m->stop ? SKIP_STOP_MS : SKIP_COMMA_MS);
}

static int64_t skip_pause(const struct pause *p)
{
    return ms(SKIP_PAUSE_MS) + p->len;
}

static int64_t distance(const struct plan *p, size_t mark, size_t pause)
{
    int64_t d = (int64_t)(p->marks[mark].part * (double)p->voiced) - p->pauses[pause].voiced;
    return d < 0 ? -d : d;
}

/* cost[i][j]: the first i marks against the first j pauses. */
static void fill_costs(const struct plan *p, int64_t *cost)
{
    size_t width = p->pause_count + 1;
    for (size_t i = 0; i <= p->mark_count; i++)
        for (size_t j = 0; j <= p->pause_count; j++) {
            int64_t best = i + j ? INT64_MAX : 0;
            if (i)
                best = MIN(best, cost[(i - 1) * width + j] + skip_mark(&p->marks[i - 1]));
            if (j)
                best = MIN(best, cost[i * width + j - 1] + skip_pause(&p->pauses[j - 1]));
            if (i && j)
                best = MIN(best, cost[(i - 1) * width + j - 1] + distance(p, i - 1, j - 1));
            cost[i * width + j] = best;
        }
}

/* pause_of[mark]: the pause that belongs to it, or SIZE_MAX. */
static void choose_pairs(const struct plan *p, const int64_t *cost, size_t *pause_of)
{
    size_t width = p->pause_count + 1, i = p->mark_count, j = p->pause_count;
    while (i) {
        int64_t now = cost[i * width + j];
        if (j && now == cost[(i - 1) * width + j - 1] + distance(p, i - 1, j - 1)) {
            pause_of[--i] = --j;
        } else if (j && now == cost[i * width + j - 1] + skip_pause(&p->pauses[j - 1])) {
            j--;
        } else {
            pause_of[--i] = SIZE_MAX;
        }
    }
}

static uint32_t sound_time(const struct plan *p, double voiced)
{
    int64_t at = (int64_t)voiced;
    for (size_t i = 0; i < p->pause_count && p->pauses[i].voiced <= (int64_t)voiced; i++)
        at += p->pauses[i].len;
    return (uint32_t)at;
}

/* Tokens [first, end) share the voiced time [from, to). */
static void share(const struct plan *p, const double *sum, size_t first, size_t end, int64_t from,
                  int64_t to, struct wire_event *events)
{
    for (size_t i = first; i < end; i++) {
        double part = (sum[i] - sum[first]) / (sum[end] - sum[first]);
        double voiced = (double)from + part * (double)(to - from);
        events[i] = (struct wire_event){(uint32_t)i + 1, 1, sound_time(p, voiced)};
    }
}

static bool spread_over(const struct plan *p, const double *sum, size_t count,
                        struct wire_event *events)
{
    AUTO(free_ptr)
    int64_t *cost = calloc((p->mark_count + 1) * (p->pause_count + 1), sizeof(*cost));
    AUTO(free_ptr) size_t *pause_of = calloc(p->mark_count + 1, sizeof(*pause_of));
    if (!cost || !pause_of)
        return false;
    fill_costs(p, cost);
    choose_pairs(p, cost, pause_of);
    size_t first = 0;
    int64_t from = 0;
    for (size_t m = 0; m < p->mark_count; m++) {
        if (pause_of[m] == SIZE_MAX)
            continue;
        int64_t to = p->pauses[pause_of[m]].voiced;
        share(p, sum, first, p->marks[m].token, from, to, events);
        first = p->marks[m].token;
        from = to;
    }
    share(p, sum, first, count, from, p->voiced, events);
    return true;
}

bool azure_spread(struct utterance *u, struct spoken *s, const char *text, const char *lang,
                  struct err *e)
{
    AUTO(arena_free) struct arena a = {0};
    size_t count;
    const struct text_token *tokens = text_tokens(&a, text, lang, &count);
    AUTO(free_ptr) struct plan *p = calloc(1, sizeof(*p));
    AUTO(free_ptr) double *sum = calloc(count + 1, sizeof(*sum));
    AUTO(free_ptr) struct wire_event *events = calloc(count + 1, sizeof(*events));
    if (!p || !sum || !events)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory for word times");
    find_pauses(u, p);
    weigh(text, tokens, count, sum, p);
    if (!spread_over(p, sum, count, events))
        return err_set(e, ERR_RETRY, "error.internal", "out of memory for word times");
    for (size_t i = 0; i < count; i++)
        spoken_put(s, 'x', tokens[i].at); /* only the places count */
    free(u->events);
    u->events = TAKE(events);
    u->event_count = count;
    return true;
}
