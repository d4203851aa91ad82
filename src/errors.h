/*
 * errors.h
 *		SQLSTATEs of orla's own.
 *
 * Bad input raises PostgreSQL's standard codes.  A refusal (sign-in, token,
 * too many attempts) carries a PTnnn code: PostgREST turns it into HTTP
 * status nnn, and any other client sees a code that no other error has.
 * docs/errors.md lists every message with its cause and cure.
 */
#ifndef ORLA_ERRORS_H
#define ORLA_ERRORS_H

#include "postgres.h"

#include "utils/elog.h"

/* 401: whoever asks is not proven to be anybody. */
#define ERRCODE_ORLA_UNAUTHORIZED	MAKE_SQLSTATE('P', 'T', '4', '0', '1')

/* 403: proven, but this is not theirs to do. */
#define ERRCODE_ORLA_FORBIDDEN		MAKE_SQLSTATE('P', 'T', '4', '0', '3')

/* 413: more bytes than are taken. */
#define ERRCODE_ORLA_TOO_LARGE		MAKE_SQLSTATE('P', 'T', '4', '1', '3')

/* 429: too many attempts from one origin. */
#define ERRCODE_ORLA_TOO_MANY		MAKE_SQLSTATE('P', 'T', '4', '2', '9')

/* 503: no process or no hashing slot is free; trying again is right. */
#define ERRCODE_ORLA_UNAVAILABLE	MAKE_SQLSTATE('P', 'T', '5', '0', '3')

#endif							/* ORLA_ERRORS_H */
