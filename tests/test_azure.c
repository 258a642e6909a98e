/* Azure's protocol without a network: frames, turns, markup, voices, word times. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <strings.h>

#include "adapters/speech/azure_parts.h"
#include "adapters/speech/espeak.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/story/text.h"

#define ID "0123456789ABCDEF0123456789ABCDEF"
#define META "X-RequestId:" ID "\r\nPath:audio.metadata\r\n\r\n"

#define PUNCTUATION                                                                              \
    "{\"Metadata\":[{\"Type\":\"WordBoundary\",\"Data\":{\"Offset\":1,\"text\":{\"Text\":\".\"," \
    "\"BoundaryType\":\"PunctuationBoundary\"}}}]}"

/* --- frames --- */

static struct azure_roster *roster; /* ours alone */

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

/* --- what is said --- */

static const struct {
    const char *text, *lang, *said, *why;
} said[] = {
    {"I'm \"here\"",             "en-US", "I'm \"here\"",             "quotes stay: an entity loses the word's event"},
    {"salt & pepper",            "en-US", "salt  and  pepper",        "an ampersand is a word"                       },
    {"AT&T",                     "de-DE", "AT und T",                 "in its language"                              },
    {"a <b> c",                  "en-US", "a  b  c",                  "no markup"                                    },
    {"go \xF0\x9F\x9A\x80 up",   "en-US", "go   up",                  "nobody reads emoji"                           },
    {"*bold* _it_",              "en-US", " bold   it ",              "marks of markdown"                            },
    {"\xD9\x85\xD9\x8E\xD8\xAF", "ar-SA", "\xD9\x85\xD9\x8E\xD8\xAF", "vowel marks stay"                             },
    {"50 % of 3.5",              "en-US", "50 % of 3.5",              "the service reads numbers itself"             },
};

static void markup_is_safe(void **state)
{
    (void)state;
    struct err e = {0};
    for (size_t i = 0; i < COUNT(said); i++) {
        AUTO(spoken_free) struct spoken s;
        azure_spoken_make(&s, said[i].text, said[i].lang);
        if (strcmp(s.text, said[i].said) != 0)
            fail_msg("%s: '%s'", said[i].why, s.text);
    }
    AUTO(spoken_free) struct spoken s;
    AUTO(strbuf_free) struct strbuf out = STRBUF(4096);
    azure_spoken_make(&s, "Hi.", "en");
    const struct azure_member *m = azure_voice_choose(roster, "en", "", &e);
    azure_ssml(&out, &m->voice, &s, 1.04);
    assert_string_equal(out.text,
                        "<speak version=\"1.0\" xmlns=\"http://www.w3.org/2001/10/synthesis\" "
                        "xmlns:mstts=\"http://www.w3.org/2001/mstts\" xml:lang=\"en-US\"><voice "
                        "name=\"en-US-JennyNeural\"><prosody rate=\"+4%\">Hi.</prosody></voice>"
                        "</speak>");
    strbuf_reset(&out);
    azure_ssml(&out, &m->voice, &s, 0.8);
    assert_non_null(strstr(out.text, "rate=\"-20%\""));
    strbuf_reset(&out);
    azure_ssml(&out, &m->voice, &s, 1.0);
    assert_null(strstr(out.text, "prosody"));
}

/* --- voices --- */

static void voices_are_curated(void **state)
{
    (void)state;
    static const char *const langs[] = {"en", "zh", "ar", "es", "fr", "de", "pt",
                                        "it", "ru", "uk", "hi", "id", "ja", "ko",
                                        "tr", "pl", "vi", "th", "nl", "fa", "he"};
    struct speech_engine local = {0};
    struct err e = {0};
    size_t count, local_count;
    const struct azure_voice *v = azure_voices(&count);
    struct espeak_options o = {.helper = "/bin/true"}; /* only its list is asked for */
    assert_true(espeak_create_with(&o, &local, &e));
    const struct speech_voice *theirs = local.ops->voices(local.self, &local_count);
    for (size_t i = 0; i < count; i++) {
        assert_true(v[i].rate >= 90 && v[i].rate <= 350);
        assert_true(str_starts(v[i].service, v[i].lang));
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(v[i].name, v[k].name) == 0)
                fail_msg("%s twice", v[i].name);
        for (size_t k = 0; k < local_count; k++)
            if (strcasecmp(v[i].name, theirs[k].name) == 0)
                fail_msg("%s is a local voice, too", v[i].name);
    }
    local.ops->destroy(local.self);
    for (size_t i = 0; i < COUNT(langs); i++) {
        bool female = false, male = false;
        const struct azure_member *first = azure_voice_choose(roster, langs[i], "", &e);
        assert_non_null(first);
        assert_true(azure_voice_is_default(&first->voice));
        for (size_t k = 0; k < count; k++)
            if (strncmp(v[k].lang, langs[i], 2) == 0) {
                female |= v[k].female;
                male |= !v[k].female;
                assert_string_equal(
                    azure_voice_choose(roster, langs[i], v[k].name, &e)->voice.service,
                    v[k].service);
            }
        assert_true(female && male);
    }
}

static const struct {
    const char *lang, *voice, *service, *why;
} choices[] = {
    {"en",      "",        "en-US-JennyNeural",     "a language's first"             },
    {"en-AU",   "",        "en-GB-SoniaNeural",     "the nearer accent"              },
    {"zh-Hant", "",        "zh-TW-HsiaoChenNeural", "traditional script"             },
    {"ar-MA",   "",        "ar-SA-ZariyahNeural",   "an unknown region"              },
    {"pt-PT",   "",        "pt-BR-FranciscaNeural", "those of Portugal send no times"},
    {"en",      "GB-Ryan", "en-GB-RyanNeural",      "letter case does not matter"    },
    {"zh",      "en-guy",  NULL,                    "a voice of another language"    },
    {"en",      "en-tom",  NULL,                    "a voice of another engine"      },
    {"sw",      "",        NULL,                    "no such language"               },
};

static void voices_are_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(choices); i++) {
        struct err e = {0};
        const struct azure_member *v =
            azure_voice_choose(roster, choices[i].lang, choices[i].voice, &e);
        if (v ? !choices[i].service || strcmp(v->voice.service, choices[i].service) != 0
              : choices[i].service != NULL || e.code != ERR_UNSUPPORTED)
            fail_msg("%s: %s", choices[i].why, v ? v->voice.service : e.detail);
    }
}

/* The service's list: what it lacks is gone, what it has besides can be chosen by its own name. */
static void the_list_decides(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"ShortName\":\"en-US-GuyNeural\",\"Locale\":\"en-US\",\"Status\":\"GA\","
        "\"WordsPerMinute\":\"215\"},"
        "{\"ShortName\":\"en-US-JennyNeural\",\"Locale\":\"en-US\",\"Status\":\"Deprecated\"},"
        "{\"ShortName\":\"en-GB-RyanNeural\",\"Locale\":\"en-GB\",\"WordsPerMinute\":\"9000\"},"
        "{\"ShortName\":\"en-US-AriaNeural\",\"Locale\":\"en-US\",\"Gender\":\"Female\","
        "\"LocalName\":\"Aria\",\"WordsPerMinute\":\"148\"},"
        "{\"ShortName\":\"en-US-Ava:DragonHDLatestNeural\",\"Locale\":\"en-US\"},"
        "{\"ShortName\":\"en-US-Old\",\"Locale\":\"en-US\"},"
        "{\"ShortName\":\"en-US-Gone2Neural\",\"Locale\":\"en-US\",\"Status\":\"Deprecated\"},"
        "{\"ShortName\":\"sw-KE-RafikiNeural\",\"Locale\":\"sw-KE\",\"Gender\":\"Male\","
        "\"LocalName\":\"Rafiki\",\"WordsPerMinute\":\"120\"},"
        "{\"ShortName\":\"xx-XX-NoRateNeural\",\"Locale\":\"xx-XX\"},"
        "{\"ShortName\":\"fr-FR-\\\"><x>Neural\",\"Locale\":\"fr-FR\"},7,null,{}]";
    static const struct {
        const char *lang, *voice, *service;
        int rate;
        const char *why;
    } rows[] = {
        {"en",    "",                               "en-US-GuyNeural",    215, "the first that is left, at the listed rate"},
        {"en",    "en-jenny",                       NULL,                 0,   "withdrawn"                                 },
        {"en-GB", "",                               "en-GB-RyanNeural",   150, "an impossible rate is not believed"        },
        {"en",    "en-us-arianeural",               "en-US-AriaNeural",   148, "not one of ours"                           },
        {"en",    "en-US-Ava:DragonHDLatestNeural", NULL,                 0,   "sends no word times"                       },
        {"en",    "en-US-Old",                      NULL,                 0,   "of a kind we do not know"                  },
        {"en",    "en-US-Gone2Neural",              NULL,                 0,   "withdrawn, not ours"                       },
        {"sw",    "",                               "sw-KE-RafikiNeural", 120, "a language that we do not curate"          },
        {"xx",    "",                               NULL,                 0,   "no rate: no price, no length"              },
        {"fr",    "",                               NULL,                 0,   "what would break the markup"               },
    };
    struct err e = {0};
    AUTO(json_free) cJSON *list = NULL;
    assert_true(json_parse(text, sizeof(text) - 1, NULL, &list, &e));
    struct azure_roster *r = azure_roster_make(list, NULL);
    assert_non_null(r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct azure_member *m = azure_voice_choose(r, rows[i].lang, rows[i].voice, &e);
        if (m ? !rows[i].service || strcmp(m->voice.service, rows[i].service) != 0 ||
                    azure_member_rate(m) != rows[i].rate
              : rows[i].service != NULL)
            fail_msg("%s: %s", rows[i].why, m ? m->voice.service : e.detail);
    }
    azure_roster_free(r);
    AUTO(json_free) cJSON *empty = cJSON_CreateArray();
    assert_null(azure_roster_make(empty, NULL));
}

static void rates_follow_what_was_spoken(void **state)
{
    (void)state;
    struct err e = {0};
    struct azure_roster *first = azure_roster_make(NULL, NULL);
    struct azure_member *m = azure_voice_choose(first, "de", "", &e);
    int documented = azure_member_rate(m);
    azure_member_spoke(m, 0, 5000);
    azure_member_spoke(m, 10, 0);
    assert_int_equal(azure_member_rate(m), documented);
    azure_member_spoke(m, 200, 60000); /* a minute weighs as much as the document */
    assert_int_equal(azure_member_rate(m), (documented + 200) / 2);
    for (int i = 0; i < 200; i++)
        azure_member_spoke(m, 200, 60000);
    assert_in_range(azure_member_rate(m), 198, 200);
    struct azure_roster *next = azure_roster_make(NULL, first);
    assert_in_range(azure_member_rate(azure_voice_choose(next, "de", "", &e)), 198, 200);
    azure_roster_free(next);
}

/* --- times --- */

/* Voice and pauses: "v300 p200 v500", milliseconds. */
static struct utterance sound(const char *plan)
{
    struct utterance u = {.sample_rate = AZURE_RATE, .samples = calloc(AZURE_RATE * 60, 2)};
    for (const char *p = plan; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        size_t n = strtoul(p + 1, NULL, 10) * AZURE_RATE / 1000;
        for (size_t i = 0; i < n; i++, u.count++)
            u.samples[u.count] = (int16_t)(*p == 'v' ? 5000 * ((i & 16) ? 1 : -1) : 0);
    }
    return u;
}

static void check_words(const char *why, const char *text, const struct utterance *u,
                        const struct speech_word *words, size_t count)
{
    size_t reached = 0;
    int last = 0, length = (int)(u->count * 1000 / AZURE_RATE);
    for (size_t i = 0; i < count; i++) {
        const struct speech_word *w = &words[i];
        if (w->at < reached || w->at + w->len > strlen(text) || w->start_ms < last ||
            w->end_ms < w->start_ms || w->end_ms > length + 1)
            fail_msg("%s: word %zu at %zu: %d-%d after %d of %d", why, i, w->at, w->start_ms,
                     w->end_ms, last, length);
        reached = w->at + w->len;
        last = w->start_ms;
    }
}

static void spread_hits_the_pauses(void **state)
{
    (void)state;
    static const char text[] = "Now listen, this is long. Right?";
    AUTO(utterance_free) struct utterance u = sound("v600 p250 v900 p400 v500");
    struct azure_turn none = {0};
    AUTO(spoken_free) struct spoken s;
    AUTO(free_ptr) struct speech_word *words = NULL;
    size_t count;
    struct err e = {0};
    azure_spoken_make(&s, text, "en");
    assert_true(azure_times(&u, &none, &s, text, "en", &words, &count, &e));
    check_words("spread", text, &u, words, count);
    assert_int_equal(count, 6);
    assert_int_equal(words[0].start_ms, 0);
    assert_in_range(words[2].start_ms, 845, 855);   /* "this", behind the first pause */
    assert_in_range(words[5].start_ms, 2145, 2155); /* "Right" */
    assert_in_range(words[1].end_ms, 595, 650);     /* "listen," does not last through the pause */
}

/* A pause in the middle of a phrase, and a comma that is not heard. */
static void spread_survives_odd_pauses(void **state)
{
    (void)state;
    static const char text[] = "One two three four five six, seven eight nine ten. Eleven twelve.";
    AUTO(utterance_free) struct utterance u = sound("v500 p130 v2000 p450 v700");
    AUTO(spoken_free) struct spoken s;
    AUTO(free_ptr) struct speech_word *words = NULL;
    struct azure_turn none = {0};
    size_t count;
    struct err e = {0};
    azure_spoken_make(&s, text, "en");
    assert_true(azure_times(&u, &none, &s, text, "en", &words, &count, &e));
    check_words("odd pauses", text, &u, words, count);
    assert_in_range(words[10].start_ms, 3070, 3090); /* "Eleven" */
}

static void add_event(struct azure_turn *t, const char *word, int ms)
{
    char frame[1024];
    snprintf(frame, sizeof(frame),
             META "{\"Metadata\":[{\"Type\":\"WordBoundary\",\"Data\":{\"Offset\":%d0000,"
                  "\"text\":{\"Text\":\"%s\"}}}]}",
             ms, word);
    take_text(t, frame);
}

static const struct {
    const char *text, *lang;
    const char *events; /* milliseconds, word, '|' */
    const char *starts; /* of the words of the text, in order; -1: any */
    const char *why;
} matches[] = {
    {"The cat sat down.",              "en", "0 The|400 cat|900 sat|1500 down|",                   "0 400 900 1500",          "a good day"                           },
    {"The cat sat down.",              "en", "0 The|900 sat|1500 down|",                           "0 -1 900 1500",
     "a word without event"                                                                                                                                          },
    {"the theme is the end",           "en", "0 the|300 theme|700 is|900 the|1200 end|",           "0 300 700 900 1200",
     "a word inside a later word"                                                                                                                                    },
    {"a b c d e f",                    "en", "0 a|1900 b|400 c|600 d|800 e|1000 f|",               "0 -1 400 600 800 1000",
     "one odd offset costs one word"                                                                                                                                 },
    {"It cost 1,250 dollars in 2024.", "en", "0 It|200 cost|500 1,250 dollars|1400 in|1600 2024|",
     "0 200 500 -1 1400 1600",                                                                                                "a number is one event"                },
    {"One day we all go home.",        "en",
     "0 One day we all go home.|300 day|600 we all go home.|800 all|1000 go|1200 home.|",          "0 300 600 800 1000 1200", "the rest of the paragraph in an event"},
    {"Tom & Jerry run.",               "en", "0 Tom|300 and|500 Jerry|1000 run|",                  "0 500 1000",
     "what is said for a sign"                                                                                                                                       },
    {"Tom & Jerry run.",               "en", "0 Tom|300 amp|300 ;|500 Jerry|1000 run|",            "0 500 1000",
     "pieces of entities"                                                                                                                                            },
    {"今天天气很好。",          "zh", "0 今天|500 天气|1000 很|1300 好|",             "0 500 -1",                "Chinese words"                        },
    {"مرحبا يا عالم",       "ar", "0 مرحبا|700 يا|1100 عالم|",               "0 700 1100",              "Arabic"                               },
};

static void words_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(matches); i++) {
        AUTO(utterance_free) struct utterance u = {0}, plan = sound("v2000");
        AUTO(spoken_free) struct spoken s;
        AUTO(free_ptr) struct speech_word *words = NULL;
        struct azure_turn t;
        size_t count;
        struct err e = {0};
        azure_turn_init(&t);
        str_copy(t.id, sizeof(t.id), ID);
        for (const char *p = matches[i].events; *p; p += strcspn(p, "|") + 1) {
            char word[128], *from;
            long ms = strtol(p, &from, 10);
            snprintf(word, sizeof(word), "%.*s", (int)strcspn(from + 1, "|"), from + 1);
            add_event(&t, word, (int)ms);
        }
        strbuf_add(&t.audio, plan.samples, plan.count * 2);
        azure_spoken_make(&s, matches[i].text, matches[i].lang);
        assert_true(azure_sound(&t, 0, &u, &e));
        assert_true(azure_times(&u, &t, &s, matches[i].text, matches[i].lang, &words, &count, &e));
        check_words(matches[i].why, matches[i].text, &u, words, count);
        char *next = NULL;
        const char *p = matches[i].starts;
        for (size_t k = 0; k < count && *p; k++, p = next) {
            long want = strtol(p, &next, 10);
            if (want >= 0 && labs(words[k].start_ms - want) > 1)
                fail_msg("%s: word %zu starts at %d", matches[i].why, k, words[k].start_ms);
        }
        azure_turn_free(&t);
    }
}

static void silence_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        int64_t expected;
        bool ok;
        const char *why;
    } rows[] = {
        {"v500",                    0,     true,  "sound"                 },
        {"p900 v500 p2000",         500,   true,  "silence around it goes"},
        {"",                        0,     false, "nothing"               },
        {"p3000",                   0,     false, "silence"               },
        {"p3000 v1 p3000 v1 p1000", 0,     false, "two clicks"            },
        {"v500",                    20000, false, "far too short a sound" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(utterance_free) struct utterance u = {0}, plan = sound(rows[i].plan);
        struct azure_turn t;
        struct err e = {0};
        azure_turn_init(&t);
        strbuf_add(&t.audio, plan.samples, plan.count * 2);
        strbuf_add(&t.audio, "x", 1); /* half a sample */
        if (azure_sound(&t, rows[i].expected, &u, &e) != rows[i].ok)
            fail_msg("%s: %s", rows[i].why, e.detail);
        azure_turn_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_frames),
        cmocka_unit_test(binary_frames),
        cmocka_unit_test(frames_to_the_service),
        cmocka_unit_test(metadata_of_all_kinds),
        cmocka_unit_test(only_own_frames_count),
        cmocka_unit_test(a_turn_has_ceilings),
        cmocka_unit_test(ends_are_classed),
        cmocka_unit_test(markup_is_safe),
        cmocka_unit_test(voices_are_curated),
        cmocka_unit_test(voices_are_chosen),
        cmocka_unit_test(the_list_decides),
        cmocka_unit_test(rates_follow_what_was_spoken),
        cmocka_unit_test(spread_hits_the_pauses),
        cmocka_unit_test(spread_survives_odd_pauses),
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(silence_is_refused),
    };
    hash_setup();
    roster = azure_roster_make(NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    azure_roster_free(roster);
    return failed;
}
