/*
 * font - which installed font draws which characters, asked of fontconfig once per language.
 *
 * What:    an ordered list of bold outline fonts per language (the language's own script first, so
 *          that Han has the right regional forms), and colour emoji as pictures.
 * Owner:   lists live as long as the program.
 * Threads: any.
 * Fails:   a character that nothing covers has no font: the caller leaves it out.
 */
#ifndef NANOTIK_VIDEO_FONT_H
#define NANOTIK_VIDEO_FONT_H

#include "core/base/base.h"
#include "core/base/err.h"

struct font {
    char *family; /* the name libass finds it by */
    char *file;
    int index;
    double height;  /* ascent + descent in em: libass sizes are multiples of this */
    double ascent;  /* in em */
    double descent; /* in em, positive */
    void *coverage; /* FcCharSet */
};

struct font_list;

/* lang: BCP 47, "" for none in particular. Never NULL; may be empty. */
const struct font_list *font_list_get(const char *lang);
/* The font for one grapheme cluster: `current` when it covers it and the cluster belongs to no
   script of its own (space, digit, mark), else the first of the list that covers all of it, else
   the first that covers its base. NULL: none. */
const struct font *font_for_cluster(const struct font_list *list, const char *cluster, size_t len,
                                    const struct font *current);

/* A colour emoji as straight RGBA, size x size, for one grapheme cluster that is shown as a
   picture. False when there is no colour font or it lacks this one. */
bool font_emoji_draw(const char *cluster, size_t len, int size, uint8_t *ret_rgba);
/* Shown as a picture by default or by U+FE0F (keycaps and flags too). */
bool font_is_emoji(const char *cluster, size_t len);

#endif
