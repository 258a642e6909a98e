/*
 * listed - is a picture among those that were shown?
 *
 * What:    reads the lists of footage_query: "provider:id" texts.
 * Threads: any.
 */
#ifndef NANOTIK_FOOTAGE_LISTED_H
#define NANOTIK_FOOTAGE_LISTED_H

#include "core/base/base.h"

/* Its first place in the list; count when it is not there. In footage_query.recent, further back is
   longer ago. */
size_t footage_place(const char *const *list, size_t count, const char *provider, const char *id);

#endif
