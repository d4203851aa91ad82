#!/usr/bin/perl
# What must survive its caller: attempts, rotations, sign-outs.  The caller rolls
# back, is cancelled, is ended, vanishes, holds a lock that the work needs, finds
# no process; the server restarts; the process that does the work is killed.
# And the bound on password hashes, over many processes.
#
# Makes a cluster of its own, since it stops processes and restarts the server.
# Ways 57, 90 and 106 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep time);

use Cluster;

my %frozen;

# Whatever hangs fails.
$SIG{ALRM} = sub { die "something hangs\n" };
alarm 600;

my @options = ('max_logical_replication_workers=0', 'max_worker_processes=8');
my $c = Cluster->new('survives', @options);

# before the cluster is stopped
END
{
	my $status = $?;
	alarm 0;
	kill 'CONT', keys %frozen;
	$? = $status;
}

# ---- one psql, one client ----------------------------------------------------

# An error is printed as its SQLSTATE and message.
sub session
{
	my (%with) = @_;
	my $self = $c->session(%with);
	$self->ask("\\set VERBOSITY verbose");
	return $self;
}

sub say_to { my ($self, $sql) = @_; return $self->send("$sql;") }

sub hear { my $answer = $_[0]->answer . "\n"; $answer =~ s/^(?:LOCATION|DETAIL|HINT):.*\n//mg; chomp $answer; return $answer }

sub ask { say_to(@_); return hear($_[0]) }

sub leave
{
	my ($self, $signal) = @_;
	kill $signal, $self->{pid} if $signal;
	return $self->leave;
}

my $control;
sub sql { return ask($control, $_[0]) }

sub poll
{
	my ($what, $true) = @_;
	my $until = time + 60;
	while (time < $until)
	{
		my $found = $true->();
		return $found if $found;
		sleep 0.01;
	}
	die "waited in vain for $what\n";
}

# ---- the process that does the work --------------------------------------------

my $workers = q(SELECT l.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE a.backend_type = 'orla call' AND l.locktype = 'advisory');

sub freeze { $frozen{ $_[0] } = 1 if kill 'STOP', $_[0] }

sub thaw { kill 'CONT', $_[0]; delete $frozen{ $_[0] } }

# What takes a process a while: nobody has this address, so that a whole hash is
# computed, with the costs of now.
my $slow = "SELECT orla_api.login('nobody\@example.org', 'Wrong-Horse-42');";

# Has a session ask for that and stops the process in the midst of the hash.
sub begin_work
{
	my ($session, $before) = @_;
	for (1 .. 10)
	{
		sql("ALTER DATABASE app SET orla.$_") for 'password_memory = 32768', 'password_passes = 20';
		say_to($session, ($before // '') . $slow);
		my $pid = poll('a process', sub { sql($workers) });
		freeze($pid);
		sql("ALTER DATABASE app SET orla.$_") for 'password_memory = 7168', 'password_passes = 1';
		return $pid if sql($workers) eq $pid;
		thaw($pid);
		hear($session);
	}
	die "never in time\n";
}

sub worker_ends { my ($pid) = @_; poll('the end of a process', sub { sql("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)") }) }

my $counted = "SELECT coalesce(max(failed), 0) FROM orla.sign_in_attempts WHERE address_digest = orla.address_digest('nobody\@example.org')";
my $refused = 'ERROR:  PT401: sign-in refused';
my $canceled = 'ERROR:  57014: canceling statement due to user request';
my $busy = 'ERROR:  PT503: too busy, try again';
my $guess = "SELECT orla_api.login('ada\@example.org', 'Wrong-Horse-42');";
my $right = "SELECT orla_api.login('ada\@example.org', 'Correct-Horse-42') -> 'user' ->> 'name';";
my $forget = 'DELETE FROM orla.sign_in_attempts';

sub failed { return sql("SELECT coalesce(max(failed), 0) FROM orla.sign_in_attempts WHERE address_digest = orla.address_digest('ada\@example.org')") }

sub tokens
{
	my ($answer) = @_;
	return map { $answer =~ /"$_": "([^"]+)"/ ? $1 : die "no $_ in $answer\n" } qw(access_token refresh_token);
}

sub worth
{
	my ($access) = @_;
	my $answer = sql("SELECT 'good' FROM orla.authenticate('$access')");
	return $answer eq 'good' ? $answer : ($answer =~ /(PT401)/)[0];
}

# ---- set-up --------------------------------------------------------------------

$c->sql('CREATE DATABASE app', database => 'postgres');
$control = session();
sql('SET client_min_messages = warning; CREATE EXTENSION orla CASCADE');
sql("ALTER DATABASE app SET orla.$_") for 'password_memory = 7168', 'sign_in_floor = 0', 'refresh_grace = 300';
sql("SELECT orla_api.register('Ada', 'ada\@example.org', 'Correct-Horse-42')");
my ($link) = sql('SELECT orla.render_mail(id) FROM orla.outbox') =~ /token=(\S+)/;
sql("SELECT orla_api.verify_email('$link', 'Correct-Horse-42')");
is(sql($right), 'Ada', 'Ada signs in');

# ---- ROLLBACK (security.md 57) -----------------------------------------------------

{
	my $caller = session();
	is(ask($caller, "BEGIN; $guess"), $refused, 'a wrong password, in a transaction');
	ask($caller, 'ROLLBACK');
	is(failed(), 1, 'is counted past ROLLBACK');
	ask($caller, "BEGIN; SAVEPOINT a; $guess");
	ask($caller, 'ROLLBACK TO a; COMMIT');
	is(failed(), 2, 'past ROLLBACK TO SAVEPOINT');
	is(ask($caller, "$guess SELECT 1/0;"), $refused . "\nERROR:  22012: division by zero", 'and in a statement among others');
	is(failed(), 3, 'past an error');
	is(ask($caller, "DO \$\$ BEGIN PERFORM orla_api.login('ada\@example.org', 'Wrong-Horse-42'); EXCEPTION WHEN OTHERS THEN NULL; END \$\$"), '', 'a caller catches the refusal');
	is(failed(), 4, 'which is counted');
	is(sql("SELECT count(*) FROM orla.audit_log WHERE event_type = 'login' AND event_status = 'failure'"), 4, 'each is in the trail');

	my ($access, $refresh) = tokens(ask($caller, "BEGIN; SELECT orla_api.login('ada\@example.org', 'Correct-Horse-42');"));
	ask($caller, 'ROLLBACK');
	is(worth($access), 'good', 'a sign-in that was rolled back is one');
	my (undef, $child) = tokens(ask($caller, "BEGIN; SELECT orla_api.refresh('$refresh');"));
	ask($caller, 'ROLLBACK');
	my (undef, $again) = tokens(ask($caller, "SELECT orla_api.refresh('$refresh')"));
	is($again, $child, 'a rotation that was rolled back is one: the token gives the same child');
	like(ask($caller, "BEGIN; SELECT orla_api.refresh('$child');"), qr/refresh_token/, 'which is good');
	ask($caller, 'ROLLBACK');
	ask($caller, "UPDATE orla.refresh_tokens SET rotated_at = rotated_at - interval '301 seconds'");
	is(ask($caller, "BEGIN; SELECT orla_api.refresh('$refresh');"), 'ERROR:  PT401: refresh refused', 'reuse');
	ask($caller, 'ROLLBACK');
	is(worth($access), 'PT401', 'ends the session past ROLLBACK');

	($access, $refresh) = tokens(sql("SELECT orla_api.login('ada\@example.org', 'Correct-Horse-42')"));
	ask($caller, "BEGIN; SELECT orla_api.logout('$refresh'); ROLLBACK");
	is(worth($access), 'PT401', 'a sign-out that was rolled back is one');
	is(ask($caller, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; $right COMMIT"), "1\nAda", 'a caller of any isolation level signs in');
	leave($caller);
}

# ---- cancelled, ended, gone --------------------------------------------------------

{
	my $caller = session();
	my $pid = begin_work($caller);
	is(sql("SELECT pg_cancel_backend($caller->{backend})"), 't', 'a caller is cancelled while the process works');
	is(hear($caller), $canceled, 'and has its prompt back at once');
	is(sql($counted), 0, 'before the process is done');
	thaw($pid);
	worker_ends($pid);
	is(sql($counted), 1, 'which goes on and counts');

	$pid = begin_work($caller, "SET statement_timeout = '500ms'; ");
	is(hear($caller), 'ERROR:  57014: canceling statement due to statement timeout', 'a statement times out');
	thaw($pid);
	worker_ends($pid);
	is(sql($counted), 2, 'and is counted');
	ask($caller, 'RESET statement_timeout');

	$pid = begin_work($caller);
	is(sql("SELECT pg_terminate_backend($caller->{backend}, 10000)"), 't', 'a caller\'s connection is ended');
	thaw($pid);
	worker_ends($pid);
	is(sql($counted), 3, 'and its attempt counted');
	leave($caller);

	$caller = session();
	$pid = begin_work($caller);
	leave($caller, 'KILL');
	thaw($pid);
	worker_ends($pid);
	is(sql($counted), 4, 'a client vanishes, its attempt is counted');
	poll('the end of its session', sub { sql("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $caller->{backend})") });

	# Before a process had begun there is nothing to count, and nobody learned
	# anything: tried below, where no process is free.
}

# ---- a lock that the work needs ------------------------------------------------------

{
	sql($forget);
	my @holding = (
		[['the counters', 'LOCK TABLE orla.sign_in_attempts', $guess]],
		# these two do not meet
		[['the account', "UPDATE orla.users SET timezone = 'UTC'", $right], ['the trail', 'LOCK TABLE orla.audit_log', $guess]]);
	for my $together (@holding)
	{
		my $began = time;
		my @callers = map { session() } @$together;
		ask($callers[$_], "BEGIN; $together->[$_][1]") for 0 .. $#callers;
		say_to($callers[$_], $together->[$_][2]) for 0 .. $#callers;
		is(hear($callers[$_]), 'ERROR:  PT503: canceling statement due to lock timeout', "a caller that has locked $together->[$_][0] gets an error") for 0 .. $#callers;
		cmp_ok(time - $began, '<', 30, 'and does not hang');
		leave($_) for @callers;
	}
	poll('the end of their locks', sub { sql("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'orla.audit_log'::regclass AND mode = 'AccessExclusiveLock')") });
	is(failed(), 0, 'nothing was half done');
	is(sql($right), 'Ada', 'afterwards all is well');
}

# ---- the bound on password hashes --------------------------------------------------------

{
	my $slots = q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = 0);
	my @many = map { session() } 1 .. 6;
	ask($_, 'SET orla.max_concurrent_hashes = 2; SET orla.password_memory = 19456') for @many;
	say_to($_, "SELECT count(orla.hash_password('x')) FROM generate_series(1, 3)") for @many;
	my ($most, $done, $seen) = (0, 0, 0);
	poll('the hashes', sub {
		my ($now, $busy) = split /\|/, sql("SELECT ($slots), (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid IN (" . join(',', map { $_->{backend} } @many) . '))');
		$most = $now if $now > $most;
		$seen++;
		return $busy == 0;
	});
	is($most, 2, "of six processes two at a time compute hashes (seen in $seen looks)");
	is(join(' ', map { hear($_) } @many), '3 3 3 3 3 3', 'and all get theirs');

	# One has the only place and does not go on.
	my ($holder, $waiter, $third, $fourth) = @many;
	ask($_, 'SET orla.max_concurrent_hashes = 1') for $holder, $waiter, $third;
	ask($holder, 'SET orla.password_passes = 20; SET orla.password_memory = 32768');
	say_to($holder, "SELECT 'made' FROM orla.hash_password('x') AS h WHERE h <> ''");
	poll('its place', sub { sql("SELECT 1 FROM pg_locks WHERE pid = $holder->{backend} AND locktype = 'advisory'") });
	freeze($holder->{backend});
	sql('ALTER DATABASE app SET orla.max_concurrent_hashes = 1');
	my $before = sql('SELECT count(*) FROM orla.audit_log');
	say_to($waiter, "SELECT orla.hash_password('x')");
	say_to($fourth, $guess);
	is(ask($third, "SET statement_timeout = '300ms'; SELECT orla.hash_password('x')"), 'ERROR:  57014: canceling statement due to statement timeout', 'who waits for a place can be cancelled');
	is(hear($waiter), 'ERROR:  PT503: too many sign-ins at once', 'who waits too long is refused');
	is(hear($fourth), 'ERROR:  PT503: too many sign-ins at once', 'so is a sign-in');
	is(failed() . ' ' . (sql('SELECT count(*) FROM orla.audit_log') - $before), '0 0', 'which leaves nothing behind');
	thaw($holder->{backend});
	is(hear($holder), 'made', 'the one goes on');
	is(ask($waiter, "SELECT orla.hash_password('x') <> ''"), 't', 'and makes room');
	is(sql($right), 'Ada', 'for sign-ins as well');
	say_to($holder, "SELECT orla.hash_password('x')");
	poll('its place', sub { sql("SELECT 1 FROM pg_locks WHERE pid = $holder->{backend} AND locktype = 'advisory'") });
	sql("SELECT pg_terminate_backend($holder->{backend}, 30000)");
	is(ask($waiter, "SELECT orla.hash_password('x') <> ''"), 't', 'so does the end of a process');
	sql('ALTER DATABASE app RESET orla.max_concurrent_hashes');
	leave($_) for @many;
}

# ---- keys are rotated in between ---------------------------------------------------------

{
	my ($access, $refresh) = tokens(sql("SELECT orla_api.login('ada\@example.org', 'Correct-Horse-42')"));
	my (undef, $child) = tokens(sql("SELECT orla_api.refresh('$refresh')"));
	my $device = sql("BEGIN; $right SHOW response.headers; COMMIT") =~ /orla_device=([^;]+);/ ? $1 : die;
	sql("SELECT orla_api.forgot_password('ada\@example.org')");
	my $mailed = q(SELECT orla.render_mail(id) FROM orla.outbox ORDER BY created_at DESC LIMIT 1);
	my ($old) = sql($mailed) =~ /token=(\S+)/;
	sql('SELECT * FROM orla.rotate_keys()');
	is((tokens(sql("SELECT orla_api.refresh('$refresh')")))[1], $child, 'a token that was rotated under an older key gives the same child');
	is(worth($access), 'good', 'nobody is signed out');
	sql($guess) for 1 .. 5;
	is(sql($right), $refused, 'an origin is locked');
	is(sql(qq(SELECT set_config('request.cookies', '{"orla_device": "$device"}', false) <> ''; $right SELECT set_config('request.cookies', '', false))), "t\nAda\n", 'a device that an older key made known is known');
	sql("SELECT orla_api.forgot_password('ada\@example.org')");
	my ($new) = sql($mailed) =~ /token=(\S+)/;
	isnt($new, $old, 'a link under a new key is a new one');
	like(sql("SELECT orla_api.reset_password('$new', 'Correct-Horse-42')"), qr/has been changed/, 'and works');
}

# ---- restarts -----------------------------------------------------------------------------

sub reconnect
{
	leave($control);
	$control = poll('the server', sub {
		return if $c->sql('SELECT 1') ne '1';
		return session();
	});
}

{
	sql($forget);
	sql($guess) for 1 .. 3;
	$c->stop('fast');
	$c->start(@options);
	reconnect();
	is(failed(), 3, 'a restart loses no attempt');
	sql($guess) for 1 .. 2;
	is(sql($right), $refused, 'the fifth locks');
	sql($forget);

	# The process is killed: the server treats that as a crash and recovers.
	sql($guess) for 1 .. 2;
	my $caller = session();
	my $pid = begin_work($caller);
	kill 'KILL', $pid;
	delete $frozen{$pid};
	like(hear($caller), qr/terminating connection|server closed the connection/, 'the process is killed');
	leave($caller);
	reconnect();
	is(failed(), 2, 'the attempts before it are there');
	is(sql($counted), 0, 'the one that it worked on is not');
	is(sql($right), 'Ada', 'and sign-in works');

	# One that is asked to end.
	$caller = session();
	$pid = begin_work($caller);
	sql("SELECT pg_terminate_backend($pid)");
	thaw($pid);
	is(hear($caller), $busy, 'a process that is ended by a superuser is an error to its caller');
	leave($caller);
}

# ---- no process is free -----------------------------------------------------------------------

{
	$c->stop('fast');
	$c->start(@options, 'max_worker_processes=1');
	reconnect();
	sql($forget);
	my ($caller, $second) = (session(), session());
	my $pid = begin_work($caller);
	my $before = sql('SELECT count(*) FROM orla.audit_log');
	my $began = time;
	is(ask($second, $guess), $busy, 'no process is free');
	cmp_ok(time - $began, '>', 2.5, 'for three seconds');
	cmp_ok(time - $began, '<', 30, 'and no longer');
	is(failed() . ' ' . (sql('SELECT count(*) FROM orla.audit_log') - $before), '0 0', 'nothing was half done');
	say_to($second, $guess);
	poll('the wait', sub { sql("SELECT 1 FROM pg_stat_activity WHERE pid = $second->{backend} AND wait_event = 'Extension'") });
	is(sql("SELECT pg_cancel_backend($second->{backend})"), 't', 'who waits for one is cancelled');
	is(hear($second), $canceled, 'at once');
	is(failed(), 0, 'without an attempt, and without an answer');
	say_to($second, $right);
	poll('the wait', sub { sql("SELECT 1 FROM pg_stat_activity WHERE pid = $second->{backend} AND wait_event = 'Extension'") });
	thaw($pid);
	is(hear($caller), $refused, 'the one that worked is done');
	is(hear($second), 'Ada', 'and the next has its turn');
	leave($_) for $caller, $second;
}

# ---- what the server logged ----------------------------------------------------------------------

{
	my @log = grep { !/STATEMENT|orla_api|\bpassword_/ } split /^/, Cluster::slurp($c->{log});
	is(join('', grep { /PANIC|TRAP/ } @log), '', 'nothing broke in the server');
	is(join('', grep { /Horse|eyJ/ } @log), '', 'nothing of ours in the log has a password or a token');
}

alarm 0;
done_testing();
