/*
 * account - public keys and their addresses; 32-byte hashes and their hex.
 *
 * Owner:   plain values.
 * Threads: pure functions; hash_setup (sodium) must have run.
 * Fails:   parsers return false for anything that is not exactly right and leave the result alone;
 *          NULL is refused.
 * Source:  facts sheet "nano" section 2.
 */
#ifndef NANOTIK_NANO_ACCOUNT_H
#define NANOTIK_NANO_ACCOUNT_H

#include "core/base/base.h"

enum {
    NANO_BYTES = 32,
    NANO_HEX = 65,     /* 64 digits and NUL */
    NANO_ADDRESS = 66, /* nano_, 60 characters, NUL */
};

struct nano_account {
    unsigned char key[NANO_BYTES];
};
/* Also what is shaped like one: a link, a work root, a frontier. */
struct nano_hash {
    unsigned char bytes[NANO_BYTES];
};

/* nano_ or the old xrb_, lower case, checksum right, nothing around it. */
MUST_USE bool nano_account_parse(const char *address, struct nano_account *ret);
/* Always nano_. */
void nano_account_print(const struct nano_account *a, char ret_address[static NANO_ADDRESS]);
bool nano_account_equal(const struct nano_account *a, const struct nano_account *b);
/* 32 zero bytes: a valid destination that nobody has the key of. Never send there. */
bool nano_account_is_burn(const struct nano_account *a);
struct nano_account nano_account_of(const struct nano_hash *link);
struct nano_hash nano_hash_of(const struct nano_account *a);

/* 64 hex digits of either case, nothing around them. Printed in upper case. */
MUST_USE bool nano_hash_parse(const char *hex, struct nano_hash *ret);
void nano_hash_print(const struct nano_hash *h, char ret_hex[static NANO_HEX]);
bool nano_hash_equal(const struct nano_hash *a, const struct nano_hash *b);
bool nano_hash_is_zero(const struct nano_hash *h);

/* Any number of bytes: exactly 2 * len digits of either case; 2 * len + 1 characters out. */
MUST_USE bool nano_hex_parse(const char *hex, unsigned char *ret_bytes, size_t len);
void nano_hex_print(const unsigned char *bytes, size_t len, char *ret_hex);

/* nano:ADDRESS?amount=RAW, the raw as an integer; amount 0 leaves it out. */
enum { NANO_URI = 128 };
struct raw;
void nano_uri(const struct nano_account *a, const struct raw *amount,
              char ret_uri[static NANO_URI]);

#endif
