/* One file of the spool: a head, then records that carry on from its first number without a gap. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "uplink/spool.h"

/* File: "HFSPOOL1", first number (8 bytes). Record: length of the body (4), CRC-32C over length, number and body (4),
 * number (8), body: length of the topic (2), topic, payload. Network order. */
enum {
    SEGMENT_HEAD = 16,
    RECORD_HEAD = 16,
    RECORD_BODY_MAX = 2 + SPOOL_TOPIC_MAX + SPOOL_PAYLOAD_MAX,
};

struct segment {
    uint64_t first; /* number of the first record; also the file's name */
    uint64_t count; /* of good records */
    uint64_t size;  /* where the last of them ends */
};

enum { SEGMENT_NAME = 24 };
void segment_name(uint64_t first, char out[SEGMENT_NAME]);
bool segment_from_name(const char *name, uint64_t *first_out); /* false: no name of a segment */

/* Gives a descriptor for reading and writing. ERR_ABSENT: no such file. */
MUST err segment_open(int folder, uint64_t first, int *fd_out);
/* As segment_open, for a new file with its head in it. Nothing is left of it when it fails. */
MUST err segment_create(int folder, uint64_t first, int *fd_out);
/* Counts the good records of the file. ERR_MALFORMED: its head is not one. Uses `scratch` (bound RECORD_BODY_MAX). */
MUST err segment_scan(int fd, struct buffer *scratch, struct segment *s);

size_t record_size(struct bytes topic, struct bytes payload);
/* Appends the encoded record to out. */
void put_record(struct buffer *out, uint64_t number, struct bytes topic, struct bytes payload);
/* Reads the record `number` at a place into `body`, from which out borrows. ERR_ABSENT: the file ends; ERR_MALFORMED:
 * it is damaged, or another one; ERR_IO. */
MUST err record_read(int fd, uint64_t at, uint64_t number, struct buffer *body, struct spool_record *out);
/* Only how long it is, head included; for stepping over it. */
MUST err record_measure(int fd, uint64_t at, uint64_t number, uint64_t *size_out);
