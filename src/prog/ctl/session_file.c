/* The session on disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/session_file.h"

#include "os/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 262144, OTHERS = 077 };

void session_drop(struct session *s)
{
    json_decref(s->document);
    *s = (struct session){.document = NULL};
}

static const char *non_empty(const char *text)
{
    return text && *text ? text : NULL;
}

static OUTCOME find_path(char path[PATH_MAX])
{
    const char *file = non_empty(getenv("HOLDFAST_SESSION_FILE"));
    const char *settings = non_empty(getenv("XDG_CONFIG_HOME")), *home = non_empty(getenv("HOME"));
    int len = -1;
    if (file)
        len = snprintf(path, PATH_MAX, "%s", file);
    else if (settings)
        len = snprintf(path, PATH_MAX, "%s/holdfast/session.json", settings);
    else if (home)
        len = snprintf(path, PATH_MAX, "%s/.config/holdfast/session.json", home);
    if (len > 0 && len < PATH_MAX)
        return DONE;
    complain("no place for the session: HOME and HOLDFAST_SESSION_FILE are not set, or too long");
    return LOCAL;
}

static OUTCOME check_mode(const char *path)
{
    struct stat s;
    if (stat(path, &s) || !(s.st_mode & OTHERS))
        return DONE; /* no file: the reader says so */
    complain("%s may be read by others, and it holds your session: chmod 600 it", path);
    return LOCAL;
}

static OUTCOME unpack(struct session *out, const char *path)
{
    const char *ca = "";
    if (json_unpack(out->document, "{s:s, s:s, s:s, s:s, s:s}", "server", &out->peer.server, "ca", &ca, "token",
                    &out->peer.token, "name", &out->name, "expires", &out->expires)) {
        complain("%s is not a session file; sign in again", path);
        return LOCAL;
    }
    out->peer.ca_pem = bytes_of_text(ca);
    const char *wanted = non_empty(getenv("HOLDFAST_SERVER"));
    if (wanted && strcmp(wanted, out->peer.server) != 0) {
        complain("you are signed in to %s, and HOLDFAST_SERVER is %s", out->peer.server, wanted);
        return NOT_SIGNED_IN;
    }
    return DONE;
}

OUTCOME session_load(struct session *out)
{
    char path[PATH_MAX];
    SCOPED(buffer_wipe) struct buffer text = {.max = FILE_MAX};
    *out = (struct session){.document = NULL};
    enum outcome o = find_path(path);
    if (!o)
        o = check_mode(path);
    if (o)
        return o;
    err e = file_read(path, &text);
    if (err_is(e, ERR_ABSENT)) {
        complain("not signed in: holdfast sign-in --server URL --name NAME");
        return NOT_SIGNED_IN;
    }
    if (e) {
        complain("%s cannot be read: %s", path, err_text(e));
        return LOCAL;
    }
    out->document = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    return unpack(out, path);
}

static int put_dumped(const char *text, size_t len, void *self)
{
    put_bytes(self, bytes_of(text, len));
    return 0;
}

static err make_parent(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return OK;
    *slash = 0;
    return folder_make(folder, S_IRWXU);
}

OUTCOME session_save(json_t *document)
{
    char path[PATH_MAX];
    SCOPED(buffer_wipe) struct buffer text = {.max = FILE_MAX};
    enum outcome o = find_path(path);
    if (o)
        return o;
    json_dump_callback(document, put_dumped, &text, JSON_INDENT(2));
    put_text(&text, "\n");
    err e = buffer_finish(&text);
    if (!e)
        e = make_parent(path);
    if (!e)
        e = file_replace(path, buffer_view(&text), S_IRUSR | S_IWUSR);
    if (!e)
        return DONE;
    complain("%s cannot be written: %s", path, err_text(e));
    return LOCAL;
}

OUTCOME session_forget(void)
{
    char path[PATH_MAX];
    enum outcome o = find_path(path);
    if (o || !unlink(path) || errno == ENOENT)
        return o;
    complain("%s cannot be removed: %s", path, strerror(errno));
    return LOCAL;
}
