/* How sessions are ordered and searched: rows of rule, input, expected. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct session_name name(enum principal_kind kind, const char *id, const char *client)
{
    struct session_name n = {.who = {.kind = kind}, .client_id = bytes_of_text(client)};
    for (size_t i = 0; id[i]; i++)
        n.who.id[i] = id[i];
    return n;
}

static void names_have_one_order(void **state)
{
    const struct session_name in_order[] = {
        name(PRINCIPAL_NOBODY, "", "probe"),    name(PRINCIPAL_DEVICE, "a", ""),
        name(PRINCIPAL_DEVICE, "a", "one"),     name(PRINCIPAL_DEVICE, "a", "two"),
        name(PRINCIPAL_DEVICE, "a", "two-too"), name(PRINCIPAL_OPERATOR, "a", "one"),
        name(PRINCIPAL_DEVICE, "b", "a"),
    };
    for (size_t i = 0; i < sizeof in_order / sizeof *in_order; i++)
        for (size_t j = 0; j < sizeof in_order / sizeof *in_order; j++) {
            int order = session_name_order(&in_order[i], &in_order[j]);
            assert_true(i < j ? order < 0 : i > j ? order > 0 : !order);
        }
}

static void a_query_picks_by_text_and_connection(void **state)
{
    static const struct {
        const char *rule, *search;
        enum connected_wish wish;
        bool connected, wanted;
    } rows[] = {
        {"an empty search is any", "", SESSIONS_ALL, true, true},
        {"part of the principal's id", "ump-0", SESSIONS_ALL, true, true},
        {"part of the client id, whatever its case", "DASH", SESSIONS_ALL, false, true},
        {"the whole of it", "dashboard", SESSIONS_ALL, false, true},
        {"longer than both", "dashboard-and-more", SESSIONS_ALL, false, false},
        {"in neither", "valve", SESSIONS_ALL, true, false},
        {"connected", "", SESSIONS_CONNECTED, true, true},
        {"connected, and it is away", "", SESSIONS_CONNECTED, false, false},
        {"away", "", SESSIONS_AWAY, false, true},
        {"away, and it is connected", "pump", SESSIONS_AWAY, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct session_query query = {.search = bytes_of_text(rows[i].search), .connected = rows[i].wish, .limit = 1};
        struct session_view session = {.who = name(PRINCIPAL_DEVICE, "pump-01", "").who,
                                       .client_id = BYTES("dashboard"),
                                       .connected = rows[i].connected};
        if (session_is_wanted(&query, &session) != rows[i].wanted)
            fail_msg("%s", rows[i].rule);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_order),
        cmocka_unit_test(a_query_picks_by_text_and_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
