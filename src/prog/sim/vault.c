/* The fleet's identities on disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/vault.h"

#include "base/memory.h"
#include "base/text.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct fault no_memory = {ERR_MEMORY, "vault: no memory"};
static const struct fault no_identity = {ERR_ABSENT, "vault: this unit has not enrolled"};
static const struct fault not_written = {ERR_IO, "vault: a file cannot be written"};
static const struct fault bad_block = {ERR_MALFORMED, "vault: a file does not hold what was written into it"};

enum { PATH_ROOM = 512, FILE_BYTES_MAX = 1 << 30, AUTHORITIES_MAX = 65536, UNITS_MAX = 16 * 1024 * 1024 };

static const char block_start[] = "unit ", leaf_end[] = "-----END CERTIFICATE-----\n",
                  leaf_start[] = "-----BEGIN CERTIFICATE-----";

/* Where a unit's block begins in its file, plus one; 0: it has none. */
struct place {
    uint32_t at;
};

struct vault {
    struct buffer root, authorities;
    struct buffer files[VAULT_FILES];
    size_t whole[VAULT_FILES]; /* bytes up to the end of the last whole block */
    struct place *places;
    uint64_t room;
};

/* Cuts the next block off: its number, its id, and its two PEM texts. False: there is no whole one. */
static bool next_block(struct bytes *rest, uint64_t *unit, struct vault_identity *out)
{
    const uint8_t *end = rest->len ? memmem(rest->at, rest->len, leaf_end, sizeof leaf_end - 1) : NULL;
    if (!end || !bytes_starts(*rest, block_start))
        return false;
    struct bytes block = bytes_first(*rest, (size_t)(end - rest->at) + sizeof leaf_end - 1);
    *rest = bytes_from(*rest, block.len);
    struct bytes line = bytes_from(bytes_cut(&block, '\n'), sizeof block_start - 1);
    const uint8_t *leaf = memmem(block.at, block.len, leaf_start, sizeof leaf_start - 1);
    if (!leaf || text_to_u64(bytes_cut(&line, ' '), unit) || *unit >= UNITS_MAX ||
        text_copy(line, out->id, sizeof out->id))
        return false;
    out->key_pem = bytes_first(block, (size_t)(leaf - block.at));
    out->leaf_pem = bytes_from(block, out->key_pem.len);
    return true;
}

static err remember(struct vault *v, uint64_t unit, size_t at)
{
    if (unit >= v->room) {
        uint64_t room = v->room ? v->room : 1024;
        while (room <= unit)
            room *= 2;
        struct place *grown = mem_grow(v->places, room, sizeof *grown);
        if (!grown)
            return &no_memory;
        memset(grown + v->room, 0, (room - v->room) * sizeof *grown);
        v->places = grown;
        v->room = room;
    }
    v->places[unit].at = (uint32_t)at + 1;
    return OK;
}

static err read_units(struct vault *v, const char *folder, unsigned file)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "%s/units.%u", folder, file);
    if (!file_exists(path))
        return OK;
    TRY(file_read(path, &v->files[file]));
    struct bytes all = buffer_view(&v->files[file]), rest = all;
    struct vault_identity identity;
    uint64_t unit;
    for (size_t at = 0; next_block(&rest, &unit, &identity); at = all.len - rest.len)
        TRY(remember(v, unit, at));
    v->whole[file] = all.len - rest.len;
    return OK;
}

static err read_one(const char *folder, const char *name, struct buffer *out)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_exists(path) ? file_read(path, out) : OK;
}

static err read_all(struct vault *v, const char *folder)
{
    TRY(read_one(folder, "root.pem", &v->root));
    TRY(read_one(folder, "authorities.pem", &v->authorities));
    for (unsigned i = 0; i < VAULT_FILES; i++)
        TRY(read_units(v, folder, i));
    return OK;
}

err vault_open(const char *folder, struct vault **out, char why[WHY_TEXT])
{
    struct vault *v = MEM_NEW(struct vault);
    why_say(why, "no memory");
    if (!v)
        return &no_memory;
    v->root.max = v->authorities.max = AUTHORITIES_MAX;
    for (unsigned i = 0; i < VAULT_FILES; i++)
        v->files[i].max = FILE_BYTES_MAX;
    err e = read_all(v, folder);
    if (e) {
        why_say(why, "%s: %s", folder, e->text);
        vault_close(v);
        return e;
    }
    *out = v;
    return OK;
}

void vault_close(struct vault *v)
{
    if (!v)
        return;
    for (unsigned i = 0; i < VAULT_FILES; i++)
        buffer_wipe(&v->files[i]);
    buffer_drop(&v->root);
    buffer_drop(&v->authorities);
    mem_drop(v->places);
    mem_drop(v);
}

struct bytes vault_root(const struct vault *v)
{
    return buffer_view(&v->root);
}

struct bytes vault_authorities(const struct vault *v)
{
    return buffer_view(&v->authorities);
}

uint64_t vault_count(const struct vault *v)
{
    uint64_t count = 0;
    while (count < v->room && v->places[count].at)
        count++;
    return count;
}

err vault_find(const struct vault *v, uint64_t unit, struct vault_identity *out)
{
    if (unit >= v->room || !v->places[unit].at)
        return &no_identity;
    struct bytes rest = bytes_from(buffer_view(&v->files[unit % VAULT_FILES]), v->places[unit].at - 1);
    uint64_t found;
    return next_block(&rest, &found, out) && found == unit ? OK : &bad_block;
}

err vault_keep_authorities(const char *folder, struct bytes root_pem, struct bytes authorities_pem)
{
    char path[PATH_ROOM];
    TRY(folder_make(folder, 0700));
    (void)snprintf(path, sizeof path, "%s/root.pem", folder);
    TRY(file_replace(path, root_pem, 0600));
    (void)snprintf(path, sizeof path, "%s/authorities.pem", folder);
    return file_replace(path, authorities_pem, 0600);
}

err vault_append_begin(const struct vault *v, const char *folder, unsigned file, int *fd_out)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "%s/units.%u", folder, file);
    SCOPED(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)v->whole[file]))
        return &not_written;
    *fd_out = fd_give(&fd);
    return OK;
}

err vault_append(int fd, uint64_t unit, const struct vault_identity *identity)
{
    SCOPED(buffer_wipe) struct buffer block = {.max = AUTHORITIES_MAX};
    put_format(&block, "%s%llu %s\n", block_start, (unsigned long long)unit, identity->id);
    put_bytes(&block, identity->key_pem);
    put_bytes(&block, identity->leaf_pem);
    TRY(buffer_finish(&block));
    return write(fd, block.at, block.len) == (ssize_t)block.len ? OK : &not_written;
}

err vault_append_end(int fd)
{
    return fsync(fd) ? &not_written : OK;
}
