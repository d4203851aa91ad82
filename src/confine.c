/*
 * confine.c
 *		What a program that reads strangers' files may have and do.
 *
 * It runs as the server's own user, and a file may be made to take it over.
 * So the kernel is asked to leave it little: memory and time; of files those
 * that programs are made of, nothing to write (Landlock); no socket, whether to
 * the network or to the server's own, no signal to another process and no look
 * into one (seccomp).  User namespaces would give it a network of its own, but
 * many systems refuse them, and a socket file leads out of them.
 *
 * All of orla_confine() runs between fork and exec: system calls only, nothing
 * that allocates.
 */
#include "postgres.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

/* ---- limits ------------------------------------------------------------- */

#define OPEN_FILES_MAX	64

static bool
limit(int resource, rlim_t value)
{
	struct rlimit both = {value, value};

	return setrlimit(resource, &both) == 0;
}

static bool
limit_resources(const OrlaConfinement *confinement)
{
	return limit(RLIMIT_AS, confinement->memory) &&
		limit(RLIMIT_CPU, confinement->cpu_seconds) &&
		limit(RLIMIT_FSIZE, confinement->file_size) &&
		limit(RLIMIT_NOFILE, OPEN_FILES_MAX) &&
		limit(RLIMIT_CORE, 0) &&
		limit(RLIMIT_MEMLOCK, 0);
}

/* Where memory ends all the same, the kernel should choose this process. */
static void
be_first_to_go(void)
{
	int			fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
	{
		ssize_t		done = write(fd, "1000", 4);

		(void) done;
		close(fd);
	}
}

/* ---- files -------------------------------------------------------------- */

#define READ_RIGHTS		(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)

/* Each version of Landlock knows so many rights. */
static uint64
rights_of_version(long version)
{
	static const int count[] = {13, 14, 15, 15, 16};

	return (UINT64CONST(1) << count[Min(version, (long) lengthof(count)) - 1]) - 1;
}

static long
landlock_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
				   LANDLOCK_CREATE_RULESET_VERSION);
}

/* What is not there needs no permission. */
static bool
allow_reading(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = READ_RIGHTS};
	struct stat st;
	bool		good;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return true;
	good = fstat(rule.parent_fd, &st) == 0;
	if (good && S_ISDIR(st.st_mode))
		rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	good = good && syscall(SYS_landlock_add_rule, ruleset,
						   LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return good;
}

static bool
restrict_files(const char *const *readable)
{
	struct landlock_ruleset_attr attr = {0};
	long		version = landlock_version();
	int			ruleset;
	bool		good = true;

	if (version < 1)
		return true;
	attr.handled_access_fs = rights_of_version(version);
	ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return false;
	for (; good && *readable != NULL; readable++)
		good = allow_reading(ruleset, *readable);
	good = good && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	return good;
}

/* ---- system calls ------------------------------------------------------- */

#if defined(__x86_64__)
#define OWN_ARCHITECTURE	AUDIT_ARCH_X86_64
#define FOREIGN_CALLS		0x40000000	/* x32's, which have other numbers */
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE	AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS		0x40000000
#endif

#ifdef OWN_ARCHITECTURE

static const int refused_calls[] = {
	/* reach another machine, or the server over its socket */
	SYS_socket, SYS_io_uring_setup,
	/* reach another process */
	SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_semctl, SYS_msgget,
#ifdef SYS_pidfd_open
	SYS_pidfd_open, SYS_pidfd_send_signal,
#endif
	/* leave the group that is ended as a whole */
	SYS_setsid, SYS_setpgid,
	/* parts of the kernel that no reader of files needs */
	SYS_unshare, SYS_setns, SYS_mount, SYS_bpf, SYS_perf_event_open,
	SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key
};

#define FIELD(name) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define REFUSE \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static bool
refuse_calls(void)
{
	struct sock_filter filter[6 + 2 * lengthof(refused_calls) + 1] = {
		FIELD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
		REFUSE,
		FIELD(nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1),
		REFUSE
	};
	struct sock_filter *next = filter + 6;
	struct sock_fprog program = {lengthof(filter), filter};
	int			i;

	for (i = 0; i < lengthof(refused_calls); i++)
	{
		*next++ = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused_calls[i], 0, 1);
		*next++ = (struct sock_filter) REFUSE;
	}
	*next = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 ||
		errno == EINVAL;		/* a kernel without */
}

static bool
knows_filters(void)
{
	/* Nobody's filter: EFAULT tells that there could be one. */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 &&
		errno == EFAULT;
}

#else

static bool
refuse_calls(void)
{
	return true;
}

static bool
knows_filters(void)
{
	return false;
}

#endif							/* OWN_ARCHITECTURE */

/* ---- all together ------------------------------------------------------- */

bool
orla_confine(const OrlaConfinement *confinement)
{
	be_first_to_go();
	return limit_resources(confinement) &&
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		restrict_files(confinement->readable) &&
		refuse_calls();
}

const char *
orla_confinement_gap(void)
{
	if (landlock_version() < 1)
		return knows_filters()
			? "The kernel has no Landlock: they could read files of the server."
			: "The kernel has neither Landlock nor filters of system calls: they could read files of the server and reach the network.";
	if (!knows_filters())
		return "The kernel has no filters of system calls: they could reach the network and other processes.";
	return NULL;
}
