/*
 * triggers.h
 *		Whose triggers run with the rights of orla_service.
 */
#ifndef ORLA_TRIGGERS_H
#define ORLA_TRIGGERS_H

extern void orla_triggers_init(void);

#endif							/* ORLA_TRIGGERS_H */
