/*
 * draw.h
 *		Random bytes, or an error.
 */
#ifndef ORLA_DRAW_H
#define ORLA_DRAW_H

#include "postgres.h"

/* Fit for keys, nonces and tokens.  Raises XX000. */
extern void orla_draw(void *bytes, size_t n);

#endif							/* ORLA_DRAW_H */
