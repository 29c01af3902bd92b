/* Reading the files of the machine below a root. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/site.h"

#include "base/text.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const struct fault no_file = {ERR_ABSENT, "site: there is no such file on this machine"};
static const struct fault unreadable = {ERR_IO, "site: a file of this machine cannot be read"};
static const struct fault path_too_long = {ERR_TOO_LARGE, "site: a path is longer than its bound"};

/* Sensors whose driver sleeps, or which are not wired, answer like files that are not there. */
static err why_not(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
    case ENODATA:
    case EAGAIN:
        return &no_file;
    default:
        return &unreadable;
    }
}

err site_open(const struct site *site, const char *path, int *fd_out)
{
    char full[SITE_PATH_MAX];
    int len = snprintf(full, sizeof full, "%s/%s", site->root, path);
    if (len < 0 || (size_t)len >= sizeof full)
        return &path_too_long;
    *fd_out = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return *fd_out < 0 ? why_not() : OK;
}

err site_read(const struct site *site, const char *path, struct buffer *out)
{
    SCOPED(fd_close) int fd = -1;
    TRY(site_open(site, path, &fd));
    while (out->len < out->max) {
        size_t piece = out->max - out->len < 4096 ? out->max - out->len : 4096;
        uint8_t *at = buffer_reserve(out, piece);
        if (!at)
            return buffer_finish(out);
        ssize_t got = read(fd, at, piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return why_not();
        if (got == 0)
            return OK;
        buffer_filled(out, (size_t)got);
    }
    return OK;
}

err site_read_text(const struct site *site, const char *path, char *out, size_t room)
{
    SCOPED(buffer_drop) struct buffer content = {.max = room - 1};
    TRY(site_read(site, path, &content));
    struct bytes view = buffer_view(&content);
    return text_copy(bytes_trim(bytes_cut(&view, 0)), out, room);
}
