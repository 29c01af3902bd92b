/* One page of sessions out of many that come in no order: keeps copies of the first `limit` behind `after`, and counts
 * all that the query wants. Bounded by the page, whatever is shown to it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/board.h"

struct session_page_row;

struct session_page {
    const struct session_query *query; /* borrowed */
    struct session_page_row **rows;    /* a heap: the last of the page on top */
    size_t count;
    uint64_t total; /* wanted by the query, on this page or not */
    err failed;     /* no memory: the page is not whole */
};

MUST err session_page_open(struct session_page *page, const struct session_query *query); /* close it in any case */
void session_page_close(struct session_page *page);
void session_page_clear(struct session_page *page); /* forgets what was shown */
void session_page_add(struct session_page *page, const struct session_view *session);
/* Adds what `from`, a page of the same query over other sessions, holds; empties it. */
void session_page_merge(struct session_page *page, struct session_page *from);
void session_page_tell(struct session_page *page,
                       struct session_rows_view *rows); /* in order; nothing may be added behind it */
