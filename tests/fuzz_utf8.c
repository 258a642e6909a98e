/* Whatever comes in: cleaning gives valid text, a second cleaning changes nothing, every cut of it is
   valid, and walking agrees with the validity check. */
#include <assert.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_ptr) char *text = strndup((const char *)data, size);
    size_t len = strlen(text);
    bool valid = utf8_valid(text, len);
    bool replaced = false;
    size_t walked = 0;
    for (size_t pos = 0; pos < len; walked++) {
        size_t before = pos;
        bool bad = utf8_next(text, len, &pos) == 0xFFFD && pos == before + 1;
        replaced = replaced || bad;
        assert(pos > before && pos <= len);
    }
    assert(valid == !replaced);
    assert(walked == utf8_count(text));
    size_t invalid = utf8_clean(text);
    assert((invalid == 0) == valid);
    len = strlen(text);
    assert(utf8_valid(text, len));
    for (size_t cut = 0; cut <= len; cut++)
        assert(utf8_valid(text, utf8_cut(text, cut)) && utf8_cut(text, cut) + 4 > cut);
    AUTO(free_ptr) char *again = str_dup(text);
    assert(utf8_clean(again) == 0 && strcmp(again, text) == 0);
    return 0;
}
