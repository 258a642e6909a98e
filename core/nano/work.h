/*
 * work - the proof of work of a block: find it, check it.
 *
 * What:    value = BLAKE2b-64(nonce || root); valid when value >= threshold. Engines compute the
 *          same with one, four or eight nonces at a time; each find is checked once more by
 *          libsodium before it is given out.
 * Owner:   plain values.
 * Threads: pure functions.
 * Source:  facts sheet "nano" section 4.
 */
#ifndef NANOTIK_NANO_WORK_H
#define NANOTIK_NANO_WORK_H

#include "core/base/base.h"
#include "core/nano/account.h"

/* Of the live network; send also for change, receive also for open. */
#define NANO_WORK_SEND UINT64_C(0xfffffff800000000)
#define NANO_WORK_RECEIVE UINT64_C(0xfffffe0000000000)

enum { NANO_WORK_HEX = 17 };

enum nano_work_engine { NANO_WORK_PORTABLE, NANO_WORK_AVX2, NANO_WORK_AVX512, NANO_WORK_ENGINES };

/* By libsodium, whatever the processor. */
uint64_t nano_work_value(const struct nano_hash *root, uint64_t work);
MUST_USE bool nano_work_valid(const struct nano_hash *root, uint64_t work, uint64_t threshold);
/* Exactly 16 hex digits of either case, highest first: works and thresholds. Printed in lower case. */
MUST_USE bool nano_work_parse(const char *hex, uint64_t *ret);
void nano_work_print(uint64_t work, char ret_hex[static NANO_WORK_HEX]);
/* Expected number of tries. */
double nano_work_tries(uint64_t threshold);

const char *nano_work_engine_name(enum nano_work_engine engine);
/* This processor (and operating system) can run it. */
bool nano_work_engine_there(enum nano_work_engine engine);
enum nano_work_engine nano_work_engine_best(void);
/* Tries `count` (a multiple of 8) nonces from `first` on, wrapping. True with a valid work, the first
   in that order. The engine must be there. */
MUST_USE bool nano_work_search(enum nano_work_engine engine, const struct nano_hash *root,
                               uint64_t threshold, uint64_t first, uint64_t count, uint64_t *ret);

#endif
