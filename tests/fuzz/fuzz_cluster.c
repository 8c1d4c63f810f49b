/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file: any bytes give a configuration or a report. */
#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"

#include "bin/ringd/ringd_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_conf(const struct cluster_conf *conf)
{
	const struct cluster_quorum *q = &conf->quorum;
	uint64_t votes = 0, tags = 0;

	ENSURE(conf->cluster[0] != '\0');
	ENSURE(conf->node_count >= 1 && conf->node_count <= LIMIT_NODES);
	ENSURE(conf->link_count >= 1 && conf->link_count <= LIMIT_LINKS);
	for (uint32_t i = 0; i < conf->node_count; i++) {
		ENSURE(conf->nodes[i].id >= 1);
		ENSURE(i == 0 || conf->nodes[i].id > conf->nodes[i - 1].id);
		ENSURE(conf->nodes[i].link_count == conf->link_count);
		votes += conf->nodes[i].votes;
		tags += conf->nodes[i].tag_count;
	}
	ENSURE(votes >= 1 && q->expected_votes >= votes + q->device_votes);
	ENSURE(q->settle_ns >= q->lease_ns && q->lease_ns > 0);
	ENSURE(!q->auto_tie_breaker || q->device_votes == 0);
	ENSURE(q->tie_count <= conf->node_count);
	ENSURE(conf->tag_count == tags);
	for (uint32_t i = 0; i < tags; i++) {
		(void)cluster_node(conf, conf->tags[i].node);
		ENSURE(cluster_is_tag_name(conf->tags[i].name));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct cluster_conf conf;
	static char report_bytes[65536];
	struct text report;
	char path[64];
	int fd = memfd_create("conf", 0);
	int rc;

	ENSURE(fd >= 0);
	ENSURE(write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	text_init(&report, report_bytes, sizeof report_bytes);
	rc = cluster_read(&conf,
	    &(struct cluster_source){ path, "a", ringd_conf_check }, &report);
	close(fd);
	if (rc == 0)
		check_conf(&conf);
	else
		ENSURE(rc == CONF_E_INVALID && report.len > 0);
	/* Whole lines that a terminal can bear. */
	for (size_t i = 0; i < report.len; i++)
		ENSURE((unsigned char)report_bytes[i] >= ' ' ||
		    report_bytes[i] == '\n');
	return 0;
}
