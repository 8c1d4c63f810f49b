/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of the membership, for member*.c only. */
#ifndef RK_MEMBER_INTERNAL_H
#define RK_MEMBER_INTERNAL_H

#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/memberd/member.h"

enum {
	MEMBER_TOMBS = 32, /* unset tags that are remembered */
	MEMBER_ENTRIES = MEMBER_TAGS + MEMBER_TOMBS,
	/* The longest line of a message: a tag all of whose bytes are escaped,
	 * and the words around it. */
	MEMBER_LINE_BYTES = 5 * MEMBER_TAG_VALUE_MAX + 256,
};

/* So long after a pause, what it caused may still come. */
#define MEMBER_PAUSE_FRESH_NS UINT64_C(2000000000)

/* A tag that was set, or (is_set false) unset: the later stamp wins. */
struct member_tag {
	struct parse_pos stamp; /* where in the order; zero: configured */
	bool is_set;
	uint8_t name_len, value_len;
	char name[MEMBER_TAG_NAME_MAX + 1];
	uint8_t value[MEMBER_TAG_VALUE_MAX];
};

struct member_fence {
	uint64_t inc; /* 0: there is none */
	uint32_t by;
	struct parse_pos stamp;
	char method[MEMBER_METHOD_BYTES];
};

struct member_entry {
	struct member_node node;
	enum member_state state;
	uint64_t inc; /* the last one known; 0: none */
	uint64_t since_ns;
	char version[MEMBER_VERSION_BYTES]; /* "": unknown */
	uint64_t pauses, paused_ms; /* as it says, in this incarnation */
	struct member_fence fence;
	struct parse_pos forgot; /* tags up to here are forgotten */
	uint64_t forgot_inc;     /* and its incarnations up to this one */
	uint32_t tag_count;
	struct member_tag tags[MEMBER_ENTRIES];
};

/* What a node went through in a change, while that is being told. */
struct member_change {
	bool is_left, is_joined;
	enum member_state reason; /* it left */
	char why[MEMBER_WORD_BYTES];
	uint64_t old_inc;
	char was[12]; /* it joined */
};

struct member {
	struct member_sink sink;
	char version[MEMBER_VERSION_BYTES];
	size_t message_max;
	uint32_t self; /* index */
	uint32_t conn; /* 0: not known yet */
	uint64_t now_ns;
	bool is_ready;          /* there is a view */
	bool had_view;          /* there was one before */
	uint64_t told_pause_ns; /* when; 0: never */
	uint64_t ring_pause_ns; /* when ringd woke; 0: long ago */
	struct parse_view view;
	struct member_view trans; /* of the change under way */
	bool has_trans;
	struct member_view last; /* is_ready: that was installed */
	uint32_t count;          /* entries, ascending ids */
	struct member_entry entries[LIMIT_NODES];
	struct member_change changes[LIMIT_NODES];
	/* What is to be published: the next entry, and fact of it. */
	bool is_publishing;
	uint32_t publish_entry, publish_fact;
	uint64_t counters[MEMBER_COUNTERS];
	char record[MEMBER_NODE_BYTES];
	char line[MEMBER_MESSAGE_BYTES + 1]; /* being read */
	struct word word;
};

/* ---- member.c ---------------------------------------------------------- */

/* NULL: not configured. */
struct member_entry *member_entry(struct member *m, uint32_t id);
struct member_entry *member_self(struct member *m);

/* Changes the state, and since when it is so. */
void member_set_state(
    struct member *m, struct member_entry *entry, enum member_state state);

/* ---- member_view.c ----------------------------------------------------- */

void member_view_ready(struct member *m, const struct member_view *view);
void member_view_change(struct member *m, const struct member_view *view);

/* The nodes are other ones: who of the last view is known only now? */
void member_view_again(struct member *m);

/* ---- member_reload.c --------------------------------------------------- */

void member_reload(struct member *m, const struct member_table *table);

/* ---- member_fact.c ----------------------------------------------------- */

void member_fact_message(
    struct member *m, const struct member_message *message);

/* All that is known is to be published, from the beginning. */
void member_fact_publish(struct member *m);

/* ---- member_tag.c ------------------------------------------------------ */

bool member_tag_is_name(const char *name, size_t len);

/* NULL: there is none, not even one that was unset. */
const struct member_tag *member_tag_find(
    const struct member_entry *entry, const char *name, size_t len);
uint32_t member_tag_set_count(const struct member_entry *entry);

/* Takes it over if it is news: true, and that is told if it shows. */
bool member_tag_merge(
    struct member *m, struct member_entry *entry, const struct member_tag *tag);

/* Drops what is not newer than entry->forgot. */
void member_tag_forget(struct member *m, struct member_entry *entry);

/* The table's tags of the node, but for those that were changed since: is_told
 * tells what that changes. */
void member_tag_configure(struct member *m, struct member_entry *entry,
    const struct member_table *table, bool is_told);

/* It stands in the configuration, and nobody has changed it since. */
bool member_tag_is_configured(const struct member_tag *tag);

/* NAME:VALUE,… */
void member_tag_put_list(const struct member_entry *entry, struct text *out);

/* Of positions in the order: negative, 0, positive. */
int member_tag_order(const struct parse_pos *a, const struct parse_pos *b);

/* ---- member_text.c ----------------------------------------------------- */

/* An event, in m->record: begin, words, tell. */
void member_begin(struct member *m, struct text *out, const char *kind);
void member_tell(struct member *m, const struct text *out);

void member_put_key(struct text *out, const char *key);
void member_put_word(struct text *out, const char *key, const char *value);
void member_put_number(struct text *out, const char *key, uint64_t number);
void member_put_ring(
    struct text *out, const char *key, const struct parse_view *view);
void member_put_pos(
    struct text *out, const char *key, const struct parse_pos *pos);

/* node= name= [addr=] inc= */
void member_put_who(
    struct text *out, const struct member_entry *entry, bool has_addr);

/* members=1,2: the lowest, who is the coordinator. */
uint32_t member_put_members(const struct member *m, struct text *out);

/* update node= key= [old=] [new=]: NULL is absent. */
void member_tell_update(struct member *m, const struct member_entry *entry,
    const char *key, const char *old, const char *new);

#endif
