/* os-release(5): values as a shell would read them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/os_release.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void reads_values(void **state)
{
    const struct {
        const char *rule;
        struct bytes text;
        const char *key, *want; /* want NULL: refused */
        enum fault_kind kind;
    } rows[] = {
        {"in quotes", BYTES("PRETTY_NAME=\"Debian 12\"\nNAME=\"Debian GNU/Linux\"\n"), "NAME", "Debian GNU/Linux", 0},
        {"plain", BYTES("ID=debian\n"), "ID", "debian", 0},
        {"in single quotes", BYTES("NAME='a \"b\" \\c'\n"), "NAME", "a \"b\" \\c", 0},
        {"with escapes", BYTES("NAME=\"a \\\"b\\\" \\$c\"\n"), "NAME", "a \"b\" $c", 0},
        {"no line end", BYTES("ID=alpine"), "ID", "alpine", 0},
        {"CR before the line end", BYTES("ID=alpine\r\n"), "ID", "alpine", 0},
        {"the last one counts", BYTES("ID=a\nID=b\n"), "ID", "b", 0},
        {"a comment does not count", BYTES("#ID=a\n"), "ID", NULL, ERR_ABSENT},
        {"an empty value", BYTES("ID=\n"), "ID", "", 0},
        {"an empty value in quotes", BYTES("ID=\"\"\n"), "ID", "", 0},
        {"a longer key", BYTES("VERSION_ID=12\n"), "VERSION", NULL, ERR_ABSENT},
        {"a key alone", BYTES("ID\n"), "ID", NULL, ERR_ABSENT},
        {"a quote that does not close", BYTES("ID=\"debian\n"), "ID", NULL, ERR_MALFORMED},
        {"text behind the quote", BYTES("ID=\"deb\"ian\n"), "ID", NULL, ERR_MALFORMED},
        {"an escape at the end", BYTES("ID=a\\\n"), "ID", NULL, ERR_MALFORMED},
        {"a control character", BYTES("ID=a\001b\n"), "ID", NULL, ERR_MALFORMED},
        {"a NUL", BYTES("ID=a\0b\n"), "ID", NULL, ERR_MALFORMED},
        {"too long", BYTES("ID=0123456789012345678901234567890123456789\n"), "ID", NULL, ERR_TOO_LARGE},
        {"the longest", BYTES("ID=0123456789012345678901234567890\n"), "ID", "0123456789012345678901234567890", 0},
        {"empty", BYTES(""), "ID", NULL, ERR_ABSENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[32] = "before";
        err e = os_release_value(rows[i].text, rows[i].key, out, sizeof out);
        bool good = rows[i].want ? !e && !strcmp(out, rows[i].want) : err_is(e, rows[i].kind) && !out[0];
        if (!good)
            fail_msg("%s: \"%s\", %s", rows[i].rule, out, err_text(e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
