/*
 * utf16 - Telegram counts text in UTF-16 code units, we in bytes of UTF-8.
 *
 * Threads: pure functions.
 * Source:  Bot API, MessageEntity.
 */
#ifndef NANOTIK_TELEGRAM_UTF16_H
#define NANOTIK_TELEGRAM_UTF16_H

#include "core/base/base.h"

/* Bytes that `units` UTF-16 code units of the text take; never splits a character, never passes the
   end. */
size_t tg_utf16_bytes(const char *text, int64_t units);
int64_t tg_utf16_units(const char *text, size_t len);

#endif
