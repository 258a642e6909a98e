/*
 * fs - files that are either whole or not there.
 *
 * Errors:  ERR_DISK / ERR_LIMIT / ERR_NOT_FOUND with the path in detail; user_key "error.disk"
 *          unless said.
 * Threads: any.
 */
#ifndef NANOTIK_FS_H
#define NANOTIK_FS_H

#include "core/base/base.h"
#include "core/base/err.h"

/* mkdir -p with this mode for what is made. */
bool fs_mkdirs(const char *path, unsigned mode, struct err *e);
/* Reads a regular file of at most max bytes; adds a NUL. *ret_text is the caller's. ERR_LIMIT when
 * larger. */
bool fs_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct err *e);
/* Writes path.PID-N.part, fsyncs, renames over path, fsyncs the folder; a failure leaves no part.
 */
bool fs_write(const char *path, const void *bytes, size_t len, struct err *e);
/* fsync(part), rename(part, path), fsync of the folder: the last step of every artifact. */
bool fs_publish(const char *part, const char *path, struct err *e);
bool fs_exists(const char *path);
int64_t fs_size(const char *path); /* -1 when there is none */
/* Removes a file or a folder with all that is in it; never follows symbolic links. Missing is fine.
 */
void fs_remove(const char *path);
/* Free bytes for us on the file system of path; -1 when unknown. */
int64_t fs_free_bytes(const char *path);

#endif
