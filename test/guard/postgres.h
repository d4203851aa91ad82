/*
 * postgres.h
 *		Stands before the server's header of this name when test/leaks builds
 *		the module: memory of the server's contexts gets a guard behind its end.
 *
 * A context takes memory from malloc in blocks, so neither valgrind nor the
 * address sanitizer sees where one piece of it ends and the next begins, nor
 * valgrind that a piece is new.  Here some bytes behind each piece that the
 * module asks for must not be touched, until the module frees the piece or the
 * server resets the context; under valgrind the piece counts as undefined until
 * it is written.
 */
#ifndef ORLA_GUARD_H
#define ORLA_GUARD_H

#include_next "postgres.h"

#include "utils/memutils.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define ORLA_FORBID(at, n)		ASAN_POISON_MEMORY_REGION((at), (n))
#define ORLA_ALLOW(at, n)		ASAN_UNPOISON_MEMORY_REGION((at), (n))
#define ORLA_IS_NEW(at, n)		((void) (at))
#else
#include <valgrind/memcheck.h>
#define ORLA_FORBID(at, n)		VALGRIND_MAKE_MEM_NOACCESS((at), (n))
#define ORLA_ALLOW(at, n)		VALGRIND_MAKE_MEM_DEFINED((at), (n))
#define ORLA_IS_NEW(at, n)		VALGRIND_MAKE_MEM_UNDEFINED((at), (n))
#endif

#define ORLA_GUARD_LEN	16

/* What the server keeps in front of a piece, and counts as part of it. */
#if PG_VERSION_NUM >= 160000
#define ORLA_CHUNK_HEADER	8
#else
#define ORLA_CHUNK_HEADER	16
#endif

typedef struct OrlaGuard
{
	MemoryContextCallback callback;
	void	   *piece;
	Size		len;
} OrlaGuard;

static inline void
orla_guard_end(void *arg)
{
	OrlaGuard  *guard = arg;

	ORLA_ALLOW(guard->piece, guard->len);
}

/* piece has room for n bytes that were asked for, and the guard. */
static inline void *
orla_guard(MemoryContext context, void *piece, Size n)
{
	OrlaGuard  *guard = MemoryContextAlloc(context, sizeof(OrlaGuard));

	guard->piece = piece;
	guard->len = n + ORLA_GUARD_LEN;
	guard->callback.func = orla_guard_end;
	guard->callback.arg = guard;
	MemoryContextRegisterResetCallback(context, &guard->callback);
	ORLA_FORBID((char *) piece + n, ORLA_GUARD_LEN);
	return piece;
}

static inline void
orla_unguard(void *piece)
{
	ORLA_ALLOW(piece, GetMemoryChunkSpace(piece) - ORLA_CHUNK_HEADER);
}

static inline void *
orla_guarded_alloc(MemoryContext context, Size n)
{
	void	   *piece = MemoryContextAlloc(context, n + ORLA_GUARD_LEN);

	ORLA_IS_NEW(piece, n);
	return orla_guard(context, piece, n);
}

static inline void *
orla_guarded_alloc_zero(MemoryContext context, Size n)
{
	return memset(orla_guarded_alloc(context, n), 0, n);
}

static inline void *
orla_guarded_realloc(void *piece, Size n)
{
	orla_unguard(piece);
	piece = repalloc(piece, n + ORLA_GUARD_LEN);
	return orla_guard(GetMemoryChunkContext(piece), piece, n);
}

static inline void
orla_guarded_free(void *piece)
{
	orla_unguard(piece);
	pfree(piece);
}

#define palloc(n)						orla_guarded_alloc(CurrentMemoryContext, (n))
#define palloc0(n)						orla_guarded_alloc_zero(CurrentMemoryContext, (n))
#define MemoryContextAlloc(c, n)		orla_guarded_alloc((c), (n))
#define MemoryContextAllocZero(c, n)	orla_guarded_alloc_zero((c), (n))
#define repalloc(p, n)					orla_guarded_realloc((p), (n))
#define pfree(p)						orla_guarded_free(p)

#endif							/* ORLA_GUARD_H */
