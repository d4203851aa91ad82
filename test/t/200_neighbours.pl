#!/usr/bin/perl
# What a tenant who types SQL cannot do to others by way of the worker that all
# share: with locks on rows of one's own, calls that are cancelled, calls
# without a pause, arguments without an end.
#
# Ways 136, 137, 138, 139, 140 and 141 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep time);

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 300;
my $true = JSON::PP::true();

my $c = Custody->new('neighbours', only => [qw(dropbox)], server => ['max_worker_processes=24', 'orla.job_timeout=1min']);
my ($ada, $ben) = map { $c->sign_up($_) } qw(ada ben);
$c->configure('dropbox');
for my $who ($ada, $ben)
{
	$c->account('dropbox', "$who->{name}\@box.example");
	$c->connect($who, 'dropbox', "$who->{name}\@box.example");
}
$c->sql("SELECT orla.configure_model('default', 'template'); CREATE ROLE door LOGIN; GRANT orla_user TO door;");
$c->as($ada, "INSERT INTO orla_api.brand_strategy (messaging_pillars) VALUES ('{We bake}')");

sub session_of
{
	my ($who) = @_;
	my $session = $c->session(user => 'door');
	$session->ask("BEGIN; SELECT 1 WHERE orla.authenticate('$who->{token}') IS NULL;");
	return $session;
}

# The worker refreshes it by itself.
sub is_refreshed
{
	my ($what) = @_;
	$c->set($ben, 'dropbox', "token_expires_at = now() - interval '1 second', next_request_at = now()");
	ok(Cluster::waits_until(sub { $c->column($ben, 'dropbox', 'token_expires_at > now()') eq 't' }), $what);
	return;
}

# Statements of many sessions of the tenant at once, whose output nobody reads;
# ends them when what is asked is answered.
sub meanwhile
{
	my ($n, $sql, $asked) = @_;
	my $file = "$c->{dir}/meanwhile.sql";
	$c->put($file, $sql, 0644);
	my @pids;
	for (1 .. $n)
	{
		my $pid = fork() // die $!;
		if ($pid == 0)
		{
			my @command = $c->psql(user => 'door');
			open(STDOUT, '>', '/dev/null');
			open(STDERR, '>', '/dev/null');
			exec @command, '-f', $file or die $!;
		}
		push @pids, $pid;
	}
	my $answer = $asked->();
	kill 'KILL', @pids;
	waitpid $_, 0 for @pids;
	$c->value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'door'");
	Cluster::waits_until(sub { $c->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'door'") eq '0' }) or die "sessions stay\n";
	return $answer;
}

# ---- locks on rows of one's own ---------------------------------------------------

# Way 136
{
	# one that the worker has lost, and will look at
	$c->sql("INSERT INTO orla.jobs (user_id, kind, status, claimed_at) VALUES ('$ada->{id}', 'next_keyword', 'running', now());");
	my $job = session_of($ada);
	is($job->ask("SELECT orla_api.cancel_job(id) ->> 'status' FROM orla_api.my_jobs WHERE status = 'running';"), 'cancelled', 'a job is cancelled in a transaction that stays open');
	my $before = $c->worker;
	$c->value("SELECT pg_terminate_backend($before)");
	ok(Cluster::waits_until(sub { $c->value("SELECT ready AND pid <> $before FROM orla.worker_status") eq 't' }), 'a worker that begins does not wait for it');
	is_refreshed('and does what is due for others');
	$job->leave;

	$c->sql("UPDATE orla.jobs SET status = 'running', claimed_at = now() - interval '1 hour';");
	$job = session_of($ada);
	$job->ask("SELECT orla_api.cancel_job(id) FROM orla_api.my_jobs WHERE status = 'running';");
	is_refreshed('nor does one that finds a job that was lost');
	$job->leave;
	$c->sql('DELETE FROM orla.jobs;');

	$c->set($ada, 'dropbox', 'claimed_at = now()');
	my $connection = session_of($ada);
	like($connection->ask("SELECT orla_api.select_folders('dropbox', '[]');"), qr/selected_folders/, 'a claimed connection is changed in a transaction that stays open');
	$before = $c->worker;
	$c->value("SELECT pg_terminate_backend($before)");
	ok(Cluster::waits_until(sub { $c->value("SELECT ready AND pid <> $before FROM orla.worker_status") eq 't' }), 'a worker that begins does not wait for it either');
	is_refreshed('and does what is due for others');
	$connection->leave;
	$c->expire($ada, 'dropbox');
	is($c->fresh($ada, 'dropbox'), 'fresh', 'what it passed over works when the lock is gone');
}

# Way 137: the owner's sign-out and new password do not wait for whoever has stolen
# a token.
{
	my $thief = $c->sign_in($ada);
	my $session = session_of($thief);
	like($session->ask("SELECT orla_api.connect('dropbox');"), qr/authorization_url/, 'a connection is begun in a transaction that stays open');
	like($session->ask("SELECT (orla_api.save_asset('a.txt', 'guidelines', 'YQ==')).filename;"), qr/^a\.txt$/m, 'and a file is stored');
	my $signed_in = JSON::PP::decode_json($c->value("SELECT orla_api.login('$ada->{email}', 'Correct-Horse-42')"));
	like($c->as({ %$ada, token => $signed_in->{access_token} }, 'SELECT orla_api.logout_everywhere()'), qr/"message"/, 'the owner ends all sessions');
	$signed_in = JSON::PP::decode_json($c->value("SELECT orla_api.login('$ada->{email}', 'Correct-Horse-42')"));
	like($c->as({ %$ada, token => $signed_in->{access_token} }, "SELECT orla_api.change_password('Correct-Horse-42', 'Correct-Horse-43')"), qr/"message"/, 'and changes the password');
	is($c->as($thief, 'SELECT 1') =~ /access token refused|session/ ? 'refused' : 'taken', 'refused', 'what was stolen is worth nothing');
	$session->leave;
	$signed_in = JSON::PP::decode_json($c->value("SELECT orla_api.login('$ada->{email}', 'Correct-Horse-43')"));
	$ada->{token} = $signed_in->{access_token};

	$session = session_of($ada);
	like($session->ask("SELECT orla_api.connect('dropbox');"), qr/authorization_url/, 'the same in the session that signs out');
	like($c->value("SELECT orla_api.logout('$signed_in->{refresh_token}')"), qr/"message"/, 'a sign-out does not wait');
	$session->leave;
	$ada->{token} = JSON::PP::decode_json($c->value("SELECT orla_api.login('$ada->{email}', 'Correct-Horse-43')"))->{access_token};
}

# ---- calls ------------------------------------------------------------------------

sub call_sql { my ($sql, $times) = @_; return "BEGIN; SELECT orla.authenticate('$ada->{token}') IS NULL; $sql; ROLLBACK;\n" x $times }
sub segments { return $c->value("SELECT count(*) FROM pg_ls_dir('/dev/shm') AS f WHERE f LIKE 'PostgreSQL.%'") }

# Way 138: those who call and do not wait for the answer leave nothing behind.
{
	my $before = segments();
	$c->expire($ada, 'dropbox');
	$c->fault('dropbox', endpoint => 'token', hold => $true);
	my $session = $c->session(user => 'door');
	$session->ask("SET statement_timeout = '30ms';");
	$session->ask(call_sql("SELECT count(*) FROM orla_api.files('dropbox')", 1)) for 1 .. 40;
	$c->held('dropbox', 'token');
	$c->nudge;
	cmp_ok(segments() - $before, '<', 10, 'calls that were cancelled while a provider hangs give back their shared memory');
	$session->leave;
	$c->release('dropbox');
	$c->reset_provider('dropbox');

	my $state = $c->as($ada, "SELECT substring(orla_api.connect('dropbox') ->> 'authorization_url' FROM 'state=([^&]+)')");
	like($c->as($ada, "SELECT orla_api.complete_connection('$state', repeat('x', 1000000))"), qr/^ERROR:  arguments are too large/m, 'a code without an end goes nowhere');
}

# Way 139: whoever calls without a pause, or needs what is locked, does not keep
# others waiting.
{
	my $calls = "FOR i IN 1 .. 1000000 LOOP BEGIN PERFORM orla_api.refresh('$ada->{id}." . 'x' x 43 . "'); EXCEPTION WHEN SQLSTATE 'PT401' THEN NULL; END; END LOOP;";
	my $took = meanwhile(60, "DO \$\$ BEGIN $calls END \$\$;\n", sub {
		Cluster::waits_until(sub { $c->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'door' AND state = 'active'") eq '60' });
		$c->expire($ben, 'dropbox');
		my $began = time;
		is($c->fresh($ben, 'dropbox'), 'fresh', 'a token is refreshed while 60 sessions call without a pause');
		return time - $began;
	});
	cmp_ok($took, '<', 5, 'and soon');

	$c->expire($ada, 'dropbox');
	my $holder = session_of($ada);
	$holder->ask("SELECT orla_api.select_folders('dropbox', '[]');");
	$took = meanwhile(30, call_sql("SELECT count(*) FROM orla_api.files('dropbox')", 100), sub {
		Cluster::waits_until(sub { $c->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'door' AND state = 'active'") >= 25 });
		my @took;
		for (1 .. 15)
		{
			my $began = time;
			$c->value("SELECT orla_api.logout('x')");
			push @took, time - $began;
			sleep 0.05;
		}
		return (sort { $a <=> $b } @took)[7];
	});
	cmp_ok($took, '<', 2, 'a call of another takes its time while 30 sessions need a connection that is locked');
	$holder->leave;
}

# Way 140
{
	$c->sql('CREATE ROLE regress_builder LOGIN CREATEDB;', database => 'postgres');
	my $before = $c->worker;
	like($c->sql('CREATE DATABASE mine TEMPLATE app;', database => 'postgres', user => 'regress_builder'), qr/permission denied to copy database "app"/, 'who may make databases, but not copy this one');
	is($c->worker, $before, 'does not send its worker away');
	$c->sql('DROP ROLE regress_builder;', database => 'postgres');
}

# Way 141: what takes long to read is not read to its end by the worker.
{
	$c->as($ada, "INSERT INTO orla_api.brand_voice_assets (filename, metadata) SELECT 'a', jsonb_build_object('full_text', 'We bake.', 'more', repeat('lorem ipsum ', 5000000))");
	$c->as($ada, "INSERT INTO orla_api.brand_voice_assets (filename, metadata) SELECT 'b', a.metadata FROM orla_api.brand_voice_assets AS a, generate_series(1, 200)");
	my $job = $c->as($ada, "SELECT orla_api.analyze_brand() ->> 'job_id'");
	like($job, qr/^[0-9a-f-]{36}$/, 'material of 12 GB, as it would be unpacked, is to be analysed');
	my ($longest, $status) = (0);
	Cluster::waits_until(sub {
		my $began = time;
		$c->value("SELECT orla_api.logout('x')");
		$longest = time - $began if time - $began > $longest;
		return ($status = $c->value("SELECT status FROM orla.jobs WHERE id = '$job'")) !~ /^(?:queued|running)$/;
	});
	is($status, 'succeeded', 'which is done with what was read in a second');
	cmp_ok($longest, '<', 8, 'and keeps nobody waiting');

	is($c->value("SELECT orla.first_texts(array_fill(repeat('x', 10000), '{101}')) = to_jsonb(array_fill(repeat('x', 600), '{100}'))"), 't', 'of a list so much is told');
	$c->as($ada, "UPDATE orla_api.brand_strategy SET brand_voice = jsonb_build_object('a', repeat('x', 1000000)), language_patterns = jsonb_build_object('a', repeat('x', 1000000)), dos_and_donts = jsonb_build_object('a', repeat('x', 1000000))");
	$job = $c->as($ada, "SELECT orla_api.generate_content('blog') ->> 'job_id'");
	Cluster::waits_until(sub { $c->value("SELECT status FROM orla.jobs WHERE id = '$job'") !~ /^(?:queued|running)$/ });
	is($c->value("SELECT status, error FROM orla.jobs WHERE id = '$job'"), 'failed|there is more to tell a model than it is told', 'a strategy of 3 MB is no prompt');
}

done_testing;
