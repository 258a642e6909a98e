/*
 * raw - amounts of Nano in raw, the one unit of its ledger; 1 XNO = 10^30 raw.
 *
 * What:    a 128-bit number in a type of its own, so that nobody adds credits to it; text in and
 *          out, checked sums. Nothing here rounds, and nothing ever becomes a double.
 * Owner:   plain values.
 * Threads: pure functions.
 * Fails:   false, and the result is untouched.
 * Source:  facts sheet "nano" section 1.
 */
#ifndef NANOTIK_RAW_H
#define NANOTIK_RAW_H

#include "core/base/base.h"

enum {
    RAW_BYTES = 16,
    RAW_TEXT = 40, /* 39 digits and NUL */
    XNO_TEXT = 41, /* 9 digits, dot, 30 digits, NUL */
    XNO_DECIMALS = 30,
};

struct raw {
    unsigned __int128 value;
};

#define RAW_ZERO ((struct raw){0})
#define RAW_MAX ((struct raw){~(unsigned __int128)0})
/* 10^24 raw = 0.000001 XNO: the last decimal that wallets show. Amounts asked for are multiples. */
#define RAW_MICRO_XNO ((struct raw){(unsigned __int128)1000000000000 * 1000000000000})
#define RAW_XNO ((struct raw){RAW_MICRO_XNO.value * 1000000})

/* The wire form, as strict as a node: digits only, no leading zero, at most 39, no overflow. NULL
   is refused. */
MUST_USE bool raw_parse(const char *text, struct raw *ret);
void raw_print(struct raw a, char ret_text[static RAW_TEXT]);

/* What people and configurations write: digits with at most one dot and 30 decimals. No sign, no
   exponent, no comma. The other way: no needless zeros, no thousands separators, always a dot. */
MUST_USE bool raw_from_xno(const char *text, struct raw *ret);
void raw_to_xno(struct raw a, char ret_text[static XNO_TEXT]);
/* The same with at most `decimals` of them; what is beyond is cut, never rounded up. */
void raw_to_xno_short(struct raw a, int decimals, char ret_text[static XNO_TEXT]);

/* Big-endian, as blocks hold it. */
void raw_to_bytes(struct raw a, unsigned char ret_bytes[static RAW_BYTES]);

/* False on overflow, or when b is more than a. */
MUST_USE bool raw_add(struct raw a, struct raw b, struct raw *ret);
MUST_USE bool raw_sub(struct raw a, struct raw b, struct raw *ret);
MUST_USE bool raw_mul(struct raw a, uint64_t factor, struct raw *ret);
/* a = *ret_quotient * unit + *ret_rest. False when unit is 0 or the quotient is above INT64_MAX. */
MUST_USE bool raw_divide(struct raw a, struct raw unit, int64_t *ret_quotient,
                         struct raw *ret_rest);
/* Up to the next multiple of unit (> 0); false on overflow. */
MUST_USE bool raw_round_up(struct raw a, struct raw unit, struct raw *ret);
/* -1, 0, 1 */
int raw_compare(struct raw a, struct raw b);
bool raw_is_zero(struct raw a);

#endif
