/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore history and revert: what a key was, and making it so again. */
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_scope.h"
#include "bin/cfgstore/cfgstore_version.h"
#include "bin/cfgstore/cfgstore_write.h"

static struct {
	uint64_t count;
	bool is_json;
	const char *fields;
} given = { .count = UINT64_MAX };

/* ---- history ----------------------------------------------------------- */

static const struct opt history_opts[] = {
	{ 'n', "count", OPT_COUNT, &given.count, NULL, "N",
	    "only the newest N" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object each" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these, apart by blanks: event,rev,by,…" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program history_program = {
	.name = "cfgstore history",
	.operands = "KEY",
	.summary = "Print the versions of a key, the newest first.",
	.opts = history_opts,
	.opt_count = ARRAY_COUNT(history_opts),
	.operand = cfgstore_operands_take,
};

static void
ask_versions(struct cfgstore_link *link, uint64_t left, uint64_t before)
{
	const char *key = cfgstore_operands.at[0];
	char bytes[LIMIT_REQUEST_BYTES];
	struct text line;

	cfgstore_link_begin(link, false);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "history");
	cfgstore_scope_put_key(&line, key, strlen(key));
	if (left != UINT64_MAX) {
		text_put(&line, " n=");
		text_put_u64(&line, left);
	}
	if (before > 0) {
		text_put(&line, " before=");
		text_put_u64(&line, before);
	}
	cfgstore_link_put_line(link, &line);
}

static void
show_version(struct cfgstore_printer *printer, struct ask_line *item)
{
	bool is_gone = strcmp(ask_value(item, "deleted"), "yes") == 0;
	struct cfgstore_record record;

	cfgstore_record_of(item, is_gone ? "del" : "put", &record);
	cfgstore_record_drop(record.word, "deleted");
	record.key = cfgstore_operands.at[0];
	record.key_len = strlen(cfgstore_operands.at[0]);
	cfgstore_print(printer, &record);
}

/* How many there were. */
static uint64_t
read_versions(struct cfgstore_link *link, struct cfgstore_printer *printer)
{
	uint64_t count = 0, before = 0;
	struct ask_line line;
	bool has_more = given.count > 0;

	while (has_more) {
		uint64_t seen = 0;

		ask_versions(link,
		    given.count == UINT64_MAX ? UINT64_MAX
					      : given.count - count,
		    before);
		while (cfgstore_link_next(link, &line) == ASK_ITEM) {
			before = cfgstore_link_u64(&line, "rev");
			show_version(printer, &line);
			seen++;
		}
		count += seen;
		has_more = seen > 0 && count < given.count &&
		    line.kind == ASK_OK &&
		    strcmp(ask_value(&line, "more"), "yes") == 0;
	}
	return count;
}

int
cfgstore_history(int argc, char **argv)
{
	struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };
	struct cfgstore_link link;
	uint64_t count;
	int rc = cfgstore_operands_parse(&history_program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(&history_program, 1, 1);
	if (rc == 0)
		rc = cfgstore_printer_check(&history_program, given.is_json,
		    given.fields, "event,key,rev,by,deleted,len,value");
	if (rc != 0)
		return tool_opt_exit(rc);
	cfgstore_printer_open(&printer, given.is_json, given.fields);
	cfgstore_link_open(&link);
	count = read_versions(&link, &printer);
	cfgstore_printer_close(&printer);
	cfgstore_link_close(&link);
	return count > 0 ? EXITCODE_OK : EXITCODE_FALSE;
}

/* ---- revert ------------------------------------------------------------ */

static const struct opt revert_opts[] = {
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	CFGSTORE_OPT_VERSION_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program revert_program = {
	.name = "cfgstore revert",
	.operands = "KEY REV",
	.summary = "Make a key what it was at a revision, or delete it.",
	.opts = revert_opts,
	.opt_count = ARRAY_COUNT(revert_opts),
	.operand = cfgstore_operands_take,
};

int
cfgstore_revert(int argc, char **argv)
{
	struct cfgstore_link link;
	struct cfgstore_version now, old;
	const char *key;
	uint64_t rev = 0;
	int rc = cfgstore_operands_parse(&revert_program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(&revert_program, 2, 2);
	if (rc == 0 &&
	    parse_u64(cfgstore_operands.at[1], strlen(cfgstore_operands.at[1]),
		1, UINT64_MAX, &rev) != 0)
		rc = opt_usage(&revert_program, "%s: expected a revision",
		    cfgstore_operands.at[1]);
	if (rc == 0)
		rc = cfgstore_printer_check(&revert_program,
		    cfgstore_version_show.is_json, cfgstore_version_show.fields,
		    cfgstore_outcome);
	if (rc != 0)
		return tool_opt_exit(rc);
	key = cfgstore_operands.at[0];
	cfgstore_link_open(&link);
	cfgstore_version_read(&link, key, UINT64_MAX, &now);
	cfgstore_version_read(&link, key, rev, &old);
	if (now.rev != old.rev)
		rc = cfgstore_version_replace(
		    &link, key, now.rev, old.rev > 0 ? &old.value : NULL);
	cfgstore_link_close(&link);
	return rc;
}
