/*
 * order.h
 *		The fence's condition is evaluated before those of the query.
 */
#ifndef ORLA_ORDER_H
#define ORLA_ORDER_H

extern void orla_order_init(void);

#endif							/* ORLA_ORDER_H */
