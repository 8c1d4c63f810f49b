/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore txn: conditions and changes from a file, all or none. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_file.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_write.h"

static struct {
	bool is_json;
	const char *fields;
} given;

static const struct opt opts[] = {
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print the outcome as a JSON object" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these of the outcome: rev,n,lease" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore txn",
	.operands = "[FILE|-]",
	.summary = "Make all changes of a file if all its conditions hold.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

static bool
is_yes(struct word *word, const char *key)
{
	const struct word_pair *pair = word_get(word, key);

	return pair != NULL && strcmp(pair->value, "yes") == 0;
}

/* if key=K with exactly one of rev, absent, exists and value. */
static void
take_if(const struct cfgstore_file *file, struct word *word,
    struct cfgstore_write *write)
{
	const struct word_pair *rev = word_get(word, "rev");
	const struct word_pair *value = word_get(word, "value");
	bool is_absent = is_yes(word, "absent");
	bool is_there = is_yes(word, "exists");
	struct cfgstore_condition c = { .line = file->line };
	struct cfgstore_bytes key, bytes = { .at = NULL };

	cfgstore_file_key(file, word, "key", &key);
	c.key = key.at;
	c.key_len = key.len;
	if ((rev != NULL) + (value != NULL) + is_absent + is_there != 1)
		cfgstore_file_fail(file,
		    "expected one of rev=, value=, absent=yes and exists=yes");
	if (rev != NULL &&
	    parse_u64(rev->value, rev->len, 0, UINT64_MAX, &c.rev) != 0)
		cfgstore_file_fail(file, "rev= is no revision");
	if (is_there)
		c.kind = CFGSTORE_IF_EXISTS;
	if (value != NULL) {
		c.kind = CFGSTORE_IF_VALUE;
		bytes.at = value->value;
		bytes.len = value->len;
	}
	cfgstore_write_if(write, &c, &bytes);
}

static void
take_put(const struct cfgstore_file *file, struct word *word,
    struct cfgstore_write *write)
{
	const struct word_pair *lease = word_get(word, "lease");
	struct cfgstore_bytes key, value;
	uint64_t id;

	cfgstore_file_key(file, word, "key", &key);
	cfgstore_file_value(file, word, "value", &value);
	if (lease != NULL && strcmp(lease->value, "new") != 0 &&
	    parse_u64(lease->value, lease->len, 1, UINT64_MAX, &id) != 0)
		cfgstore_file_fail(file, "lease= is no lease and not new");
	cfgstore_write_put(
	    write, &key, &value, lease != NULL ? lease->value : NULL);
}

static void
take_del(const struct cfgstore_file *file, struct word *word,
    struct cfgstore_write *write)
{
	struct cfgstore_bytes bytes;

	if (word_get(word, "prefix") != NULL) {
		if (word_get(word, "key") != NULL)
			cfgstore_file_fail(
			    file, "expected one of key= and prefix=");
		cfgstore_file_key(file, word, "prefix", &bytes);
		cfgstore_write_del_prefix(write, &bytes);
		return;
	}
	cfgstore_file_key(file, word, "key", &bytes);
	cfgstore_write_del(write, &bytes);
}

static void
take(const struct cfgstore_file *file, struct word *word,
    struct cfgstore_write *write)
{
	const char *verb = word->verb[0];
	struct cfgstore_bytes ttl;

	if (strcmp(verb, "if") == 0) {
		take_if(file, word, write);
	} else if (strcmp(verb, "put") == 0) {
		take_put(file, word, write);
	} else if (strcmp(verb, "del") == 0) {
		take_del(file, word, write);
	} else if (strcmp(verb, "grant") == 0) {
		cfgstore_file_value(file, word, "ttl", &ttl);
		if (!cfgstore_write_is_ttl(ttl.at, ttl.len))
			cfgstore_file_fail(file, "ttl= is not 100ms to a year");
		if (write->grant.len > 0)
			cfgstore_file_fail(file, "a second grant");
		cfgstore_write_grant(write, ttl.at);
	} else {
		cfgstore_file_fail(file, "expected if, put, del or grant");
	}
}

int
cfgstore_txn(int argc, char **argv)
{
	struct cfgstore_write write = { .condition = NULL };
	struct cfgstore_bytes bytes = { .at = NULL };
	struct cfgstore_file file;
	struct cfgstore_link link;
	struct ask_line line;
	struct word word;
	bool is_done;
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(&program, 0, 1);
	if (rc == 0)
		rc = cfgstore_printer_check(
		    &program, given.is_json, given.fields, cfgstore_outcome);
	if (rc != 0)
		return tool_opt_exit(rc);
	cfgstore_file_open(&file,
	    cfgstore_operands.count > 0 ? cfgstore_operands.at[0] : "-",
	    &bytes);
	while (cfgstore_file_next(&file, &word))
		take(&file, &word, &write);
	cfgstore_link_open(&link);
	is_done = cfgstore_write_send(&write, &link, &line);
	cfgstore_write_show(&line, is_done, given.is_json, given.fields);
	cfgstore_link_close(&link);
	return is_done ? EXITCODE_OK : EXITCODE_FALSE;
}
