/* Operator accounts: the one-time set-up, sign-in, sessions. There is no default password and no second way in. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "core/recorder.h"
#include "core/store.h"
#include "trust/signin_limit.h"

enum {
    ACCOUNT_PASSWORD_MIN = 12, /* characters (not bytes) */
    ACCOUNT_SETUP_HOURS = 24,
    ACCOUNT_SESSION_HOURS = 12,
};

/* Everything borrowed. Used by one thread at a time, which may block. */
struct accounts {
    struct store_reader *reader;
    struct recorder *recorder;
    const struct clock *clock;
    const struct dice *dice;
    struct signin_limit *limit;
};

/* Records a new one-time secret, replacing the former one, and gives its text: for the link that the first start
 * prints. ERR_EXISTS: there is an operator already, and nothing was made. */
MUST err account_invite(const struct accounts *accounts, struct secret *text);

struct credentials {
    struct bytes setup;    /* account_setup only: the one-time secret */
    struct bytes name;     /* as id_is_valid() */
    struct bytes password; /* UTF-8, ACCOUNT_PASSWORD_MIN characters to PASSWORD_MAX bytes */
    const char *peer;      /* "192.0.2.7:41234" */
};

struct signed_in {
    struct secret text;            /* the session's secret, for the cookie or the bearer header; wipe it */
    struct session_record session; /* what was recorded */
    uint32_t retry_after_s;        /* with ERR_AGAIN */
};

/* Makes the first operator and signs in. ERR_MALFORMED: name or password break the rules (the text says which; the
 * secret is not spent). ERR_REFUSED: the one-time secret is unknown, spent or expired. ERR_AGAIN: too many failures
 * from this address; see retry_after_s. Others: the store failed. */
MUST err account_setup(const struct accounts *accounts, const struct credentials *with, struct signed_in *out);

/* ERR_REFUSED: the name or the password is wrong, and nothing says which, the time taken included. ERR_AGAIN: too many
 * failures from this network; see retry_after_s. Others: the store failed. Records a session and the event. */
MUST err account_sign_in(const struct accounts *accounts, const struct credentials *with, struct signed_in *out);

/* Ends the session, and records it. ERR_ABSENT: there is no such session. */
MUST err account_sign_out(const struct accounts *accounts, const struct session_record *session, const char *peer);

/* What a cookie or bearer header says -> what the store keeps. ERR_MALFORMED: none of ours. */
MUST err account_session_hash(struct bytes text, uint8_t hash[TOKEN_HASH]);
