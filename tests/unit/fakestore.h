/* SPDX-License-Identifier: BSD-3-Clause */
/* The store in one process and without a ring: the words of cfg.sock that
 * locks need, over the real state machine.
 */
#ifndef RK_FAKESTORE_H
#define RK_FAKESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fakestore;

/* Bytes that grow. */
struct fakestore_text {
	char *bytes;
	size_t len, size;
};
void fakestore_put(struct fakestore_text *text, const void *bytes, size_t len);
void fakestore_say(struct fakestore_text *text, const char *string);

struct fakestore *fakestore_create(void);
void fakestore_destroy(struct fakestore *store);

enum fakestore_mood {
	FAKESTORE_OPEN,
	FAKESTORE_REFUSES,      /* err code=notquorate */
	FAKESTORE_DONE_UNKNOWN, /* does it, and answers unknown */
	FAKESTORE_LOST_UNKNOWN, /* does not do it, and answers unknown */
};

struct fakestore_request {
	char *line; /* without LF; used up */
	size_t len;
	const char *body;
	uint32_t node;
	enum fakestore_mood mood;
	uint64_t now_ns;
	char prefix[600]; /* of a watch */
};

/* Puts the answer behind out; false: it is a watch, and was granted. */
bool fakestore_ask(struct fakestore *store, struct fakestore_request *request,
    struct fakestore_text *out);

/* Ends the leases that are due, or all of them. */
void fakestore_pass(struct fakestore *store, uint64_t now_ns);
void fakestore_lose(struct fakestore *store, uint64_t now_ns);
uint64_t fakestore_deadline_ns(const struct fakestore *store);

uint64_t fakestore_rev(const struct fakestore *store);

/* What a watch of prefix is told: at its start, and of what came after rev. */
void fakestore_snapshot(const struct fakestore *store, const char *prefix,
    struct fakestore_text *out);
void fakestore_events(const struct fakestore *store, const char *prefix,
    uint64_t rev, struct fakestore_text *out);

/* The revision of that key; 0: there is no such key. */
uint64_t fakestore_rev_of(const struct fakestore *store, const char *key);

#endif
