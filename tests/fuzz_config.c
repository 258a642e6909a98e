/* Any file: settings or a message that names the file; never a crash, never a value out of bounds. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/config.h"
#include "core/base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    AUTO(free_ptr) char *path = str_printf("/proc/self/fd/%d", fd);
    struct config *c = NULL;
    struct err e = {0};
    if (config_load(path, &c, &e)) {
        int64_t seconds = config_int(c, "VIDEO_MAX_DURATION");
        assert(seconds >= 10 && seconds <= 3600);
        config_free(c);
    } else {
        assert(e.code == ERR_CONFIG && str_starts(e.detail, path));
    }
    close(fd);
    return 0;
}
