/*
 * first.c
 *		Has the address sanitizer set itself up before any library does.
 *
 * It does so at the first allocation, and that may be one of libgpg-error's,
 * which holds a lock of gettext's then that the sanitizer wants as well.
 */
#include <stdlib.h>

void	   *volatile orla_first;

static void __attribute__((constructor))
first(void)
{
	orla_first = malloc(1);
	free(orla_first);
}
