/* SPDX-License-Identifier: BSD-3-Clause */
/* The file, read again: rights and names change, nothing that memory was taken
 * for.  Who votes is in the log: a node that is new in the file is offered.
 */
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_item.h"

/* ---- taken ------------------------------------------------------------- */

static bool
is_ours(const struct cluster_difference *difference)
{
	return difference->kind == CLUSTER_SETTING_CHANGED &&
	    (strncmp(difference->setting, "[store] ", 8) == 0 ||
		strcmp(difference->setting, "[ring] message_bytes_max") == 0);
}

static void
note_fixed(void *arg, const struct cluster_difference *difference)
{
	struct text *why = arg;

	if (difference->is_live || !is_ours(difference))
		return;
	text_put(why, why->len == 0 ? "needs a restart: " : ", ");
	cluster_difference_put(difference, why);
}

static bool
refuses(void *arg, const struct cluster_conf *conf, struct text *why)
{
	const struct cfgstored *d = arg;

	(void)cluster_compare(d->serve->conf, conf, note_fixed, why);
	return why->len > 0;
}

static void
on_taken(void *arg, const struct cluster_conf *old, uint64_t now_ns)
{
	struct cfgstored *d = arg;

	(void)old;
	cfgstored_tick(d, now_ns);
	cfgstored_watch_conf(d);
	svc_review(d->svc);
}

int
cfgstored_reload_open(struct cfgstored *d)
{
	const struct reread_config cfg = { .serve = d->serve,
		.loop = d->loop,
		.arg = d,
		.refuses = refuses,
		.taken = on_taken };

	return reread_open(&d->reread, &cfg);
}

/* ---- who is offered ---------------------------------------------------- */

static bool
is_voter(const struct kv_electorate *e, uint32_t id)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->voter[i].id == id)
			return true;
	return false;
}

static bool
is_configured(const struct cluster_conf *conf, uint32_t id)
{
	for (uint32_t i = 0; i < conf->node_count; i++)
		if (conf->nodes[i].id == id)
			return true;
	return false;
}

void
cfgstored_reload_put(
    const struct cfgstored *d, const struct kv_electorate *e, struct text *out)
{
	const struct cluster_conf *conf = d->serve->conf;
	struct kv_electorate offered = { 0 }, surplus = { 0 };

	/* Before there is a log nobody is missing in it. */
	if (e->count == 0)
		return;
	for (uint32_t i = 0; i < conf->node_count; i++)
		if (conf->nodes[i].votes > 0 && !is_voter(e, conf->nodes[i].id))
			offered.voter[offered.count++] =
			    (struct kv_voter){ conf->nodes[i].id,
				    conf->nodes[i].votes };
	for (size_t i = 0; i < e->count; i++)
		if (!is_configured(conf, e->voter[i].id))
			surplus.voter[surplus.count++] = e->voter[i];
	if (offered.count > 0)
		cfgstored_put_voters(out, "offered", &offered);
	if (surplus.count > 0)
		cfgstored_put_voters(out, "surplus", &surplus);
}
