/*
 * analyst.h
 *		Which tenants an analyst's session may read.
 */
#ifndef ORLA_ANALYST_H
#define ORLA_ANALYST_H

extern void orla_analyst_init(void);

#endif							/* ORLA_ANALYST_H */
