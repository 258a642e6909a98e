/*
 * Which clip of a reply, and which of its files.
 *
 * A clip comes before another by the first of these that tells them apart: orientation, long
 * enough, longest ago in the chat's recent films, does not look like a clip of this film, has the words
 * that were searched for, not by the neighbouring scene's creator, needs no enlarging, the
 * service's own order.
 */
#include "adapters/footage/stock_parts.h"

#include <math.h>

#include "adapters/footage/listed.h"

enum { SPARE_MS = 500, SMOOTH_FPS = 23, BEST_FPS = 30, WORDS_MAX = 16 };

static const double scale_max = 1.5;
static const double crop_loss_max = 0.40;

double choose_crop_loss(int width, int height, int film_width, int film_height)
{
    double clip = (double)width / height, film = (double)film_width / film_height;
    return 1.0 - fmin(clip, film) / fmax(clip, film);
}

static bool covers(const struct stock_rendition *r, int width, int height)
{
    return r->width >= width && r->height >= height;
}

static double scaling(const struct stock_rendition *r, int width, int height)
{
    return fmax((double)width / r->width, (double)height / r->height);
}

static double fps_fault(double fps)
{
    if (fps <= 0)
        return 50; /* unknown: better than jerky */
    return fabs(fps - BEST_FPS) + (fps < SMOOTH_FPS ? 100 : 0);
}

/* Both cover, or neither does. */
static bool is_better(const struct stock_rendition *a, const struct stock_rendition *b,
                      bool covering)
{
    int64_t size_a = (int64_t)a->width * a->height, size_b = (int64_t)b->width * b->height;
    if (size_a != size_b)
        return covering == (size_a < size_b);
    if (fps_fault(a->fps) != fps_fault(b->fps))
        return fps_fault(a->fps) < fps_fault(b->fps);
    return a->bytes > 0 && b->bytes > 0 && a->bytes < b->bytes;
}

int choose_rendition(const struct stock_clip *clip, int width, int height)
{
    int best = -1;
    bool best_covers = false;
    for (size_t i = 0; i < clip->rendition_count; i++) {
        const struct stock_rendition *r = &clip->renditions[i];
        bool covering = covers(r, width, height);
        if (choose_crop_loss(r->width, r->height, width, height) > crop_loss_max ||
            (!covering && scaling(r, width, height) > scale_max))
            continue;
        if (best < 0 || (covering && !best_covers) ||
            (covering == best_covers && is_better(r, &clip->renditions[best], covering))) {
            best = (int)i;
            best_covers = covering;
        }
    }
    return best;
}

/* --- words --- */

/* The next word of a text of single spaces; 0 at its end. */
static size_t next_word(const char **text, const char **ret_word)
{
    *text += strspn(*text, " ");
    *ret_word = *text;
    size_t len = strcspn(*text, " ");
    *text += len;
    return len;
}

/* "waves" and "wave", "beach" and "beaches" are the same word here. */
static bool same_word(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len > b_len)
        return same_word(b, b_len, a, a_len);
    if (memcmp(a, b, a_len) != 0)
        return false;
    size_t more = b_len - a_len;
    return more == 0 || (a_len >= 3 && more == 1 && b[a_len] == 's') ||
           (a_len >= 3 && more == 2 && memcmp(b + a_len, "es", 2) == 0);
}

static bool has_word(const char *words, const char *word, size_t len)
{
    const char *other;
    size_t n;
    while ((n = next_word(&words, &other)) > 0)
        if (same_word(word, len, other, n))
            return true;
    return false;
}

int choose_match(const char *term, const char *words)
{
    int found = 0, all = 0;
    const char *word;
    size_t len;
    while ((len = next_word(&term, &word)) > 0 && all < WORDS_MAX) {
        if (len < 3)
            continue;
        all++;
        found += has_word(words, word, len);
    }
    return all ? found * 10 / all : 0;
}

/* --- order --- */

struct candidate {
    const struct stock_clip *clip;
    int rendition;
    size_t place;
    size_t age; /* since the chat saw it: films, more or less; the most for what it did not see */
    int match;
    bool shaped, long_enough, fresh_look, other_author, covering;
};

static bool consider(const struct choose_scene *scene, const struct stock_page *page, size_t place,
                     struct candidate *ret)
{
    const struct footage_query *q = scene->query;
    const struct stock_clip *clip = &page->clips[place];
    int rendition = choose_rendition(clip, q->width, q->height);
    size_t age = footage_place(q->recent, q->recent_count, scene->provider, clip->id);
    if (rendition < 0 || (age < q->recent_count && !q->again) ||
        footage_place(q->used, q->used_count, scene->provider, clip->id) < q->used_count)
        return false;
    const struct stock_rendition *r = &clip->renditions[rendition];
    *ret = (struct candidate){
        .clip = clip,
        .rendition = rendition,
        .place = place,
        .match = choose_match(scene->term, clip->words),
        .shaped = stock_shape_of(r->width, r->height) == stock_shape_of(q->width, q->height),
        .long_enough =
            clip->kind == FOOTAGE_PHOTO || clip->duration_ms >= (int64_t)q->need_ms + SPARE_MS,
        .age = age,
        .fresh_look = !scene->looks_used || !scene->looks_used(scene->ctx, clip),
        .other_author = !scene->neighbour_author[0] || !clip->author[0] ||
                        strcmp(scene->neighbour_author, clip->author) != 0,
        .covering = covers(r, q->width, q->height),
    };
    return true;
}

/* Half of the words is the least that counts, and all of them are better. */
static int match_level(int match)
{
    return (match >= 5) + (match >= 10);
}

static int compare(const void *va, const void *vb)
{
    const struct candidate *a = va, *b = vb;
    const int age = (a->age > b->age) - (a->age < b->age);
    const int by[][2] = {
        {a->shaped,             b->shaped            },
        {a->long_enough,        b->long_enough       },
        {age,                   -age                 },
        {a->fresh_look,         b->fresh_look        },
        {match_level(a->match), match_level(b->match)},
        {a->other_author,       b->other_author      },
        {a->covering,           b->covering          },
    };
    for (size_t i = 0; i < COUNT(by); i++)
        if (by[i][0] != by[i][1])
            return by[i][0] > by[i][1] ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static void fill(const struct candidate *c, const struct choose_scene *scene, struct footage *ret)
{
    const struct stock_rendition *r = &c->clip->renditions[c->rendition];
    *ret = (struct footage){.kind = c->clip->kind,
                            .duration_ms = c->clip->duration_ms,
                            .width = r->width,
                            .height = r->height,
                            .seed = scene->query->seed + scene->query->scene};
    str_copy(ret->provider, sizeof(ret->provider), scene->provider);
    str_copy(ret->id, sizeof(ret->id), c->clip->id);
    str_copy(ret->author, sizeof(ret->author), c->clip->author);
    str_copy(ret->page, sizeof(ret->page), c->clip->page);
    str_copy(ret->path, sizeof(ret->path), r->url);
}

size_t choose_order(const struct choose_scene *scene, const struct stock_page *page,
                    struct footage *ret_hits, size_t max)
{
    AUTO(free_ptr) struct candidate *list = calloc(page->count + 1, sizeof(*list));
    size_t count = 0;
    if (!list)
        return 0;
    for (size_t i = 0; i < page->count; i++)
        count += consider(scene, page, i, &list[count]);
    qsort(list, count, sizeof(*list), compare);
    count = MIN(count, max);
    for (size_t i = 0; i < count; i++)
        fill(&list[i], scene, &ret_hits[i]);
    return count;
}
