/*
 * settings.c
 *		Every plain setting of orla: variable, definition, check.
 *
 * All but orla.databases are PGC_SUSET: an operator sets them for the server,
 * for a database (ALTER DATABASE … SET) or for a session; a tenant can set none.
 * Alphabetical, here and in docs/settings.md.
 */
#include "postgres.h"

#include <limits.h>

#include "nodes/pg_list.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "http_policy.h"
#include "setting_parse.h"
#include "settings.h"

/*
 * Seconds that an access token is good for.  Sign-out counts at once whatever
 * this says, since the session is looked up in every transaction; the value
 * bounds how long a token lives in systems that only check its signature.
 */
int			orla_access_token_lifetime = 3600;

/* Lets DROP EXTENSION destroy accounts and content; off unless insisted on. */
bool		orla_allow_drop = false;

/* Requests to this machine itself: plain text, any port.  For trials. */
bool		orla_allow_loopback_http = false;

/* The `aud` of every token, asked for and given. */
char	   *orla_audience = NULL;

/* Certificates that other servers' are checked against; empty: the system's. */
char	   *orla_ca_file = NULL;

/*
 * Name of the request header in which a trusted proxy hands over the client's
 * address, such as x-forwarded-for.  Empty: the connection's own address
 * counts.  Set it only where the proxy overwrites what the client sent.
 */
char	   *orla_client_address_header = NULL;

/*
 * Names of the databases that have a worker.  Counts where orla is in
 * shared_preload_libraries.
 */
char	   *orla_databases = NULL;

/* Memory that a program may take which reads the text in a file, in kB. */
int			orla_extract_memory = 512 * 1024;

/* Programs that read PDF, and DOCX and HTML; empty: such files are not read. */
char	   *orla_extract_pdf = NULL;
char	   *orla_extract_python = NULL;

/* The longest text that is kept of a file, in kB; more is cut off. */
int			orla_extract_size = 4096;

/* Milliseconds that reading the text in a file may take. */
int			orla_extract_timeout = 20000;

/* Milliseconds until a connection to another server must be there. */
int			orla_http_connect_timeout = 5000;

/* Where requests to other servers go through; empty: they go straight. */
char	   *orla_http_proxy = NULL;

/* Milliseconds that a request may take in all, where it names no limit. */
int			orla_http_timeout = 15000;

/* First part of `iss`; the database's instance id follows after a colon. */
char	   *orla_issuer = NULL;

/* Seconds that jobs stay known after their end, if their results are elsewhere. */
int			orla_job_retention = 30 * 24 * 3600;

/* Seconds that one request to a model may take. */
int			orla_job_timeout = 300;

/*
 * Seconds between the publication of a new signing key and its first use, so
 * that every HTTP layer has fetched it before it meets a token made with it.
 */
int			orla_key_activation_delay = 60;

/*
 * A command that prints the keyring, for keys kept in a KMS or a vault.  Runs
 * as the server's own user.  Takes the place of orla.keyring_file.
 */
char	   *orla_keyring_command = NULL;

/* The keyring file; a relative name is below the data directory. */
char	   *orla_keyring_file = NULL;

/* Seconds that an address stays locked for an origin after too many failures. */
int			orla_lockout_duration = 1800;

/*
 * Programs that read files at the same time, over the whole cluster; bounds the
 * memory that they can take (this × orla.extract_memory).
 */
int			orla_max_concurrent_extracts = 4;

/*
 * Password hashes computed at the same time, over the whole cluster; bounds
 * the memory that a flood of sign-ins can take (this × orla.password_memory).
 */
int			orla_max_concurrent_hashes = 4;

/* Wrong passwords for one address from one origin before it is locked. */
int			orla_max_failed_sign_ins = 5;

/*
 * Seconds of validity that are left when a worker refreshes an access token of a
 * provider; never more than half of its life.
 */
int			orla_refresh_margin = 300;

/* The largest file that is fetched from a provider, in kB. */
int			orla_max_download = 100 * 1024;

/* Jobs that a worker has under way at the same time, of all and of one tenant. */
int			orla_max_jobs = 8;
int			orla_max_jobs_per_tenant = 2;

/* Jobs that a tenant may have waiting and under way. */
int			orla_max_queued_jobs = 100;
/* What the brand material of a tenant may take in all, in kB. */
int			orla_max_material = 500 * 1024;

/* Requests to providers and mail servers that a worker makes at the same time. */
int			orla_max_requests_in_flight = 64;

/* The largest file that is uploaded, in kB. */
int			orla_max_upload = 20 * 1024;

/* Argon2id memory cost in kB; OWASP's floor for one pass is 46 MiB. */
int			orla_password_memory = 47104;

/* Argon2id time cost. */
int			orla_password_passes = 1;

/*
 * Servers of the operator's own network that a model may have: hosts with their
 * ports.  Requests of models alone go there, also in plain text.
 */
char	   *orla_private_hosts = NULL;

/* Where people reach the application; links in mails begin with it. */
char	   *orla_public_url = NULL;

/*
 * Seconds in which a rotated refresh token still yields its one child, for
 * two tabs that refresh at the same moment.  Later it is theft.
 */
int			orla_refresh_grace = 10;

/* Seconds that a refresh token is good for. */
int			orla_refresh_token_lifetime = 30 * 24 * 3600;

/* Seconds that a link for setting a new password is good for. */
int			orla_reset_lifetime = 3600;

/*
 * Milliseconds that a sign-in takes at least, while accounts with hashes of
 * another cost (bcrypt) remain; hides which accounts those are.
 */
int			orla_sign_in_floor = 400;

/* Algorithm of the next signing key; existing keys keep theirs. */
int			orla_signing_algorithm = 2;

/* Seconds that a link for verifying an e-mail address is good for. */
int			orla_verification_lifetime = 7 * 24 * 3600;

/* The values are those of OrlaAlg in crypto_key.h, one layer up. */
static const struct config_enum_entry signing_algorithms[] = {
	{"HS256", 1, false},
	{"ES256", 2, false},
	{"RS256", 3, false},
	{"EdDSA", 4, false},
	{NULL, 0, false}
};

/* problem is NULL for a good value. */
static bool
is_good(const char *problem)
{
	if (problem != NULL)
		GUC_check_errdetail("%s", problem);
	return problem == NULL;
}

static bool
check_public_url(char **newval, void **extra, GucSource source)
{
	return is_good(orla_public_url_problem(*newval));
}

static bool
check_claim_text(char **newval, void **extra, GucSource source)
{
	return is_good(orla_claim_text_problem(*newval));
}

static bool
check_header_name(char **newval, void **extra, GucSource source)
{
	return is_good(orla_header_name_problem(*newval));
}

/* A list of names as in search_path; which databases there are may change. */
static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *list = pstrdup(*newval);
	List	   *names = NIL;
	bool		good = SplitIdentifierString(list, ',', &names);

	list_free(names);
	pfree(list);
	return is_good(good ? NULL : "The value must be a list of names of databases, separated by commas.");
}

static bool
check_program(char **newval, void **extra, GucSource source)
{
	return is_good(orla_program_problem(*newval));
}

static bool
check_private_hosts(char **newval, void **extra, GucSource source)
{
	return is_good(orla_private_hosts_problem(*newval));
}

static bool
check_http_proxy(char **newval, void **extra, GucSource source)
{
	return is_good(orla_http_proxy_problem(*newval));
}

static void
define_int(const char *name, const char *what, int *variable, int boot,
		   int min, int max, int flags)
{
	DefineCustomIntVariable(name, what, NULL, variable, boot, min, max,
							PGC_SUSET, flags, NULL, NULL, NULL);
}

static void
define_string(const char *name, const char *what, char **variable,
			  const char *boot, int flags, GucStringCheckHook check)
{
	DefineCustomStringVariable(name, what, NULL, variable, boot,
							   PGC_SUSET, flags, check, NULL, NULL);
}

static void
define_token_settings(void)
{
	define_int("orla.access_token_lifetime",
			   "Seconds that an access token is good for.",
			   &orla_access_token_lifetime, 3600, 30, 86400, GUC_UNIT_S);
	define_string("orla.audience",
				  "Audience of the tokens.",
				  &orla_audience, "orla", 0, check_claim_text);
	define_string("orla.issuer",
				  "First part of the tokens' issuer; the instance id follows.",
				  &orla_issuer, "orla", 0, check_claim_text);
	define_int("orla.refresh_grace",
			   "Seconds in which a rotated refresh token still yields its one child.",
			   &orla_refresh_grace, 10, 0, 300, GUC_UNIT_S);
	define_int("orla.refresh_token_lifetime",
			   "Seconds that a refresh token is good for.",
			   &orla_refresh_token_lifetime, 30 * 24 * 3600, 60,
			   400 * 24 * 3600, GUC_UNIT_S);
	define_int("orla.reset_lifetime",
			   "Seconds that a link for setting a new password is good for.",
			   &orla_reset_lifetime, 3600, 60, 7 * 24 * 3600, GUC_UNIT_S);
	define_int("orla.verification_lifetime",
			   "Seconds that a link for verifying an address is good for.",
			   &orla_verification_lifetime, 7 * 24 * 3600, 60,
			   90 * 24 * 3600, GUC_UNIT_S);
}

static void
define_key_settings(void)
{
	define_int("orla.key_activation_delay",
			   "Seconds between publication and first use of a signing key.",
			   &orla_key_activation_delay, 60, 0, 86400, GUC_UNIT_S);
	define_string("orla.keyring_command",
				  "Command that prints the keyring.",
				  &orla_keyring_command, "", GUC_SUPERUSER_ONLY, NULL);
	define_string("orla.keyring_file",
				  "File that holds the keyring.",
				  &orla_keyring_file, "orla.keyring", GUC_SUPERUSER_ONLY, NULL);
	DefineCustomEnumVariable("orla.signing_algorithm",
							 "Algorithm of the next signing key.",
							 NULL, &orla_signing_algorithm, 2,
							 signing_algorithms, PGC_SUSET, 0,
							 NULL, NULL, NULL);
}

static void
define_worker_settings(void)
{
	DefineCustomStringVariable("orla.databases",
							   "Databases that have a worker.",
							   NULL, &orla_databases, "", PGC_SIGHUP,
							   GUC_LIST_INPUT, check_databases, NULL, NULL);
	define_int("orla.job_retention",
			   "Seconds that jobs stay known after their end.",
			   &orla_job_retention, 30 * 24 * 3600, 3600, 3650 * 24 * 3600, GUC_UNIT_S);
	define_int("orla.job_timeout",
			   "Seconds that one request to a model may take.",
			   &orla_job_timeout, 300, 1, 3600, GUC_UNIT_S);
	define_int("orla.max_download",
			   "The largest file that is fetched from a provider.",
			   &orla_max_download, 100 * 1024, 1, 512 * 1024, GUC_UNIT_KB);
	define_int("orla.max_jobs",
			   "Jobs that a worker has under way at the same time.",
			   &orla_max_jobs, 8, 1, 1000, 0);
	define_int("orla.max_jobs_per_tenant",
			   "Jobs of one tenant that a worker has under way at the same time.",
			   &orla_max_jobs_per_tenant, 2, 1, 1000, 0);
	define_int("orla.max_queued_jobs",
			   "Jobs that a tenant may have waiting and under way.",
			   &orla_max_queued_jobs, 100, 1, 100000, 0);
	define_int("orla.max_requests_in_flight",
			   "Requests that a worker makes at the same time.",
			   &orla_max_requests_in_flight, 64, 1, 1000, 0);
	define_int("orla.refresh_margin",
			   "Seconds of validity left when a provider's token is refreshed.",
			   &orla_refresh_margin, 300, 0, 86400, GUC_UNIT_S);
}

static void
define_extract_settings(void)
{
	define_int("orla.extract_memory",
			   "Memory that a program may take which reads the text in a file.",
			   &orla_extract_memory, 512 * 1024, 64 * 1024, 16 * 1024 * 1024, GUC_UNIT_KB);
	define_string("orla.extract_pdf",
				  "Program that reads the text in a PDF.",
				  &orla_extract_pdf, "/usr/bin/pdftotext", GUC_SUPERUSER_ONLY, check_program);
	define_string("orla.extract_python",
				  "Python, which reads the text in DOCX and HTML.",
				  &orla_extract_python, "/usr/bin/python3", GUC_SUPERUSER_ONLY, check_program);
	define_int("orla.extract_size",
			   "The longest text that is kept of a file.",
			   &orla_extract_size, 4096, 1, 32 * 1024, GUC_UNIT_KB);
	define_int("orla.extract_timeout",
			   "Milliseconds that reading the text in a file may take.",
			   &orla_extract_timeout, 20000, 100, 600000, GUC_UNIT_MS);
	define_int("orla.max_concurrent_extracts",
			   "Programs that read files at the same time in the cluster.",
			   &orla_max_concurrent_extracts, 4, 1, 64, 0);
}

static void
define_material_settings(void)
{
	define_int("orla.max_material",
			   "What the brand material of a tenant may take.",
			   &orla_max_material, 500 * 1024, 1, 1024 * 1024 * 1024, GUC_UNIT_KB);
	define_int("orla.max_upload",
			   "The largest file that is uploaded.",
			   &orla_max_upload, 20 * 1024, 1, 512 * 1024, GUC_UNIT_KB);
}

static void
define_sign_in_settings(void)
{
	define_string("orla.client_address_header",
				  "Header in which a trusted proxy hands over the client's address.",
				  &orla_client_address_header, "", 0, check_header_name);
	define_int("orla.lockout_duration",
			   "Seconds that an address stays locked for an origin.",
			   &orla_lockout_duration, 1800, 1, 7 * 24 * 3600, GUC_UNIT_S);
	define_int("orla.max_concurrent_hashes",
			   "Password hashes computed at the same time in the cluster.",
			   &orla_max_concurrent_hashes, 4, 1, 64, 0);
	define_int("orla.max_failed_sign_ins",
			   "Wrong passwords for an address from one origin before it is locked.",
			   &orla_max_failed_sign_ins, 5, 1, 1000, 0);
	define_int("orla.password_memory",
			   "Memory cost of a password hash.",
			   &orla_password_memory, 47104, 7168, 1024 * 1024, GUC_UNIT_KB);
	define_int("orla.password_passes",
			   "Time cost of a password hash.",
			   &orla_password_passes, 1, 1, 64, 0);
	define_string("orla.public_url",
				  "Where people reach the application.",
				  &orla_public_url, "http://localhost:3000", 0,
				  check_public_url);
	define_int("orla.sign_in_floor",
			   "Least time of a sign-in while hashes of another cost remain.",
			   &orla_sign_in_floor, 400, 0, 10000, GUC_UNIT_MS);
}

static void
define_network_settings(void)
{
	DefineCustomBoolVariable("orla.allow_loopback_http",
							 "Allows requests to this machine, in plain text and to any port.",
							 NULL, &orla_allow_loopback_http, false, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	define_string("orla.ca_file",
				  "File of the certificates that other servers' are checked against.",
				  &orla_ca_file, "", GUC_SUPERUSER_ONLY, NULL);
	define_int("orla.http_connect_timeout",
			   "Milliseconds until a connection to another server must be there.",
			   &orla_http_connect_timeout, 5000, 100, 60000, GUC_UNIT_MS);
	define_string("orla.http_proxy",
				  "Proxy for requests to other servers.",
				  &orla_http_proxy, "", GUC_SUPERUSER_ONLY, check_http_proxy);
	define_int("orla.http_timeout",
			   "Milliseconds that a request to another server may take.",
			   &orla_http_timeout, 15000, 100, 600000, GUC_UNIT_MS);
	define_string("orla.private_hosts",
				  "Servers of the own network that a model may have, as host:port.",
				  &orla_private_hosts, "", GUC_SUPERUSER_ONLY, check_private_hosts);
}

void
orla_settings_init(void)
{
	define_token_settings();
	define_key_settings();
	define_sign_in_settings();
	define_worker_settings();
	define_network_settings();
	define_extract_settings();
	define_material_settings();
	DefineCustomBoolVariable("orla.allow_drop",
							 "Lets DROP EXTENSION destroy accounts and content.",
							 NULL, &orla_allow_drop, false, PGC_SUSET, 0,
							 NULL, NULL, NULL);
}
