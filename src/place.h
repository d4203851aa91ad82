/*
 * place.h
 *		So many at a time, over the whole cluster.
 */
#ifndef ORLA_PLACE_H
#define ORLA_PLACE_H

#include "postgres.h"

#include "storage/lock.h"

/* What places are for.  Part of the tag of a lock. */
typedef enum OrlaPlaceKind
{
	ORLA_PLACE_HASH = 0x6f72,	/* computing a password hash */
	ORLA_PLACE_EXTRACT,			/* reading a file with a program */
	ORLA_PLACE_TENANT			/* a tenant's call by a process of its own */
} OrlaPlaceKind;

/*
 * Takes one of so many places, waiting for so long; false when none became
 * free.  The wait can be interrupted.  The place is the transaction's, so that
 * an error gives it back.
 */
extern bool orla_place_take(OrlaPlaceKind kind, int places, int wait_ms, LOCKTAG *place);

/* The same of the one place that there is for each key. */
extern bool orla_place_take_own(OrlaPlaceKind kind, uint32 key, int wait_ms, LOCKTAG *place);

extern void orla_place_give_back(const LOCKTAG *place);

#endif							/* ORLA_PLACE_H */
