/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/story_reload.h"

#include <string.h>

#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"

struct quorum_config story_next;

void
story_begin_with_records(uint32_t count)
{
	story_nodes(count);
	story_begin();
	quorumd_simulate_keep_records(story_world);
	story_whole();
}

void
story_edit(uint32_t count)
{
	story_next = story_cfg;
	for (uint32_t i = (uint32_t)story_next.node_count; i < count; i++)
		story_next.node[i] = (struct quorum_config_node){
			.id = i + 1, .votes = 1, .name = { (char)('a' + i) }
		};
	story_next.node_count = count;
}

void
story_reread(const char *set)
{
	uint64_t nodes = 0;

	for (; *set != '\0'; set++)
		nodes |= QUORUM_BIT(*set - '1');
	CHECK(quorumd_simulate_reload(story_world, &story_next, nodes));
}

const struct quorum *
story_core(uint32_t node)
{
	return quorumd_simulate_core(story_world, node - 1);
}

enum quorum_answer
story_would(uint32_t node)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text out;
	enum quorum_answer answer;

	text_init(&out, bytes, sizeof bytes);
	answer = quorum_would(story_core(node), &story_next, &out);
	CHECK((answer == QUORUM_ANSWER_OK) == (out.len == 0));
	return answer;
}

bool
story_says(uint32_t node, const char *words)
{
	struct quorum_rule rule;

	for (size_t i = 0; quorum_rule_at(story_core(node), i, &rule); i++)
		if (strcmp(rule.name, "reload") == 0)
			return strstr(rule.text, words) != NULL;
	return false;
}

enum quorum_answer
story_ask_reload(uint32_t node, bool is_forced)
{
	struct quorum_input in = { .kind = QUORUM_IN_RELOAD };
	const char *text;

	in.reload.is_forced = is_forced;
	return quorumd_simulate_ask(story_world, node - 1, &in, &text);
}
