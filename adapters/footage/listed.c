#include "adapters/footage/listed.h"

#include <string.h>

size_t footage_place(const char *const *list, size_t count, const char *provider, const char *id)
{
    size_t n = strlen(provider), i = 0;
    while (i < count && (strncmp(list[i], provider, n) != 0 || list[i][n] != ':' ||
                         strcmp(list[i] + n + 1, id) != 0))
        i++;
    return i;
}
