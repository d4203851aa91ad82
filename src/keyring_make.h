/*
 * keyring_make.h
 *		New keys of a keyring, and its file.
 *
 * They are added to the ring as a text, which is written and read again: so
 * nothing is handed out that the file does not have.
 */
#ifndef ORLA_KEYRING_MAKE_H
#define ORLA_KEYRING_MAKE_H

#include "postgres.h"

#include "keyring_text.h"

/* Raises 54000 when the ring is full. */
extern void orla_keyring_add_key(OrlaKeyringText *text, OrlaKeyUse use, int64 now,
								 int64 active_from);

/*
 * Writes the file, then wipes the material of the keys from first_new on.
 * replace: as of orla_keyring_write_file().
 */
extern void orla_keyring_write(const char *path, const OrlaKeyringText *text,
							   int first_new, bool replace);

/* A new ring with a key for each use, in a new file. */
extern void orla_keyring_make_file(const char *path);

#endif							/* ORLA_KEYRING_MAKE_H */
