/*
 * command.h
 *		Running another program: what it reads, what it may use, what it prints.
 */
#ifndef ORLA_COMMAND_H
#define ORLA_COMMAND_H

#include "postgres.h"

#include "confine.h"

typedef struct OrlaCommand
{
	const char *const *argv;	/* ends with NULL; argv[0] is an absolute path */
	size_t		output_max;		/* bytes of output that are taken */
	int			timeout_ms;

	/* A stranger's file to read, under guard.  All NULL for a trusted command. */
	const OrlaConfinement *confinement;
	const char *input;			/* what it finds on its standard input */
	size_t		input_len;
} OrlaCommand;

typedef enum OrlaCommandEnd
{
	ORLA_COMMAND_ENDED,			/* by itself: see status */
	ORLA_COMMAND_NOT_RUN,		/* there was no process or pipe: see error */
	ORLA_COMMAND_TOO_LONG,		/* ended by us, since its time was over */
	ORLA_COMMAND_TOO_MUCH,		/* likewise, since it printed more than is taken */
	ORLA_COMMAND_UNREADABLE		/* likewise, since its output could not be read */
} OrlaCommandEnd;

/* Exit statuses of what did not get as far as being the program. */
#define ORLA_COMMAND_UNGUARDED	126
#define ORLA_COMMAND_NO_PROGRAM 127

#define ORLA_COMMAND_ERRORS_MAX 1024

typedef struct OrlaCommandResult
{
	OrlaCommandEnd end;
	int			status;			/* as of waitpid() */
	int			error;			/* as of errno */
	char	   *output;			/* palloc'd, followed by a NUL */
	size_t		len;
	/* The beginning of its error output; a trusted command's is in the server log. */
	char		errors[ORLA_COMMAND_ERRORS_MAX + 1];
} OrlaCommandResult;

/*
 * Raises when it is cancelled, and what else an interrupt stands for; the
 * output is wiped then.  Whichever way it returns, the program has ended and has
 * been waited for.
 */
extern void orla_command_run(const OrlaCommand *command, OrlaCommandResult *result);

#endif							/* ORLA_COMMAND_H */
