/* What is said about devices and by them: events and reported documents. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

static const struct fault many_documents = {ERR_REFUSED, "store: the device has as many documents as are kept"};

err apply_event(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct event *event = &write->as.event;
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_EVENT, &s));
    bind_number(s, 1, event->time_us);
    bind_word(s, 2, event_kind_text(event->kind));
    bind_number(s, 3, event->severity);
    bind_word(s, 4, event->device);
    bind_text(s, 5, event->detail);
    TRY(statement_run(&w->db, s));
    result->id = sqlite3_last_insert_rowid(w->db.handle);
    return OK;
}

static err put(struct sqlite_writer *w, enum write_statement which, int64_t device, const struct write *write)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, which, &s));
    bind_number(s, 1, device);
    bind_word(s, 2, write->as.document.name);
    bind_number(s, 3, write->now_us);
    bind_text(s, 4, write->as.document.json);
    return statement_run(&w->db, s);
}

err apply_document(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    struct cache_entry *device;
    int64_t count;
    TRY(writer_device(w, write->as.document.device, &device));
    TRY(put(w, WRITE_SQL_REPLACE_DOCUMENT, device->row, write));
    if (database_changes(&w->db))
        return OK;
    TRY(writer_number_for(w, WRITE_SQL_COUNT_DOCUMENTS, device->row, &count));
    return count < DOCUMENTS_MAX ? put(w, WRITE_SQL_ADD_DOCUMENT, device->row, write) : &many_documents;
}
