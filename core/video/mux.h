/*
 * mux - an MP4 file (by its name also Ogg) that is whole or not there.
 *
 * What:    writes path.XXXX.part and renames it over path at the very end; a full disk shows in the
 *          write, the trailer or the close, and all three are looked at.
 * Owner:   mux_free always; it removes an unfinished part file.
 * Threads: none.
 */
#ifndef NANOTIK_VIDEO_MUX_H
#define NANOTIK_VIDEO_MUX_H

#include "core/video/media.h"

struct mux {
    AVFormatContext *ctx;
    struct media_watch watch;
    char *path, *part;
    bool header, published;
};

/* Then add streams to m->ctx and call mux_begin. m is zeroed by the caller. */
bool mux_open(struct mux *m, const char *path, const struct cancel *cancel, struct err *e);
/* movflags: muxer flags such as "+faststart", or NULL. */
bool mux_begin(struct mux *m, const char *movflags, struct err *e);
/* Takes the packet's content; its times are in the stream's time base. */
bool mux_write(struct mux *m, AVPacket *pkt, struct err *e);
bool mux_finish(struct mux *m, struct err *e);
void mux_free(struct mux *m);

#endif
