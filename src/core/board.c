/* Sessions as operators name, order and search them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/board.h"

int session_name_order(const struct session_name *a, const struct session_name *b)
{
    int order = bytes_compare(bytes_of_text(a->who.id), bytes_of_text(b->who.id));
    if (!order)
        order = (int)a->who.kind - (int)b->who.kind;
    return order ? order : bytes_compare(a->client_id, b->client_id);
}

static bool contains(struct bytes text, struct bytes part)
{
    for (; text.len >= part.len; text = bytes_from(text, 1))
        if (bytes_equal_nocase(bytes_first(text, part.len), part))
            return true;
    return false;
}

bool session_is_wanted(const struct session_query *query, const struct session_view *session)
{
    if (query->connected != SESSIONS_ALL && (query->connected == SESSIONS_CONNECTED) != session->connected)
        return false;
    return !query->search.len || contains(bytes_of_text(session->who.id), query->search) ||
           contains(session->client_id, query->search);
}
