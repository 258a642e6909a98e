/*
 * local_parts - what is in the folder, and which words decide. Internal to adapters/footage.
 */
#ifndef NANOTIK_LOCAL_PARTS_H
#define NANOTIK_LOCAL_PARTS_H

#include <sys/stat.h>

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/port/footage.h"

enum { LOCAL_DEPTH_MAX = 4, LOCAL_FILES_MAX = 5000, LOCAL_WORDS_MAX = 24 };

/* --- words --- */

/* Folded words of a text (case, accents, plural s, Arabic article gone), at most max. In the arena.
   Chinese and Japanese: each run of letters is one word. */
size_t local_words(struct arena *a, const char *text, const char **ret_words, size_t max);

/* The words of a scene, to be held against many names. */
struct local_scene {
    struct arena arena;
    const char **terms, **narration;
    size_t term_count, narration_count;
};
void local_scene_make(struct local_scene *ret, const struct footage_query *query);
void local_scene_free(struct local_scene *s);
/* 0: nothing in common. A word of the search terms counts three, one of the narration one. */
int local_score(const struct local_scene *s, const char *const *words, size_t count);

/* --- files --- */

struct local_clip {
    const char *path; /* absolute, as found */
    const char *id;   /* below the folder; unique */
    enum footage_kind kind;
    const char **words;
    size_t word_count;
};

struct local_folder {
    const char *path;
    struct timespec changed; /* mtime */
};

/* One look at the folder. All texts live in the arena. */
struct local_catalog {
    struct arena arena;
    struct local_clip *clips; /* by name */
    size_t count;
    struct local_folder *folders;
    size_t folder_count;
    const char **refused; /* names that were logged */
    size_t refused_count;
};

/* root: realpath of the folder. before: the last look, so that a file is complained of once; may be
   NULL. */
void local_scan(const char *root, const struct local_catalog *before, struct local_catalog *ret);
bool local_changed(const struct local_catalog *c);
void local_catalog_free(struct local_catalog *c);
/* The real path of a file of the folder lies inside it, and it is a regular file. */
bool local_inside(const char *root, const char *path);

#endif
