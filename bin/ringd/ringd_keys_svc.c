/* SPDX-License-Identifier: BSD-3-Clause */
/* The verb rotate-key: one change of the keys, proposed here, told in full. */
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/cluster.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_change.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_keys_internal.h"

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
	const char *words, *code = ringd_change_obstacle(r, &words);

	if (code != NULL) {
		svc_err(req->client, req->tag, code, "%s", words);
		return true;
	}
	if (absent != NULL && job->change != RINGD_KEYS_SURVEY) {
		svc_err(req->client, req->tag, "absent",
		    "%s (node %u) is not in the ring", absent->name,
		    absent->id);
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
	struct ringd_change_proposal proposal = { .body = body };
	struct ringd_keyfile_job job;
	const char *wrong = parse(req, &job);

	if (wrong != NULL) {
		svc_err(req->client, req->tag, "usage", "%s", wrong);
		return SVC_DONE;
	}
	ringd_set_now(r, req->now_ns);
	if (refuse(r, req, &job))
		return SVC_DONE;
	proposal.cookie =
	    ringd_client_pend(r, c, req->tag, RINGD_PENDING_NODES);
	if (proposal.cookie == 0)
		return SVC_WAIT;
	if (job.change == RINGD_KEYS_INSTALL)
		box_random(job.key, sizeof job.key);
	k->asked_change = job.change;
	k->asked_id = job.id;
	proposal.kind = (uint8_t)job.change;
	proposal.len = ringd_keys_close_body(r, &job, body);
	ringd_change_propose(r, &proposal);
	sodium_memzero(job.key, sizeof job.key);
	return SVC_DONE;
}

void
ringd_keys_put(const struct ringd *r, struct text *out)
{
	text_put(out, "stage=");
	text_put(out, stages[r->keys->asked_change]);
	if (r->keys->asked_id == 0)
		return;
	text_put(out, " id=");
	text_put_u64(out, r->keys->asked_id);
}
