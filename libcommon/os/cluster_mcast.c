/* SPDX-License-Identifier: BSD-3-Clause */
/* [ring] linkN_mcast: the groups to which DATA goes. */
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster_internal.h"
#include "libcommon/os/udp_group.h"

static const char suffix[] = "_mcast";

bool
cluster_mcast_is(const char *key)
{
	const char *end = strstr(key, suffix);

	return strncmp(key, "link", 4) == 0 && end != NULL &&
	    end[sizeof suffix - 1] == '\0';
}

void
cluster_mcast_set(struct conf *file, struct cluster_reading *reading,
    const char *key, const char *value)
{
	size_t len = strlen(key) - 4 - (sizeof suffix - 1);
	union udp_addr *group;
	uint64_t link;

	if (parse_u64(key + 4, len, 0, LIMIT_LINKS - 1, &link) != 0) {
		conf_fail(file, "%s: expected link0_mcast to link%d_mcast", key,
		    LIMIT_LINKS - 1);
		return;
	}
	if (reading->mcast_line[link] != 0) {
		conf_fail(file, "%s: given twice, expected once", key);
		return;
	}
	reading->mcast_line[link] = file->line;
	group = &reading->conf->ring.link_mcast[link];
	if (!cluster_parse_address(group, value) || !udp_group_is_good(group))
		conf_fail(file,
		    "%s = %s: expected a group of multicast, above 224.0.0.255 "
		    "or of a scope above ff02::, GROUP:PORT or [V6]:PORT",
		    key, value);
}

/* FNV-1a: the same on every machine. */
static uint64_t
digest(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return hash;
}

/* Of 239.192.0.0/16 and ff15::/64: groups that an organisation may use as it
 * likes, one for each name of a cluster. */
static void
choose(union udp_addr *group, sa_family_t family, uint64_t hash)
{
	memset(group, 0, sizeof *group);
	group->any.sa_family = family;
	if (family == AF_INET) {
		group->v4.sin_addr.s_addr =
		    htonl(0xefc00000U | (uint32_t)(hash & 0xffff));
		return;
	}
	group->v6.sin6_addr.s6_addr[0] = 0xff;
	group->v6.sin6_addr.s6_addr[1] = 0x15;
	for (size_t i = 8; i < 16; i++)
		group->v6.sin6_addr.s6_addr[i] =
		    (uint8_t)(hash >> (8 * (15 - i)));
}

static void
check_link(struct conf *file, struct cluster_reading *reading, uint32_t link)
{
	struct cluster_conf *conf = reading->conf;
	union udp_addr *group = &conf->ring.link_mcast[link];
	sa_family_t family = conf->nodes[0].link[link].any.sa_family;
	unsigned line = reading->mcast_line[link];

	if (line == 0)
		choose(group, family, digest(conf->cluster));
	else if (udp_group_is_good(group) && group->any.sa_family != family)
		conf_fail_at(file, line,
		    "link%u_mcast: expected a group of %s, as link%u of the "
		    "nodes",
		    link, family == AF_INET ? "IPv4" : "IPv6", link);
	if (*cluster_port(group) == 0)
		*cluster_port(group) =
		    htons((uint16_t)(conf->ring.port + link));
}

void
cluster_mcast_check(struct conf *file, struct cluster_reading *reading)
{
	uint32_t link_count = reading->conf->link_count;

	if (!cluster_knows_nodes(reading) || link_count == 0)
		return; /* which was told */
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		if (link < link_count)
			check_link(file, reading, link);
		else if (reading->mcast_line[link] != 0)
			conf_fail_at(file, reading->mcast_line[link],
			    "link%u_mcast: expected a link that the nodes "
			    "have, link0 to link%u",
			    link, link_count - 1);
	}
}
