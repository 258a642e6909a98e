#include "adapters/discord/inflate.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

enum { KEEP_ROOM = 256 * 1024 };

static bool begin(struct inflater *it, struct err *e)
{
    z_stream *z = calloc(1, sizeof(*z));
    if (!z || inflateInit2(z, 15) != Z_OK) {
        free(z);
        return err_set(e, ERR_RETRY, "error.network", "zlib does not start");
    }
    it->stream = z;
    return true;
}

bool inflater_add(struct inflater *it, const void *bytes, size_t len, size_t frame_max,
                  bool *ret_whole, struct err *e)
{
    static const unsigned char flush[4] = {0x00, 0x00, 0xff, 0xff};
    *ret_whole = false;
    if (!it->stream && !begin(it, e))
        return false;
    if (it->whole && it->out.room > KEEP_ROOM)
        strbuf_free(&it->out); /* one huge frame must not be paid for ever */
    if (it->whole)
        strbuf_reset(&it->out);
    it->whole = false;
    it->out.max = frame_max;
    z_stream *z = it->stream;
    z->next_in = (unsigned char *)bytes; /* zlib does not write to it */
    z->avail_in = (unsigned)len;
    do {
        unsigned char piece[16384];
        z->next_out = piece;
        z->avail_out = sizeof(piece);
        int r = inflate(z, Z_SYNC_FLUSH);
        if (r != Z_OK && r != Z_BUF_ERROR)
            return err_set(e, ERR_INPUT, "error.bad_reply", "gateway: zlib says %d", r);
        strbuf_add(&it->out, piece, sizeof(piece) - z->avail_out);
        if (it->out.failed)
            return err_set(e, ERR_LIMIT, "error.bad_reply", "gateway: a frame over %zu bytes",
                           frame_max);
    } while (z->avail_in > 0 || z->avail_out == 0);
    size_t fresh = MIN(len, sizeof(it->tail));
    memmove(it->tail, it->tail + fresh, sizeof(it->tail) - fresh);
    memcpy(it->tail + sizeof(it->tail) - fresh, (const char *)bytes + len - fresh, fresh);
    it->whole = memcmp(it->tail, flush, sizeof(flush)) == 0;
    *ret_whole = it->whole;
    return true;
}

void inflater_free(struct inflater *it)
{
    if (it->stream)
        inflateEnd(it->stream);
    free(it->stream);
    strbuf_free(&it->out);
    *it = (struct inflater){0};
}
