/* A channel between two processes of ours: whole messages over a SOCK_SEQPACKET pair. A descriptor that is shared by
 * threads needs one asker at a time, or one channel each: answers carry no address. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum { CHANNEL_MESSAGE_MAX = 65536 }; /* bytes */

/* Gives two connected descriptors, close-on-exec and non-blocking: poll and epoll them at will. */
MUST err channel_pair(int *one_out, int *other_out);

/* Sends one message, waiting up to wait_ms (-1: for ever) while the other side does not read. ERR_AGAIN: it did not
 * in time, and nothing was sent. ERR_CLOSED: it is gone. ERR_TOO_LARGE, ERR_MALFORMED: over the bound, or empty (which
 * the other side would take for the end). */
MUST err channel_send(int fd, struct bytes message, int wait_ms);
/* Appends the next message to out. ERR_AGAIN: none came in time. ERR_CLOSED: the other side is gone and nothing is left.
 * ERR_TOO_LARGE: it does not fit into out (or is over the bound) and was thrown away. */
MUST err channel_receive(int fd, struct buffer *out, int wait_ms);
