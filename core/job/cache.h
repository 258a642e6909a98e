/*
 * cache - bounded folder of artifacts (spoken scenes, segments, sound) named by the hash of
 * everything they were made from.
 *
 * What:    cache_path gives the file name for a key; a file that is there is whole. Makers write to
 *          a name of their own (cache_temp) and cache_publish it, so that two of them never share a
 *          half file. Deleting anything at any time costs time, never correctness. Least recently
 *          used files go first when `max_bytes` is passed.
 * Owner:   files in use are protected by touching (cache_touch) within cache_trim's one-hour grace.
 * Threads: any; several processes may share one folder.
 */
#ifndef NANOTIK_CACHE_H
#define NANOTIK_CACHE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"

enum { CACHE_PATH_MAX = 1024 };

struct cache;
bool cache_open(const char *folder, int64_t max_bytes, struct cache **ret, struct err *e);
/* folder/ab/abcdef….ext ; makes the sub-folder. */
bool cache_path(struct cache *c, const char key[static HASH_HEX], const char *ext,
                char ret_path[static CACHE_PATH_MAX], struct err *e);
/* A file of this cache, wherever the path came from: its name says all that is in it. */
bool cache_holds(const struct cache *c, const char *path);
/* True when there; marks it as used now. */
bool cache_touch(const char *path);
/* A name beside `path` (same extension) that nobody else uses, in this or another process. */
bool cache_temp(const char *path, char ret_temp[static CACHE_PATH_MAX], struct err *e);
/* The finished temp file becomes `path`; the file is synced by its maker (fs_publish). */
bool cache_publish(const char *temp, const char *path, struct err *e);
/* Removes the oldest above the bound, and unfinished files older than a day. */
void cache_trim(struct cache *c);
/* Only the unfinished files of one folder (made with cache_temp) older than a day. */
void cache_sweep_temp(const char *folder);
void cache_close(struct cache *c); /* NULL is fine */

#endif
