/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit status: what this node's daemons say of themselves and of others. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"

static struct {
	const char *rundir;
	bool is_json, is_record;
} given;

static const struct opt opts[] = {
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object a fact" },
	{ 'l', "records", OPT_FLAG, &given.is_record, NULL, NULL,
	    "print a record of key=value words a fact" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where the sockets are" },
};

static const struct opt_program program = {
	.name = "ringkit status",
	.operands = "",
	.summary = "Show the state of this node's ring, quorum and store.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* What line 1 says, gathered before the rest is printed. */
struct summary {
	struct out out; /* line 1 and on standard output at last */
	struct out rest;
	char *state, *view;
	uint64_t since_ms;
	bool has_quorum;                           /* quorumd is there */
	char *quorate, *quorum_view, *coordinator; /* NULL: it said nothing */
	uint32_t nodes, members, links, links_up;
};

static bool
is(const struct ask_line *line, const char *key, const char *value)
{
	return strcmp(ask_value(line, key), value) == 0;
}

/* " label value", in a human's line, unless it is absent. */
static void
put_word(struct out *out, const struct ask_line *line, const char *key,
    const char *label)
{
	const char *value = ask_value(line, key);

	if (*value == '\0')
		return;
	out_put_string(out, label);
	out_put_value(out, value, strlen(value));
}

static void
put_ms(struct out *out, const struct ask_line *line, const char *key,
    const char *label)
{
	if (*ask_value(line, key) == '\0')
		return;
	put_word(out, line, key, label);
	out_put_string(out, " ms");
}

static void
show_ring(struct summary *sum, const struct ask_line *line)
{
	const char *since;

	sum->state = strdup(ask_value(line, "state"));
	sum->view = strdup(ask_value(line, "view"));
	since = ask_value(line, "since_ms");
	if (parse_u64(since, strlen(since), 0, UINT64_MAX, &sum->since_ms) != 0)
		sum->since_ms = 0;
	out_put_string(&sum->rest, "ring ");
	put_word(&sum->rest, line, "reason", "  formed for ");
	put_ms(&sum->rest, line, "token_age_ms", "  token seen ");
	put_word(&sum->rest, line, "rotation_us", "  rotation us ");
	put_word(&sum->rest, line, "queue_bytes", "  queued ");
}

static void
show_node(struct summary *sum, const struct ask_line *line)
{
	/* By its name, when this is the one. */
	if (sum->coordinator != NULL && is(line, "node", sum->coordinator)) {
		free(sum->coordinator);
		sum->coordinator = strdup(ask_value(line, "name"));
	}
	sum->nodes++;
	sum->members += is(line, "state", "member");
	put_word(&sum->rest, line, "node", "node   ");
	put_word(&sum->rest, line, "name", "  ");
	put_word(&sum->rest, line, "state", "  ");
	if (is(line, "local", "yes"))
		out_put_string(&sum->rest, "  this one");
	else if (is(line, "alive", "no"))
		out_put_string(&sum->rest, "  silent");
	put_word(&sum->rest, line, "inc", "  incarnation ");
	put_ms(&sum->rest, line, "silent_ms", "  heard ");
	put_ms(&sum->rest, line, "dead_after_ms", "  dead after ");
}

static void
show_link(struct summary *sum, const struct ask_line *line)
{
	sum->links++;
	sum->links_up += is(line, "state", "up");
	put_word(&sum->rest, line, "node", "link   node ");
	put_word(&sum->rest, line, "link", "  link ");
	put_word(&sum->rest, line, "addr", "  ");
	put_word(&sum->rest, line, "state", "  ");
	if (is(line, "active", "yes"))
		out_put_string(&sum->rest, "  active");
	if (is(line, "state", "up") && is(line, "good", "no"))
		out_put_string(&sum->rest, "  poor");
	if (is(line, "state", "up") && is(line, "mcast_out", "copies"))
		out_put_string(&sum->rest, "  does not hear the group");
	put_word(&sum->rest, line, "rtt_us", "  round trip us ");
	put_word(&sum->rest, line, "mtu", "  mtu ");
}

static void
show_local(struct summary *sum, const struct ask_line *line)
{
	put_word(&sum->rest, line, "link", "local  link ");
	put_word(&sum->rest, line, "addr", "  ");
	put_word(&sum->rest, line, "state", "  ");
	put_word(&sum->rest, line, "interface", "  ");
	put_word(&sum->rest, line, "group", "  group ");
	if (is(line, "joined", "no"))
		out_put_string(&sum->rest, "  not joined");
}

/* The formulas as in DESIGN.md of ringd, 7.2, with what they work on. */
static void
show_detect(struct summary *sum, const struct ask_line *line)
{
	put_word(&sum->rest, line, "preset", "detect preset ");
	put_ms(&sum->rest, line, "suspect_min_ms", "  suspect after ");
	put_ms(&sum->rest, line, "suspect_max_ms", " to ");
	put_ms(&sum->rest, line, "heartbeat_ms", " = 2.5 (beat ");
	out_put_string(&sum->rest, " + 3 rtt + 4 late)");
	put_ms(&sum->rest, line, "confirm_min_ms", "  dead ");
	put_ms(&sum->rest, line, "confirm_max_ms", " to ");
	out_put_string(&sum->rest, " = 4 rtt later");
	put_word(&sum->rest, line, "health", ", both times 1 + ill ");
	put_ms(&sum->rest, line, "token_ms", "  token lost after ");
	put_ms(&sum->rest, line, "consensus_ms", "  consensus ");
}

static void
show_client(struct summary *sum, const struct ask_line *line)
{
	put_word(&sum->rest, line, "conn", "client ");
	put_word(&sum->rest, line, "pid", "  pid ");
	put_word(&sum->rest, line, "uid", "  uid ");
	put_word(&sum->rest, line, "name", "  name ");
	put_word(&sum->rest, line, "groups", "  groups ");
	put_word(&sum->rest, line, "subs", "  subscriptions ");
	if (!is(line, "lost", "0"))
		put_word(&sum->rest, line, "lost", "  lost ");
}

static void
show_process(struct summary *sum, const struct ask_line *line)
{
	put_word(&sum->rest, line, "version", "ringd  ");
	put_word(&sum->rest, line, "pid", "  pid ");
	put_word(&sum->rest, line, "sched", "  scheduling ");
	put_word(&sum->rest, line, "mlock", "  locked memory ");
	put_word(&sum->rest, line, "memory_bytes", "  bytes ");
}

static void
show_key(struct summary *sum, const struct ask_line *line)
{
	put_word(&sum->rest, line, "id", "key    ");
	out_put_string(&sum->rest,
	    is(line, "active", "yes") ? "  in use" : "  only to receive with");
	put_word(&sum->rest, line, "fingerprint", "  fingerprint ");
}

static void
show_drop(struct summary *sum, const struct ask_line *line)
{
	put_word(&sum->rest, line, "node", "drop   node ");
	put_word(&sum->rest, line, "dir", "  ");
	put_ms(&sum->rest, line, "left_ms", "  for ");
}

static void
show_warning(struct summary *sum, const struct ask_line *line)
{
	const char *msg = ask_value(line, "msg");

	out_put_string(&sum->rest, "warning  ");
	for (; *msg != '\0'; msg++)
		out_put(&sum->rest,
		    (unsigned char)*msg < ' ' || *msg == 0x7F ? "?" : msg, 1);
}

/* Kinds that are not here are newer than this tool. */
static const struct {
	const char *kind;
	void (*show)(struct summary *sum, const struct ask_line *line);
} kinds[] = {
	{ "ring", show_ring },
	{ "node", show_node },
	{ "link", show_link },
	{ "local", show_local },
	{ "detect", show_detect },
	{ "client", show_client },
	{ "key", show_key },
	{ "process", show_process },
	{ "drop", show_drop },
	{ "warning", show_warning },
};

static void
show(struct summary *sum, const struct ask_line *line)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		if (!is(line, "kind", kinds[i].kind))
			continue;
		kinds[i].show(sum, line);
		out_put(&sum->rest, "\n", 1);
		out_end(&sum->rest);
	}
}

static void
pass_on_as(struct summary *sum, const char *kind, struct word *word)
{
	if (given.is_json) {
		record_put_json(&sum->rest, "kind", kind, word);
		out_put(&sum->rest, "}\n", 2);
	} else {
		record_put(&sum->rest, kind, word);
		out_put(&sum->rest, "\n", 1);
	}
	out_end(&sum->rest);
}

/* The words behind "item", as the daemon gave them. */
static void
pass_on(struct summary *sum, const struct ask_line *line)
{
	struct word *word = line->word;
	const char *kind = ask_value(line, "kind");

	/* The kind is the record's first word. */
	for (size_t i = 0; i < word->pair_count; i++)
		if (strcmp(word->pair[i].key, "kind") == 0) {
			memmove(&word->pair[i], &word->pair[i + 1],
			    (word->pair_count - i - 1) * sizeof word->pair[0]);
			word->pair_count--;
			break;
		}
	pass_on_as(sum, kind, word);
}

/* Asks and gathers; the exit code. */
static enum exitcode
gather(struct summary *sum, struct ask *ask)
{
	uint64_t deadline_ns = ask_deadline_ns();
	struct ask_line line;
	int rc = ask_put(ask, "status\n", strlen("status\n"));

	while (rc == 0) {
		rc = ask_next(ask, &line, deadline_ns);
		if (rc != 0 || line.kind != ASK_ITEM)
			break;
		if (given.is_json || given.is_record)
			pass_on(sum, &line);
		else
			show(sum, &line);
	}
	if (rc != 0) {
		tool_warn("ring.sock: %s", ask_strerror(rc));
		return ask_exitcode(rc);
	}
	if (line.kind != ASK_OK)
		tool_warn("%s", ask_value(&line, "msg"));
	return ask_line_exitcode(&line);
}

/*
 * What quorumd says, if it is there.  When it does not answer, that is worth a
 * word, but the ring can be shown all the same.
 */
static void
gather_quorum(struct summary *sum, const char *rundir)
{
	uint64_t deadline_ns = ask_deadline_ns();
	struct ask_line line;
	struct ask *ask;
	int rc = ask_open(&ask, rundir, "quorum", deadline_ns);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return;
	sum->has_quorum = true;
	if (rc == 0)
		rc = ask_put(ask, "quorum\n", strlen("quorum\n"));
	if (rc == 0)
		rc = ask_next(ask, &line, deadline_ns);
	if (rc != 0)
		tool_warn("quorum.sock: %s", ask_strerror(rc));
	else if (line.kind != ASK_OK)
		tool_warn("quorum.sock: %s", ask_value(&line, "msg"));
	else if (given.is_json || given.is_record)
		pass_on_as(sum, "quorum", line.word);
	else {
		sum->quorate = strdup(ask_value(&line, "quorate"));
		sum->quorum_view = strdup(ask_value(&line, "view"));
		sum->coordinator = strdup(ask_value(&line, "coordinator"));
	}
	ask_close(ask);
}

/* "store  open  revision 7  keys 3  …", in a human's lines. */
static void
show_store(struct summary *sum, const struct ask_line *line)
{
	const char *text = ask_value(line, "text");

	put_word(&sum->rest, line, "state", "store  ");
	if (*text != '\0') {
		out_put_string(&sum->rest, "  ");
		out_put_string(&sum->rest, text);
	}
	put_word(&sum->rest, line, "rev", "  revision ");
	put_word(&sum->rest, line, "keys", "  keys ");
	put_word(&sum->rest, line, "bytes", "  bytes ");
	put_word(&sum->rest, line, "electorate", "  voters ");
	put_word(&sum->rest, line, "offered", "  offered ");
	put_word(&sum->rest, line, "surplus", "  surplus ");
	out_put(&sum->rest, "\n", 1);
	out_end(&sum->rest);
}

/* What cfgstored says, if it is there. */
static void
gather_store(struct summary *sum, const char *rundir)
{
	uint64_t deadline_ns = ask_deadline_ns();
	struct ask_line line;
	struct ask *ask;
	int rc = ask_open(&ask, rundir, "cfg", deadline_ns);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return;
	if (rc == 0)
		rc = ask_put(ask, "status\n", strlen("status\n"));
	if (rc == 0)
		rc = ask_next(ask, &line, deadline_ns);
	if (rc != 0)
		tool_warn("cfg.sock: %s", ask_strerror(rc));
	else if (line.kind != ASK_OK)
		tool_warn("cfg.sock: %s", ask_value(&line, "msg"));
	else if (given.is_json || given.is_record)
		pass_on_as(sum, "store", line.word);
	else
		show_store(sum, &line);
	ask_close(ask);
}

/* 4d02h, 3h07m, 12m05s, 9s: two units of four, the rest does not matter. */
static void
put_span(struct out *out, uint64_t ms)
{
	const uint64_t s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;
	char bytes[64];

	if (d > 0)
		snprintf(bytes, sizeof bytes, "%llud%02lluh",
		    (unsigned long long)d, (unsigned long long)(h % 24));
	else if (h > 0)
		snprintf(bytes, sizeof bytes, "%lluh%02llum",
		    (unsigned long long)h, (unsigned long long)(m % 60));
	else if (m > 0)
		snprintf(bytes, sizeof bytes, "%llum%02llus",
		    (unsigned long long)m, (unsigned long long)(s % 60));
	else
		snprintf(bytes, sizeof bytes, "%llus", (unsigned long long)s);
	out_put_string(out, bytes);
}

/* " view 1.18", the one that the verdict is about. */
static void
show_view(struct summary *sum)
{
	const char *ring_view = sum->view != NULL ? sum->view : "?";
	const char *view =
	    sum->quorum_view != NULL ? sum->quorum_view : ring_view;

	out_put_string(&sum->out, "  view ");
	out_put_string(&sum->out, view);
	if (sum->has_quorum && strcmp(view, ring_view) == 0) {
		out_put_string(&sum->out, " for ");
		put_span(&sum->out, sum->since_ms);
	}
	if (sum->coordinator == NULL || *sum->coordinator == '\0')
		return;
	out_put_string(&sum->out, "\ncoordinator ");
	out_put_string(&sum->out, sum->coordinator);
}

static const char *
verdict(const struct summary *sum)
{
	if (!sum->has_quorum)
		return sum->state != NULL ? sum->state : "unknown";
	if (sum->quorate != NULL && strcmp(sum->quorate, "yes") == 0)
		return "quorate";
	if (sum->quorate != NULL && strcmp(sum->quorate, "no") == 0)
		return "not quorate";
	return "unknown";
}

static void
show_links(struct summary *sum)
{
	out_put_string(&sum->out, "  ");
	out_put_u64(&sum->out, sum->links_up);
	if (!sum->has_quorum || sum->links_up < sum->links) {
		out_put_string(&sum->out, "/");
		out_put_u64(&sum->out, sum->links);
	}
	out_put_string(&sum->out,
	    sum->has_quorum && sum->links_up == sum->links ? " links ok\n"
							   : " links up\n");
}

/*
 * quorate  3/3 members  view 1.18 for 4d02h
 * coordinator alpha  2 links ok
 * operational  3/3 members  view 1.18  2/2 links up    (without quorumd)
 */
static void
show_summary(struct summary *sum)
{
	if (given.is_json || given.is_record)
		return;
	out_put_string(&sum->out, verdict(sum));
	out_put_string(&sum->out, "  ");
	out_put_u64(&sum->out, sum->members);
	out_put_string(&sum->out, "/");
	out_put_u64(&sum->out, sum->nodes);
	out_put_string(&sum->out, " members");
	show_view(sum);
	show_links(sum);
	out_end(&sum->out);
}

static void
print(struct summary *sum)
{
	int rc;

	show_summary(sum);
	rc = out_flush(&sum->out);
	if (rc == 0)
		rc = out_flush(&sum->rest);
	if (rc != 0)
		tool_fail_output(rc);
}

static void
forget(struct summary *sum)
{
	out_close(&sum->out);
	out_close(&sum->rest);
	free(sum->state);
	free(sum->view);
	free(sum->quorate);
	free(sum->quorum_view);
	free(sum->coordinator);
}

int
ringkit_status(int argc, char **argv)
{
	struct summary sum = { 0 };
	enum exitcode code;
	struct ask *ask;
	const char *rundir;
	int first, rc = opt_parse(&program, argc, argv, &first);

	if (rc == 0 && first < argc)
		rc =
		    opt_usage(&program, "%s: no operand is taken", argv[first]);
	if (rc == 0 && given.is_json && given.is_record)
		rc = opt_usage(&program, "only one of -j and -l");
	if (rc != 0)
		return tool_opt_exit(rc);
	rundir = opt_rundir(given.rundir);
	if (out_open(&sum.out, STDOUT_FILENO) != 0 ||
	    out_open(&sum.rest, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = ask_open(&ask, rundir, "ring", ask_deadline_ns());
	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "%s", ask_explain_rc(rundir, "ring", rc));
	gather_quorum(&sum, rundir);
	code = gather(&sum, ask);
	ask_close(ask);
	gather_store(&sum, rundir);
	if (code == EXITCODE_OK)
		print(&sum);
	forget(&sum);
	return (int)code;
}
