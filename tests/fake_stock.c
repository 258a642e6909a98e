#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_stock.h"

#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_stock_start(struct fake_node *f, const char *clip, const char *photo)
{
    fake_node_start(f, "stock", (const char *[]){"--clip", clip, "--photo", photo, NULL});
}

void fake_stock_tell(struct fake_node *f, const char *name, const char *body)
{
    cJSON_Delete(fake_node_ask(f, name, body));
}

int fake_stock_calls(struct fake_node *f, const char *list)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    return cJSON_GetArraySize(json_array(state, list));
}

const char *fake_stock_field(struct fake_node *f, const char *list, int n, const char *field)
{
    static char kept[8][256];
    static int next;
    AUTO(json_free) cJSON *state = fake_node_state(f);
    const cJSON *call = cJSON_GetArrayItem(json_array(state, list), n);
    char *slot = kept[next++ % 8];
    str_copy(slot, sizeof(kept[0]), json_text(call, field, "-"));
    return slot;
}
