/* Proof by an operator's token. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/proof.h"

#include "base/list.h"
#include "trust/account.h"

static const struct fault no_method = {ERR_UNSUPPORTED, "proof: the only method is HOLDFAST-TOKEN"};
static const struct fault no_operator = {ERR_REFUSED, "proof: no signed-in operator has this token"};

_Static_assert((int)TOKEN_HASH == (int)AUTHENTICATOR_BADGE, "a badge is the hash of a session's token");

static err prove(struct authenticator *self, struct bytes method, struct bytes data, struct principal *who,
                 uint8_t hash[AUTHENTICATOR_BADGE])
{
    const struct proof *p = CONTAINER(self, struct proof, authenticator);
    if (!bytes_is(method, "HOLDFAST-TOKEN"))
        return &no_method;
    if (!data.len || account_session_hash(data, hash))
        return &no_operator;
    const struct session_record *found = session_table_find(p->sessions, hash, wall_us(p->clock));
    return found ? principal_set(who, PRINCIPAL_OPERATOR, bytes_of_text(found->operator_name)) : &no_operator;
}

void proof_open(struct proof *p, struct session_table *sessions, const struct clock *clock)
{
    *p = (struct proof){.authenticator = {prove}, .sessions = sessions, .clock = clock};
}
