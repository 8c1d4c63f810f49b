/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of the group ringkit/quorum, and what is kept: a line each.
 *
 *	state own=VOTES waiting=yes|no fresh=yes|no unsure=yes|no new=yes|no
 *		view=REP.SEQ members=ID,... vouched=ID,... now=E [maybe=E;E]
 *		[crowded=yes] [since=POS] [tried=yes] [tracked=VOTES] [config=N]
 *		[promised=yes]
 *	epoch base=POS to=E reason=N [side=ID,...] [leaver=ID] [no=N]
 *	cancel [no=N]
 *	vote cast=yes|no ttl=MS name=NAME [no=N]
 *	expire node=ID at=POS
 *
 * each with round=POS where it counts, and run=N of its sender.
 * E is POS/EXPECTED/CAUSE/ID:VOTES,.../ID,.../CONFIG; POS is REP.SEQ:SEQ.IDX.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/quorumd/quorum_internal.h"

static const char *const kinds[QUORUM_WIRES] = {
	[QUORUM_WIRE_STATE] = "state",
	[QUORUM_WIRE_EPOCH] = "epoch",
	[QUORUM_WIRE_CANCEL] = "cancel",
	[QUORUM_WIRE_VOTE] = "vote",
	[QUORUM_WIRE_EXPIRE] = "expire",
};

static const char *const causes[QUORUM_CAUSES] = {
	[QUORUM_CAUSE_START] = "start",
	[QUORUM_CAUSE_LMS] = "lms",
	[QUORUM_CAUSE_DOWNSCALE] = "downscale",
	[QUORUM_CAUSE_FORCED] = "forced",
};

/* ---- writing ----------------------------------------------------------- */

void
quorum_wire_put_pos(const struct parse_pos *pos, struct text *out)
{
	text_put_u64(out, pos->view.rep);
	text_put_char(out, '.');
	text_put_u64(out, pos->view.seq);
	text_put_char(out, ':');
	text_put_u64(out, pos->seq);
	text_put_char(out, '.');
	text_put_u64(out, pos->idx);
}

void
quorum_wire_put_set(
    const struct quorum_config *cfg, uint64_t set, struct text *out)
{
	const char *between = "";

	for (size_t i = 0; i < cfg->node_count; i++) {
		if (!(set & QUORUM_BIT(i)))
			continue;
		text_put(out, between);
		text_put_u64(out, cfg->node[i].id);
		between = ",";
	}
}

void
quorum_wire_put_epoch(const struct quorum_config *cfg,
    const struct quorum_epoch *e, struct text *out)
{
	const char *between = "";

	quorum_wire_put_pos(&e->stamp, out);
	text_put_char(out, '/');
	text_put_u64(out, e->expected);
	text_put_char(out, '/');
	text_put(out, causes[e->cause]);
	text_put_char(out, '/');
	for (size_t i = 0; i < cfg->node_count; i++) {
		if (!(e->voters & QUORUM_BIT(i)))
			continue;
		text_put(out, between);
		text_put_u64(out, cfg->node[i].id);
		text_put_char(out, ':');
		text_put_u64(out, e->votes[i]);
		between = ",";
	}
	text_put_char(out, '/');
	quorum_wire_put_set(cfg, e->quorate, out);
	text_put_char(out, '/');
	text_put_u64(out, e->config);
}

static void
put_number(struct text *out, const char *key, uint64_t number)
{
	text_put(out, key);
	text_put_u64(out, number);
}

static void
put_state(const struct quorum_config *cfg, const struct quorum_wire *wire,
    struct text *out)
{
	const struct quorum_memory *memory = &wire->memory;

	put_number(out, " own=", wire->said.votes);
	text_put(out, wire->said.is_waiting ? " waiting=yes" : " waiting=no");
	text_put(out, wire->said.is_fresh ? " fresh=yes" : " fresh=no");
	text_put(out, wire->said.is_unsure ? " unsure=yes" : " unsure=no");
	text_put(out, wire->is_new ? " new=yes" : " new=no");
	put_number(out, " view=", wire->view.rep);
	put_number(out, ".", wire->view.seq);
	text_put(out, " members=");
	quorum_wire_put_set(cfg, wire->members, out);
	text_put(out, " vouched=");
	quorum_wire_put_set(cfg, wire->vouched, out);
	text_put(out, " now=");
	quorum_wire_put_epoch(cfg, &memory->now, out);
	for (size_t i = 0; i < memory->maybe_count; i++) {
		text_put(out, i == 0 ? " maybe=" : ";");
		quorum_wire_put_epoch(cfg, &memory->maybe[i], out);
	}
	if (memory->is_crowded)
		text_put(out, " crowded=yes");
	if (memory->since.view.seq != 0) {
		text_put(out, " since=");
		quorum_wire_put_pos(&memory->since, out);
	}
	if (memory->is_tried)
		text_put(out, " tried=yes");
	if (wire->said.tracked != 0)
		put_number(out, " tracked=", wire->said.tracked);
	if (wire->said.config != 0)
		put_number(out, " config=", wire->said.config);
	if (wire->said.is_promised)
		text_put(out, " promised=yes");
}

static void
put_epoch_change(const struct quorum_config *cfg,
    const struct quorum_wire *wire, struct text *out)
{
	text_put(out, " base=");
	quorum_wire_put_pos(&wire->base, out);
	text_put(out, " to=");
	quorum_wire_put_epoch(cfg, &wire->epoch, out);
	put_number(out, " reason=", wire->reason);
	if (wire->side != 0) {
		text_put(out, " side=");
		quorum_wire_put_set(cfg, wire->side, out);
	}
	if (wire->leaver != 0)
		put_number(out, " leaver=", wire->leaver);
}

void
quorum_wire_put(const struct quorum_config *cfg, const struct quorum_wire *wire,
    struct text *out)
{
	text_put(out, kinds[wire->kind]);
	if (wire->kind == QUORUM_WIRE_STATE)
		put_state(cfg, wire, out);
	if (wire->kind == QUORUM_WIRE_EPOCH)
		put_epoch_change(cfg, wire, out);
	if (wire->kind == QUORUM_WIRE_VOTE) {
		text_put(out, wire->is_yes ? " cast=yes" : " cast=no");
		put_number(out, " ttl=", wire->ttl_ms);
		text_put(out, " name=");
		text_put_value(out, wire->name, strlen(wire->name));
	}
	if (wire->kind == QUORUM_WIRE_EXPIRE) {
		put_number(out, " node=", wire->node);
		text_put(out, " at=");
		quorum_wire_put_pos(&wire->at, out);
	}
	if (wire->kind == QUORUM_WIRE_STATE ||
	    wire->kind == QUORUM_WIRE_EPOCH) {
		text_put(out, " round=");
		quorum_wire_put_pos(&wire->round, out);
	}
	if (wire->no != 0)
		put_number(out, " no=", wire->no);
	if (wire->run != 0)
		put_number(out, " run=", wire->run);
}

/* ---- reading ----------------------------------------------------------- */

struct word_pair
quorum_wire_take(struct word_pair *list, char sep)
{
	struct word_pair item = { .value = list->value, .len = list->len };
	const char *at =
	    list->len > 0 ? memchr(list->value, sep, list->len) : NULL;

	if (at == NULL) {
		list->len = 0;
		return item;
	}
	item.len = (size_t)(at - list->value);
	list->value += item.len + 1;
	list->len -= item.len + 1;
	return item;
}

/* The place of a node; LIMIT_NODES: it has none, which is noted. */
static size_t
find_place(
    const struct quorum_config *cfg, uint32_t id, struct quorum_wire *out)
{
	size_t place = quorum_config_place(cfg, id);
	size_t i = 0;

	if (place < LIMIT_NODES)
		return place;
	while (i < out->stranger_count && out->stranger[i] != id)
		i++;
	if (i == out->stranger_count && i < LIMIT_NODES)
		out->stranger[out->stranger_count++] = id;
	return LIMIT_NODES;
}

static bool
get_votes(const struct quorum_config *cfg, struct word_pair list,
    struct quorum_wire *out, struct quorum_epoch *e)
{
	while (list.len > 0) {
		struct word_pair item = quorum_wire_take(&list, ',');
		struct word_pair id = quorum_wire_take(&item, ':');
		uint32_t node;
		uint64_t votes;

		if (parse_node_id(id.value, id.len, &node) != 0 ||
		    parse_u64(item.value, item.len, 0, UINT32_MAX, &votes) != 0)
			return false;
		size_t place = find_place(cfg, node, out);

		if (place == LIMIT_NODES)
			continue;
		e->voters |= QUORUM_BIT(place);
		e->votes[place] = (uint32_t)votes;
	}
	return quorum_epoch_votes(e) <= e->expected;
}

bool
quorum_wire_get_set(
    const struct quorum_config *cfg, struct word_pair list, uint64_t *set)
{
	while (list.len > 0) {
		struct word_pair id = quorum_wire_take(&list, ',');
		uint32_t node;

		if (parse_node_id(id.value, id.len, &node) != 0)
			return false;
		*set |= quorum_config_set(cfg, &node, 1);
	}
	return true;
}

static bool
get_cause(struct word_pair word, enum quorum_cause *out)
{
	for (enum quorum_cause c = 0; c < QUORUM_CAUSES; c++) {
		*out = c;
		if (strlen(causes[c]) == word.len &&
		    memcmp(causes[c], word.value, word.len) == 0)
			return true;
	}
	return false;
}

static bool
get_pos(struct word_pair word, struct parse_pos *out)
{
	static const char start[] = "0.0:0.0";

	memset(out, 0, sizeof *out);
	if (word.len == sizeof start - 1 &&
	    memcmp(word.value, start, word.len) == 0)
		return true;
	return parse_pos(word.value, word.len, out) == 0;
}

bool
quorum_wire_get_epoch(const struct quorum_config *cfg, struct word_pair word,
    struct quorum_wire *out, struct quorum_epoch *e)
{
	struct word_pair stamp = quorum_wire_take(&word, '/');
	struct word_pair expected = quorum_wire_take(&word, '/');
	struct word_pair cause = quorum_wire_take(&word, '/');
	struct word_pair voters = quorum_wire_take(&word, '/');
	struct word_pair quorate = quorum_wire_take(&word, '/');
	uint64_t number;

	memset(e, 0, sizeof *e);
	if (parse_u64(expected.value, expected.len, 1, UINT32_MAX, &number) !=
	    0)
		return false;
	e->expected = (uint32_t)number;
	/* Before there was reload it said nothing. */
	if (word.len > 0 &&
	    parse_u64(word.value, word.len, 0, UINT64_MAX, &e->config) != 0)
		return false;
	return get_pos(stamp, &e->stamp) && get_cause(cause, &e->cause) &&
	    get_votes(cfg, voters, out, e) &&
	    quorum_wire_get_set(cfg, quorate, &e->quorate);
}

bool
quorum_wire_get_number(
    struct word *word, const char *key, uint64_t max, uint64_t *out)
{
	const struct word_pair *pair = word_get(word, key);

	return pair != NULL &&
	    parse_u64(pair->value, pair->len, 0, max, out) == 0;
}

/* 0.0: none yet. */
static bool
get_view(struct word_pair word, struct parse_view *out)
{
	static const char none[] = "0.0";

	memset(out, 0, sizeof *out);
	if (word.len == sizeof none - 1 &&
	    memcmp(word.value, none, word.len) == 0)
		return true;
	return parse_view(word.value, word.len, out) == 0;
}

static bool
get_round(struct word *word, struct quorum_wire *out)
{
	const struct word_pair *round = word_get(word, "round");

	return round != NULL && get_pos(*round, &out->round);
}

static bool
get_yes_no(struct word *word, const char *key, bool *out)
{
	const struct word_pair *pair = word_get(word, key);
	int yes;

	if (pair == NULL || parse_yes_no(pair->value, pair->len, &yes) != 0)
		return false;
	*out = yes != 0;
	return true;
}

/* What its sender has heard, and from where on. */
static bool
get_place(
    const struct quorum_config *cfg, struct word *word, struct quorum_wire *out)
{
	const struct word_pair *view = word_get(word, "view");
	const struct word_pair *members = word_get(word, "members");
	const struct word_pair *vouched = word_get(word, "vouched");

	return view != NULL && members != NULL && vouched != NULL &&
	    get_view(*view, &out->view) &&
	    quorum_wire_get_set(cfg, *members, &out->members) &&
	    quorum_wire_get_set(cfg, *vouched, &out->vouched) &&
	    get_yes_no(word, "unsure", &out->said.is_unsure) &&
	    get_yes_no(word, "new", &out->is_new) && get_round(word, out);
}

/* Beside the agreements. */
static bool
get_memory(struct word *word, struct quorum_memory *out)
{
	const struct word_pair *since = word_get(word, "since");

	out->is_crowded = word_get(word, "crowded") != NULL;
	out->is_tried = word_get(word, "tried") != NULL;
	return since == NULL || get_pos(*since, &out->since);
}

static bool
get_state(
    const struct quorum_config *cfg, struct word *word, struct quorum_wire *out)
{
	const struct word_pair *now = word_get(word, "now");
	const struct word_pair *maybe = word_get(word, "maybe");
	struct quorum_memory *memory = &out->memory;
	uint64_t own, tracked = 0;

	if (now == NULL ||
	    !quorum_wire_get_epoch(cfg, *now, out, &memory->now) ||
	    !quorum_wire_get_number(word, "own", UINT32_MAX, &own) ||
	    !get_yes_no(word, "waiting", &out->said.is_waiting) ||
	    !get_yes_no(word, "fresh", &out->said.is_fresh) ||
	    !get_place(cfg, word, out))
		return false;
	if (word_get(word, "tracked") != NULL &&
	    !quorum_wire_get_number(word, "tracked", UINT32_MAX, &tracked))
		return false;
	if (word_get(word, "config") != NULL &&
	    !quorum_wire_get_number(
		word, "config", UINT64_MAX, &out->said.config))
		return false;
	out->said.votes = (uint32_t)own;
	out->said.tracked = (uint32_t)tracked;
	out->said.is_promised = word_get(word, "promised") != NULL;
	if (!get_memory(word, memory))
		return false;
	if (maybe == NULL)
		return true;
	for (struct word_pair list = *maybe; list.len > 0;) {
		struct quorum_epoch e;

		if (!quorum_wire_get_epoch(
			cfg, quorum_wire_take(&list, ';'), out, &e))
			return false;
		quorum_epoch_suspect(memory, &e);
	}
	return true;
}

static bool
get_epoch_change(
    const struct quorum_config *cfg, struct word *word, struct quorum_wire *out)
{
	const struct word_pair *base = word_get(word, "base");
	const struct word_pair *to = word_get(word, "to");
	const struct word_pair *side = word_get(word, "side");
	uint64_t reason, leaver = 0;

	if (base == NULL || to == NULL || !get_pos(*base, &out->base) ||
	    !get_round(word, out) ||
	    !quorum_wire_get_epoch(cfg, *to, out, &out->epoch) ||
	    !quorum_wire_get_number(
		word, "reason", QUORUM_REASONS - 1, &reason))
		return false;
	if (side != NULL && !quorum_wire_get_set(cfg, *side, &out->side))
		return false;
	if (word_get(word, "leaver") != NULL &&
	    !quorum_wire_get_number(word, "leaver", LIMIT_NODE_ID_MAX, &leaver))
		return false;
	out->reason = (enum quorum_reason)reason;
	out->leaver = (uint32_t)leaver;
	return true;
}

static bool
get_vote(struct word *word, struct quorum_wire *out)
{
	const struct word_pair *name = word_get(word, "name");

	out->name = name != NULL ? name->value : "";
	return get_yes_no(word, "cast", &out->is_yes) &&
	    quorum_wire_get_number(
		word, "ttl", UINT64_MAX / 2000000, &out->ttl_ms);
}

static bool
get_expire(struct word *word, struct quorum_wire *out)
{
	const struct word_pair *at = word_get(word, "at");
	uint64_t node;

	if (at == NULL || !get_pos(*at, &out->at) ||
	    !quorum_wire_get_number(word, "node", LIMIT_NODE_ID_MAX, &node))
		return false;
	out->node = (uint32_t)node;
	return true;
}

bool
quorum_wire_get(const struct quorum_config *cfg, char *line, size_t len,
    struct quorum_wire *out)
{
	struct word word;

	memset(out, 0, sizeof *out);
	if (word_parse(&word, line, len) != 0 || word.verb_count != 1 ||
	    (word_get(&word, "no") != NULL &&
		!quorum_wire_get_number(&word, "no", UINT64_MAX, &out->no)) ||
	    (word_get(&word, "run") != NULL &&
		!quorum_wire_get_number(
		    &word, "run", UINT64_MAX - 1, &out->run)))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(word.verb[0], kinds[i]) == 0) {
			out->kind = (enum quorum_wire_kind)i;
			switch (out->kind) {
			case QUORUM_WIRE_STATE:
				return get_state(cfg, &word, out);
			case QUORUM_WIRE_EPOCH:
				return get_epoch_change(cfg, &word, out);
			case QUORUM_WIRE_VOTE:
				return get_vote(&word, out);
			case QUORUM_WIRE_EXPIRE:
				return get_expire(&word, out);
			case QUORUM_WIRE_CANCEL:
			case QUORUM_WIRES:
				return true;
			}
		}
	return false;
}
