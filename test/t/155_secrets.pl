#!/usr/bin/perl
# Where the clear text of a token could be found, and is not: files of the
# database, WAL, a log that logs all there is, statistics, other sessions'
# statements, plans, dumps, settings. Rows that were exchanged; keys that are
# rotated while tokens are refreshed; keys that are gone.
#
# Makes a cluster of its own, since it reads its files.
use strict;
use warnings;

use File::Find;
use FindBin;
use lib $FindBin::RealBin;
use MIME::Base64;
use Test::More;

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 600;

my $c = Custody->new('secrets', only => [qw(google_drive onedrive dropbox smtp)], preload => 'orla,pg_stat_statements,auto_explain', server => ['wal_level=replica']);
my $true = JSON::PP::true();
my %account = (google_drive => 'ada@gmail.example', onedrive => 'ada@outlook.example', dropbox => 'ada@box.example');
my @providers = sort keys %account;
my ($ada, $ben) = map { $c->sign_up($_) } qw(ada ben);
my ($client_secret, $mail_password) = ('planted-client-secret-' . int(rand 1e9), 'planted-mail-password-' . int(rand 1e9));
$c->value('CREATE EXTENSION pg_stat_statements');
for my $provider (@providers)
{
	$c->account($provider, $account{$provider});
	$c->control(POST => 'clients', { provider => $provider, client_id => 'orla-test-client', client_secret => $client_secret });
	$c->configure($provider, client_secret => $client_secret);
	$c->knobs($provider, rotation => 'keep');
}
$c->value("SELECT orla.configure_mail('$c->{where}{smtp}{url}', 'orla\@app.example', 'orla', '$mail_password')");
# What an operator types into a statement is the operator's to keep from the log.
$c->value('SELECT pg_stat_statements_reset() IS NULL');

# From here on everything is logged that can be.
$c->value("ALTER SYSTEM SET $_") for 'log_min_messages = debug5', 'log_statement = \'all\'', 'log_min_duration_statement = 0', 'log_error_verbosity = verbose',
	'log_parameter_max_length = -1', 'log_parameter_max_length_on_error = -1', 'log_lock_waits = on', 'deadlock_timeout = 10', 'debug_print_plan = on', 'debug_print_parse = on', 'debug_print_rewritten = on',
	'log_executor_stats = off', 'auto_explain.log_min_duration = 0', 'auto_explain.log_nested_statements = on', 'auto_explain.log_analyze = on', 'auto_explain.log_verbose = on',
	'"pg_stat_statements.track" = \'all\'', 'track_activity_query_size = 100000';
$c->value('SELECT pg_reload_conf()');
ok(Cluster::waits_until(sub { $c->sql('SHOW log_min_messages;') eq 'debug5' && $c->sql('SHOW "auto_explain.log_verbose";') eq 'on' }), 'everything is logged');

my %secret = (client_secret => $client_secret, mail_password => $mail_password);

# What the tokens are, from the only place where they are in the clear: outside.
# The statement's result is not logged.
sub learn
{
	my ($who, $label) = @_;
	for my $provider (@providers)
	{
		for my $column (qw(access_token refresh_token previous_refresh_token))
		{
			my $token = $c->column($who, $provider, "orla.unseal($column, user_id, orla.token_purpose(provider, '$column'))");
			$secret{"$label $provider $column"} = $token if $token;
		}
	}
	return;
}

# ---- tokens come, are refreshed, refused, lost, used, revoked --------------------------------

for my $provider (@providers)
{
	my $url = $c->begin($ada, $provider);
	$secret{"$provider verifier"} = $c->value("SELECT orla.unseal(code_verifier, user_id, 'oauth_states|$provider|code_verifier') FROM orla.oauth_states WHERE provider = '$provider'");
	is(ref $c->complete($ada, $c->approve($url, $account{$provider})), 'HASH', "$provider: connected");
}
learn($ada, 'first');
for my $provider (@providers)
{
	$c->as($ada, "SELECT * FROM orla_api.files('$provider')");
	$c->expire($ada, $provider);
	my $asking = $c->session;
	$c->fault($provider, endpoint => 'token', hold => $true, times => 1);
	$asking->send($c->fresh_sql($ada, $provider) . ';');
	$c->held($provider, 'token');
	my $seen = $c->value('SELECT string_agg(to_jsonb(a)::text, chr(10)) FROM pg_stat_activity AS a');
	is(scalar(grep { index($seen, $secret{$_}) >= 0 } keys %secret), 0, "$provider: pg_stat_activity has none while a request is under way");
	like($seen, qr/"query": "do_fresh_token|fresh_token/, 'but the operation');
	$c->release($provider);
	is($asking->answer, 'fresh', "$provider: refreshed");
	$asking->leave;
}
learn($ada, 'second');
for my $provider (@providers)
{
	for my $fault ({ status => 400, body => { error => 'invalid_grant' } }, { body => 'truncated' }, { body => 'latin1' }, { status => 500, when => 'after' }, { body => 'huge' })
	{
		$c->expire($ada, $provider);
		$c->fault($provider, endpoint => 'token', times => 1, %$fault);
		$c->fresh($ada, $provider);
		$c->reset_provider($provider);
		$c->column($ada, $provider, 'status') eq 'needs_reconnect' ? $c->connect($ada, $provider, $account{$provider})
		  : $c->set($ada, $provider, "updated_at = now() - interval '1 minute', not_before = NULL");
	}
	is($c->fresh($ada, $provider), 'fresh', "$provider: after all kinds of answers");
	$c->control(POST => 'revoke', { provider => $provider, what => 'access', account => $account{$provider} });
	$c->as($ada, "SELECT * FROM orla_api.files('$provider')");
}
learn($ada, 'third');
{
	# a lock, an error while storing
	my $holding = $c->session;
	$c->expire($ada, 'dropbox');
	my $asking = $c->session;
	$c->fault('dropbox', endpoint => 'token', hold => $true, when => 'after', times => 1);
	$asking->send($c->fresh_sql($ada, 'dropbox') . ';');
	$c->held('dropbox', 'token');
	$holding->ask('BEGIN; SELECT FROM orla.user_cloud_storage_tokens FOR UPDATE;');
	$c->release('dropbox');
	$asking->answer;
	$holding->ask('ROLLBACK;');
	$c->value("ALTER TABLE orla.user_cloud_storage_tokens ADD CONSTRAINT not_now CHECK (failures > 1000) NOT VALID");
	$c->set($ada, 'onedrive', "token_expires_at = now()");
	$c->value("ALTER TABLE orla.user_cloud_storage_tokens DROP CONSTRAINT not_now");
	$_->leave for $asking, $holding;
	$c->wait_for_worker;
}
$c->connect($ben, $_, $account{$_}) for @providers;
learn($ben, 'Ben\'s');
$c->value("SELECT orla_api.forgot_password('ada\@example.org')");
$c->nudge;
$c->as($ben, "SELECT orla_api.disconnect('dropbox')");
{
	# An account goes, while nobody lets its accesses be ended: they wait (way 156).
	my $eve = $c->sign_up('eve');
	$c->connect($eve, $_, $account{$_}) for qw(google_drive dropbox);
	learn($eve, 'Eve\'s');
	$c->fault($_, endpoint => [ 'revoke', 'token' ], status => 503) for qw(google_drive dropbox);
	$c->as($eve, "SELECT orla_api.delete_account('Correct-Horse-42')");
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.revocations WHERE provider = 'dropbox' AND failures > 0") eq '1' }), 'what a deleted account had is kept until it is ended');
	ok($secret{"Eve's dropbox refresh_token"}, 'and was in the clear at the provider alone');
}
cmp_ok(scalar keys %secret, '>', 20, 'tokens, verifiers, passwords: ' . keys %secret);
is(scalar(grep { length $secret{$_} < 20 } keys %secret), 0, 'each long enough to be looked for');

# ---- where they are not -----------------------------------------------------------------------
# Way 117.

$c->value('CHECKPOINT');
$c->value('SELECT pg_switch_wal()');

sub forms
{
	my ($text) = @_;
	my $inner = substr($text, 6, 24);
	return ($text, unpack('H*', $inner), $inner, encode_base64(substr($text, 0, 3 * int(length($text) / 3)), ''),
		# as debug_print_plan has constants
		join(' ', map { ord } split //, $inner));
}

sub found
{
	my ($text) = @_;
	my @found;
	for my $name (sort keys %secret)
	{
		push @found, $name if grep { index($text, $_) >= 0 } forms($secret{$name});
	}
	return "@found";
}

is(found('x' . $secret{'first dropbox access_token'} . 'x'), 'first dropbox access_token', 'what is there is found');
is(found(unpack('H*', "xy$secret{'first dropbox access_token'}")), 'first dropbox access_token', 'in hexadecimal, too');
my (%where, $files, $bytes);
find({ no_chdir => 1, wanted => sub {
	return if !-f || m{/tls/};
	my $text = Cluster::slurp($_);
	$files++;
	$bytes += length $text;
	my $found = found($text);
	$where{ s{^\Q$c->{dir}\E/}{}r } = $found if $found ne '';
} }, $c->{data}, $c->{log});
is(join(', ', map { "$_: $where{$_}" } sort keys %where), '', 'no file of the cluster has one: heap, WAL, log');
cmp_ok($files, '>', 900, "which were $files files");
my $log = Cluster::slurp($c->{log});
like($log, qr/DEBUG:  .*\n/, 'the log is that of debug5');
like($log, qr/LOG:  00000: duration: .*plan:/, 'and has plans');
cmp_ok(length $log, '>', 1_000_000, 'and much else');

is(found($c->value('SELECT string_agg(query, chr(10)) FROM pg_stat_statements')), '', 'nor pg_stat_statements');
cmp_ok($c->value('SELECT count(*) FROM pg_stat_statements'), '>', 50, 'which has many');
is(found($c->value('SELECT string_agg(to_jsonb(a)::text, chr(10)) FROM pg_stat_activity AS a')), '', 'nor pg_stat_activity');
is(found($c->value("SELECT string_agg(name || ' ' || setting || ' ' || coalesce(reset_val, ''), chr(10)) FROM pg_settings")), '', 'nor a setting');
my ($dump, $failed) = $c->run('pg_dump', '-d', 'app');
is($failed, 0, 'a dump');
like($dump, qr/COPY orla\.user_cloud_storage_tokens/, 'has the connections');
like($dump, qr/COPY orla\.revocations .*\n[0-9a-f-]{36}\t/, 'and what is to be revoked');
is(found($dump), '', 'and no token');
is(found($c->value('SELECT string_agg(to_jsonb(a)::text, chr(10)) FROM orla.audit_log AS a')), '', 'nor the audit trail');
is(found(join "\n", map { $c->value("SELECT string_agg(to_jsonb(t)::text, chr(10)) FROM $_ AS t") } qw(orla.user_cloud_storage_tokens orla.revocations orla.providers orla.mail_server orla.oauth_states orla.outbox orla_api.connections)), '', 'nor a row');
$c->value("ALTER SYSTEM RESET $_") for 'log_min_messages', 'log_statement', 'log_min_duration_statement', '"auto_explain.log_min_duration"', 'debug_print_plan', 'debug_print_parse', 'debug_print_rewritten';
$c->value('SELECT pg_reload_conf()');
$c->reset_provider($_) for qw(google_drive dropbox);

# ---- rows that were exchanged ---------------------------------------------------------------------
# Way 118.

{
	$c->connect($ben, 'dropbox', $account{dropbox});
	for my $exchange (
		[ 'another tenant\'s', "refresh_token = (SELECT o.refresh_token FROM orla.user_cloud_storage_tokens AS o WHERE o.user_id = '$ben->{id}' AND o.provider = 'google_drive')" ],
		[ 'another provider\'s', "refresh_token = (SELECT o.refresh_token FROM orla.user_cloud_storage_tokens AS o WHERE o.user_id = '$ada->{id}' AND o.provider = 'dropbox')" ],
		[ 'another column\'s', 'refresh_token = access_token' ],
		[ 'a changed one', 'refresh_token = set_byte(refresh_token, 50, get_byte(refresh_token, 50) # 1)' ])
	{
		my ($what, $assignment) = @$exchange;
		my $kept = $c->column($ada, 'google_drive', 'refresh_token');
		my $requests = $c->requests('google_drive', 'token');
		$c->set($ada, 'google_drive', $assignment);
		$c->expire($ada, 'google_drive');
		is(Custody::error($c->fresh($ada, 'google_drive')), 'the stored token does not open', "$what token in the row");
		is($c->requests('google_drive', 'token'), $requests, 'goes nowhere');
		like($c->as($ada, "SELECT connected, status, last_error FROM orla_api.connections WHERE provider = 'google_drive'"), qr/^t\|needs_operator\|The stored token does not open: could not open sealed value/, 'and is said to be wrong');
		$c->set($ada, 'google_drive', "refresh_token = '$kept', updated_at = now() - interval '1 minute', next_request_at = now()");
		is($c->fresh($ada, 'google_drive'), 'fresh', 'its own opens');
		# one that does not open is in nobody's way
		$c->set($ada, 'google_drive', $assignment);
		my $before = $c->column($ben, 'google_drive', 'md5(access_token)');
		$c->set($ada, 'google_drive', 'next_request_at = now() - interval \'1 hour\'');
		$c->set($ben, 'google_drive', 'next_request_at = now()');
		$c->nudge;
		ok(Cluster::waits_until(sub { $c->column($ben, 'google_drive', 'md5(access_token)') ne $before }), 'others are refreshed');
		$c->set($ada, 'google_drive', "refresh_token = '$kept', updated_at = now() - interval '1 minute', next_request_at = now() + interval '1 day', status = 'connected'");
	}
	my $kept = $c->column($ada, 'dropbox', 'access_token');
	$c->set($ada, 'dropbox', "access_token = (SELECT o.access_token FROM orla.user_cloud_storage_tokens AS o WHERE o.user_id = '$ben->{id}' AND o.provider = 'dropbox')");
	like($c->as($ada, "SELECT * FROM orla_api.files('dropbox')"), qr/^ERROR:  could not open sealed value/, 'Ben\'s access token in Ada\'s row shows Ada nothing');
	$c->set($ada, 'dropbox', "access_token = '$kept'");
}

# ---- keys ---------------------------------------------------------------------------------------------

{
	my $old = $c->value('SELECT orla.current_seal_key()');
	my @asking = map { $c->session } 1 .. 6;
	my $rounds = 0;
	my %answers;
	for my $round (1 .. 5)
	{
		$c->value('SELECT count(*) FROM orla.rotate_keys()');
		$c->expire($ada, $_) for @providers;
		$c->expire($ben, $_) for @providers;
		$asking[$_]->send($c->fresh_sql($_ < 3 ? $ada : $ben, $providers[ $_ % 3 ]) . ';') for 0 .. 5;
		while ($c->value('SELECT orla.reseal(1)') > 0) { $rounds++ }
		$answers{ $_->answer }++ for @asking;
	}
	is_deeply(\%answers, { fresh => 30 }, 'keys are rotated, and all is sealed anew, while tokens are refreshed');
	cmp_ok($rounds, '>', 5, "in batches of one: $rounds");
	isnt($c->value('SELECT orla.current_seal_key()'), $old, 'there is another key');
	is($c->value("SELECT count(*) FROM orla.tenant_keys WHERE key_id = '$old'"), '0', 'nothing is left of the old one');
	is($c->value('SELECT count(*) FROM orla.sealed_for_installation(orla.current_seal_key())'), '0', 'of the installation\'s, too');
	$_->leave for @asking;
	like($c->sql('SET ROLE orla_user; SELECT orla.reseal();'), qr/permission denied/, 'a tenant seals nothing anew');

	# the old keys are taken out
	my $ring = "$c->{data}/orla.keyring";
	my $text = Cluster::slurp($ring);
	my $newest = $c->value('SELECT orla.current_seal_key()');
	my @lines = split /(?<=\n)/, $text;
	my $ring_of = sub { my $keys = grep { /^(?:seal|sign|mac) / } @_; return join('', @_) =~ s/^end \d+$/end $keys/mr };
	my @without_old = grep { !/^seal / || /\Q$newest\E/ } @lines;
	cmp_ok(scalar @without_old, '<', scalar @lines, 'the old keys are taken out of the ring');
	$c->put($ring, $ring_of->(@without_old));
	$c->expire($ada, 'dropbox');
	is($c->fresh($ada, 'dropbox'), 'fresh', 'and nobody misses them');
	# the newest, too
	$c->put($ring, $ring_of->(grep { !/^seal \Q$newest\E/ } @lines));
	$c->expire($ada, 'dropbox');
	my $answer = $c->fresh($ada, 'dropbox');
	like($answer, qr/\Q$newest\E/, 'a ring without the key: the error names it');
	like($c->column($ada, 'dropbox', 'last_error'), qr/\Q$newest\E/, 'and so does the connection');
	is($c->column($ada, 'dropbox', 'status'), 'needs_operator', 'which waits for an operator');
	$c->put($ring, $text);
	$c->set($ada, 'dropbox', 'next_request_at = now()');
	$c->nudge;
	ok(Cluster::waits_until(sub { $c->column($ada, 'dropbox', 'status') eq 'connected' }), 'when the ring is whole again, it works by itself');
}

# ---- deletion ---------------------------------------------------------------------------------------------

{
	my $sealed = $c->column($ben, 'dropbox', 'access_token');
	like($c->value("SELECT orla.unseal('$sealed', '$ben->{id}', orla.token_purpose('dropbox', 'access_token'))"), qr/^sl\.u\./, 'Ben\'s token opens');
	$c->as($ben, "SELECT orla_api.delete_account('Correct-Horse-42')");
	is($c->value("SELECT count(*) FROM orla.tenant_keys WHERE user_id = '$ben->{id}'"), '0', 'his account is deleted, and the key with it');
	like($c->value("SELECT orla.unseal('$sealed', '$ben->{id}', orla.token_purpose('dropbox', 'access_token'))"), qr/the tenant has no data key/, 'what it has sealed opens for nobody any more');
}

alarm 0;
done_testing;
