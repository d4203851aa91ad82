/*
 * seal.c
 *		Sealing: authenticated encryption of what a table must not show.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "crypto.h"
#include "draw.h"
#include "seal.h"
#include "seal_key.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_seal_text);
PG_FUNCTION_INFO_V1(orla_unseal_text);

#define FORMAT		0x01
#define HEADER_LEN	(1 + ORLA_SEAL_ID_LEN + ORLA_AEAD_NONCE_LEN)

static void
raise_does_not_open(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg_internal("%s", orla_seal_does_not_open),
			 errdetail_internal("%s", detail)));
}

static void
print_id(const uint8 *id, char text[ORLA_KEY_HEX_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	int			i;

	for (i = 0; i < ORLA_SEAL_ID_LEN; i++)
	{
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	text[ORLA_KEY_HEX_LEN] = '\0';
}

/* What a sealed value is bound to. */
static char *
seal_aad(const pg_uuid_t *tenant, const char *purpose, const uint8 *key_id)
{
	char		uuid[ORLA_UUID_TEXT_LEN + 1] = "instance";
	char		id[ORLA_KEY_HEX_LEN + 1];

	if (tenant != NULL)
		orla_uuid_print(tenant, uuid);
	print_id(key_id, id);
	return psprintf("orla|%s|%s|%s", uuid, purpose, id);
}

bytea *
orla_seal(const void *plain, size_t n, const pg_uuid_t *tenant, const char *purpose)
{
	bytea	   *sealed = palloc(VARHDRSZ + n + ORLA_SEAL_OVERHEAD);
	uint8	   *at = (uint8 *) VARDATA(sealed);
	OrlaSealKey key;
	char	   *aad;
	bool		done;

	if (tenant != NULL)
		orla_seal_key_of_tenant(tenant, &key);
	else
		orla_seal_key_of_instance(NULL, &key);
	SET_VARSIZE(sealed, VARHDRSZ + n + ORLA_SEAL_OVERHEAD);
	at[0] = FORMAT;
	memcpy(at + 1, key.id, ORLA_SEAL_ID_LEN);
	orla_draw(at + 1 + ORLA_SEAL_ID_LEN, ORLA_AEAD_NONCE_LEN);
	aad = seal_aad(tenant, purpose, key.id);
	done = orla_aead_seal(key.bytes, at + 1 + ORLA_SEAL_ID_LEN, aad, strlen(aad), plain, n,
						  at + HEADER_LEN);
	explicit_bzero(&key, sizeof(key));
	pfree(aad);
	if (!done)
		elog(ERROR, "could not seal a value");
	return sealed;
}

char *
orla_unseal(const bytea *sealed, const pg_uuid_t *tenant, const char *purpose, size_t *n)
{
	const uint8 *at = (const uint8 *) VARDATA_ANY(sealed);
	size_t		len = VARSIZE_ANY_EXHDR(sealed);
	char		id[ORLA_KEY_HEX_LEN + 1];
	OrlaSealKey key;
	char	   *plain;
	char	   *aad;
	bool		done;

	if (len < ORLA_SEAL_OVERHEAD || at[0] != FORMAT)
		raise_does_not_open("It is not a sealed value.");
	print_id(at + 1, id);
	if (tenant != NULL)
		orla_seal_key_of_tenant(tenant, &key);
	else
		orla_seal_key_of_instance(id, &key);

	*n = len - ORLA_SEAL_OVERHEAD;
	plain = palloc(*n + 1);
	aad = seal_aad(tenant, purpose, at + 1);
	done = orla_equal(key.id, at + 1, ORLA_SEAL_ID_LEN) &&
		orla_aead_open(key.bytes, at + 1 + ORLA_SEAL_ID_LEN, aad, strlen(aad), at + HEADER_LEN,
					   len - HEADER_LEN, (uint8 *) plain);
	explicit_bzero(&key, sizeof(key));
	pfree(aad);
	if (!done)
		raise_does_not_open("It was sealed for another tenant or purpose, or was changed.");
	plain[*n] = '\0';
	return plain;
}

/* NULL stands for the whole installation. */
static const pg_uuid_t *
tenant_argument(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(1) ? NULL : PG_GETARG_UUID_P(1);
}

/* Part of the additional data, between members of fixed shape. */
static char *
purpose_argument(FunctionCallInfo fcinfo)
{
	char	   *purpose = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (purpose == NULL || purpose[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a purpose is needed"),
				 errdetail("It binds the sealed value to one use.")));
	return purpose;
}

/* orla.seal(secret text, tenant uuid, purpose text) → bytea */
Datum
orla_seal_text(PG_FUNCTION_ARGS)
{
	text	   *secret;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	secret = PG_GETARG_TEXT_PP(0);
	PG_RETURN_BYTEA_P(orla_seal(VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret),
								tenant_argument(fcinfo), purpose_argument(fcinfo)));
}

/* orla.unseal(sealed bytea, tenant uuid, purpose text) → text */
Datum
orla_unseal_text(PG_FUNCTION_ARGS)
{
	char	   *plain;
	text	   *result;
	size_t		n;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	plain = orla_unseal(PG_GETARG_BYTEA_PP(0), tenant_argument(fcinfo),
						purpose_argument(fcinfo), &n);
	if (!pg_verifymbstr(plain, n, true))
	{
		explicit_bzero(plain, n);
		raise_does_not_open("It is not text in the encoding of this database.");
	}
	result = cstring_to_text_with_len(plain, n);
	explicit_bzero(plain, n);
	pfree(plain);
	PG_RETURN_TEXT_P(result);
}
