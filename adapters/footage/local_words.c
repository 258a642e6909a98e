#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include "adapters/footage/local_parts.h"
#include "core/base/utf8.h"

enum { TEXT_MAX = 4096, WORD_MAX = 64, SCENE_WORDS = 400, TERM_WEIGHT = 3 };

/* Without case and accents: file names come composed and decomposed. Cut at TEXT_MAX bytes. */
static const char *fold(struct arena *a, const char *text)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfkd = unorm2_getNFKDInstance(&status);
    int32_t bytes = (int32_t)utf8_cut(text, MIN(strlen(text), (size_t)TEXT_MAX)), n = 0;
    int32_t room = 18 * bytes + 1; /* one code point decomposes into 18 units at most */
    UChar *wide = arena_alloc(a, (size_t)(bytes + 1) * sizeof(*wide));
    UChar *apart = arena_alloc(a, (size_t)room * sizeof(*apart));
    UChar *folded = arena_alloc(a, (size_t)room * sizeof(*folded));
    u_strFromUTF8WithSub(wide, bytes + 1, &n, text, bytes, ' ', NULL, &status);
    n = unorm2_normalize(nfkd, wide, n, apart, room, &status);
    n = u_strFoldCase(folded, room, apart, n, U_FOLD_CASE_DEFAULT, &status);
    char *out = arena_alloc(a, (size_t)(3 * MAX(n, 0)) + 4);
    size_t len = 0;
    for (int32_t i = 0; U_SUCCESS(status) && i < n;) {
        UChar32 cp;
        U16_NEXT(folded, i, n, cp);
        int8_t type = u_charType(cp);
        if (type != U_NON_SPACING_MARK && type != U_ENCLOSING_MARK && type != U_SURROGATE)
            len += utf8_put(out + len, cp);
    }
    out[len] = '\0';
    return out;
}

static bool is_han(int32_t cp)
{
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode s = cp < 0x2E80 ? USCRIPT_LATIN : uscript_getScript(cp, &status);
    return s == USCRIPT_HAN || s == USCRIPT_HIRAGANA || s == USCRIPT_KATAKANA;
}

static bool ends_with(const char *word, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && memcmp(word + len - n, end, n) == 0;
}

/* "beaches" is "beach", "cities" is "city", "waves" is "wave"; "glass" stays. */
static size_t stem(char *word, size_t len)
{
    static const char *const hisses[] = {"ches", "shes", "xes", "sses"};
    if (len > 4 && ends_with(word, len, "ies")) {
        word[len - 3] = 'y';
        return len - 2;
    }
    for (size_t i = 0; i < COUNT(hisses); i++)
        if (len > 4 && ends_with(word, len, hisses[i]))
            return len - 2;
    if (len > 3 && ends_with(word, len, "s") && !ends_with(word, len, "ss"))
        return len - 1;
    return len;
}

/* Words that cameras, people and grammar put into every name. */
static bool is_noise(const char *word)
{
    static const char noise[] =
        " the and for with from this that you are was not all our its your "
        "img dsc vid mov clip video movie copy final new edit photo pic image ";
    char spaced[WORD_MAX + 3];
    snprintf(spaced, sizeof(spaced), " %s ", word);
    return strstr(noise, spaced) != NULL;
}

/* Adds text[0, len) as a word unless it says nothing. */
static size_t add_word(struct arena *a, const char *text, size_t len, const char **list,
                       size_t count, size_t max)
{
    static const char article[] = "ال";
    char word[WORD_MAX];
    if (len == 0 || len >= sizeof(word) || count == max)
        return count;
    memcpy(word, text, len);
    word[len] = '\0';
    if (len > 8 && strncmp(word, article, 4) == 0) {
        len -= 4;
        memmove(word, word + 4, len + 1);
    }
    len = stem(word, len);
    word[len] = '\0';
    size_t at = 0;
    bool han = is_han(utf8_next(word, len, &at));
    if ((len < 3 && !han) || is_noise(word))
        return count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return count;
    list[count] = arena_dup(a, word);
    return count + 1;
}

size_t local_words(struct arena *a, const char *text, const char **ret_words, size_t max)
{
    AUTO(arena_free) struct arena scratch = {0};
    const char *folded = fold(&scratch, text);
    size_t len = strlen(folded), start = 0, count = 0;
    int kind = 0; /* of the word that is open: 0 none, 1 letters, 2 Han */
    for (size_t at = 0; at < len;) {
        size_t from = at;
        int32_t cp = utf8_next(folded, len, &at);
        bool letter = u_isalpha(cp) || u_charType(cp) == U_COMBINING_SPACING_MARK || cp == 0x200C;
        int next = !letter ? 0 : is_han(cp) ? 2 : 1;
        if (next == kind)
            continue;
        if (kind)
            count = add_word(a, folded + start, from - start, ret_words, count, max);
        start = from;
        kind = next;
    }
    return kind ? add_word(a, folded + start, len - start, ret_words, count, max) : count;
}

void local_scene_make(struct local_scene *ret, const struct footage_query *query)
{
    *ret = (struct local_scene){0};
    ret->terms = arena_alloc(&ret->arena, SCENE_WORDS * sizeof(*ret->terms));
    ret->narration = arena_alloc(&ret->arena, SCENE_WORDS * sizeof(*ret->narration));
    for (size_t i = 0; i < query->term_count && ret->term_count < SCENE_WORDS; i++)
        ret->term_count += local_words(&ret->arena, query->terms[i], ret->terms + ret->term_count,
                                       SCENE_WORDS - ret->term_count);
    if (query->narration)
        ret->narration_count =
            local_words(&ret->arena, query->narration, ret->narration, SCENE_WORDS);
}

void local_scene_free(struct local_scene *s)
{
    arena_free(&s->arena);
}

/* Han: how many pairs of neighbouring characters of the word are in the text. */
static int han_pairs(const char *word, const char *text)
{
    int pairs = 0;
    size_t len = strlen(word), first = 0, second = 0;
    utf8_next(word, len, &second);
    if (second == len) /* one character: an accident unless it stands alone there too */
        return strcmp(word, text) == 0;
    while (second < len) {
        size_t end = second;
        utf8_next(word, len, &end);
        pairs += memmem(text, strlen(text), word + first, end - first) != NULL;
        first = second;
        second = end;
    }
    return pairs;
}

static int word_score(const char *word, const char **list, size_t count)
{
    size_t at = 0;
    bool han = is_han(utf8_next(word, strlen(word), &at));
    int best = 0;
    for (size_t i = 0; i < count; i++)
        best = MAX(best, han ? han_pairs(word, list[i]) : strcmp(word, list[i]) == 0);
    return best;
}

int local_score(const struct local_scene *s, const char *const *words, size_t count)
{
    int score = 0;
    for (size_t i = 0; i < count; i++) {
        int in_terms = TERM_WEIGHT * word_score(words[i], s->terms, s->term_count);
        score += MAX(in_terms, word_score(words[i], s->narration, s->narration_count));
    }
    return score;
}
