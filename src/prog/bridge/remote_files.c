/* Reading what is shown to the other broker. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/bridge/remote_files.h"

#include "os/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 1 << 20 };

static const struct fault not_private = {ERR_REFUSED,
                                         "others than its owner may read or change it: give it the mode 0600"};
static const struct fault no_file = {ERR_ABSENT, "it cannot be opened"};
static const struct fault no_regular = {ERR_REFUSED, "it is no regular file"};
static const struct fault unreadable = {ERR_IO, "it cannot be read"};
static const struct fault no_password = {ERR_ABSENT, "its first line is empty"};
static const struct fault long_password = {ERR_TOO_LARGE, "its first line is longer than 511 bytes"};

enum privacy { PRIVATE = 0, PUBLIC };

/* What root's group may read, root may read anyway: systemd hands out credentials so (LoadCredential=, mode 0440). */
static bool is_private(const struct stat *facts)
{
    mode_t others = facts->st_gid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    return !(facts->st_mode & others);
}

/* The mode is asked of what was opened, not of the name. */
static err open_file(const char *path, enum privacy privacy, int *fd_out)
{
    struct stat facts;
    SCOPED(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &facts) != 0)
        return &no_file;
    if (!S_ISREG(facts.st_mode))
        return &no_regular;
    if (privacy == PRIVATE && !is_private(&facts))
        return &not_private;
    *fd_out = fd_give(&fd);
    return OK;
}

static err read_all(int fd, struct buffer *out)
{
    for (;;) {
        uint8_t *room = buffer_reserve(out, 4096);
        if (!room)
            return buffer_finish(out);
        ssize_t len = read(fd, room, 4096);
        if (len < 0)
            return &unreadable;
        if (!len)
            return OK;
        buffer_filled(out, (size_t)len);
    }
}

static err complain(const char *setting, const char *path, err e, char why[WHY_TEXT])
{
    if (e)
        why_say(why, "%s: %s: %s", setting, path, e->text);
    return e;
}

static err read_pem(const char *setting, const char *path, enum privacy privacy, struct buffer *out, char why[WHY_TEXT])
{
    SCOPED(fd_close) int fd = -1;
    if (!*path)
        return OK;
    err e = open_file(path, privacy, &fd);
    return complain(setting, path, e ? e : read_all(fd, out), why);
}

/* The first line without its end; blanks may belong to it. */
static err take_line(struct buffer *text, struct secret *out)
{
    size_t len = 0;
    while (len < text->len && text->at[len] != '\n')
        len++;
    if (len && text->at[len - 1] == '\r')
        len--;
    if (!len)
        return &no_password;
    return len < SECRET_MAX ? secret_set(out, bytes_of(text->at, len)) : &long_password;
}

static err read_password(const char *path, struct secret *out, char why[WHY_TEXT])
{
    SCOPED(fd_close) int fd = -1;
    SCOPED(buffer_wipe) struct buffer text = {.max = PEM_MAX};
    if (!*path)
        return OK;
    err e = open_file(path, PRIVATE, &fd);
    if (!e)
        e = read_all(fd, &text);
    return complain("remote.password-file", path, e ? e : take_line(&text, out), why);
}

static err make_context(const struct bridge_settings *set, struct remote_access *out, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer ca = {.max = PEM_MAX}, chain = {.max = PEM_MAX};
    SCOPED(buffer_wipe) struct buffer key = {.max = PEM_MAX};
    TRY(read_pem("remote.ca", set->remote_ca, PUBLIC, &ca, why));
    TRY(read_pem("remote.certificate", set->remote_certificate, PUBLIC, &chain, why));
    TRY(read_pem("remote.key", set->remote_key, PRIVATE, &key, why));
    const struct tls_options options = {.chain_pem = buffer_view(&chain),
                                        .key_pem = buffer_view(&key),
                                        .anchors_pem = buffer_view(&ca),
                                        .server_name = set->remote_host,
                                        .alpn = set->remote_alpn};
    err e = tls_context_client(&options, &out->tls);
    if (e)
        why_say(why, "remote.ca, remote.certificate and remote.key: %s", e->text);
    return e;
}

err remote_access_read(const struct bridge_settings *set, struct remote_access *out, char why[WHY_TEXT])
{
    *out = (struct remote_access){.tls = NULL};
    err e = read_password(set->remote_password_file, &out->password, why);
    if (!e && !set->remote_plain)
        e = make_context(set, out, why);
    if (e)
        remote_access_drop(out);
    return e;
}

void remote_access_drop(struct remote_access *a)
{
    tls_context_drop(a->tls);
    a->tls = NULL;
    secret_wipe(&a->password);
}
