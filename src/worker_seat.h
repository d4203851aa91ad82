/*
 * worker_seat.h
 *		A process that has ended its call stays for a moment: it has read the
 *		catalogues, which takes longer than what most calls do.
 *
 * Each has a seat in shared memory while it stays, and is given the next call
 * there.  Without shared memory of ours nobody stays.
 */
#ifndef ORLA_WORKER_SEAT_H
#define ORLA_WORKER_SEAT_H

#include "postgres.h"

#include "storage/dsm.h"

/* Who took a call. */
typedef struct OrlaSeatTicket
{
	int			seat;
	uint64		life;
} OrlaSeatTicket;

/* ---- the caller --------------------------------------------------------- */

/* Gives the call to a process that waits for one; false if none does. */
extern bool orla_seat_give(dsm_segment *segment, OrlaSeatTicket *ticket);

/* Whether that process has ended; look first whether there is an answer. */
extern bool orla_seat_is_left(const OrlaSeatTicket *ticket);

/* Those that wait for a call, of any database, are to make room. */
extern void orla_seat_clear(void);

/* ---- the process -------------------------------------------------------- */

/*
 * Waits for another call, so many milliseconds.  False if none came, or there is
 * no seat: the process is to end.
 */
extern bool orla_seat_wait(long timeout, dsm_handle *segment);

#endif							/* ORLA_WORKER_SEAT_H */
