/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/story.h"

#include <stdlib.h>

#include "bin/quorumd/quorum_internal.h"

struct quorum_config story_cfg;
struct quorumd_simulate_world *story_world;

void
story_nodes(uint32_t count)
{
	quorum_config_init(&story_cfg);
	story_cfg.self = 1;
	story_cfg.node_count = count;
	for (uint32_t i = 0; i < count; i++) {
		story_cfg.node[i].id = i + 1;
		story_cfg.node[i].votes = 1;
		story_cfg.node[i].name[0] = (char)('a' + i);
	}
}

void
story_begin(void)
{
	story_world = quorumd_simulate_open(&story_cfg);
	if (story_world == NULL)
		abort();
}

void
story_finish(void)
{
	quorumd_simulate_close(story_world);
}

/* "12|3": digits are nodes. */
static size_t
sides_of(const char *cut, uint64_t *side)
{
	size_t count = 1;

	side[0] = 0;
	for (; *cut != '\0'; cut++)
		if (*cut == '|')
			side[count++] = 0;
		else
			side[count - 1] |= QUORUM_BIT(*cut - '1');
	return count;
}

void
story_cut(const char *sides)
{
	uint64_t side[LIMIT_NODES];

	quorumd_simulate_cut(story_world, side, sides_of(sides, side));
}

void
story_start(const char *set)
{
	uint64_t side[LIMIT_NODES];

	(void)sides_of(set, side); /* one */
	quorumd_simulate_start(story_world, side[0]);
}

void
story_stop(const char *set, bool is_clean)
{
	uint64_t side[LIMIT_NODES];

	(void)sides_of(set, side); /* one */
	quorumd_simulate_stop(story_world, side[0], is_clean);
}

void
story_whole(void)
{
	quorumd_simulate_start(story_world, UINT64_MAX);
	story_cut(story_cfg.node_count == 2 ? "12"
		: story_cfg.node_count == 3 ? "123"
		: story_cfg.node_count == 4 ? "1234"
					    : "12345");
}

struct quorum_verdict
story_at(uint32_t node)
{
	struct quorum_verdict v;

	quorum_verdict_now(quorumd_simulate_core(story_world, node - 1), &v);
	return v;
}

bool
story_is_yes(uint32_t node)
{
	return story_at(node).is_quorate;
}

enum quorum_answer
story_set_expected(uint32_t node, uint32_t expected, bool is_forced)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_EXPECTED };
	const char *text;

	in.set_expected.expected = expected;
	in.set_expected.is_forced = is_forced;
	return quorumd_simulate_ask(story_world, node - 1, &in, &text);
}

enum quorum_answer
story_set_votes(uint32_t node, uint32_t whose, uint32_t votes, bool is_forced)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };
	const char *text;

	in.set_votes.node = whose;
	in.set_votes.votes = votes;
	in.set_votes.is_forced = is_forced;
	return quorumd_simulate_ask(story_world, node - 1, &in, &text);
}

enum quorum_answer
story_cast(uint32_t node, bool is_yes_vote, uint64_t ttl_ns)
{
	struct quorum_input in = { .kind = QUORUM_IN_VOTE };
	const char *text;

	in.vote.is_yes = is_yes_vote;
	in.vote.ttl_ns = ttl_ns;
	in.vote.name = "arbiter";
	return quorumd_simulate_ask(story_world, node - 1, &in, &text);
}
