/* The registry's writes: a device enrols, renews, comes and goes, and is deleted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

#include <string.h>

static const struct fault other_enrolment = {ERR_ABSENT, "store: the device was deleted, and enrolled anew"};
static const struct fault exists = {ERR_EXISTS, "store: a device with this id is enrolled already"};
static const struct fault unknown_token = {ERR_ABSENT, "store: there is no such enrolment token"};
static const struct fault token_expired = {ERR_EXPIRED, "store: the enrolment token has expired"};
static const struct fault token_used_up = {ERR_REFUSED, "store: the enrolment token has been used as often as it may"};

static err token_permits(struct sqlite_writer *w, const struct write *write, char group[GROUP_MAX + 1])
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_FIND_TOKEN, &s));
    bind_blob(s, 1, bytes_of(write->as.enrolment.token_hash, TOKEN_HASH));
    TRY(statement_row(&w->db, s, &got));
    if (!got)
        return &unknown_token;
    if (sqlite3_column_int64(s, 2) <= write->now_us)
        return &token_expired;
    if (sqlite3_column_int64(s, 1) < 1)
        return &token_used_up;
    return column_text(s, 0, group, GROUP_MAX + 1);
}

static err id_is_free(struct sqlite_writer *w, const char *id)
{
    struct cache_entry *found;
    err e = writer_device(w, id, &found);
    if (!e)
        return &exists;
    return e->kind == ERR_ABSENT ? OK : e;
}

static err spend(struct sqlite_writer *w, const uint8_t hash[TOKEN_HASH])
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_SPEND_TOKEN, &s));
    bind_blob(s, 1, bytes_of(hash, TOKEN_HASH));
    return statement_run(&w->db, s);
}

static err add_device(struct sqlite_writer *w, const struct device *d, const char *group)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_DEVICE, &s));
    bind_word(s, 1, d->id);
    bind_word(s, 2, group);
    bind_number(s, 3, d->enrolled_us);
    bind_number(s, 4, d->certificate_expires_us);
    bind_word(s, 5, d->certificate_serial);
    bind_word(s, 6, d->key_fingerprint);
    return statement_run(&w->db, s);
}

/* Every reason to refuse is looked at before the first change; the one writer thread lets nothing come between. */
err apply_enrolment(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    char group[GROUP_MAX + 1];
    TRY(token_permits(w, write, group));
    TRY(id_is_free(w, write->as.enrolment.device.id));
    memcpy(result->group, group, sizeof group);
    TRY(spend(w, write->as.enrolment.token_hash));
    return add_device(w, &write->as.enrolment.device, group);
}

err apply_renewal(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct device *d = &write->as.renewal;
    struct cache_entry *device;
    TRY(writer_device(w, d->id, &device));
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_RENEW, &s));
    bind_number(s, 1, d->certificate_expires_us);
    bind_word(s, 2, d->certificate_serial);
    bind_word(s, 3, d->key_fingerprint);
    bind_number(s, 4, device->row);
    bind_number(s, 5, d->enrolled_us);
    TRY(statement_run(&w->db, s));
    return database_changes(&w->db) ? OK : &other_enrolment;
}

err apply_presence(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    struct cache_entry *device;
    TRY(writer_device(w, write->as.presence.device, &device));
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_PRESENCE, &s));
    bind_number(s, 1, write->as.presence.connected_us);
    bind_number(s, 2, write->now_us);
    bind_number(s, 3, device->row);
    device->stamp = write->now_us;
    return statement_run(&w->db, s);
}

static err drop_clients_of(struct sqlite_writer *w, const char *id)
{
    for (;;) {
        SCOPED(statement_end) sqlite3_stmt *s = NULL;
        bool got;
        TRY(writer_statement(w, WRITE_SQL_FIND_CLIENT_OWNED, &s));
        bind_number(s, 1, PRINCIPAL_DEVICE);
        bind_word(s, 2, id);
        TRY(statement_row(&w->db, s, &got));
        if (!got)
            return OK;
        TRY(writer_drop_client(w, (uint64_t)sqlite3_column_int64(s, 0)));
    }
}

err apply_device_delete(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    struct cache_entry *device;
    TRY(writer_device(w, write->as.device, &device));
    int64_t row = device->row;
    TRY(writer_run_for(w, WRITE_SQL_DROP_ARRIVALS, row));
    w->arrivals -= database_changes(&w->db);
    TRY(writer_run_for(w, WRITE_SQL_DROP_SAMPLES, row));
    w->tally -= database_changes(&w->db);
    TRY(writer_run_for(w, WRITE_SQL_DROP_SERIES, row));
    TRY(writer_run_for(w, WRITE_SQL_DROP_DOCUMENTS, row));
    TRY(drop_clients_of(w, write->as.device));
    TRY(writer_run_for(w, WRITE_SQL_DROP_DEVICE, row));
    writer_forget(w);
    return OK;
}
