/* The keys of session tickets.
 *
 * Loops read them in handshakes while another thread may rotate them, hence the lock; it is held while a hundred bytes
 * are copied. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_tickets.h"

#include "base/count.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "tls: no memory"};
static const struct fault broken_library = {ERR_IO, "tls: OpenSSL has no AES-256"};

enum { NAME_SIZE = 16, KEY_SIZE = 32 };

struct ticket_key {
    uint8_t name[NAME_SIZE], cipher[KEY_SIZE], mac[KEY_SIZE];
};

enum { CURRENT }; /* and behind it those before, the newest first */

struct tls_tickets {
    struct holders holders;
    pthread_mutex_t lock; /* of keys */
    struct ticket_key keys[TICKET_KEYS];
    EVP_CIPHER *cipher;
};

static void make_key(const struct dice *dice, struct ticket_key *key)
{
    dice->fill(dice, key->name, sizeof key->name);
    dice->fill(dice, key->cipher, sizeof key->cipher);
    dice->fill(dice, key->mac, sizeof key->mac);
}

err tls_tickets_open(const struct dice *dice, struct tls_tickets **out)
{
    struct tls_tickets *tickets = MEM_NEW(struct tls_tickets);
    if (!tickets)
        return &no_memory;
    holders_open(&tickets->holders);
    (void)pthread_mutex_init(&tickets->lock, NULL); /* cannot fail with these attributes */
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    for (int i = 0; i < TICKET_KEYS; i++) /* those before are nobody's */
        make_key(dice, &tickets->keys[i]);
    if (!tickets->cipher) {
        ERR_clear_error();
        tls_tickets_drop(tickets);
        return &broken_library;
    }
    *out = tickets;
    return OK;
}

void tls_tickets_rotate(struct tls_tickets *tickets, const struct dice *dice)
{
    struct ticket_key fresh;
    make_key(dice, &fresh);
    pthread_mutex_lock(&tickets->lock);
    memmove(&tickets->keys[CURRENT + 1], &tickets->keys[CURRENT], (TICKET_KEYS - 1) * sizeof *tickets->keys);
    tickets->keys[CURRENT] = fresh;
    pthread_mutex_unlock(&tickets->lock);
    mem_wipe(&fresh, sizeof fresh);
}

struct tls_tickets *tls_tickets_share(struct tls_tickets *tickets)
{
    holders_more(&tickets->holders);
    return tickets;
}

void tls_tickets_drop(struct tls_tickets *tickets)
{
    if (!tickets || !holders_less(&tickets->holders))
        return;
    EVP_CIPHER_free(tickets->cipher);
    (void)pthread_mutex_destroy(&tickets->lock);
    mem_wipe(tickets->keys, sizeof tickets->keys);
    mem_drop(tickets);
}

/* The current key, or the one of this name. False: there is none of it any more. */
static bool pick_key(struct tls_tickets *tickets, const uint8_t *name, struct ticket_key *out)
{
    bool found = false;
    pthread_mutex_lock(&tickets->lock);
    for (int i = 0; i < TICKET_KEYS && !found; i++) {
        found = !name || memcmp(tickets->keys[i].name, name, NAME_SIZE) == 0;
        if (found)
            *out = tickets->keys[i];
    }
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

static int use_key(const struct tls_tickets *tickets, struct ticket_key *key, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, int sealing)
{
    char digest[] = "SHA2-256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, KEY_SIZE),
                           OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    return EVP_CipherInit_ex2(cipher, tickets->cipher, key->cipher, iv, sealing, NULL) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

enum { CALLBACK_FAILED = -1, CALLBACK_NO_KEY = 0, CALLBACK_DONE = 1 };

int tls_tickets_key(struct tls_tickets *tickets, uint8_t name[16], uint8_t *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int sealing)
{
    struct ticket_key key;
    if (!pick_key(tickets, sealing ? NULL : name, &key))
        return CALLBACK_NO_KEY;
    int done = CALLBACK_DONE;
    if (sealing) {
        memcpy(name, key.name, NAME_SIZE);
        done = RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher));
    }
    if (done == 1)
        done = use_key(tickets, &key, iv, cipher, mac, sealing);
    mem_wipe(&key, sizeof key);
    return done == 1 ? CALLBACK_DONE : CALLBACK_FAILED;
}
