/* Cards as Discord's messages: whatever people wrote stays text. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

static struct discord d;

/* What the card says, as Discord gets it; the caller's. */
static char *content(const struct card *card, const char *mention)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(DC_BODY_MAX);
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    dc_put_message(&d, &out, card, mention, "", -1);
    strbuf_addc(&out, '}');
    if (!json_parse(strbuf_text(&out), out.len, NULL, &doc, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(cJSON_GetArraySize(json_array(json_object(doc, "allowed_mentions"), "parse")),
                     0);
    return str_dup(json_text(doc, "content", ""));
}

static void markup_is_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown, *why;
    } rows[] = {
        {"how _tides_ *work*",                      "how \\_tides\\_ \\*work\\*",                "emphasis"                        },
        {"[Free](https://evil.example)",            "\\[Free](https://evil.example)",            "a masked link"                   },
        {"` [Free](https://evil.example)",          "\\` \\[Free](https://evil.example)",
         "a mark of code that nothing closes"                                                                                      },
        {"say `/make x` or *y*",                    "say `/make x` or \\*y\\*",                  "code of the catalog stays"       },
        {"`a_b` `[x](https://e.example)",           "`a_b` \\`\\[x](https://e.example)",         "one of three"                    },
        {"`` [x](https://e.example) `",             "\\`` [x](https://e.example) `",
         "the first is text, the others are code"                                                                                  },
        {"`a``b` *c*",                              "\\`a\\``b` \\*c\\*",                        "Discord's own reading of a close"},
        {"`a\n` [x](https://e.example)",            "\\`a\n\\` \\[x](https://e.example)",
         "no code over two lines"                                                                                                  },
        {"https://a.example/x_y_z and _b_",         "https://a.example/x_y_z and \\_b\\_",
         "a link stays whole"                                                                                                      },
        {"http://a\t[Free](https://evil.example)",  "http://a\t\\[Free](https://evil.example)",
         "a link ends at any blank"                                                                                                },
        {"http://a\u00a0[Free](https://e.example)", "http://a\u00a0\\[Free](https://e.example)",
         "at those of other scripts, too"                                                                                          },
        {"http://a<@1>",                            "http://a\\<@1>",                            "and before a mention"            },
        {"http://[Free](https://evil.example)",     "http://\\[Free](https://evil.example)",
         "and before a bracket"                                                                                                    },
        {"# big\n> quote\n-# small",                "\\# big\n\\> quote\n\\-# small",            "begins of lines"                 },
        {"||x|| ~~y~~ \\*",                         "\\|\\|x\\|\\| \\~\\~y\\~\\~ \\\\\\*",       "the rest"                        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct card card = {.percent = -1, .line_count = 1, .lines = {rows[i].text}};
        AUTO(free_ptr) char *shown = content(&card, "");
        if (strcmp(shown, rows[i].shown) != 0)
            fail_msg("%s: '%s'", rows[i].why, shown);
    }
}

static size_t units(const char *text)
{
    size_t n = 0, len = strlen(text);
    for (size_t at = 0; at < len;)
        n += utf8_next(text, len, &at) > 0xffff ? 2 : 1;
    return n;
}

/* 2000 UTF-16 units, whatever the card brings. */
static void messages_have_room(void **state)
{
    (void)state;
    static const char *const fillers[] = {"x", "*", "`", "ж", "字", "😀", "`a_b` ", "\n# "};
    for (size_t i = 0; i < COUNT(fillers); i++) {
        AUTO(strbuf_free) struct strbuf text = STRBUF(100000);
        while (text.len < 20000)
            strbuf_adds(&text, fillers[i]);
        struct card card = {
            .title = text.text,
            .percent = 50,
            .eta = text.text,
            .line_count = 3,
            .lines = {text.text, text.text, text.text},
            .stage_count = 8
        };
        for (size_t k = 0; k < card.stage_count; k++)
            card.stages[k] = (struct card_stage){.label = text.text, .state = STAGE_RUNNING};
        AUTO(free_ptr) char *shown = content(&card, "700000000000000003");
        size_t n = units(shown);
        if (n > 2000 || n < 300)
            fail_msg("'%s': %zu units", fillers[i], n);
        assert_non_null(strstr(shown, "50 %"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_harmless),
        cmocka_unit_test(messages_have_room),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
