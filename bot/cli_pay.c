/*
 * `nanotik reconcile`, `nanotik sweep`, `nanotik address`: the operator's side of payments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bot/cli.h"
#include "bot/signals.h"
#include "bot/wire.h"
#include "core/db/store_account.h"
#include "core/nano/key.h"

enum { CONNECTIONS = 2 };

/* Database and payment method, without a bot. */
struct till {
    struct cli *cli;
    struct cli_db db;
    struct signals *signals;
    struct nano_seed *seed;
    struct wire_pay *pay;
};

static bool till_open(struct till *t, struct err *e)
{
    if (!cli_load_config(t->cli, e) || !nano_seed_load(&t->seed, e) ||
        !signals_start(&t->cli->stop, 0, NULL, &t->signals, e))
        return false;
    if (!wire_pay_wanted(t->cli->config, t->seed))
        return err_set(e, ERR_CONFIG, "cli.no_payments", "neither NANO_SEED nor a wallet is set");
    return cli_db_open(t->cli, true, CONNECTIONS, &t->db, NULL, e) &&
           cli_load_id_key(t->cli, t->db.db, e) &&
           wire_pay_make(t->cli->config, t->db.db, NULL, &t->seed, &t->pay, e);
}

static void till_close(struct till *t)
{
    wire_pay_free(t->pay);
    nano_seed_destroy(t->seed);
    cli_db_close(&t->db);
    signals_stop(t->signals);
}

/* --- reconcile --- */

static void on_difference(void *ctx, const char *what)
{
    int64_t *count = ctx;
    ++*count;
    printf("%s\n", what);
}

int cli_reconcile(struct cli *cli)
{
    struct till t = {.cli = cli};
    struct err e = {0};
    int64_t differences = 0, checked = 0;
    int code = CLI_FAILED;
    if (!cli_only_config(cli))
        return CLI_USAGE;
    bool ok = till_open(&t, &e);
    if (ok) {
        const struct payment_method *pay = wire_pay_method(t.pay);
        ok = pay->ops->reconcile(pay->self, on_difference, &differences, &cli->stop, &checked, &e);
    }
    if (!ok) {
        cli_fail(cli, &e);
    } else {
        AUTO(free_ptr)
        char *text = i18n_text(cli->lang, differences ? "cli.reconcile_bad" : "cli.reconcile_good",
                               I18N_NUM("count", checked), I18N_NUM("differences", differences));
        printf("%s\n", text);
        code = differences ? CLI_FAILED : CLI_OK;
    }
    till_close(&t);
    return code;
}

/* --- sweep --- */

int cli_sweep(struct cli *cli)
{
    struct till t = {.cli = cli};
    struct err e = {0};
    char moved[PAY_AMOUNT] = "";
    int code = CLI_FAILED;
    if (!cli_only_config(cli))
        return CLI_USAGE;
    bool ok = till_open(&t, &e);
    if (ok) {
        const struct payment_method *pay = wire_pay_method(t.pay);
        ok = pay->ops->collect(pay->self, &cli->stop, moved, &e);
    }
    if (ok) {
        AUTO(free_ptr) char *text = i18n_text(cli->lang, "cli.swept", I18N_TEXT("amount", moved));
        printf("%s\n", text);
        code = CLI_OK;
    } else {
        cli_fail(cli, &e);
    }
    till_close(&t);
    return code;
}

/* --- address --- */

struct look_up {
    const struct payment_method *pay;
    const char *account;
    char address[PAY_ADDRESS];
};

static bool address_body(struct db_tx *tx, void *data, struct err *e)
{
    struct look_up *l = data;
    struct account found;
    return account_lookup(tx, l->account, &found, e) &&
           l->pay->ops->address(l->pay->self, tx, found.id, l->address, e);
}

/* Where money for refunds is kept, and how much of it is there. */
static bool print_treasury(struct till *t, struct err *e)
{
    const struct payment_method *pay = wire_pay_method(t->pay);
    char address[PAY_ADDRESS], balance[PAY_AMOUNT];
    if (!pay->ops->treasury(pay->self, &t->cli->stop, address, balance, e))
        return false;
    printf("%s\n%s %s\n", address, balance, pay->ops->unit);
    return true;
}

static bool print_address(struct till *t, const char *account, struct err *e)
{
    struct look_up l = {.pay = wire_pay_method(t->pay), .account = account};
    if (!db_run(t->db.db, address_body, &l, e))
        return false;
    printf("%s\n", l.address);
    return true;
}

int cli_address(struct cli *cli)
{
    enum { TREASURY = 100 };
    static const struct cli_option options[] = {
        CLI_CONFIG_OPTION, {.name = "treasury", .id = TREASURY},
         {0                 }
    };
    struct cli_args args = {0};
    struct till t = {.cli = cli};
    struct err e = {0};
    bool parsed = true, treasury = false;
    int option;
    while ((option = cli_option(cli, &args, options, &parsed)) != CLI_END)
        treasury |= option == TREASURY;
    if (!parsed || !cli_words_ok(cli, &args, 1))
        return CLI_USAGE;
    if (args.word_count != (treasury ? 0 : 1))
        return cli_usage(cli, "cli.need_account", NULL);
    bool ok = till_open(&t, &e) &&
              (treasury ? print_treasury(&t, &e) : print_address(&t, args.words[0], &e));
    if (!ok)
        cli_fail(cli, &e);
    till_close(&t);
    return ok ? CLI_OK : CLI_FAILED;
}
