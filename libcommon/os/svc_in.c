/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests are parsed where they were read.  While long data is gathered, its
 * line alone stays in the buffer, and reading goes straight into the memory
 * for the data and stops at its end.
 */
#include "libcommon/os/svc_in.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/word.h"

void
svc_in_init(struct svc_in *in, char *bytes)
{
	*in = (struct svc_in){ .bytes = bytes };
}

char *
svc_in_space(struct svc_in *in, size_t *room)
{
	if (in->data != NULL) {
		*room = in->need - in->have;
		return in->data + in->have;
	}
	if (in->start > 0) {
		memmove(in->bytes, in->bytes + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	*room = SVC_IN_BYTES - in->end;
	return in->bytes + in->end;
}

void
svc_in_fill(struct svc_in *in, size_t len)
{
	if (in->data != NULL) {
		ENSURE(len <= in->need - in->have);
		in->have += len;
		return;
	}
	ENSURE(len <= SVC_IN_BYTES - in->end);
	in->end += len;
}

/* The data of a request that announces some; line_used: with its LF. */
static enum svc_in_result
find_data(const struct svc_in *in, size_t data_max, size_t line_used,
    struct svc_frame *out)
{
	size_t have = in->end - in->start - line_used;

	if (out->data_len > data_max)
		return SVC_IN_BIG;
	out->used = line_used;
	if (in->data != NULL) {
		out->data = in->data;
		if (in->have < in->need)
			return SVC_IN_NONE;
	} else {
		out->data = in->bytes + in->start + line_used;
		if (line_used + out->data_len + 1 > SVC_IN_BYTES)
			return SVC_IN_GATHER;
		if (have < out->data_len + 1)
			return SVC_IN_NONE;
		out->used += out->data_len + 1;
	}
	return out->data[out->data_len] == '\n' ? SVC_IN_READY : SVC_IN_NO_END;
}

enum svc_in_result
svc_in_next(const struct svc_in *in, size_t data_max, struct svc_frame *out)
{
	const char *line = in->bytes + in->start;
	size_t have = in->end - in->start;
	const char *lf = have > 0
	    ? memchr(line, '\n', num_min(have, LIMIT_REQUEST_BYTES))
	    : NULL;
	uint64_t data_len = 0;

	if (lf == NULL)
		return have >= LIMIT_REQUEST_BYTES ? SVC_IN_LONG : SVC_IN_NONE;
	*out = (struct svc_frame){ .line = line,
		.line_len = (size_t)(lf - line),
		.used = (size_t)(lf - line) + 1 };
	if (out->line_len > 0 && line[out->line_len - 1] == '\r')
		out->line_len--;
	switch (word_data_len(line, out->line_len, &data_len)) {
	case WORD_DATA_BAD:
		return SVC_IN_BAD_LEN;
	case WORD_DATA_FOLLOWS:
		out->data_len = data_len;
		return find_data(in, data_max, out->used, out);
	case WORD_DATA_NONE:
		break;
	}
	return SVC_IN_READY;
}

void
svc_in_gather(struct svc_in *in, const struct svc_frame *frame, char *data)
{
	size_t line_end = in->start + frame->used;

	ENSURE(in->data == NULL);
	in->data = data;
	in->need = frame->data_len + 1;
	in->have = in->end - line_end;
	ENSURE(in->have < in->need);
	memcpy(data, in->bytes + line_end, in->have);
	in->end = line_end;
}

void
svc_in_drop(struct svc_in *in, const struct svc_frame *frame)
{
	ENSURE(frame->used <= in->end - in->start);
	in->start += frame->used;
	in->data = NULL;
	in->have = in->need = 0;
}
