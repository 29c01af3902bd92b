/* The server's own certificate, its TLS contexts and tickets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/port_tls.h"

#include "crypto/certificate.h"
#include "crypto/key.h"

enum { CHAIN_MAX = 65536, LISTS_MAX = 1024 * 1024 };

static void drop_contexts(struct tls_context *contexts[PORTS])
{
    for (size_t i = 0; i < PORTS; i++)
        tls_context_drop(contexts[i]);
}

/* New lists that are over are refused while there are others; those that were in force when they ran out, or that lie
 * there at the start, are used: nobody is to get in because of that. */
static err judge(const struct port_tls *t, const struct tls_context *made, struct bytes lists_pem)
{
    err failed = tls_context_judge_lists(made);
    bool in_force = !t->contexts[PORT_MQTT] || lists_pem.at == t->lists_pem.at;
    return err_is(failed, ERR_EXPIRED) && in_force ? OK : failed;
}

/* All new or all old. The scope of a port's tickets: one that asks for a certificate takes none of one that does not.
 */
static err take_contexts(struct port_tls *t, const struct tls_options *common)
{
    static const struct {
        enum port port;
        enum tls_peer peer;
        const char *alpn, *scope;
    } rows[] = {
        {PORT_MQTT, TLS_PEER_REQUIRED, "", "mqtt"},
        {PORT_HTTP, TLS_PEER_ASKED, "http/1.1", "http"},
        {PORT_MQTT_WEBSOCKET, TLS_PEER_REQUIRED, "http/1.1", "mqtt-websocket"},
    };
    struct tls_context *made[PORTS] = {NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_options options = *common;
        options.peer = rows[i].peer;
        options.alpn = rows[i].alpn;
        options.ticket_scope = rows[i].scope;
        err failed = tls_context_server(&options, &made[rows[i].port]);
        if (!failed)
            failed = judge(t, made[rows[i].port], common->crl_pem);
        if (failed) {
            drop_contexts(made);
            return failed;
        }
    }
    drop_contexts(t->contexts);
    for (size_t i = 0; i < PORTS; i++)
        t->contexts[i] = made[i];
    return OK;
}

static err issue(struct port_tls *t, const struct key *key, struct buffer *chain_pem, int64_t *expires_us)
{
    SCOPED(buffer_drop) struct buffer public_key = {.max = CERTIFICATE_MAX};
    struct issued issued = {.certificate = {.max = CERTIFICATE_MAX}};
    TRY(key_put_public(key, &public_key));
    const struct issue_order order = {.profile = PROFILE_SERVER,
                                      .public_key = buffer_view(&public_key),
                                      .lifetime_s = (uint32_t)t->options.settings->server_certificate_life};
    TRY(t->options.issuer->issue(t->options.issuer, &order, &issued));
    err failed = certificate_put_pem(buffer_view(&issued.certificate), chain_pem);
    buffer_drop(&issued.certificate);
    put_bytes(chain_pem, t->options.chain_pem);
    *expires_us = issued.expires_us;
    return failed ? failed : buffer_finish(chain_pem);
}

static err renew(struct port_tls *t, struct bytes lists_pem)
{
    SCOPED(buffer_drop) struct buffer chain = {.max = CHAIN_MAX};
    SCOPED(buffer_wipe) struct buffer key_pem = {.max = KEY_PEM_MAX};
    SCOPED(key_drop_scoped) struct key *key = NULL;
    const struct server_settings *set = t->options.settings;
    int64_t expires_us, now_us = wall_us(t->options.clock);
    TRY(key_generate(KEY_P256, &key));
    TRY(key_put_pem(key, &key_pem));
    TRY(issue(t, key, &chain, &expires_us));
    TRY(take_contexts(t, &(struct tls_options){.chain_pem = buffer_view(&chain),
                                               .key_pem = buffer_view(&key_pem),
                                               /* With the issuing certificate: EST gives devices their own one alone
                                                * (RFC 7030, 4.2.3), and many show no more than that. */
                                               .anchors_pem = t->options.chain_pem,
                                               .crl_pem = lists_pem,
                                               .records = (enum tls_record_layer)set->tls_record_layer,
                                               .tickets = t->tickets,
                                               .ticket_life_s = (uint32_t)set->tls_ticket_life}));
    t->renew_us = now_us + (expires_us - now_us) / 3 * 2;
    return OK;
}

err port_tls_renew(struct port_tls *t)
{
    t->renew_us = 0; /* a failure is tried again: the old certificate is valid for a third of its life yet */
    return renew(t, buffer_view(&t->lists_pem));
}

bool port_tls_is_due(const struct port_tls *t)
{
    return wall_us(t->options.clock) >= t->renew_us;
}

bool port_tls_has_new_lists(const struct port_tls *t)
{
    struct file_mark now = file_mark(t->options.lists_path);
    return now.changed_ns != t->lists_mark.changed_ns || now.size != t->lists_mark.size ||
           now.number != t->lists_mark.number;
}

/* Why there are no new contexts: the lists themselves, or something that may be over when it is tried again? */
static bool is_lists_fault(err failed)
{
    return err_is(failed, ERR_MALFORMED) || err_is(failed, ERR_REFUSED) || err_is(failed, ERR_EXPIRED) ||
           err_is(failed, ERR_TOO_LARGE);
}

err port_tls_read_lists(struct port_tls *t)
{
    struct buffer fresh = {.max = LISTS_MAX};
    struct file_mark mark = file_mark(t->options.lists_path); /* first: what changes while it is read is read again */
    err failed = file_read(t->options.lists_path, &fresh);
    if (!failed || err_is(failed, ERR_ABSENT))
        failed = renew(t, buffer_view(&fresh));
    if (!failed) {
        struct buffer before = t->lists_pem;
        t->lists_pem = fresh;
        fresh = before;
    }
    if (!failed || is_lists_fault(failed))
        t->lists_mark = mark;
    buffer_drop(&fresh);
    return failed;
}

/* So that a ticket's key is kept for as long as the ticket lives, and no longer than that; whatever happens to the wall
 * clock meanwhile. */
static int64_t rotation_ms(const struct port_tls *t)
{
    return (int64_t)t->options.settings->tls_ticket_life * 1000 / (TICKET_KEYS - 1);
}

bool port_tls_rotate_when_due(struct port_tls *t)
{
    int64_t now_ms = monotonic_ms(t->options.clock);
    if (!t->tickets || now_ms < t->rotate_ms)
        return false;
    tls_tickets_rotate(t->tickets, t->options.dice);
    t->rotate_ms = now_ms + rotation_ms(t);
    return true;
}

err port_tls_open(struct port_tls *t, const struct port_tls_options *options)
{
    *t = (struct port_tls){.options = *options};
    if (options->settings->tls_ticket_life) {
        TRY(tls_tickets_open(options->dice, &t->tickets));
        t->rotate_ms = monotonic_ms(options->clock) + rotation_ms(t);
    }
    return port_tls_read_lists(t);
}

void port_tls_close(struct port_tls *t)
{
    drop_contexts(t->contexts);
    tls_tickets_drop(t->tickets);
    buffer_drop(&t->lists_pem);
    *t = (struct port_tls){.tickets = NULL};
}
