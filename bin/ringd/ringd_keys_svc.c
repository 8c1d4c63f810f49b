/* SPDX-License-Identifier: BSD-3-Clause */
/* The verb rotate-key: one change of the keys, proposed here, told in full. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_keys_internal.h"

enum { LINE_BYTES = 1024 };

#define CHANGE_NS (40 * CLOCK_S_NS) /* then it is cancelled */

static const char *const stages[RINGD_KEYS_CHANGES] = {
	[RINGD_KEYS_SURVEY] = "survey",
	[RINGD_KEYS_INSTALL] = "install",
	[RINGD_KEYS_SWITCH] = "switch",
	[RINGD_KEYS_RETIRE] = "retire",
};

/* ---- the request ------------------------------------------------------- */

/* NULL, or what is wrong. */
static const char *
parse(struct svc_request *req, struct ringd_keyfile_job *job)
{
	const struct word_pair *stage = word_get(req->word, "stage");
	const struct word_pair *id = word_get(req->word, "id");
	uint64_t number = 0;
	int change = RINGD_KEYS_SURVEY;

	*job = (struct ringd_keyfile_job){ 0 };
	while (stage != NULL && change < RINGD_KEYS_CHANGES &&
	    strcmp(stages[change], stage->value) != 0)
		change++;
	if (stage == NULL || change == RINGD_KEYS_CHANGES)
		return "stage: expected survey, install, switch or retire";
	if (change != RINGD_KEYS_SURVEY &&
	    (id == NULL ||
		parse_u64(id->value, id->len, 1, BOX_KEY_ID_MAX, &number) != 0))
		return "id: expected 1 to 255";
	job->change = (enum ringd_keys_change)change;
	job->id = (uint8_t)number;
	return NULL;
}

/* true: answered, nothing is to be proposed. */
static bool
refuse(struct ringd *r, struct svc_request *req,
    const struct ringd_keyfile_job *job)
{
	const struct cluster_node *absent = ringd_keys_absent(r);

	if (r->leave_deadline_ns != 0) {
		svc_err(req->client, req->tag, "leaving", "it is leaving");
		return true;
	}
	if (absent != NULL && job->change != RINGD_KEYS_SURVEY) {
		svc_err(req->client, req->tag, "absent",
		    "%s (node %u) is not in the ring", absent->name,
		    absent->id);
		return true;
	}
	if (r->keys->cookie != 0 || change_is_current(r->keys->change)) {
		svc_err(req->client, req->tag, "busy",
		    "another change is under way");
		return true;
	}
	if (job->change == RINGD_KEYS_INSTALL &&
	    box_keyring_has(r->keys->ring, job->id)) {
		svc_err(req->client, req->tag, "usage",
		    "id: there is such a key already");
		return true;
	}
	return false;
}

enum svc_result
ringd_keys_rotate(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	struct ringd_keys *k = r->keys;
	struct ringd_client *c = ringd_client_of(req->client);
	uint8_t body[CHANGE_BODY_BYTES_MAX];
	struct ringd_keyfile_job job;
	const char *wrong = parse(req, &job);
	int rc;

	if (wrong != NULL) {
		svc_err(req->client, req->tag, "usage", "%s", wrong);
		return SVC_DONE;
	}
	ringd_set_now(r, req->now_ns);
	if (refuse(r, req, &job))
		return SVC_DONE;
	if (job.change == RINGD_KEYS_INSTALL)
		box_random(job.key, sizeof job.key);
	rc = change_propose(k->change, (uint8_t)job.change, body,
	    ringd_keys_close_body(r, &job, body));
	sodium_memzero(job.key, sizeof job.key);
	if (rc != 0) {
		svc_err(req->client, req->tag,
		    rc == CHANGE_E_BUSY ? "busy" : "reformed",
		    "the ring is forming");
		return SVC_DONE;
	}
	k->cookie = ringd_client_pend(r, c, req->tag, RINGD_PENDING_KEYS);
	k->deadline_ns = r->now_ns + CHANGE_NS;
	k->asked_change = job.change;
	k->asked_id = job.id;
	k->is_cancelled = false;
	return SVC_DONE;
}

/* ---- the answer -------------------------------------------------------- */

static const char *
name_of(const struct ringd *r, uint32_t node)
{
	for (uint32_t i = 0; i < r->conf->node_count; i++)
		if (r->conf->nodes[i].id == node)
			return r->conf->nodes[i].name;
	return "";
}

static void
put_member(struct ringd *r, struct svc_client *client, const char *tag,
    const struct change_member *member)
{
	static const char *const results[] = { "none", "ok", "no" };
	char bytes[LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "item stage=");
	text_put(&out, stages[r->keys->asked_change]);
	if (r->keys->asked_id != 0) {
		text_put(&out, " id=");
		text_put_u64(&out, r->keys->asked_id);
	}
	text_put(&out, " node=");
	text_put_u64(&out, member->node);
	text_put(&out, " name=");
	text_put(&out, name_of(r, member->node));
	text_put(&out, " result=");
	text_put(&out, results[member->ballot]);
	if (member->text[0] != '\0')
		text_put_char(&out, ' ');
	text_put(&out, member->text);
	text_put_char(&out, '\n');
	svc_put(client, out.bytes, out.len);
}

void
ringd_keys_answer(struct ringd *r, struct svc_client *client, const char *tag)
{
	static const struct {
		const char *code, *msg;
	} failures[CHANGE_OUTCOMES] = {
		[CHANGE_REFUSED] = { "refused", "a node would not" },
		[CHANGE_BUSY] = { "busy", "another change is under way" },
		[CHANGE_VIEW] = { "reformed", "the ring formed anew" },
		[CHANGE_CANCELLED] = { "late", "a node did not answer" },
	};
	const enum change_outcome outcome = r->keys->outcome;
	struct change_member member;
	uint32_t items = 0;

	if (outcome != CHANGE_BUSY)
		for (; change_member(r->keys->change, items, &member); items++)
			put_member(r, client, tag, &member);
	if (outcome == CHANGE_COMMITTED)
		svc_ok(client, tag, "n=%u", items);
	else
		svc_err(client, tag, failures[outcome].code, "%s",
		    failures[outcome].msg);
}
