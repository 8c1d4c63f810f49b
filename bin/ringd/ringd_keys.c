/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PREPARE is judged here by what is in memory, then by the writer, which
 * prepares the file; the vote follows.  A commit changes the memory at once,
 * and the file by a rename that is asked for and not waited for: whoever dies
 * in between starts again with the keys of one stage before, which still are
 * good for talking to all.
 */
#include "bin/ringd/ringd_keys.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_change.h"
#include "bin/ringd/ringd_keys_internal.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/supervisor.h"

enum { TEXT_BYTES = CHANGE_TEXT_BYTES_MAX + 1 }; /* of a vote */

#define SESSIONS_NS (15 * CLOCK_S_NS) /* for all to be under the new key */

struct ringd_keys *
ringd_keys_create(struct arena *arena, struct box_keyring *ring)
{
	struct ringd_keys *k = arena_take(arena, sizeof *k);

	if (k == NULL)
		return NULL;
	*k = (struct ringd_keys){ .ring = ring };
	return k;
}

/* ---- voting ------------------------------------------------------------ */

static void
vote(struct ringd *r, bool is_for, const char *text)
{
	ringd_change_vote(r, &r->keys->work.id, is_for, text);
}

/* Nothing is, or will be, beside the file. */
static void
refuse(struct ringd *r, const char *what)
{
	ringd_change_refuse(r, &r->keys->work.id, what);
}

const struct cluster_node *
ringd_keys_absent(const struct ringd *r)
{
	struct totem_status status;

	totem_status(r->totem, r->now_ns, &status);
	for (uint32_t i = 0; i < r->conf->node_count; i++) {
		bool is_member = false;

		for (uint32_t m = 0; m < status.members.count; m++)
			is_member |=
			    status.members.id[m] == r->conf->nodes[i].id;
		if (!is_member)
			return &r->conf->nodes[i];
	}
	return NULL;
}

/* A node whose session is not under the key; NULL: none. */
static const struct cluster_node *
find_behind(const struct ringd *r, uint8_t id)
{
	struct ringd_net_peer peer;

	for (uint32_t i = 0; i < r->conf->node_count; i++) {
		const struct cluster_node *node = &r->conf->nodes[i];

		if (ringd_net_peer(r->net, node->id, r->now_ns, &peer) &&
		    (!peer.session.is_believed || peer.session.key_id != id))
			return node;
	}
	return NULL;
}

/* NULL, or why this change cannot be made here. */
static const char *
judge(const struct ringd *r, const struct ringd_keyfile_job *job)
{
	const struct box_keyring *ring = r->keys->ring;
	const bool has = box_keyring_has(ring, job->id);

	if (job->change != RINGD_KEYS_SURVEY && ringd_keys_absent(r) != NULL)
		return "a node of its configuration is absent";
	switch (job->change) {
	case RINGD_KEYS_INSTALL:
		if (!has && ring->count == BOX_KEYS_MAX)
			return "it has 16 keys already";
		if (has && !ringd_keys_is_same(ring, job->id, job->key))
			return "it has another key of that number";
		return NULL;
	case RINGD_KEYS_SWITCH:
		return has ? NULL : "it does not have that key";
	case RINGD_KEYS_RETIRE:
		return box_keyring_active(ring) == job->id
		    ? NULL
		    : "it seals under another key";
	case RINGD_KEYS_SURVEY:
	case RINGD_KEYS_CHANGES:
		break;
	}
	return NULL;
}

static void
ask_writer(struct ringd *r, enum ringd_keyfile_step step)
{
	struct ringd_keys *k = r->keys;
	int rc;

	k->work.job.step = step;
	k->work.job.number = ++k->number;
	rc = ringd_disk_ask_job(&r->disk, &k->work.job, sizeof k->work.job);
	if (rc == 0)
		return;
	log_line(
	    LOG_LEVEL_ERROR, "key-file", "step=%d errno=%d", (int)step, -rc);
	if (step == RINGD_KEYFILE_PREPARE) {
		k->work.is_asked = false;
		refuse(r, "its writer takes nothing");
	}
}

void
ringd_keys_prepare(struct ringd *r, const struct change_effect *effect)
{
	struct ringd_keys *k = r->keys;
	struct ringd_keys_work *work = &k->work;
	const char *wrong;

	*work = (struct ringd_keys_work){ .id = effect->id,
		.until_ns = r->now_ns + SESSIONS_NS };
	wrong = ringd_keys_open_body(r, effect, &work->job);
	if (wrong == NULL)
		wrong = judge(r, &work->job);
	if (wrong != NULL) {
		refuse(r, wrong);
		return;
	}
	work->is_asked = true;
	ask_writer(r, RINGD_KEYFILE_PREPARE);
}

/* "active=2 keys=1:F,2:F file=same", as record words. */
static void
vote_survey(struct ringd *r, const struct ringd_keyfile_answer *answer)
{
	const struct box_keyring *ring = r->keys->ring;
	char bytes[TEXT_BYTES];
	struct text text;
	const char *file = "unreadable";
	size_t at;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "active=");
	text_put_u64(&text, box_keyring_active(ring));
	text_put(&text, " keys=");
	at = text.len;
	ringd_keyfile_list(ring, &text);
	if (answer->is_done)
		file =
		    strcmp(bytes + at, answer->text) == 0 ? "same" : "differs";
	text_put(&text, " file=");
	text_put(&text, file);
	vote(r, true, bytes);
}

static void
log_failure(const struct ringd_keyfile_answer *answer)
{
	char bytes[5 * RINGD_KEYFILE_TEXT_BYTES];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put_value(&text, answer->text, strlen(answer->text));
	log_line(LOG_LEVEL_ERROR, "key-file", "step=%d msg=%s",
	    (int)answer->step, bytes);
}

void
ringd_keys_written(struct ringd *r)
{
	struct ringd_keys *k = r->keys;
	struct ringd_keyfile_answer answer;

	if (r->disk.answer_len != sizeof answer)
		return;
	memcpy(&answer, r->disk.answer, sizeof answer);
	if (answer.step != RINGD_KEYFILE_PREPARE) {
		if (!answer.is_done)
			log_failure(&answer);
		return;
	}
	if (!k->work.is_asked || answer.number != k->work.job.number)
		return;
	k->work.is_asked = false;
	k->work.is_written = answer.is_done;
	if (k->work.job.change == RINGD_KEYS_SURVEY)
		vote_survey(r, &answer);
	else if (!answer.is_done)
		refuse(r, answer.text);
	else if (k->work.job.change != RINGD_KEYS_RETIRE)
		vote(r, true, "");
}

/* Of a retirement, whose file is ready: do all seal under the key? */
static void
await_sessions(struct ringd *r)
{
	struct ringd_keys_work *work = &r->keys->work;
	const struct cluster_node *behind;
	char what[128];

	if (!work->is_written || work->job.change != RINGD_KEYS_RETIRE)
		return;
	behind = find_behind(r, work->job.id);
	if (behind != NULL && r->now_ns < work->until_ns)
		return;
	work->is_written = false;
	if (behind == NULL) {
		vote(r, true, "");
		return;
	}
	snprintf(
	    what, sizeof what, "%s does not seal under that key", behind->name);
	refuse(r, what);
}

/* ---- the end ----------------------------------------------------------- */

static void
apply(struct ringd *r)
{
	static const char *const logged[RINGD_KEYS_CHANGES] = {
		[RINGD_KEYS_INSTALL] = "key-installed",
		[RINGD_KEYS_SWITCH] = "key-switched",
		[RINGD_KEYS_RETIRE] = "keys-retired",
	};
	struct ringd_keys *k = r->keys;
	const struct ringd_keyfile_job *job = &k->work.job;

	if (job->change == RINGD_KEYS_SURVEY)
		return;
	if (job->change == RINGD_KEYS_SWITCH)
		k->is_rekey_due = box_keyring_active(k->ring) != job->id;
	ringd_keys_apply(k->ring, job);
	if (r->page != NULL)
		supervisor_keep_keys(r->page, k->ring);
	ask_writer(r, RINGD_KEYFILE_APPLY);
	log_line(LOG_LEVEL_NOTICE, logged[job->change], "key_id=%u active=%u",
	    (unsigned)job->id, (unsigned)box_keyring_active(k->ring));
}

void
ringd_keys_commit(struct ringd *r)
{
	apply(r);
	sodium_memzero(&r->keys->work, sizeof r->keys->work);
}

void
ringd_keys_abort(struct ringd *r)
{
	if (r->keys->work.job.change != RINGD_KEYS_SURVEY)
		ask_writer(r, RINGD_KEYFILE_DISCARD);
	sodium_memzero(&r->keys->work, sizeof r->keys->work);
}

void
ringd_keys_turn(struct ringd *r)
{
	await_sessions(r);
	if (r->keys->is_rekey_due)
		ringd_net_rekey(r->net, r->now_ns);
	r->keys->is_rekey_due = false;
}
