/* Files: whole reads, atomic replacement, folders, locks.
 *
 * A replacement is written to `path.new`, synced, renamed over `path`, and the folder is synced. Whatever fails before
 * the rename leaves `path` as it was. A process that ends in the middle leaves `path.new`, which the next writer uses
 * up, so that nothing piles up; the lock on it keeps two writers of one path apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fault absent = {ERR_ABSENT, "file: there is no such file or folder"};
static const struct fault refused = {ERR_REFUSED, "file: permission denied"};
static const struct fault full = {ERR_FULL, "file: there is no room on the disk"};
static const struct fault exists = {ERR_EXISTS, "file: it exists already"};
static const struct fault no_folder = {ERR_EXISTS, "file: a file stands where a folder is to be"};
static const struct fault no_handles = {ERR_FULL, "file: too many files are open"};
static const struct fault failed = {ERR_IO, "file: the operating system reported an error"};
static const struct fault too_large = {ERR_TOO_LARGE, "file: larger than its bound"};
static const struct fault long_path = {ERR_TOO_LARGE, "file: the path is too long"};
static const struct fault locked = {ERR_EXISTS, "file: another process holds the lock"};
static const struct fault no_memory = {ERR_MEMORY, "file: no memory"};

static err fault_of(int code)
{
    static const struct {
        int code;
        err fault;
    } table[] = {
        {ENOENT, &absent},    {ENOTDIR, &absent},     {EACCES, &refused},
        {EPERM, &refused},    {EROFS, &refused},      {ELOOP, &refused},
        {ENOSPC, &full},      {EDQUOT, &full},        {EFBIG, &full},
        {EEXIST, &exists},    {EMFILE, &no_handles},  {ENFILE, &no_handles},
        {ENOMEM, &no_memory}, {EWOULDBLOCK, &locked}, {ENAMETOOLONG, &long_path},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].fault;
    return &failed;
}

void fd_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

int fd_give(int *fd)
{
    int given = *fd;
    *fd = -1;
    return given;
}

/* One read; *got 0 is the end of the file. */
static err read_some(int fd, uint8_t *at, size_t room, size_t *got)
{
    ssize_t len;
    do {
        len = read(fd, at, room);
    } while (len < 0 && errno == EINTR);
    *got = len > 0 ? (size_t)len : 0;
    return len < 0 ? fault_of(errno) : OK;
}

static err expect_end(int fd)
{
    uint8_t byte;
    size_t got;
    TRY(read_some(fd, &byte, 1, &got));
    return got ? &too_large : OK;
}

err file_read(const char *path, struct buffer *out)
{
    enum { CHUNK = 16384 };
    SCOPED(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fault_of(errno);
    while (out->len < out->max) {
        size_t left = out->max - out->len, room = left < CHUNK ? left : CHUNK, got;
        uint8_t *at = buffer_reserve(out, room);
        if (!at)
            return &no_memory;
        TRY(read_some(fd, at, room, &got));
        if (!got)
            return OK;
        buffer_filled(out, got);
    }
    return expect_end(fd);
}

static err write_all(int fd, struct bytes content)
{
    while (content.len) {
        ssize_t done = write(fd, content.at, content.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fault_of(errno);
        content = bytes_from(content, (size_t)done);
    }
    return OK;
}

/* The file is the one that path names: not one that a faster writer has renamed or removed meanwhile. */
static bool is_at(int fd, const char *path)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && lstat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

static err lock_wait(int fd)
{
    int done;
    do {
        done = flock(fd, LOCK_EX);
    } while (done != 0 && errno == EINTR);
    return done == 0 ? OK : fault_of(errno);
}

/* Opens the draft, empty and locked. */
static err draft_open(const char *draft, int *fd_out)
{
    for (;;) { /* again only when another writer has finished meanwhile */
        SCOPED(fd_close) int fd = open(draft, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return fault_of(errno);
        TRY(lock_wait(fd));
        if (!is_at(fd, draft))
            continue;
        if (ftruncate(fd, 0) != 0)
            return fault_of(errno);
        *fd_out = fd_give(&fd);
        return OK;
    }
}

/* A rename is durable only when its folder is. */
static err sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    snprintf(folder, sizeof folder, "%.*s", (int)(len ? len : 1), len ? path : ".");
    SCOPED(fd_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return fault_of(errno);
    return OK;
}

static err draft_finish(int fd, struct bytes content, mode_t mode)
{
    /* The mode first: it fails on a draft that somebody else has put there to read along. */
    if (fchmod(fd, mode) != 0)
        return fault_of(errno);
    TRY(write_all(fd, content));
    return fsync(fd) == 0 ? OK : fault_of(errno);
}

static err file_put(const char *path, struct bytes content, mode_t mode, unsigned rename_flags)
{
    char draft[PATH_MAX];
    if (snprintf(draft, sizeof draft, "%s.new", path) >= (int)sizeof draft)
        return &long_path;
    SCOPED(fd_close) int fd = -1;
    TRY(draft_open(draft, &fd));
    err e = draft_finish(fd, content, mode);
    if (!e && renameat2(AT_FDCWD, draft, AT_FDCWD, path, rename_flags) != 0)
        e = fault_of(errno);
    if (e) {
        (void)unlink(draft);
        return e;
    }
    return sync_folder_of(path);
}

err file_replace(const char *path, struct bytes content, mode_t mode)
{
    return file_put(path, content, mode, 0);
}

err file_create(const char *path, struct bytes content, mode_t mode)
{
    return file_put(path, content, mode, RENAME_NOREPLACE);
}

err file_remove(const char *path)
{
    return unlink(path) == 0 ? sync_folder_of(path) : fault_of(errno);
}

struct file_mark file_mark(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return (struct file_mark){.size = 0};
    return (struct file_mark){.changed_ns = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec,
                              .size = (uint64_t)found.st_size,
                              .number = found.st_ino};
}

bool file_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

static err make_one(const char *path, mode_t mode)
{
    struct stat s;
    if (mkdir(path, mode) == 0)
        return OK;
    int why = errno;
    if (stat(path, &s) == 0)
        return S_ISDIR(s.st_mode) ? OK : &no_folder;
    return fault_of(why);
}

err folder_make(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    TRY(snprintf(part, sizeof part, "%s", path) >= (int)sizeof part ? &long_path : OK);
    for (char *slash = strchr(part + (*part == '/'), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        TRY(make_one(part, 0755));
        *slash = '/';
    }
    return make_one(part, mode);
}

err file_lock(const char *path, int *fd_out)
{
    SCOPED(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault_of(errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return fault_of(errno);
    *fd_out = fd_give(&fd);
    return OK;
}
