/* Catalogs: same keys and placeholders everywhere, plural forms, numbers, directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>

#include <cjson/cJSON.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/i18n/i18n.h"

static const char *const langs[] = {"en", "zh", "ar"};

static cJSON *load(const char *lang)
{
    AUTO(free_ptr) char *path = str_printf("locales/%s.json", lang);
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    struct err e = {0};
    if (!fs_read(path, 1 << 20, &text, &len, &e))
        fail_msg("%s", e.detail);
    cJSON *json = cJSON_ParseWithLength(text, len);
    assert_non_null(json);
    return json;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The {names} of a text, each once, sorted: "count,what". */
static char *placeholders(const char *text)
{
    char *names[16];
    size_t count = 0;
    for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
        const char *end = strchr(p, '}');
        if (p[1] == '{' || !end) {
            p++;
            continue;
        }
        char *name = strndup(p + 1, (size_t)(end - p - 1));
        bool seen = false;
        for (size_t i = 0; i < count; i++)
            seen |= strcmp(names[i], name) == 0;
        if (seen || count == COUNT(names))
            free(name);
        else
            names[count++] = name;
    }
    qsort(names, count, sizeof(names[0]), text_compare);
    struct strbuf out = STRBUF(1024);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&out, "%s,", names[i]);
        free(names[i]);
    }
    return strbuf_take(&out);
}

static const char *main_text(const cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring
                                : cJSON_GetObjectItem(item, "other")->valuestring;
}

static void test_same_keys(void **state)
{
    (void)state;
    cJSON *en = load("en");
    const cJSON *each = NULL;
    cJSON_ArrayForEach(each, en)
    {
        if (cJSON_GetObjectItemCaseSensitive(en, each->string) != each)
            fail_msg("en: %s is there twice", each->string);
    }
    for (size_t i = 1; i < COUNT(langs); i++) {
        cJSON *other = load(langs[i]);
        const cJSON *item = NULL;
        cJSON_ArrayForEach(item, en)
        {
            const cJSON *twin = cJSON_GetObjectItemCaseSensitive(other, item->string);
            if (!twin || cJSON_IsObject(twin) != cJSON_IsObject(item))
                fail_msg("%s: %s is missing or of another kind", langs[i], item->string);
            AUTO(free_ptr) char *a = placeholders(main_text(item));
            AUTO(free_ptr) char *b = placeholders(main_text(twin));
            if (strcmp(a, b) != 0)
                fail_msg("%s: %s has {%s} instead of {%s}", langs[i], item->string, b, a);
        }
        if (cJSON_GetArraySize(other) != cJSON_GetArraySize(en))
            fail_msg("%s has more keys than en", langs[i]);
        cJSON_Delete(other);
    }
    cJSON_Delete(en);
}

static void test_plural_forms_complete(void **state)
{
    (void)state;
    static const struct {
        const char *lang;
        const char *forms[7];
    } rules[] = {
        {"en", {"one", "other"}                              },
        {"zh", {"other"}                                     },
        {"ar", {"zero", "one", "two", "few", "many", "other"}},
    };
    for (size_t i = 0; i < COUNT(rules); i++) {
        cJSON *json = load(rules[i].lang);
        const cJSON *item = NULL;
        cJSON_ArrayForEach(item, json)
        {
            for (size_t f = 0; cJSON_IsObject(item) && rules[i].forms[f]; f++)
                if (!cJSON_IsString(cJSON_GetObjectItem(item, rules[i].forms[f])))
                    fail_msg("%s: %s lacks the form %s", rules[i].lang, item->string,
                             rules[i].forms[f]);
        }
        cJSON_Delete(json);
    }
}

static void test_plurals(void **state)
{
    (void)state;
    static const struct {
        const char *lang;
        int64_t count;
        const char *text, *why;
    } rows[] = {
        {"en", 0,    "0 credits",           "English has no zero form"              },
        {"en", 1,    "1 credit",            "one"                                   },
        {"en", 1234, "1,234 credits",       "grouped"                               },
        {"zh", 1,    "1 积分",            "Chinese has one form"                  },
        {"ar", 0,    "لا نقاط",       "zero"                                  },
        {"ar", 1,    "نقطة واحدة", "one"                                   },
        {"ar", 2,    "نقطتان",        "two"                                   },
        {"ar", 3,    "٣ نقاط",         "few: 3-10"                             },
        {"ar", 10,   "١٠ نقاط",       "few: 3-10"                             },
        {"ar", 11,   "١١ نقطة",       "many: 11-99"                           },
        {"ar", 100,  "١٠٠ نقطة",     "other: whole hundreds"                 },
        {"ar", 103,  "١٠٣ نقاط",     "few again: the last two digits decide" },
        {"xx", 1,    "1 credit",            "an unknown language is read as English"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *text = i18n_text(rows[i].lang, "unit.credits", I18N_NUM("count", rows[i].count));
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("%s: got \"%s\", wanted \"%s\"", rows[i].why, text, rows[i].text);
    }
}

static void test_direction(void **state)
{
    (void)state;
    AUTO(free_ptr) char *ar = i18n_text("ar", "error.file_missing", I18N_TEXT("what", "/a/b.txt"));
    assert_non_null(strstr(ar, "\xe2\x81\xa8/a/b.txt\xe2\x81\xa9"));
    AUTO(free_ptr) char *en = i18n_text("en", "error.file_missing", I18N_TEXT("what", "/a/b.txt"));
    assert_string_equal(en, "There is no file /a/b.txt.");
    AUTO(free_ptr) char *typed = i18n_text("ar", "quote.how_to_pay");
    assert_non_null(strstr(typed, "\xe2\x81\xa6/pay\xe2\x81\xa9"));
    AUTO(free_ptr) char *plain = i18n_text("en", "quote.how_to_pay");
    assert_null(strchr(plain, '`'));
    assert_true(i18n_is_rtl("ar-EG"));
    assert_false(i18n_is_rtl("zh"));
}

static void test_fallback(void **state)
{
    (void)state;
    AUTO(free_ptr) char *text = i18n_text("zh", "no.such.key");
    assert_string_equal(text, "no.such.key");
    AUTO(free_ptr) char *open = i18n_text("en", "error.file_missing");
    assert_string_equal(open, "There is no file {what}."); /* a forgotten argument is seen */
}

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *tag, *lang;
    } rows[] = {
        {"zh-Hant-TW",             "zh"},
        {"ZH_cn",                  "zh"},
        {"ar-EG",                  "ar"},
        {"en",                     "en"},
        {"fr",                     ""  },
        {"",                       ""  },
        {"C.UTF-8",                ""  },
        {"e",                      ""  },
        {"zhx",                    ""  },
        {"en_GB.UTF-8",            "en"},
        {"aaaaaaaaaaaaaaaaaaaaaa", ""  }
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(i18n_match(rows[i].tag), rows[i].lang);
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        const char *lang;
        int64_t ms;
        const char *text;
    } rows[] = {
        {"en", 0,       "0 s"    },
        {"en", 20400,   "20 s"   },
        {"en", 65000,   "1:05"   },
        {"en", 59600,   "1:00"   },
        {"en", 3723000, "1:02:03"},
        {"zh", 20000,   "20 秒" },
        {"ar", 65000,   "١:٠٥"},
        {"en", -5,      "0 s"    }
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *text = i18n_duration(rows[i].lang, rows[i].ms);
        assert_string_equal(text, rows[i].text);
    }
    AUTO(free_ptr) char *mb = i18n_bytes("en", 4230000);
    assert_string_equal(mb, "4.2 MB");
    AUTO(free_ptr) char *kb = i18n_bytes("en", 999);
    assert_string_equal(kb, "1 kB");
    AUTO(free_ptr) char *label = i18n_lang_label("zh", "ar");
    assert_string_equal(label, "阿拉伯语");
}

/* Every key written in code is in the catalogs. Keys are "family.name" in double quotes, where the
   family is one that the catalog knows. */
static bool looks_like_key(const char *text)
{
    size_t dots = 0, i = 0;
    for (; text[i]; i++) {
        bool ok = (text[i] >= 'a' && text[i] <= 'z') || text[i] == '_' || text[i] == '.' ||
                  (text[i] >= '0' && text[i] <= '9');
        if (!ok || (i == 0 && text[i] == '.'))
            return false;
        dots += text[i] == '.';
    }
    return dots > 0 && i > 0 && text[i - 1] != '.';
}

static bool family_known(const cJSON *en, const char *key)
{
    size_t len = strcspn(key, ".") + 1;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, en)
    {
        if (strncmp(item->string, key, len) == 0)
            return true;
    }
    return false;
}

static size_t check_file(const cJSON *en, const char *path)
{
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0, missing = 0;
    struct err e = {0};
    if (!fs_read(path, 4 << 20, &text, &len, &e))
        fail_msg("%s", e.detail);
    for (const char *p = strchr(text, '"'); p; p = strchr(p + 1, '"')) {
        const char *end = strpbrk(p + 1, "\"\n");
        if (!end || *end == '\n')
            continue;
        AUTO(free_ptr) char *word = strndup(p + 1, (size_t)(end - p - 1));
        static const char *const no_keys[] = {".c",   ".h",        ".json", ".toml",
                                              ".sql", ".txt",      ".key",  ".mp4",
                                              ".log", ".location", ".part", ".jpg"};
        bool is_file = false;
        for (size_t i = 0; i < COUNT(no_keys); i++)
            is_file |= str_ends(word, no_keys[i]);
        bool crash_point = p - text > 9 && strncmp(p - 9, "crash_at(", 9) == 0;
        if (!is_file && !crash_point && looks_like_key(word) && family_known(en, word) &&
            !cJSON_GetObjectItemCaseSensitive(en, word)) {
            print_message("%s: \"%s\" is in no catalog\n", path, word);
            missing++;
        }
        p = end;
    }
    return missing;
}

static size_t check_folder(const cJSON *en, const char *folder)
{
    size_t missing = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        AUTO(free_ptr) char *path = str_printf("%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR)
            missing += check_folder(en, path);
        else if (str_ends(path, ".c"))
            missing += check_file(en, path);
    }
    closedir(dir);
    return missing;
}

static void test_used_keys_exist(void **state)
{
    (void)state;
    cJSON *en = load("en");
    size_t missing =
        check_folder(en, "bot") + check_folder(en, "core") + check_folder(en, "adapters");
    cJSON_Delete(en);
    assert_int_equal(missing, 0);
}

static int setup(void **state)
{
    (void)state;
    struct err e = {0};
    return i18n_setup(&e) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    i18n_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_keys), cmocka_unit_test(test_plural_forms_complete),
        cmocka_unit_test(test_plurals),   cmocka_unit_test(test_direction),
        cmocka_unit_test(test_fallback),  cmocka_unit_test(test_match),
        cmocka_unit_test(test_units),     cmocka_unit_test(test_used_keys_exist),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
