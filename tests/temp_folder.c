#include "tests/temp_folder.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/fs.h"

char temp_folder[512];

int temp_folder_setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(temp_folder, sizeof(temp_folder), "%s/nanotik.XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(temp_folder) ? 0 : -1;
}

int temp_folder_teardown(void **state)
{
    (void)state;
    fs_remove(temp_folder);
    return 0;
}
