/* The authority on disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/keeper/folder.h"

#include "base/memory.h"
#include "os/file.h"
#include "trust/bearer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fault long_path = {ERR_TOO_LARGE, "keeper: the folder's path is too long"};
static const struct fault no_file = {ERR_ABSENT, "keeper: a file of the authority is missing"};
static const struct fault open_key = {
    ERR_REFUSED, "keeper: a secret file must be a plain file of this user that nobody else may read (chmod 600)"};
static const struct fault bad_file = {ERR_IO, "keeper: a secret file cannot be read, or is too long"};

#define UNFINISHED  "unfinished"
#define ISSUING_KEY "issuing-key.pem"
#define ISSUING     "issuing.pem"
#define ROOT        "root.pem"
#define OFFLINE     "offline"
#define ROOT_KEY    "offline/root-key.pem"
#define PASSPHRASE  "offline/root-passphrase"
#define README      "offline/README.txt"
#define SECRET_MODE 0600
#define PUBLIC_MODE 0644
#define FOLDER_MODE 0700

static const char readme[] =
    "This folder holds the root of trust of this Holdfast installation.\n"
    "\n"
    "  root-key.pem     the root's private key, encrypted with a passphrase\n"
    "  root-passphrase  that passphrase (not here if you chose your own)\n"
    "\n"
    "The server does not need them. Take both offline now, to two different places (for example an\n"
    "encrypted USB stick in a safe, and a password manager), check that you can read the copies,\n"
    "and then delete this folder:\n"
    "\n"
    "  openssl pkey -in root-key.pem -passin file:root-passphrase -noout && echo readable\n"
    "\n"
    "You will need them to issue the next issuing certificate (this one ends five years after the\n"
    "first start) or to replace the issuing key if it is ever stolen. Whoever has both can issue\n"
    "certificates that every one of your devices trusts.\n";

static err path_of(const struct keeper_folder *folder, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s", folder->path, name);
    return len > 0 && len < PATH_MAX ? OK : &long_path;
}

static err there_is(const struct keeper_folder *folder, const char *name, bool *out)
{
    char path[PATH_MAX];
    TRY(path_of(folder, name, path));
    *out = file_exists(path);
    return OK;
}

static err put_file(const struct keeper_folder *folder, const char *name, struct bytes content, mode_t mode)
{
    char path[PATH_MAX];
    TRY(path_of(folder, name, path));
    return file_replace(path, content, mode);
}

static err read_public(const struct keeper_folder *folder, const char *name, struct buffer *out)
{
    char path[PATH_MAX];
    TRY(path_of(folder, name, path));
    err failed = file_read(path, out);
    if (failed)
        log_line(folder->log, LOG_ERROR, "cannot read", "file=%s reason=\"%s\"", path, err_text(failed));
    return failed;
}

/* The check and the reading are of one open file, so that nobody can swap it in between. */
static err read_secret(const char *path, struct buffer *out)
{
    struct stat about;
    SCOPED(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? &no_file : errno == ELOOP ? &open_key : &bad_file;
    if (fstat(fd, &about) != 0)
        return &bad_file;
    if (!S_ISREG(about.st_mode) || about.st_uid != geteuid() || (about.st_mode & (S_IRWXG | S_IRWXO)))
        return &open_key;
    if (about.st_size < 1 || about.st_size > KEY_PEM_MAX)
        return &bad_file;
    uint8_t *at = buffer_reserve(out, (size_t)about.st_size);
    if (!at)
        return buffer_finish(out);
    if (read(fd, at, (size_t)about.st_size) != about.st_size)
        return &bad_file;
    buffer_filled(out, (size_t)about.st_size);
    return OK;
}

static err read_secret_logged(const struct keeper_folder *folder, const char *path, struct buffer *out)
{
    err failed = read_secret(path, out);
    if (failed)
        log_line(folder->log, LOG_ERROR, "cannot take", "file=%s reason=\"%s\"", path, err_text(failed));
    return failed;
}

static err given_passphrase(const struct keeper_folder *folder, struct secret *out)
{
    SCOPED(buffer_wipe) struct buffer text = {.max = KEY_PEM_MAX};
    TRY(read_secret_logged(folder, folder->passphrase_file, &text));
    return secret_set(out, bytes_trim(buffer_view(&text)));
}

static err made_passphrase(const struct keeper_folder *folder, struct secret *out)
{
    uint8_t unused[TOKEN_HASH];
    TRY(bearer_make(folder->dice, out, unused));
    return put_file(folder, PASSPHRASE, secret_view(out), SECRET_MODE);
}

static err write_texts(const struct keeper_folder *folder, const struct authority_texts *texts)
{
    TRY(put_file(folder, README, bytes_of_text(readme), PUBLIC_MODE));
    TRY(put_file(folder, ROOT_KEY, buffer_view(&texts->root_key), SECRET_MODE));
    TRY(put_file(folder, ROOT, buffer_view(&texts->root), PUBLIC_MODE));
    TRY(put_file(folder, ISSUING, buffer_view(&texts->issuing), PUBLIC_MODE));
    return put_file(folder, ISSUING_KEY, buffer_view(&texts->issuing_key), SECRET_MODE);
}

static err create(const struct keeper_folder *folder)
{
    char path[PATH_MAX];
    SCOPED(authority_texts_wipe) struct authority_texts texts;
    SCOPED(secret_wipe) struct secret passphrase = {0};
    authority_texts_open(&texts);
    TRY(path_of(folder, OFFLINE, path));
    TRY(folder_make(folder->path, FOLDER_MODE));
    TRY(put_file(folder, UNFINISHED, (struct bytes){NULL, 0}, SECRET_MODE));
    TRY(folder_make(path, FOLDER_MODE));
    TRY(folder->passphrase_file ? given_passphrase(folder, &passphrase) : made_passphrase(folder, &passphrase));
    const struct authority_birth birth = {secret_view(&passphrase), folder->clock, folder->dice};
    TRY(authority_create(&birth, &texts));
    TRY(write_texts(folder, &texts));
    log_line(folder->log, LOG_WARN, "root key written: take this folder offline, then delete it", "folder=%s", path);
    TRY(path_of(folder, UNFINISHED, path));
    /* Durably: should the mark come back after a power cut, a new root would lock out all that enrolled meanwhile. */
    return file_remove(path);
}

/* New: nothing of it is there yet, or the first start was cut short. */
static err is_new(const struct keeper_folder *folder, bool *out)
{
    static const char *const parts[] = {ISSUING_KEY, ISSUING, ROOT};
    TRY(there_is(folder, UNFINISHED, out));
    if (*out)
        return OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        bool there;
        TRY(there_is(folder, parts[i], &there));
        if (there)
            return OK;
    }
    *out = true;
    return OK;
}

err keeper_folder_load(const struct keeper_folder *folder, struct authority *out)
{
    bool new;
    char path[PATH_MAX];
    SCOPED(authority_texts_wipe) struct authority_texts texts;
    authority_texts_open(&texts);
    TRY(is_new(folder, &new));
    if (new)
        TRY(create(folder));
    TRY(path_of(folder, ISSUING_KEY, path));
    TRY(read_secret_logged(folder, path, &texts.issuing_key));
    TRY(read_public(folder, ISSUING, &texts.issuing));
    TRY(read_public(folder, ROOT, &texts.root));
    return authority_load(&texts, folder->clock, out);
}
