/* SPDX-License-Identifier: BSD-3-Clause */
/* What a world of quorumds consists of, for quorum_world.c alone. */
#ifndef RK_QUORUM_WORLD_INTERNAL_H
#define RK_QUORUM_WORLD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/parse.h"

#include "bin/quorumd/quorum.h"

#define BIT(i) ((uint64_t)1 << (i))

enum { VIEWS_MAX = 4096, LOG_MAX = 4096, INBOX_MAX = 8192, OUTBOX_MAX = 512 };

enum entry_kind { ENTRY_MESSAGE, ENTRY_JOIN, ENTRY_LEAVE, ENTRY_ANNOUNCE };

struct entry {
	enum entry_kind kind;
	size_t sender;
	uint64_t set; /* ANNOUNCE */
	char *bytes;
	size_t len;
};

struct view {
	struct parse_view id;
	uint64_t members;
	struct entry log[LOG_MAX];
	size_t count;
	size_t announced; /* so many entries tell who is in the group */
};

/* What ringd wrote to a quorumd, which has not read it. */
struct inbox {
	enum quorum_input_kind kind;
	struct parse_view view;
	uint64_t members, along, leavers; /* VIEW */
	uint64_t group;                   /* GROUP */
	struct parse_pos pos;
	size_t sender;
	bool is_transitional;
	const char *bytes;
	size_t len;
};

struct outbox {
	struct parse_view view;
	char *bytes;
	size_t len;
};

struct node {
	bool is_on, is_leaving, has_left;
	uint64_t inc;
	struct quorum *core; /* NULL: not running */
	void *memory;
	struct view *view;
	size_t received, delivered;
	uint64_t group;    /* by what was delivered */
	bool is_group_due; /* it changed between two views */
	struct inbox inbox[INBOX_MAX];
	size_t in_first, in_count;
	struct outbox outbox[OUTBOX_MAX];
	size_t out_first, out_count;
	char kept[QUORUM_MESSAGE_BYTES_MAX];
	size_t kept_len;
	uint64_t kept_inc;
	uint32_t tracked;
	enum quorum_answer answer;
};

struct quorum_world {
	struct quorum_config cfg;
	uint64_t now_ns;
	uint64_t view_seq;
	uint64_t incs;
	uint64_t cookies;
	struct view *views[VIEWS_MAX];
	size_t view_count;
	size_t core_bytes;
	struct node *node;
};

#endif
