/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that wait for their message to be ordered. */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/quorumd/quorum_internal.h"

#define PATIENCE_NS UINT64_C(5000000000)
#define LEAVE_NS    UINT64_C(1000000000)

struct quorum_request *
quorum_request_open(struct quorum *q, enum quorum_request_kind kind,
    const struct quorum_input *in)
{
	struct quorum_request *request = NULL;

	for (size_t i = 0; i < QUORUM_REQUESTS_MAX && request == NULL; i++)
		if (q->request[i].kind == QUORUM_REQUEST_NONE)
			request = &q->request[i];
	if (request == NULL || !(q->spoken & QUORUM_BIT(q->self))) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_AGAIN,
		    request == NULL ? "too many requests"
				    : "not yet at home in this view");
		return NULL;
	}
	*request = (struct quorum_request){
		.kind = kind,
		.no = ++q->request_no,
		.cookie = in->cookie,
		.since_ns = in->now_ns,
		.deadline_ns = in->now_ns +
		    (kind == QUORUM_REQUEST_LEAVE ? LEAVE_NS : PATIENCE_NS),
	};
	return request;
}

struct quorum_request *
quorum_request_find(struct quorum *q, uint64_t no)
{
	for (size_t i = 0; i < QUORUM_REQUESTS_MAX; i++)
		if (q->request[i].kind != QUORUM_REQUEST_NONE &&
		    q->request[i].no == no)
			return &q->request[i];
	return NULL;
}

void
quorum_request_answer(struct quorum *q, struct quorum_request *request,
    enum quorum_answer code, const char *text)
{
	ENSURE(request->kind != QUORUM_REQUEST_NONE);
	quorum_effect_answer(q, request->cookie, code, text);
	request->kind = QUORUM_REQUEST_NONE;
}

/* Who leaves goes, whether or not the others could be told. */
static void
give_up(struct quorum *q, struct quorum_request *request, const char *text)
{
	bool is_leave = request->kind == QUORUM_REQUEST_LEAVE;

	quorum_request_answer(q, request,
	    is_leave ? QUORUM_ANSWER_OK : QUORUM_ANSWER_AGAIN,
	    is_leave ? "" : text);
}

void
quorum_request_drop(struct quorum *q)
{
	for (size_t i = 0; i < QUORUM_REQUESTS_MAX; i++)
		if (q->request[i].kind != QUORUM_REQUEST_NONE)
			give_up(q, &q->request[i],
			    "the view has changed: ask again");
}

void
quorum_request_expire(struct quorum *q)
{
	for (size_t i = 0; i < QUORUM_REQUESTS_MAX; i++)
		if (q->request[i].kind != QUORUM_REQUEST_NONE &&
		    q->now_ns >= q->request[i].deadline_ns)
			give_up(q, &q->request[i], "not ordered in time");
}

uint64_t
quorum_request_deadline_ns(const struct quorum *q)
{
	uint64_t deadline = QUORUM_NEVER;

	for (size_t i = 0; i < QUORUM_REQUESTS_MAX; i++)
		if (q->request[i].kind != QUORUM_REQUEST_NONE)
			deadline = num_min(deadline, q->request[i].deadline_ns);
	return deadline;
}
