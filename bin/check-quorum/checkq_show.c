/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/check-quorum/checkq_show.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"

const char checkq_fields[] =
    "quorate,votes,needed,expected,basis,view,pos,members,self,name,"
    "coordinator,settled,age_ms,waiting_for,why";

/* The first of a list's names: its length. */
static size_t
name_len(const char *list)
{
	return strcspn(list, ",");
}

/* As it was written: lists keep their escaped commas. */
static void
put_as_written(struct out *out, const struct word_pair *pair)
{
	if (pair->is_raw)
		out_put(out, pair->value, pair->len);
	else
		out_put_value(out, pair->value, pair->len);
}

/* A word stands for every field, so that they can be counted. */
static void
put_field(struct out *out, struct word *word, const char *name, size_t len)
{
	for (size_t i = 0; i < word->pair_count; i++) {
		const struct word_pair *pair = &word->pair[i];

		if (strlen(pair->key) != len ||
		    memcmp(pair->key, name, len) != 0 || pair->len == 0)
			continue;
		put_as_written(out, pair);
		return;
	}
	out_put_string(out, "-");
}

static void
put_fields(struct out *out, const char *fields, struct word *word)
{
	const char *between = "";

	for (;;) {
		size_t len = name_len(fields);

		out_put_string(out, between);
		put_field(out, word, fields, len);
		if (fields[len] == '\0')
			return;
		fields += len + 1;
		between = " ";
	}
}

/* ---- for people -------------------------------------------------------- */

static void
put(struct out *out, struct ask_line *line, const char *before, const char *key,
    const char *behind)
{
	const char *value = ask_value(line, key);

	if (*value == '\0')
		return;
	out_put_string(out, before);
	out_put_string(out, value);
	out_put_string(out, behind);
}

static const char *
verdict_word(const struct known *known)
{
	switch (known->quorate) {
	case KNOWN_YES:
		return "quorate";
	case KNOWN_NO:
		return "not quorate";
	case KNOWN_UNKNOWN:
		break;
	}
	return "unknown";
}

static void
put_votes(struct out *out, struct ask_line *line)
{
	put(out, line, "  ", "votes", "");
	put(out, line, "/", "expected", " votes");
	put(out, line, ", ", "needed", " needed");
}

/* Why not; the counts that it may begin with stand there already. */
static void
put_why(struct out *out, struct ask_line *line)
{
	const char *why = ask_value(line, "why");

	if (isdigit((unsigned char)*why)) {
		why = strstr(why, "; ");
		why = why != NULL ? why + strlen("; ") : "";
	}
	if (*why == '\0')
		return;
	out_put_string(out, ": ");
	out_put_string(out, why);
}

static void
put_human(struct out *out, struct ask_line *line, const struct known *known)
{
	out_put_string(out, verdict_word(known));
	put_votes(out, line);
	if (known->quorate == KNOWN_YES)
		put(out, line, "  by ", "basis", "");
	else
		put_why(out, line);
	out_put_string(out, "\n");
	if (*ask_value(line, "view") == '\0')
		return;
	put(out, line, "view ", "view", "");
	put(out, line, "  members ", "members", "");
	put(out, line, "  coordinator ", "coordinator", "");
	put(out, line, "  this is ", "self", "");
	put(out, line, " (", "name", ")");
	out_put_string(out, "\n");
}

static void
replace(struct word *word, const char *key, char *value)
{
	for (size_t i = 0; i < word->pair_count; i++) {
		struct word_pair *pair = &word->pair[i];

		if (strcmp(pair->key, key) != 0)
			continue;
		pair->value = value;
		pair->len = strlen(value);
		pair->is_raw = false;
	}
}

void
checkq_show_stale(struct ask_line *line)
{
	static char unknown[] = "unknown", none[] = "none",
		    why[] = "what the daemon knows is too old";

	replace(line->word, "quorate", unknown);
	replace(line->word, "basis", none);
	replace(line->word, "why", why);
}

void
checkq_show_answer(struct out *out, const struct checkq_options *options,
    struct ask_line *line, const struct known *known)
{
	switch (options->show) {
	case CHECKQ_HUMAN:
		put_human(out, line, known);
		break;
	case CHECKQ_JSON:
		record_put_json(out, "event", "quorum", line->word);
		out_put_string(out, "}\n");
		break;
	case CHECKQ_FIELDS:
		put_fields(out, options->fields, line->word);
		out_put_string(out, "\n");
		break;
	case CHECKQ_SILENT:
	case CHECKQ_NAGIOS:
	case CHECKQ_WHY:
	case CHECKQ_WHY_JSON:
		return;
	}
	out_end(out);
}

void
checkq_show_rule(struct out *out, enum checkq_show show, struct ask_line *line)
{
	if (show == CHECKQ_WHY_JSON) {
		record_put_json(out, "event", "why", line->word);
		out_put_string(out, "}\n");
	} else {
		put(out, line, "", "rule", "");
		put(out, line, ": ", "verdict", "");
		put(out, line, ": ", "text", "");
		out_put_string(out, "\n");
	}
	out_end(out);
}

/* ---- for Nagios and its kin -------------------------------------------- */

enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

int
checkq_show_nagios_unknown(struct out *out, const char *why)
{
	out_put_string(out, "QUORUM UNKNOWN - ");
	out_put_string(out, why);
	out_put_string(out, "\n");
	out_end(out);
	return NAGIOS_UNKNOWN;
}

static int
nagios_code(struct ask_line *line, const struct known *known)
{
	uint64_t votes = strtoull(ask_value(line, "votes"), NULL, 10);
	uint64_t expected = strtoull(ask_value(line, "expected"), NULL, 10);

	if (known->quorate == KNOWN_UNKNOWN)
		return NAGIOS_UNKNOWN;
	if (known->quorate == KNOWN_NO)
		return NAGIOS_CRITICAL;
	return votes < expected ? NAGIOS_WARNING : NAGIOS_OK;
}

int
checkq_show_nagios(
    struct out *out, struct ask_line *line, const struct known *known)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL",
		"UNKNOWN" };
	int code = nagios_code(line, known);

	out_put_string(out, "QUORUM ");
	out_put_string(out, words[code]);
	out_put_string(out, " - ");
	out_put_string(out, verdict_word(known));
	put_votes(out, line);
	put(out, line, ", members ", "members", "");
	if (known->quorate != KNOWN_YES)
		put_why(out, line);
	out_put_string(out, " |");
	put(out, line, " votes=", "votes", "");
	put(out, line, ";", "expected", ":");
	put(out, line, ";", "needed", ":");
	out_put_string(out, " members=");
	out_put_u64(out, known->member_count);
	out_put_string(out, "\n");
	out_end(out);
	return code;
}
