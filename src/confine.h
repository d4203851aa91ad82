/*
 * confine.h
 *		What a program that reads strangers' files may have and do.
 */
#ifndef ORLA_CONFINE_H
#define ORLA_CONFINE_H

#include "postgres.h"

typedef struct OrlaConfinement
{
	size_t		memory;			/* bytes of address space */
	int			cpu_seconds;
	size_t		file_size;		/* bytes that it may write into a descriptor it has */
	const char *const *readable;	/* files, and folders with all in them; ends with NULL */
} OrlaConfinement;

/*
 * For a child between fork and exec: limits this process and all that it
 * becomes, for good.  False when that failed.  What the kernel does not know is
 * left out; orla_confinement_gap() tells of it, NULL when nothing is missing.
 */
extern bool orla_confine(const OrlaConfinement *confinement);
extern const char *orla_confinement_gap(void);

#endif							/* ORLA_CONFINE_H */
