/* SPDX-License-Identifier: BSD-3-Clause */
/* A right that no line of the file gives is everybody's, but for admin and
 * vote, which then are nobody's; root and this process's own user have all
 * rights always. A user id that has no meaning here (of a foreign namespace)
 * can only read.
 */
#include "libcommon/os/acl.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/glob.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/unixsock.h"

enum { OVERFLOW_UID = 65534 };

/* Groups and keys of the daemons themselves: no line gives them away. */
static const char own_names[] = "ringkit/**";

/* NAME or a number: its id; false when there is none. */
static bool
find_user(const char *name, uint32_t *id)
{
	const struct passwd *user = getpwnam(name);
	uint64_t number;

	if (user != NULL) {
		*id = user->pw_uid;
		return true;
	}
	if (parse_u64(name, strlen(name), 0, UINT32_MAX - 1, &number) != 0)
		return false;
	*id = (uint32_t)number;
	return true;
}

static bool
find_group(const char *name, uint32_t *id)
{
	const struct group *group = getgrnam(name);
	uint64_t number;

	if (group != NULL) {
		*id = group->gr_gid;
		return true;
	}
	if (parse_u64(name, strlen(name), 0, UINT32_MAX - 1, &number) != 0)
		return false;
	*id = (uint32_t)number;
	return true;
}

/* "*", "user:NAME" or "group:NAME": NULL, or what is wrong with it. */
static const char *
parse_who(struct cluster_rule *rule, const char *who)
{
	static const char unknown[] =
	    "not known on this machine, expected a name that is, or a number";

	if (strcmp(who, "*") == 0) {
		rule->who = CLUSTER_ANYBODY;
		return NULL;
	}
	if (strncmp(who, "user:", 5) == 0) {
		rule->who = CLUSTER_USER;
		return find_user(who + 5, &rule->id) ? NULL : unknown;
	}
	if (strncmp(who, "group:", 6) == 0) {
		rule->who = CLUSTER_GROUP;
		return find_group(who + 6, &rule->id) ? NULL : unknown;
	}
	return "expected *, user:NAME or group:NAME";
}

/* "pub GLOB" and the like; right: of that word. */
static bool
parse_glob(struct cluster_rule *rule, const char *key, const char *word)
{
	const size_t word_len = strlen(word);
	size_t len;

	if (strncmp(key, word, word_len) != 0 ||
	    strspn(key + word_len, " \t") == 0)
		return false;
	key += word_len + strspn(key + word_len, " \t");
	len = strlen(key);
	if (len == 0 || len >= sizeof rule->glob || !glob_is_valid(key, len))
		return false;
	memcpy(rule->glob, key, len + 1);
	return true;
}

/* "read", "admin", "vote", "pub GLOB", "cfg-read GLOB" or "cfg-write GLOB" */
static bool
parse_right(struct cluster_rule *rule, const char *key)
{
	if (strcmp(key, "read") == 0) {
		rule->right = SVC_RIGHT_READ;
		return true;
	}
	if (strcmp(key, "admin") == 0) {
		rule->right = SVC_RIGHT_ADMIN;
		return true;
	}
	if (strcmp(key, "vote") == 0) {
		rule->right = SVC_RIGHT_VOTE;
		return true;
	}
	if (parse_glob(rule, key, "pub"))
		rule->right = SVC_RIGHT_WRITE;
	else if (parse_glob(rule, key, "cfg-read"))
		rule->right = CLUSTER_RIGHT_CFG_READ;
	else if (parse_glob(rule, key, "cfg-write"))
		rule->right = CLUSTER_RIGHT_CFG_WRITE;
	return rule->right != 0;
}

/* One who of the line that begins with key. */
static void
add_who(struct conf *file, struct cluster_conf *conf, struct cluster_rule *rule,
    const char *key, const char *who)
{
	const char *wrong = parse_who(rule, who);

	if (wrong != NULL)
		conf_fail(file, "[acl] %s: \"%s\": %s", key, who, wrong);
	else if (conf->rule_count == CLUSTER_RULES)
		conf_fail(file, "[acl] %s: expected at most %d names in [acl]",
		    key, CLUSTER_RULES);
	else
		conf->rules[conf->rule_count++] = *rule;
}

void
acl_add(struct conf *file, struct cluster_conf *conf, const char *key,
    const char *value)
{
	struct cluster_rule rule = { 0 };
	char list[CONF_LINE_BYTES];
	char *rest = list, *who;

	if (!parse_right(&rule, key)) {
		conf_fail(file,
		    "[acl] %s: expected read, admin, vote, pub GLOB, cfg-read "
		    "GLOB or cfg-write GLOB",
		    key);
		return;
	}
	ENSURE(strlen(value) < sizeof list);
	memcpy(list, value, strlen(value) + 1);
	while ((who = strsep(&rest, ",")) != NULL) {
		size_t len;

		who += strspn(who, " \t");
		len = strlen(who);
		while (len > 0 && strchr(" \t", who[len - 1]) != NULL)
			len--;
		who[len] = '\0';
		add_who(file, conf, &rule, key, who);
	}
}

static bool
is_master(const struct unixsock_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

static bool
is_named(const struct cluster_rule *rule, const struct unixsock_peer *peer)
{
	switch (rule->who) {
	case CLUSTER_ANYBODY:
		return true;
	case CLUSTER_USER:
		return peer->uid == rule->id;
	case CLUSTER_GROUP:
		return unixsock_peer_has_group(peer, rule->id);
	}
	return false;
}

/* One of the rules names the peer; no_rule: there is none for that right. */
static bool
has_right(const struct cluster_conf *conf, const struct unixsock_peer *peer,
    uint32_t right, bool no_rule)
{
	bool has_rule = false;

	for (uint32_t i = 0; i < conf->rule_count; i++) {
		if (conf->rules[i].right != right)
			continue;
		has_rule = true;
		if (is_named(&conf->rules[i], peer))
			return true;
	}
	return has_rule ? false : no_rule;
}

uint32_t
acl_rights(const struct cluster_conf *conf, const struct unixsock_peer *peer)
{
	uint32_t rights = 0;

	if (is_master(peer))
		return SVC_RIGHT_ALL;
	if (has_right(conf, peer, SVC_RIGHT_READ, true))
		rights |= SVC_RIGHT_READ;
	if (peer->uid == OVERFLOW_UID)
		return rights;
	if (has_right(conf, peer, SVC_RIGHT_WRITE, true))
		rights |= SVC_RIGHT_WRITE;
	if (has_right(conf, peer, SVC_RIGHT_ADMIN, false))
		rights |= SVC_RIGHT_ADMIN | SVC_RIGHT_VOTE;
	if (has_right(conf, peer, SVC_RIGHT_VOTE, false))
		rights |= SVC_RIGHT_VOTE;
	return rights;
}

/*
 * One of the right's rules names the peer and has a glob that matches; a
 * right without any rule is everybody's.
 */
static bool
is_matched(const struct cluster_conf *conf, const struct unixsock_peer *peer,
    uint32_t right, const void *name, size_t len)
{
	bool has_rule = false;

	for (uint32_t i = 0; i < conf->rule_count; i++) {
		const struct cluster_rule *rule = &conf->rules[i];

		if (rule->right != right)
			continue;
		has_rule = true;
		if (is_named(rule, peer) &&
		    glob_match(rule->glob, strlen(rule->glob), name, len))
			return true;
	}
	return !has_rule;
}

bool
acl_may_publish(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, const void *group, size_t len)
{
	if (is_master(peer))
		return true;
	if (glob_match(own_names, strlen(own_names), group, len))
		return (acl_rights(conf, peer) & SVC_RIGHT_ADMIN) != 0;
	return is_matched(conf, peer, SVC_RIGHT_WRITE, group, len);
}

/* ---- the store --------------------------------------------------------- */

/* Who may not read at all has no business with keys. */
static bool
may_come_in(const struct cluster_conf *conf, const struct unixsock_peer *peer,
    uint32_t right)
{
	if (peer->uid == OVERFLOW_UID && right != CLUSTER_RIGHT_CFG_READ)
		return false;
	return has_right(conf, peer, SVC_RIGHT_READ, true);
}

bool
acl_may_use_key(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, uint32_t right, const void *key,
    size_t len)
{
	if (is_master(peer))
		return true;
	if (glob_match(own_names, strlen(own_names), key, len))
		return (acl_rights(conf, peer) & SVC_RIGHT_ADMIN) != 0;
	return may_come_in(conf, peer, right) &&
	    is_matched(conf, peer, right, key, len);
}

bool
acl_may_use_some(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, uint32_t right)
{
	return is_master(peer) ||
	    (may_come_in(conf, peer, right) &&
		has_right(conf, peer, right, true));
}

/* A glob that ends in ** and whose text before that begins the prefix. */
static bool
covers_prefix(const char *glob, const char *prefix, size_t len)
{
	const size_t glob_len = strlen(glob);

	return glob_len >= 2 && strcmp(glob + glob_len - 2, "**") == 0 &&
	    glob_match(glob, glob_len, prefix, len);
}

bool
acl_may_use_prefix(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, uint32_t right, const void *prefix,
    size_t len)
{
	static const char own[] = "ringkit/";
	const size_t own_len = sizeof own - 1;
	bool has_rule = false;

	if (is_master(peer))
		return true;
	if (memcmp(own, prefix, len < own_len ? len : own_len) == 0)
		return (acl_rights(conf, peer) & SVC_RIGHT_ADMIN) != 0;
	if (!may_come_in(conf, peer, right))
		return false;
	for (uint32_t i = 0; i < conf->rule_count; i++) {
		const struct cluster_rule *rule = &conf->rules[i];

		if (rule->right != right)
			continue;
		has_rule = true;
		if (is_named(rule, peer) &&
		    covers_prefix(rule->glob, prefix, len))
			return true;
	}
	return !has_rule;
}
