/* Enrolment of a whole fleet. */
/* SPDX-License-Identifier: Apache-2.0 */

/* The files of the vault are dealt out to the threads, so that each has one writer and nothing is shared but counters.
 * Each unit is a key, a request, and a call to the server; what the server cannot do at the moment (it limits how often
 * one address may ask) is asked for again, later each time. */
#include "prog/sim/recruit.h"

#include "base/memory.h"
#include "crypto/csr.h"
#include "device/credentials.h"
#include "device/est_client.h"
#include "os/clock.h"
#include "os/file.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

static const struct fault no_thread = {ERR_MEMORY, "recruit: no thread"};
static const struct fault given_up = {ERR_CLOSED, "recruit: given up"};

enum { ATTEMPTS_MAX = 60, PAUSE_MS = 100, PAUSE_MS_MAX = 2000, PEM_MAX = 65536 };

struct office {
    const struct recruit_order *order;
    struct recruit_counts *counts;
    const struct vault *vault;
    struct est_server server;
    struct bytes authorities_pem;
};

struct clerk {
    const struct office *all;
    pthread_t thread;
    unsigned number;
    err failed;
    char why[WHY_TEXT];
};

static void pause_for(unsigned ms)
{
    const struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&wait, NULL);
}

/* One certificate for the key: a first one by the token, or a new one by the old. */
static err ask_once(const struct office *all, const struct vault_identity *old, struct bytes csr, struct credentials *c,
                    struct buffer *offered, char why[WHY_TEXT])
{
    if (!old)
        return est_enrol(&all->server, all->order->token, csr, offered, why);
    SCOPED(buffer_drop) struct buffer chain = {.max = PEM_MAX};
    put_bytes(&chain, old->leaf_pem);
    put_bytes(&chain, all->authorities_pem);
    TRY(buffer_finish(&chain));
    const struct est_renewal renewal = {buffer_view(&chain), buffer_view(&c->key_pem), csr};
    return est_renew(&all->server, &renewal, offered, why);
}

static err ask(const struct office *all, const struct vault_identity *old, const char *id, struct credentials *c,
               char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer csr = {.max = CSR_MAX}, offered = {.max = PEM_MAX};
    SCOPED(key_drop_scoped) struct key *key = NULL;
    TRY(key_read_pem(buffer_view(&c->key_pem), (struct bytes){NULL, 0}, &key));
    TRY(csr_make(key, bytes_of_text(id), &csr));
    err e = NULL;
    unsigned pause_ms = PAUSE_MS;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        if (counter_read(&all->counts->abandon))
            return &given_up;
        e = ask_once(all, old, buffer_view(&csr), c, &offered, why);
        if (!err_is(e, ERR_AGAIN) && !err_is(e, ERR_IO))
            break;
        pause_for(pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    TRY(e);
    put_bytes(&offered, all->authorities_pem);
    TRY(buffer_finish(&offered));
    return credentials_take(c, buffer_view(&offered), wall_us(machine_clock()), why);
}

static err enrol_unit(const struct office *all, uint64_t unit, const struct vault_identity *old, int fd,
                      char why[WHY_TEXT])
{
    SCOPED(credentials_drop)
    struct credentials c = {
        .key_pem = {.max = KEY_PEM_MAX}, .chain_pem = {.max = PEM_MAX}, .root_pem = {.max = PEM_MAX}};
    struct vault_identity made;
    why_say(why, "no memory");
    (void)snprintf(made.id, sizeof made.id, "%s%llu", all->order->prefix, (unsigned long long)unit);
    put_bytes(&c.root_pem, all->server.anchors_pem);
    if (old) {
        put_bytes(&c.key_pem, old->key_pem);
    } else {
        SCOPED(key_drop_scoped) struct key *key = NULL;
        TRY(key_generate(KEY_P256, &key));
        TRY(key_put_pem(key, &c.key_pem));
    }
    TRY(ask(all, old, made.id, &c, why));
    /* The chain begins with the certificate itself; what stands above it is kept once, for all. */
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX}, leaf = {.max = PEM_MAX};
    struct bytes chain = buffer_view(&c.chain_pem);
    TRY(certificate_next_pem(&chain, &der));
    TRY(certificate_put_pem(buffer_view(&der), &leaf));
    made.key_pem = buffer_view(&c.key_pem);
    made.leaf_pem = buffer_view(&leaf);
    return vault_append(fd, unit, &made);
}

enum state { STATE_MISSING, STATE_GOOD, STATE_ENDS_SOON };

static enum state state_of(const struct vault *v, uint64_t unit, struct vault_identity *out)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct certificate_facts facts;
    if (vault_find(v, unit, out))
        return STATE_MISSING;
    struct bytes pem = out->leaf_pem;
    if (certificate_next_pem(&pem, &der) || certificate_read(buffer_view(&der), &facts))
        return STATE_MISSING;
    int64_t now = wall_us(machine_clock()), life = facts.not_after_us - facts.not_before_us;
    return now >= facts.not_after_us                  ? STATE_MISSING
           : now > facts.not_before_us + life / 3 * 2 ? STATE_ENDS_SOON
                                                      : STATE_GOOD;
}

static err one_file(const struct office *all, unsigned file, char why[WHY_TEXT])
{
    SCOPED(fd_close) int fd = -1;
    why_say(why, "the state folder cannot be written");
    TRY(vault_append_begin(all->vault, all->order->folder, file, &fd));
    for (uint64_t unit = file; unit < all->order->units; unit += VAULT_FILES) {
        struct vault_identity old;
        enum state state = state_of(all->vault, unit, &old);
        if (state == STATE_GOOD) {
            counter_add(&all->counts->kept, 1);
            continue;
        }
        err e = enrol_unit(all, unit, state == STATE_ENDS_SOON ? &old : NULL, fd, why);
        counter_add(e                          ? &all->counts->failed
                    : state == STATE_ENDS_SOON ? &all->counts->renewed
                                               : &all->counts->enrolled,
                    1);
        TRY(e);
    }
    return vault_append_end(fd);
}

static void *work(void *argument)
{
    struct clerk *clerk = argument;
    for (unsigned file = clerk->number; file < VAULT_FILES && !clerk->failed; file += clerk->all->order->threads)
        clerk->failed = one_file(clerk->all, file, clerk->why);
    if (clerk->failed && !err_is(clerk->failed, ERR_CLOSED))
        counter_add(&clerk->all->counts->abandon, 1);
    return NULL;
}

/* The first thread that failed for a reason of its own says why. */
static err work_together(const struct office *all, char why[WHY_TEXT])
{
    struct clerk clerks[VAULT_FILES] = {{0}};
    unsigned begun = 0;
    err e = OK;
    for (; begun < all->order->threads; begun++) {
        clerks[begun] = (struct clerk){.all = all, .number = begun};
        if (pthread_create(&clerks[begun].thread, NULL, work, &clerks[begun])) {
            counter_add(&all->counts->abandon, 1);
            e = &no_thread;
            why_say(why, "no thread can be made");
            break;
        }
    }
    for (unsigned i = 0; i < begun; i++) {
        (void)pthread_join(clerks[i].thread, NULL);
        if (clerks[i].failed && (!e || err_is(e, ERR_CLOSED))) {
            e = clerks[i].failed;
            why_say(why, "%s", clerks[i].why[0] ? clerks[i].why : e->text);
        }
    }
    return e;
}

err recruit(const struct recruit_order *order, struct recruit_counts *counts, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer root = {.max = PEM_MAX}, authorities = {.max = PEM_MAX};
    struct est_server anybody = {.url = order->server};
    struct vault *vault = NULL;
    if (order->root_pem.len)
        put_bytes(&root, order->root_pem);
    else
        TRY(est_fetch_root(&anybody, order->ca_sha256, &root, why));
    const struct est_server server = {
        .url = order->server, .anchors_pem = buffer_view(&root), .abandon = &counts->abandon};
    TRY(est_fetch_authorities(&server, &authorities, why));
    why_say(why, "%s: it cannot be written", order->folder);
    TRY(vault_keep_authorities(order->folder, buffer_view(&root), buffer_view(&authorities)));
    TRY(vault_open(order->folder, &vault, why));
    const struct office all = {order, counts, vault, server, buffer_view(&authorities)};
    err e = work_together(&all, why);
    vault_close(vault);
    return e;
}
