/* The sandbox, each case in a process of its own: what it forbids, and that the server's work goes on inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"
#include "os/file.h"
#include "os/loop.h"
#include "os/sandbox.h"
#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In the child: the line that did not hold is its exit status. */
#define HOLDS(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf(stderr, "does not hold: %s\n", #claim);                                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

struct home {
    char folder[64];
};

static struct home home_make(void)
{
    struct home home = {.folder = "/tmp/holdfast-sandbox-XXXXXX"};
    assert_non_null(mkdtemp(home.folder));
    return home;
}

static int run_child(void (*act)(const struct home *), const struct home *home)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        act(home);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void enter_server(const struct home *home)
{
    const char *const folders[] = {home->folder, NULL};
    err e = sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_SERVER, .folders = folders});
    if (e)
        fprintf(stderr, "%s\n", e->text);
    HOLDS(!e);
}

static void enter_keeper(const struct home *home)
{
    HOLDS(!sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_KEEPER}));
}

static void prove_free(const struct home *home)
{
    HOLDS(err_is(sandbox_prove(), ERR_REFUSED));
}

static void prove_server(const struct home *home)
{
    enter_server(home);
    err e = sandbox_prove();
    if (e)
        fprintf(stderr, "%s\n", e->text);
    HOLDS(!e);
}

static void prove_keeper(const struct home *home)
{
    enter_keeper(home);
    HOLDS(!sandbox_prove());
}

/* seccomp alone: the proof finds the files that only Landlock keeps shut. */
static void prove_open_root(const struct home *home)
{
    const char *const folders[] = {"/", NULL};
    HOLDS(!sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_SERVER, .folders = folders}));
    HOLDS(err_is(sandbox_prove(), ERR_REFUSED));
}

static char *at_home(const struct home *home, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", home->folder, name);
    return out;
}

static void server_keeps_files(const struct home *home)
{
    char path[128], other[128];
    enter_server(home);
    HOLDS(!folder_make(at_home(home, "a/b", path), 0700));
    HOLDS(!file_replace(at_home(home, "a/b/kept", path), BYTES("one"), 0600));
    HOLDS(!file_replace(path, BYTES("two"), 0600));
    SCOPED(buffer_drop) struct buffer in = {.max = 16};
    HOLDS(!file_read(path, &in) && bytes_is(buffer_view(&in), "two"));
    SCOPED(fd_close) int lock = -1;
    HOLDS(!file_lock(at_home(home, "lock", other), &lock));
    SCOPED(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC);
    HOLDS(fd >= 0 && ftruncate(fd, 8192) == 0 && fdatasync(fd) == 0);
    struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 120, .l_len = 1};
    HOLDS(fcntl(fd, F_SETLK, &record) == 0);
    void *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    HOLDS(map != MAP_FAILED);
    memcpy(map, "three", 5);
    HOLDS(munmap(map, 8192) == 0);
    HOLDS(unlink(path) == 0 && unlink(other) == 0);
    HOLDS(rmdir(at_home(home, "a/b", path)) == 0 && rmdir(at_home(home, "a", path)) == 0);
    HOLDS(symlink("/etc/passwd", at_home(home, "link", path)) != 0);
    HOLDS(err_is(file_replace("/tmp/holdfast-outside", BYTES("no"), 0600), ERR_REFUSED));
    HOLDS(open("/proc/self/environ", O_RDONLY) < 0 && open("/etc/shadow", O_RDONLY) < 0);
}

static void *stop_loop(void *arg)
{
    loop_stop(arg);
    return NULL;
}

/* The listener is opened before, as the server does; a peer that is connected already waits in its queue. */
static void server_serves(const struct home *home)
{
    int listener, peer, inside;
    uint16_t port;
    char name[ADDRESS_TEXT];
    struct loop *loop;
    pthread_t thread;
    HOLDS(!socket_listen("127.0.0.1", 0, &listener) && !socket_port(listener, &port));
    HOLDS(!socket_connect("127.0.0.1", port, &peer));
    enter_server(home);
    HOLDS(!socket_accept(listener, &inside, name));
    HOLDS(send(inside, "hello", 5, MSG_NOSIGNAL) == 5);
    HOLDS(!loop_open(machine_clock(), 8, &loop));
    HOLDS(pthread_create(&thread, NULL, stop_loop, loop) == 0);
    HOLDS(!loop_run(loop));
    HOLDS(pthread_join(thread, NULL) == 0);
    loop_close(loop);
    uint8_t random[32];
    machine_dice()->fill(machine_dice(), random, sizeof random);
    HOLDS(socket_connect("127.0.0.1", port, &peer) != OK);
}

static void keeper_speaks_on_its_channel(const struct home *home)
{
    int pair[2];
    char word[8];
    HOLDS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    enter_keeper(home);
    HOLDS(send(pair[0], "hello", 5, MSG_NOSIGNAL) == 5 && recv(pair[1], word, sizeof word, 0) == 5);
    HOLDS(open(home->folder, O_RDONLY) < 0 && errno == EPERM);
    HOLDS(accept(pair[0], NULL, NULL) < 0 && errno == EPERM);
}

static void debugs(const struct home *home)
{
    enter_server(home);
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void aborts(const struct home *home)
{
    enter_server(home);
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

static void *wait_for_end(void *arg)
{
    (void)pthread_mutex_lock(arg);
    return NULL;
}

static void enters_with_threads(const struct home *home)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    const char *const folders[] = {home->folder, NULL};
    HOLDS(pthread_mutex_lock(&gate) == 0 && pthread_create(&thread, NULL, wait_for_end, &gate) == 0);
    HOLDS(err_is(sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_SERVER, .folders = folders}), ERR_REFUSED));
}

static void refuses_wrong_options(const struct home *home)
{
    const char *const folders[] = {home->folder, NULL}, *const missing[] = {"/nonexistent-folder", NULL};
    HOLDS(
        err_is(sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_KEEPER, .folders = folders}), ERR_MALFORMED));
    HOLDS(err_is(sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_SERVER, .folders = missing}), ERR_ABSENT));
}

/* Landlock, or a container around us, may be missing where the tests run; then there is nothing to test. */
static void no_change(const struct home *home)
{
    const char *const folders[] = {home->folder, NULL};
    if (err_is(sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_SERVER, .folders = folders}),
               ERR_UNSUPPORTED))
        _exit(77);
}

static void each_case_holds(void **state)
{
    static const struct {
        const char *rule;
        void (*act)(const struct home *);
        int signal; /* that must end it; 0: it ends well */
    } cases[] = {
        {"without a sandbox the proof fails", prove_free, 0},
        {"the server's sandbox is proven", prove_server, 0},
        {"the keeper's sandbox is proven", prove_keeper, 0},
        {"a sandbox with the root folder open is not proven", prove_open_root, 0},
        {"the server works in its folder, and only there", server_keeps_files, 0},
        {"the server accepts, starts threads, and does not connect", server_serves, 0},
        {"the keeper speaks on what is open", keeper_speaks_on_its_channel, 0},
        {"a debugger's call ends the process", debugs, SIGSYS},
        {"an assertion still ends the process", aborts, SIGABRT},
        {"threads must not run yet", enters_with_threads, 0},
        {"wrong options are refused", refuses_wrong_options, 0},
    };
    struct home home = home_make();
    int status = run_child(no_change, &home);
    bool supported = !(WIFEXITED(status) && WEXITSTATUS(status) == 77);
    for (size_t i = 0; supported && i < sizeof cases / sizeof *cases; i++) {
        status = run_child(cases[i].act, &home);
        if (cases[i].signal ? !WIFSIGNALED(status) || WTERMSIG(status) != cases[i].signal
                            : !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("%s: status %#x", cases[i].rule, (unsigned)status);
    }
    assert_int_equal(rmdir(home.folder), 0);
    if (!supported)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_case_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
