/* The inbox: the packet identifiers of QoS 2 messages that came and are not released yet (MQTT 5.0, 4.3.3, method B).
 * A PUBLISH with one of them is the same message again. Pure; {0} is empty and owns no memory.
 *
 *   PUBLISH -> ARRIVING -> (kept) RECEIVED, PUBREC -> PUBREL -> LEAVING -> (removal kept) gone, PUBCOMP
 *
 * The connection's end changes nothing here. What is ARRIVING or LEAVING then may yet be kept; were it forgotten, the
 * same PUBLISH on the next connection would be taken for a new one. Whoever has it kept puts RECEIVED or removes it,
 * and sends the answer on the connection that stands then. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum inbox_state {
    INBOX_ABSENT = 0,
    INBOX_ARRIVING, /* it is on its way through the flow: PUBREC is not yet due */
    INBOX_RECEIVED, /* kept; PUBREC was sent, or is to be sent again */
    INBOX_LEAVING,  /* PUBREL came; its removal is being kept: PUBCOMP is not yet due */
};

struct inbox_entry {
    uint16_t packet_id;
    uint8_t state;
};

struct inbox {
    struct inbox_entry *entries; /* sorted by packet identifier */
    uint32_t count, room;
};

void inbox_close(struct inbox *i);
enum inbox_state inbox_find(const struct inbox *i, uint16_t packet_id);
MUST err inbox_put(struct inbox *i, uint16_t packet_id,
                   enum inbox_state state);             /* adds, or changes; ERR_MEMORY: adding only */
void inbox_remove(struct inbox *i, uint16_t packet_id); /* one that is not there is fine */
/* Gives back memory that is empty: for a connection that ended, or a session that has been idle for a while. */
void inbox_rest(struct inbox *i);
