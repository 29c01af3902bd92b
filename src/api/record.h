/* What handlers record: plain writes, and events about what an operator did. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/route.h"

/* Copies w and waits until it is durable. The write's own refusal comes back as its fault. */
MUST err record_plain(struct api *api, const struct write *w);

/* Records an event about what the visiting operator did; `members` are further JSON members of its detail, or NULL. An
 * event that cannot be kept does not undo the act, which is durable already, nor make it a failure: that the store
 * fails is an event of the store's own. */
void record_act(struct visit *v, enum event_kind kind, const char *device, const char *members);
