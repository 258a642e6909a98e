/* Azure's protocol without a network: frames, turns, ends of connections. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/clock.h"
#include "core/base/hash.h"

#define ID "0123456789ABCDEF0123456789ABCDEF"
#define META "X-RequestId:" ID "\r\nPath:audio.metadata\r\n\r\n"

#define PUNCTUATION                                                                              \
    "{\"Metadata\":[{\"Type\":\"WordBoundary\",\"Data\":{\"Offset\":1,\"text\":{\"Text\":\".\"," \
    "\"BoundaryType\":\"PunctuationBoundary\"}}}]}"

/* --- frames --- */

static const struct {
    const char *bytes;
    const char *path, *id, *body; /* path NULL: unreadable */
    const char *why;
} texts[] = {
    {"X-RequestId:" ID "\r\nPath:turn.end\r\n\r\n{}",                                "turn.end",   ID, "{}",
     "as the service writes"                                                                                                          },
    {"path: TURN.start\r\nx-requestid:  0123456789abcdef0123456789abcdef \r\n\r\nx", "turn.start",
     ID,                                                                                               "x",    "any case, any space"  },
    {"Path:response\nX-RequestId:" ID "\n\nbody",                                    "response",   ID, "body", "bare line feeds"      },
    {"Path:turn.end",                                                                "turn.end",   "", "",     "no end of the headers"},
    {"Path:turn.end\r\n\r\n",                                                        "turn.end",   "", "",     "no id, no body"       },
    {"nothing of the kind",                                                          NULL,         "", "",     "no header at all"     },
    {"",                                                                             NULL,         "", "",     "empty"                },
    {"\r\n\r\nPath:turn.end",                                                        NULL,         "", "",     "a body only"          },
    {"Path:\r\n\r\n",                                                                NULL,         "", "",     "an empty path"        },
    {"Path:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",               NULL,         "", "",     "a long path"          },
    {"X-RequestId:" ID "0\r\nPath:turn.end\r\n\r\n",                                 "turn.end",   "", "",     "a long id is no id"   },
    {"Path turn.end\r\nPath:a\r\n\r\n",                                              "a",          "", "",     "a line without colon" },
};

static void text_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct azure_frame f;
        bool ok = azure_frame_read(texts[i].bytes, strlen(texts[i].bytes), true, &f);
        if (ok != (texts[i].path != NULL) ||
            (ok && (strcmp(f.path, texts[i].path) != 0 || strcmp(f.id, texts[i].id) != 0 ||
                    f.len != strlen(texts[i].body) || memcmp(f.body, texts[i].body, f.len) != 0)))
            fail_msg("%s: %d '%s' '%s' %zu", texts[i].why, ok, f.path, f.id, f.len);
    }
}

static size_t binary(char *out, size_t claimed, const char *head, const char *body, size_t len)
{
    size_t n = strlen(head);
    out[0] = (char)(claimed >> 8);
    out[1] = (char)claimed;
    memcpy(out + 2, head, n);
    memcpy(out + 2 + n, body, len);
    return 2 + n + len;
}

static void binary_frames(void **state)
{
    (void)state;
    static const char head[] = "Path:audio\r\nX-RequestId:" ID "\r\n";
    char bytes[256];
    struct azure_frame f;
    size_t n = binary(bytes, sizeof(head) - 1, head, "\1\2\0\4", 4);
    assert_true(azure_frame_read(bytes, n, false, &f));
    assert_string_equal(f.path, "audio");
    assert_string_equal(f.id, ID);
    assert_int_equal(f.len, 4);
    assert_memory_equal(f.body, "\1\2\0\4", 4);
    n = binary(bytes, sizeof(head) - 1, head, "", 0);
    assert_true(azure_frame_read(bytes, n, false, &f)); /* the last one is empty */
    assert_int_equal(f.len, 0);
    n = binary(bytes, sizeof(head), head, "", 0);
    assert_false(azure_frame_read(bytes, n, false, &f)); /* header longer than the frame */
    n = binary(bytes, 65535, head, "abc", 3);
    assert_false(azure_frame_read(bytes, n, false, &f));
    assert_false(azure_frame_read("\0\0", 2, false, &f));
    assert_false(azure_frame_read("\0", 1, false, &f));
    assert_false(azure_frame_read("", 0, false, &f));
}

static void frames_to_the_service(void **state)
{
    (void)state;
    AUTO(strbuf_free) struct strbuf out = STRBUF(4096);
    struct azure_frame f;
    char id[AZURE_ID];
    clock_fake(1, 1795359478011); /* 2026-11-22 */
    azure_id_make(id);
    assert_int_equal(strspn(id, "0123456789ABCDEF"), 32);
    azure_frame_ssml(&out, id, "<speak/>");
    assert_non_null(strstr(out.text, ".011Z\r\n"));
    assert_non_null(strstr(out.text, "X-Timestamp: 2026-11-"));
    assert_non_null(strstr(out.text, "Content-Type: application/ssml+xml\r\n\r\n<speak/>"));
    assert_true(azure_frame_read(out.text, out.len, true, &f));
    assert_string_equal(f.id, id);
    clock_fake(-1, 0);
}

/* --- turns --- */

static void take_text(struct azure_turn *t, const char *text)
{
    azure_turn_take(t, text, strlen(text), true);
}

static void take_audio(struct azure_turn *t, const char *id, size_t len)
{
    char head[80];
    char *bytes = calloc(1, len + 100);
    int n = snprintf(head, sizeof(head), "Path:audio\r\nX-RequestId:%s\r\n", id);
    size_t all = binary(bytes, (size_t)n, head, "", 0);
    memset(bytes + all, 7, len);
    azure_turn_take(t, bytes, all + len, false);
    free(bytes);
}

static const struct {
    const char *json; /* or words: offset, text, '|' between them */
    size_t events;
    const char *why;
} metadata[] = {
    {"500000 Hello",                                                       1, "one word"             },
    {"0 a|1e7 b",                                                          2, "two in one frame"     },
    {"3000000000 late",                                                    1, "over 31 bits of ticks"},
    {"-1 a|1e999 b",                                                       0, "negative, infinite"   },
    {"\"5\" a|null b",                                                     0, "offset is no number"  },
    {"6000000001 a",                                                       0, "after ten minutes"    },
    {"1 ",                                                                 0, "no word in it"        },
    {"{\"Metadata\":[{\"Type\":\"Viseme\",\"Data\":{\"Offset\":1}}]}",     0, "not a word"           },
    {"{\"Metadata\":[{\"Type\":\"SessionEnd\",\"Data\":{\"Offset\":1}}]}", 0,
     "the end of the sound"                                                                          },
    {"{\"Metadata\":[{\"Type\":\"WordBoundary\"},null,[],7]}",             0, "hollow entries"       },
    {PUNCTUATION,                                                          0, "a mark is no word"    },
    {"{\"Metadata\":{}}",                                                  0, "no list"              },
    {"[]",                                                                 0, "another document"     },
    {"{\"Metadata\":[",                                                    0, "cut"                  },
    {"1 \\ud83d",                                                          1, "a lone surrogate"     },
};

static void metadata_frame(const char *row, char *frame, size_t size)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(2000);
    strbuf_adds(&out, META);
    if (*row == '{' || *row == '[') {
        strbuf_adds(&out, row);
    } else {
        strbuf_adds(&out, "{\"Metadata\":[");
        for (const char *p = row; *p; p += strcspn(p, "|"), p += *p == '|') {
            int offset = (int)strcspn(p, " "), word = (int)strcspn(p + offset + 1, "|");
            strbuf_addf(&out,
                        "%s{\"Type\":\"WordBoundary\",\"Data\":{\"Offset\":%.*s,\"Duration\":1,"
                        "\"text\":{\"Text\":\"%.*s\",\"BoundaryType\":\"WordBoundary\"}}}",
                        p == row ? "" : ",", offset, p, word, p + offset + 1);
        }
        strbuf_adds(&out, "]}");
    }
    str_copy(frame, size, out.text);
}

static void metadata_of_all_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(metadata); i++) {
        struct azure_turn t;
        char frame[1024];
        azure_turn_init(&t);
        str_copy(t.id, sizeof(t.id), ID);
        metadata_frame(metadata[i].json, frame, sizeof(frame));
        take_text(&t, frame);
        if (t.event_count != metadata[i].events)
            fail_msg("%s: %zu events", metadata[i].why, t.event_count);
        azure_turn_free(&t);
    }
}

static void only_own_frames_count(void **state)
{
    (void)state;
    struct azure_turn t;
    azure_turn_init(&t);
    str_copy(t.id, sizeof(t.id), ID);
    take_text(&t, "X-RequestId:00000000000000000000000000000000\r\nPath:turn.end\r\n\r\n{}");
    take_text(&t, "Path:turn.end\r\n\r\n{}");
    take_text(&t, "X-RequestId:" ID "\r\nPath:speech.phrase\r\n\r\n{}");
    take_audio(&t, "00000000000000000000000000000000", 100);
    take_text(&t, META "{\"Metadata\":["); /* unreadable: no sign of life */
    assert_int_equal(t.frames, 0);
    assert_int_equal(t.audio.len, 0);
    assert_int_equal(t.state, AZURE_TURN_OPEN);
    take_audio(&t, ID, 101);
    take_audio(&t, ID, 0);
    take_audio(&t, "0123456789abcdef0123456789abcdef", 3);
    assert_int_equal(t.audio.len, 104);
    azure_turn_take(&t, "X-RequestId:" ID "\r\nPath:turn.end\r\n\r\n", 60, false); /* not binary */
    assert_int_equal(t.state, AZURE_TURN_OPEN);
    take_text(&t, "x-requestid: " ID "\r\npath: turn.end\r\n\r\n{}");
    assert_int_equal(t.state, AZURE_TURN_DONE);
    take_audio(&t, ID, 50); /* too late */
    assert_int_equal(t.audio.len, 104);
    azure_turn_free(&t);
}

static void a_turn_has_ceilings(void **state)
{
    (void)state;
    char frame[512];
    struct azure_turn t;
    azure_turn_init(&t);
    str_copy(t.id, sizeof(t.id), ID);
    t.audio.max = 1000;
    metadata_frame("5 a", frame, sizeof(frame));
    for (int i = 0; i < AZURE_EVENTS_MAX + 10; i++)
        take_text(&t, frame);
    assert_int_equal(t.event_count, AZURE_EVENTS_MAX);
    take_audio(&t, ID, 1000);
    assert_int_equal(t.state, AZURE_TURN_OPEN);
    take_audio(&t, ID, 1);
    assert_int_equal(t.state, AZURE_TURN_BROKEN);
    azure_turn_free(&t);
}

/* --- ends of connections --- */

static const struct {
    int status, close;
    const char *reason;
    enum err_code why_closed;
    enum azure_fault fault;
    enum err_code code;
    const char *why;
} ends[] = {
    {401, 1006, "",                                      ERR_NONE,    AZURE_CONFIG, ERR_CONFIG, "key"                                 },
    {403, 1006, "",                                      ERR_NONE,    AZURE_CONFIG, ERR_CONFIG, "key or region"                       },
    {429, 1006, "",                                      ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "throttled before the start"          },
    {503, 1006, "",                                      ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "busy"                                },
    {404, 1006, "",                                      ERR_NONE,    AZURE_REST,   ERR_RETRY,  "no such path"                        },
    {0,   1007, "Unsupported voice xx-XX-NobodyNeural.", ERR_NONE,    AZURE_VOICE,  ERR_CONFIG, "voice"                               },
    {0,   1007, "Throttled by quota",                    ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "throttled, by its text"              },
    {0,   1007, "Quota exceeded.",                       ERR_NONE,    AZURE_QUOTA,  ERR_CONFIG, "money"                               },
    {0,   4429,
     "The request is throttled because you have exceeded the concurrent "
     "request limit",                                    ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "too many at once"                    },
    {0,   1007, "SSML parsing error",                    ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "unknown text"                        },
    {0,   1000, "",                                      ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "a clean close in a turn is a failure"},
    {0,   1011, "",                                      ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "their bug"                           },
    {0,   1013, "",                                      ERR_NONE,    AZURE_AGAIN,  ERR_RETRY,  "try later"                           },
    {0,   1006, "",                                      ERR_RETRY,   AZURE_AGAIN,  ERR_RETRY,  "cut"                                 },
    {0,   1006, "",                                      ERR_REFUSED, AZURE_CONFIG, ERR_CONFIG, "address rules"                       },
    {0,   1006, "",                                      ERR_LIMIT,   AZURE_AGAIN,  ERR_RETRY,  "a huge message"                      },
};

static void ends_are_classed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct err e = {0};
        struct ws_end end = {
            .status = ends[i].status, .code = ends[i].close, .err = {.code = ends[i].why_closed}};
        str_copy(end.reason, sizeof(end.reason), ends[i].reason);
        enum azure_fault fault = azure_fault_of_end(&end, &e);
        if (fault != ends[i].fault || e.code != ends[i].code)
            fail_msg("%s: %d, %s", ends[i].why, fault, err_code_name(e.code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_frames),           cmocka_unit_test(binary_frames),
        cmocka_unit_test(frames_to_the_service), cmocka_unit_test(metadata_of_all_kinds),
        cmocka_unit_test(only_own_frames_count), cmocka_unit_test(a_turn_has_ceilings),
        cmocka_unit_test(ends_are_classed),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
