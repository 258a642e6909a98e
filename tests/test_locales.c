/*
 * The catalogs agree: same keys, same kind of entry, same placeholders, and no key that the code
 * names is missing. Reads locales/ and the sources below the current folder.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cJSON.h>
#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

enum { LANGS_MAX = 64, SOURCE_MAX = 1 << 20 };

struct catalog {
    char lang[32];
    cJSON *root;
};
static struct catalog catalogs[LANGS_MAX];
static size_t catalog_count;
static int problems;

#define problem(...)              \
    do {                          \
        print_error(__VA_ARGS__); \
        problems++;               \
    } while (0)

static int load_catalogs(void **state)
{
    (void)state;
    DIR *dir = opendir("locales");
    if (!dir)
        return -1;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL && catalog_count < LANGS_MAX) {
        if (!str_ends(entry->d_name, ".json"))
            continue;
        char path[512];
        snprintf(path, sizeof(path), "locales/%s", entry->d_name);
        AUTO(free_ptr) char *text = NULL;
        size_t len = 0;
        struct err e;
        struct catalog *c = &catalogs[catalog_count];
        if (fs_read(path, SOURCE_MAX, &text, &len, &e))
            c->root = cJSON_Parse(text);
        if (!c->root || !utf8_valid(text, len)) {
            print_error("%s: not JSON in UTF-8\n", path);
            closedir(dir);
            return -1;
        }
        snprintf(c->lang, sizeof(c->lang), "%.*s", (int)strlen(entry->d_name) - 5, entry->d_name);
        catalog_count++;
    }
    closedir(dir);
    return 0;
}

static int free_catalogs(void **state)
{
    (void)state;
    for (size_t i = 0; i < catalog_count; i++)
        cJSON_Delete(catalogs[i].root);
    return 0;
}

static const struct catalog *english(void)
{
    for (size_t i = 0; i < catalog_count; i++)
        if (strcmp(catalogs[i].lang, "en") == 0)
            return &catalogs[i];
    fail_msg("locales/en.json is missing");
    return NULL;
}

static const cJSON *get(const struct catalog *c, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(c->root, key);
}

static void same_keys(void **state)
{
    (void)state;
    const struct catalog *en = english();
    problems = 0;
    for (size_t i = 0; i < catalog_count; i++) {
        const cJSON *item;
        cJSON_ArrayForEach(item, en->root) if (!get(&catalogs[i], item->string))
            problem("%s: %s is missing\n", catalogs[i].lang, item->string);
        cJSON_ArrayForEach(item, catalogs[i].root)
        {
            if (!get(en, item->string))
                problem("%s: %s is not in en\n", catalogs[i].lang, item->string);
            for (const cJSON *other = item->next; other; other = other->next)
                if (strcmp(other->string, item->string) == 0)
                    problem("%s: %s is there twice\n", catalogs[i].lang, item->string);
        }
    }
    assert_int_equal(problems, 0);
}

/* Calls each() with every {name} of a text; {{ is a brace. */
static void each_placeholder(const char *text, void (*each)(void *ctx, const char *name), void *ctx)
{
    for (const char *at = strchr(text, '{'); at; at = strchr(at, '{')) {
        if (at[1] == '{') {
            at += 2;
            continue;
        }
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        each(ctx, name);
        at++;
    }
}

/* All placeholders of an entry, in its one text or in all of its plural forms. */
static void entry_placeholders(const cJSON *item, void (*each)(void *, const char *), void *ctx)
{
    if (cJSON_IsString(item)) {
        each_placeholder(item->valuestring, each, ctx);
        return;
    }
    const cJSON *form;
    cJSON_ArrayForEach(form, item) if (cJSON_IsString(form) && strcmp(form->string, "by") != 0)
        each_placeholder(form->valuestring, each, ctx);
}

struct search {
    const char *name;
    bool found;
};

static void is_it(void *ctx, const char *name)
{
    struct search *s = ctx;
    s->found = s->found || strcmp(s->name, name) == 0;
}

static bool has_placeholder(const cJSON *item, const char *name)
{
    struct search s = {.name = name};
    entry_placeholders(item, is_it, &s);
    if (cJSON_IsObject(item)) { /* the number may be spelt out in every form: "one credit" */
        const cJSON *by = cJSON_GetObjectItemCaseSensitive(item, "by");
        s.found = s.found || (cJSON_IsString(by) && strcmp(by->valuestring, name) == 0);
    }
    return s.found;
}

struct compare {
    const char *lang, *key;
    const cJSON *other;
    const char *other_lang;
};

static void must_be_there(void *ctx, const char *name)
{
    const struct compare *c = ctx;
    if (!has_placeholder(c->other, name))
        problem("%s: %s has {%s}, which %s has not\n", c->lang, c->key, name, c->other_lang);
}

static void same_placeholders(void **state)
{
    (void)state;
    const struct catalog *en = english();
    problems = 0;
    for (size_t i = 0; i < catalog_count; i++) {
        const cJSON *item;
        cJSON_ArrayForEach(item, en->root)
        {
            const cJSON *other = get(&catalogs[i], item->string);
            if (!other)
                continue; /* same_keys says so */
            struct compare there = {"en", item->string, other, catalogs[i].lang};
            struct compare back = {catalogs[i].lang, item->string, item, "en"};
            entry_placeholders(item, must_be_there, &there);
            entry_placeholders(other, must_be_there, &back);
        }
    }
    assert_int_equal(problems, 0);
}

static void entries_are_texts_or_plurals(void **state)
{
    (void)state;
    problems = 0;
    for (size_t i = 0; i < catalog_count; i++) {
        const char *lang = catalogs[i].lang;
        const cJSON *item;
        cJSON_ArrayForEach(item, catalogs[i].root)
        {
            if (cJSON_IsString(item)) {
                if (item->valuestring[0] == '\0')
                    problem("%s: %s is empty\n", lang, item->string);
                continue;
            }
            if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "by")) ||
                !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "other")))
                problem("%s: %s needs a text, or \"by\" and \"other\"\n", lang, item->string);
        }
    }
    assert_int_equal(problems, 0);
}

/* The literal that is the nth argument (counted from 0) of a call that starts at "(". False when it
   is no plain literal. */
static bool literal_argument(const char *open, int n, char ret_text[static 128])
{
    int depth = 0;
    for (const char *at = open; *at; at++) {
        if (*at == '(') {
            depth++;
        } else if (*at == ')' && --depth == 0) {
            return false;
        } else if (*at == '"') {
            size_t len = 1;
            while (at[len] && (at[len] != '"' || at[len - 1] == '\\'))
                len++;
            if (n == 0 && depth == 1)
                return snprintf(ret_text, 128, "%.*s", (int)len - 1, at + 1) < 128;
            at += at[len] ? len : 0;
        } else if (*at == ',' && depth == 1 && n-- == 0) {
            return false;
        }
    }
    return false;
}

/* Functions whose argument is a catalog key. */
static const struct {
    const char *call;
    int argument;
} key_users[] = {
    {"err_set(",     2},
    {"err_set_arg(", 2},
    {"i18n_text(",   1},
    {"i18n_add(",    2},
    {"i18n_format(", 1},
};

static bool is_key(const char *text)
{
    return strchr(text, '.') != NULL &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.") == strlen(text);
}

static void check_source(const char *path, const struct catalog *en, int *ret_seen)
{
    AUTO(free_ptr) char *text = NULL;
    struct err e;
    if (!fs_read(path, SOURCE_MAX, &text, NULL, &e))
        fail_msg("%s", e.detail);
    for (size_t i = 0; i < COUNT(key_users); i++) {
        const char *call = key_users[i].call;
        for (const char *at = strstr(text, call); at; at = strstr(at + 1, call)) {
            char key[128];
            if (!literal_argument(at + strlen(call) - 1, key_users[i].argument, key) ||
                !is_key(key))
                continue;
            (*ret_seen)++;
            if (!get(en, key))
                problem("%s: key %s is not in locales/en.json\n", path, key);
        }
    }
}

static void walk(const char *folder, const struct catalog *en, int *ret_seen)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char path[1024];
        if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path))
            continue;
        if (entry->d_type == DT_DIR)
            walk(path, en, ret_seen);
        else if (str_ends(path, ".c"))
            check_source(path, en, ret_seen);
    }
    closedir(dir);
}

static void keys_in_code_exist(void **state)
{
    (void)state;
    static const char *const folders[] = {"bot", "core", "adapters"};
    const struct catalog *en = english();
    int seen = 0;
    problems = 0;
    for (size_t i = 0; i < COUNT(folders); i++)
        walk(folders[i], en, &seen);
    assert_true(seen > 10); /* else the search itself is broken */
    assert_int_equal(problems, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_keys),
        cmocka_unit_test(same_placeholders),
        cmocka_unit_test(entries_are_texts_or_plurals),
        cmocka_unit_test(keys_in_code_exist),
    };
    return cmocka_run_group_tests(tests, load_catalogs, free_catalogs);
}
