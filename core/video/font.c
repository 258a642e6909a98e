#include "core/video/font.h"

#include <fontconfig/fontconfig.h>
#include <hb-ot.h>
#include <hb.h>
#include <pthread.h>
#include <unicode/uchar.h>
#include <unicode/ulocdata.h>
#include <unicode/uscript.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/video/video.h"

#define LOG_MODULE "font"
#include "core/base/log.h"

enum { FONTS_MAX = 160, LANGS_MAX = 24 };

struct font_list {
    char lang[16];
    size_t count;
    struct font fonts[FONTS_MAX];
};

/* The family that knows a language's script best; the longest matching tag wins. */
static const struct {
    const char *lang, *family;
} script_families[] = {
    {"zh",      "Noto Sans CJK SC"    },
    {"zh-Hant", "Noto Sans CJK TC"    },
    {"zh-TW",   "Noto Sans CJK TC"    },
    {"zh-HK",   "Noto Sans CJK HK"    },
    {"yue",     "Noto Sans CJK HK"    },
    {"ja",      "Noto Sans CJK JP"    },
    {"ko",      "Noto Sans CJK KR"    },
    {"ar",      "Noto Sans Arabic"    },
    {"fa",      "Noto Sans Arabic"    },
    {"ur",      "Noto Sans Arabic"    },
    {"he",      "Noto Sans Hebrew"    },
    {"hi",      "Noto Sans Devanagari"},
    {"mr",      "Noto Sans Devanagari"},
    {"ne",      "Noto Sans Devanagari"},
    {"bn",      "Noto Sans Bengali"   },
    {"ta",      "Noto Sans Tamil"     },
    {"te",      "Noto Sans Telugu"    },
    {"th",      "Noto Sans Thai"      },
    {"km",      "Noto Sans Khmer"     },
    {"my",      "Noto Sans Myanmar"   },
    {"ka",      "Noto Sans Georgian"  },
    {"hy",      "Noto Sans Armenian"  },
    {"am",      "Noto Sans Ethiopic"  },
};

/* Then these, before whatever else is installed. */
static const char *const common_families[] = {
    "Noto Sans",         "Noto Sans CJK SC",   "Noto Sans Arabic",
    "Noto Sans Hebrew",  "Noto Sans Thai",     "Noto Sans Devanagari",
    "Noto Sans Symbols", "Noto Sans Symbols2", "Noto Sans Math",
    "Symbola",           "DejaVu Sans",        "sans-serif",
};

static struct {
    pthread_mutex_t lock;
    /* --- below: only with lock held --- */
    size_t count;
    struct font_list *lists[LANGS_MAX];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *script_family(const char *lang)
{
    const char *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < COUNT(script_families); i++) {
        const char *tag = script_families[i].lang;
        size_t len = strlen(tag);
        bool whole = str_starts(lang, tag) && (lang[len] == 0 || lang[len] == '-');
        if (whole && len > best_len) {
            best = script_families[i].family;
            best_len = len;
        }
    }
    return best;
}

/* Sizes as libass takes them: the OS/2 Windows metrics, else the horizontal header. */
static bool read_metrics(struct font *f)
{
    hb_blob_t *blob = hb_blob_create_from_file(f->file);
    hb_face_t *face = hb_face_create(blob, (unsigned)f->index);
    hb_font_t *font = hb_font_create(face);
    double em = hb_face_get_upem(face);
    hb_position_t up = 0, down = 0;
    hb_font_extents_t line = {0};
    hb_ot_metrics_get_position(font, HB_OT_METRICS_TAG_HORIZONTAL_CLIPPING_ASCENT, &up);
    hb_ot_metrics_get_position(font, HB_OT_METRICS_TAG_HORIZONTAL_CLIPPING_DESCENT, &down);
    if (up + down <= 0 && hb_font_get_h_extents(font, &line)) {
        up = line.ascender;
        down = -line.descender;
    }
    hb_font_destroy(font);
    hb_face_destroy(face);
    hb_blob_destroy(blob);
    if (em <= 0 || up + down <= 0)
        return false;
    f->ascent = up / em;
    f->descent = down / em;
    f->height = f->ascent + f->descent;
    return true;
}

/* Takes the pattern's font when it is a plain outline font that adds characters to *all. */
static bool take_font(const FcPattern *p, FcCharSet **all, struct font *ret)
{
    FcChar8 *family, *file;
    FcCharSet *set;
    FcBool color = FcFalse, scalable = FcFalse, variable = FcFalse;
    int index = 0;
    FcPatternGetBool(p, FC_COLOR, 0, &color);
    FcPatternGetBool(p, FC_SCALABLE, 0, &scalable);
    FcPatternGetBool(p, FC_VARIABLE, 0, &variable);
    FcPatternGetInteger(p, FC_INDEX, 0, &index);
    if (color || !scalable || variable ||
        FcPatternGetString(p, FC_FAMILY, 0, &family) != FcResultMatch ||
        FcPatternGetString(p, FC_FILE, 0, &file) != FcResultMatch ||
        FcPatternGetCharSet(p, FC_CHARSET, 0, &set) != FcResultMatch ||
        FcCharSetSubtractCount(set, *all) == 0)
        return false;
    struct font f = {.file = (char *)file, .index = index};
    /* Family names go into override tags, where these would end them. */
    if (strpbrk((const char *)family, "\\{}()") || !read_metrics(&f))
        return false;
    f.family = str_dup((const char *)family);
    f.file = str_dup((const char *)file);
    f.coverage = FcCharSetCopy(set);
    FcCharSetMerge(*all, set, NULL);
    *ret = f;
    return true;
}

static FcPattern *wanted_pattern(const char *lang)
{
    FcPattern *p = FcPatternCreate();
    const char *script = script_family(lang);
    if (script)
        FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)script);
    for (size_t i = 0; i < COUNT(common_families); i++)
        FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)common_families[i]);
    FcPatternAddInteger(p, FC_WEIGHT, FC_WEIGHT_BOLD);
    FcPatternAddInteger(p, FC_SLANT, FC_SLANT_ROMAN);
    FcPatternAddInteger(p, FC_WIDTH, FC_WIDTH_NORMAL);
    FcConfigSubstitute(NULL, p, FcMatchPattern);
    FcDefaultSubstitute(p);
    return p;
}

static struct font_list *list_build(const char *lang)
{
    struct font_list *l = calloc(1, sizeof(*l));
    if (!l)
        abort(); /* a few kilobytes, once per language */
    str_copy(l->lang, sizeof(l->lang), lang);
    if (!FcInit()) {
        log_warn("fontconfig does not start: no captions");
        return l;
    }
    FcPattern *wanted = wanted_pattern(lang);
    FcResult result;
    FcFontSet *sorted = FcFontSort(NULL, wanted, FcFalse, NULL, &result);
    FcCharSet *all = FcCharSetCreate();
    for (int i = 0; sorted && i < sorted->nfont && l->count < FONTS_MAX; i++)
        if (take_font(sorted->fonts[i], &all, &l->fonts[l->count]))
            l->count++;
    FcCharSetDestroy(all);
    if (sorted)
        FcFontSetDestroy(sorted);
    FcPatternDestroy(wanted);
    if (!l->count)
        log_warn("no outline font is installed: captions stay empty (package fonts-noto-core)");
    return l;
}

const struct font_list *font_list_get(const char *lang)
{
    pthread_mutex_lock(&known.lock);
    struct font_list *found = NULL;
    for (size_t i = 0; !found && i < known.count; i++)
        if (strncmp(known.lists[i]->lang, lang, sizeof(known.lists[i]->lang) - 1) == 0)
            found = known.lists[i];
    if (!found && known.count == LANGS_MAX)
        found = known.lists[0];
    if (!found)
        found = known.lists[known.count++] = list_build(lang);
    pthread_mutex_unlock(&known.lock);
    return found;
}

/* Invisible characters that any font may carry along. */
static bool is_ignorable(int32_t cp)
{
    return u_hasBinaryProperty(cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

static bool covers(const struct font *f, const char *cluster, size_t len)
{
    for (size_t pos = 0; pos < len;) {
        int32_t cp = utf8_next(cluster, len, &pos);
        if (!is_ignorable(cp) && !FcCharSetHasChar(f->coverage, (FcChar32)cp))
            return false;
    }
    return true;
}

static bool is_scriptless(int32_t cp)
{
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(cp, &status);
    return script == USCRIPT_COMMON || script == USCRIPT_INHERITED;
}

const struct font *font_for_cluster(const struct font_list *list, const char *cluster, size_t len,
                                    const struct font *current)
{
    size_t pos = 0;
    int32_t base = utf8_next(cluster, len, &pos);
    if (current && is_scriptless(base) && covers(current, cluster, len))
        return current;
    for (size_t i = 0; i < list->count; i++)
        if (covers(&list->fonts[i], cluster, len))
            return &list->fonts[i];
    for (size_t i = 0; i < list->count; i++)
        if (FcCharSetHasChar(list->fonts[i].coverage, (FcChar32)base))
            return &list->fonts[i];
    return NULL;
}

static const char *font_package(const char *lang)
{
    const char *family = script_family(lang);
    return family && strstr(family, "CJK") ? "fonts-noto-cjk" : "fonts-noto-core";
}

/* Letters of the language (CLDR exemplars) that no font covers. */
static int32_t count_missing(const struct font_list *list, const USet *letters)
{
    int32_t missing = 0;
    for (int32_t i = 0; i < uset_size(letters); i++) {
        char utf8[4];
        int32_t cp = uset_charAt(letters, i);
        if (cp >= 0 && !font_for_cluster(list, utf8, utf8_put(utf8, cp), NULL))
            missing++;
    }
    return missing;
}

bool video_font_check(const char *lang, struct err *e)
{
    if (strcmp(lang, "emoji") == 0) {
        uint8_t pixels[16 * 16 * 4];
        static const char smile[] = "\xF0\x9F\x98\x80";
        if (font_emoji_draw(smile, sizeof(smile) - 1, 16, pixels))
            return true;
        return err_set_arg(e, ERR_CONFIG, "doctor.font", "fonts-noto-color-emoji",
                           "no colour emoji font");
    }
    UErrorCode status = U_ZERO_ERROR;
    ULocaleData *data = ulocdata_open(lang, &status);
    USet *letters =
        data ? ulocdata_getExemplarSet(data, NULL, 0, ULOCDATA_ES_STANDARD, &status) : NULL;
    int32_t total = letters ? uset_size(letters) : 0;
    int32_t missing = letters ? count_missing(font_list_get(lang), letters) : 0;
    uset_close(letters);
    ulocdata_close(data);
    if (U_FAILURE(status) || total == 0)
        return err_set_arg(e, ERR_CONFIG, "doctor.font", font_package(lang),
                           "no list of letters for language %s: %s", lang, u_errorName(status));
    if (missing)
        return err_set_arg(e, ERR_CONFIG, "doctor.font", font_package(lang),
                           "%d of %d letters of %s have no font", (int)missing, (int)total, lang);
    return true;
}
