#include "tests/admin_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/strbuf.h"

void admin_open(struct world *w, bool buttons)
{
    world_open(w, buttons);
    w->bot.admins = "fake:1, fake:" OPERATOR;
    w->event.user_id = OPERATOR;
}

const char *say_as(struct world *w, const char *who, const char *line)
{
    w->event.user_id = who;
    return say(w, line);
}

void account_of(struct world *w, const char *who, char ret[static UUID_TEXT])
{
    const char *at = strstr(say_as(w, who, "/credits"), "Your account: ");
    assert_non_null(at);
    str_copy(ret, UUID_TEXT, at + strlen("Your account: "));
    w->event.user_id = OPERATOR;
}

void must_have(const char *said, const char *needle)
{
    if (!strstr(said, needle))
        fail_msg("this lacks \"%s\":\n%s", needle, said);
}

void must_lack(const char *said, const char *needle)
{
    if (strstr(said, needle))
        fail_msg("this has \"%s\":\n%s", needle, said);
}
