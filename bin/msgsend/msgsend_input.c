/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/msgsend/msgsend_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/json.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

enum {
	READ_BYTES = 262144,
	HEADER_BYTES = 65536, /* of a frame or an event among frames */
};

int
msgsend_input_open(struct msgsend_input *input)
{
	input->bytes = malloc(READ_BYTES);
	input->size = READ_BYTES;
	return input->bytes != NULL ? 0 : -ENOMEM;
}

void
msgsend_input_close(struct msgsend_input *input)
{
	free(input->bytes);
	free(input->decoded);
	input->bytes = input->decoded = NULL;
}

int
msgsend_input_fd(const struct msgsend_input *input)
{
	return input->source->fd;
}

static enum msgsend_input_result
bad(struct msgsend_input *input, const char *what)
{
	/* A message has one source; a record of it is named by its number. */
	if (input->source->argument == NULL &&
	    input->source->mode != MSGSEND_WHOLE)
		snprintf(input->why, sizeof input->why, "%s:%llu: %s",
		    input->source->name, (unsigned long long)input->record + 1,
		    what);
	else
		snprintf(input->why, sizeof input->why, "%s: %s",
		    input->source->name, what);
	return MSGSEND_INPUT_BAD;
}

/* The most that a record may take before it ends. */
static size_t
record_max(const struct msgsend_input *input)
{
	switch (input->source->mode) {
	case MSGSEND_JSON:
		return JSON_STRING_GROWTH * input->max + HEADER_BYTES;
	case MSGSEND_FRAMED:
		return input->max + HEADER_BYTES;
	case MSGSEND_LINES:
	case MSGSEND_WHOLE:
	case MSGSEND_NULL:
		break;
	}
	return input->max + input->separator_len;
}

/* ---- bytes ------------------------------------------------------------- */

static int
make_room(struct msgsend_input *input)
{
	size_t have = input->end - input->start;
	char *grown;

	if (input->size - input->end >= READ_BYTES / 2)
		return 0;
	if (have > 0)
		memmove(input->bytes, input->bytes + input->start, have);
	input->scanned -= input->start;
	input->start = 0;
	input->end = have;
	if (input->size - have >= READ_BYTES / 2)
		return 0;
	grown = realloc(input->bytes, 2 * input->size);
	if (grown == NULL)
		return -ENOMEM;
	input->bytes = grown;
	input->size *= 2;
	return 0;
}

int
msgsend_input_read(struct msgsend_input *input)
{
	int rc = make_room(input);
	ssize_t n;

	if (rc < 0)
		return rc;
	n = read(input->source->fd, input->bytes + input->end,
	    input->size - input->end);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		input->is_eof = true;
	input->end += (size_t)n;
	return 0;
}

static void
next_source(struct msgsend_input *input)
{
	input->source++;
	input->start = input->scanned = input->end = 0;
	input->is_eof = false;
	input->record = 0;
}

/* The first separator in what was not searched yet, or NULL. */
static char *
find_end(struct msgsend_input *input, const char *separator, size_t len)
{
	char *from = input->bytes + input->scanned, *found;
	size_t left = input->end - input->scanned;

	found = left == 0 ? NULL
	    : len == 1    ? memchr(from, separator[0], left)
			  : memmem(from, left, separator, len);
	if (found == NULL && left >= len)
		/* It may have begun. */
		input->scanned = input->end - (len - 1);
	return found;
}

/*
 * A record up to its separator, or up to the end of the file.  READY takes
 * it; END means that the file is.
 */
static enum msgsend_input_result
take_until(struct msgsend_input *input, const char *separator, size_t len,
    struct msgsend_message *out)
{
	char *start = input->bytes + input->start;
	char *found = find_end(input, separator, len);
	size_t have = input->end - input->start;

	if (found == NULL && have > record_max(input))
		return bad(input, "too long");
	if (found == NULL && !input->is_eof)
		return MSGSEND_INPUT_MORE;
	if (found == NULL && have == 0)
		return MSGSEND_INPUT_END;
	out->bytes = out->raw = start;
	out->len = found != NULL ? (size_t)(found - start) : have;
	out->raw_len = found != NULL ? out->len + len : have;
	input->start += out->raw_len;
	input->scanned = input->start;
	return MSGSEND_INPUT_READY;
}

/* ---- modes ------------------------------------------------------------- */

static enum msgsend_input_result
next_line(struct msgsend_input *input, struct msgsend_message *out)
{
	enum msgsend_input_result result =
	    take_until(input, input->separator, input->separator_len, out);

	if (result == MSGSEND_INPUT_READY && out->len > 0 &&
	    memchr(out->bytes, '\0', out->len) != NULL)
		return bad(input,
		    "binary input, a NUL in a line: use -w, -0 or --framed");
	return result;
}

static enum msgsend_input_result
next_whole(struct msgsend_input *input, struct msgsend_message *out)
{
	size_t have = input->end - input->start;

	if (have > input->max)
		return bad(input, "too long");
	if (!input->is_eof)
		return MSGSEND_INPUT_MORE;
	if (input->record > 0)
		return MSGSEND_INPUT_END;
	if (have == 0 && !input->allows_empty)
		return bad(input, "empty input, use --allow-empty to send it");
	*out =
	    (struct msgsend_message){ input->bytes, have, input->bytes, have };
	input->start = input->end;
	return MSGSEND_INPUT_READY;
}

/* What msgcat --framed tells between frames. */
static bool
is_event(const char *line, size_t len)
{
	static const char *const words[] = { "gap ", "down ", "up " };

	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (len >= strlen(words[i]) &&
		    memcmp(line, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* A frame's first line gave its length. */
static enum msgsend_input_result
take_frame(struct msgsend_input *input, size_t header_len, uint64_t len,
    struct msgsend_message *out)
{
	const char *start = input->bytes + input->start;
	size_t whole = header_len + len + 1;

	if (input->end - input->start < whole)
		return input->is_eof ? bad(input, "cut off")
				     : MSGSEND_INPUT_MORE;
	if (start[whole - 1] != '\n')
		return bad(input, "no line feed after the data");
	*out =
	    (struct msgsend_message){ start + header_len, len, start, whole };
	input->start += whole;
	input->scanned = input->start;
	return MSGSEND_INPUT_READY;
}

static enum msgsend_input_result
next_frame(struct msgsend_input *input, struct msgsend_message *out)
{
	static const char key[] = "len=";
	const size_t key_len = sizeof key - 1;

	for (;;) {
		const char *start = input->bytes + input->start;
		size_t have = input->end - input->start, line_len;
		const char *lf = have > 0 ? memchr(start, '\n', have) : NULL;
		uint64_t len;

		if (lf == NULL && have > HEADER_BYTES)
			return bad(input, "not a frame, expected len=N");
		if (lf == NULL && !input->is_eof)
			return MSGSEND_INPUT_MORE;
		if (lf == NULL)
			return have == 0 ? MSGSEND_INPUT_END
					 : bad(input, "cut off");
		line_len = (size_t)(lf - start);
		if (is_event(start, line_len)) {
			input->start += line_len + 1;
			continue;
		}
		if (line_len <= key_len || memcmp(start, key, key_len) != 0 ||
		    parse_u64(start + key_len, line_len - key_len, 0,
			UINT64_MAX, &len) != 0)
			return bad(input, "not a frame, expected len=N");
		if (len > input->max)
			return bad(input, "too long");
		return take_frame(input, line_len + 1, len, out);
	}
}

/* Room for a decoded string; the input stays as it is, for --tee. */
static bool
grow_decoded(struct msgsend_input *input, size_t len)
{
	char *grown;

	if (len <= input->decoded_size)
		return true;
	grown = realloc(input->decoded, len);
	if (grown == NULL)
		return false;
	input->decoded = grown;
	input->decoded_size = len;
	return true;
}

static enum msgsend_input_result
next_json(struct msgsend_input *input, struct msgsend_message *out)
{
	enum msgsend_input_result result = take_until(input, "\n", 1, out);
	struct json_value value;
	bool is_base64;
	int rc;

	if (result != MSGSEND_INPUT_READY)
		return result;
	rc = json_find(out->bytes, out->len, "data", &value);
	is_base64 = rc == JSON_E_ABSENT;
	if (is_base64)
		rc = json_find(out->bytes, out->len, "data_b64", &value);
	if (rc == JSON_E_SYNTAX)
		return bad(input, "not a JSON object");
	if (rc != 0 || !value.is_string)
		return bad(input, "expected a string named data or data_b64");
	if (!grow_decoded(input, value.len + 1))
		return bad(input, "out of memory");
	memcpy(input->decoded, value.bytes, value.len);
	if (!(is_base64 ? json_undo_base64 : json_undo_string)(
		input->decoded, &value.len))
		return bad(input, "bad data");
	out->bytes = input->decoded;
	out->len = value.len;
	return MSGSEND_INPUT_READY;
}

static enum msgsend_input_result
next_argument(struct msgsend_input *input, struct msgsend_message *out)
{
	const char *bytes = input->source->argument;
	size_t len = strlen(bytes);

	if (input->record > 0)
		return MSGSEND_INPUT_END;
	*out = (struct msgsend_message){ bytes, len, bytes, len };
	return MSGSEND_INPUT_READY;
}

static enum msgsend_input_result
next_of_source(struct msgsend_input *input, struct msgsend_message *out)
{
	if (input->source->argument != NULL)
		return next_argument(input, out);
	switch (input->source->mode) {
	case MSGSEND_LINES:
		return next_line(input, out);
	case MSGSEND_WHOLE:
		return next_whole(input, out);
	case MSGSEND_NULL:
		return take_until(input, "", 1, out);
	case MSGSEND_FRAMED:
		return next_frame(input, out);
	case MSGSEND_JSON:
		return next_json(input, out);
	}
	return MSGSEND_INPUT_END;
}

enum msgsend_input_result
msgsend_input_next(struct msgsend_input *input, struct msgsend_message *out)
{
	while (input->source < input->source_end) {
		enum msgsend_input_result result = next_of_source(input, out);

		if (result == MSGSEND_INPUT_END) {
			next_source(input);
			continue;
		}
		if (result != MSGSEND_INPUT_READY)
			return result;
		if (out->len > input->max)
			return bad(input, "too long");
		input->record++;
		if (out->len > 0 || !input->skips_empty)
			return MSGSEND_INPUT_READY;
	}
	return MSGSEND_INPUT_END;
}
