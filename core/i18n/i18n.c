#include "core/i18n/i18n.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <unicode/uloc.h>
#include <unicode/unumberformatter.h>
#include <unicode/upluralrules.h>
#include <unicode/ustring.h>

#include "core/base/embed.h"
#include "core/base/strbuf.h"

EMBED(locale_en, "locales/en.json");
EMBED(locale_zh, "locales/zh.json");
EMBED(locale_ar, "locales/ar.json");

enum { TEXT_MAX = 256 * 1024, NUMBER_MAX = 96 };

/* FSI, LRI, PDI: isolates keep an argument or a command in its own direction. */
#define FSI "\xe2\x81\xa8"
#define LRI "\xe2\x81\xa6"
#define PDI "\xe2\x81\xa9"

static const char *const form_names[] = {"zero", "one", "two", "few", "many", "other"};
enum { FORM_OTHER = 5, FORMS = 6 };

struct entry {
    const char *key;
    const char *by; /* NULL: one text, in forms[FORM_OTHER] */
    const char *forms[FORMS];
};

struct catalog {
    const char *lang;
    const char *name;   /* of the language, in itself */
    const char *locale; /* for ICU */
    bool rtl;
    cJSON *json; /* owns the texts of entries */
    struct entry *entries;
    size_t count;
    UPluralRules *plurals;
    UNumberFormatter *numbers;
    UNumberFormatter *two_digits;
    UNumberFormatter *bytes[3]; /* kB, MB, GB */
};

static struct catalog catalogs[] = {
    {.lang = "en", .name = "English",        .locale = "en",           .rtl = false},
    {.lang = "zh", .name = "中文",         .locale = "zh-Hans",      .rtl = false},
    {.lang = "ar", .name = "العربية", .locale = "ar-u-nu-arab", .rtl = true },
};
static const char *const langs[] = {"en", "zh", "ar", NULL};

static int entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static int form_index(const char *name)
{
    for (int i = 0; i < FORMS; i++)
        if (strcmp(form_names[i], name) == 0)
            return i;
    return -1;
}

static bool entry_load(struct entry *entry, const cJSON *item, const char *lang, struct err *e)
{
    entry->key = item->string;
    if (cJSON_IsString(item)) {
        entry->forms[FORM_OTHER] = item->valuestring;
        return true;
    }
    const cJSON *form = NULL;
    cJSON_ArrayForEach(form, item)
    {
        int index = form_index(form->string);
        if (!cJSON_IsString(form) || (index < 0 && strcmp(form->string, "by") != 0))
            return err_set(e, ERR_INTERNAL, "error.internal", "catalog %s: %s.%s", lang,
                           item->string, form->string);
        if (index < 0)
            entry->by = form->valuestring;
        else
            entry->forms[index] = form->valuestring;
    }
    if (!entry->by || !entry->forms[FORM_OTHER])
        return err_set(e, ERR_INTERNAL, "error.internal", "catalog %s: %s lacks by or other", lang,
                       item->string);
    return true;
}

static bool catalog_load(struct catalog *c, const char *text, size_t len, struct err *e)
{
    c->json = cJSON_ParseWithLength(text, len);
    if (!cJSON_IsObject(c->json))
        return err_set(e, ERR_INTERNAL, "error.internal", "catalog %s is no JSON object", c->lang);
    size_t count = (size_t)cJSON_GetArraySize(c->json);
    c->entries = calloc(count + 1, sizeof(*c->entries));
    if (!c->entries)
        return err_set(e, ERR_INTERNAL, "error.internal", "catalog %s: no memory", c->lang);
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, c->json)
    {
        if (!entry_load(&c->entries[c->count++], item, c->lang, e))
            return false;
    }
    qsort(c->entries, c->count, sizeof(*c->entries), entry_compare);
    return true;
}

static UNumberFormatter *number_formatter(const char *skeleton, const char *locale,
                                          UErrorCode *status)
{
    UChar wide[128];
    u_uastrcpy(wide, skeleton);
    return unumf_openForSkeletonAndLocale(wide, -1, locale, status);
}

static bool catalog_open_icu(struct catalog *c, struct err *e)
{
    static const char *const bytes[] = {"unit/kilobyte unit-width-short .#",
                                        "unit/megabyte unit-width-short .#",
                                        "unit/gigabyte unit-width-short .##"};
    UErrorCode status = U_ZERO_ERROR;
    c->plurals = uplrules_open(c->locale, &status);
    c->numbers = number_formatter("", c->locale, &status);
    c->two_digits = number_formatter("integer-width/00", c->locale, &status);
    for (size_t i = 0; i < COUNT(bytes); i++)
        c->bytes[i] = number_formatter(bytes[i], c->locale, &status);
    if (U_FAILURE(status))
        return err_set(e, ERR_INTERNAL, "error.internal", "ICU for %s: %s", c->locale,
                       u_errorName(status));
    return true;
}

bool i18n_setup(struct err *e)
{
    const char *texts[] = {locale_en, locale_zh, locale_ar};
    size_t sizes[] = {EMBED_SIZE(locale_en), EMBED_SIZE(locale_zh), EMBED_SIZE(locale_ar)};
    for (size_t i = 0; i < COUNT(catalogs); i++) {
        if (catalogs[i].json)
            continue;
        if (!catalog_load(&catalogs[i], texts[i], sizes[i], e) ||
            !catalog_open_icu(&catalogs[i], e)) {
            i18n_teardown();
            return false;
        }
    }
    return true;
}

void i18n_teardown(void)
{
    for (size_t i = 0; i < COUNT(catalogs); i++) {
        struct catalog *c = &catalogs[i];
        cJSON_Delete(TAKE(c->json));
        free(TAKE(c->entries));
        c->count = 0;
        uplrules_close(TAKE(c->plurals));
        unumf_close(TAKE(c->numbers));
        unumf_close(TAKE(c->two_digits));
        for (size_t b = 0; b < COUNT(c->bytes); b++)
            unumf_close(TAKE(c->bytes[b]));
    }
}

const char *const *i18n_langs(void)
{
    return langs;
}

static const struct catalog *catalog_find(const char *lang)
{
    for (size_t i = 0; i < COUNT(catalogs); i++)
        if (lang && strcmp(catalogs[i].lang, lang) == 0)
            return &catalogs[i];
    return NULL;
}

static const struct catalog *catalog_get(const char *lang)
{
    const struct catalog *c = catalog_find(lang);
    return c ? c : &catalogs[0];
}

const char *i18n_match(const char *tag)
{
    char primary[16];
    size_t n = 0;
    for (; tag && n + 1 < sizeof(primary); n++) {
        char ch = tag[n];
        if (ch >= 'A' && ch <= 'Z')
            ch = (char)(ch - 'A' + 'a');
        if (ch < 'a' || ch > 'z')
            break;
        primary[n] = ch;
    }
    primary[n] = '\0';
    const struct catalog *c = catalog_find(primary);
    return c ? c->lang : "";
}

const char *i18n_lang_name(const char *lang)
{
    const struct catalog *c = catalog_find(lang);
    return c ? c->name : lang;
}

bool i18n_is_rtl(const char *lang)
{
    const struct catalog *c = catalog_find(i18n_match(lang));
    return c && c->rtl;
}

char *i18n_lang_label(const char *lang, const char *tag)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar wide[128];
    char text[4 * 128];
    uloc_getDisplayLanguage(tag, catalog_get(lang)->locale, wide, COUNT(wide), &status);
    u_strToUTF8(text, sizeof(text), NULL, wide, -1, &status);
    return str_dup(U_SUCCESS(status) && text[0] ? text : tag);
}

static const struct entry *entry_find(const struct catalog *c, const char *key)
{
    if (!c->count)
        return NULL;
    struct entry wanted = {.key = key};
    return bsearch(&wanted, c->entries, c->count, sizeof(*c->entries), entry_compare);
}

bool i18n_has(const char *lang, const char *key)
{
    const struct catalog *c = catalog_find(lang);
    return c && entry_find(c, key) != NULL;
}

static const struct i18n_arg *arg_find(const struct i18n_arg *args, size_t count, const char *name,
                                       size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(args[i].name) == len && strncmp(args[i].name, name, len) == 0)
            return &args[i];
    return NULL;
}

/* Which of the six forms the number takes in this language. */
static int plural_form(const struct catalog *c, int64_t number)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar wide[32];
    char name[32];
    if (!c->plurals)
        return FORM_OTHER;
    uplrules_select(c->plurals, (double)number, wide, COUNT(wide), &status);
    if (U_FAILURE(status))
        return FORM_OTHER;
    u_austrcpy(name, wide);
    int index = form_index(name);
    return index < 0 ? FORM_OTHER : index;
}

static void add_formatted(struct strbuf *out, const UNumberFormatter *formatter, int64_t integer,
                          double real, bool is_integer)
{
    UErrorCode status = U_ZERO_ERROR;
    UFormattedNumber *result = unumf_openResult(&status);
    if (is_integer)
        unumf_formatInt(formatter, integer, result, &status);
    else
        unumf_formatDouble(formatter, real, result, &status);
    UChar wide[NUMBER_MAX];
    char text[4 * NUMBER_MAX];
    unumf_resultToString(result, wide, COUNT(wide), &status);
    u_strToUTF8(text, sizeof(text), NULL, wide, -1, &status);
    if (U_SUCCESS(status))
        strbuf_adds(out, text);
    else
        strbuf_addf(out, "%.2f", is_integer ? (double)integer : real);
    unumf_closeResult(result);
}

static void add_arg(struct strbuf *out, const struct catalog *c, const struct i18n_arg *arg)
{
    if (!arg->text) {
        add_formatted(out, c->numbers, arg->number, 0, true);
        return;
    }
    strbuf_addf(out, "%s%s%s", c->rtl ? FSI : "", arg->text, c->rtl ? PDI : "");
}

/* Bytes of "{name}" at the start of text when there is such an argument, which is added; else 0. */
static size_t add_placeholder(struct strbuf *out, const struct catalog *c, const char *text,
                              const struct i18n_arg *args, size_t count)
{
    size_t len = strcspn(text, "}");
    if (text[0] != '{' || text[len] == '\0')
        return 0;
    const struct i18n_arg *arg = arg_find(args, count, text + 1, len - 1);
    if (!arg)
        return 0;
    add_arg(out, c, arg);
    return len + 1;
}

/* Fills {name}; a piece between back quotes is something to type: left to right everywhere. */
static void add_filled(struct strbuf *out, const struct catalog *c, const char *text,
                       const struct i18n_arg *args, size_t count)
{
    assert(text); /* catalogs hold texts only: checked when they are loaded */
    bool in_code = false;
    for (size_t at = 0; text[at];) {
        size_t filled = add_placeholder(out, c, text + at, args, count);
        if (filled) {
            at += filled;
        } else if (text[at] == '`') {
            in_code = !in_code;
            strbuf_adds(out, !c->rtl ? "" : in_code ? LRI : PDI);
            at++;
        } else {
            strbuf_addc(out, text[at]);
            at += text[at] == '{' && text[at + 1] == '{' ? 2 : 1;
        }
    }
}

static void add_text(struct strbuf *out, const char *lang, const char *key,
                     const struct i18n_arg *args, size_t count)
{
    const struct catalog *c = catalog_get(lang);
    const struct entry *entry = entry_find(c, key);
    if (!entry) {
        c = &catalogs[0];
        entry = entry_find(c, key);
    }
    if (!entry) {
        strbuf_adds(out, key);
        return;
    }
    const char *text = entry->forms[FORM_OTHER];
    const struct i18n_arg *by =
        entry->by ? arg_find(args, count, entry->by, strlen(entry->by)) : NULL;
    if (by && !by->text) {
        const char *form = entry->forms[plural_form(c, by->number)];
        text = form ? form : text;
    }
    add_filled(out, c, text ? text : key, args, count);
}

char *i18n_format(const char *lang, const char *key, const struct i18n_arg *args, size_t count)
{
    struct strbuf out = STRBUF(TEXT_MAX);
    add_text(&out, lang, key, args, count);
    char *text = strbuf_take(&out);
    return text ? text : str_dup(key);
}

char *i18n_duration(const char *lang, int64_t ms)
{
    const struct catalog *c = catalog_get(lang);
    int64_t seconds = (MAX(ms, 0) + 500) / 1000;
    if (seconds < 60)
        return i18n_text(c->lang, "unit.seconds", I18N_NUM("count", seconds));
    struct strbuf out = STRBUF(256);
    if (seconds >= 3600) {
        add_formatted(&out, c->numbers, seconds / 3600, 0, true);
        strbuf_addc(&out, ':');
        add_formatted(&out, c->two_digits, seconds / 60 % 60, 0, true);
    } else {
        add_formatted(&out, c->numbers, seconds / 60, 0, true);
    }
    strbuf_addc(&out, ':');
    add_formatted(&out, c->two_digits, seconds % 60, 0, true);
    char *text = strbuf_take(&out);
    return text ? text : str_dup("");
}

char *i18n_bytes(const char *lang, int64_t bytes)
{
    const struct catalog *c = catalog_get(lang);
    struct strbuf out = STRBUF(256);
    double value = (double)MAX(bytes, 0) / 1000;
    size_t unit = 0;
    for (; unit + 1 < COUNT(c->bytes) && value >= 1000; unit++)
        value /= 1000;
    add_formatted(&out, c->bytes[unit], 0, value, false);
    char *text = strbuf_take(&out);
    return text ? text : str_dup("");
}
