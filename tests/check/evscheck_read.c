/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/check/evscheck_read.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"

enum { DATA_MAX = 64 << 20 };

void
evscheck_read_init(struct evscheck_reader *reader, FILE *file)
{
	*reader = (struct evscheck_reader){ .file = file };
}

void
evscheck_read_fini(struct evscheck_reader *reader)
{
	free(reader->text);
	free(reader->data);
}

const struct evscheck_field *
evscheck_read_field(const struct evscheck_record *record, const char *key)
{
	for (size_t i = 0; i < record->count; i++)
		if (strcmp(record->field[i].key, key) == 0)
			return &record->field[i];
	return NULL;
}

const char *
evscheck_read_text(const struct evscheck_record *record, const char *key)
{
	const struct evscheck_field *field = evscheck_read_field(record, key);
	return field != NULL ? field->value : "";
}

/* ---- base64 ----------------------------------------------------------------
 */

static int
base64_digit(char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c == '\0' ? NULL : strchr(digits, c);
	return found == NULL ? -1 : (int)(found - digits);
}

bool
evscheck_read_base64(char *text, size_t *len)
{
	size_t digits = *len;
	if (digits % 4 != 0)
		return false;
	while (digits > 0 && *len - digits < 2 && text[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (base64_digit(text[i]) < 0)
			return false;
	uint32_t bits = 0;
	size_t out = 0;
	for (size_t i = 0; i < digits; i++) {
		bits = bits << 6 | (uint32_t)base64_digit(text[i]);
		if (i % 4 != 0)
			text[out++] = (char)(bits >> (6 - i % 4 * 2));
	}
	*len = out;
	return true;
}

/* ---- lines of ring.sock
 * ------------------------------------------------------ */

/* After a backslash; *c is what it stands for.  NULL: an unknown escape. */
static const char *
escape(const char *at, char *c)
{
	static const char from[] = "\\ntr";
	static const char into[] = "\\\n\t\r";
	const char *found = *at == '\0' ? NULL : strchr(from, *at);
	if (found != NULL) {
		*c = into[found - from];
		return at + 1;
	}
	if (*at != '0' || strspn(at + 1, "01234567") < 3)
		return NULL;
	*c = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
	return at + 4;
}

/* Undoes the escapes of a record's value in place. */
static bool
unescape(char *text, size_t *len)
{
	char *to = text;
	const char *at = text;
	while (*at != '\0') {
		char c = *at++;
		if (c == '\\' && (at = escape(at, &c)) == NULL)
			return false;
		*to++ = c;
	}
	*to = '\0';
	*len = (size_t)(to - text);
	return true;
}

static const char *
word_field(char *word, struct evscheck_record *record)
{
	char *value = strchr(word, '=');
	if (value == NULL)
		return NULL; /* a word of another kind */
	if (record->count == EVSCHECK_FIELDS)
		return "too many fields";
	*value++ = '\0';
	if (evscheck_read_field(record, word) != NULL)
		return "a field twice";
	struct evscheck_field *field = &record->field[record->count];
	field->key = word;
	field->value = value;
	if (!unescape(value, &field->len))
		return "an unknown escape";
	record->count++;
	return NULL;
}

/* "ev ID KIND k=v …", "ringkit k=v …"; replies become the event "". */
static const char *
words(char *line, struct evscheck_record *record)
{
	char *rest = NULL;
	char *word = strtok_r(line, " ", &rest);
	record->count = 0;
	record->event = "";
	if (word == NULL)
		return NULL;
	if (strcmp(word, "ev") == 0) {
		word = strtok_r(NULL, " ", &rest);
		word = word == NULL ? NULL : strtok_r(NULL, " ", &rest);
		if (word == NULL)
			return "an event without a kind";
		record->event = word;
	} else if (strcmp(word, "ringkit") == 0) {
		record->event = word;
	}
	while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
		const char *why = word_field(word, record);
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* The len= bytes and the LF that follow a line whose last word is len=. */
static enum evscheck_read
read_data(struct evscheck_reader *reader, struct evscheck_record *record)
{
	if (record->count == 0 || record->count == EVSCHECK_FIELDS)
		return EVSCHECK_READ_RECORD;
	const struct evscheck_field *last = &record->field[record->count - 1];
	if (strcmp(last->key, "len") != 0)
		return EVSCHECK_READ_RECORD;
	char *end;
	unsigned long long len = strtoull(last->value, &end, 10);
	if (end == last->value || *end != '\0' || len > DATA_MAX) {
		reader->why = "len= is no length";
		return EVSCHECK_READ_BAD;
	}
	if (len + 1 > reader->data_room) {
		reader->data = realloc(reader->data, len + 1);
		ENSURE(reader->data != NULL);
		reader->data_room = len + 1;
	}
	if (fread(reader->data, 1, len + 1, reader->file) != len + 1) {
		reader->is_cut = true;
		return EVSCHECK_READ_END;
	}
	if (reader->data[len] != '\n') {
		reader->why = "no LF after the data";
		return EVSCHECK_READ_BAD;
	}
	for (size_t i = 0; i <= len; i++)
		reader->line += reader->data[i] == '\n';
	record->field[record->count++] =
	    (struct evscheck_field){ "data", reader->data, len };
	return EVSCHECK_READ_RECORD;
}

/* ---- a record
 * ---------------------------------------------------------------- */

static enum evscheck_read
parse(struct evscheck_reader *reader, struct evscheck_record *record)
{
	bool is_json = reader->text[0] == '{';
	reader->why = is_json ? evscheck_json(reader->text, record)
			      : words(reader->text, record);
	if (reader->why != NULL)
		return EVSCHECK_READ_BAD;
	return is_json ? EVSCHECK_READ_RECORD : read_data(reader, record);
}

enum evscheck_read
evscheck_read_next(
    struct evscheck_reader *reader, struct evscheck_record *record)
{
	ssize_t len = getline(&reader->text, &reader->text_room, reader->file);
	if (len < 0)
		return EVSCHECK_READ_END;
	if (reader->text[len - 1] != '\n') {
		reader->is_cut = true;
		return EVSCHECK_READ_END;
	}
	reader->line++;
	reader->text[--len] = '\0';
	if (len > 0 && reader->text[len - 1] == '\r')
		reader->text[--len] = '\0';
	if (strlen(reader->text) != (size_t)len) {
		reader->why = "a NUL in a line";
		return EVSCHECK_READ_BAD;
	}
	return parse(reader, record);
}
