/*
 * i18n - texts by key, in the reader's language, with ICU plurals and numbers.
 *
 * Catalogs: locales/LANG.json, embedded. A value is a text, or an object of plural forms chosen by
 *           the number argument named in its "by"
 *           ({"by":"count","one":"{count} credit","other":"{count} credits"}). {name} is replaced
 *           by an argument; {{ is a brace; `/make` between back quotes is something to type. Same
 *           keys in all catalogs (tested, and checked by make check); a key that is missing falls
 *           back to English, then to the key itself.
 * Bidi:     in right-to-left languages text arguments are wrapped in FSI/PDI and things to type in
 *           LRI/PDI, so that paths, names and commands keep their order.
 * Threads:  i18n_setup once; then read-only from any thread.
 */
#ifndef NANOTIK_I18N_H
#define NANOTIK_I18N_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/strbuf.h"

struct i18n_arg {
    const char *name;
    const char *text; /* NULL: number is meant */
    int64_t number;
};
#define I18N_TEXT(n, t) ((struct i18n_arg){.name = (n), .text = (t)})
#define I18N_NUM(n, v) ((struct i18n_arg){.name = (n), .number = (v)})

bool i18n_setup(struct err *e);
void i18n_teardown(void);
/* NULL-terminated list of catalog languages: en, zh, ar. */
const char *const *i18n_langs(void);
/* The best catalog for a BCP 47 tag ("zh-Hant-TW" -> "zh"), "" when none fits. */
const char *i18n_match(const char *tag);
/* Name of a language in itself: "العربية". */
const char *i18n_lang_name(const char *lang);
bool i18n_is_rtl(const char *lang);
/* Name of any BCP 47 tag for readers of `lang`: ("zh", "ar") -> "阿拉伯语". Caller frees. */
char *i18n_lang_label(const char *lang, const char *tag);

/* Caller frees. i18n_text(lang, "key", I18N_NUM("count", 3)) */
char *i18n_format(const char *lang, const char *key, const struct i18n_arg *args, size_t count);
#define i18n_text(lang, key, ...)                                                               \
    i18n_format(lang, key, (const struct i18n_arg[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}}, \
                COUNT(((const struct i18n_arg[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})) - 1)
/* "1:05", "about 20 s", "4.2 MB" in the language's digits and units. Caller frees. */
char *i18n_duration(const char *lang, int64_t ms);
char *i18n_bytes(const char *lang, int64_t bytes);
bool i18n_has(const char *lang, const char *key);

#endif
