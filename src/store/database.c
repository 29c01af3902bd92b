/* Connections, statements and faults. Everything here opens the same way, so that writer and readers cannot differ. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include "base/memory.h"
#include "base/text.h"
#include "os/file.h"
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct fault no_room = {ERR_FULL, "store: the disk has no room"};
static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault failed = {ERR_IO, "store: the database failed; the log says how"};
static const struct fault damaged = {ERR_IO, "store: the database is damaged"};
static const struct fault held = {ERR_IO, "store: another program holds the database"};
static const struct fault foreign = {ERR_IO, "store: a value in the database is not one that Holdfast wrote"};
static const struct fault long_path = {ERR_TOO_LARGE, "store: the folder's name is too long"};
static const struct fault unwritable = {ERR_IO, "store: the database file cannot be opened or made"};

enum { WAIT_MS = 2000, PATH_ROOM = 1024 };

/* Sorting and the like stay in memory: in the sandbox there is no folder for temporary files. The reference from a
 * sample to its device is kept by the code that writes; `foreign_key_check` proves it (sqlite_writer_check). */
static const char pragmas[] = "PRAGMA temp_store = MEMORY;"
                              "PRAGMA mmap_size = 0;"
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;"
                              "PRAGMA foreign_keys = OFF;";

static bool no_room_left(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

/* What the operating system said of the file that the last failure was about. A commit writes the log, whose errors do
 * not reach sqlite3_system_errno. */
static int os_error(sqlite3 *handle)
{
    int said = sqlite3_system_errno(handle);
    sqlite3_file *log = NULL;
    if (said || sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) || !log || !log->pMethods)
        return said;
    return log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &said) ? 0 : said;
}

static err fault_of(sqlite3 *handle, int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return &no_room;
    case SQLITE_NOMEM:
        return &no_memory;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return &held;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return &damaged;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM)
            return &no_memory;
        /* The shared-memory file of the log can only fail to grow for want of room. */
        return code == SQLITE_IOERR_SHMSIZE || no_room_left(os_error(handle)) ? &no_room : &failed;
    default:
        return &failed;
    }
}

err database_fault(struct database *db, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return OK;
    int exact = sqlite3_extended_errcode(db->handle);
    if ((exact & 0xff) != (code & 0xff))
        exact = code;
    err fault = fault_of(db->handle, exact);
    if (db->last_said != exact)
        log_line(&db->log, LOG_ERROR, "the store failed", "code=%d errno=%d sqlite=\"%s\"", exact, os_error(db->handle),
                 sqlite3_errmsg(db->handle));
    db->last_said = exact;
    return fault;
}

/* SQLite makes its file readable by others, and its log and index take the file's mode. */
static err make_private(const char *path)
{
    SCOPED(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        return OK;
    return no_room_left(errno) ? &no_room : &unwritable;
}

static err open_handle(const struct database_options *options, struct database *db)
{
    char path[PATH_ROOM];
    int len = snprintf(path, sizeof path, "%s/holdfast.db", options->folder);
    if (len < 0 || (size_t)len >= sizeof path)
        return &long_path;
    if (options->use == DATABASE_WRITES)
        TRY(make_private(path));
    int code =
        sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (!db->handle)
        return &no_memory;
    TRY(database_fault(db, code));
    (void)sqlite3_busy_timeout(db->handle, WAIT_MS); /* fails for a handle that is none only, as the next */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return database_run(db, pragmas);
}

void sqlite_prepare(void)
{
    uint8_t drawn;
    /* Otherwise each piece of memory that SQLite takes or gives back is counted under one lock of all its threads. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* refused once SQLite runs, and then without harm */
    (void)sqlite3_initialize();                       /* an opener says it when this failed */
    sqlite3_randomness(sizeof drawn, &drawn);
}

err database_open(const struct database_options *options, struct database *out)
{
    *out = (struct database){.texts = options->texts, .count = options->count, .log = options->log};
    out->statements = mem_take(options->count, sizeof(sqlite3_stmt *));
    err e = out->statements ? open_handle(options, out) : &no_memory;
    if (e)
        database_close(out);
    return e;
}

void database_close(struct database *db)
{
    for (size_t i = 0; db->statements && i < db->count; i++)
        (void)sqlite3_finalize(db->statements[i]); /* repeats the statement's last error, which was handled then */
    mem_drop(db->statements);
    (void)sqlite3_close(db->handle); /* nothing is open any more, so it cannot be busy */
    *db = (struct database){0};
}

err database_run(struct database *db, const char *sql)
{
    return database_fault(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static void finalize(sqlite3_stmt **s)
{
    (void)sqlite3_finalize(*s);
}

err database_number(struct database *db, const char *sql, int64_t *out)
{
    SCOPED(finalize) sqlite3_stmt *s = NULL;
    bool got;
    TRY(database_fault(db, sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL)));
    TRY(statement_row(db, s, &got));
    *out = got ? sqlite3_column_int64(s, 0) : 0;
    return OK;
}

err database_statement(struct database *db, size_t which, sqlite3_stmt **out)
{
    if (!db->statements[which])
        TRY(database_fault(db, sqlite3_prepare_v3(db->handle, db->texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                                  &db->statements[which], NULL)));
    *out = db->statements[which];
    return OK;
}

void statement_end(sqlite3_stmt **s)
{
    if (!*s)
        return;
    (void)sqlite3_reset(*s); /* repeats the error of the last step, which was handled there */
    (void)sqlite3_clear_bindings(*s);
}

/* A NULL pointer would bind SQL's NULL; an empty view is an empty text. */
void bind_text(sqlite3_stmt *s, int place, struct bytes text)
{
    (void)sqlite3_bind_text64(s, place, text.at ? (const char *)text.at : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

void bind_word(sqlite3_stmt *s, int place, const char *text)
{
    bind_text(s, place, bytes_of_text(text));
}

void bind_blob(sqlite3_stmt *s, int place, struct bytes blob)
{
    (void)sqlite3_bind_blob64(s, place, blob.at ? (const void *)blob.at : "", blob.len, SQLITE_STATIC);
}

void bind_number(sqlite3_stmt *s, int place, int64_t number)
{
    (void)sqlite3_bind_int64(s, place, number);
}

err statement_run(struct database *db, sqlite3_stmt *s)
{
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        ;
    TRY(database_fault(db, code)); /* before the reset, which may change what errmsg says */
    (void)sqlite3_reset(s);
    return OK;
}

err statement_row(struct database *db, sqlite3_stmt *s, bool *got)
{
    int code = sqlite3_step(s);
    *got = code == SQLITE_ROW;
    return database_fault(db, code);
}

int64_t database_changes(const struct database *db)
{
    return sqlite3_changes64(db->handle);
}

struct bytes column_view(sqlite3_stmt *s, int column)
{
    const void *at = sqlite3_column_blob(s, column); /* of a text: its bytes, without a conversion */
    return bytes_of(at, (size_t)sqlite3_column_bytes(s, column));
}

err column_text(sqlite3_stmt *s, int column, char *out, size_t room)
{
    return text_copy(column_view(s, column), out, room) ? &foreign : OK;
}

err column_exactly(sqlite3_stmt *s, int column, uint8_t *out, size_t len)
{
    struct bytes view = column_view(s, column);
    if (view.len != len)
        return &foreign;
    memcpy(out, view.at, len);
    return OK;
}
