/*
 * extract.c
 *		orla.extract_text(): the text in a file.
 *
 * Text, Markdown and CSV are decoded here; that is a loop over bytes.  What has
 * to be parsed or unpacked is read by programs of Debian's, in a process under
 * guard (confine.c): pdftotext, and Python with share/orla_extract.py.
 *
 * Whatever the file is, the call ends with an outcome and not with an error: a
 * file that cannot be read is kept all the same.  Where too many are read at
 * once it does end with an error, since the file would have a text later.
 */
#include "postgres.h"

#include <signal.h>
#include <sys/wait.h>

#include "catalog/namespace.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "charset.h"
#include "command.h"
#include "errors.h"
#include "extract.h"
#include "file_kind.h"
#include "place.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_extract_text_sql);

#define TYPE_DOCX	"application/vnd.openxmlformats-officedocument.wordprocessingml.document"

/* What Python and share/orla_extract.py end with. */
enum
{
	SCRIPT_NOT_RUN = 1,			/* a module is missing */
	SCRIPT_NOT_FOUND,
	SCRIPT_ENCRYPTED,
	SCRIPT_DAMAGED,
	SCRIPT_TOO_LARGE,
	SCRIPT_UNKNOWN
};

#define ERROR_OUTPUT_MAX	(64 * 1024)

/* ---- what came out ------------------------------------------------------ */

static bool
is_blank(const char *text, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (strchr(" \t\r\n\f\v", text[i]) == NULL)
			return false;
	}
	return true;
}

/* Takes the text, which is in some character set, as far as there is room for it. */
static void
take_text(OrlaExtract *extract, OrlaCharset charset, const uint8 *bytes, size_t len, bool cut)
{
	size_t		limit = (size_t) orla_extract_size * 1024;
	size_t		room = Min(limit, len * ORLA_CHARSET_GROWTH);
	bool		more;

	extract->text = palloc(room + 1);
	extract->len = orla_charset_to_utf8(charset, bytes, len, extract->text, room, &more);
	extract->text[extract->len] = '\0';
	extract->outcome = cut || more ? "cut" : "found";
	if (is_blank(extract->text, extract->len))
	{
		extract->text = NULL;
		extract->outcome = "no text";
	}
}

/* ---- programs ----------------------------------------------------------- */

/* Where programs and their libraries are; data is kept elsewhere. */
#define PROGRAM_FOLDERS \
	"/bin", "/lib", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", \
	"/usr/share", "/etc/ld.so.cache", "/dev/null"

/* Once for each process that comes to it. */
static void
tell_of_gap(void)
{
	static bool told = false;
	const char *gap = told ? NULL : orla_confinement_gap();

	told = true;
	if (gap != NULL)
		ereport(LOG,
				(errmsg("programs that read files are not confined as they could be"),
				 errdetail_internal("%s", gap)));
}

/* As long as a program may take: then one of those that run has ended. */
static void
take_place(LOCKTAG *place)
{
	if (!orla_place_take(ORLA_PLACE_EXTRACT, orla_max_concurrent_extracts, orla_extract_timeout, place))
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAVAILABLE),
				 errmsg("too many files are read at once"),
				 errhint("Try again in a moment.  Operators may raise orla.max_concurrent_extracts.")));
}

static void
run_program(const char *const *argv, const char *script, const uint8 *bytes, size_t len,
			OrlaCommandResult *result)
{
	const char *const readable[] = {PROGRAM_FOLDERS, argv[0], script, NULL};
	OrlaConfinement confinement = {
		(size_t) orla_extract_memory * 1024,
		orla_extract_timeout / 1000 + 2,
		ERROR_OUTPUT_MAX,
		readable
	};
	OrlaCommand command = {argv, (size_t) orla_extract_size * 1024, orla_extract_timeout,
		&confinement, (const char *) bytes, len};
	LOCKTAG		place;

	tell_of_gap();
	take_place(&place);
	orla_command_run(&command, result);
	orla_place_give_back(&place);
	if (result->end == ORLA_COMMAND_NOT_RUN)
	{
		errno = result->error;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not run \"%s\": %m", argv[0])));
	}
}

/* Programs that get no more memory say so, or are ended in the middle of it. */
static bool
was_short_of_memory(const OrlaCommandResult *result)
{
	static const char *const complaints[] = {"memory", "Memory", "bad_alloc"};
	int			i;

	for (i = 0; i < lengthof(complaints); i++)
	{
		if (strstr(result->errors, complaints[i]) != NULL)
			return true;
	}
	return WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGKILL;
}

/* For the operator, since the file's owner can do nothing about it. */
static const char *
no_tool(const char *program, const char *detail)
{
	ereport(LOG,
			(errmsg("could not read a file with \"%s\"", program),
			 detail[0] == '\0' ? 0 : errdetail_internal("%s", detail)));
	return "no tool";
}

/*
 * What went wrong, NULL when nothing did.  What a status of the program's own
 * means is for own() to say.
 */
static const char *
problem_of(const char *program, const OrlaCommandResult *result,
		   const char *(*own) (const OrlaCommandResult *result))
{
	int			status = result->status;

	if (result->end == ORLA_COMMAND_TOO_LONG)
		return "took too long";
	if (result->end == ORLA_COMMAND_UNREADABLE)
		return "damaged";
	if (result->end == ORLA_COMMAND_TOO_MUCH || status == 0)
		return NULL;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return "took too long";
	if (was_short_of_memory(result))
		return "too large";
	if (WIFEXITED(status) && (WEXITSTATUS(status) == ORLA_COMMAND_UNGUARDED ||
							  WEXITSTATUS(status) == ORLA_COMMAND_NO_PROGRAM))
		return no_tool(program, result->errors);
	return own(result);
}

/* Runs it on the file and takes what it prints. */
static void
read_by_program(OrlaExtract *extract, const char *const *argv, const char *script,
				const char *(*own) (const OrlaCommandResult *result),
				const uint8 *bytes, size_t len)
{
	OrlaCommandResult result;
	bool		cut;

	run_program(argv, script, bytes, len, &result);
	extract->outcome = problem_of(argv[0], &result, own);
	if (extract->outcome != NULL)
		return;
	cut = result.end == ORLA_COMMAND_TOO_MUCH;
	take_text(extract, ORLA_CHARSET_UTF8, (const uint8 *) result.output,
			  cut ? orla_charset_clip(result.output, result.len) : result.len, cut);
}

static const char *
pdf_problem(const OrlaCommandResult *result)
{
	return strstr(result->errors, "Incorrect password") != NULL ? "encrypted" : "damaged";
}

static void
read_pdf(OrlaExtract *extract, const uint8 *bytes, size_t len)
{
	const char *const argv[] = {orla_extract_pdf, "-enc", "UTF-8", "-eol", "unix",
	"-nopgbrk", "/dev/stdin", "-", NULL};

	if (orla_extract_pdf[0] == '\0')
		extract->outcome = "no tool";
	else
		read_by_program(extract, argv, NULL, pdf_problem, bytes, len);
}

static const char *
script_problem(const OrlaCommandResult *result)
{
	int			status = result->status;

	switch (WIFEXITED(status) ? WEXITSTATUS(status) : SCRIPT_DAMAGED)
	{
		case SCRIPT_NOT_FOUND:
		case SCRIPT_NOT_RUN:
			return no_tool(orla_extract_python, result->errors);
		case SCRIPT_ENCRYPTED:
			return "encrypted";
		case SCRIPT_TOO_LARGE:
			return "too large";
		case SCRIPT_UNKNOWN:
			return "unknown format";
	}
	return "damaged";
}

static void
read_by_script(OrlaExtract *extract, const char *how, const uint8 *bytes, size_t len)
{
	char		share[MAXPGPATH];
	char		script[MAXPGPATH + 32];
	const char *const argv[] = {orla_extract_python, "-I", "-S", "-B", script, how, NULL};

	get_share_path(my_exec_path, share);
	snprintf(script, sizeof(script), "%s/extension/orla_extract.py", share);
	if (orla_extract_python[0] == '\0')
		extract->outcome = "no tool";
	else
		read_by_program(extract, argv, script, script_problem, bytes, len);
}

/* ---- by kind ------------------------------------------------------------ */

static void
read_text(OrlaExtract *extract, const uint8 *bytes, size_t len, const char *media_type)
{
	static const char *const known[] = {"text/markdown", "text/csv"};
	size_t		limit = (size_t) orla_extract_size * 1024;
	size_t		mark;
	OrlaCharset charset;
	int			i;

	/* Beyond what is taken nothing matters. */
	charset = orla_charset_of(bytes, len <= limit ? len : orla_charset_clip((const char *) bytes, limit),
							  &mark);
	take_text(extract, charset, bytes + mark, len - mark, false);
	extract->found_type = "text/plain";
	for (i = 0; i < lengthof(known); i++)
	{
		if (orla_is_said_to_be(media_type, known[i]))
			extract->found_type = known[i];
	}
}

static void
read_markup(OrlaExtract *extract, const uint8 *bytes, size_t len)
{
	const char *type = orla_markup_type(bytes, len);

	extract->found_type = type != NULL ? type : "text/html";
	read_by_script(extract, "markup", bytes, len);
}

static void
read_package(OrlaExtract *extract, const uint8 *bytes, size_t len)
{
	read_by_script(extract, "docx", bytes, len);
	extract->found_type = extract->text != NULL || strcmp(extract->outcome, "no text") == 0
		? TYPE_DOCX : "application/zip";
}

void
orla_extract(const uint8 *bytes, size_t len, const char *media_type, OrlaExtract *extract)
{
	memset(extract, 0, sizeof(*extract));
	switch (orla_file_kind(bytes, len, media_type))
	{
		case ORLA_FILE_EMPTY:
			extract->outcome = "no text";
			break;
		case ORLA_FILE_TEXT:
			read_text(extract, bytes, len, media_type);
			break;
		case ORLA_FILE_MARKUP:
			read_markup(extract, bytes, len);
			break;
		case ORLA_FILE_PDF:
			extract->found_type = "application/pdf";
			read_pdf(extract, bytes, len);
			break;
		case ORLA_FILE_PACKAGE:
			read_package(extract, bytes, len);
			break;
		case ORLA_FILE_LOCKED_OFFICE:
			extract->outcome = "encrypted";
			break;
		case ORLA_FILE_OTHER:
			extract->outcome = "unknown format";
			break;
	}
}

/* ---- for SQL ------------------------------------------------------------ */

#define CONVERTED_AT_ONCE 1024

/* In the encoding of the database; a character that it does not have becomes a ?. */
static text *
text_of_database(const OrlaExtract *extract)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = encoding == PG_UTF8 || encoding == PG_SQL_ASCII
		? InvalidOid : FindDefaultConversionProc(PG_UTF8, encoding);
	StringInfoData out;
	char		piece[CONVERTED_AT_ONCE * MAX_CONVERSION_GROWTH + 1];
	size_t		at = 0;

	if (!OidIsValid(conversion))
		return cstring_to_text_with_len(extract->text, extract->len);
	initStringInfo(&out);
	while (at < extract->len)
	{
		size_t		n = orla_charset_clip(extract->text + at, Min(extract->len - at, CONVERTED_AT_ONCE));
		int			done = pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
														 (unsigned char *) extract->text + at, n,
														 (unsigned char *) piece, sizeof(piece), true);

		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(&out, piece);
		at += done;
		if (done < n)
		{
			appendStringInfoChar(&out, '?');
			at += pg_utf_mblen((unsigned char *) extract->text + at);
		}
	}
	return cstring_to_text_with_len(out.data, out.len);
}

/*
 * orla.extract_text(content bytea, media_type text)
 *		→ (full_text text, outcome text, found_type text)
 */
Datum
orla_extract_text_sql(PG_FUNCTION_ARGS)
{
	bytea	   *content = PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0);
	char	   *media_type = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	OrlaExtract extract;
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	orla_extract(content == NULL ? NULL : (uint8 *) VARDATA_ANY(content),
				 content == NULL ? 0 : VARSIZE_ANY_EXHDR(content), media_type, &extract);
	nulls[0] = extract.text == NULL;
	if (extract.text != NULL)
		values[0] = PointerGetDatum(text_of_database(&extract));
	values[1] = CStringGetTextDatum(extract.outcome);
	nulls[2] = extract.found_type == NULL;
	if (extract.found_type != NULL)
		values[2] = CStringGetTextDatum(extract.found_type);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
