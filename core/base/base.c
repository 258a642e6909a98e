#include "core/base/base.h"

#include <stdlib.h>
#include <string.h>

void free_ptr(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof(p));
    free(p);
}
