/* SPDX-License-Identifier: BSD-3-Clause */
/* Three nets in one process, on loopback addresses of their own, with a fake
 * core that records what it is fed.  Time is the test's; the sockets are real.
 */
#ifndef RK_NETS_H
#define RK_NETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/box.h"

#include "bin/ringd/ringd_net.h"
#include "bin/ringd/totem.h"

#define NETS_MS ((uint64_t)1000000)

enum {
	NETS_NODES = 3, /* places 0 to 2; their ids are 10, 20, 30 */
	NETS_FRAME = 1400,
	NETS_PACKETS_MAX = 2048,
	NETS_BLOCK_BYTES = 4 << 20,
};

/* What the core of a node was fed. */
struct nets_packet {
	uint32_t node, link;
	bool is_shared;
	uint64_t incarnation;
	size_t len;
	uint8_t first[8];
};

struct nets_node {
	unsigned char *block;
	size_t block_bytes;    /* used */
	struct ringd_net *net; /* NULL: not started */
	uint8_t cell[NETS_FRAME];
	struct nets_packet packets[NETS_PACKETS_MAX];
	uint32_t packet_count, idle_count;
	uint32_t proof_count; /* of deaths, and the last of them */
	enum totem_verdict verdict;
	uint32_t proof_node;
	uint64_t proof_incarnation;
	bool is_rolled_back;
	uint64_t outlived_by;
};

extern struct nets_node nets_nodes[NETS_NODES];
extern struct ringd_net_config nets_configs[NETS_NODES];
extern struct box_keyring nets_keys[NETS_NODES];
extern uint64_t nets_now_ns;
extern uint32_t nets_first_link; /* those before it are cut */
extern int nets_nowhere;         /* for the log */

/* First of all; false when there is no memory or no crypto. */
bool nets_init(void);

/* All alike, with one key; link 1 of each has an address of its own. */
void nets_configure(uint32_t link_count);

/* After that: a group of their own on each link, joined on lo. */
void nets_configure_groups(void);

void nets_start(uint32_t i);
void nets_start_all(void); /* and lets them greet each other */
void nets_stop(uint32_t i);
void nets_stop_all(void);

/* One turn of node i's loop. */
void nets_turn(uint32_t i);
/* Turns of a millisecond for all that are started. */
void nets_run(uint32_t turns);
/* Until all that was sent has been read, a bounded batch a turn. */
void nets_settle(void);

/* Node i's core sends a frame of len octets numbered no to a set of places. */
void nets_send(uint32_t i, unsigned places, uint64_t no, size_t len);
/* The same, as what was sent before. */
void nets_send_again(uint32_t i, unsigned places, uint64_t no, size_t len);
/* The same of a packet that goes over all links. */
void nets_send_control(uint32_t i, unsigned places, bool is_urgent);

/* The number of a frame that node i's core was fed. */
uint64_t nets_packet_no(uint32_t i, uint32_t at);
uint64_t nets_refused(uint32_t i, enum session_refusal refusal);
bool nets_believes(uint32_t i, uint32_t j);

#endif
