/*
 * worker_list.c
 *		What a worker has under way, and in which list each of it is.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "worker_list.h"

OrlaTask   *orla_task_current = NULL;

static dlist_head lists[ORLA_TASK_LISTS] = {
	DLIST_STATIC_INIT(lists[ORLA_TASKS_REQUESTING]),
	DLIST_STATIC_INIT(lists[ORLA_TASKS_APART]),
	DLIST_STATIC_INIT(lists[ORLA_TASKS_READY]),
	DLIST_STATIC_INIT(lists[ORLA_TASKS_WAITING]),
	DLIST_STATIC_INIT(lists[ORLA_TASKS_ASIDE]),
};

dlist_head *
orla_list(OrlaTaskList list)
{
	return &lists[list];
}

/* ---- the life of a task -------------------------------------------------- */

OrlaTask *
orla_task_make(void)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla task",
												 ALLOCSET_DEFAULT_SIZES);
	OrlaTask   *task = MemoryContextAllocZero(memory, sizeof(OrlaTask));

	task->memory = memory;
	task->began_at = GetCurrentTimestamp();
	return task;
}

void
orla_wipe_and_free(Jsonb **jsonb)
{
	if (*jsonb == NULL)
		return;
	explicit_bzero(*jsonb, VARSIZE(*jsonb));
	pfree(*jsonb);
	*jsonb = NULL;
}

/* Those that waited for the key can run again. */
static void
release_waiters(const char *key)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &lists[ORLA_TASKS_WAITING])
	{
		OrlaTask   *task = orla_task_of(iter.cur);

		if (strcmp(task->waits_for, key) == 0)
		{
			task->began_at = GetCurrentTimestamp();
			orla_task_move(task, ORLA_TASKS_READY);
		}
	}
}

void
orla_task_free(OrlaTask *task)
{
	if (orla_task_current == task)
		orla_task_current = NULL;
	if (task->key != NULL)
		release_waiters(task->key);
	orla_wipe_and_free(&task->args);
	orla_wipe_and_free(&task->call_args);
	orla_wipe_and_free(&task->state);
	orla_wipe_and_free(&task->response);
	orla_wipe_and_free(&task->result);
	orla_apart_leave(&task->apart);
	if (task->segment != NULL)
		dsm_detach(task->segment);
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(task->memory);
}

/* ---- lists --------------------------------------------------------------- */

void
orla_task_put(OrlaTask *task, OrlaTaskList list)
{
	dlist_push_tail(&lists[list], &task->node);
	if (orla_task_current == task)
		orla_task_current = NULL;
}

void
orla_task_move(OrlaTask *task, OrlaTaskList list)
{
	dlist_delete(&task->node);
	dlist_push_tail(&lists[list], &task->node);
}

void
orla_task_put_before_recordings(OrlaTask *task)
{
	dlist_iter	iter;

	dlist_foreach(iter, &lists[ORLA_TASKS_READY])
	{
		OrlaTask   *other = orla_task_of(iter.cur);

		if (other->responded || other->records)
		{
			dlist_insert_before(iter.cur, &task->node);
			if (orla_task_current == task)
				orla_task_current = NULL;
			return;
		}
	}
	orla_task_put(task, ORLA_TASKS_READY);
}

static bool
has_key(const OrlaTask *task, const char *key)
{
	return task->key != NULL && strcmp(task->key, key) == 0;
}

bool
orla_task_is_in_flight(const char *key)
{
	int			i;

	for (i = 0; i < ORLA_TASK_LISTS; i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &lists[i])
		{
			if (has_key(orla_task_of(iter.cur), key))
				return true;
		}
	}
	return orla_task_current != NULL && has_key(orla_task_current, key);
}

void
orla_tasks_forget_callers(void)
{
	int			i;

	for (i = 0; i < ORLA_TASK_LISTS; i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &lists[i])
		{
			OrlaTask   *task = orla_task_of(iter.cur);

			if (task->segment == NULL || !orla_call_is_left(dsm_segment_address(task->segment)))
				continue;
			dsm_detach(task->segment);
			task->segment = NULL;
			task->call = NULL;
		}
	}
}

int
orla_tasks_on_the_way_to(const char *operation)
{
	int			n = 0;
	int			i;

	for (i = 0; i < ORLA_TASK_LISTS; i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &lists[i])
			n += strcmp(orla_task_of(iter.cur)->operation, operation) == 0;
	}
	return n;
}
