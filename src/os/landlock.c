/* Landlock through its system calls; the C library has no functions for them. Each version of the kernel's interface
 * (ABI) adds things that can be forbidden, and refuses to hear of later ones: so the table below is read up to the
 * version that the kernel has. Bits are our own names, since the headers that we build with may be older than the
 * kernel that we run on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"
#include "os/sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct fault no_landlock = {ERR_UNSUPPORTED, "sandbox: the kernel has no Landlock, or it is switched off"};
static const struct fault no_folder = {ERR_ABSENT, "sandbox: a folder that is to stay open does not exist"};
static const struct fault failed = {ERR_IO, "sandbox: Landlock refused its rules"};

enum {
    /* File rights, linux/landlock.h */
    FS_FIRST = (1 << 13) - 1, /* execute, write, read, list, remove, make: all of version 1 */
    FS_REFER = 1 << 13,       /* link or rename from one folder into another */
    FS_TRUNCATE = 1 << 14,
    FS_DEVICE_IOCTL = 1 << 15,
    NET_BIND_TCP = 1 << 0,
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_SOCKET = 1 << 0,
    SCOPE_SIGNAL = 1 << 1,
};

/* What the server does with its own files: never execute, never make a device, a socket or a symbolic link. */
static const uint64_t own_files = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                                  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                  LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE;

/* The kernel's struct landlock_ruleset_attr of version 6; an older kernel takes it when what it does not know is zero.
 */
struct forbidden {
    uint64_t fs, net, scope;
};

static const struct {
    int since;
    struct forbidden adds;
} versions[] = {
    {1, {.fs = FS_FIRST}},        {2, {.fs = FS_REFER}},
    {3, {.fs = FS_TRUNCATE}},     {4, {.net = NET_BIND_TCP | NET_CONNECT_TCP}},
    {5, {.fs = FS_DEVICE_IOCTL}}, {6, {.scope = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL}},
};

static struct forbidden forbidden_by(long version)
{
    struct forbidden all = {0, 0, 0};
    for (size_t i = 0; i < sizeof versions / sizeof *versions && versions[i].since <= version; i++) {
        all.fs |= versions[i].adds.fs;
        all.net |= versions[i].adds.net;
        all.scope |= versions[i].adds.scope;
    }
    return all;
}

static err keep_folder(int ruleset, const char *path, uint64_t rights)
{
    SCOPED(fd_close) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return &no_folder;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ? OK : &failed;
}

err landlock_enter(const char *const *folders)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return &no_landlock;
    struct forbidden all = forbidden_by(version);
    SCOPED(fd_close) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (ruleset < 0)
        return &failed;
    for (const char *const *folder = folders; folder && *folder; folder++)
        TRY(keep_folder(ruleset, *folder, own_files & all.fs));
    return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? OK : &failed;
}
