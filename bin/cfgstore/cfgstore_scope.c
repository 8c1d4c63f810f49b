/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_scope.h"

#include <string.h>

#include "libcommon/base/glob.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_bytes.h"
#include "bin/cfgstore/cfgstore_link.h"

int
cfgstore_scope_check(
    const struct cfgstore_scope *scope, const struct opt_program *program)
{
	for (size_t i = 0; i < scope->count && !scope->is_prefix; i++) {
		const char *glob = scope->names[i];

		if (*glob == '\0' || !glob_is_valid(glob, strlen(glob)))
			return opt_usage(program, "%s: bad pattern", glob);
	}
	return 0;
}

/*
 * A glob into a request: its own escapes and stars stay, what a line may not
 * hold is escaped, and a comma would end it.
 */
static void
put_glob(struct text *line, const char *glob)
{
	for (; *glob != '\0'; glob++) {
		unsigned char byte = (unsigned char)*glob;

		if (byte > ' ' && byte != 0x7F && byte != ',') {
			text_put_char(line, *glob);
			continue;
		}
		text_put(line, "\\0");
		text_put_char(line, (char)('0' + (byte >> 6)));
		text_put_char(line, (char)('0' + (byte >> 3 & 7)));
		text_put_char(line, (char)('0' + (byte & 7)));
	}
}

/* A beginning as a glob: all of it stands for itself. */
static void
put_prefix_glob(struct text *line, const char *prefix)
{
	char quoted[LIMIT_REQUEST_BYTES];
	struct text text;

	text_init(&text, quoted, sizeof quoted);
	text_put_value(&text, prefix, strlen(prefix));
	line->is_full = line->is_full || text.is_full;
	put_glob(line, quoted);
	text_put(line, "**");
}

void
cfgstore_scope_put(const struct cfgstore_scope *scope, struct text *line)
{
	if (scope->is_prefix && scope->count == 1) {
		text_put(line, " prefix=");
		text_put_value(line, scope->names[0], strlen(scope->names[0]));
		return;
	}
	for (size_t i = 0; i < scope->count; i++) {
		text_put(line, i == 0 ? " glob=" : ",");
		if (scope->is_prefix)
			put_prefix_glob(line, scope->names[i]);
		else
			put_glob(line, scope->names[i]);
	}
}

bool
cfgstore_scope_has(
    const struct cfgstore_scope *scope, const void *key, size_t len)
{
	for (size_t i = 0; i < scope->count; i++) {
		const char *name = scope->names[i];
		size_t name_len = strlen(name);

		if (scope->is_prefix
			? name_len <= len && memcmp(name, key, name_len) == 0
			: glob_match(name, name_len, key, len))
			return true;
	}
	return scope->count == 0;
}

void
cfgstore_scope_put_key(struct text *line, const void *key, size_t len)
{
	text_put(line, " key=");
	text_put_value(line, key, len);
}

/* ---- pages ------------------------------------------------------------- */

/* Where the next page begins. */
struct place {
	struct cfgstore_bytes last; /* the key before it */
	bool has_rev;
	uint64_t rev; /* of the state that is read */
};

static void
ask_page(struct cfgstore_link *link, const struct cfgstore_pages *pages,
    const struct place *place)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct text line;

	cfgstore_link_begin(link, false);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "list");
	cfgstore_scope_put(pages->scope, &line);
	if (pages->is_keys_only)
		text_put(&line, " keys=yes");
	if (place->has_rev) {
		text_put(&line, " after=");
		text_put_value(&line, place->last.at, place->last.len);
		text_put(&line, " at=");
		text_put_u64(&line, place->rev);
	} else if (pages->is_sync) {
		text_put(&line, " sync=yes");
	}
	cfgstore_link_put_line(link, &line);
}

static void
keep_place(struct place *place, struct ask_line *item)
{
	const struct word_pair *key = word_get(item->word, "key");

	if (key == NULL)
		cfgstore_link_fail_protocol();
	place->last.len = 0;
	cfgstore_bytes_put(&place->last, key->value, key->len);
}

/* true: more is to come. */
static bool
read_page(struct cfgstore_link *link, const struct cfgstore_pages *pages,
    struct place *place)
{
	struct ask_line line;
	enum ask_kind kind;
	size_t count = 0;

	while ((kind = cfgstore_link_next(link, &line)) == ASK_ITEM) {
		keep_place(place, &line);
		pages->take(pages->arg, &line);
		count++;
	}
	if (kind == ASK_NO)
		tool_fail(EXITCODE_TRYAGAIN,
		    "the store changed too much while it was read");
	place->rev = cfgstore_link_u64(&line, "rev");
	place->has_rev = true;
	return count > 0 && strcmp(ask_value(&line, "more"), "yes") == 0;
}

uint64_t
cfgstore_pages_read(
    struct cfgstore_link *link, const struct cfgstore_pages *pages)
{
	struct place place = { .has_rev = false };

	do
		ask_page(link, pages, &place);
	while (read_page(link, pages, &place));
	cfgstore_bytes_free(&place.last);
	return place.rev;
}
