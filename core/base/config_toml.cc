#include "core/base/config_toml.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

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
} // namespace

bool config_toml_parse(const char *text, size_t len, toml_each *each, void *ctx, int *ret_line,
                       char *ret_problem, size_t problem_size)
{
    *ret_line = 0;
    try {
        const toml::parse_result result = toml::parse(std::string_view(text, len));
        if (!result) {
            const toml::parse_error &error = result.error();
            *ret_line = std::max(1, static_cast<int>(error.source().begin.line));
            const std::string reason(error.description());
            std::snprintf(ret_problem, problem_size, "%s", reason.c_str());
            return false;
        }
        std::vector<entry> entries;
        for (const auto &[key, node] : result.table())
            entries.push_back(
                {std::string(key.str()), &node,
                 static_cast<int>(std::max(key.source().begin.line, toml::source_index(1)))});
        std::stable_sort(entries.begin(), entries.end(),
                         [](const entry &a, const entry &b) { return a.line < b.line; });
        for (const entry &entry : entries) {
            std::string value;
            const toml_item item = describe(entry, value);
            if (!each(ctx, &item))
                return false;
        }
        return true;
    } catch (const std::bad_alloc &) { /* nothing may be thrown through C */
        *ret_line = 1;
        std::snprintf(ret_problem, problem_size, "no memory");
        return false;
    }
}
