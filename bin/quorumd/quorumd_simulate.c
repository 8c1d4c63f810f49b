/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/quorumd/quorumd_simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/exitcode.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorumd_simulate_world.h"

#define BIT(i) ((uint64_t)1 << (i))

struct script {
	const char *path;
	unsigned line;
	struct quorum_config cfg;
	bool is_wait_given;
	struct quorumd_simulate_world *world; /* NULL: not begun */
};

static bool
fail(const struct script *s, const char *what, const char *about)
{
	fprintf(stderr, "%s:%u: %s%s%s\n", s->path, s->line, what,
	    *about != '\0' ? ": " : "", about);
	return false;
}

/* ---- the configuration ------------------------------------------------- */

static bool
add_node(struct script *s, const char *name, uint32_t id, uint32_t votes)
{
	struct quorum_config *cfg = &s->cfg;
	size_t at = cfg->node_count;

	if (at == LIMIT_NODES || strlen(name) > QUORUM_NAME_BYTES)
		return fail(s, "too many nodes, or too long a name", name);
	for (size_t i = 0; i < cfg->node_count; i++)
		if (cfg->node[i].id == id ||
		    strcmp(cfg->node[i].name, name) == 0)
			return fail(
			    s, "a node of that id or name is there", name);
	while (at > 0 && cfg->node[at - 1].id > id) {
		cfg->node[at] = cfg->node[at - 1];
		at--;
	}
	cfg->node[at].id = id;
	cfg->node[at].votes = votes;
	strcpy(cfg->node[at].name, name);
	cfg->node_count++;
	return true;
}

static bool
get_number(struct word *word, const char *key, uint64_t max, uint64_t *out)
{
	const struct word_pair *pair = word_get(word, key);

	return pair != NULL &&
	    parse_u64(pair->value, pair->len, 0, max, out) == 0;
}

static bool
do_node(struct script *s, struct word *word)
{
	uint64_t id = s->cfg.node_count + 1, votes = 1;

	if (word->verb_count != 2)
		return fail(s, "expected node NAME [id=N] [votes=N]", "");
	if (word_get(word, "id") != NULL &&
	    (!get_number(word, "id", LIMIT_NODE_ID_MAX, &id) || id == 0))
		return fail(s, "no id of a node", "id");
	if (word_get(word, "votes") != NULL &&
	    !get_number(word, "votes", UINT32_MAX, &votes))
		return fail(s, "expected a number", "votes");
	return add_node(s, word->verb[1], (uint32_t)id, (uint32_t)votes);
}

static bool
do_nodes(struct script *s, struct word *word)
{
	uint64_t count;

	if (word->verb_count != 2 ||
	    parse_u64(word->verb[1], strlen(word->verb[1]), 1, LIMIT_NODES,
		&count) != 0)
		return fail(s, "expected nodes COUNT", "");
	for (uint32_t id = 1; id <= count; id++) {
		char name[16];

		snprintf(name, sizeof name, "n%" PRIu32, id);
		if (!add_node(s, name, id, 1))
			return false;
	}
	return true;
}

enum kind { YES_NO, NUMBER, TIME, WAIT, TIE };

static const struct option {
	const char *key;
	enum kind kind;
	size_t at;
} options[] = {
#define AT(field) offsetof(struct quorum_config, field)
	{ "two_node", YES_NO, AT(two_node) },
	{ "wait_for_all", WAIT, AT(wait_for_all) },
	{ "last_man_standing", YES_NO, AT(last_man_standing) },
	{ "last_man_standing_window", TIME, AT(last_man_standing_window_ns) },
	{ "auto_tie_breaker", YES_NO, AT(auto_tie_breaker) },
	{ "auto_tie_breaker_node", TIE, AT(auto_tie_breaker) },
	{ "allow_downscale", YES_NO, AT(allow_downscale) },
	{ "expected_votes", NUMBER, AT(expected_votes) },
	{ "expected_votes_tracking", YES_NO, AT(expected_votes_tracking) },
	{ "tracked", NUMBER, AT(tracked) },
	{ "device", YES_NO, AT(has_device) },
	{ "device_votes", NUMBER, AT(device_votes) },
	{ "device_timeout", TIME, AT(device_timeout_ns) },
	{ "device_sync_timeout", TIME, AT(device_sync_timeout_ns) },
	{ "device_master_wins", YES_NO, AT(device_master_wins) },
#undef AT
};

/* lowest, highest, or ids in their order. */
static bool
set_tie(struct script *s, char *value, size_t len)
{
	char *item;
	size_t item_len;

	s->cfg.tie_count = 0;
	s->cfg.auto_tie_breaker = strcmp(value, "lowest") == 0
	    ? QUORUM_TIE_LOWEST
	    : strcmp(value, "highest") == 0 ? QUORUM_TIE_HIGHEST
					    : QUORUM_TIE_LIST;
	if (s->cfg.auto_tie_breaker != QUORUM_TIE_LIST)
		return true;
	while (word_take_item(&value, &len, &item, &item_len)) {
		if (s->cfg.tie_count == LIMIT_NODES ||
		    parse_node_id(item, item_len,
			&s->cfg.tie_list[s->cfg.tie_count++]) != 0)
			return fail(s, "expected lowest, highest or ids",
			    "auto_tie_breaker_node");
	}
	return true;
}

static bool
set_option(
    struct script *s, const struct option *option, const struct word_pair *pair)
{
	char *field = (char *)&s->cfg + option->at;
	uint64_t number = 0;
	int yes = 0;
	bool is_good = true;

	switch (option->kind) {
	case YES_NO:
		is_good = parse_yes_no(pair->value, pair->len, &yes) == 0;
		if (is_good &&
		    option->at ==
			offsetof(struct quorum_config, auto_tie_breaker))
			s->cfg.auto_tie_breaker =
			    !yes ? QUORUM_TIE_NO : QUORUM_TIE_LOWEST;
		else if (is_good)
			*(bool *)(void *)field = yes != 0;
		break;
	case NUMBER:
		is_good = parse_u64(pair->value, pair->len, 0, UINT32_MAX,
			      &number) == 0;
		*(uint32_t *)(void *)field = (uint32_t)number;
		break;
	case TIME:
		is_good = parse_duration(pair->value, pair->len,
			      (uint64_t *)(void *)field) == 0;
		break;
	case WAIT:
		s->is_wait_given = true;
		is_good = true;
		if (strcmp(pair->value, "always") == 0)
			s->cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
		else if (parse_yes_no(pair->value, pair->len, &yes) == 0)
			s->cfg.wait_for_all =
			    yes ? QUORUM_WAIT_YES : QUORUM_WAIT_NO;
		else
			is_good = false;
		break;
	case TIE:
		return set_tie(s, pair->value, pair->len);
	}
	return is_good || fail(s, "bad value", pair->key);
}

static bool
do_option(struct script *s, struct word *word)
{
	const struct word_pair *pair;

	for (size_t i = 0; (pair = word_at(word, i)) != NULL; i++) {
		const struct option *option = NULL;

		for (size_t k = 0; k < ARRAY_COUNT(options); k++)
			if (strcmp(options[k].key, pair->key) == 0)
				option = &options[k];
		if (option == NULL)
			return fail(s, "no such option", pair->key);
		if (!set_option(s, option, pair))
			return false;
	}
	return true;
}

/* The first event ends the configuration. */
static bool
begin(struct script *s)
{
	char why[QUORUM_TEXT_BYTES];
	struct text text;
	size_t mistakes = 0;

	if (s->world != NULL)
		return true;
	if (s->cfg.node_count == 0)
		return fail(s, "no nodes yet", "");
	s->cfg.self = s->cfg.node[0].id;
	if (s->cfg.two_node && !s->is_wait_given)
		s->cfg.wait_for_all = QUORUM_WAIT_YES;
	for (;; mistakes++) {
		text_init(&text, why, sizeof why);
		if (!quorum_config_mistake(&s->cfg, mistakes, &text))
			break;
		(void)fail(s, why, "");
	}
	if (mistakes > 0)
		return false;
	s->world = quorumd_simulate_open(&s->cfg);
	return s->world != NULL || fail(s, "no memory", "");
}

static void
end(struct script *s)
{
	if (s->world != NULL)
		quorumd_simulate_close(s->world);
	s->world = NULL;
	s->is_wait_given = false;
	quorum_config_init(&s->cfg);
}

/* ---- verdicts ---------------------------------------------------------- */

static void
print_side(const struct script *s, size_t node, uint64_t side)
{
	const struct quorum *core = quorumd_simulate_core(s->world, node);
	struct quorum_verdict v;
	struct quorum_rule rule;
	char why[4 * QUORUM_TEXT_BYTES];
	struct text text;
	const char *between = "";

	quorum_verdict_now(core, &v);
	(void)quorum_rule_at(core, 0, &rule);
	text_init(&text, why, sizeof why);
	text_put_value(&text, rule.text, strlen(rule.text));
	printf("verdict line=%u side=", s->line);
	for (size_t i = 0; i < s->cfg.node_count; i++)
		if (side & BIT(i)) {
			printf("%s%" PRIu32, between, s->cfg.node[i].id);
			between = ",";
		}
	printf(" view=%" PRIu32 ".%" PRIu64 " quorate=%s votes=%" PRIu32
	       " needed=%" PRIu32 " expected=%" PRIu32
	       " basis=%s rule=%s why=%s\n",
	    v.view.rep, v.view.seq, v.is_quorate ? "yes" : "no", v.votes,
	    v.needed, v.expected, quorum_basis_name(v.basis), rule.name, why);
}

static bool
is_like(const struct script *s, size_t a, size_t b)
{
	struct quorum_verdict va, vb;

	quorum_verdict_now(quorumd_simulate_core(s->world, a), &va);
	quorum_verdict_now(quorumd_simulate_core(s->world, b), &vb);
	return va.is_quorate == vb.is_quorate && va.votes == vb.votes &&
	    va.needed == vb.needed && va.expected == vb.expected &&
	    va.basis == vb.basis;
}

/* One record for all of a side that say the same: that is, for all. */
static void
print_verdicts(const struct script *s)
{
	uint64_t left = quorumd_simulate_up(s->world);

	for (size_t i = 0; i < s->cfg.node_count; i++) {
		uint64_t side, alike = 0;

		if (!(left & BIT(i)))
			continue;
		side = quorumd_simulate_side(s->world, i);
		for (size_t j = i; j < s->cfg.node_count; j++)
			if ((side & left & BIT(j)) && is_like(s, i, j))
				alike |= BIT(j);
		print_side(s, i, alike);
		left &= ~alike;
	}
}

/* ---- events ------------------------------------------------------------ */

/* The place of the node of this id or name. */
static bool
find(const struct script *s, const char *word, size_t len, size_t *place)
{
	uint32_t id = 0;
	bool is_id = parse_node_id(word, len, &id) == 0;

	for (*place = 0; *place < s->cfg.node_count; ++*place) {
		const char *name = s->cfg.node[*place].name;

		if ((is_id && s->cfg.node[*place].id == id) ||
		    (strlen(name) == len && memcmp(name, word, len) == 0))
			return true;
	}
	return fail(s, "no such node", word);
}

/* Nodes apart by commas, or all. */
static bool
get_set(const struct script *s, const char *word, size_t len, uint64_t *set)
{
	size_t place;

	*set = 0;
	if (len == 3 && memcmp(word, "all", 3) == 0) {
		for (size_t i = 0; i < s->cfg.node_count; i++)
			*set |= BIT(i);
		return true;
	}
	while (len > 0) {
		const char *comma = memchr(word, ',', len);
		size_t n = comma != NULL ? (size_t)(comma - word) : len;

		if (!find(s, word, n, &place))
			return false;
		*set |= BIT(place);
		word += n + (comma != NULL);
		len -= n + (comma != NULL);
	}
	return true;
}

/* {1,2}|{3} */
static bool
do_cut(struct script *s, const char *line)
{
	uint64_t side[LIMIT_NODES];
	size_t count = 0;

	while (*line != '\0') {
		const char *close = strchr(line, '}');

		if (*line != '{' || close == NULL || count == LIMIT_NODES ||
		    (close[1] != '\0' && close[1] != '|'))
			return fail(s, "expected {1,2}|{3}", line);
		if (!get_set(
			s, line + 1, (size_t)(close - line - 1), &side[count]))
			return false;
		count++;
		line = close + 1 + (close[1] == '|');
	}
	quorumd_simulate_cut(s->world, side, count);
	return true;
}

/* start, crash, leave or respawn NODES; false when it is none of them. */
static bool
is_life(const char *line, const char **nodes)
{
	static const char *const verbs[] = { "start ", "crash ", "leave ",
		"respawn " };

	for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
		if (strncmp(line, verbs[i], strlen(verbs[i])) == 0) {
			*nodes = line + strlen(verbs[i]);
			return true;
		}
	return false;
}

static bool
do_life(struct script *s, char verb, const char *nodes)
{
	uint64_t set;

	if (!get_set(s, nodes, strlen(nodes), &set))
		return false;
	if (verb == 's')
		quorumd_simulate_start(s->world, set);
	if (verb == 'c' || verb == 'l')
		quorumd_simulate_stop(s->world, set, verb == 'l');
	for (size_t i = 0; i < s->cfg.node_count; i++)
		if (verb == 'r' && (set & BIT(i)))
			quorumd_simulate_respawn(s->world, i);
	return true;
}

static bool
do_wait(struct script *s, const char *time)
{
	uint64_t ns;

	if (parse_duration(time, strlen(time), &ns) != 0 || ns == PARSE_FOREVER)
		return fail(s, "expected a time like 10s", time);
	quorumd_simulate_wait(s->world, ns);
	return true;
}

static bool
read_request(struct script *s, struct word *word, struct quorum_input *in)
{
	const struct word_pair *force = word_get(word, "force");
	const struct word_pair *cast = word_get(word, "cast");
	const struct word_pair *ttl = word_get(word, "ttl");
	const struct word_pair *node = word_get(word, "node");
	bool is_forced = force != NULL && strcmp(force->value, "yes") == 0;
	uint64_t number = 0;
	size_t place;

	if (strcmp(word->verb[0], "cancel-wait") == 0) {
		in->kind = QUORUM_IN_CANCEL_WAIT;
	} else if (strcmp(word->verb[0], "vote") == 0) {
		in->kind = QUORUM_IN_VOTE;
		in->vote.is_yes =
		    cast != NULL && strcmp(cast->value, "yes") == 0;
		if (ttl != NULL &&
		    parse_duration(ttl->value, ttl->len, &in->vote.ttl_ns) != 0)
			return fail(s, "expected a time like 10s", "ttl");
	} else if (node != NULL) {
		in->kind = QUORUM_IN_SET_VOTES;
		if (!find(s, node->value, node->len, &place) ||
		    !get_number(word, "votes", UINT32_MAX, &number))
			return fail(s, "expected set node=N votes=N", "");
		in->set_votes.node = s->cfg.node[place].id;
		in->set_votes.votes = (uint32_t)number;
		in->set_votes.is_forced = is_forced;
	} else {
		in->kind = QUORUM_IN_SET_EXPECTED;
		if (!get_number(word, "expected", UINT32_MAX, &number))
			return fail(s, "expected set expected=N", "");
		in->set_expected.expected = (uint32_t)number;
		in->set_expected.is_forced = is_forced;
	}
	return true;
}

/* at=NODE: where it is asked; else at the lowest that is up. */
static bool
do_request(struct script *s, struct word *word)
{
	struct quorum_input in = { 0 };
	const struct word_pair *at = word_get(word, "at");
	uint64_t up = quorumd_simulate_up(s->world);
	size_t place = up != 0 ? (size_t)__builtin_ctzll(up) : 0;
	const char *text;
	char why[4 * QUORUM_TEXT_BYTES];
	struct text quoted;

	if (at != NULL && !find(s, at->value, at->len, &place))
		return false;
	if (!read_request(s, word, &in))
		return false;
	enum quorum_answer code =
	    quorumd_simulate_ask(s->world, place, &in, &text);

	text_init(&quoted, why, sizeof why);
	text_put_value(&quoted, text, strlen(text));
	printf("answer line=%u code=%s text=%s\n", s->line,
	    quorum_answer_name(code), why);
	return true;
}

/* ---- lines ------------------------------------------------------------- */

static bool
do_event(struct script *s, struct word *word)
{
	const char *verb = word->verb[0];
	const char *rest = word->verb_count > 1 ? word->verb[1] : "";

	if (strcmp(verb, "wait") == 0)
		return do_wait(s, rest);
	if (strcmp(verb, "set") == 0 || strcmp(verb, "vote") == 0 ||
	    strcmp(verb, "cancel-wait") == 0)
		return do_request(s, word);
	return fail(s, "no such line", verb);
}

static bool
do_line(struct script *s, char *line, size_t len)
{
	struct word word;
	char *comment = strchr(line, '#');
	const char *nodes = "";

	if (comment != NULL)
		len = (size_t)(comment - line);
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	line[len] = '\0';
	if (len == 0)
		return true;
	if (line[0] == '{' || is_life(line, &nodes)) {
		if (!begin(s) ||
		    !(line[0] == '{' ? do_cut(s, line)
				     : do_life(s, line[0], nodes)))
			return false;
		print_verdicts(s);
		return true;
	}
	if (word_parse(&word, line, len) != 0)
		return fail(s, "not to be read", word.about);
	if (strcmp(word.verb[0], "reset") == 0) {
		end(s);
		return true;
	}
	if (s->world == NULL && strcmp(word.verb[0], "node") == 0)
		return do_node(s, &word);
	if (s->world == NULL && strcmp(word.verb[0], "nodes") == 0)
		return do_nodes(s, &word);
	if (s->world == NULL && strcmp(word.verb[0], "option") == 0)
		return do_option(s, &word);
	if (!begin(s) || !do_event(s, &word))
		return false;
	print_verdicts(s);
	return true;
}

int
quorumd_simulate(const char *path)
{
	bool is_stdin = path == NULL || strcmp(path, "-") == 0;
	struct script s = { .path = is_stdin ? "stdin" : path };
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	bool is_good = true;

	if (file == NULL) {
		perror(path);
		return EXITCODE_NOINPUT;
	}
	end(&s);
	for (ssize_t len;
	     is_good && (len = getline(&line, &size, file)) >= 0;) {
		s.line++;
		is_good = do_line(&s, line, (size_t)len);
	}
	end(&s);
	free(line);
	if (!is_stdin)
		fclose(file);
	if (fflush(stdout) != 0)
		return EXITCODE_IO;
	return is_good ? EXITCODE_OK : EXITCODE_USAGE;
}
