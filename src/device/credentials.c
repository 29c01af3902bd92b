/* The device's identity on disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/credentials.h"

#include "base/text.h"
#include "core/principal.h"
#include "os/file.h"

#include <stdio.h>

static const struct fault long_path = {ERR_TOO_LARGE, "credentials: the folder's path is too long"};
static const struct fault no_device = {ERR_REFUSED, "credentials: the certificate names no device"};
static const struct fault no_match = {ERR_REFUSED, "credentials: no certificate for this key that chains to the root"};
static const struct fault too_many = {ERR_TOO_LARGE, "credentials: more certificates than a chain may have"};

enum { PATH_ROOM = 4096, FOLDER_MODE = 0700, SECRET_MODE = 0600, PUBLIC_MODE = 0644 };

void credentials_drop(struct credentials *c)
{
    buffer_wipe(&c->key_pem);
    buffer_drop(&c->chain_pem);
    buffer_drop(&c->root_pem);
    *c = (struct credentials){0};
}

static err path_of(const char *folder, const char *name, char path[PATH_ROOM])
{
    int len = snprintf(path, PATH_ROOM, "%s/%s", folder, name);
    return len > 0 && len < PATH_ROOM ? OK : &long_path;
}

static err explain(err e, const char *folder, const char *name, char why[WHY_TEXT])
{
    if (e)
        why_say(why, "%s/%s: %s", folder, name, e->text);
    return e;
}

/* The buffer gets its whole room at once, so that no copy of a key stays behind in memory that was outgrown. */
static err read_part(const char *folder, const char *name, struct buffer *out, char why[WHY_TEXT])
{
    char path[PATH_ROOM];
    err e = path_of(folder, name, path);
    return explain(e ? e : file_read(path, out), folder, name, why);
}

static err write_part(const char *folder, const char *name, const struct buffer *content, mode_t mode,
                      char why[WHY_TEXT])
{
    char path[PATH_ROOM];
    err e = path_of(folder, name, path);
    return explain(e ? e : file_replace(path, buffer_view(content), mode), folder, name, why);
}

bool credentials_exist(const char *folder)
{
    char path[PATH_ROOM];
    return !path_of(folder, "certificate.pem", path) && file_exists(path);
}

/* What the certificate says of whom it belongs to. */
static err read_leaf(struct bytes der, const struct key *key, struct certificate_facts *facts,
                     char id[DEVICE_ID_MAX + 1])
{
    TRY(certificate_read(der, facts));
    if (certificate_uri(der, DEVICE_URI, id, DEVICE_ID_MAX + 1) || !id_is_valid(bytes_of_text(id)))
        return &no_device;
    return certificate_matches_key(der, key);
}

static err check_parts(struct credentials *c)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct bytes chain = buffer_view(&c->chain_pem);
    TRY(key_read_pem(buffer_view(&c->key_pem), (struct bytes){NULL, 0}, &key));
    TRY(certificate_next_pem(&chain, &der));
    return read_leaf(buffer_view(&der), key, &c->facts, c->id);
}

static err load_parts(const char *folder, struct credentials *out, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer server = {.max = SERVER_URL_TEXT};
    TRY(read_part(folder, "certificate.pem", &out->chain_pem, why));
    TRY(read_part(folder, "key.pem", &out->key_pem, why));
    TRY(read_part(folder, "root.pem", &out->root_pem, why));
    TRY(read_part(folder, "server", &server, why));
    TRY(explain(server_address_read(bytes_trim(buffer_view(&server)), &out->server), folder, "server", why));
    return explain(check_parts(out), folder, "certificate.pem and key.pem", why);
}

err credentials_load(const char *folder, struct credentials *out, char why[WHY_TEXT])
{
    *out = (struct credentials){.key_pem = {.max = KEY_PEM_MAX},
                                .chain_pem = {.max = CREDENTIALS_FILE_MAX},
                                .root_pem = {.max = CREDENTIALS_FILE_MAX}};
    err e = load_parts(folder, out, why);
    if (e)
        credentials_drop(out);
    return e;
}

err credentials_store_chain(const char *folder, const struct credentials *c, char why[WHY_TEXT])
{
    return write_part(folder, "certificate.pem", &c->chain_pem, PUBLIC_MODE, why);
}

err credentials_store(const char *folder, const struct credentials *c, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer server = {.max = SERVER_URL_TEXT + 1};
    put_format(&server, "%s\n", c->server.url);
    TRY(explain(folder_make(folder, FOLDER_MODE), folder, "", why));
    TRY(write_part(folder, "key.pem", &c->key_pem, SECRET_MODE, why));
    TRY(write_part(folder, "root.pem", &c->root_pem, PUBLIC_MODE, why));
    TRY(write_part(folder, "server", &server, PUBLIC_MODE, why));
    return credentials_store_chain(folder, c, why);
}

static err make_key(struct buffer *pem)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    TRY(key_generate(KEY_P256, &key));
    return key_put_pem(key, pem);
}

err credentials_key(const char *folder, struct buffer *pem, char why[WHY_TEXT])
{
    char path[PATH_ROOM];
    TRY(explain(path_of(folder, "key.pem", path), folder, "key.pem", why));
    if (file_exists(path))
        return read_part(folder, "key.pem", pem, why);
    TRY(explain(folder_make(folder, FOLDER_MODE), folder, "", why));
    TRY(explain(make_key(pem), folder, "key.pem", why));
    return write_part(folder, "key.pem", pem, SECRET_MODE, why);
}

/* Certificates in DER, one behind the other, in one buffer that moves while it grows. */
enum { BUNDLE_MAX = 2 * CERTIFICATE_CHAIN_MAX };
struct bundle {
    struct buffer der;
    size_t count;
    size_t end[BUNDLE_MAX];
};

static void bundle_drop(struct bundle *b)
{
    buffer_drop(&b->der);
}

static struct bytes bundle_at(const struct bundle *b, size_t i)
{
    size_t from = i ? b->end[i - 1] : 0;
    return bytes_of(b->der.at + from, b->end[i] - from);
}

static err bundle_read(struct bundle *b, struct bytes pem)
{
    for (;;) {
        err e = certificate_next_pem(&pem, &b->der);
        if (err_is(e, ERR_ABSENT))
            return OK;
        TRY(e);
        if (b->count == BUNDLE_MAX)
            return &too_many;
        b->end[b->count++] = b->der.len;
    }
}

/* What is looked for: who is above whom. */
struct search {
    struct bundle offered;
    struct buffer root; /* DER */
    struct key *key;
    int64_t now_us;
    struct bytes leaf, intermediate; /* found */
};

static void search_drop(struct search *s)
{
    bundle_drop(&s->offered);
    buffer_drop(&s->root);
    key_drop(s->key);
}

static err verify(struct search *s, struct bytes leaf, struct bytes intermediate)
{
    struct certificate_path path = {leaf, intermediate, buffer_view(&s->root), s->now_us};
    TRY(certificate_verify(&path));
    s->leaf = leaf;
    s->intermediate = intermediate;
    return OK;
}

/* Directly under the root, or under any other that was offered. */
static err find_issuer(struct search *s, struct bytes leaf)
{
    err best = verify(s, leaf, (struct bytes){NULL, 0});
    for (size_t i = 0; i < s->offered.count && best; i++) {
        struct bytes issuer = bundle_at(&s->offered, i);
        if (bytes_equal(issuer, leaf) || bytes_equal(issuer, buffer_view(&s->root)))
            continue;
        err e = verify(s, leaf, issuer);
        if (!e || err_is(e, ERR_EXPIRED))
            best = e;
    }
    return best;
}

static err find_leaf(struct search *s, struct certificate_facts *facts, char id[DEVICE_ID_MAX + 1])
{
    err best = &no_match;
    for (size_t i = 0; i < s->offered.count && best; i++) {
        struct bytes leaf = bundle_at(&s->offered, i);
        if (!read_leaf(leaf, s->key, facts, id))
            best = find_issuer(s, leaf);
    }
    return best;
}

static err search_open(struct search *s, const struct credentials *c, struct bytes offered_pem)
{
    struct bytes root = buffer_view(&c->root_pem);
    TRY(key_read_pem(buffer_view(&c->key_pem), (struct bytes){NULL, 0}, &s->key));
    TRY(certificate_next_pem(&root, &s->root));
    return bundle_read(&s->offered, offered_pem);
}

static err take(struct credentials *c, struct search *s)
{
    char id[DEVICE_ID_MAX + 1];
    struct certificate_facts facts;
    SCOPED(buffer_drop) struct buffer chain = {.max = CREDENTIALS_FILE_MAX};
    TRY(find_leaf(s, &facts, id));
    TRY(certificate_put_pem(s->leaf, &chain));
    if (s->intermediate.len)
        TRY(certificate_put_pem(s->intermediate, &chain));
    /* Both have the same bound, so that the new buffer can simply take the old one's place. */
    struct buffer former = c->chain_pem;
    c->chain_pem = chain;
    chain = former;
    c->facts = facts;
    return text_copy(bytes_of_text(id), c->id, sizeof c->id);
}

err credentials_take(struct credentials *c, struct bytes offered_pem, int64_t now_us, char why[WHY_TEXT])
{
    SCOPED(search_drop)
    struct search s = {.offered = {.der = {.max = (size_t)BUNDLE_MAX * CERTIFICATE_MAX}},
                       .root = {.max = CERTIFICATE_MAX},
                       .now_us = now_us};
    err e = search_open(&s, c, offered_pem);
    if (!e)
        e = take(c, &s);
    if (e)
        why_say(why, "the certificate that the server sent cannot be used: %s", e->text);
    return e;
}

int64_t renewal_due_us(int64_t not_before_us, int64_t not_after_us, uint32_t dice_roll)
{
    int64_t life = not_after_us > not_before_us ? not_after_us - not_before_us : 0;
    int64_t spread_ms = life / 20 / 1000;
    return not_before_us + life / 3 * 2 + (int64_t)((uint64_t)spread_ms * dice_roll >> 32) * 1000;
}
