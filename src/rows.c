/*
 * rows.c
 *		Look-ups by primary key, past the policies.
 *
 * systable_beginscan() without a snapshot takes a fresh one for a table that
 * has no catalogue cache, so every look-up sees what is committed now: a
 * sign-out counts from the next look-up on, also inside a transaction that
 * runs at REPEATABLE READ.  Row security does not apply at this level, and
 * no SQL runs, so nothing of the caller's search_path is involved.
 *
 * The library may be loaded in databases of others as well.  A table there that
 * is called like one of ours has columns of any type, so what is read here must
 * be a part of the extension, which only a superuser can make.
 *
 * Where tables, indexes and columns are is remembered, since finding them by
 * name costs as much as the look-up itself; the server tells when that may
 * have changed (ALTER, DROP and CREATE EXTENSION).  Rows are not remembered.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "rows.h"
#include "uuidtext.h"

#define COLUMNS_MAX 5

/*
 * A table of orla with its primary key, <table>_pkey.  The install script and
 * this file must agree on the names.
 */
typedef struct Place
{
	const char *table;
	const char *index;
	const char *columns[COLUMNS_MAX];

	bool		known;			/* is the rest right? */
	Oid			table_oid;
	Oid			index_oid;
	AttrNumber	attnos[COLUMNS_MAX];
} Place;

enum
{
	INSTANCE, USERS, SESSIONS, TENANT_KEYS, TENANT_GRANTS, PLACES
};

static Place places[PLACES] = {
	[INSTANCE] = {
		.table = "instance", .index = "instance_pkey",
		.columns = {"singleton", "id", "keyring_id"}
	},
	[USERS] = {
		.table = "users", .index = "users_pkey",
		.columns = {"id", "is_active"}
	},
	[SESSIONS] = {
		.table = "sessions", .index = "sessions_pkey",
		.columns = {"user_id", "id", "generation", "expires_at", "ended_at"}
	},
	[TENANT_KEYS] = {
		.table = "tenant_keys", .index = "tenant_keys_pkey",
		.columns = {"user_id", "wrapped_key", "key_id"}
	},
	[TENANT_GRANTS] = {
		.table = "tenant_grants", .index = "tenant_grants_pkey",
		.columns = {"analyst", "user_id"}
	}
};

static bool watching = false;

/* An open scan of one of the tables by its primary key. */
typedef struct KeyScan
{
	const Place *place;
	Relation	table;
	SysScanDesc scan;
} KeyScan;

/* ---- places ------------------------------------------------------------- */

static void
forget_relation(Datum arg, Oid relid)
{
	int			i;

	for (i = 0; i < PLACES; i++)
	{
		if (!OidIsValid(relid) || places[i].table_oid == relid ||
			places[i].index_oid == relid)
			places[i].known = false;
	}
}

/* A schema was made, dropped or renamed. */
static void
forget_all(Datum arg, int cache, uint32 hash)
{
	forget_relation((Datum) 0, InvalidOid);
}

static void
watch(void)
{
	if (watching)
		return;
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_all, (Datum) 0);
	watching = true;
}

bool
orla_rows_is_ours(Oid table_oid)
{
	Oid			extension = get_extension_oid("orla", true);

	return OidIsValid(extension) &&
		getExtensionOfObject(RelationRelationId, table_oid) == extension;
}

/*
 * False when the extension is not (or not completely) there.  What we hear of
 * changes while we look takes known back, and is not overwritten.
 */
static bool
find_place(Place *place)
{
	Oid			nsp;
	int			i;

	watch();
	place->known = true;
	nsp = get_namespace_oid("orla", true);
	place->table_oid = OidIsValid(nsp)
		? get_relname_relid(place->table, nsp) : InvalidOid;
	place->index_oid = OidIsValid(nsp)
		? get_relname_relid(place->index, nsp) : InvalidOid;
	if (!OidIsValid(place->table_oid) || !OidIsValid(place->index_oid) ||
		!orla_rows_is_ours(place->table_oid))
	{
		place->known = false;
		return false;
	}
	for (i = 0; i < COLUMNS_MAX && place->columns[i] != NULL; i++)
	{
		place->attnos[i] = get_attnum(place->table_oid, place->columns[i]);
		if (place->attnos[i] == InvalidAttrNumber)
		{
			place->known = false;
			elog(ERROR, "column \"%s\" of table \"%s\" is missing",
				 place->columns[i], place->table);
		}
	}
	return true;
}

/*
 * The table, open; NULL when it is not there.  What is found under its lock
 * stays as long as that is held, whatever we hear meanwhile: to look until we
 * hear nothing might take for ever.
 */
static Relation
open_place(Place *place)
{
	for (;;)
	{
		Oid			oid;
		Relation	table;

		if (!place->known && !find_place(place))
			return NULL;
		oid = place->table_oid;
		table = try_table_open(oid, AccessShareLock);
		if (table != NULL &&
			(place->known || (find_place(place) && place->table_oid == oid)))
			return table;

		/* It went, or another has its name, since we looked. */
		if (table != NULL)
			table_close(table, AccessShareLock);
		place->known = false;
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---- scans -------------------------------------------------------------- */

static Datum
uuid_datum(const pg_uuid_t *uuid)
{
	return UUIDPGetDatum(unconstify(pg_uuid_t *, uuid));
}

/*
 * Starts a scan by the first columns of a place, which are its key.  Keys name
 * table columns: systable_beginscan() translates them to the index's.
 */
static bool
begin_scan(KeyScan *ks, int which, RegProcedure equals,
		   const Datum *values, int nvalues, Oid collation)
{
	Place	   *place = &places[which];
	ScanKeyData keys[2];
	int			i;

	ks->place = place;
	ks->table = open_place(place);
	if (ks->table == NULL)
		return false;
	Assert(nvalues <= lengthof(keys));
	for (i = 0; i < nvalues; i++)
	{
		ScanKeyInit(&keys[i], place->attnos[i], BTEqualStrategyNumber, equals,
					values[i]);
		keys[i].sk_collation = collation;
	}
	ks->scan = systable_beginscan(ks->table, place->index_oid, true, NULL,
								  nvalues, keys);
	return true;
}

static void
end_scan(KeyScan *ks)
{
	systable_endscan(ks->scan);
	table_close(ks->table, AccessShareLock);
}

/* A column of the row, by its number in the place. */
static Datum
column(const KeyScan *ks, HeapTuple row, int number, bool *isnull)
{
	return heap_getattr(row, ks->place->attnos[number],
						RelationGetDescr(ks->table), isnull);
}

/* ---- what other modules ask --------------------------------------------- */

bool
orla_rows_instance(pg_uuid_t *id, char keyring_id[ORLA_KEYRING_ID_LEN + 1])
{
	Datum		singleton = BoolGetDatum(true);
	KeyScan		ks;
	HeapTuple	row;
	bool		isnull;
	bool		found;

	if (!begin_scan(&ks, INSTANCE, F_BOOLEQ, &singleton, 1, InvalidOid))
		return false;
	row = systable_getnext(ks.scan);
	found = HeapTupleIsValid(row);
	if (found)
	{
		*id = *DatumGetUUIDP(column(&ks, row, 1, &isnull));
		orla_uuid_print(DatumGetUUIDP(column(&ks, row, 2, &isnull)), keyring_id);
	}
	end_scan(&ks);
	return found;
}

bool
orla_rows_user_is_active(const pg_uuid_t *user_id)
{
	Datum		id = uuid_datum(user_id);
	KeyScan		ks;
	HeapTuple	row;
	bool		isnull;
	bool		active;

	if (!begin_scan(&ks, USERS, F_UUID_EQ, &id, 1, InvalidOid))
		return false;
	row = systable_getnext(ks.scan);
	active = HeapTupleIsValid(row) &&
		DatumGetBool(column(&ks, row, 1, &isnull)) && !isnull;
	end_scan(&ks);
	return active;
}

bool
orla_rows_session(const pg_uuid_t *user_id, const pg_uuid_t *session_id,
				  OrlaSessionRow *session)
{
	Datum		key[2] = {uuid_datum(user_id), uuid_datum(session_id)};
	KeyScan		ks;
	HeapTuple	row;
	bool		isnull;
	bool		found;

	if (!begin_scan(&ks, SESSIONS, F_UUID_EQ, key, 2, InvalidOid))
		return false;
	row = systable_getnext(ks.scan);
	found = HeapTupleIsValid(row);
	if (found)
	{
		session->generation = DatumGetInt32(column(&ks, row, 2, &isnull));
		session->expires_at = DatumGetTimestampTz(column(&ks, row, 3, &isnull));
		(void) column(&ks, row, 4, &isnull);
		session->ended = !isnull;
	}
	end_scan(&ks);
	return found;
}

bool
orla_rows_tenant_key(const pg_uuid_t *user_id, bytea **wrapped,
					 char key_id[ORLA_KEY_ID_LEN + 1])
{
	Datum		id = uuid_datum(user_id);
	KeyScan		ks;
	HeapTuple	row;
	bool		isnull;
	bool		found;

	if (!begin_scan(&ks, TENANT_KEYS, F_UUID_EQ, &id, 1, InvalidOid))
		return false;
	row = systable_getnext(ks.scan);
	found = HeapTupleIsValid(row);
	if (found)
	{
		*wrapped = DatumGetByteaPCopy(column(&ks, row, 1, &isnull));
		strlcpy(key_id, TextDatumGetCString(column(&ks, row, 2, &isnull)),
				ORLA_KEY_ID_LEN + 1);
	}
	end_scan(&ks);
	return found;
}

pg_uuid_t *
orla_rows_grants(const char *analyst, int *count)
{
	NameData	name;
	Datum		key;
	KeyScan		ks;
	HeapTuple	row;
	pg_uuid_t  *tenants = NULL;
	int			room = 0;
	bool		isnull;

	*count = 0;
	namestrcpy(&name, analyst);
	key = NameGetDatum(&name);
	if (!begin_scan(&ks, TENANT_GRANTS, F_NAMEEQ, &key, 1, C_COLLATION_OID))
		return NULL;
	while (HeapTupleIsValid(row = systable_getnext(ks.scan)))
	{
		CHECK_FOR_INTERRUPTS();
		if (*count == room)
		{
			room = Max(16, room * 2);
			tenants = tenants == NULL
				? palloc(room * sizeof(pg_uuid_t))
				: repalloc(tenants, room * sizeof(pg_uuid_t));
		}
		tenants[(*count)++] = *DatumGetUUIDP(column(&ks, row, 1, &isnull));
	}
	end_scan(&ks);
	return tenants;
}
