/* A folder of files that stands for a machine, or for an agent's data, in tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct tree {
    char root[64];
};

static inline void tree_open(struct tree *t)
{
    snprintf(t->root, sizeof t->root, "/tmp/holdfast-device-XXXXXX");
    assert_non_null(mkdtemp(t->root));
}

static inline void tree_path(const struct tree *t, const char *path, char full[256])
{
    assert_in_range(snprintf(full, 256, "%s/%s", t->root, path), 1, 255);
}

/* Makes the file and the folders that it stands in. */
static inline void tree_write_bytes(const struct tree *t, const char *path, const void *content, size_t len)
{
    char full[256];
    tree_path(t, path, full);
    for (char *slash = strchr(full + strlen(t->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void tree_write(const struct tree *t, const char *path, const char *text)
{
    tree_write_bytes(t, path, text, strlen(text));
}

static inline void tree_remove(const struct tree *t, const char *path)
{
    char full[256];
    tree_path(t, path, full);
    assert_int_equal(remove(full), 0);
}

static inline int tree_remove_entry(const char *path, const struct stat *at, int kind, struct FTW *walk)
{
    (void)at, (void)kind, (void)walk;
    return remove(path);
}

static inline void tree_close(struct tree *t)
{
    nftw(t->root, tree_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
