#include "core/base/config_toml.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <vector>

/* Version 3.3 runs into its own assertions on simple mistakes such as "[|]" or 7n05: a wrong file must
   be a message, never the end of the program. */
namespace
{
struct confused {
};
} // namespace
#undef NDEBUG
#define TOML_ASSERT(expression) \
    do {                        \
        if (!(expression))      \
            throw confused{};   \
    } while (false)
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wterminate" /* in functions that we do not use */
#endif
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>
#pragma GCC diagnostic pop

namespace
{
struct entry {
    std::string key;
    const toml::node *node;
    int line;
};

toml_item describe(const entry &entry, std::string &text)
{
    toml_item item{};
    item.key = entry.key.c_str();
    item.line = entry.line;
    item.kind = TOML_OTHER;
    if (const auto *s = entry.node->as_string()) {
        text = s->get();
        item.text = text.c_str();
        if (text.find('\0') == std::string::npos)
            item.kind = TOML_TEXT;
    } else if (const auto *i = entry.node->as_integer()) {
        item.integer = i->get();
        item.kind = TOML_INT;
    } else if (const auto *f = entry.node->as_floating_point()) {
        item.real = f->get();
        item.kind = TOML_REAL;
    } else if (const auto *b = entry.node->as_boolean()) {
        item.integer = b->get() ? 1 : 0;
        item.kind = TOML_BOOL;
    }
    return item;
}

const char blanks[] = " \t\r";
const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+.";

/* Cuts blanks and then a word or a 'text' in quotes off the front; false when there is neither. */
bool skip_value(std::string_view &line)
{
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const char quote = line.empty() ? '\0' : line[0];
    size_t end = 0;
    if (quote == '"' || quote == '\'') {
        for (end = 1; end < line.size() && line[end] != quote; end++)
            end += quote == '"' && line[end] == '\\';
        if (end >= line.size())
            return false;
        end++;
    } else {
        end = std::min(line.find_first_not_of(word), line.size());
    }
    line.remove_prefix(end);
    return end > 0;
}

/*
 * Our files are lines of name = value, where a value is a text, a number or a word. Anything else is
 * refused before toml++ sees it, which has undefined behaviour on some letters in odd places.
 */
bool is_odd(std::string_view line)
{
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    if (line.empty() || line[0] == '#')
        return false;
    const bool quoted = line[0] == '"' || line[0] == '\'';
    if (quoted || !skip_value(line))
        return true;
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    if (line.empty() || line[0] != '=')
        return true;
    line.remove_prefix(1);
    if (!skip_value(line))
        return true;
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    return !line.empty() && line[0] != '#';
}

bool confuses_parser(std::string_view line)
{
    try {
        (void)toml::parse(line);
        return false;
    } catch (const confused &) {
        return true;
    }
}

/* Number of the first line that says so, 0 when none does. */
int find_line(std::string_view text, bool (*says_so)(std::string_view line))
{
    for (int number = 1; !text.empty(); number++) {
        const size_t end = std::min(text.find('\n'), text.size());
        if (says_so(text.substr(0, end)))
            return number;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return 0;
}

bool parse(std::string_view text, toml_each *each, void *ctx, int *ret_line, std::string &problem)
{
    const toml::parse_result result = toml::parse(text);
    if (!result) {
        const toml::parse_error &error = result.error();
        *ret_line = std::max(1, static_cast<int>(error.source().begin.line));
        problem = error.description();
        return false;
    }
    std::vector<entry> entries;
    for (const auto &[key, node] : result.table())
        entries.push_back({std::string(key.str()), &node,
                           std::max(1, static_cast<int>(key.source().begin.line))});
    std::stable_sort(entries.begin(), entries.end(),
                     [](const entry &a, const entry &b) { return a.line < b.line; });
    for (const entry &entry : entries) {
        std::string value;
        const toml_item item = describe(entry, value);
        if (!each(ctx, &item))
            return false;
    }
    return true;
}
} // namespace

bool config_toml_parse(const char *text, size_t len, toml_each *each, void *ctx, int *ret_line,
                       char *ret_problem, size_t problem_size)
{
    const std::string_view all(text, len);
    std::string problem;
    bool ok = false;
    *ret_line = 0;
    try { /* nothing may be thrown through C */
        if ((*ret_line = find_line(all, is_odd)) != 0)
            problem = "is not: name = number, or name = \"text\"";
        else
            ok = parse(all, each, ctx, ret_line, problem);
    } catch (const confused &) {
        *ret_line = std::max(1, find_line(all, confuses_parser));
        problem = "is not: name = number, or name = \"text\"";
    } catch (const std::bad_alloc &) {
        *ret_line = 1;
        problem = "no memory";
    }
    std::snprintf(ret_problem, problem_size, "%s", problem.c_str());
    return ok;
}
