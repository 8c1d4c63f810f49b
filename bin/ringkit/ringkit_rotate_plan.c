/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every stage leaves traces by which the next is known, whoever made it and
 * wherever it was cut short:
 *
 *	all seal under A, and have no other     at rest
 *	some have a younger key, not all        install another: nobody can say
 *	                                        whether that one came whole
 *	all have the same younger key           switch to it
 *	some seal under it                      all have it: switch
 *	all seal under the youngest             retire the others
 */
#include "bin/ringkit/ringkit_rotate_plan.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

enum { IDS = 255 };

/* ---- one node ---------------------------------------------------------- */

/* 16 hex digits, or fewer. */
static bool
read_hex(const char *bytes, size_t len, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";

	*out = 0;
	if (len == 0 || len > 16)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *digit = memchr(digits, bytes[i], 16);

		if (digit == NULL)
			return false;
		*out = *out << 4 | (uint64_t)(digit - digits);
	}
	return true;
}

/* The place of a key; count: none. */
static uint32_t
find(const struct ringkit_rotate_node *node, uint8_t id)
{
	uint32_t i = 0;

	while (i < node->count && node->id[i] != id)
		i++;
	return i;
}

bool
ringkit_rotate_read(
    struct ringkit_rotate_node *node, const char *keys, uint64_t active)
{
	*node = (struct ringkit_rotate_node){ .active = (uint8_t)active };
	while (*keys != '\0') {
		size_t len = strcspn(keys, ",");
		const char *colon = memchr(keys, ':', len);
		uint64_t id;

		if (colon == NULL || node->count == RINGKIT_ROTATE_KEYS_MAX ||
		    parse_u64(keys, (size_t)(colon - keys), 1, IDS, &id) != 0 ||
		    !read_hex(colon + 1, (size_t)(keys + len - colon - 1),
			&node->fingerprint[node->count]))
			return false;
		node->id[node->count++] = (uint8_t)id;
		keys += len + (keys[len] == ',');
	}
	return active >= 1 && active <= IDS &&
	    find(node, node->active) < node->count;
}

/* ---- all of them ------------------------------------------------------- */

static bool
is_younger(uint8_t a, uint8_t b)
{
	return (IDS + a - b) % IDS <= IDS / 2 && a != b;
}

static uint8_t
youngest(const struct ringkit_rotate_survey *survey)
{
	uint8_t best = survey->nodes[0].active;

	for (uint32_t n = 0; n < survey->count; n++)
		for (uint32_t i = 0; i < survey->nodes[n].count; i++)
			if (is_younger(survey->nodes[n].id[i], best))
				best = survey->nodes[n].id[i];
	return best;
}

static uint8_t
youngest_active(const struct ringkit_rotate_survey *survey)
{
	uint8_t best = survey->nodes[0].active;

	for (uint32_t n = 1; n < survey->count; n++)
		if (is_younger(survey->nodes[n].active, best))
			best = survey->nodes[n].active;
	return best;
}

/* All nodes have that key, and it is the same at all. */
static bool
is_everywhere(const struct ringkit_rotate_survey *survey, uint8_t id)
{
	const struct ringkit_rotate_node *first = &survey->nodes[0];
	uint32_t at = find(first, id);

	if (at == first->count)
		return false;
	for (uint32_t n = 1; n < survey->count; n++) {
		const struct ringkit_rotate_node *node = &survey->nodes[n];
		uint32_t i = find(node, id);

		if (i == node->count ||
		    node->fingerprint[i] != first->fingerprint[at])
			return false;
	}
	return true;
}

static bool
has_others(const struct ringkit_rotate_survey *survey)
{
	for (uint32_t n = 0; n < survey->count; n++)
		if (survey->nodes[n].count > 1)
			return true;
	return false;
}

static bool
is_one_active(const struct ringkit_rotate_survey *survey)
{
	for (uint32_t n = 1; n < survey->count; n++)
		if (survey->nodes[n].active != survey->nodes[0].active)
			return false;
	return true;
}

uint8_t
ringkit_rotate_next(const struct ringkit_rotate_survey *survey)
{
	uint8_t id = youngest(survey);
	bool is_used;

	do {
		is_used = false;
		id = (uint8_t)(id % IDS + 1);
		for (uint32_t n = 0; n < survey->count; n++)
			is_used |= find(&survey->nodes[n], id) <
			    survey->nodes[n].count;
	} while (is_used);
	return id;
}

enum ringkit_rotate_stage
ringkit_rotate_plan(const struct ringkit_rotate_survey *survey, uint8_t *id)
{
	*id = 0;
	if (survey->count == 0)
		return RINGKIT_ROTATE_STUCK;
	*id = youngest_active(survey);
	if (!is_everywhere(survey, *id))
		return RINGKIT_ROTATE_STUCK;
	if (!is_one_active(survey))
		return RINGKIT_ROTATE_SWITCH;
	if (!has_others(survey))
		return RINGKIT_ROTATE_REST;
	if (*id == youngest(survey))
		return RINGKIT_ROTATE_RETIRE;
	*id = youngest(survey);
	if (is_everywhere(survey, *id))
		return RINGKIT_ROTATE_SWITCH;
	*id = ringkit_rotate_next(survey);
	return RINGKIT_ROTATE_INSTALL;
}
