/*
 * keyring_source.c
 *		Where the keyring's bytes come from and go to: a file or a command.
 *
 * Files are opened by the server's transient descriptors, which an error
 * closes.  The command runs as any other does (command.c), with the server's
 * environment and error output.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#include "command.h"
#include "keyring_source.h"
#include "keyring_text.h"
#include "settings.h"

/* How long the command may take. */
#define COMMAND_TIMEOUT_MS	10000

/* How long to wait for another process that changes the file. */
#define LOCK_TIMEOUT_MS		5000
#define LOCK_RETRY_MS		10

char *
orla_keyring_path(void)
{
	return is_absolute_path(orla_keyring_file) ? pstrdup(orla_keyring_file)
		: psprintf("%s/%s", DataDir, orla_keyring_file);
}

/*
 * The server's own folders are for superusers to know.  A process that works
 * for somebody else is a superuser's only by the way it was started.
 */
const char *
orla_keyring_shown(const char *path)
{
	return superuser_arg(GetSessionUserId()) && !IsBackgroundWorker
		? path : last_dir_separator(path) + 1;
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
			 errmsg("could not %s keyring file \"%s\": %m", what,
					orla_keyring_shown(path))));
}

bool
orla_keyring_stamp(const char *path, OrlaFileStamp *stamp)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return false;
	fill_stamp(&st, stamp);
	return true;
}

bool
orla_keyring_stat(const char *path, OrlaFileStamp *stamp)
{
	if (orla_keyring_stamp(path, stamp))
		return true;
	if (errno != ENOENT)
		raise_file_error(path, "read");
	return false;
}

/* Rotating would replace the link and leave what it leads to as it is. */
static void
raise_link(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("keyring file \"%s\" is refused", orla_keyring_shown(path)),
			 errdetail("It is a symbolic link."),
			 errhint("Let orla.keyring_file name the file itself.")));
}

/* Keys that somebody else may read are keys that somebody else has. */
static void
check_access(const char *path, const struct stat *st)
{
	const char *shown = orla_keyring_shown(path);

	if (!S_ISREG(st->st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is not a regular file", shown)));
	if (st->st_uid != geteuid())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is refused", shown),
				 errdetail("It does not belong to the user that the server runs as."),
				 errhint("Give it to that user with chown.")));
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is refused", shown),
				 errdetail("Others than its owner have access to it: its mode is %04o.",
						   (unsigned int) (st->st_mode & 07777)),
				 errhint("Use chmod 600, then orla.rotate_keys(): others may have read the keys.")));
	if (st->st_size > ORLA_KEYRING_TEXT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keyring file \"%s\" is refused", shown),
				 errdetail("It is larger than a keyring can be.")));
}

char *
orla_keyring_read_file(const char *path, size_t *len, OrlaFileStamp *stamp)
{
	struct stat st;
	char	   *text;
	ssize_t		got;
	size_t		have = 0;
	int			fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | PG_BINARY);

	if (fd < 0)
	{
		if (errno == ENOENT)
			return NULL;
		if (errno == ELOOP)
			raise_link(path);
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

static void
raise_command_error(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("orla.keyring_command failed"),
			 errdetail_internal("%s", detail),
			 errhint("It must print the keyring and end with status 0; its error output is in the server log.")));
}

/* What is wrong with how the command ended, NULL when nothing is. */
static const char *
command_problem(const OrlaCommandResult *result)
{
	switch (result->end)
	{
		case ORLA_COMMAND_TOO_LONG:
			return "It did not end in time.";
		case ORLA_COMMAND_TOO_MUCH:
			return "It prints more than a keyring can be.";
		case ORLA_COMMAND_UNREADABLE:
			return "Its output could not be read.";
		case ORLA_COMMAND_NOT_RUN:
		case ORLA_COMMAND_ENDED:
			break;
	}
	return result->status == 0 ? NULL : "Its exit status is not 0.";
}

char *
orla_keyring_read_command(size_t *len)
{
	const char *const argv[] = {"/bin/sh", "-c", orla_keyring_command, NULL};
	OrlaCommand command = {argv, ORLA_KEYRING_TEXT_MAX, COMMAND_TIMEOUT_MS, NULL, NULL, 0};
	OrlaCommandResult result;
	const char *problem;

	orla_command_run(&command, &result);
	if (result.end == ORLA_COMMAND_NOT_RUN)
	{
		errno = result.error;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not run orla.keyring_command: %m")));
	}
	problem = command_problem(&result);
	if (problem != NULL)
	{
		explicit_bzero(result.output, result.len);
		raise_command_error(problem);
	}
	*len = result.len;
	return result.output;
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
					 errmsg("another process is changing keyring file \"%s\"",
							orla_keyring_shown(path))));
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
