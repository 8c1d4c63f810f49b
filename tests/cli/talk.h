/* SPDX-License-Identifier: BSD-3-Clause */
/* A client's end of ring.sock, for the drivers of tests. */
#ifndef RK_TALK_H
#define RK_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct talk {
	int fd; /* -1: closed */
	char *in;
	size_t at, len, room; /* what was read and not yet taken: [at, len) */
};

/* Borrowed until the next talk_fill. */
struct talk_record {
	const char *raw; /* the line with its LF, and the data with its LF */
	size_t raw_len;
	const char *line; /* without LF, not terminated */
	size_t line_len;
	const char *data; /* NULL: the line has no len= */
	size_t data_len;
};

/* Connects to RUNDIR/ring.sock; blocking.  0 or -E…. */
int talk_open(struct talk *talk, const char *rundir);
/* To RUNDIR/NAME.sock. */
int talk_open_socket(struct talk *talk, const char *rundir, const char *name);
/* May be called twice. */
void talk_close(struct talk *talk);

/* Writes it all, waiting if it must: 0 or -E…. */
int talk_send(struct talk *talk, const void *bytes, size_t len);

/* Reads what is there, waiting for something: >0, 0 at the end, -E…. */
long talk_fill(struct talk *talk);

/* Takes the next whole record; false: talk_fill first. */
bool talk_next(struct talk *talk, struct talk_record *record);

/* Does the line begin with these words? */
bool talk_is(const struct talk_record *record, const char *words);

/*
 * The value of key in the line, as it is written, copied and terminated;
 * false when it is not there or does not fit.
 */
bool talk_word(
    const struct talk_record *record, const char *key, char *out, size_t size);
/* The same, as a number; fallback when there is none. */
uint64_t talk_number(
    const struct talk_record *record, const char *key, uint64_t fallback);

#endif
