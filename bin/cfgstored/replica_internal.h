/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the replica share. */
#ifndef RK_REPLICA_INTERNAL_H
#define RK_REPLICA_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/replica.h"
#include "bin/cfgstored/replica_window.h"
#include "bin/cfgstored/replica_wire.h"

#define REPLICA_NEVER UINT64_MAX

enum {
	REPLICA_READS_MAX = 4096,
	REPLICA_ADMINS_MAX = 8,
	REPLICA_RECENT = 1024, /* answers that are kept, by request id */
	REPLICA_FLIGHTS_MAX = 4,
	REPLICA_BATCH_BYTES = 48 << 10, /* of a RECORD with several commands */
	REPLICA_EAGER_BYTES = 8 << 10, /* enough for another RECORD under way */
	REPLICA_GRANT_PARTS = 32,      /* sent for one FETCH */
	REPLICA_HURRY_MAX = 8,
	REPLICA_LOGS = 16,
	/* Of records in pieces: each member's, then the one fetched. */
	REPLICA_LARGE_FETCHED = LIMIT_NODES,
	REPLICA_LARGE_PLACES,
	REPLICA_ANSWERS_MAX =
	    REPLICA_PENDING_MAX + REPLICA_READS_MAX + REPLICA_ADMINS_MAX + 4,
};

/* One member of the view, as heard in this epoch. */
struct replica_peer {
	bool has_spoken;
	struct replica_said said;
	struct replica_synced synced;
};

/* From one change of the group to the next; forgotten then. */
struct replica_era {
	bool is_on;
	struct kv_epoch id;
	struct parse_view view;
	uint64_t begin_ns;
	uint64_t spoken_ns; /* since when all have; 0: not yet */
	struct kv_nodes members;
	struct replica_peer peer[LIMIT_NODES]; /* by place in members */
	size_t self;                           /* of these */
	bool is_init;                          /* somebody asked for it */
	bool is_open_sent;
	bool is_judged;  /* by what was said so far */
	const char *why; /* it is not open, then */

	/* The stream of the epoch's records. */
	bool is_open;
	bool is_virgin; /* nothing was ever acknowledged, for all we know */
	uint64_t note_index; /* of the NOTE; 0: there is none */
	uint32_t giver;
	uint64_t open_index;
	uint64_t base_acked; /* as the best of those that were counted knew */
	uint64_t end;        /* index of the last */
	uint64_t acked;
	uint64_t acked_in_memory;
	uint64_t marks;
	uint64_t memory_index; /* the last that wants no disk */
	uint64_t disk_index;   /* and the last that does */
	/* The last for memory that is confirmed at once. */
	uint64_t prompt_index;
	struct kv_electorates e_before, e;
	uint64_t elect_index;
	uint64_t change_index; /* since when it is e */
	struct kv_nodes leavers;
	bool is_change_sent; /* an ELECT or CUT of ours */

	/* This node in it. */
	bool is_ours;       /* the log that counts has OPEN */
	bool is_contiguous; /* the window reaches the end of the stream */
	bool is_complete;   /* both */
	uint64_t synced;    /* of our log, in this epoch; an index */
	struct replica_synced told;
	bool is_synced_sent;
};

enum replica_fill_phase {
	REPLICA_FILL_NOT,
	REPLICA_FILL_RECORDS,
	REPLICA_FILL_CHUNKS,
};

struct replica_fill {
	enum replica_fill_phase phase;
	uint32_t giver;
	uint32_t number;
	uint64_t next; /* chunk */
	uint64_t bytes;
	bool is_fetch_due;
	bool is_whole;
	uint64_t asked_ns;
	unsigned patience; /* doublings of the wait for a PART */
	uint64_t giver_acked;
	/* There was no room for what came when so much might go. */
	bool is_stuck;
	uint64_t stuck_at;
	/* On disk. */
	bool is_begin_due;
	bool has_begun;
	bool is_save_due;
	bool is_unsaved;     /* the snapshot that it begins on */
	uint64_t save_at_ns; /* not before: it failed */
	uint64_t floor;      /* the log on disk has as much of this epoch */
	struct kv_tip after;
	bool is_on_snapshot;
	/* To go back to. */
	uint32_t piece_len; /* of the next record, in large */
	struct kv_tip old_tip;
	struct replica_meta old_meta;
	bool is_spoilt; /* there is nothing to go back to in memory */
};

struct replica_give {
	struct replica_ask {
		bool is_on;
		struct replica_fetch fetch;
	} ask[LIMIT_NODES]; /* by place in members */
	bool is_on;
	size_t asker;
	uint32_t number;
	bool is_lending; /* chunks, then records */
	bool is_chunk_wanted;
	bool has_chunk;
	bool is_last;
	size_t chunk_len;
	uint64_t chunk;
	struct kv_tip after;
	struct replica_meta meta;
	uint64_t next;     /* index */
	uint32_t piece_at; /* of it, if it goes in pieces */
	unsigned granted;
	bool is_sent;
	uint64_t sent_ns, sent_end; /* when, and where the log ended then */
	uint64_t next_ns;           /* not before */
	bool is_lend_due, is_next_due, is_lend_end_due;
};

struct replica_pending {
	uint64_t cookie; /* 0: nobody waits */
	uint64_t deadline_ns;
	struct replica_request_id id;
	size_t at;
	size_t len;
	bool is_in_memory;
	bool is_sent; /* it may be, or come, in a log */
	bool is_done;
	/* Applied behind what only memory has; answered when it is durable. */
	bool is_held;
	uint64_t index;
	struct kv_result result;
};

/* Commands that are not answered, numbers rising without holes. */
struct replica_client {
	struct replica_pending *pending; /* by number */
	uint64_t first;                  /* number */
	uint64_t next_sent;              /* number */
	uint64_t end;
	size_t held_count;
	uint8_t *queue; /* their bytes, as in a window */
	size_t queue_size;
	size_t head;
	unsigned flights;
	bool is_large_sent;
	uint8_t *staged; /* a record that goes in pieces */
	size_t staged_len, staged_at;
	bool is_looked;       /* at the log of this epoch, for what is in it */
	uint64_t deadline_ns; /* not above any of theirs */

	struct replica_reading {
		uint64_t cookie;
		uint64_t deadline_ns;
		uint64_t mark; /* that it waits for; 0: not yet asked */
	} * reading;
	size_t reading_count;
	bool is_mark_sent;

	struct replica_recent {
		struct replica_request_id id;
		struct replica_effect answer;
	} * recent;
	size_t recent_at;
};

struct replica_pace {
	uint64_t answered;  /* commands since the last RECORD of ours */
	uint64_t gather_ns; /* when those that wait go at last; 0: none does */
	unsigned hurry;     /* halves the patience so often */
	uint64_t idle_ns;   /* when a SYNCED goes for which nobody waits; 0 */
};

struct replica_admin_request {
	uint64_t cookie; /* 0: none */
	uint64_t deadline_ns;
	enum replica_admin what;
	uint32_t node;
	uint32_t votes;
};

struct replica_lease {
	uint64_t id;
	uint64_t renewals;
	uint64_t due_ns; /* by open_ns */
	uint64_t asked;  /* number of the command that ends it; 0: none */
};

struct replica_leases {
	struct replica_lease *lease; /* ids ascend */
	size_t count;
	uint64_t sweep_ns; /* the next one */
	uint64_t open_ns;  /* that the store was open here, up to at_ns */
	uint64_t at_ns;
	bool is_open; /* since then */
};

struct replica {
	struct replica_config cfg;
	uint64_t now_ns;
	bool is_more; /* inputs; messages may wait */
	bool is_dead; /* after RELOAD */
	bool is_reload_due;

	/* The log; its end is the window's. */
	bool is_verified;
	bool is_blank;
	bool is_founding; /* an empty one */
	struct replica_window win;
	struct replica_window live; /* of the stream, while filling */
	struct replica_meta meta;   /* at its end */
	uint64_t acked;
	uint64_t given; /* to the disk */
	uint64_t room;
	bool is_found_due;
	bool is_abort_due;
	bool is_failed;
	bool is_disk_full;

	/* The state. */
	struct kv *kv;
	struct kv_reader reader;
	uint64_t applied;
	struct replica_meta applied_meta;
	bool is_kv_void; /* it is being read in */
	bool is_lacking;
	uint64_t unsaved_bytes;      /* of records, that no snapshot has */
	uint64_t unsaved_disk_bytes; /* at most: that they take there */
	bool is_saving;
	uint64_t saving_bytes, saving_disk_bytes; /* what it will have */
	uint64_t save_at_ns;                      /* not before: one failed */
	uint64_t rev_told;
	uint64_t fresh_ns; /* when last all was applied; 0: never */

	/* The view. */
	bool is_in_view;
	struct parse_view view;
	struct replica_runs inc; /* of its members */
	struct kv_nodes group;
	struct replica_runs seen;   /* in any view */
	struct replica_runs fenced; /* inc: the last that is off */
	struct kv_epoch lived;
	bool is_permitted;
	bool is_state_due;
	bool is_init_due;
	struct replica_era era;

	struct replica_fill fill;
	struct replica_give give;
	struct replica_client client;
	struct replica_pace pace;
	struct replica_admin_request admin[REPLICA_ADMINS_MAX];
	struct replica_leases leases;

	/* Effects of the last step. */
	struct replica_effect *answer;
	size_t answer_at, answer_count;
	enum replica_state state_told;
	char log[REPLICA_LOGS][REPLICA_TEXT_BYTES];
	size_t log_at, log_count;
	uint8_t *out; /* one message, or words */
	size_t out_size;
	uint8_t *chunk;
	uint8_t *large; /* records in pieces, by place of the sender */
	size_t large_len[LIMIT_NODES];
};

/* What is taken at the start. */
struct replica_memory {
	struct kv *kv;
	struct replica_window win, live;
	struct replica_client client;
	struct replica_leases leases;
	struct replica_effect *answer;
	uint8_t *out;
	size_t out_size;
	uint8_t *chunk;
	uint8_t *large;
};

/* ---- replica.c --------------------------------------------------------- */

bool replica_has_node(const struct kv_nodes *nodes, uint32_t id);
void replica_add_node(struct kv_nodes *nodes, uint32_t id);
/* Its place; count: it is not there. */
size_t replica_place(const struct kv_nodes *nodes, uint32_t id);
/* Takes in what is newer. */
void replica_note_run(
    struct replica_runs *runs, uint32_t node, uint64_t inc, uint64_t run);
const struct replica_run *replica_find_run(
    const struct replica_runs *runs, uint32_t node);
/* A line for a person; cut where it is too long. */
void replica_log(struct replica *r, const char *words);
void replica_log_numbers(struct replica *r, const char *words, uint64_t first,
    const char *between, uint64_t second);
void replica_answer(struct replica *r, const struct replica_effect *answer);
void replica_answer_code(
    struct replica *r, uint64_t cookie, enum replica_code code);
enum replica_state replica_state_now(const struct replica *r);
/* Empty, and known to be nothing. */
void replica_forget_log(struct replica *r);

/* ---- replica_view.c ---------------------------------------------------- */

void replica_view_on_view(struct replica *r, const struct replica_input *in);
void replica_view_on_group(struct replica *r, const struct replica_input *in);
/* What is delivered from now on counts for nothing. */
void replica_view_end(struct replica *r);
void replica_view_on_fenced(struct replica *r, const struct replica_input *in);
void replica_view_say(const struct replica *r, struct replica_said *out);
/* A sum over the configured nodes. */
uint64_t replica_view_configured(const struct replica_config *cfg);

/* ---- replica_open.c ---------------------------------------------------- */

/* What is to be proposed now; false: nothing, and why is set. */
bool replica_open_propose(struct replica *r, struct replica_open *out);
/* Somebody spoke. */
void replica_open_found(struct replica *r);
uint64_t replica_open_deadline_ns(const struct replica *r);
void replica_open_deliver(
    struct replica *r, uint32_t sender, const void *bytes, size_t len);

/* ---- replica_log.c ----------------------------------------------------- */

void replica_log_follow(
    struct replica_meta *meta, uint64_t index, const void *bytes, size_t len);
/* Bytes of a record of this member are to come before the rest of it. */
void replica_log_piece(
    struct replica *r, size_t member, const void *bytes, size_t len);
uint8_t *replica_log_large(const struct replica *r, size_t place);
/* A record of the stream was delivered. */
void replica_log_deliver(
    struct replica *r, size_t member, const void *bytes, size_t len);
/* The next of the stream, which has just got its index. */
void replica_log_add(struct replica *r, const void *bytes, size_t len);
/* The log that counts has OPEN now. */
void replica_log_own(struct replica *r);
/* More of the log, or of what is known of it, is here. */
void replica_log_go_on(struct replica *r);
void replica_log_on_synced(
    struct replica *r, size_t member, const struct replica_synced *synced);
void replica_log_on_disk(struct replica *r, const struct replica_input *in);
uint64_t replica_log_deadline_ns(const struct replica *r);
bool replica_log_next_effect(struct replica *r, struct replica_effect *out);
/* Applies what may be. */
void replica_log_apply(struct replica *r);
/* A snapshot is wanted, and the state has to stand still for it. */
bool replica_log_is_save_late(const struct replica *r);
uint64_t replica_log_may_go(const struct replica *r);
/* The members whose confirmation reaches value, by rule 4. */
bool replica_log_is_durable(const struct replica *r, uint64_t index,
    uint64_t (*told)(const struct replica_synced *), uint64_t value);
struct kv_tip replica_log_tip_at(const struct replica *r, uint64_t index);

/* ---- replica_fill.c ---------------------------------------------------- */

void replica_fill_begin(struct replica *r);
void replica_fill_part(struct replica *r, const struct replica_part *part);
/* What the stream brought may have closed the gap. */
void replica_fill_join(struct replica *r);
/* The epoch is over. */
void replica_fill_abort(struct replica *r);
bool replica_fill_fetch(struct replica *r, struct replica_fetch *out);
void replica_fill_on_time(struct replica *r);
uint64_t replica_fill_deadline_ns(const struct replica *r);

/* ---- replica_give.c ---------------------------------------------------- */

void replica_give_ask(
    struct replica *r, size_t member, const struct replica_fetch *fetch);
void replica_give_lent(struct replica *r, const struct replica_input *in);
/* Our PART was delivered. */
void replica_give_delivered(struct replica *r);
/* Writes the next PART; false: none is due. */
bool replica_give_part(struct replica *r, struct wrbuf *wr);
uint64_t replica_give_deadline_ns(const struct replica *r);
bool replica_give_next_effect(struct replica *r, struct replica_effect *out);
void replica_give_reset(struct replica *r);
/* Records from here on are still wanted. */
uint64_t replica_give_pin(const struct replica *r);

/* ---- replica_client.c -------------------------------------------------- */

void replica_client_create(struct replica_client *c,
    const struct replica_config *cfg, struct arena *arena);
void replica_client_propose(struct replica *r, const struct replica_input *in);
void replica_client_cancel(struct replica *r, uint64_t cookie);
/* Our command was applied. */
void replica_client_applied(
    struct replica *r, uint64_t number, const struct kv_result *result);
/* More is durable. */
void replica_client_acked(struct replica *r);
/* The state is another one: what was done in it is not known to be done. */
void replica_client_unhold(struct replica *r);
/* A RECORD of ours was delivered, or came to nothing. */
void replica_client_landed(struct replica *r);
void replica_client_view_ended(struct replica *r);
/* This node's log is complete: what of ours is in it? */
void replica_client_look(struct replica *r);
/* Nobody will be answered here soon. */
void replica_client_refuse(struct replica *r);
void replica_client_end(struct replica *r);
bool replica_client_record(struct replica *r, struct wrbuf *wr);
/* A piece of a record that is too long for one message. */
bool replica_client_piece(struct replica *r, struct wrbuf *wr);
void replica_client_on_time(struct replica *r);
uint64_t replica_client_deadline_ns(const struct replica *r);
/* Writes a command of this node's own.  Its number; 0: no room. */
uint64_t replica_client_add(struct replica *r, const void *bytes, size_t len);
/* It is neither done nor given up yet. */
bool replica_client_has(const struct replica *r, uint64_t number);

/* ---- replica_pace.c ---------------------------------------------------- */

/* A command of ours has its answer. */
void replica_pace_answered(struct replica *r);
/* A command waits to be sent. */
void replica_pace_waiting(struct replica *r);
/* So many wait: they go, if nothing is under way. */
bool replica_pace_is_gathered(const struct replica *r, uint64_t count);
void replica_pace_sent(struct replica *r, uint64_t count);
void replica_pace_view_ended(struct replica *r);
/* The next record is one for memory, of this node's. */
void replica_pace_enters_memory(struct replica *r, uint32_t sender);
/* Somebody waits for the disk to have the log up to here. */
uint64_t replica_pace_awaited(const struct replica *r);
/* now is more than was told: it is to be told at once. */
bool replica_pace_is_synced_due(
    struct replica *r, const struct replica_synced *now);
uint64_t replica_pace_deadline_ns(const struct replica *r);

/* ---- replica_read.c ---------------------------------------------------- */

void replica_read_ask(struct replica *r, const struct replica_input *in);
bool replica_read_mark(struct replica *r);
void replica_read_marked(struct replica *r, bool is_own);
/* Confirmations or the state went on. */
void replica_read_answer(struct replica *r);
void replica_read_cancel(struct replica *r, uint64_t cookie);
void replica_read_view_ended(struct replica *r);
void replica_read_refuse(struct replica *r, enum replica_code code);
void replica_read_on_time(struct replica *r);

/* ---- replica_admin.c --------------------------------------------------- */

void replica_admin_ask(struct replica *r, const struct replica_input *in);
/* A change of the electorate that is due from us; false: none. */
bool replica_admin_record(struct replica *r, struct wrbuf *wr);
void replica_admin_acked(struct replica *r);
void replica_admin_view_ended(struct replica *r);
void replica_admin_refuse(struct replica *r, enum replica_code code);
void replica_admin_on_time(struct replica *r);
void replica_admin_cancel(struct replica *r, uint64_t cookie);
uint64_t replica_admin_deadline_ns(const struct replica *r);

/* ---- replica_lease.c --------------------------------------------------- */

void replica_lease_create(struct replica_leases *l,
    const struct replica_config *cfg, struct arena *arena);
/* The state is another one: what was counted is not of its leases. */
void replica_lease_forget(struct replica *r);
/* After each step, whatever it was. */
void replica_lease_on_time(struct replica *r);
uint64_t replica_lease_deadline_ns(const struct replica *r);

/* ---- replica_say.c ----------------------------------------------------- */

/* The next message that is due; false: none. */
bool replica_say_next(struct replica *r, struct replica_effect *out);
void replica_say_hear(struct replica *r, const struct replica_input *in);

#endif
