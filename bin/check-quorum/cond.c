/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/check-quorum/cond.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

static const struct {
	const char *word;
	enum cond_kind kind;
	bool takes_node;
} words[] = {
	{ "quorate", COND_QUORATE, false },
	{ "coordinator", COND_COORDINATOR, false },
	{ "alone", COND_ALONE, false },
	{ "all", COND_ALL, false },
	{ "daemon", COND_DAEMON, false },
	{ "settled", COND_SETTLED, false },
	{ "member", COND_MEMBER, true },
	{ "lost", COND_LOST, true },
	{ "restarted", COND_RESTARTED, true },
	{ "fenced", COND_FENCED, true },
};

/* The bytes of a configured name, or of an id. */
static bool
is_node(const char *node)
{
	size_t len = strspn(node,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._-");

	return len > 0 && len < KNOWN_NAME_BYTES && node[len] == '\0';
}

static int
parse_members(struct cond *cond, const char *count)
{
	cond->kind = COND_MEMBERS;
	return parse_u64(count, strlen(count), 0, UINT32_MAX, &cond->count) == 0
	    ? 0
	    : COND_E_COUNT;
}

int
cond_parse(struct cond *cond, const char *text)
{
	static const char members[] = "members>=";

	*cond = (struct cond){ .text = text };
	if (*text == '!') {
		cond->is_negated = true;
		text++;
	}
	if (strncmp(text, members, strlen(members)) == 0)
		return parse_members(cond, text + strlen(members));
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(text, words[i].word, len) != 0)
			continue;
		cond->kind = words[i].kind;
		if (!words[i].takes_node && text[len] == '\0')
			return 0;
		if (!words[i].takes_node || text[len] == '\0')
			return words[i].takes_node ? COND_E_NODE : COND_E_WORD;
		if (text[len] != ':')
			return COND_E_WORD;
		cond->node = text + len + 1;
		return is_node(cond->node) ? 0 : COND_E_NODE;
	}
	return COND_E_WORD;
}

const char *
cond_error_text(int error)
{
	switch (error) {
	case COND_E_NODE:
		return "a node's name or id must follow the colon";
	case COND_E_COUNT:
		return "a number must follow >=";
	default:
		return "no such condition";
	}
}

bool
cond_needs_nodes(const struct cond *cond)
{
	return cond->node != NULL || cond->kind == COND_ALL;
}

static enum known_answer
answer(bool is_true)
{
	return is_true ? KNOWN_YES : KNOWN_NO;
}

static enum known_answer
judge_all(const struct known *known)
{
	if (!known->has_nodes)
		return KNOWN_UNKNOWN;
	for (size_t i = 0; i < known->node_count; i++)
		if (!known_is_member(known, known->node[i].id))
			return KNOWN_NO;
	return KNOWN_YES;
}

/*
 * An answer may be ahead of the table by a change: then members has the last
 * word on who is there, and a state that does not fit says nothing.
 */
static enum known_answer
judge_node(const struct cond *cond, const struct known *known)
{
	const struct known_node *node =
	    known->has_nodes ? known_find(known, cond->node) : NULL;
	bool is_member;

	if (node == NULL)
		return KNOWN_UNKNOWN;
	is_member = known_is_member(known, node->id);
	if (cond->kind == COND_MEMBER)
		return answer(is_member);
	if (cond->kind == COND_RESTARTED)
		return answer(is_member && node->inc != node->armed_inc);
	if (cond->kind == COND_FENCED)
		return answer(!is_member && node->state == KNOWN_FENCED);
	return answer(!is_member &&
	    (node->state == KNOWN_LOST || node->state == KNOWN_FENCED));
}

static enum known_answer
judge_current(const struct cond *cond, const struct known *known)
{
	switch (cond->kind) {
	case COND_QUORATE:
		return known->quorate;
	case COND_SETTLED:
		return answer(known->is_settled);
	case COND_COORDINATOR:
		if (known->quorate != KNOWN_YES)
			return known->quorate;
		return answer(
		    known->self != 0 && known->coordinator == known->self);
	case COND_ALONE:
		return answer(known->member_count == 1 &&
		    known->member[0] == known->self);
	case COND_MEMBERS:
		return answer(known->member_count >= cond->count);
	case COND_ALL:
		return judge_all(known);
	case COND_MEMBER:
	case COND_LOST:
	case COND_RESTARTED:
	case COND_FENCED:
		return judge_node(cond, known);
	case COND_DAEMON:
		break;
	}
	return KNOWN_YES;
}

static enum known_answer
judge_one(const struct cond *cond, const struct known *known)
{
	enum known_answer is;

	if (cond->kind == COND_DAEMON)
		is = answer(known->is_current);
	else if (!known->is_current)
		is = KNOWN_UNKNOWN;
	else
		is = judge_current(cond, known);
	if (is == KNOWN_UNKNOWN || !cond->is_negated)
		return is;
	return answer(is == KNOWN_NO);
}

enum known_answer
cond_judge(const struct cond *conds, size_t count, const struct known *known)
{
	enum known_answer all = KNOWN_YES;

	for (size_t i = 0; i < count; i++) {
		enum known_answer is = judge_one(&conds[i], known);

		if (is == KNOWN_NO)
			return KNOWN_NO;
		if (is == KNOWN_UNKNOWN)
			all = KNOWN_UNKNOWN;
	}
	return all;
}

const struct cond *
cond_missing(const struct cond *conds, size_t count, const struct known *known)
{
	for (size_t i = 0; i < count; i++)
		if (judge_one(&conds[i], known) != KNOWN_YES)
			return &conds[i];
	return NULL;
}
