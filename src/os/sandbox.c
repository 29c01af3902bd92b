/* Entering the sandbox, and proving that it holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/sandbox.h"

#include "os/file.h"
#include "os/sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct fault threads_run = {ERR_REFUSED, "sandbox: entered with threads running, which it would not hold"};
static const struct fault keeper_folders = {ERR_MALFORMED, "sandbox: the keeper has no folders"};
static const struct fault no_lock = {ERR_IO, "sandbox: core dumps, privileges or capabilities could not be given up"};

/* Landlock binds the calling thread and its offspring, not its siblings. Without /proc nobody can tell. */
static bool is_single_threaded(void)
{
    struct stat tasks;
    return stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink <= 3; /* ".", ".." and one thread */
}

/* A root without capabilities is but the owner of root's files. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
    return syscall(SYS_capset, &header, none) == 0;
}

/* Memory holds keys: no core dump, no debugger of the same user. And nothing executed later gains anything. */
static err give_up_powers(void)
{
    const struct rlimit no_core = {0, 0};
    return setrlimit(RLIMIT_CORE, &no_core) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
               ? OK
               : &no_lock;
}

static err confine_files(const struct sandbox_options *options)
{
    err e = landlock_enter(options->folders);
    bool may_lack = options->strictness == SANDBOX_INSECURE_WITHOUT_LANDLOCK;
    return may_lack && err_is(e, ERR_UNSUPPORTED) ? OK : e;
}

err sandbox_enter(const struct sandbox_options *options)
{
    if (options->profile == SANDBOX_KEEPER && options->folders && options->folders[0])
        return &keeper_folders;
    if (!is_single_threaded())
        return &threads_run;
    TRY(give_up_powers());
    TRY(confine_files(options));
    TRY(drop_capabilities() ? OK : &no_lock);
    return call_filter_enter(options->profile); /* last, since it forbids all of the above */
}

/* The proof: each probe tries what must not be possible, and cleans up when it was. */

static bool opens_foreign_file(void)
{
    static const struct {
        const char *path;
        int flags;
    } foreign[] = {
        {"/", O_RDONLY | O_DIRECTORY}, {"/etc/passwd", O_RDONLY}, {"/proc/self/status", O_RDONLY},
        {"/proc/self/mem", O_RDWR},    {"/dev/null", O_WRONLY},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        SCOPED(fd_close) int fd = open(foreign[i].path, foreign[i].flags | O_CLOEXEC);
        if (fd >= 0)
            return true;
    }
    return false;
}

/* An unhindered execve answers ENOENT to a path without a file; the filter answers EPERM before it looks at the path.
 * Only then is a program tried that would take our place. */
static bool runs_program(void)
{
    char *const arguments[] = {NULL}, *const environment[] = {NULL};
    if (execve("", arguments, environment) == 0 || errno != EPERM)
        return true;
    (void)execve("/bin/true", arguments, environment);
    return errno != EPERM;
}

static bool starts_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    return child > 0;
}

static bool opens_connection(void)
{
    static const struct {
        int family, type;
    } kinds[] = {{AF_INET, SOCK_STREAM}, {AF_INET6, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},
                 {AF_INET, SOCK_RAW},    {AF_UNIX, SOCK_STREAM},  {AF_NETLINK, SOCK_RAW}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        SCOPED(fd_close) int fd = socket(kinds[i].family, kinds[i].type | SOCK_CLOEXEC, 0);
        if (fd >= 0)
            return true;
    }
    return false;
}

static bool makes_code(void)
{
    enum { LEN = 4096 };
    void *at = mmap(NULL, LEN, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED)
        (void)munmap(at, LEN);
    return at != MAP_FAILED;
}

static bool signals_others(void)
{
    return kill(getppid(), 0) == 0;
}

err sandbox_prove(void)
{
    static const struct {
        bool (*is_possible)(void);
        struct fault fault;
    } probes[] = {
        {opens_foreign_file, {ERR_REFUSED, "sandbox: it does not hold: a file outside could be opened"}},
        {runs_program, {ERR_REFUSED, "sandbox: it does not hold: a program could be run"}},
        {starts_process, {ERR_REFUSED, "sandbox: it does not hold: a process could be started"}},
        {opens_connection, {ERR_REFUSED, "sandbox: it does not hold: a new socket could be opened"}},
        {makes_code, {ERR_REFUSED, "sandbox: it does not hold: memory could be made executable"}},
        {signals_others, {ERR_REFUSED, "sandbox: it does not hold: another process could be signalled"}},
    };
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        if (probes[i].is_possible())
            return &probes[i].fault;
    return OK;
}
