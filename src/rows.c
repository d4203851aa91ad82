/*
 * rows.c
 *		Look-ups by primary key, past the policies.
 *
 * systable_beginscan() without a snapshot takes a fresh one for a table that
 * has no catalogue cache, so every look-up sees what is committed now: a
 * sign-out counts from the next look-up on, also inside a transaction that
 * runs at REPEATABLE READ.  Row security does not apply at this level, and
 * no SQL runs, so nothing of the caller's search_path is involved.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "rows.h"

/* An open scan of one of orla's tables by its primary key. */
typedef struct KeyScan
{
	Relation	table;
	SysScanDesc scan;
} KeyScan;

static Datum
uuid_datum(const pg_uuid_t *uuid)
{
	return UUIDPGetDatum(unconstify(pg_uuid_t *, uuid));
}

/*
 * Starts a scan of orla.<table> over its index <table>_pkey.  False when the
 * extension is not (or not completely) there.
 */
static bool
begin_scan(KeyScan *ks, const char *table, const char *index,
		   ScanKey keys, int nkeys)
{
	Oid			nsp = get_namespace_oid("orla", true);
	Oid			table_oid;
	Oid			index_oid;

	if (!OidIsValid(nsp))
		return false;
	table_oid = get_relname_relid(table, nsp);
	index_oid = get_relname_relid(index, nsp);
	if (!OidIsValid(table_oid) || !OidIsValid(index_oid))
		return false;

	ks->table = table_open(table_oid, AccessShareLock);
	ks->scan = systable_beginscan(ks->table, index_oid, true, NULL,
								  nkeys, keys);
	return true;
}

static void
end_scan(KeyScan *ks)
{
	systable_endscan(ks->scan);
	table_close(ks->table, AccessShareLock);
}

/* A column of the row by name; the install script and this file must agree. */
static Datum
column(const KeyScan *ks, HeapTuple row, const char *name, bool *isnull)
{
	TupleDesc	desc = RelationGetDescr(ks->table);
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return heap_getattr(row, i + 1, desc, isnull);
	}
	elog(ERROR, "column \"%s\" of table \"%s\" is missing", name,
		 RelationGetRelationName(ks->table));
	return (Datum) 0;			/* keep compilers quiet */
}

/* Position of a primary key's column in its table. */
static void
key_on(ScanKey key, AttrNumber attno, RegProcedure equals, Datum value)
{
	ScanKeyInit(key, attno, BTEqualStrategyNumber, equals, value);
}

/*
 * systable_beginscan() translates table columns to index columns, so keys
 * name table columns.
 */
static AttrNumber
attribute_number(const char *table, const char *name)
{
	Oid			nsp = get_namespace_oid("orla", true);
	Oid			table_oid = OidIsValid(nsp) ? get_relname_relid(table, nsp) : InvalidOid;

	return OidIsValid(table_oid) ? get_attnum(table_oid, name) : InvalidAttrNumber;
}

bool
orla_rows_instance(pg_uuid_t *id, char keyring_id[ORLA_KEYRING_ID_LEN + 1])
{
	ScanKeyData key;
	KeyScan		ks;
	HeapTuple	row;
	AttrNumber	attno = attribute_number("instance", "singleton");
	bool		isnull;
	bool		found = false;

	if (attno == InvalidAttrNumber)
		return false;
	key_on(&key, attno, F_BOOLEQ, BoolGetDatum(true));
	if (!begin_scan(&ks, "instance", "instance_pkey", &key, 1))
		return false;
	row = systable_getnext(ks.scan);
	if (HeapTupleIsValid(row))
	{
		Datum		ring;

		*id = *DatumGetUUIDP(column(&ks, row, "id", &isnull));
		ring = column(&ks, row, "keyring_id", &isnull);
		strlcpy(keyring_id,
				DatumGetCString(DirectFunctionCall1(uuid_out, ring)),
				ORLA_KEYRING_ID_LEN + 1);
		found = true;
	}
	end_scan(&ks);
	return found;
}

bool
orla_rows_user_is_active(const pg_uuid_t *user_id)
{
	ScanKeyData key;
	KeyScan		ks;
	HeapTuple	row;
	AttrNumber	attno = attribute_number("users", "id");
	bool		isnull;
	bool		active = false;

	if (attno == InvalidAttrNumber)
		return false;
	key_on(&key, attno, F_UUID_EQ, uuid_datum(user_id));
	if (!begin_scan(&ks, "users", "users_pkey", &key, 1))
		return false;
	row = systable_getnext(ks.scan);
	if (HeapTupleIsValid(row))
		active = DatumGetBool(column(&ks, row, "is_active", &isnull)) && !isnull;
	end_scan(&ks);
	return active;
}

bool
orla_rows_session(const pg_uuid_t *user_id, const pg_uuid_t *session_id,
				  OrlaSessionRow *session)
{
	ScanKeyData keys[2];
	KeyScan		ks;
	HeapTuple	row;
	AttrNumber	user_attno = attribute_number("sessions", "user_id");
	AttrNumber	id_attno = attribute_number("sessions", "id");
	bool		isnull;
	bool		found = false;

	if (user_attno == InvalidAttrNumber || id_attno == InvalidAttrNumber)
		return false;
	key_on(&keys[0], user_attno, F_UUID_EQ, uuid_datum(user_id));
	key_on(&keys[1], id_attno, F_UUID_EQ, uuid_datum(session_id));
	if (!begin_scan(&ks, "sessions", "sessions_pkey", keys, 2))
		return false;
	row = systable_getnext(ks.scan);
	if (HeapTupleIsValid(row))
	{
		session->generation = DatumGetInt32(column(&ks, row, "generation", &isnull));
		session->expires_at = DatumGetTimestampTz(column(&ks, row, "expires_at", &isnull));
		(void) column(&ks, row, "ended_at", &isnull);
		session->ended = !isnull;
		found = true;
	}
	end_scan(&ks);
	return found;
}

bool
orla_rows_tenant_key(const pg_uuid_t *user_id, bytea **wrapped,
					 char key_id[ORLA_KEY_ID_LEN + 1])
{
	ScanKeyData key;
	KeyScan		ks;
	HeapTuple	row;
	AttrNumber	attno = attribute_number("tenant_keys", "user_id");
	bool		isnull;
	bool		found = false;

	if (attno == InvalidAttrNumber)
		return false;
	key_on(&key, attno, F_UUID_EQ, uuid_datum(user_id));
	if (!begin_scan(&ks, "tenant_keys", "tenant_keys_pkey", &key, 1))
		return false;
	row = systable_getnext(ks.scan);
	if (HeapTupleIsValid(row))
	{
		char	   *id;

		*wrapped = DatumGetByteaPCopy(column(&ks, row, "wrapped_key", &isnull));
		id = TextDatumGetCString(column(&ks, row, "key_id", &isnull));
		strlcpy(key_id, id, ORLA_KEY_ID_LEN + 1);
		found = true;
	}
	end_scan(&ks);
	return found;
}

pg_uuid_t *
orla_rows_grants(const char *analyst, int *count)
{
	ScanKeyData key;
	KeyScan		ks;
	HeapTuple	row;
	NameData	name;
	AttrNumber	attno = attribute_number("tenant_grants", "analyst");
	pg_uuid_t  *tenants = NULL;
	int			room = 0;
	bool		isnull;

	*count = 0;
	if (attno == InvalidAttrNumber)
		return NULL;
	namestrcpy(&name, analyst);
	key_on(&key, attno, F_NAMEEQ, NameGetDatum(&name));
	key.sk_collation = C_COLLATION_OID;
	if (!begin_scan(&ks, "tenant_grants", "tenant_grants_pkey", &key, 1))
		return NULL;
	while (HeapTupleIsValid(row = systable_getnext(ks.scan)))
	{
		if (*count == room)
		{
			room = Max(16, room * 2);
			tenants = tenants == NULL
				? palloc(room * sizeof(pg_uuid_t))
				: repalloc(tenants, room * sizeof(pg_uuid_t));
		}
		tenants[(*count)++] = *DatumGetUUIDP(column(&ks, row, "user_id", &isnull));
	}
	end_scan(&ks);
	return tenants;
}
