/*
 * worker_launcher.h
 *		Keeps a worker running for each database that orla.databases names.
 */
#ifndef ORLA_WORKER_LAUNCHER_H
#define ORLA_WORKER_LAUNCHER_H

#include "postgres.h"

#include "fmgr.h"

/* While the server loads its libraries: has the postmaster start it. */
extern void orla_launcher_register(void);

/* Its entry point; the postmaster finds it by name. */
extern PGDLLEXPORT void orla_launcher_main(Datum arg);

#endif							/* ORLA_WORKER_LAUNCHER_H */
