/* SPDX-License-Identifier: BSD-3-Clause */
/* Spans that belong together, for networks and machines of some kinds. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"

static const struct preset {
	uint32_t heartbeat_ms;
	uint32_t suspect_ms[2], confirm_ms[2]; /* least, most */
	uint32_t idle_hold_ms, join_ms, consensus_ms;
	uint32_t merge_ms, hold_down_ms[2];
	uint32_t hop_max_ms, token_loss_ms[2];
} presets[TOTEM_PRESETS] = {
	[TOTEM_PRESET_LAN] = { 25, { 100, 400 }, { 30, 80 }, 25, 10, 250, 200,
	    { 250, 30000 }, 20, { 200, 1000 } },
	/* Answers may take 300 ms. */
	[TOTEM_PRESET_WAN] = { 100, { 600, 2500 }, { 400, 1200 }, 100, 100,
	    2500, 1000, { 2000, 60000 }, 500, { 3000, 10000 } },
	/* A process may not be run for half a second. */
	[TOTEM_PRESET_LOADED_VM] = { 50, { 1000, 3000 }, { 400, 1000 }, 50, 20,
	    1500, 500, { 1000, 60000 }, 100, { 2000, 6000 } },
};

void
totem_config_preset(struct totem_config *cfg, enum totem_preset preset)
{
	const struct preset *p = &presets[preset];

	ENSURE(preset < TOTEM_PRESETS);
	cfg->heartbeat_ns = p->heartbeat_ms * TOTEM_MS;
	cfg->suspect_min_ns = p->suspect_ms[0] * TOTEM_MS;
	cfg->suspect_max_ns = p->suspect_ms[1] * TOTEM_MS;
	cfg->confirm_min_ns = p->confirm_ms[0] * TOTEM_MS;
	cfg->confirm_max_ns = p->confirm_ms[1] * TOTEM_MS;
	cfg->idle_hold_ns = p->idle_hold_ms * TOTEM_MS;
	cfg->join_ns = p->join_ms * TOTEM_MS;
	cfg->consensus_ns = p->consensus_ms * TOTEM_MS;
	cfg->merge_ns = p->merge_ms * TOTEM_MS;
	cfg->merge_hold_down_ns = p->hold_down_ms[0] * TOTEM_MS;
	cfg->merge_hold_down_max_ns = p->hold_down_ms[1] * TOTEM_MS;
	cfg->hop_max_ns = p->hop_max_ms * TOTEM_MS;
	cfg->token_loss_min_ns = p->token_loss_ms[0] * TOTEM_MS;
	cfg->token_loss_max_ns = p->token_loss_ms[1] * TOTEM_MS;
}

void
totem_config_heartbeat(struct totem_config *cfg, uint64_t heartbeat_ns)
{
	cfg->heartbeat_ns = heartbeat_ns;
	cfg->suspect_min_ns =
	    num_max(cfg->suspect_min_ns, heartbeat_ns * 5 / 2);
	cfg->suspect_max_ns =
	    num_max(cfg->suspect_max_ns, 2 * cfg->suspect_min_ns);
}

void
totem_config_dead_after(struct totem_config *cfg, uint64_t dead_after_ns)
{
	cfg->heartbeat_ns = num_min(cfg->heartbeat_ns, dead_after_ns / 4);
	cfg->suspect_min_ns = cfg->suspect_max_ns = dead_after_ns / 4 * 3;
	cfg->confirm_min_ns = cfg->confirm_max_ns = dead_after_ns / 4;
}
