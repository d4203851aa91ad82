/*
 * worker.h
 *		The worker of one database.
 */
#ifndef ORLA_WORKER_H
#define ORLA_WORKER_H

#include "postgres.h"

#include "fmgr.h"

/* Entry point; the postmaster finds it by name.  arg: number of its slot. */
extern PGDLLEXPORT void orla_worker_main(Datum arg);

#endif							/* ORLA_WORKER_H */
