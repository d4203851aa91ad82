#!/usr/bin/perl
# A process for one call stays a moment for the next: what it takes along from one
# to the other (nothing but time that is saved), and what ends it.
#
# Makes a cluster of its own, since that is the case only where orla is preloaded.
# Way 157 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep time);

use Cluster;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 200;

# Three slots are taken by the server's own and orla's launcher: with two of them
# for calls, the second is the last.
my $c = Cluster->new('stay', 'shared_preload_libraries=orla', 'max_worker_processes=4', 'max_parallel_workers=0');
for my $database (qw(app other))
{
	$c->sql("CREATE DATABASE $database;", database => 'postgres');
	$c->sql(<<'SQL', database => $database);
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
CREATE FUNCTION orla.do_probe(args jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    left_behind text := coalesce(current_setting('test.left', true), '');
BEGIN
    PERFORM set_config('test.left', args ->> 'name', true);
    IF args ? 'wait' THEN
        WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND granted) LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
    END IF;
    IF args ? 'fail' THEN
        RAISE EXCEPTION 'as it was asked to';
    END IF;
    RETURN jsonb_build_object('answer', jsonb_build_object('pid', pg_backend_pid(), 'name', args ->> 'name', 'left', left_behind,
        'database', current_database(), 'who', current_user, 'tenant', coalesce(orla.current_tenant()::text, 'nobody'), 'level', current_setting('orla.password_passes')));
END $$;
SQL
}

# pid, name, what was left by the call before, database, role, tenant, a setting.
sub call
{
	my ($name, %with) = @_;
	my $args = delete $with{args} // '{}';
	return $c->sql(call_sql($name, $args), %with);
}

sub call_sql
{
	my ($name, $args) = @_;
	return "SELECT concat_ws(' ', a ->> 'pid', a ->> 'name', '<' || (a ->> 'left') || '>', a ->> 'database', a ->> 'who', a ->> 'tenant', a ->> 'level')"
	  . " FROM orla.perform('probe', '$args'::jsonb || '{\"name\": \"$name\"}') AS a;";
}

sub pid_of { return $_[0] =~ /^(\d+) / ? $1 : "no pid in: $_[0]" }
sub processes { return $c->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla call';", database => 'postgres') }
sub all_gone { return Cluster::waits_until(sub { processes() eq '0' }) }

# A call that comes within the moment that the one before stays; a machine may be
# too busy for that, but not again and again.
sub meets
{
	my ($before, $after) = @_;
	for (1 .. 20)
	{
		my $first = $before->();
		my $second = $after->();
		return ($first, $second) if pid_of($first) eq pid_of($second);
	}
	return ('never', 'met');
}

# ---- what is kept -------------------------------------------------------------------------

my ($first, $second) = meets(sub { call('one') }, sub { call('two') });
is(pid_of($first), pid_of($second), 'the next call is of the same process');
like($second, qr/^\d+ two <> app orla_service nobody 1$/, 'which knows nothing of the one before, and is nobody');
($first, $second) = meets(sub { my $pid = call('failing'); call('failing', args => '{"fail": true}'); $pid }, sub { call('after') });
like($second, qr/ after <> /, 'nor of one that failed');
like(call('failing', args => '{"fail": true}'), qr/^ERROR:  as it was asked to$/, 'whose error its caller has');
ok(all_gone(), 'where nobody calls, it is gone after a moment');
like($c->sql('SELECT 1;'), qr/^1$/, 'and nothing was wrong');

# ---- for whom ------------------------------------------------------------------------------

for (1 .. 20)
{
	$first = call('here');
	my $running = processes();
	$second = call('there', database => 'other');
	last if $running eq '1';
}
isnt(pid_of($second), pid_of($first), 'a call of another database has another process');
like($second, qr/ there <> other orla_service nobody 1$/, 'of that database');

my $lock = $c->session;
$lock->ask('SELECT pg_advisory_lock(4711);');
my ($a, $b) = ($c->session, $c->session);
all_gone();
$_->[0]->send(call_sql($_->[1], '{"wait": true}')) for [ $a, 'a' ], [ $b, 'b' ];
Cluster::waits_until(sub { processes() eq '2' });
$lock->ask('SELECT pg_advisory_unlock(4711);');
my ($of_a, $of_b) = ($a->answer, $b->answer);
isnt(pid_of($of_a), pid_of($of_b), 'two calls at a time have two processes');
like("$of_a, $of_b", qr/ a <> .*, \d+ b <> /, 'and each its own answer');

# The last slot is taken by one that only waits for a call: it makes room.
my $room = 9;
for (1 .. 10)
{
	all_gone();
	$lock->ask('SELECT pg_advisory_lock(4711);');
	$_->send(call_sql('x', '{"wait": true}')) for $a, $b;
	Cluster::waits_until(sub { processes() eq '2' });
	$lock->ask('SELECT pg_advisory_unlock(4711);');
	$_->answer for $a, $b;
	my $began = time;
	like(call('other', database => 'other'), qr/ other orla_service /, 'a call of another database, while all slots are taken');
	$room = time - $began;
	last if $room < 0.7;
}
cmp_ok($room, '<', 0.7, 'does not wait until they go by themselves');

# ---- settings -------------------------------------------------------------------------------

for my $change (['ALTER DATABASE app SET orla.password_passes = 3', '3'], ['ALTER DATABASE app SET orla.password_passes = 4', '4'], ['ALTER DATABASE app RESET orla.password_passes', '1'])
{
	my ($statement, $level) = @$change;
	call('before');
	$c->sql("$statement;");
	like(call('after'), qr/ nobody $level$/, "$statement: counts for the next call");
}
$c->sql('ALTER SYSTEM SET orla.password_passes = 5; SELECT pg_reload_conf();');
ok(Cluster::waits_until(sub { call('reloaded') =~ / nobody 5$/ }), 'so does the file of settings');
$c->sql('ALTER SYSTEM RESET orla.password_passes; SELECT pg_reload_conf();');

# ---- ends ---------------------------------------------------------------------------------------

$first = call('rests');
$c->sql('SELECT pg_terminate_backend(' . pid_of($first) . ');');
like(call('after an end'), qr/ after an end <> /, 'one that was ended while it waited is not missed');

# In the midst of a call that one of them got which had stayed.
for my $end ([ 'pg_terminate_backend', qr/ERROR:  PT503: too busy, try again\nDETAIL:  The process that does the work ended before it was done\./, 'is told' ],
	[ 'pg_cancel_backend', qr/ERROR:  PT503: .*cancel/, 'is told, too' ])
{
	my ($function, $told, $what) = @$end;
	my $answer = '';
	for (1 .. 20)
	{
		$lock->ask('SELECT pg_advisory_lock(4711);');
		my $pid = pid_of(call('stays'));
		$a->ask('\set VERBOSITY verbose');
		$a->send(call_sql('ended', '{"wait": true}'));
		Cluster::waits_until(sub { $c->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla call' AND state = 'active';") eq '1' });
		my $same = $c->sql("SELECT $function(pid) AND pid = $pid FROM pg_stat_activity WHERE backend_type = 'orla call' AND state = 'active';");
		$lock->ask('SELECT pg_advisory_unlock(4711);');
		$answer = $a->answer;
		last if $same eq 't';
	}
	like($answer, $told, "who called one that $function ends $what");
	like(call('next'), qr/ next <> /, 'and the next call is answered');
}

# A caller who leaves: the process goes on, and its answer is nobody's.
$lock->ask('SELECT pg_advisory_lock(4711);');
call('stays');
$a->send(call_sql('left', '{"wait": true}'));
Cluster::waits_until(sub { $c->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla call' AND state = 'active';") eq '1' });
$c->sql("SELECT pg_cancel_backend($a->{backend});");
like($a->answer, qr/ERROR:  57014: /, 'a caller who cancels leaves');
$lock->ask('SELECT pg_advisory_unlock(4711);');
like(call('next'), qr/^\d+ next <> /, 'and his answer is not the answer to the next call');

# ---- what needs the database to itself -----------------------------------------------------------

$_->leave for $a, $b, $lock;
call('there', database => 'other');
is($c->sql('DROP DATABASE other;', database => 'postgres'), '', 'a database can be dropped right after a call');
call('here');
my $began = time;
$c->stop('fast');
cmp_ok(time - $began, '<', 10, 'a server stops while one waits');
unlike(Cluster::slurp($c->{log}), qr/PANIC|TRAP|terminated by signal|was leaked|FATAL:  (?!terminating|the database system|database "other")/, 'and the log has nothing to say of it');

done_testing();
