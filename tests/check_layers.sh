#!/bin/sh
# Knowledge points one way: bot -> core <- adapters (ARCHITECTURE.md). Prints each line that breaks it.
set -u
bad=0

# deny WHY GREP-ARGUMENTS...: whatever grep finds is a violation.
deny() {
    why=$1
    shift
    if found=$(grep -rnE --include='*.c' --include='*.h' --include='*.cc' "$@" 2>/dev/null); then
        printf '%s\n' "$found" | sed "s|\$|  <- $why|"
        bad=1
    fi
}
# deny_but WHY ALLOWED-REGEX GREP-ARGUMENTS...: the same without the lines that match.
deny_but() {
    why=$1 allowed=$2
    shift 2
    found=$(grep -rnE --include='*.c' --include='*.h' --include='*.cc' "$@" 2>/dev/null | grep -vE "$allowed")
    if [ -n "$found" ]; then
        printf '%s\n' "$found" | sed "s|\$|  <- $why|"
        bad=1
    fi
}

deny_but 'waits and deadlines do not follow the wall clock' '^core/base/clock\.c:' \
    'CLOCK_REALTIME|gettimeofday' core bot adapters
deny 'core knows neither bot nor adapters' '^ *# *include "(bot|adapters)/' core
deny_but 'core/base knows only itself' '"core/base/' '^ *# *include "' core/base
deny_but 'core/port knows base and the values of Nano' '"core/(base|port|nano)/|"core/money/raw\.h"' \
    '^ *# *include "' core/port
deny_but 'core/nano and core/money know base, guarded JSON and each other' \
    '"core/(base|nano|money)/|"core/net/json\.h"' '^ *# *include "' core/nano core/money
deny_but 'core/net knows only base' '"core/(base|net)/' '^ *# *include "' core/net
deny_but 'adapters know base, net, port and the values they carry' \
    '"core/(base|net|port)/|"adapters/|^adapters/(writer|speech)/[^:]*:[0-9]+:#include "core/story/text.h"|^adapters/nano/[^:]*:[0-9]+:#include "core/(nano/|money/raw\.h)' \
    '^ *# *include "' adapters
deny_but 'only main.c and wire_*.c name an adapter' '^bot/(main|wire_[a-z0-9_]*)\.[ch]:' \
    '^ *# *include "adapters/' bot

# An adapter that includes another one is not "one new folder" any more.
for folder in adapters/*/; do
    [ -d "$folder" ] || continue
    name=$(basename "$folder")
    deny_but 'adapters do not know each other' "\"adapters/$name/" '^ *# *include "adapters/' "$folder"
done

deny 'SQL and libpq only in core/db' '(#include <libpq|PQ(exec|connect|getvalue)[A-Za-z]*\()' \
    core/base core/port core/net core/i18n core/job core/story core/video core/money core/nano core/pay bot adapters
deny 'SQL and libpq only in core/db' \
    '"[^"]*\b(SELECT [^"]* FROM |INSERT INTO |UPDATE [a-z_]+ SET |DELETE FROM |select [^"]* from |insert into |update [a-z_]+ set |delete from )' \
    core/base core/port core/net core/i18n core/job core/story core/video core/money core/nano core/pay bot adapters

deny 'no typedef of structs' '^ *typedef (struct|union|enum)\b' bot core adapters
deny 'prose is written as /* */' '^[[:space:]]*//' bot core adapters
deny 'NOLINT hides a finding: mend it' 'NOLINT' bot core adapters

exit $bad
