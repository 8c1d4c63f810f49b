/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/check/evscheck_sent.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"

#include "tests/sim/oracle.h"

enum { NODES = 65536, NONE = -1 };

struct entry {
	uint32_t node;
	uint64_t hash;
	const char *path;
	uint64_t line;
	int64_t before; /* the entry before it in its log, or NONE */
	bool is_accepted;
	bool is_delivered;
	bool is_home; /* its own node delivered it */
	struct evscheck_message message;
};

struct evscheck_sent {
	struct entry *entry;
	int64_t count;
	int64_t room;
	int64_t *index; /* by (node, hash): open addressing */
	int64_t index_room;
	bool is_excused[NODES];
};

struct evscheck_sent *
evscheck_sent_create(void)
{
	struct evscheck_sent *sent = calloc(1, sizeof(*sent));
	ENSURE(sent != NULL);
	return sent;
}

void
evscheck_sent_destroy(struct evscheck_sent *sent)
{
	free(sent->entry);
	free(sent->index);
	free(sent);
}

/* ---- the table -------------------------------------------------------------
 */

static int64_t
place(const struct evscheck_sent *sent, uint32_t node, uint64_t hash)
{
	int64_t mask = sent->index_room - 1;
	int64_t at = (int64_t)((hash + node) & (uint64_t)mask);
	for (; sent->index[at] != NONE; at = (at + 1) & mask) {
		const struct entry *is = &sent->entry[sent->index[at]];
		if (is->node == node && is->hash == hash)
			break;
	}
	return at;
}

static void
grow_index(struct evscheck_sent *sent)
{
	sent->index_room = sent->index_room == 0 ? 1024 : 2 * sent->index_room;
	size_t bytes = (size_t)sent->index_room * sizeof(*sent->index);
	free(sent->index);
	sent->index = malloc(bytes);
	ENSURE(sent->index != NULL);
	memset(sent->index, 0xff, bytes);
	for (int64_t i = 0; i < sent->count; i++)
		sent->index[place(
		    sent, sent->entry[i].node, sent->entry[i].hash)] = i;
}

/* false: there is one already. */
static bool
add(struct evscheck_sent *sent, const struct entry *entry)
{
	if (2 * (sent->count + 1) > sent->index_room)
		grow_index(sent);
	int64_t at = place(sent, entry->node, entry->hash);
	if (sent->index[at] != NONE)
		return false;
	if (sent->count == sent->room) {
		sent->room = sent->room == 0 ? 1024 : 2 * sent->room;
		sent->entry = realloc(
		    sent->entry, (size_t)sent->room * sizeof(*sent->entry));
		ENSURE(sent->entry != NULL);
	}
	sent->index[at] = sent->count;
	sent->entry[sent->count++] = *entry;
	return true;
}

static uint64_t
hash_of(const char *bytes, size_t len)
{
	struct oracle_hash hash;
	oracle_hash_init(&hash);
	oracle_hash_add(&hash, bytes, len);
	return oracle_hash_end(&hash);
}

const char *
evscheck_sent_load(struct evscheck_sent *sent, uint32_t node, const char *path,
    bool is_accepted, uint64_t *line)
{
	struct entry entry = { .node = node,
		.path = path,
		.before = NONE,
		.is_accepted = is_accepted };
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	const char *why = NULL;
	FILE *file = fopen(path, "re");
	*line = 0;
	if (file == NULL)
		return "cannot be opened";
	while (why == NULL && (len = getline(&text, &room, file)) >= 0) {
		entry.line = ++*line;
		if (len > 0 && text[len - 1] == '\n')
			len--;
		entry.hash = hash_of(text, (size_t)len);
		if (!add(sent, &entry))
			why = "the same payload was sent twice";
		entry.before = sent->count - 1;
	}
	free(text);
	fclose(file);
	return why;
}

/* ---- predicates
 * -------------------------------------------------------------- */

static void
breach_at(struct evscheck_breach *breach, const char *predicate,
    const struct entry *entry, const char *text)
{
	breach->predicate = predicate;
	breach->path = entry->path;
	breach->line = entry->line;
	snprintf(breach->text, sizeof(breach->text), "%s", text);
}

void
evscheck_sent_message(struct evscheck_sent *sent,
    const struct evscheck_message *message, struct evscheck_breach *breach)
{
	if (sent->count == 0)
		return;
	int64_t at =
	    sent->index[place(sent, message->node, message->data_hash)];
	if (at == NONE) {
		breach->predicate = "P1";
		snprintf(breach->text, sizeof(breach->text),
		    "node %" PRIu32 " never sent this", message->node);
		return;
	}
	struct entry *is = &sent->entry[at];
	if (is->is_delivered &&
	    (is->message.inc != message->inc ||
		is->message.mid != message->mid)) {
		breach->predicate = "P1";
		snprintf(breach->text, sizeof(breach->text),
		    "line %" PRIu64 " of %s is delivered twice, as %" PRIu64
		    " and as %" PRIu64,
		    is->line, is->path, is->message.mid, message->mid);
		return;
	}
	is->is_delivered = true;
	is->is_home = is->is_home || message->receiver == message->node;
	is->message = *message;
}

void
evscheck_sent_excuse(struct evscheck_sent *sent, uint32_t node)
{
	if (node < NODES)
		sent->is_excused[node] = true;
}

static bool
is_before(const struct evscheck_message *a, const struct evscheck_message *b)
{
	if (a->inc != b->inc)
		return a->inc < b->inc;
	if (a->ring_seq != b->ring_seq)
		return a->ring_seq < b->ring_seq;
	return a->seq < b->seq || (a->seq == b->seq && a->idx < b->idx);
}

/* The last entry before this one in its log that was delivered. */
static const struct entry *
delivered_before(const struct evscheck_sent *sent, const struct entry *entry)
{
	int64_t at = entry->before;
	while (at != NONE && !sent->entry[at].is_delivered)
		at = sent->entry[at].before;
	return at == NONE ? NULL : &sent->entry[at];
}

void
evscheck_sent_end(
    struct evscheck_sent *sent, bool is_settled, struct evscheck_breach *breach)
{
	for (int64_t i = 0; i < sent->count; i++) {
		const struct entry *is = &sent->entry[i];
		if (is_settled && is->is_accepted && !is->is_home &&
		    !sent->is_excused[is->node]) {
			breach_at(breach, "P11", is,
			    "was accepted, but its node never delivered it");
			return;
		}
		const struct entry *before = delivered_before(sent, is);
		if (!is->is_delivered || before == NULL ||
		    is_before(&before->message, &is->message))
			continue;
		breach_at(
		    breach, "P8", is, "is delivered before a line above it");
		return;
	}
}
