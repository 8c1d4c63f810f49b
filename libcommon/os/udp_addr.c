/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses: literals only, so nothing here asks a resolver. */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/udp.h"

/* All of string as a port 1 .. 65535; 0 when it is not one. */
static uint16_t
udp_port(const char *string)
{
	uint32_t port = 0;

	if (*string == '0')
		return 0;
	for (; *string != '\0' && port <= UINT16_MAX; string++) {
		if (*string < '0' || *string > '9')
			return 0;
		port = port * 10 + (uint32_t)(*string - '0');
	}
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool
udp_addr_v4(union udp_addr *addr, const char *host, uint16_t port)
{
	addr->v4.sin_family = AF_INET;
	addr->v4.sin_port = htons(port);
	return inet_pton(AF_INET, host, &addr->v4.sin_addr) == 1;
}

static bool
udp_addr_v6(union udp_addr *addr, char *host, uint16_t port)
{
	char *scope = strchr(host, '%');

	if (scope != NULL) {
		*scope++ = '\0';
		addr->v6.sin6_scope_id = if_nametoindex(scope);
		if (addr->v6.sin6_scope_id == 0)
			return false;
	}
	addr->v6.sin6_family = AF_INET6;
	addr->v6.sin6_port = htons(port);
	return inet_pton(AF_INET6, host, &addr->v6.sin6_addr) == 1;
}

/* [V6] or [V6]:PORT; host is cut at its end. */
static bool
udp_addr_bracketed(union udp_addr *addr, char *host, uint16_t port)
{
	char *end = strchr(host, ']');

	if (end == NULL)
		return false;
	*end++ = '\0';
	if (*end == ':')
		port = udp_port(end + 1);
	else if (*end != '\0')
		return false;
	return port != 0 && udp_addr_v6(addr, host, port);
}

int
udp_addr_parse(union udp_addr *addr, const char *string, uint16_t port)
{
	char host[UDP_ADDR_TEXT_BYTES];
	size_t len = strlen(string);
	char *colon;
	bool is_good;

	memset(addr, 0, sizeof *addr);
	if (len >= sizeof host)
		return UDP_E_ADDRESS;
	memcpy(host, string, len + 1);
	colon = strchr(host, ':');
	if (host[0] == '[') {
		is_good = udp_addr_bracketed(addr, host + 1, port);
	} else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
		is_good = port != 0 && udp_addr_v6(addr, host, port);
	} else {
		if (colon != NULL) {
			*colon = '\0';
			port = udp_port(colon + 1);
		}
		is_good = port != 0 && udp_addr_v4(addr, host, port);
	}
	return is_good ? 0 : UDP_E_ADDRESS;
}

bool
udp_addr_equal(const union udp_addr *a, const union udp_addr *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		    a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->any.sa_family == AF_INET6 &&
	    a->v6.sin6_port == b->v6.sin6_port &&
	    memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
		sizeof a->v6.sin6_addr) == 0 &&
	    (a->v6.sin6_scope_id == b->v6.sin6_scope_id ||
		a->v6.sin6_scope_id == 0 || b->v6.sin6_scope_id == 0);
}

void
udp_addr_text(const union udp_addr *addr, struct text *out)
{
	char host[INET6_ADDRSTRLEN], name[IF_NAMESIZE];

	if (addr->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr->v4.sin_addr, host, sizeof host);
		text_put(out, host);
		text_put(out, ":");
		text_put_u64(out, ntohs(addr->v4.sin_port));
		return;
	}
	inet_ntop(AF_INET6, &addr->v6.sin6_addr, host, sizeof host);
	text_put(out, "[");
	text_put(out, host);
	if (addr->v6.sin6_scope_id != 0 &&
	    if_indextoname(addr->v6.sin6_scope_id, name) != NULL) {
		text_put(out, "%");
		text_put(out, name);
	}
	text_put(out, "]:");
	text_put_u64(out, ntohs(addr->v6.sin6_port));
}
