/* The database of Debian packages: what counts as installed, in whatever pieces the file comes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/dpkg.h"

#include "base/buffer.h"
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct notes {
    struct dpkg_reader reader;
    struct buffer text;
};

static void note(struct dpkg_reader *self, const struct dpkg_package *package)
{
    struct notes *n = CONTAINER(self, struct notes, reader);
    put_format(&n->text, "%s=%s;", package->name, package->version);
}

#define HUNDRED "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static void reads_packages(void **state)
{
    const struct {
        const char *rule;
        struct bytes text;
        const char *want;
        unsigned unreadable;
    } rows[] = {
        {"two stanzas",
         BYTES("Package: adduser\nStatus: install ok installed\nPriority: important\nVersion: 3.134\nConffiles:\n /etc/deluser.conf "
               "411\nDescription: add users\n Version: not this\n .\n - more\n\nPackage: zlib1g\nStatus: hold ok installed\nVersion: "
               "1:1.2.13.dfsg-1\n"),
         "adduser=3.134;zlib1g=1:1.2.13.dfsg-1;", 0},
        {"no line end at the end", BYTES("Package: a\nStatus: install ok installed\nVersion: 1"), "a=1;", 0},
        {"only its configuration is left", BYTES("Package: a\nStatus: deinstall ok config-files\nVersion: 1\n"), "", 0},
        {"unpacked", BYTES("Package: a\nStatus: install ok unpacked\nVersion: 1\n"), "", 0},
        {"broken half-way", BYTES("Package: a\nStatus: install reinstreq half-installed\nVersion: 1\n"), "", 0},
        {"no status", BYTES("Package: a\nVersion: 1\n"), "", 0},
        {"no version", BYTES("Package: a\nStatus: install ok installed\n\n"), "", 1},
        {"no name", BYTES("Status: install ok installed\nVersion: 1\n"), "", 1},
        {"several empty lines", BYTES("\n\n\nPackage: a\nStatus: install ok installed\nVersion: 1\n\n\n\n"), "a=1;", 0},
        {"the former stanza's version is not kept",
         BYTES("Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: install ok installed\n"), "a=1;", 1},
        {"a name over its bound",
         BYTES("Package: " HUNDRED HUNDRED "\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nVersion: 2\n"),
         "b=2;", 1},
        {"a line over its bound, with a field inside",
         BYTES("Package: a\nDepends: " HUNDRED HUNDRED HUNDRED "Version: 7\nStatus: install ok installed\nVersion: 1\n"), "a=1;", 0},
        {"a NUL in the name", BYTES("Package: a\0b\nStatus: install ok installed\nVersion: 1\n"), "", 1},
        {"no text at all", BYTES("\x7f\x45LF\0\0\0\n::\n:"), "", 0},
        {"empty", BYTES(""), "", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t piece = 1; piece < 400; piece = piece * 2 + 1) {
            struct notes n = {.reader = {.found = note}, .text = {.max = 4096}};
            for (struct bytes left = rows[i].text; left.len; left = bytes_from(left, piece))
                dpkg_feed(&n.reader, bytes_first(left, piece));
            dpkg_finish(&n.reader);
            if (strcmp(buffer_text(&n.text), rows[i].want) || n.reader.unreadable != rows[i].unreadable)
                fail_msg("%s, in pieces of %zu: \"%s\", %u unreadable", rows[i].rule, piece, buffer_text(&n.text),
                         (unsigned)n.reader.unreadable);
            buffer_drop(&n.text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_packages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
