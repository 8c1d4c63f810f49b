/* SPDX-License-Identifier: BSD-3-Clause */
/* Watchers of the world of replicas: each reads on from the history of a node
 * as the daemon does for its clients, and goes on from its revision at another
 * node when this one is gone, or at a whim. */
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/check/lincheck.h"
#include "tests/unit/replica_world_internal.h"

#define w replica_w

enum { MOVES_IN = 24, FORGETS_IN = 64 };

static void
tell(const struct world_watcher *watcher, struct lincheck_event event)
{
	event.watcher = watcher->number;
	event.path = "watcher";
	event.line = watcher->number;
	event.at_ns = replica_world_stamp();
	lincheck_event(w.history, &event);
}

static void
tell_state(struct world_watcher *watcher, const struct kv *kv)
{
	struct kv_about about;
	uint32_t op;
	uint8_t key;

	for (const struct kv_version *v = kv_seek(kv, "k", 1); v != NULL;
	     v = kv_after(kv, v)) {
		if (!replica_world_read(kv, v, &key, &op))
			continue;
		kv_about(v, &about);
		tell(watcher,
		    (struct lincheck_event){ .kind = LINCHECK_EVENT_EXISTS,
			.rev = about.rev,
			.key = replica_world_note_key(key),
			.value = replica_world_note_value(op) });
	}
	watcher->rev = kv_rev(kv);
	tell(watcher,
	    (struct lincheck_event){
		.kind = LINCHECK_EVENT_READY, .rev = watcher->rev });
}

static void
tell_change(const struct world_watcher *watcher, const struct kv *kv,
    const struct kv_version *v)
{
	struct lincheck_event event = { .kind = LINCHECK_EVENT_PUT };
	struct kv_about about;
	uint32_t op;
	uint8_t key;

	if (!replica_world_read(kv, v, &key, &op))
		return;
	kv_about(v, &about);
	if (about.is_deletion)
		event.kind = LINCHECK_EVENT_DEL;
	event.rev = about.rev;
	event.prev = about.prev;
	event.key = replica_world_note_key(key);
	event.value = replica_world_note_value(op);
	event.is_ordained = about.is_deletion && about.why != KV_WHY_DEL;
	tell(watcher, event);
}

static void
tell_changes(struct world_watcher *watcher, const struct kv *kv, unsigned most)
{
	const struct kv_version *v = kv_since(kv, watcher->rev);
	struct kv_about about;

	for (; v != NULL; v = kv_newer(kv, v)) {
		kv_about(v, &about);
		if (about.rev != watcher->rev && most-- == 0)
			return;
		tell_change(watcher, kv, v);
		watcher->rev = about.rev;
	}
	watcher->rev = kv_rev(kv);
}

static void
begin(struct world_watcher *watcher, const struct kv *kv)
{
	char name = (char)('A' + (watcher - w.watcher));

	replica_world_note_applied(kv);
	watcher->has_begun = true;
	watcher->number =
	    lincheck_watcher(w.history, lincheck_word(w.history, &name, 1),
		lincheck_word(w.history, "k", 1));
	tell_state(watcher, kv);
}

static void
pump(struct world_watcher *watcher, unsigned most)
{
	const struct world_node *n = &w.node[watcher->node];
	const struct kv *kv = n->is_up ? replica_kv(n->replica) : NULL;

	if (kv == NULL || w.history == NULL || w.rules.may_lose ||
	    kv_rev(kv) < watcher->rev)
		return;
	if (!watcher->has_begun) {
		begin(watcher, kv);
	} else if (watcher->rev < kv_compacted(kv)) {
		w.tally->gaps++;
		tell(watcher,
		    (struct lincheck_event){ .kind = LINCHECK_EVENT_GAP });
		tell_state(watcher, kv);
	} else {
		tell_changes(watcher, kv, most);
	}
}

/* What is old is dropped, at each node when it likes. */
static void
forget(const struct world_node *n)
{
	const struct kv *kv = n->is_up ? replica_kv(n->replica) : NULL;

	if (kv != NULL && kv_rev(kv) <= w.scanned)
		replica_compact(
		    n->replica, num_sub(kv_rev(kv), replica_world_draw(64)));
}

void
replica_world_watch(void)
{
	struct world_watcher *watcher =
	    &w.watcher[replica_world_draw(WATCHERS)];
	const struct world_node *n = &w.node[watcher->node];

	if (!n->is_up || replica_world_draw(MOVES_IN) == 0)
		watcher->node = replica_world_draw(w.rules.node_count);
	if (replica_world_draw(FORGETS_IN) == 0)
		forget(&w.node[replica_world_draw(w.rules.node_count)]);
	pump(watcher, 1 + replica_world_draw(8));
}

void
replica_world_watch_all(void)
{
	for (unsigned i = 0; i < WATCHERS; i++)
		pump(&w.watcher[i], UINT32_MAX);
}
