/* What the TLS connections of one thread share. For os/tls*.c only, everybody else sees os/tls.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls.h"
#include "os/tls_record.h"

/* Room for a batch as it stands on the wire; what seals needs a little more than what was read. */
enum { ENGINE_OUT = TLS_BATCH + (TLS_BATCH / RECORD_PLAIN_MAX + 1) * (RECORD_HEAD + 1 + RECORD_TAG) };

struct tls_engine {
    struct record_ciphers ciphers;
    uint8_t in[TLS_BATCH];
    uint8_t out[ENGINE_OUT];
};
