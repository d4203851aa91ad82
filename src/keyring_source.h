/*
 * keyring_source.h
 *		Where the keyring's bytes come from and go to: a file or a command.
 */
#ifndef ORLA_KEYRING_SOURCE_H
#define ORLA_KEYRING_SOURCE_H

#include "postgres.h"

#include <sys/stat.h>

/* What tells one state of a file from another. */
typedef struct OrlaFileStamp
{
	dev_t		dev;
	ino_t		ino;
	off_t		size;
	struct timespec modified;
	struct timespec changed;	/* also by chmod and chown */
} OrlaFileStamp;

/* orla.keyring_file as an absolute path, palloc'd. */
extern char *orla_keyring_path(void);

/* The path as far as an error message may show it. */
extern const char *orla_keyring_shown(const char *path);

/* False when there is no such file; other errors are raised. */
extern bool orla_keyring_stat(const char *path, OrlaFileStamp *stamp);

/* Likewise, but every error is false. */
extern bool orla_keyring_stamp(const char *path, OrlaFileStamp *stamp);

/*
 * The bytes of the file, palloc'd, to be wiped by the caller; NULL when there
 * is no such file.  Raises when others than the server's user may read it, it
 * is not the server's user's, or it is a symbolic link.
 */
extern char *orla_keyring_read_file(const char *path, size_t *len, OrlaFileStamp *stamp);

/* Likewise what orla.keyring_command prints, within some seconds. */
extern char *orla_keyring_read_command(size_t *len);

/*
 * Writes the file with mode 0600, durably and in one step.  Without replace,
 * a file that somebody else made meanwhile stays as it is.
 */
extern void orla_keyring_write_file(const char *path, const char *text,
									size_t len, bool replace);

/*
 * Keeps other processes from changing the file: a descriptor to be closed by
 * orla_keyring_unlock(), or by the end of the transaction.
 */
extern int	orla_keyring_lock(const char *path);
extern void orla_keyring_unlock(int lock);

#endif							/* ORLA_KEYRING_SOURCE_H */
