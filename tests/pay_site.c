#include "tests/pay_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/pay_world.h"

struct fake_node pay_site_nano;

int pay_site_open(void **state)
{
    if (site_open(state) != 0)
        return -1;
    fake_nano_start(&pay_site_nano);
    return 0;
}

int pay_site_close(void **state)
{
    fake_node_stop(&pay_site_nano);
    return site_close(state);
}

void pay_env_put(struct pay_env *e, char *text)
{
    assert_true(e->count + 1 < PAY_ENV_MAX);
    e->owned[e->count] = text;
    e->list[e->count++] = text;
}

void pay_env_free(struct pay_env *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->owned[i]);
}

void pay_env_make(struct pay_env *e, const char *crash)
{
    char url[80];
    *e = (struct pay_env){0};
    fake_nano_url(&pay_site_nano, "main", url);
    pay_env_put(e, str_printf("NANO_RPC_URL=%s", url));
    pay_env_put(e, str_dup("NANO_SEED=" PAY_SITE_SEED));
    pay_env_put(e, str_dup("NANO_WALLET_ADDRESS=" PAY_WALLET));
    pay_env_put(e, str_dup("NANO_SEND_DIFFICULTY=ffc0000000000000"));
    pay_env_put(e, str_dup("NANO_RECEIVE_DIFFICULTY=f000000000000000"));
    pay_env_put(e, str_dup("NANOTIK_PRICE_BASIC=3"));
    pay_env_put(e, str_dup("NANOTIK_LEASE_SECONDS=1"));
    pay_env_put(e, str_dup("NANO_REFUNDS=on"));
    if (crash)
        pay_env_put(e, str_printf("NANOTIK_CRASH_AT=%s", crash));
}
