/*
 * model.h: people who do anything at any time, against a simple idea of a room.
 *
 * The idea: there is one order of events, which a witness who reads everything writes down. What
 * anybody else is given is a part of it without holes, but for those that a `gap` counts; its list
 * is who is there at that place of it; between its lines stand the answers to its own lines, one
 * for each, in their order. In the end everybody's whole lines are in it, once, in their order,
 * with connections that broke and sessions that were resumed, and hubs that handed over to the
 * next.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model {
    uint32_t seed; /* decides everything, the hub's options too */
    int steps;
    void (*around)(bool inside); /* see struct stage; may be NULL */
    void (*calm)(void);          /* called when nothing shall happen any more; may be NULL */
};

/* Fails the running test where room and idea differ; says on stdout what has happened. */
void model_run(const struct model *);

#endif
