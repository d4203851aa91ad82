#!/usr/bin/perl
# The worker's comings and goings: servers without one, databases that come and
# go, commands that need a database to themselves, shutdowns with requests under
# way, settings that change, what it does by itself once a minute.
#
# Makes clusters of its own, since it starts and stops them.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep time);

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 400;
my $true = JSON::PP::true();

# ---- without one -----------------------------------------------------------------------

{
	my $plain = Cluster->new('plain');
	$plain->sql('CREATE DATABASE app', database => 'postgres');
	$plain->sql("SET client_min_messages = warning; CREATE EXTENSION orla CASCADE; ALTER DATABASE app SET orla.password_memory = 7168; ALTER DATABASE app SET orla.sign_in_floor = 0;");
	$plain->sql("SELECT orla_api.register('Ada', 'ada\@example.org', 'Correct-Horse-42');");
	my ($link) = $plain->sql('SELECT orla.render_mail(id) FROM orla.outbox;') =~ /token=(\S+)/;
	my ($token) = $plain->sql("SELECT orla_api.verify_email('$link', 'Correct-Horse-42') ->> 'access_token';") =~ /^(\S+)$/m;
	ok($token, 'without the library preloaded people sign up and in');
	$plain->sql("SELECT orla.configure_provider('dropbox', 'x', 'x');");
	my $as = "\\set VERBOSITY verbose\nBEGIN; SET LOCAL ROLE orla_user; SELECT 1 WHERE orla.authenticate('$token') IS NULL;";
	for my $call ("orla_api.connect('dropbox')", "orla_api.complete_connection('aaaaaaaa-0000-4000-8000-000000000001." . 'x' x 43 . "', 'x')", "orla_api.disconnect('dropbox')")
	{
		my $answer = $plain->sql("$as SELECT $call;");
		like($answer, qr/^ERROR:  55000: no worker for this database\nDETAIL:  Calls to providers are made by a worker, which this database does not have\.\nHINT:  Set shared_preload_libraries to orla and orla\.databases to a list with this database, then restart\.$/m, "$call says what is missing");
	}
	is($plain->sql("$as SELECT count(*) FROM orla_api.connections;"), '0', 'the rest works');
	is($plain->sql('SELECT pid IS NULL AND ready IS NULL FROM orla.worker_status;'), 't', 'the view has no worker to show');
	$plain->stop('immediate');
	$plain->start('shared_preload_libraries=orla');
	like($plain->sql("$as SELECT orla_api.connect('dropbox');"), qr/55000: no worker for this database/, 'with it, and no database named, the same');
	is($plain->sql("SELECT orla_api.login('ada\@example.org', 'Correct-Horse-42') -> 'user' ->> 'name';"), 'Ada', 'people sign in');
	$plain->stop('immediate');
}

# ---- databases that come and go ------------------------------------------------------------

my $c = Custody->new('worker', only => [qw(dropbox)], server => ['max_worker_processes=24']);
my $ada = $c->sign_up('ada');
$c->configure('dropbox');
$c->account('dropbox', 'ada@box.example');
$c->knobs('dropbox', rotation => 'strict');
$c->connect($ada, 'dropbox', 'ada@box.example');

sub workers { return $c->sql("SELECT string_agg(coalesce(datname, '-'), ' ' ORDER BY datname) FROM pg_stat_activity WHERE backend_type = 'orla worker';", database => 'postgres') }
sub named { my ($list) = @_; is($c->sql("ALTER SYSTEM SET orla.databases = $list;", database => 'postgres'), '', "the list becomes $list"); $c->sql('SELECT pg_reload_conf();', database => 'postgres') }

is(workers(), 'app', 'a worker for the database that is named');
is($c->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla launcher' AND datname IS NULL;", database => 'postgres'), '1', 'and a launcher, which is in no database');
$c->sql('CREATE DATABASE two; CREATE DATABASE "Drei und mehr";', database => 'postgres');
named(q('app, two, "Drei und mehr", nowhere'));
ok(Cluster::waits_until(sub { workers() eq 'Drei und mehr app two' }), 'SIGHUP adds some') or die workers();
is($c->sql('SELECT count(*) FROM pg_stat_activity WHERE datname = \'two\' AND xact_start IS NOT NULL;', database => 'postgres'), '0', 'where the extension is not, it is idle');
like($c->sql('SELECT orla_api.me();', database => 'two'), qr/schema "orla_api" does not exist/, 'and nothing is there');
$c->sql('SET client_min_messages = warning; CREATE EXTENSION orla CASCADE;', database => 'two');
ok(Cluster::waits_until(sub { $c->sql('SELECT ready FROM orla.worker_status;', database => 'two') eq 't' }), 'when the extension comes, it works');
is($c->sql('SELECT ready FROM orla.worker_status;'), 't', 'each database sees its own');
isnt($c->sql('SELECT pid FROM orla.worker_status;'), $c->sql('SELECT pid FROM orla.worker_status;', database => 'two'), 'which are two');
is($c->sql('SET orla.allow_drop = on; SET client_min_messages = warning; DROP EXTENSION orla CASCADE; SELECT 1;', database => 'two'), '1', 'it is no obstacle to DROP EXTENSION');
$c->sql('SET client_min_messages = warning; CREATE EXTENSION orla CASCADE;', database => 'two');
ok(Cluster::waits_until(sub { $c->sql('SELECT ready FROM orla.worker_status;', database => 'two') eq 't' }), 'nor to the next CREATE EXTENSION');

# ---- commands that need a database to themselves ----------------------------------------------

sub timed { my ($what, $limit, $sql, %with) = @_; my $began = time; is($c->sql($sql, database => 'postgres', %with), '', $what); cmp_ok(time - $began, '<', $limit, 'within ' . $limit . ' s'); return }
$c->sql("CREATE ROLE owner_of_two LOGIN CREATEDB; CREATE ROLE regress_stranger LOGIN; ALTER DATABASE two OWNER TO owner_of_two;", database => 'postgres');
my $two = $c->sql('SELECT pid FROM orla.worker_status;', database => 'two');
like($c->sql('DROP DATABASE two;', database => 'postgres', user => 'regress_stranger'), qr/must be owner of database two/, 'who may not drop a database');
like($c->sql('CREATE DATABASE mine TEMPLATE two;', database => 'postgres', user => 'regress_stranger'), qr/permission denied to create database/, 'nor copy it');
like($c->sql('ALTER DATABASE two RENAME TO mine;', database => 'postgres', user => 'regress_stranger'), qr/must be owner of database two/, 'nor rename it');
is($c->sql('SELECT pid FROM orla.worker_status;', database => 'two'), $two, 'does not disturb its worker');
timed('CREATE DATABASE … TEMPLATE', 20, 'CREATE DATABASE copy TEMPLATE two;');
ok(Cluster::waits_until(sub { $c->sql('SELECT ready FROM orla.worker_status;', database => 'two') eq 't' }), 'the worker comes back');
timed('ALTER DATABASE … RENAME', 20, 'ALTER DATABASE two RENAME TO zwei;');
ok(Cluster::waits_until(sub { workers() eq 'Drei und mehr app' }), 'by its new name it is not on the list') or diag workers();
timed('and back', 20, 'ALTER DATABASE zwei RENAME TO two;', user => 'owner_of_two');
ok(Cluster::waits_until(sub { workers() eq 'Drei und mehr app two' }), 'by the old one it is');
{
	my $in_the_way = $c->session(database => 'two');
	like($c->sql('DROP DATABASE two;', database => 'postgres'), qr/is being accessed by other users/, 'who else is in the way is said');
	ok(Cluster::waits_until(sub { workers() eq 'Drei und mehr app two' }), 'and the worker comes back');
	$in_the_way->leave;
	Cluster::waits_until(sub { $c->sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'two' AND backend_type = 'client backend';", database => 'postgres') eq '0' });
}
timed('DROP DATABASE', 20, 'DROP DATABASE two;', user => 'owner_of_two');
timed('DROP DATABASE … FORCE', 20, 'DROP DATABASE "Drei und mehr" WITH (FORCE);');
ok(Cluster::waits_until(sub { workers() eq 'app' }), 'what is gone has no worker');
named("''");
ok(Cluster::waits_until(sub { workers() eq '' }), 'SIGHUP takes them away');
like($c->as($ada, "SELECT orla_api.connect('dropbox')"), qr/no worker for this database/, 'which is said');
named('app');
ok(Cluster::waits_until(sub { $c->sql('SELECT ready FROM orla.worker_status;') eq 't' }), 'and brings them back');
like($c->sql("ALTER SYSTEM SET orla.databases = 'a,,b';", database => 'postgres'), qr/invalid value for parameter "orla.databases"/, 'a list that is none');
$c->sql('DROP DATABASE copy; DROP ROLE owner_of_two; DROP ROLE regress_stranger;', database => 'postgres');
$c->wait_for_worker;

# ---- a call that it cannot take ---------------------------------------------------------------

# Its mapping needs a descriptor, of which it gets no more.
{
	my $worker = $c->worker;
	my ($soft) = Cluster::slurp("/proc/$worker/limits") =~ /^Max open files\s+(\d+)/m;
	is($c->sql("SELECT orla_api.logout('x') ->> 'message';"), 'You are signed out.', 'a call');
	is(system(Cluster::as_owner('prlimit', '--pid', $worker, '--nofile=3:')), 0, 'a worker that gets no more descriptors');
	my $answer = $c->sql("\\set VERBOSITY verbose\nSET statement_timeout = '30s'; SELECT orla_api.logout('x');");
	is(system(Cluster::as_owner('prlimit', '--pid', $worker, "--nofile=$soft:")), 0, 'and gets them again');
	like($answer, qr/^ERROR:  PT503: too busy, try again\nDETAIL:  The worker had no memory or no descriptor to take the call\.\nHINT:  Try again in a moment\.$/m, 'who called is told');
	is($c->sql("SELECT orla_api.logout('x') ->> 'message';"), 'You are signed out.', 'and the next call is taken');
	is($c->worker, $worker, 'by the same worker');
}

# ---- ends ------------------------------------------------------------------------------------

{
	my $before = $c->worker;
	$c->value("SELECT pg_terminate_backend($before)");
	my $began = time;
	$c->expire($ada, 'dropbox');
	is($c->fresh($ada, 'dropbox'), 'fresh', 'a worker that is ended: whoever needs it waits for the next one');
	isnt($c->worker, $before, 'which is another process');
	cmp_ok(time - $began, '<', 15, 'and comes soon');
	$c->value('SELECT pg_cancel_backend(pid) FROM orla.worker_status') for 1 .. 3;
	is($c->fresh($ada, 'dropbox'), 'fresh', 'cancelling it does nothing');

	# the launcher, too
	my $launcher = "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = 'orla launcher'";
	my ($first, $same) = ($c->value($launcher), $c->worker);
	$c->value("SELECT pg_terminate_backend($first)");
	ok(Cluster::waits_until(sub { my $pid = $c->value($launcher); $pid ne '' && $pid ne $first }), 'a launcher that is ended is started again');
	is($c->worker, $same, 'which ends no worker');
	$c->value("SELECT pg_terminate_backend($same)");
	ok(Cluster::waits_until(sub { $c->value("SELECT ready AND pid <> $same FROM orla.worker_status") eq 't' }), 'and starts the next one');

	# A call wakes it: it looks by itself every two seconds only, and had slept for a while.
	my $slept = 0;
	for (1 .. 8)
	{
		sleep 0.3;
		my $called = time;
		$c->value("SELECT orla_api.logout('x')");
		$slept += time - $called;
	}
	cmp_ok($slept, '<', 4, "eight calls, each of which finds it asleep, take $slept s");

	# those that wait
	my $worker = $c->worker;
	$c->expire($ada, 'dropbox');
	$c->fault('dropbox', endpoint => 'token', hold => $true, close => $true, when => 'before', times => 1);
	my @waiting = map { $c->session } 1 .. 3;
	my $calls = $c->value('SELECT calls FROM orla.worker_status');
	$_->send($c->fresh_sql($ada, 'dropbox') . ';') for @waiting;
	$c->held('dropbox', 'token');
	Cluster::waits_until(sub { $c->value('SELECT calls FROM orla.worker_status') >= $calls + 3 });
	$began = time;
	$c->value("SELECT pg_terminate_backend($worker)");
	is(Custody::error($_->answer), 'too busy, try again', 'whoever waits when it is ended is told') for @waiting;
	cmp_ok(time - $began, '<', 10, 'soon');
	$c->release('dropbox');
	$_->leave for @waiting;
	is($c->fresh($ada, 'dropbox'), 'fresh', 'and can try again');

	# an answer that comes while it is winding up is stored, from a provider that gives it once
	for my $end ('pg_terminate_backend', 'pg_ctl stop')
	{
		$c->expire($ada, 'dropbox');
		$c->fault('dropbox', endpoint => 'token', delay_ms => 250, when => 'after', times => 1);
		my $before = $c->requests('dropbox', 'token');
		my $asking = $c->session;
		$asking->send($c->fresh_sql($ada, 'dropbox') . ';');
		$c->control(GET => 'wait', { provider => 'dropbox', endpoint => 'token', requests => $before + 1 });
		if ($end eq 'pg_ctl stop')
		{
			$c->{control_session}->leave;
			$c->{control_session} = undef;
			$c->stop('fast');
			$c->start_again;
		}
		else { $c->value("SELECT pg_terminate_backend($worker)") for $worker = $c->worker; is($asking->answer, 'fresh', "$end: who waits for the answer has it") }
		$asking->leave;
		$c->wait_for_worker;
		is($c->column($ada, 'dropbox', 'status || chr(32) || (token_expires_at > now())::text'), 'connected true', "$end while a request is under way: the answer is stored");
		$c->expire($ada, 'dropbox');
		is($c->fresh($ada, 'dropbox'), 'fresh', 'and good');
	}

	# Requests that hang: a refresh, a code that is exchanged, a revocation, and a list in the
	# session itself.  What counts is the quickest of three, for the machine may be busy.
	$c->knobs('dropbox', rotation => 'none');
	my ($ben, $eve) = map { $c->sign_up($_) } qw(ben eve);
	$c->account('dropbox', "$_\@box.example") for qw(ben eve);
	my $quickest = 60;
	for my $round (1 .. 3)
	{
		$c->fault('dropbox', endpoint => [qw(token revoke list)], hold => $true, skip => $round == 1 ? 2 : 1);
		$c->connect($_, 'dropbox', "$_->{name}\@box.example") for $round == 1 ? ($ben, $eve) : $eve;
		my $back = $c->approve($c->begin($ben, 'dropbox'), 'ben@box.example');
		$c->expire($ada, 'dropbox');
		my @asking = map { $c->session } 1 .. 4;
		$asking[0]->send($c->fresh_sql($ada, 'dropbox') . ';');
		$asking[1]->send($c->as_sql($ben, $c->complete_sql($back)));
		$c->held('dropbox', 'token', 2);
		$asking[2]->send($c->as_sql($eve, "SELECT count(*) FROM orla_api.files('dropbox')"));
		$c->held('dropbox', 'list');
		$asking[3]->send($c->as_sql($eve, "SELECT orla_api.disconnect('dropbox')"));
		$c->held('dropbox', 'revoke');
		ok(Cluster::waits_until(sub { $c->value('SELECT in_flight FROM orla.worker_status') eq '3' }), 'three requests of the worker hang');
		$c->{control_session}->leave;
		$c->{control_session} = undef;
		my $stopping = time;
		$c->stop('fast');
		$quickest = time - $stopping if time - $stopping < $quickest;
		like($_->answer, qr/terminating connection|too busy|server closed|the database system is shutting down/, 'who waited is told') for @asking;
		$_->leave for @asking;
		$c->reset_provider('dropbox');
		$c->release('dropbox');
		$c->start_again;
		is($c->fresh($ada, 'dropbox'), 'fresh', 'after the start it works');
	}
	cmp_ok($quickest, '<', 1, "a fast shutdown with requests that hang takes a second at most, here $quickest s");
	like(Cluster::slurp($c->{log}), qr/database system is shut down/, 'it was an orderly one');
	unlike(Cluster::slurp($c->{log}), qr/PANIC|TRAP|was terminated by signal/, 'and nothing crashed');
}

# ---- status, settings --------------------------------------------------------------------------

{
	my %was = map { $_ => $c->value("SELECT $_ FROM orla.worker_status") } qw(calls requests failures);
	$c->expire($ada, 'dropbox');
	$c->fault('dropbox', endpoint => 'token', close => $true, times => 1);
	$c->fresh($ada, 'dropbox');
	# it counts when it has answered
	Cluster::waits_until(sub { $c->value("SELECT failures > $was{failures} FROM orla.worker_status") eq 't' });
	is($c->value("SELECT (calls - $was{calls}) || ' ' || (requests - $was{requests}) || ' ' || (failures - $was{failures}) FROM orla.worker_status"), '1 1 1', 'calls, requests and failures are counted');
	like($c->value('SELECT last_error FROM orla.worker_status'), qr/^host 127\.0\.0\.1 closed the connection/, 'the last error is there');
	is($c->value("SELECT last_error_at > now() - interval '1 minute' AND started_at < now() AND queued = 0 AND in_flight = 0 FROM orla.worker_status"), 't', 'with its time');
	like($c->sql('SET ROLE orla_user; SELECT * FROM orla.worker_status;'), qr/permission denied/, 'tenants do not see it');
	is($c->sql('SET ROLE orla_admin; SELECT ready FROM orla.worker_status;'), 't', 'operators do');

	# calls that it has not taken yet: it stands still for a while
	my $pid = $c->worker;
	my @calling = map { $c->session } 1 .. 3;
	kill('STOP', $pid) == 1 or die "no worker\n";
	my $queued = eval {
		$_->send("SELECT orla_api.logout('x') ->> 'message';") for @calling;
		Cluster::waits_until(sub { $c->value('SELECT queued FROM orla.worker_status') eq '3' });
	};
	kill('CONT', $pid);
	ok($queued, 'calls that wait are counted');
	is($_->answer, 'You are signed out.', 'and taken in their turn') for @calling;
	$_->leave for @calling;
	is($c->value('SELECT queued FROM orla.worker_status'), '0', 'then none waits');

	my $before = $c->worker;
	$c->value("ALTER DATABASE app SET orla.public_url = 'https://elsewhere.example'");
	ok(Cluster::waits_until(sub { my $pid = $c->worker; $pid ne '' && $pid != $before }), 'a setting of the database that changes has the worker begin again');
	$c->wait_for_worker;
	$c->value("ALTER DATABASE app SET orla.public_url = 'https://app.example'");
	Cluster::waits_until(sub { my $pid = $c->worker; $pid ne '' && $pid != $before });
	$c->wait_for_worker;
}

# ---- what it does by itself ----------------------------------------------------------------------

{
	$c->value("INSERT INTO orla.oauth_states (user_id, state_hash, provider, session_id, code_verifier, redirect_uri, expires_at)
	    SELECT '$ada->{id}', repeat('ab', 32), 'dropbox', id, orla.seal('x', '$ada->{id}', 'x'), 'x', now() - interval '1 second' FROM orla.sessions LIMIT 1");
	$c->sign_in($ada) for 1, 2;
	my $gone = $c->value("UPDATE orla.sessions SET ended_at = now() - interval '31 days' WHERE id = (SELECT id FROM orla.sessions WHERE user_id = '$ada->{id}' ORDER BY created_at DESC LIMIT 1) RETURNING id");
	my $over = $c->value("UPDATE orla.refresh_tokens SET expires_at = now() - interval '1 second' WHERE session_id = (SELECT id FROM orla.sessions WHERE user_id = '$ada->{id}' AND ended_at IS NULL ORDER BY created_at DESC LIMIT 1) RETURNING token_hash");
	like($gone, qr/^[0-9a-f-]{36}$/, 'a session that ended a month ago');
	like($over, qr/^[0-9a-f]{64}$/, 'a token of a session that has run out');
	my @keys = map { $c->value("SELECT string_agg(DISTINCT key_id, ' ') FROM orla.tenant_keys") } 1;
	$c->value('SELECT count(*) FROM orla.rotate_keys()');
	my $batches = $c->value('SELECT count(*) FROM orla.audit_batches');
	$c->value('SELECT pg_terminate_backend(pid) FROM orla.worker_status');
	$c->wait_for_worker;
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.oauth_states WHERE expires_at < now()") eq '0' }), 'states that have expired go');
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.sessions WHERE id = '$gone'") eq '0' }), 'old sessions go');
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.refresh_tokens WHERE token_hash = '$over'") eq '0' }), 'tokens that have run out go');
	is($c->value("SELECT count(*) FROM orla.sessions AS s WHERE s.user_id = '$ada->{id}' AND s.ended_at IS NULL AND NOT EXISTS (SELECT FROM orla.refresh_tokens AS r WHERE r.session_id = s.id)"), '1', 'others stay');
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.audit_batches") > $batches }), 'the audit trail is sealed');
	is($c->value('SELECT count(*) FROM orla.audit_verify()'), '0', 'and whole');
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.tenant_keys WHERE key_id <> orla.current_seal_key()") eq '0' }), 'what old keys have sealed is sealed with the newest');
	isnt($c->value("SELECT string_agg(DISTINCT key_id, ' ') FROM orla.tenant_keys"), $keys[0], 'which is another');
	$c->expire($ada, 'dropbox');
	is($c->fresh($ada, 'dropbox'), 'fresh', 'and opens');
}

# ---- a request without an end ------------------------------------------------------------------

{
	$c->expire($ada, 'dropbox');
	$c->fault('dropbox', endpoint => 'token', hold => $true, times => 1);
	my $asking = $c->session;
	$asking->send($c->fresh_sql($ada, 'dropbox') . ';');
	$c->held('dropbox', 'token');
	is(Custody::error($asking->answer), 'the provider does not answer', 'a request that nobody lets go ends by itself');
	like($c->column($ada, 'dropbox', "status || ' ' || last_error"), qr/^retrying .*host 127\.0\.0\.1 did not answer in time\.$/, 'which the connection says');
	is($c->column($ada, 'dropbox', 'claimed_at IS NULL'), 't', 'and no claim is left');
	$c->set($ada, 'dropbox', "updated_at = now() - interval '1 minute'");
	is($c->fresh($ada, 'dropbox'), 'fresh', 'the next one is answered');
	$c->release('dropbox');
	$asking->leave;
}

alarm 0;
done_testing;
