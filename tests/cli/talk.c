/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/cli/talk.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"

enum { ROOM = 1 << 16, WORD_BYTES = 64 };

int
talk_open(struct talk *talk, const char *rundir)
{
	return talk_open_socket(talk, rundir, "ring");
}

int
talk_open_socket(struct talk *talk, const char *rundir, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n = snprintf(
	    addr.sun_path, sizeof addr.sun_path, "%s/%s.sock", rundir, name);

	*talk = (struct talk){ .fd = -1 };
	if (n < 0 || (size_t)n >= sizeof addr.sun_path)
		return -ENAMETOOLONG;
	talk->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (talk->fd < 0)
		return -errno;
	if (connect(talk->fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
		int rc = -errno;

		talk_close(talk);
		return rc;
	}
	talk->room = ROOM;
	talk->in = malloc(talk->room);
	ENSURE(talk->in != NULL);
	return 0;
}

void
talk_close(struct talk *talk)
{
	if (talk->fd >= 0)
		close(talk->fd);
	free(talk->in);
	*talk = (struct talk){ .fd = -1 };
}

int
talk_send(struct talk *talk, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(talk->fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

long
talk_fill(struct talk *talk)
{
	ssize_t n;

	if (talk->at > 0) {
		memmove(talk->in, talk->in + talk->at, talk->len - talk->at);
		talk->len -= talk->at;
		talk->at = 0;
	}
	if (talk->len == talk->room) {
		talk->room *= 2;
		talk->in = realloc(talk->in, talk->room);
		ENSURE(talk->in != NULL);
	}
	n = recv(talk->fd, talk->in + talk->len, talk->room - talk->len, 0);
	if (n < 0)
		return -errno;
	talk->len += (size_t)n;
	return (long)n;
}

/* The length that the last word of the line announces; false: no len=. */
static bool
announces_data(const char *line, size_t len, size_t *data_len)
{
	size_t at = len;

	while (at > 0 && line[at - 1] != ' ')
		at--;
	if (len - at < 5 || memcmp(line + at, "len=", 4) != 0)
		return false;
	*data_len = strtoul(line + at + 4, NULL, 10);
	return true;
}

bool
talk_next(struct talk *talk, struct talk_record *record)
{
	const char *from = talk->in + talk->at;
	size_t have = talk->len - talk->at;
	const char *lf = memchr(from, '\n', have);

	if (lf == NULL)
		return false;
	*record = (struct talk_record){
		.raw = from, .line = from, .line_len = (size_t)(lf - from)
	};
	record->raw_len = record->line_len + 1;
	if (announces_data(from, record->line_len, &record->data_len)) {
		record->data = lf + 1;
		record->raw_len += record->data_len + 1;
	}
	if (record->raw_len > have)
		return false;
	talk->at += record->raw_len;
	return true;
}

bool
talk_is(const struct talk_record *record, const char *words)
{
	size_t len = strlen(words);

	return record->line_len >= len &&
	    memcmp(record->line, words, len) == 0 &&
	    (record->line_len == len || record->line[len] == ' ');
}

bool
talk_word(
    const struct talk_record *record, const char *key, char *out, size_t size)
{
	const char *at = record->line, *end = at + record->line_len;
	size_t key_len = strlen(key);

	while (at < end) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		const char *word_end = blank != NULL ? blank : end;
		size_t len = (size_t)(word_end - at);

		if (len > key_len && at[key_len] == '=' &&
		    memcmp(at, key, key_len) == 0) {
			len -= key_len + 1;
			if (len >= size)
				return false;
			memcpy(out, at + key_len + 1, len);
			out[len] = '\0';
			return true;
		}
		at = word_end + 1;
	}
	return false;
}

uint64_t
talk_number(
    const struct talk_record *record, const char *key, uint64_t fallback)
{
	char word[WORD_BYTES], *rest;
	uint64_t number;

	if (!talk_word(record, key, word, sizeof word))
		return fallback;
	number = strtoull(word, &rest, 10);
	return rest == word || *rest != '\0' ? fallback : number;
}
