/* SPDX-License-Identifier: BSD-3-Clause */
/* An intrusive doubly linked list: no allocation, removal without a search. */
#ifndef RK_LIST_H
#define RK_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The head and the links in the members are of one type.  A link belongs to
 * the member it stands in, which must be removed before it goes away.
 */
struct list {
	struct list *next;
	struct list *prev;
};

/* The struct of that type whose field is the link. */
#define LIST_ENTRY(link, type, field) \
	((type *)(void *)((char *)(link)-offsetof(type, field)))

/* at is a struct list *, declared by the caller; do not remove it meanwhile. */
#define LIST_FOREACH(at, head) \
	for ((at) = (head)->next; (at) != (head); (at) = (at)->next)

/* The same, when at may be removed; after holds the one that follows. */
#define LIST_FOREACH_SAFE(at, after, head)                              \
	for ((at) = (head)->next, (after) = (at)->next; (at) != (head); \
	     (at) = (after), (after) = (at)->next)

/* An empty list, or a link that is in no list. */
static inline void
list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool
list_is_empty(const struct list *list)
{
	return list->next == list;
}

/* Puts link, which must be in no list, before at; before the head is last. */
static inline void
list_put_before(struct list *at, struct list *link)
{
	link->prev = at->prev;
	link->next = at;
	at->prev->next = link;
	at->prev = link;
}

static inline void
list_put_last(struct list *head, struct list *link)
{
	list_put_before(head, link);
}

static inline void
list_put_first(struct list *head, struct list *link)
{
	list_put_before(head->next, link);
}

/* Afterwards link is in no list; it may be already. */
static inline void
list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* NULL when the list is empty. */
static inline struct list *
list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

#endif
