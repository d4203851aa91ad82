#!/usr/bin/perl
# Connecting to cloud storage, against counterparts of the providers: states,
# codes, scopes, answers that are no answers.
#
# Makes a cluster of its own, since the worker needs shared_preload_libraries.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 300;

my $c = Custody->new('connections', only => [qw(google_drive onedrive dropbox oidc)]);
my @providers = qw(google_drive onedrive dropbox oidc);
my $ada = $c->sign_up('ada');
my $ben = $c->sign_up('ben');

sub columns { my ($who, $provider) = @_; return $c->as($who, "SELECT connected, status, provider_email, last_error FROM orla_api.connections WHERE provider = '$provider'") }

# ---- providers that are not there --------------------------------------------

is(Custody::error($c->begin($ada, 'box')), 'unknown provider', 'an unknown provider');
like($c->as($ada, "\\set VERBOSITY verbose\nSELECT orla_api.connect('box')"), qr/ERROR:  22023: unknown provider/, 'is bad input');
like($c->as($ada, "\\set VERBOSITY verbose\nSELECT orla_api.connect('dropbox')"), qr/ERROR:  55000: provider dropbox is not configured/, 'one that nobody has configured');
is(Custody::error($c->as($ada, 'SELECT orla_api.connect(NULL)')), 'unknown provider', 'none at all');
is(Custody::error($c->as($ada, "SELECT orla_api.disconnect('dropbox')")), 'provider dropbox is not configured', 'there is nothing to disconnect');
$c->configure($_) for @providers;
is(Custody::error($c->as($ada, "SELECT orla_api.disconnect('dropbox')")), 'not connected', 'nor when it is configured');
like($c->sql("BEGIN; SET LOCAL ROLE orla_anon; SELECT orla_api.connect('dropbox');"), qr/permission denied/, 'nobody connects');
is(Custody::error($c->sql("BEGIN; SET LOCAL ROLE orla_user; SELECT orla_api.connect('dropbox');")), 'no tenant', 'nor a role without a tenant');

# ---- there and back ------------------------------------------------------------

my %account = (google_drive => 'ada@gmail.example', onedrive => 'ada@outlook.example', dropbox => 'ada@box.example', oidc => 'ada@id.example');
for my $provider (@providers)
{
	$c->account($provider, $account{$provider});
	my $url = $c->begin($ada, $provider, '/settings?tab=files');
	like($url, qr/[?&]code_challenge_method=S256(?:&|$)/, "$provider: PKCE with S256");
	like($url, qr/[?&]redirect_uri=https%3A%2F%2Fapp\.example%2Foauth%2Fcallback%2F$provider(?:&|$)/, "$provider: a redirect path of its own");
	my ($challenge) = $url =~ /code_challenge=([\w-]{43})(?:&|$)/;
	ok($challenge, "$provider: a challenge");
	my $back = $c->approve($url, $account{$provider});
	is(length $back->{state}, 36 + 1 + 43, "$provider: the state comes back whole");
	my ($verifier) = $c->value("SELECT orla.unseal(code_verifier, user_id, 'oauth_states|$provider|code_verifier') FROM orla.oauth_states WHERE provider = '$provider'");
	like($verifier, qr/^[\w-]{43}$/, "$provider: the verifier is sealed");
	is($c->value("SELECT orla.code_challenge('$verifier')"), $challenge, "$provider: and the challenge is its digest");
	is($c->value("SELECT count(*) FROM orla.oauth_states WHERE state_hash LIKE '%' || split_part('$back->{state}', '.', 2) || '%'"), '0', "$provider: the state itself is stored nowhere");
	my $done = $c->complete($ada, $back);
	is(ref $done, 'HASH', "$provider: connected") or diag($done);
	is($done->{provider_email}, $account{$provider}, "$provider: to the account");
	is(join(' ', grep { defined $done->{$_} } qw(provider provider_email scopes connected_at)), 'provider provider_email scopes connected_at', "$provider: all that is promised is told");
	is($done->{provider}, $provider, "$provider: by its name");
	is($done->{return_to}, '/settings?tab=files', "$provider: the page goes where it came from");
	ok(!$done->{missing_scopes}, "$provider: all that was asked for is granted");
	is(columns($ada, $provider), "t|connected|$account{$provider}|", "$provider: it is there to see");
	is($c->column($ada, $provider, 'get_byte(access_token, 0) = 1 AND get_byte(refresh_token, 0) = 1'), 't', "$provider: the tokens are sealed");
	is($c->value('SELECT count(code_verifier) FROM orla.oauth_states'), '0', "$provider: the state is used up");
	is(Custody::error($c->complete($ada, $back)), 'unknown state', "$provider: it is good once");
	is($c->fresh($ada, $provider), 'fresh', "$provider: the token is good");
	is($c->requests($provider, 'token'), 1, "$provider: that took one request");
	like($c->as($ben, "SELECT count(*) FROM orla_api.connections"), qr/^0$/, "$provider: Ben sees nothing of it");
}
is($c->as($ada, 'SELECT access_token FROM orla.user_cloud_storage_tokens') =~ /permission denied/, 1, 'nobody reads a sealed token');
like($c->column($ada, 'google_drive', "to_jsonb(scopes)::text"), qr/drive\.readonly/, 'what was granted is kept');
is($c->value("SELECT string_agg(event_type || ' ' || event_status, ' ' ORDER BY created_at) FROM orla.audit_log WHERE event_type = 'complete_connection' AND event_status = 'success'"),
	join(' ', ('complete_connection success') x 4), 'each left a trace');

{
	# letters of four bytes each, which no provider here would take
	my $long = "repeat(U&'\\+01F35E', 310)";
	my $done = $c->value("SET ROLE orla_service; SELECT orla.do_store_connection(jsonb_build_object('state', jsonb_build_object('user_id', '$ben->{id}', 'provider', 'oidc', 'sent_at', now(), 'answer',
		'{\"access_token\": \"a\", \"refresh_token\": \"b\", \"token_type\": \"bearer\"}'::jsonb), 'response', jsonb_build_object('status', 200, 'body', jsonb_build_object('sub', $long, 'email', $long)::text))) #>> '{answer,provider}'; RESET ROLE");
	is($done, 'oidc', 'an account whose name is longer than what is kept');
	is($c->column($ben, 'oidc', "concat_ws(' ', char_length(provider_email), octet_length(provider_email), char_length(provider_user_id), octet_length(provider_user_id))"), '300 1200 300 1200', 'of which the beginning is kept');
	$c->value("DELETE FROM orla.user_cloud_storage_tokens WHERE user_id = '$ben->{id}'; DELETE FROM orla.audit_log WHERE user_id = '$ben->{id}' AND event_type = 'complete_connection'");
}

is($c->value("SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attrelid = 'orla_api.connections'::regclass AND a.attnum BETWEEN 1 AND 8"),
	'provider connected provider_email connected_at token_expires_at status scopes last_error', 'the view has what it is known for');

# Whatever an operator adds to the address, what protects it stays.
{
	$c->configure('dropbox', authorize_params => { token_access_type => 'offline', code_challenge_method => 'plain', code_challenge => 'x', state => 'x', redirect_uri => 'https://evil.example/', client_id => 'x', response_type => 'token' });
	my $url = $c->begin($ada, 'dropbox');
	is(join(' ', map { my $n = () = $url =~ /[?&]$_=/g; $n } qw(code_challenge_method code_challenge state redirect_uri client_id response_type)), '1 1 1 1 1 1', 'an operator\'s parameters: each of orla\'s is there once');
	like($url, qr/[?&]code_challenge_method=S256(?:&|$)/, 'with PKCE by S256 all the same');
	like($url, qr/[?&]code_challenge=[\w-]{43}(?:&|$)/, 'a challenge of its own');
	like($url, qr/[?&]state=[0-9a-f-]{36}\.[\w-]{43}(?:&|$)/, 'a state of its own');
	like($url, qr/[?&]redirect_uri=https%3A%2F%2Fapp\.example%2Foauth%2Fcallback%2Fdropbox(?:&|$)/, 'and back to us');
	like($url, qr/[?&]response_type=code(?:&|$)/, 'with a code');
	$c->configure('dropbox');
	$c->value('DELETE FROM orla.oauth_states');
}

# ---- states ----------------------------------------------------------------------
# Way 114.

{
	my $back = $c->approve($c->begin($ben, 'dropbox'), $account{dropbox});
	is(Custody::error($c->complete($ada, $back)), 'unknown state', 'a state of another user');
	is($c->value('SELECT count(code_verifier) FROM orla.oauth_states'), '1', 'which is not used up by that');
	my $elsewhere = $c->sign_in($ben);
	is(Custody::error($c->complete($elsewhere, $back)), 'unknown state', 'of another session');
	is($c->value('SELECT count(code_verifier) FROM orla.oauth_states'), '0', 'which is used up: the code has been seen');
	is(Custody::error($c->complete($ben, $back)), 'unknown state', 'by its own session it is good no longer');

	$back = $c->approve($c->begin($ben, 'dropbox'), $account{dropbox});
	is(Custody::error($c->complete($ben, $back, provider => 'google_drive')), 'unknown state', 'of another provider\'s path');
	$back = $c->approve($c->begin($ben, 'dropbox'), $account{dropbox});
	$c->value("UPDATE orla.oauth_states SET expires_at = now()");
	is(Custody::error($c->complete($ben, $back)), 'unknown state', 'one that has expired');
	$c->begin($ben, 'dropbox');
	is($c->value("SELECT max(expires_at - created_at) <= interval '10 minutes' FROM orla.oauth_states"), 't', 'which it does within ten minutes');
	$c->value('DELETE FROM orla.oauth_states');
	for my $state ('', 'x', "$ben->{id}.x", 'x' x 100_000, "' OR true --")
	{
		is(Custody::error($c->complete($ben, { state => $state, code => 'x' })), 'unknown state', 'a state that never was: ' . substr($state, 0, 12));
	}
	is(Custody::error($c->as($ben, 'SELECT orla_api.complete_connection(NULL, NULL)')), 'unknown state', 'none at all');
	is($c->requests('dropbox', 'token'), 1, 'none of that has asked the provider');
	is($c->value("SELECT count(*) FROM orla.audit_log WHERE event_type = 'complete_connection' AND event_status = 'failure' AND user_id = '$ben->{id}'"), 4, 'what could have been a state left traces');

	$back = $c->approve($c->begin($ben, 'dropbox'), $account{dropbox});
	my $session = $c->session;
	like($session->ask($c->as_sql($ben, $c->complete_sql($back), 'BEGIN READ ONLY')), qr/cannot execute complete_connection in a read-only transaction/, 'not in a READ ONLY transaction');
	$session->ask('ROLLBACK;');
	is($c->value('SELECT count(code_verifier) FROM orla.oauth_states'), '1', 'which uses nothing up');
	my $sql = $c->as_sql($ben, $c->complete_sql($back));
	$sql =~ s/COMMIT;$/ROLLBACK;/;
	like($session->ask($sql), qr/"provider": "dropbox"/, 'a caller that rolls back');
	is($c->column($ben, 'dropbox', 'status'), 'connected', 'is connected');
	$session->leave;
}

# ---- what comes back with the browser -----------------------------------------------
# Ways 115 and 116.

{
	my $back = $c->approve($c->begin($ben, 'google_drive'), $account{google_drive}, deny => JSON::PP::true());
	is($back->{error}, 'access_denied', 'Ben refuses');
	my $answer = $c->complete($ben, $back);
	is(Custody::error($answer), 'the provider gave no access', 'and is told');
	like($answer, qr/DETAIL:  Access was denied at the provider\./, 'that he did');
	is(Custody::error($c->complete($ben, $back)), 'unknown state', 'the state is used up');

	$back = $c->approve($c->begin($ben, 'google_drive'), $account{google_drive});
	is(Custody::error($c->complete($ben, { %$back, error => 'server_error', code => '' })), 'the provider gave no access', 'another error');
	$back = $c->approve($c->begin($ben, 'oidc'), $account{oidc});
	is($back->{iss}, $c->{where}{oidc}{main}{http}, 'the OpenID provider says who it is');
	is(Custody::error($c->complete($ben, { %$back, iss => 'https://evil.example' })), 'the code is of another provider', 'another iss');
	$back = $c->approve($c->begin($ben, 'oidc'), $account{oidc});
	is(ref $c->complete($ben, $back), 'HASH', 'and the right one');
	$c->as($ben, "SELECT orla_api.disconnect('oidc')");

	my $before = $c->requests('google_drive', 'token');
	$back = $c->approve($c->begin($ben, 'google_drive'), $account{google_drive});
	my $answered = $c->complete($ben, { %$back, code => 'made-up' });
	is(Custody::error($answered), 'the provider refused the code', 'a code that the provider does not know');
	like($answered, qr/DETAIL:  .*status 400, invalid_grant/, 'with its reason');
	unlike($answered, qr/made-up|Malformed/, 'and not a word of what was sent');
	is($c->requests('google_drive', 'token'), $before + 1, 'in one request');

	# a code that was taken from another flow: it is bound to another verifier
	my $mine = $c->approve($c->begin($ben, 'google_drive'), $account{google_drive});
	my $stolen = $c->approve($c->begin($ada, 'google_drive'), $account{google_drive});
	is(Custody::error($c->complete($ben, { %$mine, code => $stolen->{code} })), 'the provider refused the code', 'a code of somebody else\'s flow');
}

for my $path ('https://evil.example/', '//evil.example', '/\\evil.example', 'settings', '/a b', "/a\nb", '/' . 'x' x 3000, 'javascript:alert(1)')
{
	is(Custody::error($c->begin($ben, 'dropbox', $path)), 'invalid return_to', 'no return to ' . substr($path =~ s/\n/./r, 0, 24));
}
like($c->begin($ben, 'dropbox', '/'), qr/^http/, 'but to /');

# ---- answers of the token endpoint -----------------------------------------------------
# Way 126.

my @bad_answers = (
	[ 'HTML with 200', { body => 'html', status => 200 }, 'the provider does not answer', 'an answer without a token' ],
	[ 'HTML with 502', { body => 'html', status => 502 }, 'the provider does not answer', 'status 502' ],
	[ 'HTML with 403', { body => 'html', status => 403 }, 'the provider does not answer', 'status 403' ],
	[ 'nothing', { body => 'empty' }, 'the provider does not answer', 'an answer without a token' ],
	[ 'half an answer', { body => 'truncated' }, 'the provider does not answer', 'an answer without a token' ],
	[ 'less than announced', { body => 'short' }, 'the provider does not answer', 'cut off' ],
	[ '10 MB', { body => 'huge' }, 'the provider does not answer', 'too large' ],
	[ 'no UTF-8', { body => 'latin1' }, 'the provider does not answer', 'an answer without a token' ],
	[ 'an array', { body => '[1, 2]', status => 200 }, 'the provider does not answer', 'an answer without a token' ],
	[ 'a NUL', { body => '{"access_token": "a\\u0000b", "token_type": "bearer"}', status => 200 }, 'the provider does not answer', 'an answer without a token' ],
	[ 'a token that is a number', { body => { access_token => 17, token_type => 'bearer' }, status => 200 }, 'the provider does not answer', 'token of another kind' ],
	[ 'nesting', { body => '[' x 100_000, status => 200 }, 'the provider does not answer', 'an answer without a token' ],
	[ 'no connection', { close => JSON::PP::true() }, 'the provider does not answer', 'closed the connection' ],
	[ '429', { status => 429, retry_after => 7 }, 'the provider does not answer', 'status 429' ],
	[ 'an error that nobody knows', { status => 400, body => { error => 'mercury_retrograde' } }, 'the provider does not answer', 'status 400, mercury_retrograde' ],
	[ 'an error that is a poem', { status => 400, body => { error => 'invalid_grant because ' . 'x' x 5000 } }, 'the provider does not answer', 'status 400' ],
	[ 'invalid_client', { status => 401, body => { error => 'invalid_client' } }, 'the provider refuses this installation', 'status 401, invalid_client' ],
	[ 'redirect_uri_mismatch', { status => 400, body => { error => 'redirect_uri_mismatch' } }, 'the provider refuses this installation', 'redirect_uri_mismatch' ]);

for my $bad (@bad_answers)
{
	my ($what, $fault, $message, $detail) = @$bad;
	my $back = $c->approve($c->begin($ben, 'google_drive'), $account{google_drive});
	$c->fault('google_drive', endpoint => 'token', times => 1, %$fault);
	my $answer = $c->complete($ben, $back);
	is(Custody::error($answer), $message, "code exchange answered by $what");
	like($answer, qr/DETAIL:  .*\Q$detail\E/, 'and the detail says so');
	$c->reset_provider('google_drive');
}
for my $field (qw(access_token))
{
	$c->knobs('google_drive', omit => [$field]);
	my $answer = $c->connect($ben, 'google_drive', $account{google_drive});
	is(Custody::error($answer), 'the provider does not answer', "without $field");
	$c->knobs('google_drive', omit => []);
}
$c->knobs('google_drive', token_type => 'mac');
like($c->connect($ben, 'google_drive', $account{google_drive}), qr/token of another kind/, 'a token of another type');
$c->knobs('google_drive', token_type => undef);
is($c->column($ben, 'google_drive', 'count(*)'), '0', 'nothing came of all that');

# whose account it is
for my $bad ([ '403', { status => 403 }, 'the provider refuses this installation', 1 ], [ 'HTML', { body => 'html', status => 200 }, 'the provider does not answer', 1 ],
	[ 'an account without a name', { status => 200, body => { email => 'x@example.org' } }, 'the provider does not answer', 1 ])
{
	my ($what, $fault, $message) = @$bad;
	$c->fault('google_drive', endpoint => 'userinfo', %$fault);
	is(Custody::error($c->connect($ben, 'google_drive', $account{google_drive})), $message, "the account told by $what");
	$c->reset_provider('google_drive');
}
$c->fault('google_drive', endpoint => 'userinfo', times => 1, status => 503);
is(ref $c->connect($ben, 'google_drive', $account{google_drive}), 'HASH', 'one that is not told at once is asked for again: the code is used up');
$c->as($ben, "SELECT orla_api.disconnect('google_drive')");
$c->account('onedrive', 'nomail@outlook.example', mail => undef);
is($c->connect($ben, 'onedrive', 'nomail@outlook.example')->{provider_email}, 'nomail@outlook.example', 'a Microsoft account without mail has its principal name');

# ---- life times ------------------------------------------------------------------------

for my $life ([ 'absent', 'NULL', '3600' ], [ 'a string', '"1200"', '1200' ], [ 'negative', '-5', '3600' ], [ 'huge', '99999999', '31536000' ],
	[ 'beyond huge', '1e30', '3600' ], [ 'no number', '"soon"', '3600' ], [ 'a fraction', '59.9', '59' ], [ 'an object', '{}', '3600' ])
{
	my ($what, $value, $seconds) = @$life;
	is($c->value("SELECT orla.token_lifetime('" . ($value eq 'NULL' ? '{}' : "{\"expires_in\": $value}") . "')"), $seconds, "expires_in is $what");
}
$c->knobs('dropbox', expires_in => undef);
$c->connect($ada, 'dropbox', $account{dropbox});
is($c->column($ada, 'dropbox', "round(extract(epoch FROM token_expires_at - now()) / 60)"), '60', 'an answer that does not say means an hour');
$c->knobs('dropbox', expires_in => 14_400);
$c->knobs('dropbox', access_token_bytes => 16_384, refresh_token_bytes => 8192, clock_offset => -7200);
is(ref $c->connect($ada, 'dropbox', $account{dropbox}), 'HASH', 'a token of 16 kB');
is($c->column($ada, 'dropbox', 'octet_length(access_token) - 37 || chr(32) || (octet_length(refresh_token) - 37)'), '16384 8192', 'is kept whole');
is($c->column($ada, 'dropbox', "round(extract(epoch FROM token_expires_at - now()) / 3600)"), '4', 'the clock of the provider does not count');
like($c->as($ada, "SELECT count(*) FROM orla_api.files('dropbox')"), qr/^0$/, 'and works');
$c->control(POST => 'reset', { provider => 'dropbox' });
$c->account('dropbox', $account{dropbox});
$c->connect($ada, 'dropbox', $account{dropbox});

# ---- scopes ------------------------------------------------------------------------------

{
	my $done = $c->connect($ben, 'google_drive', $account{google_drive}, untick => ['https://www.googleapis.com/auth/drive.readonly']);
	is("@{ $done->{missing_scopes} // [] }", 'https://www.googleapis.com/auth/drive.readonly', 'Ben unticks a scope, and is told');
	like(columns($ben, 'google_drive'), qr/^t\|connected\|.*\|The provider did not grant: .*drive\.readonly\.$/, 'now and later');
	$done = $c->connect($ben, 'google_drive', $account{google_drive});
	ok(!$done->{missing_scopes}, 'then he ticks it');
	is(columns($ben, 'google_drive'), "t|connected|$account{google_drive}|", 'and all is well');
	$c->as($ben, "SELECT orla_api.disconnect('google_drive')");
	$c->knobs('onedrive', long_scopes => JSON::PP::true());
	ok(!$c->connect($ben, 'onedrive', $account{onedrive})->{missing_scopes}, 'Microsoft may tell scopes by their long names');
	$c->knobs('onedrive', long_scopes => JSON::PP::false());
}

# ---- a provider's row that somebody has changed ------------------------------------------------

{
	$c->value("UPDATE orla.providers SET overrides = jsonb_set(overrides, '{hosts}', '[\"elsewhere.example\"]') WHERE name = 'google_drive'");
	my $tokens = $c->requests('google_drive', 'token');
	$c->expire($ada, 'google_drive');
	is(Custody::error($c->fresh($ada, 'google_drive')), 'the provider refuses this installation', 'a host that is not on its list');
	like(columns($ada, 'google_drive'), qr/^t\|needs_operator\|.*\|This installation does not let the request out: .*127\.0\.0\.1/, 'an operator has to act');
	is($c->requests('google_drive', 'token'), $tokens, 'nothing was sent');
	$c->configure('google_drive');
	$c->set($ada, 'google_drive', 'next_request_at = now()');
	ok(Cluster::waits_until(sub { columns($ada, 'google_drive') =~ /^t\|connected\|.*\|$/ }), 'then it works again by itself');
}

is($c->value("SELECT (SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE claimed_at IS NOT NULL) + (SELECT count(*) FROM orla.revocations WHERE claimed_at IS NOT NULL)"), '0', 'no claim is left');

alarm 0;
done_testing;
