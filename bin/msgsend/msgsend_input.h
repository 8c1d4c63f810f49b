/* SPDX-License-Identifier: BSD-3-Clause */
/* What is to be sent: arguments and files, cut into messages. */
#ifndef RK_MSGSEND_INPUT_H
#define RK_MSGSEND_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum msgsend_mode {
	MSGSEND_LINES,  /* each ends in the separator, the last one may */
	MSGSEND_WHOLE,  /* all of a file is one message */
	MSGSEND_NULL,   /* each ends in a NUL, the last one may */
	MSGSEND_FRAMED, /* len=N LF, N bytes, LF */
	MSGSEND_JSON,   /* each line an object with data or data_b64 */
};

struct msgsend_source {
	const char *name;     /* for messages */
	const char *argument; /* the message itself; NULL: read fd */
	int fd;
	enum msgsend_mode mode;
};

/* Borrowed until the next msgsend_input_read. */
struct msgsend_message {
	const char *bytes;
	size_t len;
	const char *raw; /* as it stood in the input, with what ended it */
	size_t raw_len;
};

enum msgsend_input_result {
	MSGSEND_INPUT_READY,
	MSGSEND_INPUT_MORE, /* msgsend_input_read first */
	MSGSEND_INPUT_END,
	MSGSEND_INPUT_BAD, /* why says what is wrong; for good */
};

enum { MSGSEND_WHY_BYTES = 200 };

struct msgsend_input {
	const struct msgsend_source *source; /* borrowed; the one at hand */
	const struct msgsend_source *source_end;
	const char *separator; /* of lines */
	size_t separator_len;
	bool skips_empty, allows_empty;
	size_t max; /* bytes of a message */

	char *bytes; /* of the file at hand */
	size_t size, start, scanned, end;
	bool is_eof;
	uint64_t record; /* number in its source, from 1 */
	char *decoded;   /* of the last JSON record */
	size_t decoded_size;
	char why[MSGSEND_WHY_BYTES];
};

/* The fields above the gap are the caller's to set before.  0, -ENOMEM. */
RK_MUST_CHECK int msgsend_input_open(struct msgsend_input *input);
void msgsend_input_close(struct msgsend_input *input);

enum msgsend_input_result msgsend_input_next(
    struct msgsend_input *input, struct msgsend_message *out);

/* The descriptor to wait for after MORE. */
int msgsend_input_fd(const struct msgsend_input *input);

/* Reads once: 0, or -E… when that failed (also -EAGAIN). */
RK_MUST_CHECK int msgsend_input_read(struct msgsend_input *input);

#endif
