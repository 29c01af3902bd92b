/* What the tests of the store share: a folder that goes away, writes in one line, rows that are collected. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/store.h"
#include "store/memory.h"
#include "store/sqlite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        err assert_err_ = (call);                                                                                      \
        if (assert_err_)                                                                                               \
            fail_msg("%s: %s", #call, assert_err_->text);                                                              \
    } while (0)
#define assert_kind(call, want)                                                                                        \
    do {                                                                                                               \
        err assert_err_ = (call);                                                                                      \
        if (!err_is(assert_err_, want))                                                                                \
            fail_msg("%s: wanted %s, got: %s", #call, #want, err_text(assert_err_));                                   \
    } while (0)

struct folder {
    char path[64];
};

static inline void folder_open(struct folder *f)
{
    (void)snprintf(f->path, sizeof f->path, "/tmp/holdfast-store-XXXXXX");
    assert_non_null(mkdtemp(f->path));
}

static inline void folder_drop(const struct folder *f)
{
    DIR *dir = opendir(f->path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    assert_int_equal(rmdir(f->path), 0);
}

/* --- writes --- */

static inline void fill_hash(uint8_t out[TOKEN_HASH], uint8_t with)
{
    memset(out, with, TOKEN_HASH);
}

static inline struct write token_write(uint8_t hash, uint32_t uses, int64_t expires_us)
{
    struct write w = {.kind = WRITE_TOKEN, .now_us = 1000};
    (void)snprintf(w.as.token.id, sizeof w.as.token.id, "%016x", hash);
    (void)snprintf(w.as.token.group, sizeof w.as.token.group, "pumps");
    (void)snprintf(w.as.token.made_by, sizeof w.as.token.made_by, "ada");
    fill_hash(w.as.token.hash, hash);
    w.as.token.uses_left = w.as.token.uses_total = uses;
    w.as.token.made_us = 1000 + hash;
    w.as.token.expires_us = expires_us;
    return w;
}

static inline struct write enrolment_write(uint8_t hash, const char *id, int64_t now_us)
{
    struct write w = {.kind = WRITE_ENROLMENT, .now_us = now_us};
    struct device *d = &w.as.enrolment.device;
    fill_hash(w.as.enrolment.token_hash, hash);
    (void)snprintf(d->id, sizeof d->id, "%s", id);
    (void)snprintf(d->certificate_serial, sizeof d->certificate_serial, "0a1b");
    (void)snprintf(d->key_fingerprint, sizeof d->key_fingerprint, "%064d", 7);
    d->enrolled_us = now_us;
    d->certificate_expires_us = now_us + 5;
    return w;
}

static inline struct sample integer(const char *metric, int64_t time_us, int64_t value)
{
    return (struct sample){.metric = bytes_of_text(metric), .time_us = time_us, .kind = SAMPLE_INTEGER,
                           .value.integer = value};
}

static inline struct sample number(const char *metric, int64_t time_us, double value)
{
    return (struct sample){.metric = bytes_of_text(metric), .time_us = time_us, .kind = SAMPLE_NUMBER,
                           .value.number = value};
}

static inline struct sample truth(const char *metric, int64_t time_us, int value)
{
    return (struct sample){.metric = bytes_of_text(metric), .time_us = time_us, .kind = SAMPLE_TRUTH,
                           .value.truth = value != 0};
}

static inline struct sample text(const char *metric, int64_t time_us, struct bytes value)
{
    return (struct sample){.metric = bytes_of_text(metric), .time_us = time_us, .kind = SAMPLE_TEXT, .value.text = value};
}

static inline err apply_one(struct store_writer *w, const struct write *write, struct write_result *result)
{
    struct write_result ignored;
    TRY(w->begin(w));
    err e = w->apply(w, write, result ? result : &ignored);
    if (e && e->kind != ERR_REFUSED && e->kind != ERR_ABSENT && e->kind != ERR_EXISTS && e->kind != ERR_EXPIRED) {
        w->rollback(w);
        return e;
    }
    err committed = w->commit(w);
    if (committed)
        w->rollback(w);
    return committed ? committed : e;
}

static inline err apply_taken(struct store_writer *w, struct write *write)
{
    assert_non_null(write);
    err e = apply_one(w, write, NULL);
    write_drop(write);
    return e;
}

static inline err send_samples(struct store_writer *w, const char *device, const struct sample *at, size_t count,
                               int64_t now_us)
{
    return apply_taken(w, write_samples(device, (struct samples){at, count}, now_us));
}

static inline void enrol(struct store_writer *w, const char *id)
{
    struct write token = token_write(0xEE, 1, 1000000000);
    struct write enrolment = enrolment_write(0xEE, id, 2000);
    struct write end = {.kind = WRITE_TOKEN_DELETE};
    memcpy(end.as.token_id, token.as.token.id, sizeof end.as.token_id);
    assert_ok(apply_one(w, &token, NULL));
    assert_ok(apply_one(w, &enrolment, NULL));
    assert_ok(apply_one(w, &end, NULL));
}

/* --- rows --- */

enum { SEEN_MAX = 4096 };

/* Samples as lines "metric time value unit;". */
struct sample_seen {
    struct sample_rows rows;
    size_t count, stop_after;
    struct sample last;
    char lines[SEEN_MAX];
};

static inline size_t format_sample(char *out, size_t room, const struct sample *s)
{
    char value[1100] = "";
    switch (s->kind) {
    case SAMPLE_NUMBER:
        (void)snprintf(value, sizeof value, "%.17g", s->value.number);
        break;
    case SAMPLE_INTEGER:
        (void)snprintf(value, sizeof value, "%lldi", (long long)s->value.integer);
        break;
    case SAMPLE_TRUTH:
        (void)snprintf(value, sizeof value, "%s", s->value.truth ? "true" : "false");
        break;
    case SAMPLE_TEXT:
        (void)snprintf(value, sizeof value, "'%.*s'", (int)s->value.text.len, (const char *)s->value.text.at);
        break;
    }
    int len = snprintf(out, room, "%.*s %lld %s %.*s;", (int)s->metric.len, (const char *)s->metric.at,
                       (long long)s->time_us, value, (int)s->unit.len, s->unit.at ? (const char *)s->unit.at : "");
    return len > 0 && (size_t)len < room ? (size_t)len : 0;
}

static inline bool see_sample(struct sample_rows *rows, const struct sample *s)
{
    struct sample_seen *seen = (struct sample_seen *)rows;
    size_t used = strlen(seen->lines);
    (void)format_sample(seen->lines + used, sizeof seen->lines - used, s);
    seen->last = *s;
    return ++seen->count != seen->stop_after;
}

#define SAMPLE_SEEN {.rows = {see_sample}}

/* Other listings as words, each with a blank behind it. */
struct words {
    union {
        struct device_rows devices;
        struct event_rows events;
        struct token_rows tokens;
        struct document_rows documents;
    } rows;
    size_t count, stop_after;
    char text[SEEN_MAX];
};

static inline bool add_word(struct words *w, struct bytes word)
{
    size_t used = strlen(w->text);
    (void)snprintf(w->text + used, sizeof w->text - used, "%.*s ", (int)word.len, (const char *)word.at);
    return ++w->count != w->stop_after;
}

static inline bool see_device(struct device_rows *rows, const struct device *d)
{
    return add_word((struct words *)rows, bytes_of_text(d->id));
}

static inline bool see_event(struct event_rows *rows, const struct event *e)
{
    return add_word((struct words *)rows, e->detail);
}

static inline bool see_token(struct token_rows *rows, const struct token *t)
{
    return add_word((struct words *)rows, bytes_of_text(t->id));
}

static inline bool see_document(struct document_rows *rows, struct bytes name, struct bytes json, int64_t time_us)
{
    char word[256];
    (void)snprintf(word, sizeof word, "%.*s=%.*s@%lld", (int)name.len, (const char *)name.at, (int)json.len,
                   (const char *)json.at, (long long)time_us);
    return add_word((struct words *)rows, bytes_of_text(word));
}
