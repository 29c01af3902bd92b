/* The engine of a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_engine.h"

static const struct fault no_memory = {ERR_MEMORY, "tls: no memory"};

err tls_engine_open(struct tls_engine **out)
{
    struct tls_engine *engine = MEM_NEW(struct tls_engine);
    if (!engine)
        return &no_memory;
    err failed = record_ciphers_open(&engine->ciphers);
    if (failed)
        tls_engine_close(engine);
    else
        *out = engine;
    return failed;
}

void tls_engine_close(struct tls_engine *engine)
{
    if (!engine)
        return;
    record_ciphers_close(&engine->ciphers);
    mem_wipe(engine, sizeof *engine); /* both rooms held plaintext */
    mem_drop(engine);
}
