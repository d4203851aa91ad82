/*
 * command.c
 *		Running another program: what it reads, what it may use, what it prints.
 *
 * The program runs in a process group of its own, so that it can be ended with
 * all that it has started: when its time is over, when the caller is cancelled
 * or terminated, and by the kernel when the caller is killed.  It has none of
 * the server's descriptors.
 *
 * A program under guard is given its input as a file in memory that it cannot
 * change; it finds almost nothing in its environment, and its error output goes
 * to another such file, of a few kB.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "command.h"

/* How often the end of a program is looked for that has closed its output. */
#define END_POLL_MS		2

extern char **environ;

typedef struct Running
{
	const OrlaCommand *command;
	OrlaCommandResult *result;
	TimestampTz give_up;
	pid_t		child;			/* -1: none */
	int			input;			/* descriptors; -1: none */
	int			output;
	int			errors;
} Running;

static void
close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* With all that it has started. */
static void
end_child(Running *running)
{
	if (running->child < 0)
		return;
	(void) kill(-running->child, SIGKILL);
	(void) kill(running->child, SIGKILL);
	while (waitpid(running->child, &running->result->status, 0) < 0 && errno == EINTR)
		;
	running->child = -1;
}

static void
clean_up(Running *running)
{
	end_child(running);
	close_descriptor(&running->input);
	close_descriptor(&running->output);
	close_descriptor(&running->errors);
}

/* Called on the way out of an error, or of the process. */
static void
forget(int code, Datum arg)
{
	Running    *running = (Running *) DatumGetPointer(arg);

	clean_up(running);
	explicit_bzero(running->result->output, running->result->len);
}

/* ---- in the child: system calls only ------------------------------------ */

static void
close_all_from(int first)
{
	int			fd;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	for (fd = sysconf(_SC_OPEN_MAX) - 1; fd >= first; fd--)
		close(fd);
}

/* Handlers go by themselves; what the server ignores would stay ignored. */
static void
reset_signals(void)
{
	sigset_t	none;
	int			signo;

	for (signo = 1; signo < NSIG; signo++)
		(void) signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
be_program(const Running *running, int output, pid_t parent)
{
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", NULL};
	const OrlaCommand *command = running->command;
	bool		guarded = command->confinement != NULL;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(ORLA_COMMAND_UNGUARDED);
	reset_signals();
	dup2(running->input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	if (guarded)
	{
		dup2(running->errors, STDERR_FILENO);
		signal(SIGXFSZ, SIG_IGN);	/* more error output is dropped */
	}
	close_all_from(STDERR_FILENO + 1);
	if (guarded && (chdir("/") != 0 || !orla_confine(command->confinement)))
		_exit(ORLA_COMMAND_UNGUARDED);
	execve(command->argv[0], (char *const *) command->argv,
		   guarded ? (char *const *) environment : environ);
	_exit(ORLA_COMMAND_NO_PROGRAM);
}

/* ---- in the server ------------------------------------------------------ */

static int
file_in_memory(const char *bytes, size_t len)
{
	int			fd = memfd_create("orla", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t		done = 0;

	while (fd >= 0 && done < len)
	{
		ssize_t		n = write(fd, bytes + done, len - done);

		if (n >= 0)
			done += n;
		else if (errno != EINTR)
			close_descriptor(&fd);
	}
	return fd;
}

static bool
open_input(Running *running)
{
	const OrlaCommand *command = running->command;

	if (command->input == NULL)
		running->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	else
		running->input = file_in_memory(command->input, command->input_len);
	return running->input >= 0 &&
		(command->input == NULL ||
		 (lseek(running->input, 0, SEEK_SET) == 0 &&
		  fcntl(running->input, F_ADD_SEALS,
				F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0));
}

static pid_t
start_child(const Running *running, int output)
{
	pid_t		parent = getpid();
	pid_t		child;
	sigset_t	all;
	sigset_t	before;

	/* The child must not run the server's handlers. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0)
		be_program(running, output, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child > 0)
		(void) setpgid(child, child);	/* whoever of the two comes first */
	return child;
}

/* False, with the reason in the result, when there is no process. */
static bool
start(Running *running)
{
	int			ends[2];

	if ((running->command->confinement == NULL ||
		 (running->errors = file_in_memory(NULL, 0)) >= 0) &&
		open_input(running) && pipe2(ends, O_CLOEXEC) == 0)
	{
		running->output = ends[0];
		running->child = start_child(running, ends[1]);
		running->result->error = errno;
		close(ends[1]);
	}
	else
		running->result->error = errno;
	return running->child > 0;
}

/* Milliseconds that are left, 0 when none are. */
static long
time_left(const Running *running)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), running->give_up);
}

/* Returns whether there may be something to read. */
static bool
wait_for_output(const Running *running)
{
	int			events = WaitLatchOrSocket(MyLatch,
										   WL_LATCH_SET | WL_SOCKET_READABLE |
										   WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
										   running->output, time_left(running),
										   PG_WAIT_EXTENSION);

	if (events & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return (events & WL_SOCKET_READABLE) != 0;
}

/* Until the program closes its output, or has to be ended. */
static OrlaCommandEnd
read_output(Running *running)
{
	OrlaCommandResult *result = running->result;
	size_t		room = running->command->output_max + 1;

	while (time_left(running) > 0)
	{
		ssize_t		got;

		if (!wait_for_output(running))
			continue;
		got = read(running->output, result->output + result->len, room - result->len);
		if (got == 0)
			return ORLA_COMMAND_ENDED;
		if (got > 0)
			result->len += got;
		else if (errno != EINTR && errno != EAGAIN)
			return ORLA_COMMAND_UNREADABLE;
		if (result->len == room)
			return ORLA_COMMAND_TOO_MUCH;
	}
	return ORLA_COMMAND_TOO_LONG;
}

/*
 * Its end, which need not come with its output's.  What a program under guard
 * has left behind is ended before its number can be another's.
 */
static OrlaCommandEnd
await_end(Running *running)
{
	siginfo_t	info = {0};

	while (waitid(P_PID, running->child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		   info.si_pid == 0)
	{
		if (time_left(running) <= 0)
			return ORLA_COMMAND_TOO_LONG;
		if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					  END_POLL_MS, PG_WAIT_EXTENSION) & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
	}
	if (running->command->confinement != NULL)
		(void) kill(-running->child, SIGKILL);
	while (waitpid(running->child, &running->result->status, 0) < 0 && errno == EINTR)
		;
	running->child = -1;
	return ORLA_COMMAND_ENDED;
}

static void
take_errors(Running *running)
{
	char	   *errors = running->result->errors;
	ssize_t		n = running->errors < 0 ? 0
		: pread(running->errors, errors, ORLA_COMMAND_ERRORS_MAX, 0);

	errors[Max(n, 0)] = '\0';
}

void
orla_command_run(const OrlaCommand *command, OrlaCommandResult *result)
{
	Running		running = {command, result, 0, -1, -1, -1, -1};

	memset(result, 0, sizeof(*result));
	result->output = palloc(command->output_max + 2);
	running.give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), command->timeout_ms);

	PG_ENSURE_ERROR_CLEANUP(forget, PointerGetDatum(&running));
	{
		result->end = start(&running) ? read_output(&running) : ORLA_COMMAND_NOT_RUN;
		if (result->end == ORLA_COMMAND_ENDED)
			result->end = await_end(&running);
	}
	PG_END_ENSURE_ERROR_CLEANUP(forget, PointerGetDatum(&running));

	end_child(&running);
	take_errors(&running);
	clean_up(&running);
	result->len = Min(result->len, command->output_max);
	result->output[result->len] = '\0';
	SetLatch(MyLatch);			/* it may have been meant for others */
}
