/*
 * cache - bounded folder of artifacts (spoken scenes, segments, sound) named by the hash of
 * everything they were made from.
 *
 * What:    cache_path gives the file name for a key; a file that is there is whole (fs_publish).
 * Deleting anything at any time costs time, never correctness. Least recently used files go first
 * when `max_bytes` is passed. Owner:   files in use are protected by touching (cache_touch) within
 * cache_trim's one-hour grace. Threads: any; several processes may share one folder.
 */
#ifndef NANOTIK_CACHE_H
#define NANOTIK_CACHE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"

struct cache;
bool cache_open(const char *folder, int64_t max_bytes, struct cache **ret, struct err *e);
/* folder/ab/abcdef….ext ; makes the sub-folder. ret_path of FOOTAGE_PATH_MAX (1024) bytes. */
bool cache_path(struct cache *c, const char key[static HASH_HEX], const char *ext,
                char ret_path[static 1024], struct err *e);
/* True when there; marks it as used now. */
bool cache_touch(const char *path);
/* Removes the oldest above the bound, and .part files older than a day. */
void cache_trim(struct cache *c);
void cache_close(struct cache *c); /* NULL is fine */

#endif
