/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * etcd's own protocol, gRPC over HTTP/2, as much of it as three requests take:
 * headers go out as literals that nobody has to remember, and of answers only
 * the frames are looked at.  An answer with a message is a good one: gRPC sends
 * errors as headers alone.  Requests of clients who share a connection are
 * streams of it, and less at a time than the 64 KiB that etcd takes unasked.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/storeload.h"

enum {
	FRAME_HEADER = 9,
	FRAME_DATA = 0,
	FRAME_HEADERS = 1,
	FRAME_RESET = 3,
	FRAME_SETTINGS = 4,
	FRAME_PING = 6,
	FRAME_GOAWAY = 7,
	FRAME_WINDOW = 8,
	FLAG_ACK = 1,
	FLAG_END_STREAM = 1,
	FLAG_END_HEADERS = 4,
	SETTING_TABLE_SIZE = 1,
	BODY_BYTES = STORELOAD_VALUE_BYTES_MAX + 256,
};

struct bytes {
	char at[BODY_BYTES];
	size_t len;
};

static void
add(struct bytes *to, const void *bytes, size_t len)
{
	if (len > sizeof to->at - to->len)
		storeload_die("etcd", "a request that is too long");
	memcpy(to->at + to->len, bytes, len);
	to->len += len;
}

static void
add_byte(struct bytes *to, unsigned byte)
{
	char c = (char)byte;
	add(to, &c, 1);
}

/* ---- frames ------------------------------------------------------------ */

static void
put_frame(struct storeload_conn *conn, unsigned kind, unsigned flags,
    uint32_t stream, const struct bytes *body)
{
	unsigned char header[FRAME_HEADER] = { (unsigned char)(body->len >> 16),
		(unsigned char)(body->len >> 8), (unsigned char)body->len,
		(unsigned char)kind, (unsigned char)flags };
	uint32_t wire = htonl(stream);
	memcpy(header + 5, &wire, sizeof wire);
	storeload_put(conn, header, sizeof header);
	storeload_put(conn, body->at, body->len);
}

static int
open_tcp(const char *place)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char host[64];
	unsigned port;
	int one = 1;
	if (sscanf(place, "%63[^:]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		return -EINVAL;
	addr.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void
greet(struct storeload_conn *conn)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct bytes settings = { .len = 0 }, window = { .len = 0 };
	uint32_t room = htonl(0x7fffffff - 65535);
	/* No table of headers, so none has to be kept here. */
	add(&settings, "\0\1\0\0\0\0", 6);
	add(&window, &room, sizeof room);
	storeload_put(conn, preface, sizeof preface - 1);
	put_frame(conn, FRAME_SETTINGS, 0, 0, &settings);
	put_frame(conn, FRAME_WINDOW, 0, 0, &window);
	conn->is_greeted = true;
	conn->stream = 1;
}

/* ---- requests ---------------------------------------------------------- */

static void
add_text(struct bytes *to, const char *text)
{
	add_byte(to, (unsigned)strlen(text));
	add(to, text, strlen(text));
}

static void
put_headers(struct storeload_client *client, const char *path)
{
	struct bytes body = { .len = 0 };
	add_byte(&body, 0x83); /* :method POST */
	add_byte(&body, 0x86); /* :scheme http */
	add_byte(&body, 0x04); /* :path */
	add_text(&body, path);
	add_byte(&body, 0x01); /* :authority */
	add_text(&body, "localhost");
	add_byte(&body, 0x0f); /* content-type */
	add_byte(&body, 0x10);
	add_text(&body, "application/grpc");
	add_byte(&body, 0x00);
	add_text(&body, "te");
	add_text(&body, "trailers");
	put_frame(client->conn, FRAME_HEADERS, FLAG_END_HEADERS, client->stream,
	    &body);
}

/* A protobuf field of bytes. */
static void
add_field(struct bytes *to, unsigned number, const void *bytes, size_t len)
{
	size_t left = len;
	add_byte(to, number << 3 | 2);
	for (; left > 0x7f; left >>= 7)
		add_byte(to, (unsigned)(left & 0x7f) | 0x80);
	add_byte(to, (unsigned)left);
	add(to, bytes, len);
}

static void
put_message(struct storeload_client *client, unsigned flags,
    const struct bytes *message)
{
	static struct bytes body;
	uint32_t len = htonl((uint32_t)message->len);
	body.len = 0;
	add_byte(&body, 0); /* not compressed */
	add(&body, &len, sizeof len);
	add(&body, message->at, message->len);
	put_frame(client->conn, FRAME_DATA, flags, client->stream, &body);
}

static bool
ask(struct storeload_client *client, const struct storeload_request *request)
{
	static struct bytes message, inner;
	unsigned flags = FLAG_END_STREAM;
	message.len = inner.len = 0;
	client->has_answer = false;
	client->stream = client->conn->stream;
	client->conn->stream += 2;
	switch (request->verb) {
	case STORELOAD_PUT:
		put_headers(client, "/etcdserverpb.KV/Put");
		add_field(&message, 1, request->key, strlen(request->key));
		add_field(&message, 2, request->value, request->value_len);
		break;
	case STORELOAD_GET:
	case STORELOAD_GET_SYNC:
		put_headers(client, "/etcdserverpb.KV/Range");
		add_field(&message, 1, request->key, strlen(request->key));
		if (request->verb == STORELOAD_GET)
			add(&message, "\x38\x01", 2); /* serializable */
		break;
	case STORELOAD_WATCH:
		put_headers(client, "/etcdserverpb.Watch/Watch");
		add_field(&inner, 1, "k", 1);
		add_field(&inner, 2, "l", 1); /* all that begins with k */
		add_field(&message, 1, inner.at, inner.len);
		flags = 0;
		break;
	case STORELOAD_PUT_MEMORY:
		return false;
	}
	put_message(client, flags, &message);
	return true;
}

/* ---- answers ----------------------------------------------------------- */

static struct storeload_client *
find(const struct storeload_conn *conn, uint32_t stream)
{
	struct storeload_client *client = storeload_find(conn, stream);
	if (client == NULL)
		storeload_die("etcd", "an answer to nothing");
	return client;
}

static void
take_data(const struct storeload_conn *conn, uint32_t stream, const char *body,
    size_t len)
{
	storeload_event(body, len);
	if (len >= 5)
		find(conn, stream)->has_answer = true;
}

static void
take_end(const struct storeload_conn *conn, uint32_t stream)
{
	struct storeload_client *client = find(conn, stream);
	storeload_answer(client, client->has_answer ? NULL : "refused by etcd");
}

static void
acknowledge(
    struct storeload_conn *conn, unsigned kind, const char *body, size_t len)
{
	struct bytes answer = { .len = 0 };
	add(&answer, body, len);
	put_frame(conn, kind, FLAG_ACK, 0, &answer);
}

static size_t
take(struct storeload_conn *conn)
{
	const char *at = conn->in + conn->in_at;
	const unsigned char *in = (const unsigned char *)at;
	size_t have = conn->in_len - conn->in_at;
	if (have < FRAME_HEADER)
		return 0;
	size_t len = (size_t)in[0] << 16 | (size_t)in[1] << 8 | in[2];
	if (have < FRAME_HEADER + len)
		return 0;
	const char *body = at + FRAME_HEADER;
	uint32_t stream = (uint32_t)in[5] << 24 | (uint32_t)in[6] << 16 |
	    (uint32_t)in[7] << 8 | in[8];
	bool is_ack = (in[4] & FLAG_ACK) != 0;
	if (in[3] == FRAME_DATA)
		take_data(conn, stream, body, len);
	else if (in[3] == FRAME_SETTINGS && !is_ack)
		acknowledge(conn, FRAME_SETTINGS, body, 0);
	else if (in[3] == FRAME_PING && !is_ack)
		acknowledge(conn, FRAME_PING, body, len);
	else if (in[3] == FRAME_GOAWAY || in[3] == FRAME_RESET)
		storeload_die("etcd", "the connection was ended");
	if ((in[3] == FRAME_DATA || in[3] == FRAME_HEADERS) &&
	    (in[4] & FLAG_END_STREAM) != 0)
		take_end(conn, stream);
	return FRAME_HEADER + len;
}

const struct storeload_store storeload_etcd = {
	.name = "etcd",
	.open = open_tcp,
	.greet = greet,
	.ask = ask,
	.take = take,
};
