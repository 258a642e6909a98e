/*
 * cost - what a piece of work takes, for the bench programs.
 *
 * What:    cost_measure runs it in a process of its own, so that memory and CPU are its alone; what
 *          it changes in this process's memory is lost.
 * Threads: one; before any other is started.
 */
#ifndef NANOTIK_TESTS_COST_H
#define NANOTIK_TESTS_COST_H

#include "core/base/base.h"

enum { COST_ROUNDS_MAX = 9 };

struct cost {
    double wall, cpu; /* seconds */
    double mib;       /* at most in memory */
};

/* False: it did not end with 0. */
bool cost_measure(void (*work)(int arg), int arg, struct cost *ret);
/* One after the other: times add up, memory is the larger. */
void cost_add(struct cost *sum, struct cost c);
/* Each part for itself; count <= COST_ROUNDS_MAX. */
struct cost cost_median(const struct cost *c, int count);
/* Sorts the values. */
double cost_middle(double *values, int count);

int64_t cost_now_us(void);
/* What is this process's alone: pages of libraries are shared and clean. */
int64_t cost_own_kb(void);

/* A number of the environment: 1 to most, else `otherwise`. */
int cost_setting(const char *name, int otherwise, int most);

#endif
