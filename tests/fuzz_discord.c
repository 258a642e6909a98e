/* Gateway bytes: first byte chooses zlib or text; then frames, interactions and the state machine. */
#include <stdlib.h>
#include <string.h>

#include "adapters/discord/decode.h"
#include "adapters/discord/gateway.h"
#include "adapters/discord/inflate.h"
#include "core/base/hash.h"
#include "core/net/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct gateway *g, struct gw_output *out, const char *text, size_t len)
{
    static const unsigned char key[32] = {7};
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    struct dc_event ev;
    if (!json_parse(text, len, NULL, &doc, &e))
        return;
    const cJSON *d = json_object(doc, "d");
    struct gw_input in = {.kind = GW_FRAME,
                          .op = (int)(json_int_or(doc, "op", -1) % 100),
                          .type = json_text(doc, "t", ""),
                          .session_id = json_text(d, "session_id", ""),
                          .resume_url = json_text(d, "resume_gateway_url", "")};
    in.has_seq = json_int(doc, "s", &in.seq);
    in.hello_ms = json_int_or(d, "heartbeat_interval", 1);
    in.resumable = json_true(doc, "d");
    gateway_step(g, &in, 1000, out);
    if (dc_decode(d ? d : doc, key, &ev) && ev.kind == DC_NOTHING)
        abort();
    char message[DC_ID_MAX], channel[DC_ID_MAX];
    bool hidden;
    if (ev.event.card_ref[0] && !dc_ref_get(ev.event.card_ref, message, channel, &hidden))
        abort();
    dc_event_free(&ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_gate gate = {.max_concurrency = 1, .total = 10, .remaining = 10};
    struct gateway g;
    struct gw_output out = {.wake_ms = 0};
    const struct gw_input start = {.kind = GW_START, .type = ""};
    const struct gw_input opened = {.kind = GW_OPENED, .type = ""};
    hash_setup();
    gateway_init(&g, "TOKEN", "wss://gateway.example", 0, 1, &gate, 1);
    gateway_step(&g, &start, 1000, &out);
    gateway_step(&g, &opened, 1000, &out);
    if (size > 0 && data[0] == 'z') {
        struct inflater it = {0};
        struct err e = {0};
        bool whole = false;
        for (size_t at = 1; at < size;) { /* in pieces of 64 bytes */
            size_t n = MIN(size - at, 64u);
            if (!inflater_add(&it, data + at, n, 1 << 20, &whole, &e))
                break;
            if (whole)
                take(&g, &out, strbuf_text(&it.out), it.out.len);
            at += n;
        }
        inflater_free(&it);
    } else {
        take(&g, &out, (const char *)data, size);
    }
    strbuf_free(&out.send);
    return 0;
}
