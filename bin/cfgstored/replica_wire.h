/* SPDX-License-Identifier: BSD-3-Clause */
/* What replicas say to each other, and what stands in their log, as bytes. */
#ifndef RK_REPLICA_WIRE_H
#define RK_REPLICA_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/cfgstored/kv_rules.h"

/* ---- the log ----------------------------------------------------------- */

enum replica_record_kind {
	REPLICA_RECORD_OPEN = 1,
	REPLICA_RECORD_COMMAND,
	REPLICA_RECORD_ELECT,
	REPLICA_RECORD_CUT,
	REPLICA_RECORD_NOTE, /* a first OPEN was acknowledged */
};

/* In which incarnation a node was last met, with which run of its store. */
struct replica_run {
	uint32_t node;
	uint64_t inc;
	uint64_t run;
};

struct replica_runs {
	size_t count;
	struct replica_run of[LIMIT_NODES]; /* nodes ascend */
};

/* What a log comes to beside its state. */
struct replica_meta {
	uint64_t store; /* its name; 0: there is none yet */
	struct kv_electorates e;
	uint64_t elect_index; /* of the ELECT under way */
	struct replica_runs runs;
};

struct replica_open {
	bool is_first; /* names the store */
	bool is_init;  /* an operator asked for it */
	struct kv_tip base;
	uint32_t giver; /* has the log up to base */
	struct kv_nodes counted;
	struct replica_meta meta; /* with this OPEN */
};

/* Commands of one node, in the order of their numbers. */
struct replica_commands {
	bool is_in_memory; /* for the durability that was asked for */
	uint32_t node;
	uint64_t run;
	uint16_t count;
	struct rdbuf items;
};

struct replica_command {
	uint64_t number;
	const uint8_t *bytes;
	size_t len;
};

struct replica_elect {
	struct kv_electorate next;
	uint32_t leaver; /* who goes, and is not to be taken back; or 0 */
};

enum {
	REPLICA_COMMANDS_HEAD = 16,
	REPLICA_COMMAND_HEAD = 12,
	/* Of all records but COMMAND. */
	REPLICA_RECORD_SMALL = 4096,
};

void replica_wire_put_open(struct wrbuf *wr, const struct replica_open *open);
void replica_wire_put_elect(
    struct wrbuf *wr, const struct replica_elect *elect);
void replica_wire_put_cut(struct wrbuf *wr, uint64_t elect_index);
void replica_wire_put_note(struct wrbuf *wr);
void replica_wire_put_commands(
    struct wrbuf *wr, const struct replica_commands *commands);
void replica_wire_put_command(
    struct wrbuf *wr, const struct replica_command *command);

/* 0: it is none. */
enum replica_record_kind replica_wire_record_kind(
    const void *bytes, size_t len);
bool replica_wire_get_open(
    const void *bytes, size_t len, struct replica_open *out);
bool replica_wire_get_elect(
    const void *bytes, size_t len, struct replica_elect *out);
bool replica_wire_get_cut(const void *bytes, size_t len, uint64_t *out);
/* All of it is well-formed: next will answer count times. */
bool replica_wire_get_commands(
    const void *bytes, size_t len, struct replica_commands *out);
void replica_wire_next_command(
    struct rdbuf *items, struct replica_command *out);

void replica_wire_put_meta(struct wrbuf *wr, const struct replica_meta *meta);
bool replica_wire_get_meta(struct rdbuf *rd, struct replica_meta *out);

void replica_wire_put_tip(struct wrbuf *wr, const struct kv_tip *tip);
struct kv_tip replica_wire_get_tip(struct rdbuf *rd);

/* ---- the group --------------------------------------------------------- */

enum replica_wire_kind {
	REPLICA_WIRE_STATE = 1,
	REPLICA_WIRE_OPEN,
	REPLICA_WIRE_RECORD,
	REPLICA_WIRE_PIECE, /* of a RECORD of the same sender, to come */
	REPLICA_WIRE_SYNCED,
	REPLICA_WIRE_MARK,
	REPLICA_WIRE_FETCH,
	REPLICA_WIRE_PART,
	REPLICA_WIRE_INIT,
	REPLICA_WIRES
};

enum { REPLICA_WIRE_HEAD = 26 };

struct replica_head {
	enum replica_wire_kind kind;
	struct kv_epoch epoch; /* that it is meant for */
};

void replica_wire_put_head(struct wrbuf *wr, const struct replica_head *head);
bool replica_wire_get_head(struct rdbuf *rd, struct replica_head *out);

/* What a member says of itself. */
struct replica_said {
	bool is_verified;
	bool is_blank;
	bool is_silent; /* cannot write: will give but not confirm */
	struct kv_tip tip;
	uint64_t acked;
	uint64_t inc;
	uint64_t run;
	struct kv_epoch lived;
	uint64_t configured;        /* a sum over the nodes and their votes */
	struct replica_meta meta;   /* runs: also of views it saw */
	struct replica_runs fenced; /* inc: the last that is off */
};
void replica_wire_put_said(struct wrbuf *wr, const struct replica_said *said);
bool replica_wire_get_said(struct rdbuf *rd, struct replica_said *out);

struct replica_synced {
	uint64_t synced; /* index; 0: none of this epoch */
	uint64_t held;   /* the same, in memory */
	uint64_t marks;  /* delivered in this epoch */
};
void replica_wire_put_synced(
    struct wrbuf *wr, const struct replica_synced *synced);
bool replica_wire_get_synced(struct rdbuf *rd, struct replica_synced *out);

struct replica_fetch {
	uint32_t giver;
	uint32_t number; /* of this fetch; answered by PARTs with it */
	bool is_whole;   /* a snapshot is wanted */
	bool is_more;    /* go on: next is the first record, or chunk, wanted */
	uint64_t next;
	struct kv_tip have;
	uint64_t acked;
};
void replica_wire_put_fetch(
    struct wrbuf *wr, const struct replica_fetch *fetch);
bool replica_wire_get_fetch(struct rdbuf *rd, struct replica_fetch *out);

enum replica_part_kind {
	REPLICA_PART_RECORDS = 1, /* behind after */
	REPLICA_PART_CHUNK,       /* of the state at after */
	REPLICA_PART_LAST,        /* and that was all of the state */
	REPLICA_PART_PIECE,       /* of the record behind after */
};

struct replica_part {
	uint32_t asker;
	uint32_t number;
	enum replica_part_kind kind;
	bool is_end; /* of what the giver may send unasked */
	uint64_t at; /* of the chunk, from 0 */
	struct kv_tip after;
	uint64_t acked;     /* of the giver */
	struct rdbuf items; /* RECORDS: put_item; CHUNK: bytes; LAST: meta */
};
void replica_wire_put_part(struct wrbuf *wr, const struct replica_part *part);
bool replica_wire_get_part(struct rdbuf *rd, struct replica_part *out);

struct replica_item {
	struct kv_tip tip;
	const uint8_t *bytes;
	size_t len;
};
enum { REPLICA_ITEM_HEAD = 36, REPLICA_PIECE_HEAD = 40 };
void replica_wire_put_item(struct wrbuf *wr, const struct replica_item *item);
bool replica_wire_get_item(struct rdbuf *items, struct replica_item *out);

/* Of a record that is too long for one PART. */
struct replica_piece {
	struct kv_tip tip;
	uint32_t total;
	uint32_t at;
	const uint8_t *bytes;
	size_t len;
};
void replica_wire_put_piece(
    struct wrbuf *wr, const struct replica_piece *piece);
bool replica_wire_get_piece(struct rdbuf *items, struct replica_piece *out);

#endif
