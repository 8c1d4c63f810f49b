/* SPDX-License-Identifier: BSD-3-Clause */
/* When the ring is one and quiet: all nodes must know and say the same. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/memberd/member.h"
#include "bin/quorumd/quorum.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_stack.h"

/* What a node's row says, but for how long and whose row it is. */
static void
put_row(const struct member *m, uint32_t idx, struct text *out)
{
	static char bytes[MEMBER_NODE_BYTES + 1];
	static const char *const words[] = {
		"node=", "state=", "inc=", "tags="
	};
	struct text row;

	text_init(&row, bytes, sizeof bytes);
	member_put_node(m, idx, UINT64_MAX, &row);
	for (char *word = strtok(row.bytes, " "); word != NULL;
	     word = strtok(NULL, " "))
		for (size_t i = 0; i < ARRAY_COUNT(words); i++)
			if (strncmp(word, words[i], strlen(words[i])) == 0) {
				text_put(out, word);
				text_put(out, " ");
			}
}

static void
compare_members(
    struct sim *sim, const struct sim_node *a, const struct sim_node *b)
{
	static char rows[2][MEMBER_NODE_BYTES + 1];
	struct text text[2];

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		text_init(&text[0], rows[0], sizeof rows[0]);
		text_init(&text[1], rows[1], sizeof rows[1]);
		put_row(a->app.stack.member, i, &text[0]);
		put_row(b->app.stack.member, i, &text[1]);
		if (strcmp(rows[0], rows[1]) != 0)
			sim_fail(sim, "M1 node %u says %.120s, node %u %.120s",
			    (unsigned)a->id, rows[0], (unsigned)b->id, rows[1]);
	}
}

static void
compare_verdicts(
    struct sim *sim, const struct sim_node *a, const struct sim_node *b)
{
	struct quorum_verdict x, y;

	quorum_verdict_now(a->app.stack.quorum, &x);
	quorum_verdict_now(b->app.stack.quorum, &y);
	if (x.is_quorate != y.is_quorate || x.votes != y.votes ||
	    x.needed != y.needed || x.expected != y.expected)
		sim_fail(sim,
		    "Q3 nodes %u and %u differ: quorate %d %d, votes %u %u, "
		    "needed %u %u, expected %u %u",
		    (unsigned)a->id, (unsigned)b->id, x.is_quorate,
		    y.is_quorate, (unsigned)x.votes, (unsigned)y.votes,
		    (unsigned)x.needed, (unsigned)y.needed,
		    (unsigned)x.expected, (unsigned)y.expected);
}

void
sim_stack_end(struct sim *sim)
{
	const struct sim_node *first = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		const struct sim_node *node = &sim->node[i];
		if (node->power != SIM_ON)
			continue;
		if (count++ == 0)
			first = node;
		compare_members(sim, first, node);
		compare_verdicts(sim, first, node);
	}
	if (count == sim->opt.node_count && !first->app.stack.is_quorate &&
	    !sim->has_requests)
		sim_fail(sim, "Q4 all are here, and not quorate");
}
