/*
 * pay_site - the built program where payments go to the fake Nano network.
 *
 * What:    a network, a wallet of the operator, and the settings that lead there. Failures end the
 *          case through cmocka.
 * Owner:   pay_site_close; pay_env_free.
 * Threads: main.
 */
#ifndef NANOTIK_TESTS_PAY_SITE_H
#define NANOTIK_TESTS_PAY_SITE_H

#include "tests/fake_nano.h"
#include "tests/session.h"

enum { PAY_ENV_MAX = 24 };

#define PAY_SITE_SEED "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

extern struct fake_node pay_site_nano;

/* cmocka set-up and tear-down: a site, and the network. */
int pay_site_open(void **state);
int pay_site_close(void **state);

struct pay_env {
    char *owned[PAY_ENV_MAX];
    const char *list[PAY_ENV_MAX]; /* NULL-terminated, for session_run */
    size_t count;
};
/* What every program is told: a node, seed and wallet, work that costs nothing, a price of 3.
   crash: a named place (core/base/crash), or NULL. */
void pay_env_make(struct pay_env *e, const char *crash);
void pay_env_put(struct pay_env *e, char *text); /* "K=V"; it is freed with the rest */
void pay_env_free(struct pay_env *e);

#endif
