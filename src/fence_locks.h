/*
 * fence_locks.h
 *		Statements that lock a table before they ask whether they may.
 */
#ifndef ORLA_FENCE_LOCKS_H
#define ORLA_FENCE_LOCKS_H

#include "nodes/nodes.h"

extern bool orla_locks_first(const Node *stmt);
extern void orla_refuse_locks(const Node *stmt);

#endif							/* ORLA_FENCE_LOCKS_H */
