/* Pages of sessions: a heap of the smallest names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/session_page.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "board: no memory for a page of sessions"};

struct session_page_row {
    struct session_view view; /* its texts lie behind it */
    uint8_t texts[];
};

static struct session_name name_of(const struct session_view *session)
{
    return (struct session_name){session->who, session->client_id};
}

static int order(const struct session_view *a, const struct session_view *b)
{
    struct session_name left = name_of(a), right = name_of(b);
    return session_name_order(&left, &right);
}

static struct session_page_row *copy(const struct session_view *session)
{
    size_t peer = strlen(session->peer) + 1;
    struct session_page_row *row = mem_take(1, sizeof *row + peer + session->client_id.len);
    if (!row)
        return NULL;
    row->view = *session;
    row->view.peer = memcpy(row->texts, session->peer, peer);
    if (session->client_id.len)
        memcpy(row->texts + peer, session->client_id.at, session->client_id.len);
    row->view.client_id.at = row->texts + peer;
    return row;
}

err session_page_open(struct session_page *page, const struct session_query *query)
{
    *page = (struct session_page){.query = query, .rows = mem_take(query->limit, sizeof(struct session_page_row *))};
    return page->rows ? OK : &no_memory;
}

void session_page_clear(struct session_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        mem_drop(page->rows[i]);
    page->count = 0;
    page->total = 0;
}

void session_page_close(struct session_page *page)
{
    session_page_clear(page);
    mem_drop(page->rows);
    page->rows = NULL;
}

static void rise(struct session_page *page, size_t at)
{
    struct session_page_row *row = page->rows[at];
    while (at && order(&page->rows[(at - 1) / 2]->view, &row->view) < 0) {
        page->rows[at] = page->rows[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    page->rows[at] = row;
}

static void sink(struct session_page *page)
{
    struct session_page_row *row = page->rows[0];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < page->count; at = child) {
        if (child + 1 < page->count && order(&page->rows[child + 1]->view, &page->rows[child]->view) > 0)
            child++;
        if (order(&page->rows[child]->view, &row->view) <= 0)
            break;
        page->rows[at] = page->rows[child];
    }
    page->rows[at] = row;
}

static bool has_place(const struct session_page *page, const struct session_view *session)
{
    return page->count < page->query->limit || order(session, &page->rows[0]->view) < 0;
}

/* Takes the row, for which there is a place. */
static void place(struct session_page *page, struct session_page_row *row)
{
    if (page->count < page->query->limit) {
        page->rows[page->count++] = row;
        rise(page, page->count - 1);
        return;
    }
    mem_drop(page->rows[0]);
    page->rows[0] = row;
    sink(page);
}

void session_page_add(struct session_page *page, const struct session_view *session)
{
    struct session_name name = name_of(session);
    if (!session_is_wanted(page->query, session))
        return;
    page->total++;
    if ((page->query->after && session_name_order(&name, page->query->after) <= 0) || !has_place(page, session))
        return;
    struct session_page_row *row = copy(session);
    if (row)
        place(page, row);
    else
        page->failed = &no_memory;
}

void session_page_merge(struct session_page *page, struct session_page *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (has_place(page, &from->rows[i]->view))
            place(page, from->rows[i]);
        else
            mem_drop(from->rows[i]);
    page->total += from->total;
    if (from->failed)
        page->failed = from->failed;
    from->count = 0;
    from->total = 0;
}

static int compare(const void *a, const void *b)
{
    const struct session_page_row *const *left = a, *const *right = b;
    return order(&(*left)->view, &(*right)->view);
}

void session_page_tell(struct session_page *page, struct session_rows_view *rows)
{
    qsort(page->rows, page->count, sizeof(struct session_page_row *), compare);
    for (size_t i = 0; i < page->count && rows->row(rows, &page->rows[i]->view); i++)
        ;
}
