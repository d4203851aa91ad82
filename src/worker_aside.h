/*
 * worker_aside.h
 *		Has the worker step aside for commands that need a database to
 *		themselves.
 */
#ifndef ORLA_WORKER_ASIDE_H
#define ORLA_WORKER_ASIDE_H

#include "postgres.h"

extern void orla_aside_init(void);

#endif							/* ORLA_WORKER_ASIDE_H */
