/* Films, posters and subtitles that no row names any more: what a program left that was killed between
 * forgetting somebody and removing the files, and films of jobs that were paid back. Only files that
 * are called like a job of this database are looked at, and only when they are a day old. */
#include <dirent.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/worker_internal.h"

#define LOG_MODULE "janitor"

enum { BATCH = 64, OLD_SECONDS = 24 * 3600 };

struct sweep {
    const char *folder;
    char ids[BATCH][UUID_TEXT];
    bool orphan[BATCH];
    size_t count;
    int removed;
};

static const char *const endings[] = {".mp4", ".jpg", ".srt", ".jpg.thumb"};

/* "<job>.mp4" and its companions. */
static bool is_ours(const char *name, char ret_id[static UUID_TEXT])
{
    if (strlen(name) < UUID_TEXT)
        return false;
    memcpy(ret_id, name, UUID_TEXT - 1);
    ret_id[UUID_TEXT - 1] = '\0';
    for (size_t i = 0; i < COUNT(endings); i++)
        if (strcmp(name + UUID_TEXT - 1, endings[i]) == 0)
            return uuid_valid(ret_id);
    return false;
}

static bool is_old(const char *folder, const char *name)
{
    AUTO(free_ptr) char *path = str_printf("%s/%s", folder, name);
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           clock_wall_ms() / 1000 - st.st_mtime > OLD_SECONDS;
}

static bool ask_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    return job_orphans(tx, s->ids, s->count, s->orphan, e);
}

static void remove_film(struct sweep *s, const char *id)
{
    for (size_t i = 0; i < COUNT(endings); i++) {
        AUTO(free_ptr) char *path = str_printf("%s/%s%s", s->folder, id, endings[i]);
        s->removed += fs_exists(path);
        fs_remove(path);
    }
}

static bool flush(struct db *db, struct sweep *s)
{
    struct err e = {0};
    if (s->count == 0)
        return true;
    if (!db_run_soft(db, ask_body, s, &e)) {
        log_err(LOG_WARN, LOG_MODULE, &e);
        return false;
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->orphan[i])
            remove_film(s, s->ids[i]);
    s->count = 0;
    return true;
}

static bool is_listed(const struct sweep *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->ids[i], id) == 0)
            return true;
    return false;
}

void sweep_films(struct db *db, const char *folder, const struct cancel *stop)
{
    struct sweep s = {.folder = folder};
    const struct dirent *entry;
    bool ok = true;
    cache_sweep_temp(folder);
    DIR *dir = opendir(folder);
    while (ok && dir && (entry = readdir(dir)) && !cancel_fired(stop)) {
        char id[UUID_TEXT];
        if (!is_ours(entry->d_name, id) || is_listed(&s, id) || !is_old(folder, entry->d_name))
            continue;
        str_copy(s.ids[s.count++], UUID_TEXT, id);
        if (s.count == BATCH)
            ok = flush(db, &s);
    }
    if (dir)
        closedir(dir);
    if (ok)
        flush(db, &s);
    if (s.removed > 0)
        log_info("%d files of films that nobody has any more were removed", s.removed);
}
