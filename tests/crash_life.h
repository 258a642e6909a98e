/*
 * crash_life - a program whose whole life is transactions of the store: payments, quotes, holds,
 * films that are delivered, fail or wait, refunds, a group's purse, /forget.
 *
 * What:    test_db_crash starts it, has it killed (NANOTIK_CRASH_AT "life.precommit:N",
 *          "life.commit:N": the Nth transaction that changes something) and starts it again. Like the
 *          bot it writes events down first and deals with each in one transaction; all else it finds
 *          in the database. It prints "said TEXT" for each message that it sends.
 * Threads: one.
 */
#ifndef NANOTIK_CRASH_LIFE_H
#define NANOTIK_CRASH_LIFE_H

/* Until nothing is left to do; the exit code of the program. */
int crash_life(const char *url);

#endif
