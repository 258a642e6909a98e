#include "tests/cluster_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/db/private_place.h"
#include "tests/fixture_db.h"

char *cluster_new_folder(unsigned mode)
{
    const char *base = getenv("TMPDIR");
    char *path = str_printf("%s/nanotik-pc-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path) || chmod(path, mode) != 0)
        fail_msg("%s", path);
    return path;
}

char *cluster_read_file(const char *folder, const char *name)
{
    AUTO(free_ptr) char *path = place_file(folder, name);
    char *text = NULL;
    struct err e = {0};
    return fs_read(path, 4096, &text, NULL, &e) ? text : NULL;
}

/* Where the cluster went, as a text to free(). */
char *cluster_place(const char *data)
{
    char *text = cluster_read_file(data, "postgres.location");
    if (!text)
        return place_file(data, "postgres");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

char *cluster_socket_of(const char *url)
{
    const char *at = url + strlen("host=");
    return str_printf("%.*s", (int)strcspn(at, " "), at);
}

pid_t cluster_postmaster_of(const char *data)
{
    AUTO(free_ptr) char *cluster = cluster_place(data);
    AUTO(free_ptr) char *text = cluster_read_file(cluster, "postmaster.pid");
    int64_t pid;
    if (!text)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return str_to_int(text, 2, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

void cluster_put(const char *folder, const char *name, const char *text)
{
    struct err e = {0};
    AUTO(free_ptr) char *path = place_file(folder, name);
    assert_true(fs_write(path, text, strlen(text), &e));
}

void cluster_remove_all(char **data)
{
    AUTO(free_ptr) char *cluster = cluster_place(*data);
    if (str_starts(cluster, "/var/lib/nanotik/")) {
        *strrchr(cluster, '/') = '\0';
        fs_remove(cluster);
    }
    fs_remove(*data);
    free(*data);
    *data = NULL;
}

bool cluster_answers(const char *url)
{
    struct err e = {0};
    struct db *db = NULL;
    bool good = db_open(url, 1, &db, &e) && db_ping(db, &e);
    db_close(db);
    return good;
}

struct private_cluster *cluster_must_start(const char *data, bool unsafe)
{
    struct err e = {0};
    struct private_cluster *c = NULL;
    bool good = unsafe ? private_cluster_start_unsafe(data, NULL, &c, &e)
                       : private_cluster_start(data, NULL, NULL, &c, &e);
    if (!good)
        fail_msg("start: %s (%s %s)", e.detail, e.user_key, e.arg);
    return c;
}

void cluster_write_row(const char *url, const char *table)
{
    struct err e = {0};
    struct db *db = NULL;
    AUTO(free_ptr) char *sql = str_printf("create table if not exists %s()", table);
    assert_true(db_open(url, 1, &db, &e));
    fixture_db_sql(db, sql);
    db_close(db);
}

bool cluster_has_table(const char *url, const char *table)
{
    struct err e = {0};
    struct db *db = NULL;
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from pg_tables where tablename = '%s'", table);
    assert_true(db_open(url, 1, &db, &e));
    bool there = fixture_db_number(db, sql) == 1;
    db_close(db);
    return there;
}
