/* Operator accounts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/account.h"

#include "base/text.h"
#include "core/peer.h"
#include "core/principal.h"
#include "crypto/password.h"
#include "trust/bearer.h"
#include "trust/notice.h"

#include <arpa/inet.h>
#include <string.h>

static const struct fault bad_name = {ERR_MALFORMED,
                                      "name: 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit"};
static const struct fault bad_password = {ERR_MALFORMED,
                                          "password: at least 12 characters, at most 256 bytes of UTF-8"};
static const struct fault bad_setup = {ERR_REFUSED, "the set-up link is unknown, used or too old"};
static const struct fault wrong = {ERR_REFUSED, "the name or the password is wrong"};
static const struct fault no_operator = {ERR_ABSENT, "account: no name of an operator"};
static const struct fault too_many = {ERR_AGAIN, "too many failed attempts: wait before the next one"};
static const struct fault set_up = {ERR_EXISTS, "there is an operator already"};
static const struct fault damaged = {ERR_IO, "account: the kept password hash is damaged"};
static const struct fault no_memory = {ERR_MEMORY, "account: no memory"};

_Static_assert((int)PASSWORD_HASH_TEXT <= (int)PASSWORD_HASH_MAX, "what crypto makes fits what the store keeps");

enum { KEY_MAX = 128 };
#define HOUR_US ((int64_t)3600 * 1000000)

/* Takes w. */
static err commit(const struct accounts *a, struct write *w)
{
    struct write_result result = {0};
    if (!w)
        return &no_memory;
    err failed = a->recorder->record(a->recorder, w, &result);
    return failed ? failed : result.failed;
}

static void report(const struct accounts *a, enum event_kind kind, struct bytes name, const char *peer, err why)
{
    /* What cannot be a name is not written down: it may be a password in the wrong field. */
    const struct notice said = {.kind = kind,
                                .fields = {{"operator", id_is_valid(name) ? name : (struct bytes){NULL, 0}},
                                           {"reason", bytes_of_text(why ? err_text(why) : NULL)},
                                           {"peer", bytes_of_text(peer)}}};
    notice_record(a->recorder, a->clock, &said);
}

err account_invite(const struct accounts *a, struct secret *text)
{
    uint64_t operators;
    TRY(a->reader->count_operators(a->reader, &operators));
    if (operators)
        return &set_up;
    struct write w = {.kind = WRITE_SETUP, .now_us = wall_us(a->clock)};
    TRY(bearer_make(a->dice, text, w.as.setup.hash));
    w.as.setup.expires_us = w.now_us + ACCOUNT_SETUP_HOURS * HOUR_US;
    return commit(a, write_plain(&w));
}

/* Failures are counted by where they come from, not by the name that they try: else anybody who knows a name could keep
 * its operator out. What a guesser with many networks can try is bounded by the one thread that checks passwords. */
struct origin {
    char network[PEER_NETWORK_TEXT];
};

static struct bytes origin_of(const struct credentials *with, struct origin *room)
{
    peer_network(with->peer, room->network);
    return bytes_of_text(room->network);
}

static err check_limit(const struct accounts *a, const struct credentials *with, struct signed_in *out)
{
    struct origin origin;
    out->retry_after_s = signin_limit_wait_s(a->limit, origin_of(with, &origin), monotonic_ms(a->clock));
    return out->retry_after_s ? &too_many : OK;
}

static err find_operator(const struct accounts *a, struct bytes name, struct operator_account *out)
{
    return id_is_valid(name) ? a->reader->get_operator(a->reader, name, out) : &no_operator;
}

static err check_password(const struct accounts *a, const struct credentials *with)
{
    struct operator_account account;
    if (with->password.len > PASSWORD_MAX)
        return &wrong;
    err absent = find_operator(a, with->name, &account);
    if (absent && !err_is(absent, ERR_ABSENT))
        return absent;
    err refused = absent ? password_verify_nobody(with->password)
                         : password_verify(with->password, bytes_of_text(account.password_hash));
    if (err_is(refused, ERR_MALFORMED))
        return &damaged;
    return err_is(refused, ERR_REFUSED) ? &wrong : refused;
}

static err make_session(const struct accounts *a, struct bytes name, struct signed_in *out)
{
    struct session_record *session = &out->session;
    struct write w = {.kind = WRITE_SESSION, .now_us = wall_us(a->clock)};
    TRY(bearer_make(a->dice, &out->text, session->hash));
    TRY(text_copy(name, session->operator_name, sizeof session->operator_name));
    session->made_us = w.now_us;
    session->expires_us = w.now_us + ACCOUNT_SESSION_HOURS * HOUR_US;
    w.as.session = *session;
    return commit(a, write_plain(&w));
}

/* What both ways in have in common once the credentials held. */
static err let_in(const struct accounts *a, const struct credentials *with, struct signed_in *out)
{
    struct origin origin;
    signin_limit_forgive(a->limit, origin_of(with, &origin));
    TRY(make_session(a, with->name, out));
    report(a, EVENT_OPERATOR_SIGNED_IN, with->name, with->peer, OK);
    return OK;
}

static err turn_away(const struct accounts *a, const struct credentials *with, err why)
{
    struct origin origin;
    if (err_is(why, ERR_REFUSED)) {
        signin_limit_failed(a->limit, origin_of(with, &origin), monotonic_ms(a->clock));
        report(a, EVENT_SIGN_IN_REFUSED, with->name, with->peer, why);
    }
    return why;
}

err account_sign_in(const struct accounts *a, const struct credentials *with, struct signed_in *out)
{
    *out = (struct signed_in){0};
    TRY(check_limit(a, with, out));
    err refused = check_password(a, with);
    return refused ? turn_away(a, with, refused) : let_in(a, with, out);
}

static size_t characters(struct bytes utf8)
{
    size_t count = 0;
    for (size_t i = 0; i < utf8.len; i++)
        count += (utf8.at[i] & 0xC0) != 0x80;
    return count;
}

static err check_rules(const struct credentials *with)
{
    struct bytes password = with->password;
    if (!id_is_valid(with->name))
        return &bad_name;
    bool good = password.len <= PASSWORD_MAX && utf8_valid(password) && characters(password) >= ACCOUNT_PASSWORD_MIN;
    return good ? OK : &bad_password;
}

static err make_operator(const struct accounts *a, const struct credentials *with)
{
    struct write w = {.kind = WRITE_OPERATOR, .now_us = wall_us(a->clock)};
    struct operator_account *account = &w.as.operator.account;
    err malformed = bearer_hash(with->setup, w.as.operator.setup_hash);
    if (malformed)
        return err_is(malformed, ERR_MALFORMED) ? &bad_setup : malformed;
    TRY(text_copy(with->name, account->name, sizeof account->name));
    TRY(password_hash(with->password, a->dice, account->password_hash));
    account->made_us = w.now_us;
    err refused = commit(a, write_plain(&w));
    bool spent = err_is(refused, ERR_ABSENT) || err_is(refused, ERR_REFUSED) || err_is(refused, ERR_EXPIRED) ||
                 err_is(refused, ERR_EXISTS);
    return spent ? &bad_setup : refused;
}

err account_setup(const struct accounts *a, const struct credentials *with, struct signed_in *out)
{
    *out = (struct signed_in){0};
    TRY(check_rules(with));
    TRY(check_limit(a, with, out));
    err refused = make_operator(a, with);
    if (refused)
        return turn_away(a, with, refused);
    report(a, EVENT_OPERATOR_CREATED, with->name, with->peer, OK);
    return let_in(a, with, out);
}

err account_sign_out(const struct accounts *a, const struct session_record *session, const char *peer)
{
    struct write w = {.kind = WRITE_SESSION_DELETE, .now_us = wall_us(a->clock)};
    memcpy(w.as.session_hash, session->hash, sizeof w.as.session_hash);
    TRY(commit(a, write_plain(&w)));
    report(a, EVENT_OPERATOR_SIGNED_OUT, bytes_of_text(session->operator_name), peer, OK);
    return OK;
}

err account_session_hash(struct bytes text, uint8_t hash[TOKEN_HASH])
{
    return bearer_hash(text, hash);
}
