/* SPDX-License-Identifier: BSD-3-Clause */
/* The file, read again: what it says becomes the core's wish, and is in force
 * when the core says so; and what would come of it, for who asks first.
 */
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/quorumd/quorumd.h"
#include "bin/quorumd/quorumd_item.h"

enum { LINE_BYTES = 2048 };

/* ---- taken ------------------------------------------------------------- */

/* One that we were started with is only waited for. */
static bool
is_wished(const struct quorumd *d, const struct quorum_config *cfg)
{
	return d->is_pending &&
	    quorum_config_version(cfg) == quorum_config_version(&d->next);
}

static bool
refuses(void *arg, const struct cluster_conf *conf, struct text *why)
{
	static struct quorum_config next;
	const struct quorumd *d = arg;

	quorumd_make_config(&next, conf);
	return quorum_config_mistake(&next, 0, why) ||
	    (!is_wished(d, &next) &&
		quorum_config_clash(&d->cfg, &next, 0, why));
}

void
quorumd_reload_wish(struct quorumd *d)
{
	struct quorum_input in = { .kind = QUORUM_IN_CONFIG,
		.config = &d->next };

	if (d->is_pending && d->core != NULL)
		quorumd_step(d, &in);
}

void
quorumd_reload_stepped(struct quorumd *d)
{
	if (!d->is_pending || d->core == NULL || quorum_is_pending(d->core))
		return;
	d->is_pending = false;
	d->cfg = d->next;
	log_line(LOG_LEVEL_NOTICE, "config-in-force", "nodes=%zu",
	    d->cfg.node_count);
}

static void
on_taken(void *arg, const struct cluster_conf *old, uint64_t now_ns)
{
	struct quorumd *d = arg;

	(void)old;
	if (d->now_ns < now_ns)
		d->now_ns = now_ns;
	quorumd_make_config(&d->next, d->serve->conf);
	d->is_pending = true;
	d->lease.lease_ns = d->serve->conf->quorum.lease_ns;
	quorumd_reload_wish(d);
	svc_review(d->svc);
}

/* ---- would ------------------------------------------------------------- */

/* The words of the answer, without its tag. */
static void
judge(struct quorumd *d, const struct cluster_conf *conf, const char *why,
    struct text *out)
{
	static struct quorum_config next;
	char bytes[QUORUM_TEXT_BYTES];
	enum quorum_answer answer;
	struct text text;

	if (conf == NULL) {
		text_put(out, "err code=config n=78");
		quorumd_put_value(out, "msg", why);
		return;
	}
	quorumd_look(d);
	if (d->core == NULL || !quorumd_is_fresh(d)) {
		text_put(out, "err code=away n=69");
		quorumd_put_value(out, "msg", "there is no verdict now");
		return;
	}
	quorumd_make_config(&next, conf);
	text_init(&text, bytes, sizeof bytes);
	answer = quorum_would(d->core, &next, &text);
	if (answer == QUORUM_ANSWER_OK) {
		text_put(out, "ok");
		return;
	}
	text_put(out,
	    answer == QUORUM_ANSWER_QUORUM ? "no code=quorum"
					   : "err code=config n=78");
	quorumd_put_value(out, "msg", bytes);
}

static void
on_asked(void *arg, const struct cluster_conf *conf, const char *why,
    uint64_t now_ns)
{
	struct quorumd *d = arg;
	struct quorumd_request *asker = &d->asker;
	char bytes[LINE_BYTES];
	struct text out;

	if (d->now_ns < now_ns)
		d->now_ns = now_ns;
	asker->cookie = 0;
	if (asker->client != NULL) {
		text_init(&out, bytes, sizeof bytes);
		svc_put_tag(&out, asker->tag[0] != '\0' ? asker->tag : NULL);
		judge(d, conf, why, &out);
		text_put_char(&out, '\n');
		svc_put(asker->client, out.bytes, out.len);
		svc_client_hold(asker->client, -1);
	}
	asker->client = NULL;
	svc_resume(d->svc);
}

enum svc_result
quorumd_reload_would(void *arg, struct svc_request *req)
{
	struct quorumd *d = arg;
	struct quorumd_request *asker = &d->asker;

	/* One reading at a time; the next comes when that is over. */
	if (asker->cookie != 0)
		return SVC_WAIT;
	asker->cookie = 1;
	asker->client = req->client;
	asker->tag[0] = '\0';
	if (req->tag != NULL)
		memcpy(asker->tag, req->tag, strlen(req->tag) + 1);
	svc_client_hold(req->client, 1);
	(void)reread_ask(&d->reread, d->now_ns);
	return SVC_DONE;
}

/* ---- status, opening --------------------------------------------------- */

void
quorumd_reload_put(const struct quorumd *d, struct text *out)
{
	if (out->len > 0 && out->bytes[out->len - 1] != ' ')
		text_put_char(out, ' ');
	reread_put(&d->reread, out);
	quorumd_put(out, "in_force", quorumd_yes_no(!d->is_pending));
}

int
quorumd_reload_open(struct quorumd *d)
{
	const struct reread_config cfg = { .serve = d->serve,
		.loop = d->loop,
		.arg = d,
		.refuses = refuses,
		.taken = on_taken,
		.asked = on_asked };

	return reread_open(&d->reread, &cfg);
}
