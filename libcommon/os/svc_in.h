/* SPDX-License-Identifier: BSD-3-Clause */
/* What a client has sent: bytes -> requests, each a line and perhaps data. */
#ifndef RK_SVC_IN_H
#define RK_SVC_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SVC_IN_BYTES = 32768 }; /* a client's buffer */

struct svc_in {
	char *bytes; /* borrowed, SVC_IN_BYTES */
	size_t start, end;
	/* Data too long for the buffer: it is gathered elsewhere. */
	char *data; /* borrowed; NULL: none is being gathered */
	size_t have, need;
};

/* A request where it lies; valid until svc_in_space. */
struct svc_frame {
	const char *line; /* without LF and CR */
	size_t line_len;
	const char *data; /* NULL: none announced */
	size_t data_len;
	size_t used; /* bytes of the buffer, all told */
};

enum svc_in_result {
	SVC_IN_NONE,    /* not whole yet: read more */
	SVC_IN_READY,   /* take it, then svc_in_drop */
	SVC_IN_GATHER,  /* svc_in_gather, with memory for its data + 1 */
	SVC_IN_LONG,    /* a line over the limit: no way back in step */
	SVC_IN_BIG,     /* data over the limit: the same */
	SVC_IN_BAD_LEN, /* len= is no number: the same */
	SVC_IN_NO_END,  /* no LF behind the data: the same */
};

void svc_in_init(struct svc_in *in, char *bytes);

/* Where the next bytes go and how many are wanted; never 0 after NONE. */
char *svc_in_space(struct svc_in *in, size_t *room);
void svc_in_fill(struct svc_in *in, size_t len);

/* Looks at what stands first; asking again gives the same answer. */
enum svc_in_result svc_in_next(
    const struct svc_in *in, size_t data_max, struct svc_frame *out);

/* Goes on into data, which has room for frame's data_len + 1 bytes. */
void svc_in_gather(
    struct svc_in *in, const struct svc_frame *frame, char *data);

/* Forgets the request; data that was gathered is the caller's again. */
void svc_in_drop(struct svc_in *in, const struct svc_frame *frame);

#endif
