/* The inbox: the packet identifiers of QoS 2 messages that came and are not released yet (MQTT 5.0, 4.3.3, method B).
 * A PUBLISH with one of them is the same message again. Pure; {0} is empty and owns no memory.
 *
 *   PUBLISH -> ARRIVING -> (kept) RECEIVED, PUBREC -> PUBREL -> LEAVING -> (removal kept) gone, PUBCOMP
 *
 * The connection's end takes nothing out of it. What is ARRIVING or LEAVING then may yet be kept; were it forgotten,
 * the same PUBLISH on the next connection would be taken for a new one. Whoever has it kept puts RECEIVED or removes
 * it, and answers where it was asked: an answer that comes on the next connection before the question was repeated
 * there may, when the question comes after it, be followed by a second one, and that one would hit a new message with
 * the same identifier. Worst is a refusal: its repeated PUBLISH would be taken for a new one, whose identifier its
 * client believes to be free. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum inbox_state {
    INBOX_ABSENT = 0,
    INBOX_ARRIVING, /* it is on its way through the flow: PUBREC is not yet due. Put again when PUBLISH comes again */
    INBOX_RECEIVED, /* kept; PUBREC was sent, or is to be sent again */
    INBOX_LEAVING,  /* PUBREL came; its removal is being kept: PUBCOMP is not yet due. Put again when PUBREL comes again
                     */
};

struct inbox_entry {
    uint16_t packet_id;
    uint8_t state;
    bool asked : 1;   /* ARRIVING, LEAVING: put since the last inbox_detach */
    bool carried : 1; /* added before the last inbox_detach */
};

struct inbox {
    struct inbox_entry *entries; /* sorted by packet identifier */
    uint32_t count, room;
    uint32_t carried; /* of them, those from earlier connections: not counted by the client's send quota, which begins
                         anew with each (MQTT 5.0, 4.9) */
};

void inbox_close(struct inbox *i);
enum inbox_state inbox_find(const struct inbox *i, uint16_t packet_id);
/* ARRIVING or LEAVING, and its PUBLISH or PUBREL came on the connection that stands: the answer is due there. Asked
 * before the entry is changed. */
bool inbox_asked(const struct inbox *i, uint16_t packet_id);
MUST err inbox_put(struct inbox *i, uint16_t packet_id,
                   enum inbox_state state);             /* adds, or changes; ERR_MEMORY: adding only */
void inbox_remove(struct inbox *i, uint16_t packet_id); /* one that is not there is fine */
/* The connection ended: what was asked on it is answered on the next one when it is asked again. Rests, too. */
void inbox_detach(struct inbox *i);
void inbox_rest(struct inbox *i); /* gives back memory that is empty: for a session that has been idle for a while */
