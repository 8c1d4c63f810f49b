/* SPDX-License-Identifier: BSD-3-Clause */
/* From the file to the core's table of nodes: at the start, and again. */
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/serve.h"
#include "libcommon/os/svc.h"

#include "bin/memberd/memberd.h"

enum { TAGS = LIMIT_NODES * CLUSTER_TAGS };

static void
put_addr(const struct cluster_node *from, struct member_node *to)
{
	struct text text;

	text_init(&text, to->addr, sizeof to->addr);
	udp_addr_text(&from->link[0], &text);
	/* Without the port: V4:PORT or [V6]:PORT. */
	*strrchr(to->addr, ':') = '\0';
	if (to->addr[0] != '[')
		return;
	text.len = strlen(to->addr) - 2;
	memmove(to->addr, to->addr + 1, text.len);
	to->addr[text.len] = '\0';
}

void
memberd_reload_table(
    const struct cluster_conf *conf, struct member_table *table)
{
	static struct member_node nodes[LIMIT_NODES];
	static struct member_table_tag tags[TAGS];

	memset(nodes, 0, sizeof nodes);
	for (uint32_t i = 0; i < conf->node_count; i++) {
		nodes[i].id = conf->nodes[i].id;
		memcpy(nodes[i].name, conf->nodes[i].name,
		    sizeof conf->nodes[i].name);
		put_addr(&conf->nodes[i], &nodes[i]);
	}
	for (uint32_t i = 0; i < conf->tag_count; i++)
		tags[i] = (struct member_table_tag){ conf->tags[i].node,
			conf->tags[i].name, conf->tags[i].value };
	*table = (struct member_table){ .nodes = nodes,
		.node_count = conf->node_count,
		.tags = tags,
		.tag_count = conf->tag_count };
}

/* ---- read again -------------------------------------------------------- */

static bool
refuses(void *arg, const struct cluster_conf *conf, struct text *why)
{
	const struct memberd *d = arg;

	if (conf->ring.message_bytes_max == d->conf->ring.message_bytes_max)
		return false;
	text_put(why, "needs a restart: [ring] message_bytes_max");
	return true;
}

static void
on_taken(void *arg, const struct cluster_conf *old, uint64_t now_ns)
{
	struct memberd *d = arg;
	struct member_table table;
	struct member_input in = { .kind = MEMBER_IN_TABLE, .table = &table };

	(void)old;
	d->conf = d->serve->conf;
	memberd_reload_table(d->conf, &table);
	memberd_step(d, &in, now_ns);
	svc_review(d->svc);
}

int
memberd_reload_open(struct memberd *d)
{
	const struct reread_config cfg = { .serve = d->serve,
		.loop = d->loop,
		.arg = d,
		.refuses = refuses,
		.taken = on_taken };

	return reread_open(&d->reread, &cfg);
}
