/*
 * chat_media - the pictures and clips that a person sent along with the words, as footage of one
 * job.
 *
 * What:    footage_source FOOTAGE_OWN. search offers each file that is not in query->used, in the
 *          order they were sent, beginning with the scene's own; fetch gets it through the chat it
 *          was sent in, once per source. What the file is, the caller finds out by probing it.
 * Bounds:  CHAT_MEDIA_FILES names, CHAT_MEDIA_BYTES of all files together; size and
 *          time of one are the chat's.
 * Owner:   ops->destroy; the files stay in the folder, which is the caller's. The adapter is
 *          borrowed, names and folder are copied.
 * Threads: search and fetch from any thread; one file is fetched by one thread at a time.
 * Fails:   fetch: as chat_adapter_ops.fetch; ERR_LIMIT "chat.file_too_large" (arg: id).
 */
#ifndef NANOTIK_CHAT_MEDIA_H
#define NANOTIK_CHAT_MEDIA_H

#include "core/port/chat.h"
#include "core/port/footage.h"

enum { CHAT_MEDIA_FILES = 10 };
#define CHAT_MEDIA_BYTES (600LL << 20)

/* names: chat_event.media, one a line. ERR_UNSUPPORTED when the chat cannot fetch files. */
bool chat_media_create(const struct chat_adapter *chat, const char *names, const char *folder,
                       struct footage_source *ret, struct err *e);

#endif
