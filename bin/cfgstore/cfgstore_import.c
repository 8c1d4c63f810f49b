/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore import and diff: the store becomes what a file says.
 *
 * Only what differs is written, under the condition that it still has the
 * revision it was compared at; and so that what does not differ has, if that
 * fits one transaction, too.  When the changes do not, they are made in
 * several, which is said.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_plan.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_scope.h"
#include "bin/cfgstore/cfgstore_write.h"

enum {
	PARTS_MAX = 1000, /* conditions, or changes, of one transaction */
	RETRIES = 5,      /* somebody else writes the same keys */
};

static struct {
	bool is_merge, is_replace, is_dry, is_atomic, is_json, allows_empty;
	const char *fields, *glob;
} given;

#define OPT_REPLACE                                                           \
	{ '\0', "merge", OPT_FLAG, &given.is_merge, NULL, NULL,               \
		"leave other keys alone: the default" },                      \
	    { '\0', "replace", OPT_FLAG, &given.is_replace, NULL, NULL,       \
		    "delete all keys that are not in the file" },             \
	    { '\0', "allow-empty", OPT_FLAG, &given.allows_empty, NULL, NULL, \
		    "the file may be empty with --replace" },                 \
	{                                                                     \
		'g', "glob", OPT_STRING, &given.glob, NULL, "GLOB",           \
		    "the file is about these keys only"                       \
	}

static struct cfgstore_plan plan;
static struct cfgstore_scope scope;

static int
check(const struct opt_program *program)
{
	if (cfgstore_operands_count(program, 1, 1) != 0)
		return OPT_E_USAGE;
	if (given.is_merge && given.is_replace)
		return opt_usage(
		    program, "--merge and --replace exclude each other");
	if (given.glob != NULL) {
		scope.names = &given.glob;
		scope.count = 1;
	}
	if (cfgstore_scope_check(&scope, program) != 0)
		return OPT_E_USAGE;
	plan.path = cfgstore_operands.at[0];
	plan.scope = &scope;
	plan.is_replace = given.is_replace;
	return cfgstore_printer_check(program, given.is_json, given.fields,
	    "event,key,value,len,old,old_len");
}

static void
load(void)
{
	cfgstore_plan_load(&plan);
	/* A producer that failed must not delete everything. */
	if (plan.count == 0 && given.is_replace && !given.allows_empty)
		tool_fail(EXITCODE_DATA,
		    "%s: empty, which --replace would delete everything for",
		    plan.path);
}

static void
show(void)
{
	struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };

	cfgstore_printer_open(&printer, given.is_json, given.fields);
	cfgstore_plan_show(&plan, &printer);
	cfgstore_printer_close(&printer);
}

/* ---- writing ----------------------------------------------------------- */

/* Where the next transaction begins, and how large it may be. */
struct writer {
	struct cfgstore_link *link;
	size_t at;
	uint64_t bytes_max;
	size_t txn_count, done_count;
	bool is_last;    /* what does not hold now is the end */
	bool skips_same; /* no conditions for what does not differ */
};

enum outcome { DONE, CONFLICT, TOO_LONG };

static void
put_entry(struct cfgstore_write *write, const struct cfgstore_entry *entry)
{
	const struct cfgstore_bytes key = { .at = entry->key,
		.len = entry->key_len };
	struct cfgstore_bytes value = { .at = NULL };

	cfgstore_write_if(write,
	    &(struct cfgstore_condition){ .kind = CFGSTORE_IF_REV,
		.rev = entry->rev,
		.key = key.at,
		.key_len = key.len,
		.line = entry->line },
	    NULL);
	if (entry->is_same)
		return;
	if (entry->value == NULL) {
		cfgstore_write_del(write, &key);
		return;
	}
	cfgstore_bytes_put(&value, entry->value, entry->value_len);
	cfgstore_write_put(write, &key, &value, NULL);
	cfgstore_bytes_free(&value);
}

/* More than that entry needs as text. */
static uint64_t
size_of(const struct cfgstore_entry *entry)
{
	return 10 * entry->key_len + entry->value_len + 128;
}

static bool
is_skipped(const struct writer *writer, const struct cfgstore_entry *entry)
{
	return writer->skips_same && entry->is_same;
}

/* Behind the entries that fit, at least one. */
static size_t
end_of(const struct writer *writer)
{
	size_t at = writer->at;
	uint64_t bytes = 0;

	size_t parts = 0;

	for (; at < plan.count; at++) {
		if (is_skipped(writer, &plan.entry[at]))
			continue;
		bytes += size_of(&plan.entry[at]);
		if (parts > 0 &&
		    (parts >= PARTS_MAX || bytes > writer->bytes_max))
			break;
		parts++;
	}
	return at;
}

static enum outcome
write_next(struct writer *writer)
{
	size_t end = end_of(writer);
	struct cfgstore_write write = { .is_silent = !writer->is_last,
		.takes_long = true };
	enum outcome outcome = DONE;
	struct ask_line line;

	for (size_t i = writer->at; i < end; i++)
		if (!is_skipped(writer, &plan.entry[i]))
			put_entry(&write, &plan.entry[i]);
	if (write.change_count > 0 &&
	    !cfgstore_write_send(&write, writer->link, &line))
		outcome = write.is_long ? TOO_LONG : CONFLICT;
	if (outcome == DONE) {
		writer->txn_count += write.change_count > 0;
		writer->done_count += write.change_count;
		writer->at = end;
	}
	if (outcome == TOO_LONG && write.condition_count == 1)
		tool_fail(EXITCODE_DATA, "line %zu: too long for the store",
		    write.condition[0].line);
	if (outcome == TOO_LONG)
		writer->bytes_max = cfgstore_write_bytes(&write) / 2;
	cfgstore_write_clear(&write);
	return outcome;
}

/* In several transactions, or not at all. */
static int
write_split(struct writer *writer)
{
	if (given.is_atomic) {
		tool_warn("%zu changes do not fit one transaction",
		    plan.change_count);
		return EXITCODE_DATA;
	}
	tool_warn("%zu changes do not fit one transaction: they are made in "
		  "several, not all or none",
	    plan.change_count);
	writer->is_last = true;
	while (writer->at < plan.count)
		if (write_next(writer) == CONFLICT) {
			tool_warn("%zu of %zu changes were made",
			    writer->done_count, plan.change_count);
			return EXITCODE_FALSE;
		}
	return EXITCODE_OK;
}

/* All of it would go in one, perhaps without some conditions. */
static bool
is_whole(struct writer *writer)
{
	writer->skips_same = false;
	if (end_of(writer) == plan.count)
		return true;
	writer->skips_same = true;
	return end_of(writer) == plan.count;
}

/* In one; when somebody else is faster, with what there is then. */
static int
write_whole(struct writer *writer)
{
	for (int i = 1; i <= RETRIES && is_whole(writer); i++) {
		writer->is_last = i == RETRIES;
		switch (write_next(writer)) {
		case DONE:
			return EXITCODE_OK;
		case TOO_LONG:
			return write_split(writer);
		case CONFLICT:
			break;
		}
		if (writer->is_last)
			return EXITCODE_FALSE;
		cfgstore_plan_compare(&plan, writer->link);
	}
	return write_split(writer);
}

static int
write_plan(struct cfgstore_link *link)
{
	struct writer writer = { .link = link,
		.bytes_max = cfgstore_link_max_data(link) };
	int code;

	cfgstore_plan_compare(&plan, link);
	code = write_whole(&writer);
	if (code == EXITCODE_OK)
		tool_say("%zu changes in %zu transactions", writer.done_count,
		    writer.txn_count);
	return code;
}

/* ---- the verbs --------------------------------------------------------- */

static const struct opt import_opts[] = {
	OPT_REPLACE,
	{ 'n', "dry-run", OPT_FLAG, &given.is_dry, NULL, NULL,
	    "only print what would be done" },
	{ '\0', "atomic", OPT_FLAG, &given.is_atomic, NULL, NULL,
	    "all or none, or end with 65" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "with --dry-run: print a JSON object each" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "with --dry-run: print these: event,key,value,old" },
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program import_program = {
	.name = "cfgstore import",
	.operands = "FILE|-",
	.summary = "Make the store what a file of put records says.",
	.opts = import_opts,
	.opt_count = ARRAY_COUNT(import_opts),
	.operand = cfgstore_operands_take,
};

int
cfgstore_import(int argc, char **argv)
{
	struct cfgstore_link link;
	int rc = cfgstore_operands_parse(&import_program, argc, argv);

	if (rc == 0)
		rc = check(&import_program);
	if (rc == 0 && !given.is_dry && (given.is_json || given.fields != NULL))
		rc = opt_usage(&import_program,
		    "--json and --fields are for"
		    " --dry-run");
	if (rc != 0)
		return tool_opt_exit(rc);
	load();
	cfgstore_link_open(&link);
	if (given.is_dry) {
		cfgstore_plan_compare(&plan, &link);
		show();
	} else {
		rc = write_plan(&link);
	}
	cfgstore_link_close(&link);
	return rc;
}

static const struct opt diff_opts[] = {
	OPT_REPLACE,
	{ '\0', "sync", OPT_FLAG, &plan.is_sync, NULL, NULL,
	    "see all that was written before; needs a quorum" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object each" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these, apart by blanks: event,key,value,old" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program diff_program = {
	.name = "cfgstore diff",
	.operands = "FILE|-",
	.summary = "Show what import would change; 1: something.",
	.opts = diff_opts,
	.opt_count = ARRAY_COUNT(diff_opts),
	.operand = cfgstore_operands_take,
};

int
cfgstore_diff(int argc, char **argv)
{
	struct cfgstore_link link;
	int rc = cfgstore_operands_parse(&diff_program, argc, argv);

	if (rc == 0)
		rc = check(&diff_program);
	if (rc != 0)
		return tool_opt_exit(rc);
	load();
	cfgstore_link_open(&link);
	cfgstore_plan_compare(&plan, &link);
	show();
	cfgstore_link_close(&link);
	return plan.change_count > 0 ? EXITCODE_FALSE : EXITCODE_OK;
}
