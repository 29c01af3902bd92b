/* Key pairs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include "base/memory.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "key: no memory"};
static const struct fault no_key = {ERR_MALFORMED, "key: no private key in PEM"};
static const struct fault wrong_passphrase = {ERR_REFUSED, "key: the passphrase does not open the private key"};
static const struct fault bad_passphrase = {ERR_MALFORMED, "key: a passphrase has 1 to 512 bytes"};
static const struct fault other_key = {ERR_UNSUPPORTED, "key: neither ECDSA P-256 nor P-384"};
static const struct fault not_p256 = {ERR_UNSUPPORTED,
                                      "key: not ECDSA P-256 with a named curve and an uncompressed point"};

enum { SCRYPT_N = 1 << 14, SCRYPT_R = 8, SCRYPT_P = 5, SCRYPT_SALT = 16 };
enum { PROTECTED_HEAP = 65536, PROTECTED_LEAST = 16 };

void key_memory_protect(void)
{
    (void)CRYPTO_secure_malloc_init(PROTECTED_HEAP, PROTECTED_LEAST);
}

/* Takes pkey, also when it fails. */
static err key_over(EVP_PKEY *pkey, struct key **out)
{
    struct key *key = MEM_NEW(struct key);
    if (!key) {
        EVP_PKEY_free(pkey);
        return &no_memory;
    }
    key->pkey = pkey;
    *out = key;
    return OK;
}

err key_generate(enum key_curve curve, struct key **out)
{
    static const char *const names[] = {[KEY_P256] = "P-256", [KEY_P384] = "P-384"};
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", names[curve]);
    return pkey ? key_over(pkey, out) : openssl_failed(&openssl_trouble);
}

void key_drop(struct key *key)
{
    if (key)
        EVP_PKEY_free(key->pkey); /* which clears the private part */
    mem_drop(key);
}

void key_drop_scoped(struct key **key)
{
    key_drop(*key);
}

static bool is_ours(EVP_PKEY *pkey)
{
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) == 1 &&
           (!strcmp(group, SN_X9_62_prime256v1) || !strcmp(group, SN_secp384r1));
}

/* OpenSSL asks for the passphrase; `with` is the view that key_read_pem was given. */
static int hand_passphrase(char *out, int room, int writing, void *with)
{
    const struct bytes *passphrase = with;
    if (room < 0 || passphrase->len > (size_t)room)
        return -1;
    if (passphrase->len)
        memcpy(out, passphrase->at, passphrase->len);
    return (int)passphrase->len;
}

err key_read_pem(struct bytes pem, struct bytes passphrase, struct key **out)
{
    if (!pem.len || pem.len > KEY_PEM_MAX)
        return &no_key;
    SCOPED(BIO_end) BIO *in = BIO_new_mem_buf(pem.at, (int)pem.len);
    if (!in)
        return openssl_failed(&openssl_trouble);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, hand_passphrase, &passphrase);
    if (!pkey)
        return openssl_failed(memmem(pem.at, pem.len, "ENCRYPTED", 9) ? &wrong_passphrase : &no_key);
    if (!is_ours(pkey)) {
        EVP_PKEY_free(pkey);
        return openssl_failed(&other_key);
    }
    return key_over(pkey, out);
}

static err put_bio(struct buffer *out, BIO *bio)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);
    /* The whole room at once: growing would leave a copy behind. */
    if (len <= 0 || !buffer_reserve(out, (size_t)len + 1))
        return len <= 0 ? openssl_failed(&openssl_trouble) : buffer_finish(out);
    put_bytes(out, bytes_of(at, (size_t)len));
    return buffer_finish(out);
}

err key_put_pem(const struct key *key, struct buffer *out)
{
    SCOPED(PKCS8_PRIV_KEY_INFO_end) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key->pkey);
    SCOPED(BIO_end) BIO *bio = BIO_new(BIO_s_secmem());
    if (!plain || !bio || PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, plain) != 1)
        return openssl_failed(&openssl_trouble);
    return put_bio(out, bio);
}

/* PKCS8_set0_pbe takes the algorithm when it succeeds. */
static X509_SIG *lock(PKCS8_PRIV_KEY_INFO *plain, struct bytes passphrase)
{
    X509_ALGOR *how = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, SCRYPT_SALT, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
    if (!how)
        return NULL;
    X509_SIG *locked = PKCS8_set0_pbe((const char *)passphrase.at, (int)passphrase.len, plain, how);
    if (!locked)
        X509_ALGOR_free(how);
    return locked;
}

err key_put_pem_locked(const struct key *key, struct bytes passphrase, struct buffer *out)
{
    if (!passphrase.len || passphrase.len > KEY_PASSPHRASE_MAX)
        return &bad_passphrase;
    SCOPED(PKCS8_PRIV_KEY_INFO_end) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key->pkey);
    SCOPED(X509_SIG_end) X509_SIG *locked = plain ? lock(plain, passphrase) : NULL;
    SCOPED(BIO_end) BIO *bio = BIO_new(BIO_s_mem());
    if (!locked || !bio || PEM_write_bio_PKCS8(bio, locked) != 1)
        return openssl_failed(&openssl_trouble);
    return put_bio(out, bio);
}

err key_put_public(const struct key *key, struct buffer *out)
{
    int len = i2d_PUBKEY(key->pkey, NULL);
    unsigned char *at = len > 0 ? buffer_reserve(out, (size_t)len) : NULL;
    if (!at)
        return len > 0 ? buffer_finish(out) : openssl_failed(&openssl_trouble);
    if (i2d_PUBKEY(key->pkey, &at) != len)
        return openssl_failed(&openssl_trouble);
    buffer_filled(out, (size_t)len);
    return OK;
}

err key_fingerprint(struct bytes public_key, char out[KEY_FINGERPRINT_TEXT])
{
    return digest_sha256_text(public_key, out);
}

err key_check_public_p256(struct bytes public_key)
{
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 ... } }: one form only, so that no two texts
     * stand for one key, and explicit curve parameters (CVE-2020-0601 and its kin) never reach a parser. */
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
                                   0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    if (public_key.len != KEY_PUBLIC_P256 || memcmp(public_key.at, head, sizeof head) != 0)
        return &not_p256;
    EVP_PKEY *pkey = NULL;
    if (openssl_read_public(public_key, &pkey))
        return &not_p256;
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool on_curve = check && EVP_PKEY_public_check(check) == 1;
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_free(pkey);
    return on_curve ? OK : openssl_failed(&not_p256);
}
