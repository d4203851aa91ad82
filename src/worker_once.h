/*
 * worker_once.h
 *		A process for one call, where no worker is there to take it.
 */
#ifndef ORLA_WORKER_ONCE_H
#define ORLA_WORKER_ONCE_H

#include "postgres.h"

#include "fmgr.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"

/*
 * Gives the call to a process that has stayed, or starts one, and waits for its
 * answer.  Raises PT503.
 */
extern void orla_once_serve(dsm_segment *segment);

/* Starts the process, whose end the caller awaits himself; NULL: no slot is free. */
extern BackgroundWorkerHandle *orla_once_begin(dsm_segment *segment);

/* Whether there is an answer, or no process that could give one. */
extern bool orla_once_is_over(BackgroundWorkerHandle *handle, dsm_segment *segment);

/* Entry point of that process; the postmaster finds it by name. */
extern PGDLLEXPORT void orla_once_main(Datum arg);

#endif							/* ORLA_WORKER_ONCE_H */
