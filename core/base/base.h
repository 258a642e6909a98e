/*
 * base - the few macros that every file may use.
 */
#ifndef NANOTIK_BASE_H
#define NANOTIK_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))

/* Runs fn(&var) when the variable's scope ends; fn must accept the "empty" value. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Moves a pointer out of a variable that would otherwise be freed at scope exit. */
#define TAKE(p)                    \
    __extension__({                \
        __typeof__(p) took_ = (p); \
        (p) = NULL;                \
        took_;                     \
    })

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CLAMP(x, low, high) ((x) < (low) ? (low) : (x) > (high) ? (high) : (x))

/* For AUTO: frees a malloc'ed pointer of any type. */
void free_ptr(void *pointer_to_pointer);

#endif
