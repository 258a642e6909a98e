/*
 * page - a few short pages over HTTP for a monitor on this machine.
 *
 * What:    GET and HEAD on libwebsockets, at most 30 connections, cut after 3 s of silence; no TLS,
 *          nothing that changes anything. Put a proxy before it where others shall read it.
 * Owner:   page_server_stop joins; ctx is borrowed until then.
 * Threads: start and stop on one thread; the page function runs on the server's own.
 * Fails:   ERR_CONFIG "start.bad_config": not "ADDRESS:PORT" with a numeric IPv4 address, or taken.
 */
#ifndef NANOTIK_PAGE_H
#define NANOTIK_PAGE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/strbuf.h"

/* Writes the text of this path; returns the HTTP status. */
typedef int page_fn(void *ctx, const char *path, struct strbuf *out);

struct page_server;
/* setting: what the address is called in an error. Port 0 takes any, see page_server_port. */
bool page_server_start(const char *setting, const char *address, page_fn *fn, void *ctx,
                       struct page_server **ret, struct err *e);
int page_server_port(const struct page_server *s);
void page_server_stop(struct page_server *s); /* NULL is fine */

#endif
