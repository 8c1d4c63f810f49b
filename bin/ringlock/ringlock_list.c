/* SPDX-License-Identifier: BSD-3-Clause */
/* Who holds what: the keys of locks as this node's replica knows them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

#include "bin/ringlock/ringlock.h"

enum { KEY_BYTES = 512 };

struct list {
	struct ask *ask;
	struct out out;
	const char *name; /* NULL: all locks */
	bool is_json;
	uint64_t deadline_ns;
	unsigned held;
	int code; /* of a refusal */
	char last[KEY_BYTES + 1];
	size_t last_len;
	char rev[24];
};

/* lock/NAME/slot/I or lock/NAME/wait/PRIO/LEASE, read from behind. */
struct found {
	const char *name;
	size_t name_len;
	const char *place; /* slot's number, or priority */
	size_t place_len;
	bool is_held;
};

/* The start of the last part of bytes. */
static size_t
last_part(const char *bytes, size_t len)
{
	while (len > 0 && bytes[len - 1] != '/')
		len--;
	return len;
}

static bool
ends_in(const char *bytes, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	return len > word_len &&
	    memcmp(bytes + len - word_len, word, word_len) == 0;
}

static bool
read_key(const char *key, size_t len, struct found *out)
{
	size_t at = last_part(key, len), place_end = len;

	if (at > 0 && !ends_in(key, at, "/slot/")) {
		place_end = at - 1;
		at = last_part(key, place_end);
	}
	out->is_held = place_end == len;
	if (!ends_in(key, at, out->is_held ? "/slot/" : "/wait/") ||
	    at < strlen("lock/x/slot/") || memcmp(key, "lock/", 5) != 0)
		return false;
	out->place = key + at;
	out->place_len = place_end - at;
	out->name = key + 5;
	out->name_len = at - strlen("/slot/") - 5;
	return true;
}

/* ---- printing ---------------------------------------------------------- */

static void
put_text(struct list *list, const char *key, const void *bytes, size_t len)
{
	if (list->is_json) {
		record_put_json_bytes(&list->out, key, bytes, len);
		return;
	}
	out_put_string(&list->out, " ");
	out_put_string(&list->out, key);
	out_put_string(&list->out, "=");
	out_put_value(&list->out, bytes, len);
}

static void
put_number(struct list *list, const char *key, const char *bytes, size_t len)
{
	out_put_string(&list->out, list->is_json ? ",\"" : " ");
	out_put_string(&list->out, key);
	out_put_string(&list->out, list->is_json ? "\":" : "=");
	out_put(&list->out, bytes, len);
}

static void
put_found(
    struct list *list, const struct found *found, const struct ask_line *line)
{
	const char *token = ask_value(line, found->is_held ? "rev" : "created");
	const char *by = ask_value(line, "by");

	out_put_string(
	    &list->out, list->is_json ? "{\"v\":1,\"event\":\"" : "");
	out_put_string(&list->out, found->is_held ? "held" : "waits");
	out_put_string(&list->out, list->is_json ? "\"" : "");
	put_text(list, "name", found->name, found->name_len);
	put_number(list, found->is_held ? "slot" : "prio", found->place,
	    found->place_len);
	put_number(
	    list, found->is_held ? "token" : "rev", token, strlen(token));
	put_number(list, "node", by, strlen(by));
	put_text(list, "value", line->data, line->len);
	out_put_string(&list->out, list->is_json ? "}\n" : "\n");
	out_end(&list->out);
}

/* ---- asking ------------------------------------------------------------ */

static void
take_item(struct list *list, struct ask_line *line)
{
	const struct word_pair *key = word_get(line->word, "key");
	struct found found;

	if (key == NULL || key->len > KEY_BYTES)
		return;
	memcpy(list->last, key->value, key->len);
	list->last_len = key->len;
	if (!read_key(key->value, key->len, &found) ||
	    (list->name != NULL &&
		(!found.is_held || found.name_len != strlen(list->name) ||
		    memcmp(found.name, list->name, found.name_len) != 0)))
		return;
	list->held += found.is_held;
	put_found(list, &found, line);
}

/* Requests the page behind the last key. */
static int
put_request(struct list *list)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "list prefix=lock/");
	if (list->name != NULL) {
		text_put_value(&text, list->name, strlen(list->name));
		text_put(&text, "/slot/");
	}
	if (list->last_len > 0) {
		text_put(&text, " at=");
		text_put(&text, list->rev);
		text_put(&text, " after=");
		text_put_value(&text, list->last, list->last_len);
	}
	text_put_char(&text, '\n');
	return ask_put(list->ask, text.bytes, text.len);
}

/* 0 when the page is there, *is_more when it is not the last. */
static int
read_page(struct list *list, bool *is_more)
{
	struct ask_line line;
	int rc = put_request(list);

	*is_more = false;
	while (rc == 0) {
		rc = ask_next(list->ask, &line, list->deadline_ns);
		if (rc != 0 || line.kind == ASK_OK)
			break;
		if (line.kind == ASK_ITEM) {
			take_item(list, &line);
		} else if (line.kind == ASK_NO || line.kind == ASK_ERR) {
			list->code = (int)ask_line_exitcode(&line);
			tool_warn("the store: %s", ask_value(&line, "msg"));
			return 0;
		}
	}
	if (rc != 0)
		return rc;
	*is_more =
	    list->last_len > 0 && strcmp(ask_value(&line, "more"), "yes") == 0;
	(void)snprintf(
	    list->rev, sizeof list->rev, "%s", ask_value(&line, "rev"));
	return 0;
}

int
ringlock_list(const char *rundir, const char *name, bool is_json)
{
	static struct list list;
	bool is_more = true;
	int rc;

	list.name = name;
	list.is_json = is_json;
	list.deadline_ns = ask_deadline_ns();
	if (out_open(&list.out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = ask_open(&list.ask, rundir, "cfg", list.deadline_ns);
	while (rc == 0 && is_more)
		rc = read_page(&list, &is_more);
	ask_close(list.ask);
	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "%s", ask_explain_rc(rundir, "cfg", rc));
	rc = out_flush(&list.out);
	if (rc != 0)
		tool_fail_output(rc);
	if (list.code != 0)
		return list.code == EXITCODE_FALSE ? EXITCODE_UNAVAILABLE
						   : list.code;
	return name == NULL || list.held > 0 ? EXITCODE_OK : EXITCODE_FALSE;
}
