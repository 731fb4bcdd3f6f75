/*
 * machine.h: how this machine runs at the moment. Linux only.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

/*
 * Gigabytes a second at which one processor copies what another one has just written. On a virtual
 * machine this may change by a factor of two or three from one second to the next, when the host
 * moves a processor to another cache; and what a burst costs changes with it. 0 on a machine with
 * one processor. Takes some hundredths of a second.
 */
double machine_copy_speed(void);

#endif
