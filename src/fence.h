/*
 * fence.h
 *		Hooks that close what row security leaves open.
 */
#ifndef ORLA_FENCE_H
#define ORLA_FENCE_H

extern void orla_fence_init(void);

#endif							/* ORLA_FENCE_H */
