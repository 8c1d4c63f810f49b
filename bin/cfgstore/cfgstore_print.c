/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_print.h"

#include <string.h>
#include <unistd.h>

#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_link.h"

enum { FIELD_BYTES = 64 };

/* ---- the printer ------------------------------------------------------- */

/* Whatever words they are. */
static bool
are_fields(const char *fields)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
	static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	for (;;) {
		size_t len = strspn(fields, name);

		if (len == 0 || len >= FIELD_BYTES ||
		    strspn(fields, lower) == 0 ||
		    strchr(",", fields[len]) == NULL)
			return false;
		if (fields[len] == '\0')
			return true;
		fields += len + 1;
	}
}

const char cfgstore_outcome[] = "event,rev,n,lease,key,at,store_rev";

int
cfgstore_printer_check(const struct opt_program *program, bool is_json,
    const char *fields, const char *known)
{
	if (is_json && fields != NULL)
		return opt_usage(program, "only one format can be printed");
	if (fields != NULL && known != NULL)
		return opt_check_fields(program, fields, known);
	if (fields != NULL && !are_fields(fields))
		return opt_usage(
		    program, "--fields: %s: expected names", fields);
	return 0;
}

void
cfgstore_printer_open(
    struct cfgstore_printer *printer, bool is_json, const char *fields)
{
	if (is_json)
		printer->format = CFGSTORE_JSON;
	if (fields != NULL)
		printer->format = CFGSTORE_FIELDS;
	printer->fields = fields;
	if (out_open(&printer->out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
}

void
cfgstore_printer_flush(struct cfgstore_printer *printer)
{
	int rc = out_flush(&printer->out);

	if (rc != 0)
		tool_fail_output(rc);
}

void
cfgstore_printer_close(struct cfgstore_printer *printer)
{
	cfgstore_printer_flush(printer);
	out_close(&printer->out);
}

/* ---- records ----------------------------------------------------------- */

void
cfgstore_record_drop(struct word *word, const char *key)
{
	for (size_t i = 0; i < word->pair_count; i++) {
		if (strcmp(word->pair[i].key, key) != 0)
			continue;
		word->pair_count--;
		memmove(&word->pair[i], &word->pair[i + 1],
		    (word->pair_count - i) * sizeof word->pair[0]);
		return;
	}
}

void
cfgstore_record_of(
    struct ask_line *line, const char *event, struct cfgstore_record *out)
{
	const char *old = ask_value(line, "old_len");
	uint64_t old_len = 0;

	*out = (struct cfgstore_record){ .event = event, .word = line->word };
	if (*old != '\0' &&
	    (parse_u64(old, strlen(old), 0, line->len, &old_len) != 0 ||
		!line->has_data))
		cfgstore_link_fail_protocol();
	if (*old != '\0') {
		out->old = line->data + line->len - old_len;
		out->old_len = (size_t)old_len;
	}
	/* Of what is gone there are only the old ones. */
	if (line->has_data && strcmp(event, "del") != 0) {
		out->value = line->data;
		out->len = line->len - (size_t)old_len;
	}
	cfgstore_record_drop(line->word, "old_len");
	cfgstore_record_drop(line->word, "more");
	cfgstore_record_drop(line->word, "len");
}

static void
put_pair_value(struct out *out, const struct word_pair *pair)
{
	if (pair->is_raw)
		out_put(out, pair->value, pair->len);
	else
		out_put_value(out, pair->value, pair->len);
}

/* What is too long to be told has a length in place of it. */
static void
put_length(struct out *out, const char *key, size_t len)
{
	if (len == 0)
		return;
	out_put(out, " ", 1);
	out_put_string(out, key);
	out_put(out, "=", 1);
	out_put_u64(out, len);
}

static void
put_bytes(struct out *out, const char *key, const void *bytes, size_t len)
{
	if (bytes == NULL)
		return;
	out_put(out, " ", 1);
	out_put_string(out, key);
	out_put(out, "=", 1);
	out_put_value(out, bytes, len);
}

void
cfgstore_print_record(struct out *out, const struct cfgstore_record *record)
{
	struct word *word = record->word;

	out_put_string(out, record->event);
	put_bytes(out, "key", record->key, record->key_len);
	/* Without the event, which the line calls otherwise. */
	for (size_t i = 0; i < word->pair_count; i++) {
		out_put(out, " ", 1);
		out_put_string(out, word->pair[i].key);
		out_put(out, "=", 1);
		put_pair_value(out, &word->pair[i]);
	}
	put_bytes(out, "value", record->value, record->len);
	put_bytes(out, "old", record->old, record->old_len);
	if (record->value == NULL)
		put_length(out, "len", record->len);
	if (record->old == NULL)
		put_length(out, "old_len", record->old_len);
	if (record->seq == 0)
		return;
	out_put_string(out, " seq=");
	out_put_u64(out, record->seq);
	out_put_string(out, " ts=");
	out_put_string(out, record->stamp);
}

static void
put_json(struct out *out, const struct cfgstore_record *record)
{
	static struct word none;

	/* The key stands first, as in records. */
	if (record->key != NULL) {
		record_put_json(out, "event", record->event, &none);
		record_put_json_bytes(out, "key", record->key, record->key_len);
		record_put_json_more(out, record->word);
	} else {
		record_put_json(out, "event", record->event, record->word);
	}
	if (record->value != NULL)
		record_put_json_bytes(out, "value", record->value, record->len);
	if (record->old != NULL)
		record_put_json_bytes(out, "old", record->old, record->old_len);
	if (record->seq != 0) {
		out_put_string(out, ",\"seq\":");
		out_put_u64(out, record->seq);
		record_put_json_bytes(
		    out, "ts", record->stamp, strlen(record->stamp));
	}
	out_put_string(out, "}");
}

/* ---- fields ------------------------------------------------------------ */

/* What is not a word of the line; false: it is not there. */
static bool
put_own_field(
    struct out *out, const struct cfgstore_record *record, const char *name)
{
	if (strcmp(name, "event") == 0)
		out_put_string(out, record->event);
	else if (strcmp(name, "key") == 0 && record->key != NULL)
		out_put_value(out, record->key, record->key_len);
	else if (strcmp(name, "value") == 0 && record->value != NULL)
		out_put_value(out, record->value, record->len);
	else if (strcmp(name, "len") == 0 && record->value != NULL)
		out_put_u64(out, record->len);
	else if (strcmp(name, "old") == 0 && record->old != NULL)
		out_put_value(out, record->old, record->old_len);
	else if (strcmp(name, "seq") == 0 && record->seq != 0)
		out_put_u64(out, record->seq);
	else if (strcmp(name, "ts") == 0 && record->seq != 0)
		out_put_string(out, record->stamp);
	else
		return false;
	return true;
}

static void
put_field(
    struct out *out, const struct cfgstore_record *record, const char *name)
{
	if (put_own_field(out, record, name))
		return;
	for (size_t i = 0; i < record->word->pair_count; i++)
		if (strcmp(record->word->pair[i].key, name) == 0) {
			put_pair_value(out, &record->word->pair[i]);
			return;
		}
	/* So that `set -- $line` counts right. */
	out_put_string(out, "-");
}

static void
put_fields(const struct cfgstore_printer *printer, struct out *out,
    const struct cfgstore_record *record)
{
	const char *at = printer->fields;
	char name[FIELD_BYTES];

	for (;;) {
		size_t len = strcspn(at, ",");

		memcpy(name, at, len);
		name[len] = '\0';
		put_field(out, record, name);
		if (at[len] == '\0')
			return;
		out_put(out, " ", 1);
		at += len + 1;
	}
}

/* ---- all of it --------------------------------------------------------- */

static void
put_key(struct out *out, const struct cfgstore_record *record, bool is_exact)
{
	const struct word_pair *pair = word_get(record->word, "key");

	if (pair == NULL)
		return;
	if (is_exact)
		out_put(out, pair->value, pair->len);
	else
		out_put_value(out, pair->value, pair->len);
}

void
cfgstore_print(
    struct cfgstore_printer *printer, const struct cfgstore_record *record)
{
	struct out *out = &printer->out;

	switch (printer->format) {
	case CFGSTORE_VALUE:
	case CFGSTORE_EXACT:
		out_put(out, record->value, record->len);
		break;
	case CFGSTORE_PAIR:
		put_key(out, record, false);
		out_put(out, " ", 1);
		out_put_value(out, record->value, record->len);
		break;
	case CFGSTORE_KEY:
		put_key(out, record, printer->is_null);
		break;
	case CFGSTORE_RECORD:
		cfgstore_print_record(out, record);
		break;
	case CFGSTORE_JSON:
		put_json(out, record);
		break;
	case CFGSTORE_FIELDS:
		put_fields(printer, out, record);
		break;
	}
	if (printer->format != CFGSTORE_EXACT)
		out_put(out, printer->is_null ? "" : "\n", 1);
	out_end(out);
}
