/*
 * http_library.c
 *		libcurl in a process of the server: signals, memory, its setting up.
 */
#include "postgres.h"

#include <malloc.h>

#include "miscadmin.h"

#include "http_transfer.h"

void
orla_http_block_signals(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, saved);
}

void
orla_http_unblock_signals(const sigset_t *saved)
{
	(void) sigprocmask(SIG_SETMASK, saved, NULL);
}

/* What it frees has held tokens, in lists of headers and in buffers. */
static void
wiping_free(void *memory)
{
	if (memory != NULL)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

static void *
wiping_realloc(void *memory, size_t size)
{
	size_t		old = memory == NULL ? 0 : malloc_usable_size(memory);
	void	   *grown = malloc(size);

	if (grown == NULL)
		return NULL;
	if (old > 0)
		memcpy(grown, memory, Min(old, size));
	wiping_free(memory);
	return grown;
}

static bool
set_up_library(void)
{
	sigset_t	saved;
	bool		done;

	orla_http_block_signals(&saved);
	done = curl_global_init_mem(CURL_GLOBAL_ALL, malloc, wiping_free, wiping_realloc,
								strdup, calloc) == CURLE_OK &&
		(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SSL) != 0 &&
		(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) != 0;
	orla_http_unblock_signals(&saved);
	return done;
}

/* Once in a process, and never in the one that others are forked from. */
void
orla_http_require_library(void)
{
	static bool there = false;

	Assert(IsUnderPostmaster || !IsPostmasterEnvironment);
	if (!there && !set_up_library())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl cannot be used"),
				 errdetail("It could not be set up, or lacks TLS or a resolver that does not wait.")));
	there = true;
}
