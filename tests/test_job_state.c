#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/job/job_state.h"

/* Money follows these moves, so the forbidden ones are tried too. */
static const struct {
    enum job_state from, to;
    bool ok;
    const char *why;
} moves[] = {
    {JOB_QUOTED,     JOB_READY,      true,  "the person said go"                               },
    {JOB_QUOTED,     JOB_WAITING,    true,  "another of theirs is at work"                     },
    {JOB_QUOTED,     JOB_CANCELLED,  true,  "the quote was dropped or got old"                 },
    {JOB_QUOTED,     JOB_RUNNING,    false, "nothing runs without a hold"                      },
    {JOB_WAITING,    JOB_READY,      true,  "its turn has come"                                },
    {JOB_WAITING,    JOB_RUNNING,    false, "the share of the account is counted on the way"   },
    {JOB_READY,      JOB_RUNNING,    true,  "a worker took it"                                 },
    {JOB_READY,      JOB_FAILED,     true,  "it waited too long"                               },
    {JOB_RUNNING,    JOB_READY,      true,  "one more try"                                     },
    {JOB_RUNNING,    JOB_DELIVERING, true,  "the film is whole"                                },
    {JOB_RUNNING,    JOB_DONE,       false, "nothing is charged before it was being delivered" },
    {JOB_RUNNING,    JOB_CANCELLED,  true,  "the person stopped it"                            },
    {JOB_DELIVERING, JOB_DONE,       true,  "it arrived"                                       },
    {JOB_DELIVERING, JOB_READY,      true,  "the network was away"                             },
    {JOB_DELIVERING, JOB_CANCELLED,  false, "the person may have it already"                   },
    {JOB_DELIVERING, JOB_RUNNING,    false, "a claim goes through ready and counts a try"      },
    {JOB_DELIVERING, JOB_KEPT,       true,  "every way to the person is closed"                },
    {JOB_KEPT,       JOB_READY,      true,  "the person wants it here"                         },
    {JOB_KEPT,       JOB_WAITING,    true,  "the same, while another of theirs is at work"     },
    {JOB_KEPT,       JOB_CANCELLED,  true,  "the person wants their credits instead"           },
    {JOB_KEPT,       JOB_FAILED,     true,  "nobody came for it"                               },
    {JOB_KEPT,       JOB_DONE,       false, "nothing is charged before it arrived"             },
    {JOB_RUNNING,    JOB_KEPT,       false, "there is no film to keep"                         },
    {JOB_DONE,       JOB_FAILED,     false, "a delivered video is never paid back by itself"   },
    {JOB_FAILED,     JOB_READY,      false, "a job that was paid back must not run for nothing"},
    {JOB_CANCELLED,  JOB_READY,      false, "the same"                                         },
    {JOB_READY,      JOB_READY,      false, "a move changes the state"                         },
};

static void test_moves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(moves); i++)
        if (job_state_may_become(moves[i].from, moves[i].to) != moves[i].ok)
            fail_msg("%s -> %s: %s", job_state_name(moves[i].from), job_state_name(moves[i].to),
                     moves[i].why);
}

/* Every state can be left until it is an end, and ends have no way out. */
static void test_ends(void **state)
{
    (void)state;
    for (int from = JOB_QUOTED; from <= JOB_CANCELLED; from++) {
        int ways = 0;
        for (int to = JOB_QUOTED; to <= JOB_CANCELLED; to++)
            ways += job_state_may_become((enum job_state)from, (enum job_state)to);
        bool is_end = from == JOB_DONE || from == JOB_FAILED || from == JOB_CANCELLED;
        assert_int_equal(ways == 0, is_end);
        if (is_end || from == JOB_QUOTED)
            assert_false(job_state_is_live((enum job_state)from));
        else
            assert_true(job_state_is_live((enum job_state)from));
    }
}

static void test_names(void **state)
{
    (void)state;
    enum job_state s;
    for (int i = JOB_QUOTED; i <= JOB_CANCELLED; i++) {
        assert_true(job_state_parse(job_state_name((enum job_state)i), &s));
        assert_int_equal(s, i);
    }
    assert_false(job_state_parse("", &s));
    assert_false(job_state_parse("Ready", &s));
    assert_string_equal(job_state_name((enum job_state)99), "unknown");
    assert_false(job_state_may_become((enum job_state)99, JOB_READY));
    assert_false(job_state_may_become(JOB_READY, (enum job_state)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
