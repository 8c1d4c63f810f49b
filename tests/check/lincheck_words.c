/* SPDX-License-Identifier: BSD-3-Clause */
/* What the checker says of operations. */
#include "tests/check/lincheck_internal.h"

enum { SHOWN_BYTES = 60 };

void
lincheck_say_word(
    const struct lincheck *check, struct text *text, uint32_t word)
{
	const struct lincheck_name *name = lincheck_name_at(check, word);
	bool is_long = name->len > SHOWN_BYTES;
	text_put_value(text, name->bytes, is_long ? SHOWN_BYTES : name->len);
	if (is_long)
		text_put(text, "...");
}

static void
say_change(const struct lincheck *check, struct text *text,
    const struct lincheck_change *change)
{
	static const char *const verbs[] = {
		[LINCHECK_PUT] = "put ",
		[LINCHECK_DEL] = "del ",
		[LINCHECK_DEL_PREFIX] = "del prefix ",
	};
	text_put(text, verbs[change->kind]);
	lincheck_say_word(check, text, change->key);
	if (change->kind != LINCHECK_PUT)
		return;
	text_put_char(text, '=');
	lincheck_say_word(check, text, change->value);
}

static void
say_what(const struct lincheck *check, struct text *text,
    const struct lincheck_op *op)
{
	for (size_t i = 0; i < op->change_count; i++) {
		if (i > 0)
			text_put(text, ", ");
		say_change(check, text, lincheck_change_at(check, op, i));
	}
	if (op->change_count > 0)
		return;
	const struct lincheck_fact *fact =
	    op->fact_count == 0 ? NULL : lincheck_fact_at(check, op, 0);
	bool is_list = fact == NULL || fact->kind == LINCHECK_ONLY;
	text_put(text, op->is_watch ? "watch" : is_list ? "list" : "read");
	if (fact == NULL || lincheck_name_at(check, fact->key)->len == 0)
		return;
	text_put_char(text, ' ');
	lincheck_say_word(check, text, fact->key);
}

void
lincheck_say_who(const struct lincheck *check, struct text *text, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	text_put(text,
	    it->outcome == LINCHECK_ORDAINED ? "the store, as told to "
					     : "client ");
	lincheck_say_word(check, text, it->client);
	text_put(text, " (");
	say_what(check, text, it);
	text_put_char(text, ')');
}

void
lincheck_say_op(const struct lincheck *check, struct text *text, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	lincheck_say_who(check, text, op);
	text_put(text, " at ");
	text_put(text, it->path == NULL ? "?" : it->path);
	text_put_char(text, ':');
	text_put_u64(text, it->line);
}

struct text
lincheck_say(const struct lincheck *check, struct lincheck_breach *breach,
    const char *rule, size_t op)
{
	struct text text;
	const struct lincheck_op *it = lincheck_op_at(check, op);
	breach->rule = rule;
	breach->path = it->path;
	breach->line = it->line;
	text_init(&text, breach->text, sizeof(breach->text));
	return text;
}
