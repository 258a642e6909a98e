/*
 * storyboard_names - words of the JSON form that writer and reader share. Internal to core/story.
 */
#ifndef NANOTIK_STORYBOARD_NAMES_H
#define NANOTIK_STORYBOARD_NAMES_H

enum { STORY_KINDS = 4 };
extern const char *const story_kind_names[STORY_KINDS]; /* by enum footage_kind */

#endif
