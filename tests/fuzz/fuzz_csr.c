/* fuzz: base crypto */
/* Any bytes as a signing request: refused or read, and what was read is a valid key. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/csr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csr csr;
    if (csr_read(bytes_of(data, size), &csr) == OK)
        if (!csr.common_name[0] || key_check_public_p256(csr_public_key(&csr)))
            abort();
    return 0;
}
