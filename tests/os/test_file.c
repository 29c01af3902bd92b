/* Files: atomic replacement also when the disk is full, bounds, folders, locks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int folder_open(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/holdfast-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_close(void **state)
{
    char command[128];
    static const char *const names[] = {"kept", "kept.new", "lock", "a/b/c", "a/b", "a", "link"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(command, sizeof command, "%s/%s", folder, names[i]);
        (void)remove(command);
    }
    return rmdir(folder); /* fails when a test has left anything else */
}

static const char *at(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", folder, name);
    return out;
}

static void assert_content(const char *path, const char *expected)
{
    SCOPED(buffer_drop) struct buffer in = {.max = 100000};
    assert_null(file_read(path, &in));
    assert_true(bytes_is(buffer_view(&in), expected));
}

static void a_file_is_replaced_whole(void **state)
{
    char kept[128], draft[128];
    struct stat s;
    at("kept", kept);
    at("kept.new", draft);
    assert_false(file_exists(kept));
    assert_null(file_create(kept, BYTES("one"), 0640));
    assert_true(err_is(file_create(kept, BYTES("two"), 0640), ERR_EXISTS));
    assert_content(kept, "one");
    assert_null(file_replace(kept, BYTES("three"), 0600));
    assert_content(kept, "three");
    assert_int_equal(stat(kept, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0600);
    assert_false(file_exists(draft));
    assert_null(file_replace(kept, bytes_of(NULL, 0), 0600));
    assert_content(kept, "");
}

static void a_file_is_removed(void **state)
{
    char kept[128];
    assert_null(file_replace(at("kept", kept), BYTES("one"), 0600));
    assert_null(file_remove(kept));
    assert_false(file_exists(kept));
    assert_true(err_is(file_remove(kept), ERR_ABSENT));
}

/* What a process leaves that ended in the middle: longer than what comes next. */
static void a_left_draft_is_used_up(void **state)
{
    char kept[128], draft[128];
    SCOPED(fd_close) int fd = open(at("kept.new", draft), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "left in the middle", 18), 18);
    assert_null(file_replace(at("kept", kept), BYTES("new"), 0600));
    assert_content(kept, "new");
    assert_false(file_exists(draft));
}

static void a_draft_that_is_a_link_is_refused(void **state)
{
    char kept[128], draft[128], target[128];
    assert_int_equal(symlink(at("link", target), at("kept.new", draft)), 0);
    assert_true(err_is(file_replace(at("kept", kept), BYTES("x"), 0600), ERR_REFUSED));
    assert_false(file_exists(target));
    assert_int_equal(unlink(draft), 0);
}

/* A limit on the size of files stands for a disk that fills up in the middle of a write. */
static void act_with_full_disk(const char *kept, const char *draft)
{
    static uint8_t large[10000];
    const struct rlimit limit = {4096, 4096};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(1);
    if (!err_is(file_replace(kept, bytes_of(large, sizeof large), 0600), ERR_FULL) || file_exists(draft))
        _exit(2);
    if (!err_is(file_create(kept, bytes_of(large, sizeof large), 0600), ERR_FULL) || file_exists(draft))
        _exit(3);
    _exit(0);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    char kept[128], draft[128];
    int status;
    at("kept.new", draft);
    assert_null(file_replace(at("kept", kept), BYTES("old"), 0600));
    pid_t child = fork();
    if (child == 0)
        act_with_full_disk(kept, draft);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_content(kept, "old");
}

/* Writers of one path in several processes: what is there at any time is one of the contents, whole. */
static void write_many(const char *kept, uint8_t letter)
{
    static uint8_t content[20000];
    memset(content, letter, sizeof content);
    for (int i = 0; i < 30; i++)
        if (file_replace(kept, bytes_of(content, sizeof content), 0600))
            _exit(1);
    _exit(0);
}

static void writers_do_not_mix(void **state)
{
    enum { WRITERS = 4 };
    char kept[128];
    int status;
    at("kept", kept);
    for (uint8_t i = 0; i < WRITERS; i++)
        if (fork() == 0)
            write_many(kept, (uint8_t)('a' + i));
    for (int left = WRITERS; left;) {
        SCOPED(buffer_drop) struct buffer in = {.max = 100000};
        if (!file_read(kept, &in) && in.len == 20000)
            for (size_t i = 1; i < in.len; i++)
                assert_int_equal(in.at[i], in.at[0]);
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            left--;
        }
    }
}

static void reads_are_bounded(void **state)
{
    char kept[128];
    static uint8_t content[40000];
    at("kept", kept);
    assert_null(file_replace(kept, bytes_of(content, sizeof content), 0600));
    static const struct {
        size_t max;
        int kind;
    } rows[] = {{39999, ERR_TOO_LARGE}, {40000, 0}, {40001, 0}, {0, ERR_TOO_LARGE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer in = {.max = rows[i].max};
        err e = file_read(kept, &in);
        assert_int_equal(e ? (int)e->kind : 0, rows[i].kind);
    }
    SCOPED(buffer_drop) struct buffer in = {.max = 10};
    assert_true(err_is(file_read("/nonexistent-folder/file", &in), ERR_ABSENT));
    assert_true(err_is(file_read(folder, &in), ERR_IO));
}

static void folders_are_made_with_their_parents(void **state)
{
    char path[128], file[128];
    struct stat s;
    assert_null(folder_make(at("a/b/c", path), 0700));
    assert_null(folder_make(path, 0700));
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0700);
    assert_null(file_replace(at("kept", file), BYTES("x"), 0600));
    assert_true(err_is(folder_make(file, 0700), ERR_EXISTS));
    assert_true(err_is(folder_make(at("kept/deeper", path), 0700), ERR_EXISTS));
}

static void a_lock_is_one_holders(void **state)
{
    char path[128];
    int status;
    at("lock", path);
    int held = -1;
    assert_null(file_lock(path, &held));
    for (int round = 0; round < 2; round++) {
        pid_t child = fork();
        if (child == 0) {
            int mine = -1;
            err e = file_lock(path, &mine);
            _exit(round == 0 ? !err_is(e, ERR_EXISTS) : e != OK);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        fd_close(&held);
        held = -1;
    }
}

static void a_mark_changes_with_the_file(void **state)
{
    char kept[128];
    at("kept", kept);
    struct file_mark absent = file_mark(kept);
    assert_true(!absent.number && !absent.size && !absent.changed_ns);
    assert_null(file_replace(kept, BYTES("a"), 0600));
    struct file_mark first = file_mark(kept), again = file_mark(kept);
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(first.size, 1);
    assert_null(file_replace(kept, BYTES("b"), 0600));
    struct file_mark second = file_mark(kept);
    assert_true(second.number != first.number || second.changed_ns != first.changed_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_replaced_whole, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(a_file_is_removed, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(a_left_draft_is_used_up, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(a_draft_that_is_a_link_is_refused, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(writers_do_not_mix, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(reads_are_bounded, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(a_mark_changes_with_the_file, folder_open, folder_close),
        cmocka_unit_test_setup_teardown(a_lock_is_one_holders, folder_open, folder_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
