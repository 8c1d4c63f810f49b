/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/check/evscheck_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"

void
evscheck_feed_init(struct evscheck_feed *feed, struct evscheck_sent *sent)
{
	*feed = (struct evscheck_feed){ .oracle = oracle_create(ORACLE_LATE),
		.sent = sent };
}

void
evscheck_feed_fini(struct evscheck_feed *feed)
{
	oracle_destroy(feed->oracle);
	free(feed->place);
}

bool
evscheck_feed_has_failed(const struct evscheck_feed *feed)
{
	return feed->failure != NULL || feed->breach.predicate != NULL;
}

static void
tell(struct evscheck_feed *feed, struct oracle_event *event)
{
	event->node = feed->node;
	event->incarnation = feed->inc;
	if (feed->event_count == feed->place_room) {
		feed->place_room =
		    feed->place_room == 0 ? 1024 : 2 * feed->place_room;
		feed->place = realloc(
		    feed->place, feed->place_room * sizeof(*feed->place));
		ENSURE(feed->place != NULL);
	}
	feed->place[feed->event_count++] = feed->here;
	feed->failure = oracle_event(feed->oracle, event);
}

void
evscheck_feed_plain(struct evscheck_feed *feed, enum oracle_kind kind)
{
	struct oracle_event event = { .kind = kind };
	if (kind == ORACLE_START)
		feed->has_view = false;
	tell(feed, &event);
}

/* ---- fields
 * ------------------------------------------------------------------ */

/* Decimal; *rest is what follows. */
static bool
number(const char *text, uint64_t *value, const char **rest)
{
	*value = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');
		if (*value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	*rest = at;
	return at != text;
}

static bool
number_field(
    const struct evscheck_record *record, const char *key, uint64_t *value)
{
	const char *rest;
	return number(evscheck_read_text(record, key), value, &rest) &&
	    *rest == '\0';
}

static bool
node_field(
    const struct evscheck_record *record, const char *key, uint32_t *node)
{
	uint64_t value;
	if (!number_field(record, key, &value) || value > UINT32_MAX)
		return false;
	*node = (uint32_t)value;
	return true;
}

static bool
ring(const char *text, struct totem_ring_id *id, const char **rest)
{
	uint64_t rep;
	*id = (struct totem_ring_id){ 0 };
	if (!number(text, &rep, rest) || rep > UINT32_MAX || **rest != '.')
		return false;
	id->rep = (uint32_t)rep;
	return number(*rest + 1, &id->seq, rest);
}

static bool
ring_field(const struct evscheck_record *record, const char *key,
    struct totem_ring_id *id)
{
	const char *rest;
	return ring(evscheck_read_text(record, key), id, &rest) &&
	    *rest == '\0';
}

/* Items that begin with a number; what follows it is passed over. */
static bool
list_field(const struct evscheck_record *record, const char *key,
    uint64_t *items, uint32_t *count)
{
	const char *at = evscheck_read_text(record, key);
	*count = 0;
	while (*at != '\0') {
		if (*count == LIMIT_NODES ||
		    !number(at, &items[(*count)++], &at))
			return false;
		at += strcspn(at, ",");
		if (*at == ',')
			at++;
	}
	return true;
}

static bool
nodes_field(const struct evscheck_record *record, const char *key,
    struct totem_nodes *nodes)
{
	uint64_t items[LIMIT_NODES];
	if (!list_field(record, key, items, &nodes->count))
		return false;
	for (uint32_t i = 0; i < nodes->count; i++)
		nodes->id[i] = (uint32_t)items[i];
	return true;
}

static bool
is_yes(const char *text)
{
	return strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
}

bool
evscheck_feed_whose(
    const struct evscheck_record *record, uint32_t *node, uint64_t *inc)
{
	bool is_greeting = strcmp(record->event, "ringkit") == 0;
	bool is_local = strcmp(record->event, "exists") == 0 &&
	    is_yes(evscheck_read_text(record, "local"));
	return (is_greeting || is_local) && node_field(record, "node", node) &&
	    number_field(record, "inc", inc);
}

/* ---- views
 * ------------------------------------------------------------------- */

static bool
members(const struct evscheck_record *record, struct totem_view *view)
{
	uint32_t count;
	return nodes_field(record, "members", &view->members) &&
	    list_field(record, "inc", view->incarnation, &count) &&
	    count == view->members.count;
}

static void
tell_view(struct evscheck_feed *feed, const struct totem_view *view)
{
	struct oracle_event event = { .kind = ORACLE_VIEW, .view = view };
	if (view->phase == TOTEM_PHASE_REGULAR) {
		feed->has_view = true;
		feed->ring = view->ring;
	}
	tell(feed, &event);
}

/* The state at one point: the first view, or where the record goes on. */
static const char *
on_ready(struct evscheck_feed *feed, const struct evscheck_record *record)
{
	struct totem_view view = { .phase = TOTEM_PHASE_REGULAR };
	if (evscheck_read_field(record, "members") == NULL)
		return NULL; /* of a subscription to messages */
	if (!ring_field(record, "view", &view.ring))
		return "ready: no view=REP.SEQ";
	if (!members(record, &view))
		return "ready: members= and inc= are no two equal lists";
	if (!feed->has_view || feed->ring.rep != view.ring.rep ||
	    feed->ring.seq != view.ring.seq)
		tell_view(feed, &view);
	return NULL;
}

static const char *
on_view(struct evscheck_feed *feed, const struct evscheck_record *record)
{
	struct totem_view view = { .phase = TOTEM_PHASE_REGULAR };
	const char *phase = evscheck_read_text(record, "phase");
	if (!ring_field(record, "view", &view.ring))
		return "view: no view=REP.SEQ";
	if (!members(record, &view))
		return "view: members= and inc= are no two equal lists";
	if (!nodes_field(record, "joined", &view.joined) ||
	    !nodes_field(record, "left", &view.left))
		return "view: joined= or left= is no list";
	if (strcmp(phase, "transitional") == 0) {
		view.phase = TOTEM_PHASE_TRANSITIONAL;
		if (!ring_field(record, "next", &view.next))
			return "view: no next=REP.SEQ";
	} else if (strcmp(phase, "regular") != 0) {
		return "view: no phase=";
	}
	tell_view(feed, &view);
	return NULL;
}

/* ---- messages
 * ---------------------------------------------------------------- */

/*
 * The bytes of KEY, or of KEY_b64 decoded in place, once; bytes NULL when
 * there is neither.  false: no base64.
 */
static bool
find_bytes(struct evscheck_record *record, const char *key,
    struct evscheck_field *bytes)
{
	char coded[16];
	const struct evscheck_field *field = evscheck_read_field(record, key);
	*bytes = (struct evscheck_field){ 0 };
	if (field != NULL) {
		*bytes = *field;
		return true;
	}
	snprintf(coded, sizeof(coded), "%s_b64", key);
	field = evscheck_read_field(record, coded);
	if (field == NULL)
		return true;
	*bytes = *field;
	char *text = (char *)(uintptr_t)field->value;
	return evscheck_read_base64(text, &bytes->len);
}

/* Of all that must be the same everywhere, but the place; 0: no base64. */
static uint64_t
hash_of(struct evscheck_record *record, const struct evscheck_field *data)
{
	static const char *const keys[] = { "conn", "group", "id" };
	struct oracle_hash hash;
	oracle_hash_init(&hash);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct evscheck_field bytes;
		if (!find_bytes(record, keys[i], &bytes))
			return 0;
		oracle_hash_add(&hash, &bytes.len, sizeof(bytes.len));
		oracle_hash_add(&hash, bytes.value, bytes.len);
	}
	oracle_hash_add(&hash, data->value, data->len);
	return oracle_hash_end(&hash);
}

static const char *
read_place(const struct evscheck_record *record, struct totem_delivery *got)
{
	struct totem_ring_id view;
	uint64_t idx;
	const char *rest;
	const char *phase = evscheck_read_text(record, "phase");
	const char *pos = evscheck_read_text(record, "pos");
	if (!ring(pos, &got->ring, &rest) || *rest != ':' ||
	    !number(rest + 1, &got->seq, &rest) || *rest != '.' ||
	    !number(rest + 1, &idx, &rest) || *rest != '\0' || idx > UINT32_MAX)
		return "msg: no pos=REP.SEQ:SEQ.IDX";
	got->idx = (uint32_t)idx;
	if (!ring_field(record, "view", &view) || view.rep != got->ring.rep ||
	    view.seq != got->ring.seq)
		return "msg: view= is not that of pos=";
	if (strcmp(phase, "transitional") == 0)
		got->phase = TOTEM_PHASE_TRANSITIONAL;
	else if (strcmp(phase, "regular") != 0)
		return "msg: no phase=";
	return NULL;
}

static const char *
read_sender(const struct evscheck_record *record, struct totem_delivery *got)
{
	uint64_t len;
	const char *svc = evscheck_read_text(record, "svc");
	if (!node_field(record, "node", &got->node) ||
	    !number_field(record, "inc", &got->incarnation) ||
	    !number_field(record, "mid", &got->msg_no) ||
	    !number_field(record, "len", &len))
		return "msg: node=, inc=, mid= or len= is no number";
	got->len = (size_t)len;
	if (strcmp(svc, "safe") == 0)
		got->service = TOTEM_SAFE;
	else if (strcmp(svc, "agreed") != 0)
		return "msg: no svc=";
	return NULL;
}

static void
check_sent(struct evscheck_feed *feed, const struct totem_delivery *got,
    const struct evscheck_field *data)
{
	struct oracle_hash hash;
	oracle_hash_init(&hash);
	oracle_hash_add(&hash, data->value, data->len);
	struct evscheck_message message = { .node = got->node,
		.inc = got->incarnation,
		.mid = got->msg_no,
		.data_hash = oracle_hash_end(&hash),
		.ring_seq = got->ring.seq,
		.seq = got->seq,
		.idx = got->idx,
		.receiver = feed->node };
	evscheck_sent_message(feed->sent, &message, &feed->breach);
}

static const char *
on_msg(struct evscheck_feed *feed, struct evscheck_record *record)
{
	struct totem_delivery got = { .class = TOTEM_CLASS_CLIENT };
	struct evscheck_field data;
	const char *why = read_sender(record, &got);
	if (why == NULL)
		why = read_place(record, &got);
	if (why != NULL)
		return why;
	if (!find_bytes(record, "data", &data))
		return "msg: bad data_b64=";
	if (data.value != NULL && data.len != got.len)
		return "msg: len= is not the length of the data";
	struct oracle_event event = { .kind = ORACLE_DELIVER };
	event.deliver.is = &got;
	event.deliver.hash = hash_of(record, &data);
	if (event.deliver.hash == 0)
		return "msg: bad group_b64= or id_b64=";
	tell(feed, &event);
	if (data.value != NULL && feed->failure == NULL)
		check_sent(feed, &got, &data);
	return NULL;
}

const char *
evscheck_feed_record(struct evscheck_feed *feed, struct evscheck_record *record)
{
	if (strcmp(record->event, "msg") == 0)
		return on_msg(feed, record);
	if (strcmp(record->event, "view") == 0)
		return on_view(feed, record);
	if (strcmp(record->event, "ready") == 0)
		return on_ready(feed, record);
	if (strcmp(record->event, "gap") == 0) {
		evscheck_sent_excuse(feed->sent, feed->node);
		evscheck_feed_plain(feed, ORACLE_GAP);
	}
	return NULL;
}
