/*
 * temp_folder - a folder for the files of a test program, below $TMPDIR or /tmp.
 *
 * Use:     both are cmocka's group set-up and tear-down, alone or called by a program's own.
 * Threads: the main thread.
 */
#ifndef NANOTIK_TESTS_TEMP_FOLDER_H
#define NANOTIK_TESTS_TEMP_FOLDER_H

extern char temp_folder[512];

int temp_folder_setup(void **state);
int temp_folder_teardown(void **state); /* with all that is in it */

#endif
