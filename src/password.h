/*
 * password.h
 *		Hashes of passwords: Argon2id, and bcrypt as imported accounts have it.
 *
 * Hashing takes memory and time on purpose, so how many hashes the cluster
 * computes at once is bounded: a flood of sign-ins waits and is then refused,
 * instead of taking the server's memory.
 */
#ifndef ORLA_PASSWORD_H
#define ORLA_PASSWORD_H

#include "postgres.h"

/* Longer passwords are refused, hashes of them do not exist. */
#define ORLA_PASSWORD_MAX	1024	/* bytes */

/* The time cost that goes with a memory cost, never below the recommended. */
extern int	orla_password_cost(int memory_kib, int passes);

#endif							/* ORLA_PASSWORD_H */
