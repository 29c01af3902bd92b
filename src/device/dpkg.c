/* Reading /var/lib/dpkg/status: stanzas of "Field: value" lines, an empty line between them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/dpkg.h"

#include "base/text.h"

#include <string.h>

static void end_stanza(struct dpkg_reader *r)
{
    if (r->installed && r->package.name[0] && r->package.version[0])
        r->found(r, &r->package);
    else if (r->installed)
        r->unreadable++;
    r->installed = false;
    r->package.name[0] = r->package.version[0] = 0;
}

/* A value over the bound leaves the field empty, and its package is counted as unreadable. */
static void keep(struct bytes value, char field[DPKG_FIELD_MAX + 1])
{
    if (text_copy(bytes_trim(value), field, DPKG_FIELD_MAX + 1))
        field[0] = 0;
}

/* "Status: install ok installed" is want, error flag, state (dpkg-query(1)); a package that is only unpacked or whose
 * configuration is all that is left does not count. */
static bool says_installed(struct bytes value)
{
    struct bytes words = bytes_trim(value), word = {NULL, 0};
    while (words.len)
        word = bytes_cut(&words, ' ');
    return bytes_is(word, "installed");
}

static void end_line(struct dpkg_reader *r)
{
    struct bytes line = bytes_of(r->line, r->line_len);
    r->line_len = 0;
    if (!bytes_trim(line).len) {
        end_stanza(r);
        return;
    }
    struct bytes value = line, name = bytes_cut(&value, ':');
    if (bytes_is(name, "Package"))
        keep(value, r->package.name);
    else if (bytes_is(name, "Version"))
        keep(value, r->package.version);
    else if (bytes_is(name, "Status"))
        r->installed = says_installed(value);
}

void dpkg_feed(struct dpkg_reader *r, struct bytes piece)
{
    while (piece.len) {
        size_t end;
        bool whole = bytes_find(piece, '\n', &end);
        struct bytes part = bytes_first(piece, whole ? end : piece.len);
        part = bytes_first(part, sizeof r->line - r->line_len);
        if (part.len)
            memcpy(r->line + r->line_len, part.at, part.len);
        r->line_len += part.len;
        if (whole)
            end_line(r);
        piece = bytes_from(piece, whole ? end + 1 : piece.len);
    }
}

void dpkg_finish(struct dpkg_reader *r)
{
    end_line(r);
    end_stanza(r);
}
