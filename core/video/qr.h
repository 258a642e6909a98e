/*
 * qr - a text as a QR picture that a phone reads from a screen.
 *
 * What:    byte mode (the case of letters counts), error level M, four modules of quiet zone, whole
 *          pixels per module, dark on white; a grey PNG of about `side` pixels, never more.
 * Owner:   nothing.
 * Threads: any.
 * Fails:   ERR_LIMIT when the text is too long for `side` at four pixels per module; ERR_DISK;
 *          ERR_INTERNAL.
 * Source:  facts sheet "nano" section 9.
 */
#ifndef NANOTIK_QR_H
#define NANOTIK_QR_H

#include "core/base/base.h"
#include "core/base/err.h"

enum { QR_SIDE = 720 };

/* Writes the whole file or none. */
bool qr_write(const char *text, int side, const char *path, struct err *e);

#endif
