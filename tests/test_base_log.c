/* log: redaction, one line per event, bounds, JSON, never blocking. Standard error is a file or
   pipe of the test's own while a case runs. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cJSON.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#define LOG_MODULE "test"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

static char path[] = "/tmp/nanotik-log.XXXXXX";
static int saved_stderr;

static void capture(void)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/* What was written since capture(); the caller's to free. */
static char *captured(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    char *text = NULL;
    struct err e;
    if (!fs_read(path, 1 << 22, &text, NULL, &e))
        fail_msg("%s", e.detail);
    return text;
}

static void plain_line(void **state)
{
    (void)state;
    clock_fake(5, 1795359478000);
    log_init(LOG_INFO, false);
    capture();
    log_debug("below the level");
    log_info("hello %d", 42);
    log_job("job-1");
    log_warn("two\nlines\x1b[31m \xff"
             "bad");
    log_job(NULL);
    log_err(LOG_ERROR, "other",
            &(struct err){
                .code = ERR_DISK, .user_key = "error.disk", .arg = "what", .detail = "no room"});
    log_err(LOG_WARN, "other", &(struct err){.code = ERR_RETRY, .detail = "again", .told = true});
    AUTO(free_ptr) char *text = captured();
    clock_fake(-1, 0);
    assert_string_equal(text, "2026-11-22T14:57:58Z info  test: hello 42\n"
                              "2026-11-22T14:57:58Z warn  test: [job-1] two\\nlines[31m bad\n"
                              "2026-11-22T14:57:58Z error other: no room (disk error.disk what)\n");
}

static void json_line(void **state)
{
    (void)state;
    log_init(LOG_DEBUG, true);
    capture();
    log_job("j");
    log_debug("quote \" backslash \\ line\n tab\t \u4e2d");
    log_job("");
    AUTO(free_ptr) char *text = captured();
    log_init(LOG_INFO, false);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    cJSON *root = cJSON_Parse(text);
    assert_non_null(root);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "text")),
                        "quote \" backslash \\ line\n tab\t \u4e2d");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "job")), "j");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "level")), "debug");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "module")), "test");
    cJSON_Delete(root);
}

static void secrets_never_appear(void **state)
{
    (void)state;
    log_secret("s3cr3t-s3cr3t-s3cr3t");
    log_secret("short"); /* 5 bytes: would redact ordinary words */
    log_secret(NULL);
    log_init(LOG_INFO, false);
    capture();
    log_info("a s3cr3t-s3cr3t-s3cr3t b s3cr3t-s3cr3t-s3cr3t");
    log_info("short");
    char longer[2400];
    for (size_t pad = 1780; pad < 2100; pad++) { /* the line's cut falls on every byte of it */
        memset(longer, '.', pad);
        snprintf(longer + pad, sizeof(longer) - pad, "s3cr3t-s3cr3t-s3cr3t!");
        log_info("%s", longer);
    }
    AUTO(free_ptr) char *text = captured();
    assert_non_null(strstr(text, "a [secret] b [secret]\n"));
    assert_non_null(strstr(text, "test: short\n"));
    assert_null(strstr(text, "s3c"));
}

static void redaction_in_place(void **state)
{
    (void)state;
    log_secret("abcdef");
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"abcdef",               "[secre"        },
        {"xabcdefabcdefy",       "x[secre[secrey"},
        {"abcde",                "abcde"         },
        {"s3cr3t-s3cr3t-s3cr3t", "[secret]"      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[64];
        str_copy(text, sizeof(text), rows[i].in);
        log_redact(text);
        assert_string_equal(text, rows[i].out);
    }
}

static void lines_are_bounded(void **state)
{
    (void)state;
    log_init(LOG_INFO, false);
    AUTO(strbuf_free) struct strbuf big = STRBUF(200000);
    while (big.len < 100000)
        strbuf_adds(&big, "\u4e2d");
    capture();
    log_info("%s", strbuf_text(&big));
    strbuf_reset(&big);
    while (big.len < 3000)
        strbuf_adds(&big, "\n");
    log_info("%s", strbuf_text(&big));
    AUTO(free_ptr) char *text = captured();
    assert_true(utf8_valid(text, strlen(text)));
    int lines = 0;
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1, lines++)
        assert_in_range(strcspn(at, "\n"), 1000, 2047);
    assert_int_equal(lines, 2);
}

static void a_stuck_reader_holds_up_nothing(void **state)
{
    (void)state;
    log_init(LOG_INFO, false);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int keep = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    for (int i = 0; i < 2000; i++) /* far more than a pipe holds, and nobody reads */
        log_info("%1000d", i);
    close(ends[0]);
    log_info("the reader is gone");
    dup2(keep, STDERR_FILENO);
    close(keep);
}

static void *write_many(void *arg)
{
    log_job(arg);
    for (int i = 0; i < 200; i++)
        log_info("%s %d", (const char *)arg, i);
    return NULL;
}

static void threads_keep_their_job_and_their_lines(void **state)
{
    (void)state;
    log_init(LOG_INFO, false);
    static char names[4][8] = {"aaaa", "bbbb", "cccc", "dddd"};
    pthread_t thread[4];
    capture();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_many, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    AUTO(free_ptr) char *text = captured();
    int lines = 0;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save), lines++) {
        char job[5], name[5];
        int number;
        assert_int_equal(sscanf(line, "%*s info test: [%4[a-d]] %4[a-d] %d", job, name, &number),
                         3);
        assert_string_equal(job, name);
    }
    assert_int_equal(lines, 800);
    assert_string_equal(log_job_current(), "");
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_line),
        cmocka_unit_test(json_line),
        cmocka_unit_test(secrets_never_appear),
        cmocka_unit_test(redaction_in_place),
        cmocka_unit_test(lines_are_bounded),
        cmocka_unit_test(a_stuck_reader_holds_up_nothing),
        cmocka_unit_test(threads_keep_their_job_and_their_lines),
    };
    return cmocka_run_group_tests_name("base_log", tests, make_file, remove_file);
}
