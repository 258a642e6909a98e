#include "core/base/config_value.h"

#include "core/base/log.h"
#include "core/base/strbuf.h"

bool config_wrong(struct err *e, const char *where, const char *what)
{
    char text[VALUE_MAX];
    snprintf(text, sizeof(text), "%s: %s", where, what);
    return err_set_arg(e, ERR_CONFIG, "start.bad_config", text, "%s", text);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = choices; len > 0 && *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == len && memcmp(at, text, len) == 0)
            return true;
        at += word;
    }
    return false;
}

bool config_next_item(const char **at, char ret[static VALUE_MAX])
{
    while (**at) {
        const char *text = *at + strspn(*at, ", \t\r\n");
        size_t len = strcspn(text, ",");
        *at = text + len;
        while (len > 0 && strchr(" \t\r\n", text[len - 1]))
            len--;
        if (len == 0 || len >= VALUE_MAX)
            continue;
        memcpy(ret, text, len);
        ret[len] = '\0';
        return true;
    }
    return false;
}

static bool is_url(const char *text, const char *safe, const char *open, bool *ret_plain)
{
    bool is_safe = str_starts(text, safe);
    if (!is_safe && !str_starts(text, open))
        return false;
    const char *host = strstr(text, "://") + 3;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (len == 0 || strpbrk(host, "@ \t\n\"<>\\") != NULL)
        return false;
    static const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
    bool loopback = false;
    for (size_t i = 0; i < COUNT(own); i++)
        loopback = loopback || (strlen(own[i]) == len && strncmp(host, own[i], len) == 0);
    *ret_plain = *ret_plain || (!is_safe && !loopback);
    return true;
}

bool config_is_address(enum kind kind, const char *text, bool *ret_plain)
{
    *ret_plain = false;
    if (kind == KIND_URL)
        return is_url(text, "https://", "http://", ret_plain);
    const char *safe = kind == KIND_URLS ? "https://" : "wss://";
    const char *open = kind == KIND_URLS ? "http://" : "ws://";
    char one[VALUE_MAX];
    while (config_next_item(&text, one))
        if (!is_url(one, safe, open, ret_plain))
            return false;
    return true;
}

/* "telegram:123": a name or @name could be somebody else's tomorrow. */
static bool is_person(const char *networks, const char *text)
{
    enum { DIGITS_MAX = 20 };
    char network[32];
    size_t len = strcspn(text, ":");
    if (len >= sizeof(network) || text[len] != ':')
        return false;
    memcpy(network, text, len);
    network[len] = '\0';
    const char *id = text + len + 1;
    size_t digits = strspn(id, "0123456789");
    return is_choice(networks, network) && id[0] != '0' && digits > 0 && digits <= DIGITS_MAX &&
           id[digits] == '\0';
}

static bool check_people(const struct option *o, const char *where, const char *text, struct err *e)
{
    char one[VALUE_MAX], what[400];
    while (config_next_item(&text, one)) {
        if (is_person(o->choices, one))
            continue;
        snprintf(what, sizeof(what),
                 "\"%.100s\" must be NETWORK:ID with the id in digits, the network one of: %s", one,
                 o->choices);
        return config_wrong(e, where, what);
    }
    return true;
}

static bool is_db_url(const char *text)
{
    return str_starts(text, "postgres://") || str_starts(text, "postgresql://") ||
           strchr(text, '=') != NULL;
}

/* The password inside a database address: between "user:" and the last "@", or after "password=".
 */
static void hide_password(const char *url)
{
    char copy[VALUE_MAX];
    str_copy(copy, sizeof(copy), url);
    char *scheme = strstr(copy, "://");
    char *at = scheme ? strrchr(scheme, '@') : NULL;
    char *colon = scheme ? strchr(scheme + 3, ':') : NULL;
    if (at && colon && colon < at) {
        *at = '\0';
        log_secret(colon + 1);
        return;
    }
    char *named = strstr(copy, "password=");
    if (!named)
        return;
    named += strlen("password=");
    bool quoted = *named == '\'';
    named += quoted;
    named[strcspn(named, quoted ? "'" : " &")] = '\0';
    log_secret(named);
}

bool config_check(const struct option *o, const char *where, const char *text, struct value *v,
                  struct err *e)
{
    char what[400];
    bool plain = false;
    switch (o->kind) {
    case KIND_INT:
        if (str_to_int(text, o->low, o->high, &v->integer))
            return true;
        snprintf(what, sizeof(what), "must be a whole number from %lld to %lld", (long long)o->low,
                 (long long)o->high);
        return config_wrong(e, where, what);
    case KIND_CHOICE:
        if (is_choice(o->choices, text))
            return true;
        snprintf(what, sizeof(what), "must be one of: %s", o->choices);
        return config_wrong(e, where, what);
    case KIND_URL:
        return config_is_address(o->kind, text, &plain) ||
               config_wrong(e, where, "must be an http:// or https:// address");
    case KIND_URLS:
        return config_is_address(o->kind, text, &plain) ||
               config_wrong(e, where, "must be http:// or https:// addresses, with commas between");
    case KIND_WS_URLS:
        return config_is_address(o->kind, text, &plain) ||
               config_wrong(e, where, "must be ws:// or wss:// addresses, with commas between");
    case KIND_PEOPLE:
        return check_people(o, where, text, e);
    case KIND_DB_URL:
        hide_password(text);
        return is_db_url(text) ||
               config_wrong(e, where, "must be a postgresql:// address or a list of key=value");
    case KIND_SECRET:
        log_secret(text);
        return true;
    case KIND_TEXT:
    case KIND_FOLDER:
        break;
    }
    return true;
}
