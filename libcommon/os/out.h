/* SPDX-License-Identifier: BSD-3-Clause */
/* Records on their way to a descriptor: a write has whole ones only.
 *
 * Records that are waiting share a write.  Into a pipe a write has at most
 * PIPE_BUF bytes unless one record alone is longer, so that the records of
 * several writers do not mix.  The first failure sticks: what is put
 * afterwards is dropped, and every flush answers it.
 */
#ifndef RK_OUT_H
#define RK_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct text;

struct out {
	int fd;               /* borrowed */
	uint64_t deadline_ns; /* for writes; UINT64_MAX: none */
	int rc;               /* 0 or the first failure */
	char *bytes;
	size_t size, len;
	size_t end;   /* of the last whole record */
	size_t batch; /* of one write */
};

/* 0 or -ENOMEM. */
RK_MUST_CHECK int out_open(struct out *out, int fd);

/* What was not flushed is lost. */
void out_close(struct out *out);

/* Parts of the record at hand. */
void out_put(struct out *out, const void *bytes, size_t len);
void out_put_string(struct out *out, const char *string);
void out_put_u64(struct out *out, uint64_t value);
/* Quoted as a value of a record. */
void out_put_value(struct out *out, const void *bytes, size_t len);

/* For people: as it is, but "?" for what a terminal would obey. */
void out_put_plain(struct out *out, const void *bytes, size_t len);

/*
 * For other builders: a text of at least max bytes behind what is there, to
 * be given back with what was put into it.
 */
void out_begin_text(struct out *out, struct text *text, size_t max);
void out_end_text(struct out *out, const struct text *text);

/* The record is whole. */
void out_end(struct out *out);

/* Writes all whole records: 0 or the first failure. */
RK_MUST_CHECK int out_flush(struct out *out);

/* Its reader is gone; asks the kernel, does not wait. */
bool out_is_deserted(const struct out *out);

#endif
