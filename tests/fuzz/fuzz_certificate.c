/* fuzz: base crypto */
/* Any bytes as a certificate: refused, or read as OpenSSL reads them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "../crypto/reference.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (reference_disagrees(bytes_of(data, size), "urn:holdfast:device:"))
        abort();
    return 0;
}
