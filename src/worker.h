/*
 * worker.h
 *		Work that must survive its caller.
 */
#ifndef ORLA_WORKER_H
#define ORLA_WORKER_H

#include "postgres.h"

#include "fmgr.h"

/* Entry point of the one-shot process; the postmaster finds it by name. */
extern PGDLLEXPORT void orla_worker_main(Datum arg);

#endif							/* ORLA_WORKER_H */
