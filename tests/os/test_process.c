/* Programs that we start, the channels to them, and the identity that they get. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/channel.h"
#include "os/file.h"
#include "os/identity.h"
#include "os/process.h"
#include "os/signals.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a shell line whose descriptor 5 is a channel; gives what it wrote there. */
static struct process_end run_shell(const char *line, const struct identity *identity, struct buffer *said)
{
    int ours, theirs;
    pid_t pid;
    struct process_end end;
    assert_null(channel_pair(&ours, &theirs));
    assert_null(process_start(
        &(struct process_options){
            .program = "/bin/sh",
            .arguments = (const char *const[]){"sh", "-c", line, NULL},
            .environment = (const char *const[]){"GREETING=hello", NULL},
            .descriptors = (const struct process_descriptor[]){{theirs, 5}, {theirs, theirs + 1}},
            .descriptor_count = 2,
            .identity = identity,
        },
        &pid));
    fd_close(&theirs);
    while (!channel_receive(ours, said, -1))
        ;
    assert_null(process_wait(pid, &end));
    assert_int_equal(end.pid, pid);
    fd_close(&ours);
    return end;
}

static void a_program_gets_what_it_is_given_and_nothing_else(void **state)
{
    SCOPED(fd_close) int secret = open("/dev/null", O_RDONLY); /* not even close-on-exec */
    struct buffer said = {.max = 1000};
    char line[256];
    assert_null(signals_hold()); /* held here, reset there */
    snprintf(line, sizeof line,
             "echo $GREETING >&5; [ -e /proc/self/fd/%d ] && echo leaked >&5; "
             "grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 | sort -u >&5; exit 3",
             secret);
    struct process_end end = run_shell(line, NULL, &said);
    assert_string_equal(buffer_text(&said), "hello\n0000000000000000\n");
    assert_int_equal(end.code, 3);
    buffer_drop(&said);
}

static void an_end_says_how(void **state)
{
    static const struct {
        const char *line, *text;
    } rows[] = {
        {"exit 0", "exit status 0"}, {"exit 7", "exit status 7"}, {"kill -9 $$", "killed by signal 9 (Killed)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer said = {.max = 1000};
        char text[PROCESS_END_TEXT];
        struct process_end end = run_shell(rows[i].line, NULL, &said);
        process_end_text(&end, text);
        assert_string_equal(text, rows[i].text);
        buffer_drop(&said);
    }
}

static void what_cannot_start_is_told(void **state)
{
    static const struct {
        const char *program;
        int kind;
    } rows[] = {{"/nonexistent", ERR_ABSENT}, {"/etc/passwd", ERR_REFUSED}, {"/tmp", ERR_REFUSED}};
    struct process_end end;
    pid_t pid;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const arguments[] = {"x", NULL};
        err e = process_start(&(struct process_options){.program = rows[i].program, .arguments = arguments}, &pid);
        assert_true(err_is(e, rows[i].kind));
    }
    assert_true(err_is(process_reap(0, &end), ERR_ABSENT));
    const char *const arguments[] = {"x", NULL};
    struct process_options many = {.program = "/bin/true", .arguments = arguments, .descriptor_count = 1000};
    assert_true(err_is(process_start(&many, &pid), ERR_TOO_LARGE));
}

/* The middle process starts a long sleeper and is killed: the sleeper's end of the channel must close with it. */
static void a_tied_program_dies_with_its_parent(void **state)
{
    int ours, theirs, status;
    struct buffer said = {.max = 100};
    assert_null(channel_pair(&ours, &theirs));
    pid_t middle = fork();
    if (middle == 0) {
        pid_t pid;
        const char *const arguments[] = {"sleep", "1000", NULL};
        const struct process_descriptor descriptors[] = {{theirs, 5}};
        IGNORE(process_start(
            &(struct process_options){
                .program = "/bin/sleep", .arguments = arguments, .descriptors = descriptors, .descriptor_count = 1},
            &pid));
        _exit(0);
    }
    fd_close(&theirs);
    assert_int_equal(waitpid(middle, &status, 0), middle);
    assert_true(err_is(channel_receive(ours, &said, 60000), ERR_CLOSED));
    fd_close(&ours);
}

static void an_identity_is_dropped_to_for_good(void **state)
{
    struct identity nobody;
    assert_null(identity_find("nobody", &nobody));
    assert_true(err_is(identity_find("no-such-user", &nobody), ERR_ABSENT));
    assert_true(err_is(identity_drop(&(struct identity){0, 0}), ERR_REFUSED));
    if (geteuid() != 0) {
        assert_true(err_is(identity_drop(&(struct identity){getuid() + 1, getgid() + 1}), ERR_REFUSED));
        skip();
    }
    struct buffer said = {.max = 1000};
    char expected[64];
    (void)run_shell("echo $(id -u) $(id -g) $(id -G) $(grep -E '^CapEff' /proc/self/status | cut -f2) >&5", &nobody,
                    &said);
    snprintf(expected, sizeof expected, "%u %u %u 0000000000000000\n", nobody.uid, nobody.gid, nobody.gid);
    assert_string_equal(buffer_text(&said), expected);
    buffer_drop(&said);
}

static void confine_and_drop(void)
{
    struct identity nobody;
    if (identity_find("nobody", &nobody) || identity_confine("/proc/self/fdinfo") || identity_drop(&nobody))
        _exit(1);
    if (open("/etc/passwd", O_RDONLY) >= 0 || open("../etc/passwd", O_RDONLY) >= 0)
        _exit(2);
    _exit(setuid(0) == 0 || identity_drop(&nobody) ? 3 : 0);
}

static void a_confined_process_sees_its_folder_only(void **state)
{
    int status;
    if (geteuid() != 0)
        skip();
    pid_t child = fork();
    if (child == 0)
        confine_and_drop();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void messages_stay_whole_and_bounded(void **state)
{
    static uint8_t large[CHANNEL_MESSAGE_MAX + 1];
    int a, b;
    assert_null(channel_pair(&a, &b));
    struct buffer in = {.max = 20};
    assert_true(err_is(channel_receive(b, &in, 0), ERR_AGAIN));
    assert_true(err_is(channel_receive(b, &in, 5), ERR_AGAIN));
    assert_true(err_is(channel_send(a, bytes_of(NULL, 0), 0), ERR_MALFORMED));
    assert_true(err_is(channel_send(a, bytes_of(large, sizeof large), 0), ERR_TOO_LARGE));
    assert_null(channel_send(a, BYTES("first"), 0));
    assert_null(channel_send(a, BYTES("this one is longer than twenty"), 0));
    assert_null(channel_send(a, BYTES("third"), 0));
    assert_null(channel_receive(b, &in, -1));
    assert_true(bytes_is(buffer_view(&in), "first"));
    assert_true(err_is(channel_receive(b, &in, -1), ERR_TOO_LARGE));
    buffer_clear(&in);
    assert_null(channel_receive(b, &in, -1));
    assert_true(bytes_is(buffer_view(&in), "third"));
    buffer_drop(&in);
    in.max = CHANNEL_MESSAGE_MAX;
    assert_null(channel_send(a, bytes_of(large, CHANNEL_MESSAGE_MAX), 0));
    assert_null(channel_receive(b, &in, 0));
    assert_int_equal(in.len, CHANNEL_MESSAGE_MAX);
    buffer_drop(&in);
    fd_close(&a);
    fd_close(&b);
}

static void a_channel_that_is_full_or_closed_says_so(void **state)
{
    static uint8_t large[CHANNEL_MESSAGE_MAX];
    int a, b;
    err e = OK;
    assert_null(channel_pair(&a, &b));
    for (int i = 0; i < 1000 && !e; i++)
        e = channel_send(a, bytes_of(large, sizeof large), 0);
    assert_true(err_is(e, ERR_AGAIN));
    assert_true(err_is(channel_send(a, bytes_of(large, sizeof large), 5), ERR_AGAIN));
    fd_close(&b);
    assert_true(err_is(channel_send(a, BYTES("x"), -1), ERR_CLOSED)); /* and no SIGPIPE */
    struct buffer in = {.max = 10};
    assert_true(err_is(channel_receive(a, &in, -1), ERR_CLOSED));
    fd_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_gets_what_it_is_given_and_nothing_else),
        cmocka_unit_test(an_end_says_how),
        cmocka_unit_test(what_cannot_start_is_told),
        cmocka_unit_test(a_tied_program_dies_with_its_parent),
        cmocka_unit_test(an_identity_is_dropped_to_for_good),
        cmocka_unit_test(a_confined_process_sees_its_folder_only),
        cmocka_unit_test(messages_stay_whole_and_bounded),
        cmocka_unit_test(a_channel_that_is_full_or_closed_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
