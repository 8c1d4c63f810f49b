/* SPDX-License-Identifier: BSD-3-Clause */
/* What only the whole file can tell: what is missing, what collides, and which
 * node this is.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "libcommon/os/cluster_internal.h"
#include "libcommon/os/fd.h"

uint16_t *
cluster_port(union udp_addr *addr)
{
	return addr->any.sa_family == AF_INET6 ? &addr->v6.sin6_port
					       : &addr->v4.sin_port;
}

/* Link N of a node without a port of its own has the default plus N. */
static void
set_ports(struct cluster_conf *conf)
{
	for (uint32_t i = 0; i < conf->node_count; i++) {
		struct cluster_node *node = &conf->nodes[i];

		for (uint32_t link = 0; link < node->link_count; link++) {
			uint16_t *port = cluster_port(&node->link[link]);

			if (*port == 0)
				*port =
				    htons((uint16_t)(conf->ring.port + link));
		}
	}
}

static int
compare_nodes(const void *a, const void *b)
{
	const struct cluster_node *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* The same address twice, at whatever nodes and links. */
static void
check_addresses(struct conf *file, const struct cluster_conf *conf)
{
	enum { ALL = LIMIT_NODES * LIMIT_LINKS };

	for (uint32_t i = 0; i < ALL; i++) {
		const struct cluster_node *a = &conf->nodes[i / LIMIT_LINKS];

		if (i / LIMIT_LINKS >= conf->node_count)
			return;
		if (i % LIMIT_LINKS >= a->link_count)
			continue;
		for (uint32_t j = i + 1; j < ALL; j++) {
			const struct cluster_node *b =
			    &conf->nodes[j / LIMIT_LINKS];

			if (j / LIMIT_LINKS < conf->node_count &&
			    j % LIMIT_LINKS < b->link_count &&
			    udp_addr_equal(&a->link[i % LIMIT_LINKS],
				&b->link[j % LIMIT_LINKS]))
				conf_fail_at(file, b->line,
				    "[node %s] link%u: the address of [node "
				    "%s] link%u, expected another",
				    b->name, j % LIMIT_LINKS, a->name,
				    i % LIMIT_LINKS);
		}
	}
}

static void
check_nodes(struct conf *file, const struct cluster_conf *conf)
{
	for (uint32_t i = 0; i < conf->node_count; i++) {
		const struct cluster_node *node = &conf->nodes[i];

		if (!node->has_id)
			conf_fail_at(file, node->line,
			    "[node %s]: no id, expected id = 1 to %d",
			    node->name, LIMIT_NODE_ID_MAX);
		else if (node->id != 0 && i > 0 && node[-1].id == node->id)
			conf_fail_at(file, node->line,
			    "[node %s]: id %u is that of [node %s], expected "
			    "another",
			    node->name, node->id, node[-1].name);
		if (node->link_count == 0)
			conf_fail_at(file, node->line,
			    "[node %s]: no link0, expected an address",
			    node->name);
		else if (node->link_count != conf->nodes[0].link_count)
			conf_fail_at(file, node->line,
			    "[node %s]: %u links, expected as many as [node "
			    "%s] has",
			    node->name, node->link_count, conf->nodes[0].name);
	}
}

/* May this machine bind to it?  Tells for aliases and all of 127/8, too. */
static bool
is_own_address(const union udp_addr *addr)
{
	union udp_addr any_port = *addr;
	socklen_t len =
	    addr->any.sa_family == AF_INET6 ? sizeof addr->v6 : sizeof addr->v4;
	int fd = socket(addr->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_own;

	if (fd < 0)
		return false;
	*cluster_port(&any_port) = 0;
	is_own = bind(fd, &any_port.any, len) == 0;
	fd_close(&fd);
	return is_own;
}

static bool
is_this_machine(const struct cluster_node *node)
{
	for (uint32_t i = 0; i < node->link_count; i++)
		if (is_own_address(&node->link[i]))
			return true;
	return false;
}

void
cluster_find_self(
    struct conf *file, struct cluster_conf *conf, const char *name)
{
	uint32_t found = 0;

	if (name != NULL && *name == '\0')
		return;
	if (name != NULL) {
		int i = cluster_find(conf, name);

		if (i < 0)
			conf_fail_at(file, 0,
			    "no [node %s], expected the --node of this file",
			    name);
		conf->self = i < 0 ? 0 : (uint32_t)i;
		return;
	}
	for (uint32_t i = 0; i < conf->node_count; i++) {
		if (is_this_machine(&conf->nodes[i])) {
			conf->self = i;
			found++;
		}
	}
	if (found == 0)
		conf_fail_at(file, 0,
		    "no node has an address of this machine, expected one, "
		    "or --node NAME");
	else if (found > 1)
		conf_fail_at(file, 0,
		    "%u nodes have addresses of this machine, expected one, "
		    "or --node NAME",
		    found);
}

/* Tags were kept by the line of their node's section. */
static void
name_tags(struct cluster_conf *conf)
{
	for (uint32_t i = 0; i < conf->tag_count; i++) {
		uint32_t k = 0;

		while (conf->nodes[k].line != conf->tags[i].node)
			k++;
		conf->tags[i].node = conf->nodes[k].id;
	}
}

/* A header that nobody understood may be that of a node. */
bool
cluster_knows_nodes(const struct cluster_reading *reading)
{
	const uint32_t of_nodes =
	    1U << CLUSTER_SECTION_NODE | 1U << CLUSTER_SECTION_NONE;

	return reading->conf->node_count > 0 &&
	    (reading->flawed & of_nodes) == 0;
}

void
cluster_check(struct conf *file, struct cluster_reading *reading)
{
	const uint32_t flawed = reading->flawed;
	struct cluster_conf *conf = reading->conf;

	qsort(conf->nodes, conf->node_count, sizeof conf->nodes[0],
	    compare_nodes);
	name_tags(conf);
	set_ports(conf);
	if (conf->cluster[0] == '\0' &&
	    (flawed & 1U << CLUSTER_SECTION_CLUSTER) == 0)
		conf_fail_at(
		    file, 0, "no cluster name, expected [cluster] name = NAME");
	if (conf->node_count == 0) {
		if ((flawed & 1U << CLUSTER_SECTION_NONE) == 0)
			conf_fail_at(file, 0, "no nodes, expected [node NAME]");
		return;
	}
	check_nodes(file, conf);
	check_addresses(file, conf);
	conf->link_count = conf->nodes[0].link_count;
}
