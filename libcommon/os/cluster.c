/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/cluster.h"

#include <stddef.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster_internal.h"
#include "libcommon/os/conf.h"

/* Sections of the other daemons, which read the same file. */
static const char *const foreign_sections[] = { "member", NULL };

static const char *const link_modes[] = { "passive", "active", "rr", NULL };
static const char *const transports[] = { "unicast", "multicast", NULL };
/* As enum totem_preset of ringd. */
static const char *const presets[] = { "lan", "wan", "loaded-vm", NULL };
static const char *const levels[] = { "error", "warning", "notice", "info",
	"debug", NULL };

#define CLUSTER(field) offsetof(struct cluster_conf, field)
#define RING(field)    offsetof(struct cluster_ring, field)
#define NODE(field)    offsetof(struct cluster_node, field)
#define MS(n)          ((n)*CLOCK_MS_NS)

static const struct conf_setting cluster_settings[] = {
	{ "name", CONF_STRING, CLUSTER(cluster), 0, CLUSTER_NAME_BYTES, NULL,
	    false },
	{ "key_file", CONF_STRING, CLUSTER(key_file), 0, CLUSTER_PATH_BYTES,
	    NULL, false },
};

#define LINK(n)                                                                \
	{ "link" #n "_priority", CONF_COUNT, RING(link_priority[n]), 0, 255,   \
		NULL, false },                                                 \
	{                                                                      \
		"link" #n "_ttl", CONF_COUNT, RING(link_ttl[n]), 1, 255, NULL, \
		    false                                                      \
	}

static const struct conf_setting ring_settings[] = {
	{ "transport", CONF_WORD, RING(transport), 0, 0, transports, false },
	{ "port", CONF_COUNT, RING(port), 1, 65535 - LIMIT_LINKS, NULL, false },
	{ "frame_bytes", CONF_COUNT, RING(frame_bytes), LIMIT_FRAME_BYTES_MIN,
	    LIMIT_FRAME_BYTES_MAX, NULL, false },
	{ "link_mode", CONF_WORD, RING(link_mode), 0, 0, link_modes, false },
	LINK(0),
	LINK(1),
	LINK(2),
	LINK(3),
	LINK(4),
	LINK(5),
	LINK(6),
	LINK(7),
	{ "window", CONF_COUNT, RING(window), LIMIT_WINDOW_MIN,
	    LIMIT_WINDOW_MAX, NULL, true },
	{ "preset", CONF_WORD, RING(preset), 0, 0, presets, false },
	{ "dead_after", CONF_DURATION, RING(dead_after_ns), MS(100), MS(60000),
	    NULL, true },
	{ "token", CONF_DURATION, RING(token_loss_ns), MS(50), MS(60000), NULL,
	    true },
	{ "heartbeat", CONF_DURATION, RING(heartbeat_ns), MS(5), MS(5000), NULL,
	    true },
	{ "idle_hold", CONF_DURATION, RING(idle_hold_ns), MS(1), MS(1000), NULL,
	    true },
	{ "join", CONF_DURATION, RING(join_ns), MS(1), MS(5000), NULL, true },
	{ "consensus", CONF_DURATION, RING(consensus_ns), MS(20), MS(60000),
	    NULL, true },
	{ "merge", CONF_DURATION, RING(merge_ns), MS(20), MS(60000), NULL,
	    true },
	{ "message_bytes_max", CONF_SIZE, RING(message_bytes_max), 8192,
	    LIMIT_MESSAGE_BYTES_MAX - 4096, NULL, false },
	{ "queue_bytes", CONF_SIZE, RING(queue_bytes), 65536, 256 << 20, NULL,
	    true },
	{ "socket_buffer", CONF_SIZE, RING(socket_buffer_bytes), 65536,
	    256 << 20, NULL, true },
	{ "rt_priority", CONF_COUNT, RING(rt_priority), 0, 99, NULL, false },
};

static const struct conf_setting node_settings[] = {
	{ "id", CONF_COUNT, NODE(id), 1, LIMIT_NODE_ID_MAX, NULL, false },
	{ "votes", CONF_COUNT, NODE(votes), 0, 65535, NULL, false },
};

static const struct conf_setting log_settings[] = {
	{ "level", CONF_WORD, 0, 0, 0, levels, false },
};

/* ---- sections ---------------------------------------------------------- */

/* A letter or two must be in it: all digits would be an id. */
static bool
is_node_name(const char *name)
{
	static const char digits[] = "0123456789";
	static const char allowed[] = "0123456789._-"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	size_t len = strlen(name);

	return len > 0 && len < CLUSTER_NAME_BYTES &&
	    strspn(name, allowed) == len && strspn(name, digits) < len;
}

static void
begin_node(struct conf *file, struct cluster_reading *reading, const char *name)
{
	struct cluster_conf *conf = reading->conf;

	if (!is_node_name(name)) {
		conf_fail(file,
		    "[node %s]: expected a name of A-Z a-z 0-9 . _ -, at most "
		    "63, not all digits",
		    name);
		return;
	}
	for (uint32_t i = 0; i < conf->node_count; i++) {
		if (strcmp(conf->nodes[i].name, name) == 0) {
			conf_fail(file,
			    "[node %s]: given twice, also in "
			    "line %u, expected once",
			    name, conf->nodes[i].line);
			return;
		}
	}
	if (conf->node_count == LIMIT_NODES) {
		conf_fail(file, "[node %s]: expected at most %d nodes", name,
		    LIMIT_NODES);
		return;
	}
	reading->at = &conf->nodes[conf->node_count++];
	*reading->at = (struct cluster_node){ .votes = 1, .line = file->line };
	memcpy(reading->at->name, name, strlen(name) + 1);
	reading->node = (struct conf_table){ node_settings,
		ARRAY_COUNT(node_settings), reading->at, 0 };
	reading->section = CLUSTER_SECTION_NODE;
}

static bool
is_foreign(const char *section)
{
	for (int i = 0; foreign_sections[i] != NULL; i++)
		if (strcmp(foreign_sections[i], section) == 0)
			return true;
	/* [fence NODE] and the like. */
	return strncmp(section, "fence ", 6) == 0;
}

/* What was refused since the last call was of the section at hand. */
static void
end_section(const struct conf *file, struct cluster_reading *reading)
{
	if (file->errors > reading->errors)
		reading->flawed |= 1U << reading->section;
	reading->errors = file->errors;
	reading->section = CLUSTER_SECTION_NONE;
}

static void
on_section(struct conf *file, void *arg, const char *section)
{
	static const struct {
		const char *name;
		enum cluster_section section;
	} ours[] = {
		{ "cluster", CLUSTER_SECTION_CLUSTER },
		{ "ring", CLUSTER_SECTION_RING },
		{ "quorum", CLUSTER_SECTION_QUORUM },
		{ "store", CLUSTER_SECTION_STORE },
		{ "acl", CLUSTER_SECTION_ACL },
		{ "log", CLUSTER_SECTION_LOG },
	};
	struct cluster_reading *reading = arg;

	end_section(file, reading);
	if (*section == '\0')
		return; /* which is told */
	if (strncmp(section, "node ", 5) == 0) {
		begin_node(file, reading, section + 5);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(ours); i++)
		if (strcmp(ours[i].name, section) == 0)
			reading->section = ours[i].section;
	if (reading->section == CLUSTER_SECTION_STORE)
		reading->store_text.line = file->line;
	if (reading->section == CLUSTER_SECTION_NONE && !is_foreign(section))
		conf_fail(file,
		    "[%s]: expected [cluster], [node NAME], [ring], [quorum], "
		    "[store], [acl] or [log]",
		    section);
}

/* ---- values ------------------------------------------------------------ */

/* Two defaults tell whether the default was used. */
bool
cluster_parse_address(union udp_addr *addr, const char *value)
{
	union udp_addr other;

	if (udp_addr_parse(addr, value, 1) != 0 ||
	    udp_addr_parse(&other, value, 2) != 0)
		return false;
	if (*cluster_port(addr) != *cluster_port(&other))
		*cluster_port(addr) = 0;
	return true;
}

/* Of one machine: not of all, of a group, or of whoever listens. */
static bool
is_of_one(const union udp_addr *addr)
{
	const struct in6_addr *v6 = &addr->v6.sin6_addr;
	in_addr_t v4 = ntohl(addr->v4.sin_addr.s_addr);

	if (addr->any.sa_family == AF_INET6)
		return !IN6_IS_ADDR_UNSPECIFIED(v6) &&
		    !IN6_IS_ADDR_MULTICAST(v6);
	return v4 != INADDR_ANY && v4 != INADDR_BROADCAST && !IN_MULTICAST(v4);
}

/* linkN: an address, and perhaps a port. */
static void
set_link(struct conf *file, struct cluster_node *node, const char *key,
    const char *value)
{
	uint64_t link;

	if (parse_u64(key + 4, strlen(key + 4), 0, LIMIT_LINKS - 1, &link) !=
	    0) {
		conf_fail(
		    file, "%s: expected link0 to link%d", key, LIMIT_LINKS - 1);
		return;
	}
	if (link < node->link_count) {
		conf_fail(file, "%s: given twice, expected once", key);
		return;
	}
	if (link > node->link_count) {
		conf_fail(
		    file, "%s: expected link%u first", key, node->link_count);
		return;
	}
	node->link_count++;
	if (!cluster_parse_address(&node->link[link], value)) {
		conf_fail(file,
		    "%s = %s: expected an address, ADDR:PORT or [V6]:PORT", key,
		    value);
		/* Like no other. */
		node->link[link].any.sa_family = AF_UNSPEC;
	} else if (!is_of_one(&node->link[link]))
		conf_fail(file, "%s = %s: expected the address of one machine",
		    key, value);
}

static void
on_value(struct conf *file, void *arg, const char *key, const char *value)
{
	struct cluster_reading *reading = arg;

	switch (reading->section) {
	case CLUSTER_SECTION_NONE:
		break;
	case CLUSTER_SECTION_CLUSTER:
		conf_set(file, &reading->cluster, key, value);
		break;
	case CLUSTER_SECTION_NODE:
		if (strncmp(key, "link", 4) == 0)
			set_link(file, reading->at, key, value);
		else if (strncmp(key, "tag.", 4) == 0)
			cluster_tag_add(file, reading, key, value);
		else
			conf_set(file, &reading->node, key, value);
		if (strcmp(key, "id") == 0)
			reading->at->has_id = true;
		break;
	case CLUSTER_SECTION_RING:
		if (cluster_mcast_is(key))
			cluster_mcast_set(file, reading, key, value);
		else
			conf_set(file, &reading->ring, key, value);
		break;
	case CLUSTER_SECTION_QUORUM:
		cluster_quorum_set(file, reading, key, value);
		break;
	case CLUSTER_SECTION_STORE:
		conf_set(file, &reading->store, key, value);
		break;
	case CLUSTER_SECTION_ACL:
		acl_add(file, reading->conf, key, value);
		break;
	case CLUSTER_SECTION_LOG:
		conf_set(file, &reading->log, key, value);
		break;
	}
}

/* ---- the whole --------------------------------------------------------- */

/* A relative key file lies beside the configuration. */
static void
place_key_file(struct conf *file, struct cluster_conf *conf)
{
	const char *slash = strrchr(file->path, '/');
	char name[CONF_LINE_BYTES];
	size_t dir_len = slash != NULL ? (size_t)(slash - file->path) + 1 : 0;

	if (conf->key_file[0] == '\0')
		strcpy(conf->key_file, "/etc/ringkit/key");
	if (conf->key_file[0] == '/')
		return;
	ENSURE(strlen(conf->key_file) < sizeof name);
	strcpy(name, conf->key_file);
	if (dir_len + strlen(name) >= sizeof conf->key_file) {
		conf_fail_at(file, 0, "key_file: expected a shorter path");
		return;
	}
	memcpy(conf->key_file, file->path, dir_len);
	strcpy(conf->key_file + dir_len, name);
}

static void
begin_file(struct cluster_reading *reading, struct cluster_conf *conf)
{
	memset(conf, 0, sizeof *conf);
	conf->ring.port = CLUSTER_PORT;
	conf->ring.frame_bytes = LIMIT_FRAME_BYTES_DEFAULT;
	conf->ring.message_bytes_max = LIMIT_MESSAGE_BYTES_DEFAULT;
	conf->ring.rt_priority = 20;
	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		conf->ring.link_ttl[link] = 1;
	*reading = (struct cluster_reading){ .conf = conf };
	reading->cluster = (struct conf_table){ cluster_settings,
		ARRAY_COUNT(cluster_settings), conf, 0 };
	reading->ring = (struct conf_table){ ring_settings,
		ARRAY_COUNT(ring_settings), &conf->ring, 0 };
	cluster_quorum_begin(reading);
	cluster_store_begin(reading);
}

int
cluster_read(struct cluster_conf *conf, const struct cluster_source *source,
    struct text *report)
{
	int level = LOG_LEVEL_NOTICE;
	struct cluster_reading reading;
	struct conf_handler handler = { on_section, on_value, &reading };
	struct conf file;
	int rc;

	begin_file(&reading, conf);
	reading.log = (struct conf_table){ log_settings,
		ARRAY_COUNT(log_settings), &level, 0 };
	rc = conf_read(&file, source->path, &handler, report);
	if (rc < 0)
		return rc;
	end_section(&file, &reading);
	conf->log_level = (enum log_level)level;
	place_key_file(&file, conf);
	cluster_check(&file, &reading);
	cluster_mcast_check(&file, &reading);
	cluster_quorum_check(&file, &reading);
	cluster_store_check(&file, &reading);
	if (conf->node_count > 0 && source->check != NULL)
		source->check(&file, conf);
	if (file.errors == 0)
		cluster_find_self(&file, conf, source->node);
	return file.errors > 0 ? CONF_E_INVALID : 0;
}

int
cluster_find(const struct cluster_conf *conf, const char *name_or_id)
{
	uint32_t id = 0;

	if (parse_node_id(name_or_id, strlen(name_or_id), &id) != 0)
		id = 0;
	for (uint32_t i = 0; i < conf->node_count; i++)
		if ((id != 0 && conf->nodes[i].id == id) ||
		    strcmp(conf->nodes[i].name, name_or_id) == 0)
			return (int)i;
	return -1;
}

const struct cluster_node *
cluster_node(const struct cluster_conf *conf, uint32_t id)
{
	uint32_t i = 0;

	while (conf->nodes[i].id != id)
		ENSURE(++i < conf->node_count);
	return &conf->nodes[i];
}
