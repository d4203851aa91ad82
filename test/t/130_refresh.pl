#!/usr/bin/perl
# Refreshing tokens, against counterparts of the providers: one request however
# many need it, nothing lost by what a caller does, answers that are no answers,
# rotation of every kind, clocks, locks, accounts that go meanwhile.
#
# Makes a cluster of its own, since the worker needs shared_preload_libraries.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(time);

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 600;

my $c = Custody->new('refresh', only => [qw(google_drive onedrive dropbox oidc)], server => ['orla.max_requests_in_flight=8']);
my %account = (google_drive => 'ada@gmail.example', onedrive => 'ada@outlook.example', dropbox => 'ada@box.example', oidc => 'ada@id.example');
my @providers = qw(google_drive onedrive dropbox oidc);
my $ada = $c->sign_up('ada');
my $true = JSON::PP::true();
my @sessions = map { $c->session } 1 .. 25;
my ($refreshed, $lost) = ('fresh', 'the connection has ended');

for my $provider (@providers) { $c->configure($provider); $c->account($provider, $account{$provider}); $c->connect($ada, $provider, $account{$provider}) }

sub state_of { my ($provider) = @_; return $c->column($ada, $provider, 'status || chr(32) || coalesce(last_error, chr(45))') }
sub calls { return $c->value('SELECT calls FROM orla.worker_status') }
sub reconnect { my ($provider) = @_; $c->knobs($provider, faults => []); my $done = $c->connect($ada, $provider, $account{$provider}); ref $done or die "$provider: $done\n"; return }

# Has the statement run in so many sessions while the token endpoint holds the
# first request; what they print, and how many requests that took.
sub at_once
{
	my ($provider, $sql, @who) = @_;
	my $before = $c->requests($provider, 'token');
	my $calls = calls();
	$c->fault($provider, endpoint => 'token', hold => $true, times => 1);
	$_->send("$sql;") for @who;
	$c->held($provider, 'token');
	Cluster::waits_until(sub { calls() >= $calls + @who }) or die "the calls do not arrive\n";
	$c->release($provider);
	my $released = time;
	my %answers;
	$answers{ Custody::error($_->answer) }++ for @who;
	return (\%answers, $c->requests($provider, 'token') - $before, time - $released);
}

# ---- one request for all -------------------------------------------------------------
# Way 120.

for my $provider (@providers)
{
	$c->expire($ada, $provider);
	my ($answers, $requests, $seconds) = at_once($provider, $c->fresh_sql($ada, $provider), @sessions);
	is_deeply($answers, { $refreshed => 25 }, "$provider: 25 sessions need a token at once");
	is($requests, 1, "$provider: which takes one request");
	cmp_ok($seconds, '<', 2, "$provider: and nobody waits much longer than that takes");
	is($c->fresh($ada, $provider), $refreshed, "$provider: it is good for whoever comes later");
	is($c->requests($provider, 'token'), 2, "$provider: without a request");

	# one that lives so short that it is old when the last one has it
	next if $provider eq 'oidc';
	$c->knobs($provider, expires_in => 1);
	$c->expire($ada, $provider);
	($answers, $requests) = at_once($provider, $c->fresh_sql($ada, $provider), @sessions);
	is_deeply($answers, { $refreshed => 25 }, "$provider: 25 need one that is good for a second");
	is($requests, 1, "$provider: that takes one request, too");
	cmp_ok($c->column($ada, $provider, "extract(epoch FROM next_request_at - now())"), '>', 50, "$provider: it is not refreshed ahead, which would never end");
	$c->knobs($provider, expires_in => 3600);

	# one failure is everybody's
	$c->expire($ada, $provider);
	$c->fault($provider, endpoint => 'token', status => 503);
	my @some = @sessions[ 0 .. 9 ];
	my $before = $c->requests($provider, 'token');
	my $calls = calls();
	$_->send($c->fresh_sql($ada, $provider) . ';') for @some;
	my %seen;
	$seen{ Custody::error($_->answer) }++ for @some;
	is_deeply(\%seen, { 'the provider does not answer' => 10 }, "$provider: ten need one from a provider that is down");
	is($c->requests($provider, 'token') - $before, 1, "$provider: which is asked once");
	$c->reset_provider($provider);
	$c->set($ada, $provider, 'next_request_at = now()');
	ok(Cluster::waits_until(sub { state_of($provider) eq 'connected -' }), "$provider: then it works again by itself");
}

# rejected before its time
for my $provider (qw(google_drive onedrive dropbox))
{
	$c->control(POST => 'revoke', { provider => $provider, what => 'access', account => $account{$provider} });
	my $before = $c->requests($provider, 'token');
	is($c->as($ada, "SELECT count(*) FROM orla_api.files('$provider')"), '0', "$provider: a token that is refused before its time is refreshed, in a transaction that reads");
	is($c->requests($provider, 'token') - $before, 1, "$provider: once");
	my $old = $c->column($ada, $provider, "orla.token_hash(orla.unseal(access_token, user_id, orla.token_purpose(provider, 'access_token')))");
	my ($answers, $requests) = at_once($provider, $c->fresh_sql($ada, $provider, { rejected => $old }), @sessions[ 0 .. 9 ]);
	is_deeply($answers, { $refreshed => 10 }, "$provider: ten were refused the same token");
	is($requests, 1, "$provider: which takes one request");
	is($c->fresh($ada, $provider, args => { rejected => $old }), $refreshed, "$provider: and none for who comes late");
	is($c->requests($provider, 'token') - $before, 2, "$provider: since there is a newer one");
	$c->fault($provider, endpoint => 'token', status => 500, times => 1);
	$old = $c->column($ada, $provider, "orla.token_hash(orla.unseal(access_token, user_id, orla.token_purpose(provider, 'access_token')))");
	is(Custody::error($c->fresh($ada, $provider, args => { rejected => $old })), 'the provider does not answer', "$provider: a refused token is not given out again where there is no other");
	$c->set($ada, $provider, 'next_request_at = now()');
	ok(Cluster::waits_until(sub { state_of($provider) eq 'connected -' }), "$provider: later there is");
}

# ---- what a caller does changes nothing ------------------------------------------------
# Way 119.

my $caller = $c->session;
sub stored { my ($provider) = @_; return $c->column($ada, $provider, 'md5(access_token)') }

for my $provider (qw(onedrive oidc))
{
	my $fresh = $c->fresh_sql($ada, $provider);
	for my $how ([ 'rolls back', "BEGIN; $fresh; ROLLBACK" ], [ 'reads only', "BEGIN READ ONLY; $fresh; COMMIT" ],
		[ 'fails', "BEGIN; $fresh; SELECT 1 / 0; COMMIT" ], [ 'is serializable', "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; $fresh; COMMIT" ])
	{
		my ($what, $sql) = @$how;
		$c->expire($ada, $provider);
		my $before = stored($provider);
		like($caller->ask("$sql;"), qr/^(1\n)?fresh/, "$provider: a caller $what");
		isnt(stored($provider), $before, "$provider: the token is stored");
		is(state_of($provider), 'connected -', "$provider: and good");
	}

	for my $how ([ 'is cancelled', sub { $c->value("SELECT pg_cancel_backend($caller->{backend})") }, qr/canceling statement due to user request/ ],
		[ 'times out', sub { }, qr/canceling statement due to statement timeout/ ],
		[ 'is ended', sub { $c->value("SELECT pg_terminate_backend($caller->{backend}, 10000)") }, qr/terminating connection|server closed/ ])
	{
		my ($what, $do, $like) = @$how;
		$c->expire($ada, $provider);
		my $before = stored($provider);
		$c->fault($provider, endpoint => 'token', hold => $true, when => 'after', times => 1);
		$caller->send(($what eq 'times out' ? "SET statement_timeout = '300ms'; " : '') . "$fresh;");
		$c->held($provider, 'token');
		$do->();
		like($caller->answer, $like, "$provider: a caller $what");
		$c->release($provider);
		ok(Cluster::waits_until(sub { stored($provider) ne $before }), "$provider: the token is stored all the same");
		is(state_of($provider), 'connected -', "$provider: and good");
		if ($what eq 'is ended') { $caller->leave; $caller = $c->session }
		else { $caller->ask('RESET statement_timeout;') }
	}
	my $leaver = $c->session;
	$c->expire($ada, $provider);
	my $before = stored($provider);
	$c->fault($provider, endpoint => 'token', hold => $true, when => 'after', times => 1);
	$leaver->send("$fresh;");
	$c->held($provider, 'token');
	kill 'KILL', $leaver->{pid};
	$c->release($provider);
	ok(Cluster::waits_until(sub { stored($provider) ne $before }), "$provider: a caller's program dies, the token is stored");
	$leaver->leave;
	is(Custody::error($c->fresh($ada, $provider)), $refreshed, "$provider: and all is well");
}

# ---- ahead of expiry, while the old token is good ---------------------------------------

for my $provider (qw(google_drive onedrive dropbox))
{
	# five minutes before its end, and up to a minute more
	$c->knobs($provider, expires_in => 3600);
	my $due = sub { return $c->column($ada, $provider, 'round(extract(epoch FROM token_expires_at - next_request_at)) BETWEEN 298 AND 362') };
	reconnect($provider);
	is($due->(), 't', "$provider: a token that was just given will be refreshed five to six minutes before its end");
	my $before = stored($provider);
	my $requests = $c->requests($provider, 'token');
	$c->fault($provider, endpoint => 'token', hold => $true, times => 1);
	$c->set($ada, $provider, "token_expires_at = now() + interval '4 minutes', next_request_at = now()");
	$c->held($provider, 'token');
	is($c->column($ada, $provider, 'claimed_at IS NOT NULL'), 't', "$provider: when the time has come it is, and nobody has asked: the claim is committed");
	is($c->value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla worker' AND xact_start IS NOT NULL"), '0', "$provider: and no transaction is open meanwhile");
	is($c->as($ada, "SET LOCAL statement_timeout = '10s'; SELECT count(*) FROM orla_api.files('$provider')"), '0', "$provider: whose token is good still does not wait for that");
	$c->release($provider);
	ok(Cluster::waits_until(sub { stored($provider) ne $before }), "$provider: then there is the new one");
	is($c->requests($provider, 'token') - $requests, 1, "$provider: by one request");
	is($due->(), 't', "$provider: which will be refreshed in its turn");
}

# ---- locks ------------------------------------------------------------------------------
# Way 127.

{
	my $ben = $c->sign_up('ben');
	$c->account('onedrive', 'ben@outlook.example');
	$c->connect($ben, 'onedrive', 'ben@outlook.example');
	my $lock = "SELECT FROM orla.user_cloud_storage_tokens WHERE user_id = '$ada->{id}' AND provider = 'onedrive' FOR UPDATE";
	$c->expire($_, 'onedrive') for $ada, $ben;
	my $began = time;
	$caller->send("BEGIN; $lock; " . $c->fresh_sql($ada, 'onedrive') . ';');
	my $other = time;
	is($c->fresh($ben, 'onedrive'), $refreshed, 'Ben is served meanwhile');
	cmp_ok(time - $other, '<', 3, 'at once');
	is(Custody::error($caller->answer), 'too busy, try again', 'a caller that holds a lock on what it asks for has an error, no hang');
	cmp_ok(time - $began, '<', 8, 'soon');
	$caller->ask('ROLLBACK;');
	is($c->fresh($ada, 'onedrive'), $refreshed, 'and then it works');

	# reading files takes no lock, and waits for none
	$caller->ask("BEGIN; $lock;");
	is($c->as($ada, "SET LOCAL statement_timeout = '30s'; SELECT count(*) FROM orla_api.files('onedrive')"), '0', 'while a connection is locked its files are read');
	$caller->ask('ROLLBACK;');

	# the same, whatever the caller asks for: the row is locked by a call of the caller's own
	for my $call ([ 'disconnect', sub { "SELECT orla_api.disconnect('onedrive')" } ],
		[ 'complete_connection', sub { $c->complete_sql($c->approve($c->begin($ada, 'onedrive'), $account{onedrive})) } ])
	{
		my ($what, $sql) = @$call;
		$caller->send($c->as_sql($ada, "SET LOCAL statement_timeout = '60s'; SELECT 1 WHERE orla_api.select_folders('onedrive', '[]') IS NULL; " . $sql->()) =~ s/COMMIT;$/ROLLBACK;/r);
		is($c->fresh($ben, 'onedrive'), $refreshed, "$what() by a caller that has locked the connection: Ben is served meanwhile");
		is(Custody::error($caller->answer), 'too busy, try again', 'it has an error, no hang');
		is(state_of('onedrive'), 'connected -', 'and the connection is as it was');
		$c->expire($ada, 'onedrive');
		is($c->fresh($ada, 'onedrive'), $refreshed, 'and works');
	}

	# the same when the answer comes, from a provider that never gives it again
	$c->expire($ada, 'oidc');
	my $before = stored('oidc');
	$c->fault('oidc', endpoint => 'token', hold => $true, when => 'after', times => 1);
	my ($asking, $holding) = map { $c->session } 1, 2;
	$asking->send($c->fresh_sql($ada, 'oidc') . ';');
	$c->held('oidc', 'token');
	$holding->ask("BEGIN; " . ($lock =~ s/onedrive/oidc/r) . ';');
	$c->release('oidc');
	is(Custody::error($asking->answer), 'too busy, try again', 'an answer that cannot be stored is not waited for');
	is(stored('oidc'), $before, 'for ever');
	$asking->send($c->fresh_sql($ada, 'oidc') . ';');
	is($c->fresh($ben, 'onedrive'), $refreshed, 'others are served');
	$holding->ask('ROLLBACK;');
	is($asking->answer, $refreshed, 'when the lock is gone, it is');
	isnt(stored('oidc'), $before, 'stored');
	$c->expire($ada, 'oidc');
	is($c->fresh($ada, 'oidc'), $refreshed, 'and it was the last that the provider gave');

	# the keyring is gone when the answer comes
	$c->expire($ada, 'oidc');
	$c->fault('oidc', endpoint => 'token', hold => $true, when => 'after', times => 1);
	$asking->send($c->fresh_sql($ada, 'oidc') . ';');
	$c->held('oidc', 'token');
	my $ring = "$c->{data}/orla.keyring";
	rename $ring, "$ring.away" or die $!;
	$c->release('oidc');
	like($asking->answer, qr/^ERROR:  .*keyring/, 'a keyring that was removed while running is said to be missing');
	rename "$ring.away", $ring or die $!;
	ok(Cluster::waits_until(sub { $c->column($ada, 'oidc', 'claimed_at IS NULL') eq 't' }), 'when it is back, the answer is stored');
	is(state_of('oidc'), 'connected -', 'all is well');
	$c->expire($ada, 'oidc');
	is($c->fresh($ada, 'oidc'), $refreshed, 'and goes on');
	$_->leave for $asking, $holding;
}

# ---- answers that are no answers --------------------------------------------------------------
# Way 126.

my @bad_answers = (
	[ 'HTML with 200', { body => 'html', status => 200 }, 'retrying', 'an answer without a token' ],
	[ 'HTML with 500', { body => 'html', status => 500 }, 'retrying', 'status 500' ],
	[ 'HTML with 400', { body => 'html', status => 400 }, 'retrying', 'status 400' ],
	[ 'nothing', { body => 'empty' }, 'retrying', 'an answer without a token' ],
	[ '404', { status => 404, body => 'html' }, 'retrying', 'status 404' ],
	[ '500', { status => 500 }, 'retrying', 'status 500' ],
	[ '503', { status => 503 }, 'retrying', 'status 503' ],
	[ '408', { status => 408, body => 'html' }, 'retrying', 'status 408' ],
	[ 'no connection', { close => $true }, 'retrying', 'closed the connection' ],
	[ 'an error that nobody knows', { status => 400, body => { error => 'mercury_retrograde' } }, 'retrying', 'mercury_retrograde' ],
	[ 'invalid_grant with 500', { status => 500, body => { error => 'invalid_grant' } }, 'retrying', 'invalid_grant' ],
	[ 'temporarily_unavailable', { status => 400, body => { error => 'temporarily_unavailable' } }, 'retrying', 'temporarily_unavailable' ],
	[ 'an error that quotes', { status => 400, body => { error => 'the token 1//secret-token is bad' } }, 'retrying', 'status 400' ],
	[ 'invalid_client', { status => 401, body => { error => 'invalid_client' } }, 'needs_operator', 'invalid_client' ],
	[ 'invalid_client with 400', { status => 400, body => { error => 'invalid_client' } }, 'needs_operator', 'invalid_client' ],
	[ 'unauthorized_client', { status => 400, body => { error => 'unauthorized_client' } }, 'needs_operator', 'unauthorized_client' ],
	[ 'deleted_client', { status => 401, body => { error => 'deleted_client' } }, 'needs_operator', 'deleted_client' ],
	[ 'invalid_scope', { status => 400, body => { error => 'invalid_scope' } }, 'needs_operator', 'invalid_scope' ],
	map({ [ $_, { status => 400, body => { error => $_ } }, 'needs_operator', $_ ] } qw(unsupported_grant_type redirect_uri_mismatch invalid_request)),
	map({ [ "$_->[1] with $_->[0]", { status => $_->[0], body => { error => $_->[1] } }, 'retrying', $_->[1] ] } [ 400, 'server_error' ], [ 503, 'temporarily_unavailable' ], [ 429, 'invalid_client' ]),
	map({ [ $_, { status => $_, body => 'html' }, 'retrying', "status $_" ] } 429, 502, 504),
	[ 'a token and 400', { status => 400, body => { access_token => 'x' x 40, token_type => 'bearer' } }, 'retrying', 'status 400' ],
	map({ [ "$_->[1] with $_->[0]", { status => $_->[0], body => { error => $_->[1] } }, 'needs_reconnect', $_->[1] ] } [ 400, 'invalid_grant' ], [ 401, 'invalid_grant' ],
		[ 400, 'interaction_required' ], [ 400, 'consent_required' ], [ 400, 'login_required' ], [ 400, 'access_denied' ]));
# whom the three classes ask to do something, in words
my %class = (
	retrying        => [ 'the provider does not answer', 'The provider does not answer as it should', 't' ],
	needs_operator  => [ 'the provider refuses this installation', 'The provider refuses this installation', 't' ],
	needs_reconnect => [ $lost, 'The provider accepts the connection no longer', 'f' ]);

for my $bad (@bad_answers)
{
	my ($what, $fault, $status, $words) = @$bad;
	my $provider = 'google_drive';
	$c->expire($ada, $provider);
	my $before = stored($provider);
	$c->fault($provider, endpoint => 'token', times => 1, %$fault);
	is(Custody::error($c->fresh($ada, $provider)), $class{$status}[0], "refresh answered by $what");
	like(state_of($provider), qr/^$status $class{$status}[1]: .*\Q$words\E.*\.$/, "is $status, in words");
	unlike(state_of($provider), qr/secret-token/, 'without a word of what was sent');
	is(stored($provider), $before, 'the tokens stay');
	is($c->as($ada, "SELECT connected FROM orla_api.connections WHERE provider = '$provider'"), $class{$status}[2], 'it is dead or not');
	$status eq 'needs_reconnect' ? reconnect($provider) : $c->set($ada, $provider, "updated_at = now() - interval '1 minute', not_before = NULL");
	is($c->fresh($ada, $provider), $refreshed, 'and recovers');
	is(state_of($provider), 'connected -', 'wholly');
}

# the answer comes, and is spoiled on its way: the provider has done its part
for my $spoiled ([ 'half an answer', { body => 'truncated' } ], [ 'less than announced', { body => 'short' } ], [ '10 MB', { body => 'huge' } ],
	[ 'no UTF-8', { body => 'latin1' } ], [ '500 after it was done', { status => 500, when => 'after' } ], [ 'a lost answer', { close => $true, when => 'after' } ])
{
	my ($what, $fault) = @$spoiled;
	for my $rotation (qw(none keep grace))
	{
		$c->knobs('dropbox', rotation => $rotation);
		$c->expire($ada, 'dropbox');
		$c->fault('dropbox', endpoint => 'token', times => 1, %$fault);
		is(Custody::error($c->fresh($ada, 'dropbox')), 'the provider does not answer', "$what, rotation $rotation");
		$c->set($ada, 'dropbox', "updated_at = now() - interval '1 minute'");
		is($c->fresh($ada, 'dropbox'), $refreshed, 'is made up for');
	}
}
$c->knobs('dropbox', rotation => 'strict');
$c->expire($ada, 'dropbox');
is($c->fresh($ada, 'dropbox'), $refreshed, 'rotation strict');
$c->expire($ada, 'dropbox');
is($c->fresh($ada, 'dropbox'), $refreshed, 'again and again');
for my $field (qw(access_token token_type))
{
	my $is = $field eq 'access_token' ? { omit => ['access_token'] } : { token_type => 'mac' };
	$c->knobs('dropbox', %$is);
	$c->expire($ada, 'dropbox');
	is(Custody::error($c->fresh($ada, 'dropbox')), 'the provider does not answer', "strict rotation, and no good $field");
	$c->knobs('dropbox', omit => [], token_type => undef);
	$c->set($ada, 'dropbox', "updated_at = now() - interval '1 minute'");
	is($c->fresh($ada, 'dropbox'), $refreshed, 'the refresh token of that answer was kept');
}
# What cannot be made up for: the answer is the only copy, and it is lost.
$c->expire($ada, 'dropbox');
$c->fault('dropbox', endpoint => 'token', times => 1, close => $true, when => 'after');
is(Custody::error($c->fresh($ada, 'dropbox')), 'the provider does not answer', 'strict rotation, and the answer is lost');
$c->set($ada, 'dropbox', "updated_at = now() - interval '1 minute'");
is(Custody::error($c->fresh($ada, 'dropbox')), $lost, 'the provider takes the next try for theft');
like(state_of('dropbox'), qr/^needs_reconnect The provider accepts the connection no longer: status 400, invalid_grant\.$/, 'which shows');
$c->knobs('dropbox', rotation => 'none');
reconnect('dropbox');
is($c->fresh($ada, 'dropbox'), $refreshed, 'and is mended by connecting again');

# ---- clocks and lives ---------------------------------------------------------------------------

for my $provider (qw(google_drive onedrive dropbox))
{
	for my $offset (-86_400, 86_400)
	{
		$c->knobs($provider, clock_offset => $offset, expires_in => 3600);
		$c->expire($ada, $provider);
		is($c->fresh($ada, $provider), $refreshed, "$provider: a clock that is wrong by $offset s");
		is($c->column($ada, $provider, 'round(extract(epoch FROM token_expires_at - now()) / 60)'), '60', 'does not count');
	}
	$c->knobs($provider, clock_offset => 0);
	$c->expire($ada, $provider);
	$c->fault($provider, endpoint => 'token', when => 'after', delay_ms => 1500, times => 1);
	is($c->fresh($ada, $provider), $refreshed, "$provider: an answer that takes its time");
	cmp_ok($c->column($ada, $provider, 'extract(epoch FROM token_expires_at - last_refreshed_at)'), '<', 3600 - 1.4, 'counts from when it was asked for');
	$c->knobs($provider, expires_in => undef);
	$c->expire($ada, $provider);
	is($c->fresh($ada, $provider), $refreshed, "$provider: an answer that does not say how long");
	is($c->column($ada, $provider, 'round(extract(epoch FROM token_expires_at - now()) / 60)'), '60', 'means an hour');
	my $before = $c->requests($provider, 'token');
	is($c->fresh($ada, $provider), $refreshed, 'is good');
	is($c->requests($provider, 'token'), $before, 'and used');
	$c->knobs($provider, expires_in => 3600);
}

# ---- Microsoft's errors -------------------------------------------------------------------------

for my $code ([ 700082, 'needs_reconnect' ], [ 50076, 'needs_reconnect' ], [ 65001, 'needs_reconnect' ], [ 50173, 'needs_reconnect' ], [ 70000, 'needs_reconnect' ],
	[ 53003, 'needs_reconnect' ], [ 50057, 'needs_reconnect' ],
	[ 7000222, 'needs_operator' ], [ 7000215, 'needs_operator' ], [ 700016, 'needs_operator' ], [ 70011, 'needs_operator' ],
	[ 90033, 'retrying' ], [ 90006, 'retrying' ], [ 50196, 'retrying' ], [ 50053, 'retrying' ])
{
	my ($number, $status) = @$code;
	$c->expire($ada, 'onedrive');
	$c->knobs('onedrive', refuse_refresh => $number);
	$c->fresh($ada, 'onedrive');
	$c->knobs('onedrive', refuse_refresh => undef);
	like(state_of('onedrive'), qr/^$status .*\(AADSTS$number\)\.$/, "AADSTS$number: $status");
	$status eq 'needs_reconnect' ? reconnect('onedrive') : $c->set($ada, 'onedrive', "updated_at = now() - interval '1 minute', next_request_at = now() + interval '1 day', not_before = NULL");
}
{
	my $before = $c->requests('onedrive', 'token');
	$c->expire($ada, 'onedrive');
	$c->control(POST => 'revoke', { provider => 'onedrive', what => 'grant', account => $account{onedrive} });
	is(Custody::error($c->fresh($ada, 'onedrive')), $lost, 'a grant that was revoked');
	my $after = $c->requests('onedrive', 'token');
	is(Custody::error($c->fresh($ada, 'onedrive')), $lost, 'asked again') for 1 .. 3;
	is($c->requests('onedrive', 'token'), $after, 'the provider is not bothered with what is dead');
	reconnect('onedrive');
	is($c->fresh($ada, 'onedrive'), $refreshed, 'until it is connected again');
}

# ---- the refresh token before the last ------------------------------------------------------------

{
	my $plant = "refresh_token = orla.seal('M.made-up-token-that-nobody-knows', user_id, orla.token_purpose(provider, 'refresh_token')), previous_refresh_token = orla.seal(orla.unseal(refresh_token, user_id, orla.token_purpose(provider, 'refresh_token')), user_id, orla.token_purpose(provider, 'previous_refresh_token'))";
	$c->expire($ada, 'onedrive');
	is($c->fresh($ada, 'onedrive'), $refreshed, 'a rotation');
	is($c->column($ada, 'onedrive', 'previous_refresh_token IS NOT NULL'), 't', 'keeps the token before');
	$c->set($ada, 'onedrive', $plant);
	$c->expire($ada, 'onedrive');
	my $before = $c->requests('onedrive', 'token');
	is($c->fresh($ada, 'onedrive'), $refreshed, 'the new one is refused: the one before is tried');
	is($c->requests('onedrive', 'token') - $before, 2, 'once');
	$c->set($ada, 'onedrive', $plant);
	$c->control(POST => 'revoke', { provider => 'onedrive', what => 'grant', account => $account{onedrive} });
	$c->expire($ada, 'onedrive');
	$before = $c->requests('onedrive', 'token');
	my ($answers, $requests) = at_once('onedrive', $c->fresh_sql($ada, 'onedrive'), @sessions[ 0 .. 4 ]);
	is_deeply($answers, { $lost => 5 }, 'both are refused: the connection has ended, for all who waited');
	is($requests, 2, 'after one request each');
	reconnect('onedrive');
}

# ---- when to ask again -------------------------------------------------------------------------------

for my $wait ([ 'in seconds', 120, 120 ], [ 'as a date', { date => 300 }, 300 ], [ 'of zero', 0, 0 ], [ 'absent', undef, 0 ])
{
	my ($what, $retry_after, $seconds) = @$wait;
	$c->expire($ada, 'google_drive');
	$c->fault('google_drive', endpoint => 'token', times => 1, status => 429, defined $retry_after ? (retry_after => $retry_after) : ());
	$c->fresh($ada, 'google_drive');
	my $in = $c->column($ada, 'google_drive', 'round(extract(epoch FROM next_request_at - updated_at))');
	# a date is nearer when the answer is stored
	ok($in >= $seconds - (ref $retry_after ? 30 : 1) && $in <= $seconds + 3, "Retry-After $what: in $in s");
	my $before = $c->requests('google_drive', 'token');
	is(Custody::error($c->fresh($ada, 'google_drive')), 'the provider does not answer', 'whoever comes before') if $seconds;
	is($c->requests('google_drive', 'token'), $before, 'has the same answer without a request');
	$c->set($ada, 'google_drive', "updated_at = now() - interval '1 minute', not_before = NULL");
	is($c->fresh($ada, 'google_drive'), $refreshed, 'later it works');
}
{
	# counted, and never a reason to give a connection up
	$c->fault('google_drive', endpoint => 'token', status => 503);
	for my $failures (6, 7, 30)
	{
		$c->expire($ada, 'google_drive');
		$c->set($ada, 'google_drive', "failures = $failures, updated_at = now() - interval '1 minute', not_before = NULL");
		is(Custody::error($c->fresh($ada, 'google_drive')), 'the provider does not answer', "after $failures failures one more");
		is($c->column($ada, 'google_drive', 'failures - ' . $failures), '1', 'is counted');
		my $wait = $c->column($ada, 'google_drive', 'round(extract(epoch FROM next_request_at - updated_at))');
		my $middle = $failures > 12 ? 3600 : 2 ** $failures;
		ok($wait >= 0.74 * $middle && $wait <= 1.26 * $middle, "the next is asked for after $wait s");
		like(state_of('google_drive'), qr/^retrying /, 'and the connection is alive');
	}
	$c->reset_provider('google_drive');
	$c->set($ada, 'google_drive', "updated_at = now() - interval '1 minute'");
	is($c->fresh($ada, 'google_drive'), $refreshed, 'an answer');
	is($c->column($ada, 'google_drive', 'failures'), '0', 'ends the count');
}
{
	my @waits = map { $c->value("SELECT extract(epoch FROM orla.backoff($_))") } 0, 3, 6, 50;
	ok($waits[0] >= 0.7 && $waits[0] <= 1.3 && $waits[1] >= 6 && $waits[1] <= 10 && $waits[2] >= 48 && $waits[2] <= 80 && $waits[3] >= 2700 && $waits[3] <= 4500,
		"from a second to an hour: @waits");
	my $next = sub { $c->value("SELECT round(extract(epoch FROM orla.next_refresh(now() + interval '$_[0]', now() - interval '$_[1]') - now()))") };
	my $hour = $next->('1 hour', '0');
	ok($hour >= 3600 - 360 && $hour <= 3600 - 300, "good for an hour, refreshed ahead by five minutes and some: after $hour s");
	my $short = $next->('8 minutes', '0');
	ok($short >= 180 && $short <= 240, "good for 8 minutes: not more than half of that, after $short s");
	$c->value("SET orla.refresh_margin = '15min'");
	$hour = $next->('1 hour', '0');
	$c->value('RESET orla.refresh_margin');
	ok($hour >= 3600 - 1081 && $hour <= 3600 - 900, "an operator may say another margin, here a quarter of an hour: after $hour s");
	is($next->('1 second', '0'), '60', 'good for a second: in a minute at the earliest');
	my $idle = $next->('1 hour', '2 days') / 86400;
	ok($idle >= 27 && $idle <= 30, "nobody has used it since the day before yesterday: after $idle days");
	is($c->value("SELECT count(DISTINCT orla.next_refresh(now() + interval '1 hour', now())) > 50 FROM generate_series(1, 100)"), 't', 'spread, so that not all come at once');
}
for my $provider (@providers)
{
	my $before = stored($provider);
	my $requests = $c->requests($provider, 'token');
	$c->set($ada, $provider, "last_used_at = now() - interval '40 days', next_request_at = now()");
	ok(Cluster::waits_until(sub { stored($provider) ne $before }), "$provider: the worker keeps an idle connection alive, and nobody has asked");
	is($c->requests($provider, 'token') - $requests, 1, "$provider: by one request");
	is($c->column($ada, $provider, "next_request_at > now() + interval '26 days' AND claimed_at IS NULL"), 't', "$provider: until next month");
}

# ---- meanwhile ---------------------------------------------------------------------------------------

{
	my $eve = $c->sign_up('eve');
	$c->account('dropbox', 'eve@box.example');
	$c->connect($eve, 'dropbox', 'eve@box.example');
	my $hold = sub { $c->fault('dropbox', endpoint => 'token', hold => $true, when => 'after', times => 1) };
	my $asking = $c->session;
	my $begin = sub { $hold->(); $c->expire($eve, 'dropbox'); $asking->send($c->fresh_sql($eve, 'dropbox') . ';'); $c->held('dropbox', 'token') };

	$begin->();
	is(ref $c->connect($eve, 'dropbox', 'eve@box.example'), 'HASH', 'somebody connects again while a refresh is under way');
	my $before = $c->column($eve, 'dropbox', 'md5(access_token)');
	$c->release('dropbox');
	is($asking->answer, $refreshed, 'who waited has the new token');
	is($c->column($eve, 'dropbox', 'md5(access_token)'), $before, 'the old answer does not take its place');
	is($c->column($eve, 'dropbox', 'claimed_at IS NULL'), 't', 'nothing is left of it');

	# the same where the old token is refused, since somebody has a newer one
	$c->fault('dropbox', endpoint => 'token', hold => $true, when => 'after', times => 1, status => 400, body => { error => 'invalid_grant' });
	$c->expire($eve, 'dropbox');
	$asking->send($c->fresh_sql($eve, 'dropbox') . ';');
	$c->held('dropbox', 'token');
	is(ref $c->connect($eve, 'dropbox', 'eve@box.example'), 'HASH', 'somebody connects again before a refresh is refused');
	$before = $c->column($eve, 'dropbox', 'md5(access_token)');
	$c->release('dropbox');
	is($asking->answer, $refreshed, 'who waited has the new token all the same');
	is($c->column($eve, 'dropbox', "md5(access_token) || ' ' || status || ' ' || (claimed_at IS NULL)::text"), "$before connected true", 'and the connection has not ended');

	$begin->();
	my $leaving = $c->session;
	$leaving->send($c->as_sql($eve, "SELECT orla_api.disconnect('dropbox') ->> 'message'"));
	my $calls = calls();
	$c->release('dropbox');
	is($asking->answer, $refreshed, 'somebody disconnects while a refresh is under way');
	is($leaving->answer, 'Disconnected.', 'and is, after it');
	$leaving->leave;
	my $live = sub { scalar grep { $_->{account} eq 'eve@box.example' && !$_->{revoked} } @{ $c->control(GET => 'counts', { provider => 'dropbox' })->{grants} } };
	ok(Cluster::waits_until(sub { $live->() == 0 }), 'with what the provider gave last, and what was replaced before');

	$c->connect($eve, 'dropbox', 'eve@box.example');
	$begin->();
	$c->as($eve, "SELECT orla_api.delete_account('Correct-Horse-42')");
	$c->release('dropbox');
	is(Custody::error($asking->answer), 'not connected', 'the account is deleted while a refresh is under way');
	is($c->value("SELECT count(*) FROM orla.tenant_keys WHERE user_id = '$eve->{id}'"), '0', 'its key with it');
	ok(Cluster::waits_until(sub { $live->() == 0 }), 'and its access at the provider');

	# where the answer alone has the token that counts
	$eve = $c->sign_up('eva');
	$c->account('oidc', 'eve@id.example');
	$c->connect($eve, 'oidc', 'eve@id.example');
	$c->fault('oidc', endpoint => 'token', hold => $true, when => 'after', times => 1);
	$c->expire($eve, 'oidc');
	$asking->send($c->fresh_sql($eve, 'oidc') . ';');
	$c->held('oidc', 'token');
	$c->fault('oidc', endpoint => 'revoke', times => 1, status => 400);      # to the token that was there before
	$c->as($eve, "SELECT orla_api.delete_account('Correct-Horse-42')");
	ok(Cluster::waits_until(sub { $c->requests('oidc', 'revoke') == 1 }), 'the token that was rotated is of no use any more');
	$c->release('oidc');
	is(Custody::error($asking->answer), 'not connected', 'the account is gone');
	ok(Cluster::waits_until(sub { !grep { $_->{account} eq 'eve@id.example' && !$_->{revoked} } @{ $c->control(GET => 'counts', { provider => 'oidc' })->{grants} } }), 'the one in the answer ends the access');
	$asking->leave;
}

# ---- a provider that hangs ------------------------------------------------------------------------------
# Way 127.

{
	my $minted = $c->control(POST => 'mint', { provider => 'google_drive', account => $account{google_drive}, count => 20 })->{tokens};
	my $rows = join ', ', map { "('tenant$_\@example.org', " . Custody::literal($minted->[$_]{access_token}) . ', ' . Custody::literal($minted->[$_]{refresh_token}) . ')' } 0 .. 19;
	$c->value("CREATE TEMP TABLE many AS SELECT gen_random_uuid() AS id, v.* FROM (VALUES $rows) AS v (email, access, refresh)");
	$c->value("INSERT INTO orla.users (id, name, email, organization_name, organization_slug, password_hash, email_verified) SELECT id, 'T', email, 'T', email, '\$argon2id\$x', true FROM many");
	$c->value('SELECT count(orla.create_tenant_key(id)) FROM many');
	is($c->value("INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, access_token, refresh_token, token_expires_at, next_request_at)
	    SELECT id, 'google_drive', orla.seal(access, id, orla.token_purpose('google_drive', 'access_token')),
	           orla.seal(refresh, id, orla.token_purpose('google_drive', 'refresh_token')), now(), now() FROM many"), '', 'twenty connections that are due');
	$c->fault('google_drive', endpoint => 'token', hold => $true);
	$c->held('google_drive', 'token', 8);
	ok(Cluster::waits_until(sub { $c->value('SELECT in_flight FROM orla.worker_status') >= 8 }), 'a provider hangs, with eight requests under way');
	is($c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE claimed_at IS NOT NULL"), '8', 'and no more are begun');
	my $before = stored('dropbox');
	my $began = time;
	$c->set($ada, 'dropbox', 'next_request_at = now()');
	ok(Cluster::waits_until(sub { stored('dropbox') ne $before }), 'another is refreshed');
	cmp_ok(time - $began, '<', 10, 'in its time');
	$c->expire($ada, 'onedrive');
	$began = time;
	is($c->fresh($ada, 'onedrive'), $refreshed, 'and on demand');
	cmp_ok(time - $began, '<', 5, 'at once');
	$c->reset_provider('google_drive');
	$c->release('google_drive');
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE user_id IN (SELECT id FROM many) AND last_refreshed_at IS NULL") eq '0' }), 'when it answers again, all are refreshed');
	is($c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE status <> 'connected' AND is_active"), '0', 'and well');
}
is($c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE claimed_at IS NOT NULL"), '0', 'no claim is left');
is($c->requests('oidc', 'token'), $c->control(GET => 'counts', { provider => 'oidc', brief => 1 })->{refreshes} + 2, 'of the provider that rotates strictly, every request is accounted for');

alarm 0;
done_testing;
