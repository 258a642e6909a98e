/*
 * fake_stock - the fakes of Pexels and Pixabay (tests/fakes/stock.mjs) as a C test sees it; see fake_node.h.
 */
#ifndef NANOTIK_TESTS_FAKE_STOCK_H
#define NANOTIK_TESTS_FAKE_STOCK_H

#include "tests/fake_node.h"

/* An MP4 that every clip link gives, a JPEG that every photo link gives; NULL: files without anything
   to see in them. No photo without a clip. */
void fake_stock_start(struct fake_node *f, const char *clip, const char *photo);
/* POST /control/NAME with this JSON. */
void fake_stock_tell(struct fake_node *f, const char *name, const char *body);
/* How many of "calls" or "clipCalls" there were; a text field of the n-th, valid until the eighth
   next question. */
int fake_stock_calls(struct fake_node *f, const char *list);
const char *fake_stock_field(struct fake_node *f, const char *list, int n, const char *field);

#endif
