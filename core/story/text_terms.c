#include "core/story/text.h"

#include <unicode/uchar.h>

#include "core/base/utf8.h"
#include "core/story/text_break.h"

enum { TERM_BYTES = 60, TERM_CANDIDATES = 400 };

/* Words that say nothing about a picture, as they look after folding. One text per language. */
static const struct {
    char lang[4];
    const char *words; /* each between spaces */
} stop_words[] = {
    {"en",
     " the and for are was were that this these those with from have has had not but you your "
     "they them their there here what when where which who whom whose why how can could will "
     "would shall should may might must about above after again all also always any because "
     "been before being below between both does doing down during each even ever every few "
     "get gets got into its itself just know like made make makes many more most much need "
     "never new now off once one only other our ours out over own really same she him his her "
     "some such take takes than then thing things through too two three under until upon use "
     "used uses very want way well went while yes yet around another away back call called "
     "come comes day days did don't isn't it's let's goes going good great say says said see "
     "seen still time times try us we're you're doesn't can't won't first last long little "
     "without within against among keep keeps actually almost something nothing everything "                                                                               },
    {"zh",
     " 我们 你们 他们 她们 它们 自己 这个 那个 这些 那些 这样 那样 什么 怎么 为什么 因为 所以 但是 "
     "而且 如果 虽然 可以 可能 能够 应该 需要 没有 不是 就是 还是 或者 以及 一个 一些 一种 一样 "
     "已经 正在 非常 特别 时候 之后 之前 以后 以前 现在 大家 很多 许多 更多 其实 这里 那里 然后 "
     "不会 不能 只有 只是 对于 关于 通过 由于 例如 比如 其中 并且 甚至 每个 每天 知道 觉得 进行 "                                      },
    {"ar",
     " في من على إلى عن مع هذا هذه ذلك تلك التي الذي الذين كان كانت يكون تكون كل بعض غير بين "
     "عند عندما حيث كما لكن لأن إذا ثم قد لقد لم لن لا ما ماذا كيف لماذا متى أين هو هي هم نحن أنت "
     "أنا أو أم بعد قبل حتى منذ خلال أكثر أيضا أيضًا جدا جدًا فقط وهو وهي ولا وفي ومن وما ليس ليست "},
    {"es",
     " que los las una uno unos unas del con por para como más pero sus este esta estos estas "
     "eso esa ese esos esas son está están fue era muy también cuando donde porque sobre entre "
     "hasta desde todo todos toda todas otro otra ser hay tiene puede sin nos ellos ella cada "                                                                            },
    {"fr",
     " les des une dans pour par sur avec que qui est sont pas plus mais nous vous ils elles "
     "son ses leur leurs cette ces ont été être avoir fait comme tout tous toute toutes aussi "
     "très bien peut sans entre quand parce dont deux même encore cela ceux votre notre vos "                                                                            },
    {"de",
     " der die das den dem des ein eine einer eines einem einen und oder aber mit von für auf "
     "ist sind war waren wird werden wurde nicht auch sich als wie bei aus nach über unter "
     "durch vor dass wenn weil noch nur schon mehr sehr kann können hat haben sein ihre ihr "
     "wir sie dieser diese dieses man zum zur immer alle alles "                                                                                                           },
    {"pt", " que uma uns umas dos das com por para como mais mas seu sua seus suas este esta isso "
           "são está foi era muito também quando onde porque sobre entre até desde todo todos toda "
           "todas outro outra ser tem pode sem nos eles ela cada não pelo pela "                                                                                },
    {"it",
     " che gli una uno dei delle della dello degli con per come più sono suo sua questo questa "
     "questi queste quello quella era molto anche quando dove perché sopra tra fino ogni tutto "
     "tutti tutta altre altri essere hanno può senza non nel nella alla "                                                                                                 },
    {"ru",
     " что как это этот эта эти для или они она оно его ему них нас вас был была было были быть "
     "есть если когда где потому так также тоже уже ещё еще все всё всех только очень может "
     "при про без над под между после перед чтобы который которая которые "                                        },
};

struct term {
    char text[TERM_BYTES];
    size_t letters, count, order;
    bool name; /* capital inside a sentence */
};

static bool is_stop_word(const char *word)
{
    char spaced[TERM_BYTES + 3];
    snprintf(spaced, sizeof(spaced), " %s ", word);
    for (size_t i = 0; i < COUNT(stop_words); i++)
        if (strstr(stop_words[i].words, spaced))
            return true;
    return false;
}

/* Folded copy of a word; false when it is no term (digits, too long, too short, stop word). */
static bool term_read(const char *text, size_t len, struct term *ret)
{
    *ret = (struct term){0};
    size_t out = 0, wide = 0;
    int32_t cp, first = -1;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0; ret->letters++) {
        if (!u_isalpha(cp) && !ret->letters)
            return false;
        if (first < 0)
            first = cp;
        wide += text_cp_wide(cp);
        cp = u_tolower(cp);
        if (cp == 0x2019)
            cp = '\'';
        if (out + 4 >= sizeof(ret->text))
            return false;
        out += utf8_put(ret->text + out, cp);
    }
    ret->name = u_isupper(first);
    return ret->letters >= (wide ? 2u : 3u) && !is_stop_word(ret->text);
}

/* A picture can be found for long and rare words and for names; a word that the scene repeats is
   its subject. */
static int term_score(const struct term *t)
{
    int letters = (int)MIN(t->letters, 12u);
    if (text_cp_wide(text_cp_at(t->text, sizeof(t->text), 0)))
        letters = 3 * letters;
    return letters + (t->name ? 4 : 0) + 3 * (int)MIN(t->count, 3u);
}

static int term_compare(const void *va, const void *vb)
{
    const struct term *a = va, *b = vb;
    int difference = term_score(b) - term_score(a);
    return difference ? difference : a->order < b->order ? -1 : 1;
}

static void term_count(struct term *list, size_t *count, const struct term *t)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(list[i].text, t->text) == 0) {
            list[i].count++;
            list[i].name = list[i].name && t->name;
            return;
        }
    if (*count == TERM_CANDIDATES)
        return;
    list[*count] = *t;
    list[*count].count = 1;
    list[*count].order = *count;
    (*count)++;
}

const char **text_terms(struct arena *a, const char *text, const char *lang, size_t max,
                        size_t *ret_count)
{
    AUTO(text_break_close) struct text_break words = {0};
    AUTO(free_ptr) struct term *list = calloc(TERM_CANDIDATES, sizeof(*list));
    if (!list)
        abort();
    text_break_open(&words, UBRK_WORD, lang);
    text_break_set(&words, text, strlen(text));
    size_t count = 0, at = 0;
    bool fresh = true; /* at the start of a sentence, where a capital means nothing */
    for (int32_t end; (end = ubrk_next(words.it)) != UBRK_DONE; at = (size_t)end) {
        struct term t;
        int32_t cp = text_cp_at(text, (size_t)end, at);
        if (ubrk_getRuleStatus(words.it) < UBRK_WORD_NONE_LIMIT) {
            fresh = fresh || cp == '.' || cp == '!' || cp == '?' || cp == '\n' || cp == ':';
            continue;
        }
        if (term_read(text + at, (size_t)end - at, &t)) {
            t.name = t.name && !fresh;
            term_count(list, &count, &t);
        }
        fresh = false;
    }
    qsort(list, count, sizeof(*list), term_compare);
    count = MIN(count, max);
    const char **ret = arena_alloc(a, (count + 1) * sizeof(*ret));
    for (size_t i = 0; i < count; i++)
        ret[i] = arena_dup(a, list[i].text);
    *ret_count = count;
    return ret;
}
