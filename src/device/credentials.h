/* The device's identity on disk: its key, its certificate, the root that it trusts, and where its server is.
 *
 *   key.pem          PKCS#8, mode 0600; a software key
 *   certificate.pem  the device's certificate, then the authority that issued it; written last, so that a folder with
 *                    it is enrolled
 *   root.pem         the root certificate
 *   server           "https://host:8443"
 *
 * Each file is replaced as a whole (os/file.h). A renewal keeps the key and replaces certificate.pem alone, so that a
 * power cut leaves either certificate, and each of them fits the key. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/limits.h"
#include "crypto/certificate.h"
#include "device/server_address.h"
#include "wire/why.h"

enum { CREDENTIALS_FILE_MAX = 65536 };

/* Owns its buffers; drop it with credentials_drop, which wipes the key. Zero is empty. */
struct credentials {
    char id[DEVICE_ID_MAX + 1];
    struct server_address server;
    struct certificate_facts facts; /* of the device's certificate */
    struct buffer key_pem, chain_pem, root_pem;
};

void credentials_drop(struct credentials *c); /* for SCOPED(credentials_drop) */

/* Reads and checks that the parts belong together; not that they are valid today. ERR_ABSENT: the folder has no
 * certificate.pem: this machine is not enrolled. All errors fill why with the file's name. */
MUST err credentials_load(const char *folder, struct credentials *out, char why[WHY_TEXT]);
/* Writes all of it, the certificate last. */
MUST err credentials_store(const char *folder, const struct credentials *c, char why[WHY_TEXT]);
/* Writes certificate.pem alone. */
MUST err credentials_store_chain(const char *folder, const struct credentials *c, char why[WHY_TEXT]);
bool credentials_exist(const char *folder);

/* The key of the folder, made and written when there is none: an enrolment that was cut off goes on with the key that
 * it began with. Appends to *pem. */
MUST err credentials_key(const char *folder, struct buffer *pem, char why[WHY_TEXT]);

/* Takes a certificate for c->key_pem out of what the server sent (PEM, in any order), puts it and the authority above
 * it into c->chain_pem, and fills c->facts and c->id. ERR_REFUSED: there is none that is about this key, chains to
 * c->root_pem and names a device; ERR_EXPIRED: there is one, and it is not valid at now_us. c is unchanged then. */
MUST err credentials_take(struct credentials *c, struct bytes offered_pem, int64_t now_us, char why[WHY_TEXT]);

/* When to renew: after two thirds of the certificate's life, and up to a twentieth of it later, so that devices that
 * enrolled together do not come together. dice_roll is evenly spread over all its values. Pure. */
int64_t renewal_due_us(int64_t not_before_us, int64_t not_after_us, uint32_t dice_roll);
