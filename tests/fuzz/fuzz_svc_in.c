/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a client may send, in pieces as they come: requests with and without
 * data, short and long.  The first byte says how large the pieces are.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/os/svc_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { DATA_MAX = 100000 };

static char fuzz_buffer[SVC_IN_BYTES];
static char fuzz_data[DATA_MAX + 1];

/* Takes what is whole; false: the stream has lost its way. */
static bool
take_all(struct svc_in *in)
{
	struct svc_frame frame;

	for (;;) {
		switch (svc_in_next(in, DATA_MAX, &frame)) {
		case SVC_IN_NONE:
			return true;
		case SVC_IN_READY:
			ENSURE(frame.line_len < LIMIT_REQUEST_BYTES);
			ENSURE(
			    memchr(frame.line, '\n', frame.line_len) == NULL);
			ENSURE(frame.data_len <= DATA_MAX);
			if (frame.data != NULL)
				ENSURE(frame.data[frame.data_len] == '\n');
			svc_in_drop(in, &frame);
			break;
		case SVC_IN_GATHER:
			svc_in_gather(in, &frame, fuzz_data);
			break;
		case SVC_IN_LONG:
		case SVC_IN_BIG:
		case SVC_IN_BAD_LEN:
		case SVC_IN_NO_END:
			return false;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct svc_in in;
	size_t piece = len > 0 ? (size_t)bytes[0] * 64 + 1 : 1;
	size_t at = num_min(len, 1);

	svc_in_init(&in, fuzz_buffer);
	while (at < len) {
		size_t room;
		char *space = svc_in_space(&in, &room);
		size_t n = num_min(num_min(piece, room), len - at);

		/* After taking all there always is room for more. */
		ENSURE(room > 0);
		memcpy(space, bytes + at, n);
		svc_in_fill(&in, n);
		at += n;
		if (!take_all(&in))
			return 0;
	}
	return 0;
}
