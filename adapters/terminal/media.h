/*
 * media - `/make @cat.jpg @dog.mp4 TOPIC`: pictures and clips of this machine as the film's footage.
 *
 * What:    words that begin with @ and end like a picture or a clip, right behind /make, become
 *          chat_event.media ("p:/path", "v:/path"); the rest of the line stays as it was typed.
 *          fetch copies such a file, so that the copy may be removed.
 * Owner:   media_free.
 * Threads: pure, but for looking at the files; fetch from any thread.
 * Fails:   take: ERR_NOT_FOUND "error.file_missing" (arg: the name), ERR_LIMIT "error.too_many_files";
 *          fetch: ERR_NOT_FOUND "chat.file_gone", ERR_LIMIT "chat.file_too_large".
 */
#ifndef NANOTIK_TERMINAL_MEDIA_H
#define NANOTIK_TERMINAL_MEDIA_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

enum { MEDIA_FILES_MAX = 10 };

struct media {
    char *line; /* without them; NULL: there were none */
    char *names[MEDIA_FILES_MAX];
    size_t count;
};

bool media_take(const char *line, struct media *ret, struct err *e);
void media_free(struct media *m); /* for AUTO */
/* chat_adapter_ops.fetch */
bool media_fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
                 char **ret_path, struct err *e);

#endif
