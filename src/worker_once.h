/*
 * worker_once.h
 *		A process for one call: of a session where no worker is there to take it,
 *		or of the worker for what takes long.  worker_apart.h starts it.
 */
#ifndef ORLA_WORKER_ONCE_H
#define ORLA_WORKER_ONCE_H

#include "postgres.h"

#include "fmgr.h"

/* Entry point of that process; the postmaster finds it by name. */
extern PGDLLEXPORT void orla_once_main(Datum arg);

#endif							/* ORLA_WORKER_ONCE_H */
