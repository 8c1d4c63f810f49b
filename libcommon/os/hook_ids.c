/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/hook_ids.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"

/* Where id is, or would be. */
static size_t
find(const struct hook_ids *ids, uint32_t id)
{
	size_t at = 0;

	while (at < ids->count && ids->id[at] < id)
		at++;
	return at;
}

bool
hook_ids_has(const struct hook_ids *ids, uint32_t id)
{
	size_t at = find(ids, id);

	return at < ids->count && ids->id[at] == id;
}

void
hook_ids_add(struct hook_ids *ids, uint32_t id)
{
	size_t at = find(ids, id);

	if (hook_ids_has(ids, id) || ids->count == ARRAY_COUNT(ids->id))
		return;
	memmove(&ids->id[at + 1], &ids->id[at],
	    (ids->count - at) * sizeof ids->id[0]);
	ids->id[at] = id;
	ids->count++;
}

void
hook_ids_add_list(struct hook_ids *ids, const char *value, size_t len)
{
	while (len > 0) {
		const char *comma = memchr(value, ',', len);
		size_t item = comma != NULL ? (size_t)(comma - value) : len;
		size_t taken = item + (comma != NULL);
		uint32_t id;

		if (parse_node_id(value, item, &id) == 0)
			hook_ids_add(ids, id);
		value += taken;
		len -= taken;
	}
}

void
hook_ids_put(const struct hook_ids *ids, char separator, struct text *out)
{
	for (size_t i = 0; i < ids->count; i++) {
		if (i > 0)
			text_put_char(out, separator);
		text_put_u64(out, ids->id[i]);
	}
}
