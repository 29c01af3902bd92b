/* Who may come in: enrolment tokens, the first account and its one-time secret, sessions, and when they end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

static const struct fault token_exists = {ERR_EXISTS, "store: a token with this id or secret is there already"};
static const struct fault no_token = {ERR_ABSENT, "store: there is no such enrolment token"};
static const struct fault wrong_secret = {ERR_REFUSED, "store: this is not the live set-up secret"};
static const struct fault secret_expired = {ERR_EXPIRED, "store: the set-up secret has expired"};
static const struct fault operator_exists = {ERR_EXISTS, "store: an operator of this name is there already"};
static const struct fault no_operator = {ERR_ABSENT, "store: there is no such operator"};
static const struct fault session_exists = {ERR_EXISTS, "store: the session is there already"};
static const struct fault no_session = {ERR_ABSENT, "store: there is no such session"};

err apply_token(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct token *t = &write->as.token;
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_TOKEN, &s));
    bind_word(s, 1, t->id);
    bind_blob(s, 2, bytes_of(t->hash, TOKEN_HASH));
    bind_word(s, 3, t->group);
    bind_number(s, 4, t->uses_left);
    bind_number(s, 5, t->uses_total);
    bind_number(s, 6, t->made_us);
    bind_number(s, 7, t->expires_us);
    bind_word(s, 8, t->made_by);
    TRY(statement_run(&w->db, s));
    return database_changes(&w->db) ? OK : &token_exists;
}

err apply_token_delete(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_DROP_TOKEN, &s));
    bind_word(s, 1, write->as.token_id);
    TRY(statement_run(&w->db, s));
    return database_changes(&w->db) ? OK : &no_token;
}

err apply_setup(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_SET_SETUP, &s));
    bind_blob(s, 1, bytes_of(write->as.setup.hash, TOKEN_HASH));
    bind_number(s, 2, write->as.setup.expires_us);
    return statement_run(&w->db, s);
}

/* The secret is compared first, so that only who knows it learns that it has expired. */
static err setup_permits(struct sqlite_writer *w, const struct write *write)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_FIND_SETUP, &s));
    TRY(statement_row(&w->db, s, &got));
    if (!got || !bytes_equal_secret(column_view(s, 0), bytes_of(write->as.operator.setup_hash, TOKEN_HASH)))
        return &wrong_secret;
    return sqlite3_column_int64(s, 1) <= write->now_us ? &secret_expired : OK;
}

err apply_operator(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct operator_account *account = &write->as.operator.account;
    TRY(setup_permits(w, write));
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_OPERATOR, &s));
    bind_word(s, 1, account->name);
    bind_word(s, 2, account->password_hash);
    bind_number(s, 3, account->made_us);
    TRY(statement_run(&w->db, s));
    return database_changes(&w->db) ? writer_run(w, WRITE_SQL_DROP_SETUP) : &operator_exists;
}

static err operator_is_known(struct sqlite_writer *w, const char *name)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_FIND_OPERATOR, &s));
    bind_word(s, 1, name);
    TRY(statement_row(&w->db, s, &got));
    return got ? OK : &no_operator;
}

err apply_session(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct session_record *session = &write->as.session;
    TRY(operator_is_known(w, session->operator_name));
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_SESSION, &s));
    bind_blob(s, 1, bytes_of(session->hash, TOKEN_HASH));
    bind_word(s, 2, session->operator_name);
    bind_number(s, 3, session->made_us);
    bind_number(s, 4, session->expires_us);
    TRY(statement_run(&w->db, s));
    return database_changes(&w->db) ? OK : &session_exists;
}

err apply_session_delete(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_DROP_SESSION, &s));
    bind_blob(s, 1, bytes_of(write->as.session_hash, TOKEN_HASH));
    TRY(statement_run(&w->db, s));
    return database_changes(&w->db) ? OK : &no_session;
}

err apply_expire(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    TRY(writer_run_for(w, WRITE_SQL_EXPIRE_SESSIONS, write->now_us));
    TRY(writer_run_for(w, WRITE_SQL_EXPIRE_TOKENS, write->now_us));
    TRY(writer_run_for(w, WRITE_SQL_EXPIRE_SETUP, write->now_us));
    return expire_retained(w, write->now_us);
}
