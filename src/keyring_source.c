/*
 * keyring_source.c
 *		Where the keyring's bytes come from and go to: a file or a command.
 *
 * Files are opened by the server's transient descriptors, which an error
 * closes.  The command runs in a process group of its own, so that it can be
 * ended with all that it has started.
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#include "keyring_source.h"
#include "keyring_text.h"
#include "settings.h"

/* How long the command may take, and how often interrupts are looked for. */
#define COMMAND_TIMEOUT_MS	10000
#define COMMAND_POLL_MS		50

/* How long to wait for another process that changes the file. */
#define LOCK_TIMEOUT_MS		5000
#define LOCK_RETRY_MS		10

char *
orla_keyring_path(void)
{
	return is_absolute_path(orla_keyring_file) ? pstrdup(orla_keyring_file)
		: psprintf("%s/%s", DataDir, orla_keyring_file);
}

static void
fill_stamp(const struct stat *st, OrlaFileStamp *stamp)
{
	memset(stamp, 0, sizeof(*stamp));
	stamp->dev = st->st_dev;
	stamp->ino = st->st_ino;
	stamp->size = st->st_size;
	stamp->modified = st->st_mtim;
	stamp->changed = st->st_ctim;
}

static void
raise_file_error(const char *path, const char *what)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not %s keyring file \"%s\": %m", what, path)));
}

bool
orla_keyring_stat(const char *path, OrlaFileStamp *stamp)
{
	struct stat st;

	if (stat(path, &st) != 0)
	{
		if (errno == ENOENT)
			return false;
		raise_file_error(path, "read");
	}
	fill_stamp(&st, stamp);
	return true;
}

/* Keys that somebody else may read are keys that somebody else has. */
static void
check_access(const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is not a regular file", path)));
	if (st->st_uid != geteuid())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is refused", path),
				 errdetail("It does not belong to the user that the server runs as."),
				 errhint("Give it to that user with chown.")));
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is refused", path),
				 errdetail("Others than its owner have access to it: its mode is %04o.",
						   (unsigned int) (st->st_mode & 07777)),
				 errhint("Use chmod 600, then orla.rotate_keys(): others may have read the keys.")));
	if (st->st_size > ORLA_KEYRING_TEXT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is refused", path),
				 errdetail("It is larger than a keyring can be.")));
}

char *
orla_keyring_read_file(const char *path, size_t *len, OrlaFileStamp *stamp)
{
	struct stat st;
	char	   *text;
	ssize_t		got;
	size_t		have = 0;
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);

	if (fd < 0)
	{
		if (errno == ENOENT)
			return NULL;
		raise_file_error(path, "open");
	}
	if (fstat(fd, &st) != 0)
		raise_file_error(path, "read");
	check_access(path, &st);
	fill_stamp(&st, stamp);

	text = palloc(st.st_size + 1);
	while (have < st.st_size &&
		   (got = read(fd, text + have, st.st_size - have)) != 0)
	{
		if (got < 0 && errno != EINTR)
			raise_file_error(path, "read");
		if (got > 0)
			have += got;
	}
	CloseTransientFile(fd);
	text[have] = '\0';
	*len = have;
	return text;
}

/* In the child: output to the pipe, everything else closed by exec. */
static void
run_command(int output)
{
	setpgid(0, 0);
	dup2(output, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", orla_keyring_command, (char *) NULL);
	_exit(127);
}

static void
raise_command_error(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("orla.keyring_command failed"),
			 errdetail_internal("%s", detail),
			 errhint("It must print the keyring and end with status 0; its error output is in the server log.")));
}

/*
 * Reads until the command closes its output.  NULL when all went well; else
 * what went wrong.  Raises nothing, for the child must be waited for.
 */
static const char *
read_output(int fd, char *text, size_t *len)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  COMMAND_TIMEOUT_MS);
	struct pollfd waiting = {fd, POLLIN, 0};

	*len = 0;
	for (;;)
	{
		ssize_t		got;

		if (GetCurrentTimestamp() > give_up)
			return "It did not end in time.";
		if (QueryCancelPending || ProcDiePending)
			return "It was cancelled.";
		if (poll(&waiting, 1, COMMAND_POLL_MS) <= 0)
			continue;
		got = read(fd, text + *len, ORLA_KEYRING_TEXT_MAX + 1 - *len);
		if (got == 0)
			return NULL;
		if (got > 0)
			*len += got;
		else if (errno != EINTR && errno != EAGAIN)
			return "Its output could not be read.";
		if (*len > ORLA_KEYRING_TEXT_MAX)
			return "It prints more than a keyring can be.";
	}
}

char *
orla_keyring_read_command(size_t *len)
{
	char	   *text = palloc(ORLA_KEYRING_TEXT_MAX + 2);
	const char *problem;
	int			ends[2];
	int			status = 0;
	pid_t		child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		ereport(ERROR, (errmsg("could not run orla.keyring_command: %m")));
	child = fork();
	if (child == 0)
		run_command(ends[1]);
	close(ends[1]);
	if (child < 0)
	{
		close(ends[0]);
		ereport(ERROR, (errmsg("could not run orla.keyring_command: %m")));
	}

	problem = read_output(ends[0], text, len);
	close(ends[0]);
	if (problem != NULL)
	{
		(void) kill(-child, SIGKILL);
		(void) kill(child, SIGKILL);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (problem == NULL && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		problem = "Its exit status is not 0.";
	if (problem != NULL)
	{
		explicit_bzero(text, *len);
		CHECK_FOR_INTERRUPTS();
		raise_command_error(problem);
	}
	text[*len] = '\0';
	return text;
}

static void
sync_directory(const char *path)
{
	char		directory[MAXPGPATH];
	int			fd;

	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	fd = OpenTransientFile(directory[0] ? directory : ".", O_RDONLY);
	if (fd < 0 || fsync(fd) != 0)
		raise_file_error(path, "make durable");
	CloseTransientFile(fd);
}

/* The whole text in a new file that nobody else can read. */
static void
write_new_file(const char *name, const char *text, size_t len)
{
	int			fd;

	(void) unlink(name);		/* left by a process of this pid that died */
	fd = OpenTransientFilePerm(name, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, S_IRUSR | S_IWUSR);
	if (fd < 0)
		raise_file_error(name, "create");
	if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
		write(fd, text, len) != (ssize_t) len || fsync(fd) != 0)
	{
		int			why = errno;

		(void) unlink(name);
		errno = why == 0 ? ENOSPC : why;
		raise_file_error(name, "write");
	}
	CloseTransientFile(fd);
}

void
orla_keyring_write_file(const char *path, const char *text, size_t len, bool replace)
{
	char	   *name = psprintf("%s.%d.new", path, MyProcPid);
	int			failed;
	int			why;

	write_new_file(name, text, len);
	failed = replace ? rename(name, path) : link(name, path);
	why = errno;
	if (failed || !replace)
		(void) unlink(name);
	if (failed && (replace || why != EEXIST))
	{
		errno = why;
		raise_file_error(path, "create");
	}
	sync_directory(path);
	pfree(name);
}

/*
 * The lock is on the directory, since the file itself is replaced.  It is a
 * lock of the file system: the ring may serve several databases.
 */
int
orla_keyring_lock(const char *path)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  LOCK_TIMEOUT_MS);
	char		directory[MAXPGPATH];
	int			fd;

	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	fd = OpenTransientFile(directory[0] ? directory : ".", O_RDONLY);
	if (fd < 0)
		raise_file_error(path, "lock");
	while (flock(fd, LOCK_EX | LOCK_NB) != 0)
	{
		if (errno != EWOULDBLOCK && errno != EINTR)
			raise_file_error(path, "lock");
		if (GetCurrentTimestamp() > give_up)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("another process is changing keyring file \"%s\"", path)));
		CHECK_FOR_INTERRUPTS();
		pg_usleep(LOCK_RETRY_MS * 1000L);
	}
	return fd;
}

void
orla_keyring_unlock(int lock)
{
	CloseTransientFile(lock);
}
