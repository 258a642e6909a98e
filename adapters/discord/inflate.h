/*
 * inflate - Discord's zlib-stream: one context per connection, a frame ends with a sync flush.
 *
 * Owner:   inflater_free; zeroed is empty and ready.
 * Threads: none.
 * Fails:   ERR_INPUT (not a zlib stream), ERR_LIMIT (a frame inflates past the bound).
 */
#ifndef NANOTIK_DISCORD_INFLATE_H
#define NANOTIK_DISCORD_INFLATE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/strbuf.h"

struct inflater {
    void *stream;          /* z_stream */
    struct strbuf out;     /* the frame so far */
    unsigned char tail[4]; /* the last bytes that came: a flush may be cut in two */
    bool whole;            /* out was handed out: begin anew */
};

/* True with *ret_whole: it->out is one frame, until the next call. */
bool inflater_add(struct inflater *it, const void *bytes, size_t len, size_t frame_max,
                  bool *ret_whole, struct err *e);
void inflater_free(struct inflater *it);

#endif
