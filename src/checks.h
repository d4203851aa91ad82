/*
 * checks.h
 *		Conditions of policies that say the same are checked once.
 */
#ifndef ORLA_CHECKS_H
#define ORLA_CHECKS_H

extern void orla_checks_init(void);

#endif							/* ORLA_CHECKS_H */
