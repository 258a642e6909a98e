/*
 * story_edit - changes that a person makes to a script before anything is made of it.
 *
 * What:    scenes are numbered from 1; each change keeps the others as they are, ids included.
 * Fails:   ERR_INPUT "script.no_scene" (arg: the number), "script.last_scene",
 *          "make.nothing_to_say"; ERR_LIMIT "script.scene_too_long", "script.too_many_scenes"; the
 *          storyboard is unchanged then.
 * Threads: none.
 */
#ifndef NANOTIK_STORY_EDIT_H
#define NANOTIK_STORY_EDIT_H

#include "core/story/storyboard.h"

bool story_edit_text(struct storyboard *s, int scene, const char *text, struct err *e);
/* What the footage is searched by: "ocean waves, full moon". */
bool story_edit_terms(struct storyboard *s, int scene, const char *terms, struct err *e);
bool story_edit_drop(struct storyboard *s, int scene, struct err *e);
bool story_edit_move(struct storyboard *s, int scene, int to, struct err *e);
/* A new one that becomes number `scene`; one past the end adds it there. */
bool story_edit_add(struct storyboard *s, int scene, const char *text, struct err *e);

#endif
