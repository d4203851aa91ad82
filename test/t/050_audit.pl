#!/usr/bin/perl
# The audit trail with many at once: writers wait neither for each other nor for
# whoever seals, verifies or prunes, and nothing of what goes on meanwhile is
# taken for tampering.
# Way 95 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Cluster;
use Test::More;

# waits of more than 1 ms for a lock are logged, with who waited
my $c = Cluster->new('audit', 'log_lock_waits=on', 'deadlock_timeout=1ms', 'log_line_prefix=%a:', 'statement_timeout=60s');
$c->sql('CREATE DATABASE app', database => 'postgres');
is($c->sql("SET client_min_messages = warning; CREATE EXTENSION orla CASCADE; SELECT orla.ensure_instance() IS NULL;"), 'f', 'installed');
$c->sql("INSERT INTO orla.users (name, email, password_hash) SELECT 'u', i || '\@example.org', '\$argon2id\$x' FROM generate_series(1, 20) AS i;
	SELECT orla.create_tenant_key(id) FROM orla.users;");

sub verified { return $c->sql('SELECT * FROM orla.audit_verify();') }

sub waits_for
{
	my ($one, $other) = @_;
	return Cluster::waits_until(sub { $c->sql("SELECT $other->{backend} = ANY (pg_blocking_pids($one->{backend}))") eq 't' });
}

# A statement that must not wait for a lock.
sub at_once { return "SET lock_timeout = '5s'; $_[0]" }
sub writes { return "SELECT orla.audit('$_[0]', 'success', (SELECT min(id::text)::uuid FROM orla.users), '{}', '{\"ip\": \"192.0.2.1\"}') IS NULL;" }

# ---- one by one ----------------------------------------------------------------

{
	my ($one, $two, $three, $four) = map { $c->session } 1 .. 4;
	is($one->ask('BEGIN;' . writes('first')), 'f', 'a writer has not committed');
	is($two->ask('BEGIN;' . at_once(writes('second'))), 'f', 'another does not wait for it');
	is($three->ask(at_once(writes('third'))), 'f', 'nor does one that commits');
	is($three->ask(at_once('SELECT orla.audit_seal();')), 1, 'nor whoever seals');
	is($two->ask('COMMIT;'), '', 'the later row is committed first');
	is($three->ask('BEGIN;' . at_once('SELECT orla.audit_seal();')), 2, 'and sealed, in a transaction that goes on');
	is($one->ask(at_once(writes('fourth'))), 'f', 'which no writer waits for');
	is($one->ask('COMMIT;'), '', 'the earlier row comes after rows of two batches');
	is($one->ask(at_once('SELECT count(*) FROM orla.audit_verify();')), 0, 'verifying waits for nobody');

	$four->send('SELECT orla.audit_seal();');
	ok(waits_for($four, $three), 'a second sealer waits for the first');
	is($two->ask(at_once(writes('fifth'))), 'f', 'and no writer for it');
	$three->ask('COMMIT;');
	is($four->answer, 3, 'then makes the next batch');
	is(verified(), '', 'all is whole');
	is($c->sql('SELECT string_agg(seq::text, \' \' ORDER BY a.created_at) FROM orla.audit_log a JOIN orla.audit_batch_rows r ON r.audit_id = a.id'),
		'3 2 1 3 3', 'rows are in the batches of their commits');

	is($one->ask('BEGIN;' . writes('undone') . 'ROLLBACK;'), 'f', 'a row that was rolled back');
	is($three->ask('BEGIN;' . writes('sealed') . 'SELECT orla.audit_seal(); ROLLBACK;'), "f\n4", 'and a batch');
	is(verified(), '', 'are no gap');
	$three->ask('BEGIN;' . writes('pending') . 'SELECT orla.audit_seal();');
	$four->send("SELECT orla.audit_prune('infinity');");
	ok(waits_for($four, $three), 'pruning waits for whoever seals');
	is($two->ask(at_once(writes('sixth'))), 'f', 'and no writer for it');
	$three->ask('COMMIT;');
	is($four->answer, 6, 'then takes away what was sealed');
	is(verified(), '', 'and leaves a whole trail');

	# A snapshot from before.
	$one->ask("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orla.audit_log;");
	$two->ask(writes('seventh') . 'SELECT orla.audit_seal();');
	$two->ask('DELETE FROM orla.users WHERE id IN (SELECT user_id FROM orla.audit_log);');
	is($one->ask('SELECT count(*) FROM orla.audit_verify();'), 0, 'seen by an old snapshot, it is whole');
	$one->ask('ROLLBACK;');
	is(verified(), '', 'nor does what happened since change that');
	$_->leave for $one, $two, $three, $four;
}

# ---- all at once -----------------------------------------------------------------

{
	$c->sql("INSERT INTO orla.users (name, email, password_hash) SELECT 'u', i || '\@example.com', '\$argon2id\$x' FROM generate_series(1, 400) AS i;
		SELECT orla.create_tenant_key(id) FROM orla.users WHERE email LIKE '%.com';
		SELECT orla.audit('w', 'success', id) FROM orla.users WHERE email LIKE '%.com';");
	my $before = $c->sql('SELECT count(*) FROM orla.audit_log;');
	my @writers  = map { $c->session } 1 .. 4;
	my @sealers  = map { $c->session } 1 .. 2;
	my $verifier = $c->session;
	my $deleter  = $c->session;
	# each in a transaction of its own, which goes on for 3 ms after the row
	$_->send("SET application_name = writer;\nSELECT format('SELECT orla.audit(''w'', ''success'', id, ''{}'', ''{\"ip\": \"192.0.2.1\"}'') IS NULL, pg_sleep(0.003) FROM orla.users WHERE email = %L', i || '\@example.com') FROM generate_series(1, 200) AS i \\gexec")
	  for @writers;
	$_->send("SELECT 'SELECT orla.audit_seal()' FROM generate_series(1, 100) \\gexec") for @sealers;
	$verifier->send("SELECT 'SELECT * FROM orla.audit_verify()' FROM generate_series(1, 60) \\gexec");
	$deleter->send("SELECT format('DELETE FROM orla.users WHERE email = %L', i || '\@example.com') FROM generate_series(201, 400) AS i \\gexec");
	unlike($_->answer, qr/ERROR/, 'a writer among writers, sealers, a verifier and a deleter') for @writers;
	unlike($_->answer, qr/ERROR/, 'a sealer among them') for @sealers;
	is($verifier->answer, '', 'the verifier sees no tampering in any of its looks');
	is($deleter->answer, '', 'accounts go');
	$c->sql("DELETE FROM orla.users WHERE email LIKE '%7\@example.com'; SELECT orla.audit_seal();");
	is(verified(), '', 'and none is there');
	is($c->sql('SELECT count(*) FROM orla.audit_log;') - $before, 800, 'every row was written');
	is($c->sql('SELECT count(*) FROM orla.audit_log AS a WHERE (SELECT count(*) FROM orla.audit_batch_rows AS r WHERE r.audit_id = a.id) <> 1;'), 0, 'and is in one batch');
	cmp_ok($c->sql('SELECT max(seq) FROM orla.audit_batches;'), '>', 8, 'of several');
	is($c->sql('SELECT max(seq) - count(*) FROM orla.audit_batches;'), 0, 'which are numbered without gaps');
	my @waits = grep { /^writer:.*still waiting for \w+ on (?:transaction|tuple|relation|advisory)/ } split /\n/, Cluster::slurp($c->{log});
	is("@waits", '', 'no writer waited for a lock');
	$_->leave for @writers, @sealers, $verifier, $deleter;
}

# ---- a crash -----------------------------------------------------------------------

{
	my $one = $c->session;
	$one->ask('BEGIN;' . writes('lost') . 'SELECT orla.audit_seal();');
	$c->sql(writes('kept'));
	my $head = $c->sql('SELECT seq, digest FROM orla.audit_head();');
	$c->stop('immediate');
	$c->start;
	is($c->sql('SELECT seq, digest FROM orla.audit_head();'), $head, 'a crash in the middle of sealing: the head is as it was');
	is(verified(), '', 'and the trail whole');
	is($c->sql("SELECT string_agg(event_type, ' ') FROM orla.audit_log WHERE event_type IN ('lost', 'kept');"), 'kept', 'with what was committed');
	is($c->sql("SELECT orla.audit_seal() = split_part('$head', '|', 1)::int + 1;"), 't', 'and goes on');
	is(verified(), '', 'whole');
}

done_testing();
