/* The fakes of outside services are honest: real client libraries get along with them (Node). */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/proc.h"

enum { NODE_MS = 200000 }; /* ten seconds, on a machine with nothing else to do */

static void real_clients_get_along_with_the_fakes(void **state)
{
    (void)state;
    char cwd[1024];
    char *said = NULL;
    struct err e = {0};
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    if (!fs_exists("tests/fakes/node_modules/grammy")) {
        print_message("npm --prefix tests/fakes ci has not run: nothing to compare with\n");
        skip();
    }
    const char *argv[] = {"/usr/bin/env", "sh", "-c",
                          "cd tests/fakes && node --test 2>&1 || { echo failed; exit 0; }", NULL};
    struct proc_options o = {.cwd = cwd};
    if (!proc_run(argv, &o, NODE_MS, 1 << 20, &said, &e))
        fail_msg("node: %s", e.detail);
    if (!strstr(said, "# fail 0") || strstr(said, "# pass 0"))
        fail_msg("%s", said);
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_clients_get_along_with_the_fakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
