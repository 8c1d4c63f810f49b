/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_lock.h"
#include "bin/cfgstore/cfgstore_print.h"

enum { SHOWN_BYTES = 512 };

struct cfgstore_how cfgstore_how;

bool
cfgstore_write_is_ttl(const char *arg, size_t len)
{
	uint64_t ttl_ns;

	return parse_duration(arg, len, &ttl_ns) == 0 &&
	    ttl_ns >= 100 * CLOCK_MS_NS &&
	    ttl_ns <= 365 * UINT64_C(86400) * CLOCK_S_NS;
}

bool
cfgstore_how_durability(const char *arg)
{
	cfgstore_how.is_memory = strcmp(arg, "memory") == 0;
	return cfgstore_how.is_memory || strcmp(arg, "disk") == 0;
}

bool
cfgstore_how_lock(const char *arg)
{
	cfgstore_how.has_lock = true;
	cfgstore_how.lock = arg;
	return cfgstore_lock_is_valid(arg);
}

/* ---- building ---------------------------------------------------------- */

void
cfgstore_write_clear(struct cfgstore_write *write)
{
	for (size_t i = 0; i < write->condition_count; i++)
		free(write->condition[i].key);
	free(write->condition);
	cfgstore_bytes_free(&write->conditions);
	cfgstore_bytes_free(&write->grant);
	cfgstore_bytes_free(&write->changes);
	*write = (struct cfgstore_write){ .condition = NULL };
}

static void
put_word(struct cfgstore_bytes *line, const char *word,
    const struct cfgstore_bytes *value)
{
	cfgstore_bytes_put_string(line, word);
	cfgstore_bytes_put_value(line, value->at, value->len);
}

/* " len=N", the end of the line, and the bytes. */
static void
put_data(struct cfgstore_bytes *line, const struct cfgstore_bytes *value)
{
	cfgstore_bytes_put_string(line, " len=");
	cfgstore_bytes_put_u64(line, value->len);
	cfgstore_bytes_put_string(line, "\n");
	cfgstore_bytes_put(line, value->at, value->len);
	cfgstore_bytes_put_string(line, "\n");
}

static void
keep(struct cfgstore_write *write, const struct cfgstore_condition *condition)
{
	struct cfgstore_condition *kept = realloc(write->condition,
	    (write->condition_count + 1) * sizeof *write->condition);
	char *key = malloc(condition->key_len + 1);

	if (kept == NULL || key == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	memcpy(key, condition->key, condition->key_len);
	write->condition = kept;
	kept += write->condition_count++;
	*kept = *condition;
	kept->key = key;
}

void
cfgstore_write_if(struct cfgstore_write *write,
    const struct cfgstore_condition *condition,
    const struct cfgstore_bytes *value)
{
	struct cfgstore_bytes *line = &write->conditions;

	keep(write, condition);
	cfgstore_bytes_put_string(line, "if key=");
	cfgstore_bytes_put_value(line, condition->key, condition->key_len);
	switch (condition->kind) {
	case CFGSTORE_IF_VALUE:
		put_data(line, value);
		return;
	case CFGSTORE_IF_EXISTS:
		cfgstore_bytes_put_string(line, " exists=yes");
		break;
	case CFGSTORE_IF_REV:
	case CFGSTORE_IF_LOCK:
		if (condition->rev == 0) {
			cfgstore_bytes_put_string(line, " absent=yes");
			break;
		}
		cfgstore_bytes_put_string(line, " rev=");
		cfgstore_bytes_put_u64(line, condition->rev);
		break;
	}
	cfgstore_bytes_put_string(line, "\n");
}

void
cfgstore_write_grant(struct cfgstore_write *write, const char *ttl)
{
	const struct cfgstore_bytes value = { .at = strdup(ttl),
		.len = strlen(ttl) };

	if (value.at == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	put_word(&write->grant, "grant ttl=", &value);
	cfgstore_bytes_put_string(&write->grant, "\n");
	free(value.at);
}

void
cfgstore_write_put(struct cfgstore_write *write,
    const struct cfgstore_bytes *key, const struct cfgstore_bytes *value,
    const char *lease)
{
	put_word(&write->changes, "put key=", key);
	if (lease != NULL) {
		cfgstore_bytes_put_string(&write->changes, " lease=");
		cfgstore_bytes_put_string(&write->changes, lease);
	}
	put_data(&write->changes, value);
	write->change_count++;
}

void
cfgstore_write_del(
    struct cfgstore_write *write, const struct cfgstore_bytes *key)
{
	put_word(&write->changes, "del key=", key);
	cfgstore_bytes_put_string(&write->changes, "\n");
	write->change_count++;
}

void
cfgstore_write_del_prefix(
    struct cfgstore_write *write, const struct cfgstore_bytes *prefix)
{
	put_word(&write->changes, "del prefix=", prefix);
	cfgstore_bytes_put_string(&write->changes, "\n");
	write->change_count++;
}

size_t
cfgstore_write_bytes(const struct cfgstore_write *write)
{
	return write->conditions.len + write->grant.len + write->changes.len;
}

/* ---- what did not hold ------------------------------------------------- */

static const struct cfgstore_condition *
find_condition(const struct cfgstore_write *write, struct ask_line *line)
{
	const struct word_pair *key = word_get(line->word, "key");
	const char *at = ask_value(line, "at");
	uint64_t number;

	/* By its place, or else the first about that key. */
	if (parse_u64(at, strlen(at), 1, write->condition_count, &number) == 0)
		return &write->condition[number - 1];
	for (size_t i = 0; key != NULL && i < write->condition_count; i++) {
		const struct cfgstore_condition *c = &write->condition[i];

		if (c->key_len == key->len &&
		    memcmp(c->key, key->value, key->len) == 0)
			return c;
	}
	return NULL;
}

/* "rev is 42", "it is absent" */
static void
put_found(struct text *text, uint64_t rev)
{
	text_put(text, rev == 0 ? "is absent" : "rev is ");
	if (rev > 0)
		text_put_u64(text, rev);
}

static void
put_wanted(struct text *text, const struct cfgstore_condition *c, uint64_t rev)
{
	switch (c->kind) {
	case CFGSTORE_IF_REV:
		text_put(text, c->rev == 0 ? ", wanted none" : ", wanted ");
		if (c->rev > 0)
			text_put_u64(text, c->rev);
		break;
	case CFGSTORE_IF_VALUE:
		text_put(text, rev == 0 ? "" : ", the value is another");
		break;
	case CFGSTORE_IF_LOCK:
		text_put(text, ": the lock is not held with token ");
		text_put_u64(text, c->rev);
		break;
	case CFGSTORE_IF_EXISTS:
		break;
	}
}

static void
say_conflict(const struct cfgstore_write *write, struct ask_line *line)
{
	const struct cfgstore_condition *c = find_condition(write, line);
	uint64_t rev = cfgstore_link_u64(line, "rev");
	char bytes[SHOWN_BYTES];
	struct text text;

	if (c == NULL)
		cfgstore_link_fail_protocol();
	text_init(&text, bytes, sizeof bytes);
	if (c->line > 0) {
		text_put(&text, "line ");
		text_put_u64(&text, c->line);
		text_put(&text, ": ");
	}
	text_put_value(&text, c->key, c->key_len);
	text_put(&text, ": ");
	put_found(&text, rev);
	put_wanted(&text, c, rev);
	tool_warn("%s", bytes);
}

/* ---- sending ----------------------------------------------------------- */

static void
send_txn(struct cfgstore_write *write, struct cfgstore_link *link)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct text line;

	cfgstore_link_begin(link, true);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "txn");
	if (cfgstore_how.is_memory)
		text_put(&line, " durability=memory");
	cfgstore_link_put_timeout(link, &line);
	text_put(&line, " len=");
	text_put_u64(&line, cfgstore_write_bytes(write));
	cfgstore_link_put_line(link, &line);
	cfgstore_link_put(link, write->conditions.at, write->conditions.len);
	cfgstore_link_put(link, write->grant.at, write->grant.len);
	cfgstore_link_put(link, write->changes.at, write->changes.len);
	cfgstore_link_put(link, "\n", 1);
}

bool
cfgstore_write_send(struct cfgstore_write *write, struct cfgstore_link *link,
    struct ask_line *line)
{
	if (cfgstore_how.has_lock)
		cfgstore_lock_put(write, link, cfgstore_how.lock);
	send_txn(write, link);
	link->takes_long = write->takes_long;
	if (cfgstore_link_next(link, line) == ASK_OK)
		return true;
	write->is_long = line->kind == ASK_ERR;
	if (write->is_long)
		return false;
	if (write->is_silent)
		return false;
	if (cfgstore_link_is_no(line, "conflict"))
		say_conflict(write, line);
	else if (cfgstore_link_is_no(line, "nolease"))
		tool_warn("there is no such lease");
	else
		cfgstore_link_fail_protocol();
	return false;
}

void
cfgstore_write_show(
    struct ask_line *line, bool is_done, bool is_json, const char *fields)
{
	struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };
	struct cfgstore_record record;

	if (!is_json && fields == NULL && is_done && opt_verbosity() > 0)
		fields = "rev";
	if (!is_json && fields == NULL)
		return;
	cfgstore_printer_open(&printer, is_json, fields);
	cfgstore_record_of(
	    line, is_done ? "done" : ask_value(line, "code"), &record);
	cfgstore_record_drop(record.word, "code");
	cfgstore_print(&printer, &record);
	cfgstore_printer_close(&printer);
}
