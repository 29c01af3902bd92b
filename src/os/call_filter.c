/* The system calls that a sandboxed process may make. What no row allows fails with EPERM; what only an intruder would
 * try ends the process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct fault no_memory = {ERR_MEMORY, "sandbox: no memory"};
static const struct fault no_seccomp = {ERR_UNSUPPORTED, "sandbox: the kernel has no seccomp filters"};
static const struct fault bad_rule = {ERR_IO, "sandbox: seccomp refused a rule"};

/* One call; with a test, only when that argument passes it. Several rows for one call allow any of them. */
struct rule {
    int number;
    unsigned tests;
    struct scmp_arg_cmp test;
};

/* A call a line would be a page a table. */
/* clang-format off */

#define CALL(name)                          {SCMP_SYS(name), 0, {0, 0, 0, 0}}
#define CALL_WHEN(name, arg, value)         {SCMP_SYS(name), 1, {arg, SCMP_CMP_EQ, value, 0}}
#define CALL_WITHOUT(name, arg, flags)      {SCMP_SYS(name), 1, {arg, SCMP_CMP_MASKED_EQ, flags, 0}}
#define CALL_WITH(name, arg, flags)         {SCMP_SYS(name), 1, {arg, SCMP_CMP_MASKED_EQ, flags, flags}}

/* Everybody: memory that is never executable, time, signals to oneself, waiting, and what is open already. */
static const struct rule everybody[] = {
    CALL(brk), CALL_WITHOUT(mmap, 2, PROT_EXEC), CALL_WITHOUT(mprotect, 2, PROT_EXEC), CALL(munmap), CALL(mremap),
    CALL(madvise), CALL(mlock), CALL(mlock2), CALL(munlock),
    CALL(read), CALL(readv), CALL(write), CALL(writev), CALL(close), CALL(lseek), CALL(fstat), CALL(fcntl),
    CALL_WITH(newfstatat, 3, AT_EMPTY_PATH /* the C library's fstat */),
    CALL_WHEN(ioctl, 1, FIONREAD), CALL_WHEN(ioctl, 1, FIONBIO), CALL_WHEN(ioctl, 1, TCGETS /* isatty */),
    CALL(recvfrom), CALL(recvmsg), CALL(sendto), CALL(sendmsg), CALL(shutdown),
    CALL(poll), CALL(ppoll), CALL(select), CALL(pselect6), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait),
    CALL(epoll_pwait), CALL(epoll_pwait2), CALL(eventfd2), CALL(signalfd4), CALL(timerfd_create),
    CALL(timerfd_settime), CALL(timerfd_gettime),
    CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(time),
    CALL(getrandom), CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid),
    CALL(getegid), CALL(getrusage), CALL(getrlimit), CALL_WHEN(prlimit64, 2, 0 /* read only */), CALL(sysinfo),
    CALL(uname), CALL_WHEN(prctl, 0, PR_SET_NAME),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigpending), CALL(rt_sigtimedwait),
    CALL(sigaltstack), CALL(restart_syscall), CALL(exit), CALL(exit_group),
    CALL(futex), CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu), CALL(membarrier), CALL(rseq),
    CALL(set_robust_list), CALL(get_robust_list), CALL(set_tid_address),
};

/* The server: threads (and no processes), connections that come in, and files; Landlock says which files. */
static const struct rule server[] = {
    CALL_WITH(clone, 0, CLONE_THREAD), CALL(sched_setaffinity),
    CALL(accept), CALL(accept4), CALL(getsockname), CALL(getpeername), CALL(getsockopt), CALL(setsockopt),
    CALL(open), CALL(openat), CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(access), CALL(faccessat),
    CALL(faccessat2), CALL(readlink), CALL(readlinkat), CALL(getcwd), CALL(getdents64), CALL(statfs), CALL(fstatfs),
    CALL(pread64), CALL(pwrite64), CALL(preadv), CALL(pwritev), CALL(fsync), CALL(fdatasync), CALL(msync),
    CALL(ftruncate), CALL(fallocate), CALL(fadvise64), CALL(flock), CALL(fchmod), CALL(umask), CALL(rename),
    CALL(renameat), CALL(renameat2), CALL(unlink), CALL(unlinkat), CALL(mkdir), CALL(mkdirat), CALL(rmdir),
    CALL(dup), CALL(dup2), CALL(dup3), CALL(pipe2),
};

/* Never a mistake of ours: looking into other processes, loading code into the kernel, changing the file tree. */
static const struct rule deadly[] = {
    CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(pidfd_getfd), CALL(bpf), CALL(kexec_load),
    CALL(kexec_file_load), CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(perf_event_open),
    CALL(mount), CALL(umount2), CALL(pivot_root), CALL(setns), CALL(unshare), CALL(userfaultfd), CALL(keyctl),
};

/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void drop_filter(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

static err add_rules(scmp_filter_ctx filter, uint32_t action, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* A call that this architecture does not have is no failure: nobody can make it. */
        int done = seccomp_rule_add_array(filter, action, rules[i].number, rules[i].tests, &rules[i].test);
        if (done != 0 && done != -EDOM)
            return &bad_rule;
    }
    return OK;
}

/* abort() and assertions send a signal to their own thread; nobody else's process may be signalled. */
static err add_signals_to_self(scmp_filter_ctx filter)
{
    const struct rule self = CALL_WHEN(tgkill, 0, (scmp_datum_t)getpid());
    return add_rules(filter, SCMP_ACT_ALLOW, &self, 1);
}

/* clone3 hides its flags in memory where a filter cannot look; ENOSYS makes the C library fall back to clone. */
static err add_clone3(scmp_filter_ctx filter)
{
    const struct rule clone3 = CALL(clone3);
    return add_rules(filter, SCMP_ACT_ERRNO(ENOSYS), &clone3, 1);
}

static err set_manners(scmp_filter_ctx filter)
{
    /* A call by another architecture's numbers (32-bit on a 64-bit kernel) would pass under a wrong name. */
    if (seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1) != 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0)
        return &bad_rule;
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list, when the library can */
    return OK;
}

err call_filter_enter(enum sandbox_profile profile)
{
    SCOPED(drop_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return &no_memory;
    TRY(set_manners(filter));
    TRY(add_rules(filter, SCMP_ACT_ALLOW, everybody, COUNT(everybody)));
    if (profile == SANDBOX_SERVER)
        TRY(add_rules(filter, SCMP_ACT_ALLOW, server, COUNT(server)));
    TRY(add_rules(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly)));
    TRY(add_signals_to_self(filter));
    TRY(add_clone3(filter));
    return seccomp_load(filter) == 0 ? OK : &no_seccomp;
}
