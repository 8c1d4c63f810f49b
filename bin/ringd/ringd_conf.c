/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_conf.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"

#include "bin/ringd/session.h"
#include "bin/ringd/totem.h"

void
ringd_conf_check(struct conf *file, const struct cluster_conf *conf)
{
	uint32_t least = totem_frame_bytes_min(conf->node_count);

	if (conf->ring.frame_bytes < least)
		conf_fail_at(file, 0,
		    "[ring] frame_bytes: %u, expected at least %u for %u nodes",
		    conf->ring.frame_bytes, least, conf->node_count);
}

uint64_t
ringd_conf_hash(const struct cluster_conf *conf)
{
	char bytes[2 * CLUSTER_NAME_BYTES + 64];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, conf->cluster);
	text_put(&text, " wire ");
	text_put_u64(&text, SESSION_VERSION);
	text_put(&text, " message ");
	text_put_u64(&text, conf->ring.message_bytes_max);
	text_put(&text, " frame ");
	text_put_u64(&text, conf->ring.frame_bytes);
	text_put(&text, " ring accelerated");
	ENSURE(!text.is_full);
	return box_hash(text.bytes, text.len);
}
