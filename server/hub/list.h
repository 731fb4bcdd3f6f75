/*
 * list.h: a doubly linked list whose links stand in its entries. An entry that is in no list
 * points to itself, so it can be removed, once or twice, without knowing the list.
 */
#ifndef SERVER_HUB_LIST_H
#define SERVER_HUB_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, or the links of one entry. */
struct list {
    struct list *prev;
    struct list *next;
};

/* The structure of that type which has these links as its member. */
#define LIST_ENTRY(type, member, links) ((type *)(void *)((char *)(links)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
    list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *entry)
{
    entry->prev = list->prev;
    entry->next = list;
    list->prev->next = entry;
    list->prev = entry;
}

static inline void list_remove(struct list *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    list_init(entry);
}

/* Takes the first entry off a list that is not empty. */
static inline struct list *list_take(struct list *list)
{
    struct list *first = list->next;

    list_remove(first);
    return first;
}

#endif
