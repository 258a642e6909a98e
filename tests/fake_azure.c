#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_azure.h"

#include "adapters/speech/azure_parts.h"

void fake_azure_start(struct fake_node *f)
{
    fake_node_start(f, "azure", (const char *[]){"--key", FAKE_AZURE_KEY, NULL});
}

cJSON *fake_azure_ask(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON *doc = fake_node_askv(f, name, fmt, args);
    va_end(args);
    return doc;
}

void fake_azure_do(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON_Delete(fake_node_askv(f, name, fmt, args));
    va_end(args);
}

void fake_azure_voices(struct fake_node *f, bool all)
{
    AUTO(strbuf_free) struct strbuf names = STRBUF(8192);
    size_t count;
    const struct azure_voice *v = azure_voices(&count);
    for (size_t i = all ? 0 : 1; i < count; i++)
        strbuf_addf(&names, "%s\"%s\"", names.len ? "," : "", v[i].service);
    fake_azure_do(f, "set", "{\"voices\":[%s]}", strbuf_text(&names));
}
