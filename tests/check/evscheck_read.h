/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads recordings: `msgcat --json`, or ring.sock itself, record by record. */
#ifndef RK_EVSCHECK_READ_H
#define RK_EVSCHECK_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { EVSCHECK_FIELDS = 64 };

struct evscheck_field {
	const char *key;
	const char *value; /* decoded; a list is joined with commas */
	size_t len;        /* of value, which may hold NUL */
};

/* Borrowed until the next record is read. */
struct evscheck_record {
	const char *event; /* "msg", "view", …; "ringkit": a greeting */
	size_t count;
	struct evscheck_field field[EVSCHECK_FIELDS];
};

struct evscheck_reader {
	FILE *file; /* borrowed */
	uint64_t line;
	bool is_cut;     /* the file ended inside a record */
	const char *why; /* what is wrong with a malformed record */
	char *text;
	size_t text_room;
	char *data; /* that followed a line of ring.sock */
	size_t data_room;
};

enum evscheck_read {
	EVSCHECK_READ_RECORD,
	EVSCHECK_READ_END,
	EVSCHECK_READ_BAD,
};

void evscheck_read_init(struct evscheck_reader *reader, FILE *file);
void evscheck_read_fini(struct evscheck_reader *reader);

/*
 * The next record.  A line that is '{' is JSON; any other is a line of
 * ring.sock, of which replies are passed over.  A last line without LF, or
 * with too little data behind it, is what a killed process leaves: END.
 */
enum evscheck_read evscheck_read_next(
    struct evscheck_reader *reader, struct evscheck_record *record);

/* NULL when there is no such field. */
const struct evscheck_field *evscheck_read_field(
    const struct evscheck_record *record, const char *key);
/* "" when there is no such field. */
const char *evscheck_read_text(
    const struct evscheck_record *record, const char *key);

/* Decodes in place; false: not base64, and field is as it was. */
bool evscheck_read_base64(char *text, size_t *len);

/*
 * One JSON object in line, which is overwritten.  Strict, but for the values
 * of lists of lists and objects, which are passed over.  NULL, or what is
 * wrong.
 */
const char *evscheck_json(char *line, struct evscheck_record *record);

#endif
