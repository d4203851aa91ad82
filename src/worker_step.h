/*
 * worker_step.h
 *		What an operation's result asks for next.
 *
 * orla.do_<operation>(args) returns one of
 *
 *		{"answer": …}		for the caller, done
 *		{"refusal": {…}}	an error for the caller, done; either with "hold_ms":
 *							n (optional), to be handed over so long after the
 *							step began, whatever it took
 *		{"http": {request}, "next": "operation", "state": {…}, "key": "…",
 *		 "progress": "operation"}
 *							make the request, then run do_<next> with
 *							{"state": …, "response": …}; key (optional) names
 *							what is then under way; "together": true (optional)
 *							lets do_<next> run in one transaction with others
 *							of its kind; do_<progress> (optional) is told once a
 *							second, with {"state": …, "received": bytes}, and
 *							its answer false ends the task
 *		{"apart": "operation", "args": {…}, "next": "operation", "state": {…}}
 *							have another process run do_<apart>, which takes
 *							long, then run do_<next> with {"state": …,
 *							"response": its result}; without next, its result is
 *							ours
 *		{"run": "operation", "args": {…}, "key": "…"}
 *							run that next, in a transaction of its own
 *		{"wait": "key"}		something is under way under this key: run the
 *							operation again when that has ended, with
 *							"waited": true in its arguments; or at once, with
 *							"unclaimed": true, where nothing is
 */
#ifndef ORLA_WORKER_STEP_H
#define ORLA_WORKER_STEP_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef enum OrlaStepKind
{
	ORLA_STEP_RESULT,
	ORLA_STEP_HTTP,
	ORLA_STEP_APART,
	ORLA_STEP_RUN,
	ORLA_STEP_WAIT,
	ORLA_STEP_MALFORMED
} OrlaStepKind;

/* Texts and objects are palloc'd. */
typedef struct OrlaStep
{
	OrlaStepKind kind;
	char	   *key;			/* WAIT; HTTP and RUN: may be NULL */
	char	   *apart;			/* APART */
	char	   *next;			/* HTTP, RUN; APART: may be NULL */
	char	   *progress;		/* HTTP; may be NULL */
	Jsonb	   *request;		/* HTTP */
	Jsonb	   *state;			/* HTTP, APART; NULL: none */
	Jsonb	   *args;			/* APART, RUN */
	bool		together;		/* HTTP */
	int			hold_ms;		/* RESULT */
} OrlaStep;

extern void orla_step_read(Jsonb *result, OrlaStep *step);

/* {"state": …, "response": …} */
extern Jsonb *orla_step_continue(Jsonb *state, Jsonb *response);

/* The arguments with one more member, which is true. */
extern Jsonb *orla_step_flag(Jsonb *args, const char *name);

/* {"key": "…"} */
extern Jsonb *orla_step_key(const char *key);

/* {"state": …, "received": bytes} */
extern Jsonb *orla_step_progress(Jsonb *state, int64 received);

/* Is it {"answer": false}? */
extern bool orla_step_is_no(Jsonb *result);

/*
 * Into the server log, when it is a fault of the server's and not of the
 * caller's input.  Without detail and context: they may quote an answer.
 */
extern void orla_step_report_fault(const char *operation, const ErrorData *error);

/* What a caller is told whose operation needs the worker, where there is none. */
#define ORLA_NO_WORKER_MESSAGE	"no worker for this database"
#define ORLA_NO_WORKER_DETAIL	"Calls to providers are made by a worker, which this database does not have."
#define ORLA_NO_WORKER_HINT		"Set shared_preload_libraries to orla and orla.databases to a list with this database, then restart."

#endif							/* ORLA_WORKER_STEP_H */
