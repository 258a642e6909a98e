#include "bot/card_json.h"

#include <cjson/cJSON.h>

static void json_delete(cJSON **json)
{
    cJSON_Delete(*json);
}

void card_doc_free(struct card_doc *doc)
{
    arena_free(&doc->arena);
    doc->card = (struct card){.percent = -1};
}

static bool add_text(cJSON *to, const char *name, const char *text)
{
    return !text || cJSON_AddStringToObject(to, name, text);
}

static bool add_lists(cJSON *json, const struct card *card)
{
    cJSON *lines = cJSON_AddArrayToObject(json, "lines");
    cJSON *stages = cJSON_AddArrayToObject(json, "stages");
    cJSON *buttons = cJSON_AddArrayToObject(json, "buttons");
    bool ok = lines && stages && buttons;
    for (size_t i = 0; ok && i < card->line_count; i++)
        ok = cJSON_AddItemToArray(lines, cJSON_CreateString(card->lines[i]));
    for (size_t i = 0; ok && i < card->stage_count; i++) {
        cJSON *stage = cJSON_CreateObject();
        ok = cJSON_AddItemToArray(stages, stage) &&
             add_text(stage, "label", card->stages[i].label) &&
             cJSON_AddNumberToObject(stage, "state", card->stages[i].state);
    }
    for (size_t i = 0; ok && i < card->button_count; i++) {
        cJSON *button = cJSON_CreateObject();
        ok = cJSON_AddItemToArray(buttons, button) &&
             add_text(button, "label", card->buttons[i].label) &&
             add_text(button, "action", card->buttons[i].action) &&
             add_text(button, "url", card->buttons[i].url) &&
             add_text(button, "copy", card->buttons[i].copy) &&
             cJSON_AddBoolToObject(button, "choice", card->buttons[i].is_choice) &&
             cJSON_AddBoolToObject(button, "ends_row", card->ends_row[i]);
    }
    return ok;
}

bool card_to_json(const struct card *card, char **ret_json, struct err *e)
{
    AUTO(json_delete) cJSON *json = cJSON_CreateObject();
    bool ok = json && add_text(json, "title", card->title) && add_text(json, "eta", card->eta) &&
              add_text(json, "lang", card->lang) && add_text(json, "picture", card->picture) &&
              add_text(json, "file", card->file) && add_text(json, "file_name", card->file_name) &&
              (!card->is_voice_note || cJSON_AddBoolToObject(json, "voice_note", true)) &&
              cJSON_AddNumberToObject(json, "percent", card->percent) &&
              cJSON_AddBoolToObject(json, "rtl", card->rtl) &&
              cJSON_AddBoolToObject(json, "private", card->is_private) &&
              (!card->is_public || cJSON_AddTrueToObject(json, "public")) && add_lists(json, card);
    char *text = ok ? cJSON_PrintUnformatted(json) : NULL;
    if (!text)
        return err_set(e, ERR_INTERNAL, "error.internal", "card to JSON: no memory");
    *ret_json = text;
    return true;
}

static const char *get_text(struct arena *a, const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsString(item) ? arena_dup(a, item->valuestring) : NULL;
}

static int get_int(const cJSON *json, const char *name, int low, int high)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    double value = cJSON_IsNumber(item) ? item->valuedouble : low;
    return (int)CLAMP(value, low, high);
}

static bool get_bool(const cJSON *json, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static void get_lists(const cJSON *json, struct card_doc *doc)
{
    struct card *card = &doc->card;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "lines"))
    {
        if (cJSON_IsString(item) && card->line_count < CARD_LINES_MAX)
            card->lines[card->line_count++] = arena_dup(&doc->arena, item->valuestring);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "stages"))
    {
        const char *label = get_text(&doc->arena, item, "label");
        if (label && card->stage_count < CARD_STAGES_MAX)
            card->stages[card->stage_count++] = (struct card_stage){
                .label = label,
                .state = (enum card_stage_state)get_int(item, "state", STAGE_WAITING, STAGE_FAILED),
            };
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "buttons"))
    {
        struct chat_button button = {
            .label = get_text(&doc->arena, item, "label"),
            .action = get_text(&doc->arena, item, "action"),
            .url = get_text(&doc->arena, item, "url"),
            .copy = get_text(&doc->arena, item, "copy"),
            .is_choice = get_bool(item, "choice"),
        };
        if (!button.label || (!button.action && !button.url && !button.copy) ||
            card->button_count == CARD_BUTTONS_MAX)
            continue;
        card->ends_row[card->button_count] = get_bool(item, "ends_row");
        card->buttons[card->button_count++] = button;
    }
}

bool card_from_json(const char *json, struct card_doc *ret, struct err *e)
{
    AUTO(json_delete) cJSON *parsed = cJSON_Parse(json);
    if (!cJSON_IsObject(parsed))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored card is no JSON object");
    *ret = (struct card_doc){.card = {.percent = get_int(parsed, "percent", -1, 100)}};
    ret->card.title = get_text(&ret->arena, parsed, "title");
    ret->card.eta = get_text(&ret->arena, parsed, "eta");
    ret->card.lang = get_text(&ret->arena, parsed, "lang");
    ret->card.picture = get_text(&ret->arena, parsed, "picture");
    ret->card.file = get_text(&ret->arena, parsed, "file");
    ret->card.file_name = get_text(&ret->arena, parsed, "file_name");
    ret->card.is_voice_note = get_bool(parsed, "voice_note");
    ret->card.rtl = get_bool(parsed, "rtl");
    ret->card.is_private = get_bool(parsed, "private");
    ret->card.is_public = get_bool(parsed, "public");
    get_lists(parsed, ret);
    return true;
}
