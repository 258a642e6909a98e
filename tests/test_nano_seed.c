/* The seed: where it may come from, what is refused, and that no copy of it stays in memory. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/nano/ed25519.h"
#include "core/nano/key.h"
#include "tests/temp_folder.h"

#define SEED "D56143E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E5"
#define ADDRESS "nano_16odwi933gpzmkgdcy9tt5zef5ka3jcfubc97fwypsokg7sji4mb9n6qtbme"

static void forget_all(void)
{
    unsetenv("NANO_SEED");
    unsetenv("NANO_SEED_FILE");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void assert_is_ours(struct nano_seed *s)
{
    struct nano_account a;
    struct err e = {0};
    char address[NANO_ADDRESS];
    assert_non_null(s);
    assert_true(nano_seed_account(s, 0, &a, &e));
    nano_account_print(&a, address);
    assert_string_equal(address, ADDRESS);
    nano_seed_destroy(s);
}

static void from_the_environment_and_out_of_it(void **state)
{
    (void)state;
    struct nano_seed *s = NULL;
    struct err e = {0};
    forget_all();
    assert_true(nano_seed_load(&s, &e));
    assert_null(s);
    setenv("NANO_SEED", "", 1);
    assert_true(nano_seed_load(&s, &e));
    assert_null(s);
    setenv("NANO_SEED", SEED, 1);
    const char *where = getenv("NANO_SEED");
    assert_true(nano_seed_load(&s, &e));
    for (size_t i = 0; i < strlen(SEED); i++)
        assert_int_equal(where[i], 0); /* wiped in its place */
    assert_string_equal(getenv("NANO_SEED"), "");
    assert_is_ours(s);
}

static void from_a_file_or_a_credential(void **state)
{
    (void)state;
    struct nano_seed *s = NULL;
    struct err e = {0};
    AUTO(free_ptr) char *file = str_printf("%s/seed.txt", temp_folder);
    AUTO(free_ptr) char *credential = str_printf("%s/NANO_SEED", temp_folder);
    assert_true(fs_write(file, SEED "\r\n", strlen(SEED) + 2, &e));
    forget_all();
    setenv("NANO_SEED_FILE", file, 1);
    assert_true(nano_seed_load(&s, &e));
    assert_is_ours(s);
    forget_all();
    setenv("CREDENTIALS_DIRECTORY", temp_folder, 1);
    assert_true(nano_seed_load(&s, &e));
    assert_null(s); /* the folder is there, the credential is not */
    assert_true(fs_write(credential, SEED "\n", strlen(SEED) + 1, &e));
    assert_true(nano_seed_load(&s, &e));
    assert_is_ours(s);
    forget_all();
}

static void wrong_seeds_are_refused_without_a_word_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"D56143E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E",   "63 digits"           },
        {SEED "0",                                                            "65 digits"           },
        {"X56143E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E5",  "no hex"              },
        {"abandon abandon abandon about",                                     "words"               },
        {" D56143E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E5", "space in front"      },
        {SEED SEED SEED SEED SEED,                                            "longer than any seed"},
        {"D561:43E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E5", "separator"           },
    };
    AUTO(free_ptr) char *file = str_printf("%s/wrong.txt", temp_folder);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct nano_seed *s = NULL;
        struct err e = {0};
        forget_all();
        setenv("NANO_SEED", rows[i].text, 1);
        if (nano_seed_load(&s, &e) || e.code != ERR_CONFIG)
            fail_msg("%s was taken", rows[i].why);
        assert_string_equal(e.arg, "NANO_SEED");
        assert_null(strstr(e.detail, "43E7"));
        assert_null(strstr(e.detail, "abandon"));
        assert_string_equal(getenv("NANO_SEED"), "");
        assert_true(fs_write(file, rows[i].text, strlen(rows[i].text), &e));
        setenv("NANO_SEED_FILE", file, 1);
        assert_false(nano_seed_load(&s, &e));
        assert_string_equal(e.arg, "NANO_SEED_FILE");
        assert_null(strstr(e.detail, "43E7"));
        assert_null(s);
    }
    struct nano_seed *s = NULL;
    struct err e = {0};
    setenv("NANO_SEED_FILE", "/nowhere/seed", 1);
    assert_false(nano_seed_load(&s, &e));
    assert_non_null(strstr(e.detail, strerror(ENOENT)));
    setenv("NANO_SEED", SEED, 1);
    assert_false(nano_seed_load(&s, &e)); /* two of them: which one holds the money? */
    forget_all();
}

/* --- no copy stays --- */

enum { CHUNK = 1 << 20, KEPT = 32 };
/* What is looked for, under a mask, so that it does not find itself. */
static unsigned char masked[2][KEPT];

static bool matches(const unsigned char *at, const unsigned char *want)
{
    for (int i = 0; i < KEPT; i++)
        if ((at[i] ^ 0x5a) != want[i])
            return false;
    return true;
}

/* Every readable and writable byte of this process; guarded pages have no rights and do not count. */
static int count_copies(int which)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    static unsigned char buffer[CHUNK + KEPT];
    char line[512];
    int found = 0;
    assert_true(maps && mem >= 0);
    while (fgets(line, sizeof(line), maps)) {
        unsigned long from;
        unsigned long to;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w')
            continue;
        for (unsigned long at = from; at < to; at += CHUNK) {
            size_t len = MIN((size_t)(to - at), sizeof(buffer));
            if ((void *)at <= (void *)buffer && (unsigned char *)at + len > buffer)
                sodium_memzero(buffer, sizeof(buffer));
            ssize_t n = pread(mem, buffer, len, (off_t)at);
            for (ssize_t i = 0; i + KEPT <= n; i++)
                found += matches(buffer + i, masked[which]);
        }
    }
    sodium_memzero(buffer, sizeof(buffer));
    fclose(maps);
    close(mem);
    return found;
}

static void mask(const unsigned char *bytes, unsigned char *out)
{
    for (int i = 0; i < KEPT; i++)
        out[i] = bytes[i] ^ 0x5a;
}

static void no_copy_of_the_seed_or_a_key_stays_in_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("a sanitizer's shadow cannot be searched\n");
    skip();
#endif
    /* Made, kept and wiped in locked memory, or the search would find our own. */
    struct {
        struct ed_room room;
        unsigned char seed[32];
        char hex[NANO_HEX];
    } *own = sodium_malloc(sizeof(*own));
    assert_non_null(own);
    random_bytes(own->seed, sizeof(own->seed));
    sodium_bin2hex(own->hex, sizeof(own->hex), own->seed, sizeof(own->seed));
    ed_derive(&own->room, own->seed, 7);
    mask(own->seed, masked[0]);
    mask(own->room.private_key, masked[1]);
    assert_true(count_copies(0) > 0); /* the search finds what is there */
    assert_true(count_copies(1) > 0);

    struct nano_seed *s = NULL;
    struct err e = {0};
    assert_true(nano_seed_parse(own->hex, &s, &e));
    sodium_memzero(own, sizeof(*own));
    sodium_stackzero(4096); /* what our own ed_derive left */
    struct nano_account a;
    struct nano_hash h = {{1}};
    struct nano_signature signature;
    assert_true(nano_seed_account(s, 7, &a, &e));
    assert_true(nano_seed_sign(s, 7, &h, &signature, &e));
    assert_int_equal(count_copies(0), 0);
    assert_int_equal(count_copies(1), 0);
    assert_true(nano_verify(&a, &h, &signature));
    nano_seed_destroy(s);
    assert_int_equal(count_copies(0), 0);
    sodium_free(own);
}

/* --- threads --- */

static struct nano_seed *shared;

static void *sign_many(void *arg)
{
    uint32_t index = *(const uint32_t *)arg;
    struct nano_account a;
    struct err e = {0};
    for (int i = 0; i < 50; i++) {
        struct nano_hash h = {{(unsigned char)i}};
        struct nano_signature s;
        if (!nano_seed_account(shared, index, &a, &e) ||
            !nano_seed_sign(shared, index, &h, &s, &e) || !nano_verify(&a, &h, &s))
            return "wrong";
    }
    return NULL;
}

static void many_threads_sign_at_once(void **state)
{
    (void)state;
    struct err e = {0};
    uint32_t index[4] = {0, 1, 2, UINT32_MAX};
    pthread_t thread[4];
    assert_true(nano_seed_parse(SEED, &shared, &e));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, sign_many, &index[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    nano_seed_destroy(shared);
}

static int setup(void **state)
{
    hash_setup();
    return temp_folder_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_environment_and_out_of_it),
        cmocka_unit_test(from_a_file_or_a_credential),
        cmocka_unit_test(wrong_seeds_are_refused_without_a_word_of_them),
        cmocka_unit_test(no_copy_of_the_seed_or_a_key_stays_in_memory),
        cmocka_unit_test(many_threads_sign_at_once),
    };
    return cmocka_run_group_tests(tests, setup, temp_folder_teardown);
}
