#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "core/story/storyboard.h"
#include "core/story/storyboard_names.h"

const char *const story_kind_names[STORY_KINDS] = {[FOOTAGE_NONE] = "none",
                                                   [FOOTAGE_CLIP] = "clip",
                                                   [FOOTAGE_PHOTO] = "photo",
                                                   [FOOTAGE_BACKDROP] = "backdrop"};

static void put_text(struct strbuf *out, const char *name, const char *value)
{
    strbuf_addf(out, ",\"%s\":", name);
    json_put_text(out, value);
}

static void put_int(struct strbuf *out, const char *name, int64_t value)
{
    strbuf_addf(out, ",\"%s\":%lld", name, (long long)value);
}

/* JSON numbers are doubles: a seed has 64 bits and goes as text. */
static void put_seed(struct strbuf *out, uint64_t seed)
{
    strbuf_addf(out, ",\"seed\":\"%llu\"", (unsigned long long)seed);
}

static void write_settings(struct strbuf *out, const struct story_settings *s)
{
    strbuf_adds(out, ",\"settings\":{\"aspect\":");
    json_put_text(out, story_aspect_name(s->aspect));
    put_text(out, "tier", story_tier_name(s->tier));
    put_text(out, "lang", s->lang);
    put_text(out, "voice", s->voice);
    put_int(out, "seconds", s->seconds);
    if (s->speed)
        put_int(out, "speed", s->speed);
    put_text(out, "style", s->style);
    if (s->script[0])
        put_text(out, "script", s->script);
    if (s->wish[0])
        put_text(out, "wish", s->wish);
    put_text(out, "music", s->music);
    put_seed(out, s->seed);
    put_int(out, "byte_limit", s->byte_limit);
    strbuf_addc(out, '}');
}

static void write_speech(struct strbuf *out, const struct scene *s)
{
    strbuf_adds(out, ",\n  \"speech\":{\"file\":");
    json_put_text(out, s->speech.file);
    put_text(out, "engine", s->speech.engine);
    put_int(out, "duration_ms", s->speech.duration_ms);
    strbuf_adds(out, ",\"words\":[");
    for (size_t i = 0; i < s->speech.word_count; i++) {
        const struct speech_word *w = &s->speech.words[i];
        strbuf_addf(out, "%s[%zu,%zu,%d,%d]", i ? "," : "", w->at, w->len, w->start_ms, w->end_ms);
    }
    strbuf_adds(out, "]}");
}

static void write_footage(struct strbuf *out, const char *name, const struct footage *f)
{
    strbuf_addf(out, ",\n  \"%s\":{\"kind\":", name);
    json_put_text(out, story_kind_names[f->kind]);
    put_text(out, "provider", f->provider);
    put_text(out, "id", f->id);
    put_text(out, "author", f->author);
    put_text(out, "page", f->page);
    put_text(out, "licence", f->licence);
    put_text(out, "file", f->path);
    put_text(out, "look", f->look);
    put_seed(out, f->seed);
    put_int(out, "in_ms", f->in_ms);
    put_int(out, "duration_ms", f->duration_ms);
    put_int(out, "width", f->width);
    put_int(out, "height", f->height);
    strbuf_addc(out, '}');
}

static void write_scene(struct strbuf *out, const struct scene *s)
{
    strbuf_adds(out, "\n {\"id\":");
    json_put_text(out, s->id);
    put_text(out, "narration", s->narration);
    if (s->title)
        put_text(out, "title", s->title);
    strbuf_adds(out, ",\"search\":[");
    for (size_t i = 0; i < s->term_count; i++) {
        strbuf_adds(out, i ? "," : "");
        json_put_text(out, s->terms[i]);
    }
    strbuf_addc(out, ']');
    if (s->pace)
        put_int(out, "pace", s->pace);
    if (s->speech.file)
        write_speech(out, s);
    if (s->footage.kind != FOOTAGE_NONE)
        write_footage(out, "footage", &s->footage);
    if (s->second.kind != FOOTAGE_NONE)
        write_footage(out, "second", &s->second);
    if (s->cut.frames)
        strbuf_addf(out, ",\n  \"cut\":{\"first_frame\":%d,\"frames\":%d,\"start_ms\":%d}",
                    s->cut.first_frame, s->cut.frames, s->cut.start_ms);
    strbuf_addc(out, '}');
}

bool storyboard_to_json(const struct storyboard *s, char **ret_json, struct err *e)
{
    struct strbuf out = STRBUF(STORY_JSON_MAX);
    strbuf_addf(&out, "{\"version\":%d", STORY_VERSION);
    put_text(&out, "title", s->title ? s->title : "");
    if (s->caption)
        put_text(&out, "caption", s->caption);
    put_text(&out, "mood", s->mood);
    if (s->dub)
        put_int(&out, "dub", 1);
    if (s->fell_back)
        put_int(&out, "fell_back", 1);
    if (s->own_lost)
        put_int(&out, "own_lost", s->own_lost);
    write_settings(&out, &s->settings);
    strbuf_adds(&out, ",\"scenes\":[");
    for (size_t i = 0; i < s->scene_count; i++) {
        strbuf_adds(&out, i ? "," : "");
        write_scene(&out, &s->scenes[i]);
    }
    strbuf_adds(&out, "]}\n");
    char *text = strbuf_take(&out);
    if (!text)
        return err_set(e, ERR_LIMIT, "make.too_long", "storyboard of over %d bytes",
                       STORY_JSON_MAX);
    *ret_json = text;
    return true;
}
