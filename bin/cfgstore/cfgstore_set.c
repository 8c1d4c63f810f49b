/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore set, cas, del: one key, or some, under a condition or none. */
#include <inttypes.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_write.h"

/* Values of options may be 0: whether they were given stands beside. */
static struct {
	uint64_t if_rev;
	bool has_rev, is_absent, is_there, is_literal, is_chomped, is_json;
	bool is_prefix;
	const char *if_value, *ttl, *lease, *fields;
} given;

static bool
set_rev(const char *arg)
{
	given.has_rev = true;
	return parse_u64(arg, strlen(arg), 0, UINT64_MAX, &given.if_rev) == 0;
}

static bool
set_ttl(const char *arg)
{
	given.ttl = arg;
	return cfgstore_write_is_ttl(arg, strlen(arg));
}

static bool
set_lease(const char *arg)
{
	uint64_t id;

	given.lease = arg;
	return parse_u64(arg, strlen(arg), 1, UINT64_MAX, &id) == 0;
}

#define OPT_IF_REV                                                    \
	{                                                             \
		'\0', "if-rev", OPT_CALL, NULL, set_rev, "REV",       \
		    "only if the key has that revision; 0: it is not" \
		    " there"                                          \
	}
#define OPT_VALUE                                                       \
	{ 'c', "chomp", OPT_FLAG, &given.is_chomped, NULL, NULL,        \
		"take one line feed off the end of the value" },        \
	    { '\0', "literal", OPT_FLAG, &given.is_literal, NULL, NULL, \
		    "values are themselves, also - and @FILE" },        \
	    { '\0', "ttl", OPT_CALL, NULL, set_ttl, "DUR",              \
		    "the key goes after so long, 100ms to a year" },    \
	{                                                               \
		'\0', "lease", OPT_CALL, NULL, set_lease, "ID",         \
		    "the key goes with that lease"                      \
	}
#define OPT_SHOW                                                        \
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,            \
		"print the outcome as a JSON object" },                 \
	{                                                               \
		'o', "fields", OPT_STRING, &given.fields, NULL, "LIST", \
		    "print these of the outcome: rev,…"               \
	}

/* ---- what they share --------------------------------------------------- */

static void
put_value(const struct cfgstore_bytes *key, const char *operand,
    struct cfgstore_write *write)
{
	struct cfgstore_bytes value = { .at = NULL };

	cfgstore_bytes_load(&value, operand, given.is_literal);
	if (given.is_chomped)
		cfgstore_bytes_chomp(&value);
	if (given.ttl != NULL)
		cfgstore_write_grant(write, given.ttl);
	cfgstore_write_put(
	    write, key, &value, given.ttl != NULL ? "new" : given.lease);
	cfgstore_bytes_free(&value);
}

static void
put_conditions(const struct cfgstore_bytes *key, struct cfgstore_write *write)
{
	struct cfgstore_condition c = { .key = key->at, .key_len = key->len };
	struct cfgstore_bytes value = { .at = NULL };

	c.kind = CFGSTORE_IF_REV;
	c.rev = given.if_rev;
	if (given.has_rev || given.is_absent)
		cfgstore_write_if(write, &c, NULL);
	c.kind = CFGSTORE_IF_EXISTS;
	if (given.is_there)
		cfgstore_write_if(write, &c, NULL);
	c.kind = CFGSTORE_IF_VALUE;
	if (given.if_value == NULL)
		return;
	cfgstore_bytes_load(&value, given.if_value, given.is_literal);
	cfgstore_write_if(write, &c, &value);
	cfgstore_bytes_free(&value);
}

static void
copy_operand(struct cfgstore_bytes *bytes, size_t idx)
{
	cfgstore_bytes_put_string(bytes, cfgstore_operands.at[idx]);
}

/* n_wanted: keys that must have been changed, or it was not all. */
static int
run(struct cfgstore_write *write, uint64_t n_wanted)
{
	struct cfgstore_link link;
	struct ask_line line;
	bool is_done;
	uint64_t n;

	cfgstore_link_open(&link);
	is_done = cfgstore_write_send(write, &link, &line);
	n = is_done ? cfgstore_link_u64(&line, "n") : 0;
	cfgstore_write_show(&line, is_done, given.is_json, given.fields);
	cfgstore_link_close(&link);
	cfgstore_write_clear(write);
	if (is_done && n < n_wanted && n > 0)
		tool_warn("%" PRIu64 " of %" PRIu64 " were there", n, n_wanted);
	return is_done && n >= n_wanted ? EXITCODE_OK : EXITCODE_FALSE;
}

/* set KEY VALUE, or cas KEY REV VALUE. */
static int
put_one(size_t value_idx)
{
	struct cfgstore_write write = { .condition = NULL };
	struct cfgstore_bytes key = { .at = NULL };
	int code;

	copy_operand(&key, 0);
	put_conditions(&key, &write);
	put_value(&key, cfgstore_operands.at[value_idx], &write);
	code = run(&write, 0);
	cfgstore_bytes_free(&key);
	return code;
}

/* ---- set --------------------------------------------------------------- */

static const struct opt set_opts[] = {
	OPT_IF_REV,
	{ '\0', "if-absent", OPT_FLAG, &given.is_absent, NULL, NULL,
	    "only if there is no such key" },
	{ '\0', "if-exists", OPT_FLAG, &given.is_there, NULL, NULL,
	    "only if there is such a key" },
	{ '\0', "if-value", OPT_STRING, &given.if_value, NULL, "VALUE",
	    "only if the key has that value" },
	OPT_VALUE,
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program set_program = {
	.name = "cfgstore set",
	.operands = "KEY VALUE|-|@FILE",
	.summary = "Give a key a value.",
	.opts = set_opts,
	.opt_count = ARRAY_COUNT(set_opts),
};

static int
check_value(const struct opt_program *program)
{
	if (given.ttl != NULL && given.lease != NULL)
		return opt_usage(program, "--ttl makes a lease of its own");
	return cfgstore_printer_check(
	    program, given.is_json, given.fields, cfgstore_outcome);
}

static int
check_set(void)
{
	int conditions = given.has_rev + given.is_absent + given.is_there +
	    (given.if_value != NULL);

	if (cfgstore_operands_count(&set_program, 2, 2) != 0 ||
	    cfgstore_operands_check_key(&set_program, 0) != 0)
		return OPT_E_USAGE;
	if (conditions > 1)
		return opt_usage(&set_program, "only one condition");
	if (given.if_value != NULL && !given.is_literal &&
	    strcmp(given.if_value, "-") == 0 &&
	    strcmp(cfgstore_operands.at[1], "-") == 0)
		return opt_usage(
		    &set_program, "standard input is only one value");
	return check_value(&set_program);
}

int
cfgstore_set(int argc, char **argv)
{
	int rc = cfgstore_operands_parse(&set_program, argc, argv);

	if (rc == 0)
		rc = check_set();
	return rc != 0 ? tool_opt_exit(rc) : put_one(1);
}

/* ---- cas --------------------------------------------------------------- */

static const struct opt cas_opts[] = {
	OPT_VALUE,
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program cas_program = {
	.name = "cfgstore cas",
	.operands = "KEY REV VALUE|-|@FILE",
	.summary = "Give a key a value if it has that revision; 0: none.",
	.opts = cas_opts,
	.opt_count = ARRAY_COUNT(cas_opts),
};

int
cfgstore_cas(int argc, char **argv)
{
	int rc = cfgstore_operands_parse(&cas_program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(&cas_program, 3, 3);
	if (rc == 0)
		rc = cfgstore_operands_check_key(&cas_program, 0);
	if (rc == 0 && !set_rev(cfgstore_operands.at[1]))
		rc = opt_usage(&cas_program, "%s: expected a revision",
		    cfgstore_operands.at[1]);
	if (rc == 0)
		rc = check_value(&cas_program);
	return rc != 0 ? tool_opt_exit(rc) : put_one(2);
}

/* ---- del --------------------------------------------------------------- */

static const struct opt del_opts[] = {
	OPT_IF_REV,
	{ 'p', "prefix", OPT_FLAG, &given.is_prefix, NULL, NULL,
	    "all keys that begin so" },
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program del_program = {
	.name = "cfgstore del",
	.operands = "KEY|PREFIX…",
	.summary = "Delete keys.",
	.opts = del_opts,
	.opt_count = ARRAY_COUNT(del_opts),
	.operand = cfgstore_operands_take,
};

static int
check_del(void)
{
	size_t max = given.is_prefix || given.has_rev ? 1 : SIZE_MAX;

	if (cfgstore_operands_count(&del_program, 1, max) != 0)
		return OPT_E_USAGE;
	if (given.is_prefix && given.has_rev)
		return opt_usage(&del_program, "--if-rev is about one key");
	/* An empty variable of a script, more often than not. */
	if (given.is_prefix && cfgstore_operands.at[0][0] == '\0')
		return opt_usage(
		    &del_program, "the empty prefix is all of the store");
	for (size_t i = 0; i < cfgstore_operands.count; i++)
		if (cfgstore_operands_check_key(&del_program, i) != 0)
			return OPT_E_USAGE;
	return cfgstore_printer_check(
	    &del_program, given.is_json, given.fields, cfgstore_outcome);
}

static void
put_dels(struct cfgstore_write *write)
{
	for (size_t i = 0; i < cfgstore_operands.count; i++) {
		struct cfgstore_bytes key = { .at = NULL };

		copy_operand(&key, i);
		if (given.has_rev)
			put_conditions(&key, write);
		if (given.is_prefix)
			cfgstore_write_del_prefix(write, &key);
		else
			cfgstore_write_del(write, &key);
		cfgstore_bytes_free(&key);
	}
}

int
cfgstore_del(int argc, char **argv)
{
	struct cfgstore_write write = { .condition = NULL };
	int rc = cfgstore_operands_parse(&del_program, argc, argv);

	if (rc == 0)
		rc = check_del();
	if (rc != 0)
		return tool_opt_exit(rc);
	put_dels(&write);
	return run(&write, given.is_prefix ? 1 : cfgstore_operands.count);
}
