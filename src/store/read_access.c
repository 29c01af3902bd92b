/* Enrolment tokens, operators and their sessions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_reader.h"

static const struct fault unknown_token = {ERR_ABSENT, "store: there is no such enrolment token"};
static const struct fault unknown_operator = {ERR_ABSENT, "store: there is no such operator"};
static const struct fault unknown_session = {ERR_ABSENT, "store: there is no such session"};

static err token_row(sqlite3_stmt *s, struct token *t)
{
    t->uses_left = (uint32_t)sqlite3_column_int64(s, 3);
    t->uses_total = (uint32_t)sqlite3_column_int64(s, 4);
    t->made_us = sqlite3_column_int64(s, 5);
    t->expires_us = sqlite3_column_int64(s, 6);
    TRY(column_text(s, 0, t->id, sizeof t->id));
    TRY(column_exactly(s, 1, t->hash, sizeof t->hash));
    TRY(column_text(s, 2, t->group, sizeof t->group));
    return column_text(s, 7, t->made_by, sizeof t->made_by);
}

err read_tokens(struct store_reader *port, struct token_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_TOKENS, &s));
    bind_number(s, 1, PAGE_MAX);
    for (;;) {
        struct token token;
        bool got;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        TRY(token_row(s, &token));
        if (!rows->row(rows, &token))
            return OK;
    }
}

err read_token(struct store_reader *port, const uint8_t hash[TOKEN_HASH], struct token *out)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_TOKEN, &s));
    bind_blob(s, 1, bytes_of(hash, TOKEN_HASH));
    TRY(statement_row(&r->db, s, &got));
    return got ? token_row(s, out) : &unknown_token;
}

err read_operator(struct store_reader *port, struct bytes name, struct operator_account *out)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_OPERATOR, &s));
    bind_text(s, 1, name);
    TRY(statement_row(&r->db, s, &got));
    if (!got)
        return &unknown_operator;
    out->made_us = sqlite3_column_int64(s, 2);
    TRY(column_text(s, 0, out->name, sizeof out->name));
    return column_text(s, 1, out->password_hash, sizeof out->password_hash);
}

err read_operator_count(struct store_reader *port, uint64_t *out)
{
    int64_t count;
    TRY(reader_number(sqlite_reader_of(port), READ_SQL_COUNT_OPERATORS, &count));
    *out = (uint64_t)count;
    return OK;
}

static err session_row(sqlite3_stmt *s, struct session_record *out)
{
    out->made_us = sqlite3_column_int64(s, 2);
    out->expires_us = sqlite3_column_int64(s, 3);
    TRY(column_exactly(s, 0, out->hash, sizeof out->hash));
    return column_text(s, 1, out->operator_name, sizeof out->operator_name);
}

err read_sessions(struct store_reader *port, int64_t now_us, struct session_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_SESSIONS, &s));
    bind_number(s, 1, now_us);
    for (;;) {
        struct session_record session;
        bool got;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        TRY(session_row(s, &session));
        if (!rows->row(rows, &session))
            return OK;
    }
}

err read_session(struct store_reader *port, const uint8_t hash[TOKEN_HASH], struct session_record *out)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_SESSION, &s));
    bind_blob(s, 1, bytes_of(hash, TOKEN_HASH));
    TRY(statement_row(&r->db, s, &got));
    if (!got)
        return &unknown_session;
    return session_row(s, out);
}
