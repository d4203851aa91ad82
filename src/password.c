/*
 * password.c
 *		Passwords: Argon2id for SQL, so many at a time.
 *
 * A hash takes tens of megabytes and most of a tenth of a second.  How many
 * are computed at once in the whole server is bounded by
 * orla.max_concurrent_hashes, else a flood of sign-ins would take its memory.
 * The bound needs no shared memory of ours: a slot is a heavyweight lock,
 * which the server takes back from whoever fails.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "crypto_password.h"
#include "errors.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_hash_password);
PG_FUNCTION_INFO_V1(orla_verify_password);
PG_FUNCTION_INFO_V1(orla_password_needs_rehash);

#define LANES			1

/* How long to wait for a slot, and how often to look. */
#define SLOT_WAIT_MS	5000
#define SLOT_RETRY_MS	10

/*
 * Advisory locks of SQL have 1 or 2 in the last field: nobody can take a slot
 * by name.  Database 0: the bound is the server's.
 */
#define SLOT_CLASS		0x6f72
#define SLOT_NAMESPACE	0x6c61

/* Fewer passes than these fall below OWASP's floor for so little memory. */
static uint32
passes(void)
{
	static const struct
	{
		int			memory;		/* kB */
		int			passes;
	}			floor[] = {{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {0, 5}};
	int			i = 0;

	while (orla_password_memory < floor[i].memory)
		i++;
	return Max(orla_password_passes, floor[i].passes);
}

static void
slot_tag(int slot, LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, InvalidOid, SLOT_NAMESPACE, slot, SLOT_CLASS);
}

/* The slot taken; waits a little where all are. */
static int
take_slot(void)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  SLOT_WAIT_MS);

	for (;;)
	{
		LOCKTAG		tag;
		int			slot;

		for (slot = 0; slot < orla_max_concurrent_hashes; slot++)
		{
			slot_tag(slot, &tag);
			if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_OK)
				return slot;
		}
		if (GetCurrentTimestamp() >= give_up)
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("Too many passwords are being checked at once."),
					 errhint("Raise orla.max_concurrent_hashes where the server has memory and processors for it.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 SLOT_RETRY_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
leave_slot(int slot)
{
	LOCKTAG		tag;

	slot_tag(slot, &tag);
	(void) LockRelease(&tag, ExclusiveLock, false);
}

/* orla.hash_password(password text) → text, a PHC string */
Datum
orla_hash_password(PG_FUNCTION_ARGS)
{
	text	   *password = PG_GETARG_TEXT_PP(0);
	char		phc[ORLA_PHC_MAX];
	int			slot = take_slot();
	int			failed = orla_argon2id_hash(VARDATA_ANY(password), VARSIZE_ANY_EXHDR(password),
											orla_password_memory, passes(), LANES,
											phc, sizeof(phc));

	leave_slot(slot);
	if (failed)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not hash a password"),
				 errdetail("Argon2id needs %d kB.", orla_password_memory)));
	PG_RETURN_TEXT_P(cstring_to_text(phc));
}

/* orla.verify_password(password text, hash text) → boolean */
Datum
orla_verify_password(PG_FUNCTION_ARGS)
{
	text	   *password = PG_GETARG_TEXT_PP(0);
	char	   *phc = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			slot = take_slot();
	int			result = orla_argon2id_verify(phc, VARDATA_ANY(password),
											  VARSIZE_ANY_EXHDR(password));

	leave_slot(slot);
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not check a password"),
				 errdetail("The stored hash is not one of Argon2id, or there is no memory for it.")));
	PG_RETURN_BOOL(result == 0);
}

/* orla.password_needs_rehash(hash text) → boolean */
Datum
orla_password_needs_rehash(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(orla_argon2id_needs_rehash(text_to_cstring(PG_GETARG_TEXT_PP(0)),
											  orla_password_memory, passes(), LANES));
}
