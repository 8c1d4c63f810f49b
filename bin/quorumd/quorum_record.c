/* SPDX-License-Identifier: BSD-3-Clause */
/* What outlives the machine: the configuration in force, the agreement that
 * brought it, and what was promised, a line of text:
 *
 *	record [cluster=NAME] self=ID config=E two_node=N ... [tie=ID,...]
 *		[held=E] [promised=E;E] [crowded=yes]
 *
 * E as in quorum_wire.c; that of `config` says the votes, and what is expected.
 *
 * A node says that an agreement on a configuration may count it in when its
 * record has that, promised: so whoever took part in the agreement, and begins
 * anew, forgets when it was made, but not that it may have been.  Until an
 * agreement is made in its sight it then counts by the configuration in force
 * and by what it promised: it has quorum by both or not at all.
 */
#include <assert.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"

static_assert(QUORUM_PROMISES + 1 <= QUORUM_MAYBES, "with what is held");

/* ---- rules ------------------------------------------------------------- */

enum { RULES = 8 };

static const char *const rule_names[RULES] = { "two_node", "wait_for_all",
	"last_man_standing", "auto_tie_breaker", "allow_downscale",
	"expected_votes_tracking", "device_votes", "device_master_wins" };

static const uint64_t rule_max[RULES] = { 1, QUORUM_WAIT_ALWAYS, 1,
	QUORUM_TIE_LIST, 1, 1, UINT32_MAX, 1 };

static void
get_rules(const struct quorum_config *cfg, uint64_t *rule)
{
	const uint64_t all[RULES] = { cfg->two_node, cfg->wait_for_all,
		cfg->last_man_standing, cfg->auto_tie_breaker,
		cfg->allow_downscale, cfg->expected_votes_tracking,
		quorum_config_device_votes(cfg), cfg->device_master_wins };

	memcpy(rule, all, sizeof all);
}

static void
set_rules(struct quorum_config *cfg, const uint64_t *rule)
{
	cfg->two_node = rule[0] != 0;
	cfg->wait_for_all = (enum quorum_wait)rule[1];
	cfg->last_man_standing = rule[2] != 0;
	cfg->auto_tie_breaker = (enum quorum_tie)rule[3];
	cfg->allow_downscale = rule[4] != 0;
	cfg->expected_votes_tracking = rule[5] != 0;
	cfg->has_device = rule[6] != 0;
	cfg->device_votes = (uint32_t)rule[6];
	cfg->device_master_wins = rule[7] != 0;
}

/* ---- writing ----------------------------------------------------------- */

/* The votes of these, which are the configured ones, and what is expected. */
static void
put_config(
    const struct quorum_config *cfg, uint64_t configured, struct text *out)
{
	const uint64_t sum =
	    quorum_config_node_votes(cfg) + quorum_config_device_votes(cfg);
	struct quorum_epoch e = { .voters = configured,
		.expected = (uint32_t)num_max(sum, cfg->expected_votes),
		.config = quorum_config_version(cfg) };
	uint64_t rule[RULES];

	for (size_t i = 0; i < cfg->node_count; i++)
		e.votes[i] = cfg->node[i].votes;
	text_put(out, "record");
	if (cfg->cluster[0] != '\0') {
		text_put(out, " cluster=");
		text_put_value(out, cfg->cluster, strlen(cfg->cluster));
	}
	text_put(out, " self=");
	text_put_u64(out, cfg->self);
	text_put(out, " config=");
	quorum_wire_put_epoch(cfg, &e, out);
	get_rules(cfg, rule);
	for (size_t i = 0; i < RULES; i++) {
		text_put_char(out, ' ');
		text_put(out, rule_names[i]);
		text_put_char(out, '=');
		text_put_u64(out, rule[i]);
	}
	if (cfg->auto_tie_breaker != QUORUM_TIE_LIST)
		return;
	for (size_t i = 0; i < cfg->tie_count; i++) {
		text_put(out, i == 0 ? " tie=" : ",");
		text_put_u64(out, cfg->tie_list[i]);
	}
}

void
quorum_record_begin(const struct quorum_config *cfg, struct text *out)
{
	uint64_t all = 0;

	for (size_t i = 0; i < cfg->node_count; i++)
		all |= QUORUM_BIT(i);
	put_config(cfg, all, out);
}

void
quorum_record_write(struct quorum *q)
{
	struct text out;

	text_init(&out, q->record, sizeof q->record);
	put_config(&q->cfg, q->configured, &out);
	if (q->held.stamp.view.seq != 0) {
		text_put(&out, " held=");
		quorum_wire_put_epoch(&q->cfg, &q->held, &out);
	}
	for (size_t i = 0; i < q->promised_count; i++) {
		text_put(&out, i == 0 ? " promised=" : ";");
		quorum_wire_put_epoch(&q->cfg, &q->promised[i].epoch, &out);
	}
	if (q->is_promise_crowded)
		text_put(&out, " crowded=yes");
	ENSURE(!out.is_full);
	q->record_len = out.len;
}

/* ---- reading ----------------------------------------------------------- */

static bool
parse(struct word *word, const char *bytes, size_t len, char *line)
{
	if (len > QUORUM_MESSAGE_BYTES_MAX)
		return false;
	memcpy(line, bytes, len);
	line[len] = '\0';
	return word_parse(word, line, len) == 0 && word->verb_count == 1 &&
	    strcmp(word->verb[0], "record") == 0;
}

static bool
read_rules(struct word *word, struct quorum_config *cfg)
{
	uint64_t rule[RULES];
	const struct word_pair *tie = word_get(word, "tie");

	for (size_t i = 0; i < RULES; i++)
		if (!quorum_wire_get_number(
			word, rule_names[i], rule_max[i], &rule[i]))
			return false;
	set_rules(cfg, rule);
	cfg->tie_count = 0;
	if (tie == NULL)
		return true;
	for (struct word_pair list = *tie; list.len > 0;) {
		struct word_pair id = quorum_wire_take(&list, ',');

		if (cfg->tie_count == LIMIT_NODES ||
		    parse_node_id(id.value, id.len,
			&cfg->tie_list[cfg->tie_count++]) != 0)
			return false;
	}
	return true;
}

/* Its nodes, in places of their own. */
static bool
read_nodes(struct word *word, struct quorum_config *cfg)
{
	const struct word_pair *config = word_get(word, "config");
	struct quorum_wire found = { .stranger_count = 0 };
	struct quorum_epoch e;

	cfg->node_count = 0;
	if (config == NULL || !quorum_wire_get_epoch(cfg, *config, &found, &e))
		return false;
	memset(cfg->node, 0, sizeof cfg->node);
	cfg->node_count = found.stranger_count;
	for (size_t i = 0; i < cfg->node_count; i++) {
		struct text name;

		cfg->node[i].id = found.stranger[i];
		text_init(&name, cfg->node[i].name, sizeof cfg->node[i].name);
		text_put(&name, "node-");
		text_put_u64(&name, cfg->node[i].id);
	}
	if (!quorum_wire_get_epoch(cfg, *config, &found, &e))
		return false;
	for (size_t i = 0; i < cfg->node_count; i++)
		cfg->node[i].votes = e.votes[i];
	cfg->expected_votes = e.expected;
	return true;
}

static bool
read_cluster(struct word *word, struct quorum_config *cfg)
{
	const struct word_pair *name = word_get(word, "cluster");

	memset(cfg->cluster, 0, sizeof cfg->cluster);
	if (name == NULL)
		return true;
	if (name->len >= sizeof cfg->cluster)
		return false;
	memcpy(cfg->cluster, name->value, name->len);
	return true;
}

bool
quorum_record_read(struct quorum_config *cfg, const char *bytes, size_t len)
{
	char line[QUORUM_MESSAGE_BYTES_MAX + 1], why[QUORUM_TEXT_BYTES];
	uint64_t self;
	struct word word;
	struct text text;

	if (!parse(&word, bytes, len, line) || !read_cluster(&word, cfg) ||
	    !quorum_wire_get_number(&word, "self", LIMIT_NODE_ID_MAX, &self) ||
	    !read_nodes(&word, cfg) || !read_rules(&word, cfg))
		return false;
	cfg->self = (uint32_t)self;
	text_init(&text, why, sizeof why);
	return !quorum_config_mistake(cfg, 0, &text);
}

/* What stands behind the configuration; strangers are noted. */
static bool
read_rest(
    struct quorum *q, const char *bytes, size_t len, struct quorum_wire *found)
{
	struct word word;

	memset(found, 0, sizeof *found);
	if (!parse(&word, bytes, len, q->scratch))
		return false;
	const struct word_pair *held = word_get(&word, "held");
	const struct word_pair *promised = word_get(&word, "promised");

	q->is_promise_crowded = word_get(&word, "crowded") != NULL;
	q->promised_count = 0;
	if (held != NULL &&
	    !quorum_wire_get_epoch(&q->cfg, *held, found, &q->held))
		return false;
	if (promised == NULL)
		return true;
	for (struct word_pair list = *promised; list.len > 0;) {
		struct quorum_promise *promise =
		    &q->promised[q->promised_count];

		if (q->promised_count == QUORUM_PROMISES ||
		    !quorum_wire_get_epoch(&q->cfg,
			quorum_wire_take(&list, ';'), found, &promise->epoch))
			return false;
		promise->no = q->record_no;
		q->promised_count++;
	}
	return true;
}

void
quorum_record_recall(
    struct quorum *q, const char *bytes, size_t len, bool is_durable)
{
	struct quorum_wire found;
	bool is_good;

	q->record_no = is_durable ? 1 : 2;
	is_good = read_rest(q, bytes, len, &found);
	if (is_good && found.stranger_count > 0) {
		quorum_reload_learn(q, found.stranger, found.stranger_count);
		is_good = read_rest(q, bytes, len, &found);
	}
	if (!is_good) { /* whatever it was: only all together are sure */
		q->promised_count = 0;
		q->is_promise_crowded = true;
	}
	if (q->run > 1)
		return; /* what was kept knows better */
	q->memory.is_crowded |= q->is_promise_crowded;
	if (is_good && q->held.config == q->version)
		q->memory.since = q->held.stamp;
	quorum_epoch_suspect(&q->memory, &q->held);
	for (size_t i = 0; i < q->promised_count; i++)
		quorum_epoch_suspect(&q->memory, &q->promised[i].epoch);
}

/* ---- promises ---------------------------------------------------------- */

/* The same for all who promised it. */
static struct parse_pos
undated(uint64_t version)
{
	return (struct parse_pos){
		.view = { .rep = UINT32_MAX, .seq = UINT64_MAX }, .seq = version
	};
}

/* false: there was none. */
static bool
strip(struct quorum_memory *memory)
{
	size_t kept = 0;
	const size_t count = memory->maybe_count;

	for (size_t i = 0; i < count; i++)
		if (!quorum_epoch_is_promised(&memory->maybe[i]))
			memory->maybe[kept++] = memory->maybe[i];
	memory->maybe_count = kept;
	return kept < count;
}

/*
 * Who has quorum without it would know if it had been agreed on; also where it
 * is of more than there is room for in a record.
 */
void
quorum_record_hear(struct quorum *q, struct quorum_wire *wire)
{
	const bool is_crowd = wire->memory.is_crowded && wire->said.is_fresh;

	if (!q->finding.is_quorate)
		return;
	if (is_crowd)
		wire->memory.is_crowded = false;
	q->is_doubted |= strip(&wire->memory) || is_crowd;
}

/*
 * Where it was agreed on, if it was, nobody knows: but before the first view
 * that this core is told of.  So a later agreement ends it.
 */
void
quorum_record_date(struct quorum *q, uint64_t seq)
{
	for (size_t i = 0; i < q->memory.maybe_count; i++)
		if (q->memory.maybe[i].stamp.view.seq == UINT64_MAX)
			q->memory.maybe[i].stamp.view.seq = seq - 1;
	quorum_epoch_prune(&q->memory);
}

/* The record that has it already; 0: none. */
static uint64_t
find(const struct quorum *q, uint64_t version)
{
	for (size_t i = 0; i < q->promised_count; i++)
		if (q->promised[i].epoch.config == version)
			return q->promised[i].no;
	return 0;
}

/* The next record says what is new now. */
static void
change(struct quorum *q)
{
	if (!q->is_record_due)
		q->record_no++;
	q->is_record_due = true;
}

/* What is pending, into the next record. */
static void
add(struct quorum *q)
{
	struct quorum_epoch *e;

	change(q);
	if (q->promised_count == QUORUM_PROMISES) {
		q->is_promise_crowded = true;
		return;
	}
	q->promised[q->promised_count].no = q->record_no;
	e = &q->promised[q->promised_count++].epoch;
	*e = (struct quorum_epoch){ .stamp = undated(q->next_version),
		.config = q->next_version };
	e->expected = (uint32_t)num_max(quorum_config_node_votes(&q->next) +
		quorum_config_device_votes(&q->next),
	    q->next.expected_votes);
	for (size_t i = 0; i < q->next.node_count; i++) {
		size_t place = quorum_config_place(&q->cfg, q->next.node[i].id);

		if (place == LIMIT_NODES)
			continue; /* it would not be due */
		e->voters |= QUORUM_BIT(place);
		e->votes[place] = q->next.node[i].votes;
	}
}

static void
promise(struct quorum *q)
{
	q->promise_no = find(q, q->next_version);
	if (q->promise_no != 0)
		return;
	add(q);
	q->promise_no = q->record_no;
}

void
quorum_record_wish(struct quorum *q)
{
	q->promise_no = 0;
	q->said[q->self].is_promised = !q->is_pending;
}

/* As far as we know others may count by it still. */
static bool
is_feared(const struct quorum *q, const struct quorum_promise *promise)
{
	const struct quorum_memory *memory = &q->memory;

	for (size_t i = 0; i < memory->maybe_count; i++)
		if (memory->maybe[i].config == promise->epoch.config)
			return true;
	return memory->is_crowded;
}

/* What is in force may be older than what was promised: so says a record. */
void
quorum_record_installed(struct quorum *q)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->promised_count; i++)
		if (is_feared(q, &q->promised[i]))
			q->promised[kept++] = q->promised[i];
	q->promised_count = kept;
	q->is_promise_crowded &= q->memory.is_crowded;
	q->is_from_record = false;
	quorum_record_wish(q);
	change(q);
}

/* All but what we wish for now. */
static void
drop_others(struct quorum *q)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->promised_count; i++)
		if (q->is_pending &&
		    q->promised[i].epoch.config == q->next_version)
			q->promised[kept++] = q->promised[i];
	q->promised_count = kept;
	q->is_promise_crowded = false;
	change(q);
	if (q->promise_no != 0 && kept == 0)
		add(q); /* of the crowd, until now */
}

/* There is more than what we say that we have promised. */
static bool
has_others(const struct quorum *q)
{
	size_t own = q->is_pending && find(q, q->next_version) != 0;

	return q->promised_count > own || q->is_promise_crowded;
}

bool
quorum_record_is_stale(const struct quorum *q)
{
	return has_others(q) && q->told_config == q->said[q->self].config;
}

/* What was agreed on while we were away, as the record of another says. */
static const struct quorum_epoch *
find_agreed(const struct quorum *q)
{
	const struct quorum_memory *memory = &q->memory;

	if (memory->now.config != q->version ||
	    quorum_epoch_order(&memory->since, &q->held.stamp) <= 0)
		return NULL;
	for (size_t i = 0; i < memory->maybe_count; i++)
		if (quorum_epoch_order(
			&memory->maybe[i].stamp, &memory->since) == 0)
			return &memory->maybe[i];
	return NULL;
}

static void
hold(struct quorum *q)
{
	const struct quorum_epoch *now = &q->memory.now;
	const struct quorum_epoch *e = find_agreed(q);

	if (now->stamp.view.seq != 0 && now->config != 0 &&
	    (now->config != q->held.config ||
		(q->is_held_over && now->cause == QUORUM_CAUSE_START)))
		e = now;
	if (e == NULL)
		return;
	q->is_held_over = false;
	q->held = *e;
	change(q);
}

void
quorum_record_follow(struct quorum *q)
{
	const struct quorum_epoch *now = &q->memory.now;
	struct quorum_said *own = &q->said[q->self];

	hold(q);
	/* Whatever is agreed on from here on counts us by our last word. */
	if (quorum_record_is_stale(q) &&
	    quorum_epoch_order(&now->stamp, &q->told) > 0)
		drop_others(q);
	if (!q->is_pending || own->is_promised)
		return;
	if (q->promise_no == 0 && quorum_reload_is_due(q))
		promise(q);
	if (q->promise_no == 0 || q->recorded_no < q->promise_no)
		return;
	own->is_promised = true;
	q->is_owed = true;
}
