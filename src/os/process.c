/* Starting a program: fork, tidy up, exec.
 *
 * A pipe that closes on exec tells the parent how it went: its end means that the program runs, an errno means that it
 * does not. Between fork and exec only async-signal-safe functions are called, for the parent may have threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct fault no_program = {ERR_ABSENT, "process: there is no such program"};
static const struct fault not_allowed = {ERR_REFUSED, "process: the program may not be run"};
static const struct fault no_identity = {ERR_REFUSED, "process: it could not become the user that it is to run as"};
static const struct fault not_started = {ERR_IO, "process: the program could not be started"};
static const struct fault too_many = {ERR_TOO_LARGE, "process: more descriptors than one program can be given"};
static const struct fault none_ended = {ERR_AGAIN, "process: it has not ended yet"};
static const struct fault none_left = {ERR_ABSENT, "process: there is no such process of ours"};

enum { NO_IDENTITY = -1 }; /* where an errno could stand */

/* The first number above all that the program gets. */
static int first_free(const struct process_options *o)
{
    int above = STDERR_FILENO + 1;
    for (size_t i = 0; i < o->descriptor_count; i++)
        above = o->descriptors[i].to >= above ? o->descriptors[i].to + 1 : above;
    return above;
}

/* All of the parent's descriptors close on exec, but for the copies that dup2 makes. Those are made from copies high
 * up, so that no `to` overwrites a `from` that is still needed. */
static bool arrange_descriptors(const struct process_options *o)
{
    int high[PROCESS_DESCRIPTORS_MAX], above = first_free(o);
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        return false;
    for (size_t i = 0; i < o->descriptor_count; i++) {
        high[i] = fcntl(o->descriptors[i].from, F_DUPFD_CLOEXEC, above);
        if (high[i] < 0)
            return false;
    }
    for (size_t i = 0; i < o->descriptor_count; i++)
        if (dup2(high[i], o->descriptors[i].to) < 0)
            return false;
    return true;
}

static bool reset_signals(void)
{
    sigset_t none;
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
            action.sa_handler = SIG_DFL;
            (void)sigaction(signal, &action, NULL); /* handlers of ours are reset by exec, ignored signals are not */
        }
    }
    return sigemptyset(&none) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* After the change of user, which undoes it. A parent that died before is noticed by its number. */
static bool tie_to(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

/* Runs in the child; returns, with what went wrong, only when it did. */
static int become_program(const struct process_options *o, pid_t parent)
{
    static const char *const no_environment[] = {NULL};
    if (!arrange_descriptors(o) || !reset_signals())
        return errno;
    /* Program and folder are opened as who we are: the identity may have no way to them (a checkout below /root). */
    int program = open(o->program, O_PATH | O_CLOEXEC);
    if (program < 0 || (o->folder && chdir(o->folder) != 0))
        return errno;
    if (o->identity && identity_drop(o->identity))
        return NO_IDENTITY;
    if (o->tie == PROCESS_TIED && !tie_to(parent))
        return ESRCH;
    const char *const *environment = o->environment ? o->environment : no_environment;
    /* execve promises not to write there; its type is older than const. */
    execveat(program, "", (char *const *)(uintptr_t)o->arguments, (char *const *)(uintptr_t)environment, AT_EMPTY_PATH);
    return errno;
}

static _Noreturn void run_child(const struct process_options *o, int report, pid_t parent)
{
    int lifted = fcntl(report, F_DUPFD_CLOEXEC, first_free(o)); /* out of the way of the program's descriptors */
    int code = lifted < 0 ? errno : become_program(o, parent);
    (void)!write(lifted < 0 ? report : lifted, &code, sizeof code);
    _exit(127);
}

static err fault_of(int code)
{
    switch (code) {
    case NO_IDENTITY:
        return &no_identity;
    case ENOENT:
    case ENOTDIR:
        return &no_program;
    case EACCES:
    case EPERM:
        return &not_allowed;
    default:
        return &not_started;
    }
}

static err hear_report(int report, pid_t child)
{
    int code = 0;
    ssize_t got;
    do {
        got = read(report, &code, sizeof code);
    } while (got < 0 && errno == EINTR);
    if (got == 0)
        return OK;
    struct process_end end;
    IGNORE(process_wait(child, &end));
    return fault_of(code);
}

err process_start(const struct process_options *options, pid_t *out)
{
    int ends[2];
    if (options->descriptor_count > PROCESS_DESCRIPTORS_MAX)
        return &too_many;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return &not_started;
    SCOPED(fd_close) int report = ends[0];
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        run_child(options, ends[1], parent);
    (void)close(ends[1]); /* before listening: the child's must be the last one */
    if (child < 0)
        return &not_started;
    TRY(hear_report(report, child));
    *out = child;
    return OK;
}

static err wait_for(pid_t pid, int flags, struct process_end *out)
{
    int status;
    pid_t ended;
    do {
        ended = waitpid(pid ? pid : -1, &status, flags);
    } while (ended < 0 && errno == EINTR);
    if (ended <= 0)
        return ended ? &none_left : &none_ended;
    bool exited = WIFEXITED(status);
    *out = (struct process_end){ended, exited ? WEXITSTATUS(status) : -1, exited ? 0 : WTERMSIG(status)};
    return OK;
}

err process_reap(pid_t pid, struct process_end *out)
{
    return wait_for(pid, WNOHANG, out);
}

err process_wait(pid_t pid, struct process_end *out)
{
    return wait_for(pid, 0, out);
}

void process_end_text(const struct process_end *end, char out[PROCESS_END_TEXT])
{
    if (end->signal)
        snprintf(out, PROCESS_END_TEXT, "killed by signal %d (%s)", end->signal, strsignal(end->signal));
    else
        snprintf(out, PROCESS_END_TEXT, "exit status %d", end->code);
}
