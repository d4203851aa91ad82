#!/usr/bin/perl
# Accesses end at the providers, against their counterparts: what a newer one has
# taken the place of, what somebody disconnects, all of an account that is deleted.
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

my $c = Custody->new('ends', only => [qw(google_drive onedrive dropbox oidc)]);
my @providers = qw(google_drive onedrive dropbox oidc);
my $ada = $c->sign_up('ada');
my $ben = $c->sign_up('ben');
my %account = (google_drive => 'ada@gmail.example', onedrive => 'ada@outlook.example', dropbox => 'ada@box.example', oidc => 'ada@id.example');
for my $provider (@providers)
{
	$c->configure($provider);
	$c->account($provider, $account{$provider});
	is(ref $c->connect($ada, $provider, $account{$provider}), 'HASH', "Ada is connected to $provider");
}

sub columns { my ($who, $provider) = @_; return $c->as($who, "SELECT connected, status, provider_email, last_error FROM orla_api.connections WHERE provider = '$provider'") }
sub live { my ($provider, $email) = @_; return scalar grep { $_->{account} eq $email && !$_->{revoked} } @{ $c->control(GET => 'counts', { provider => $provider })->{grants} } }
# Nothing waits to be revoked, and nothing is under way.
sub settled { return Cluster::waits_until(sub { $c->value('SELECT count(*) FROM orla.revocations WHERE ended_at IS NULL') eq '0' }) }
sub revoke_now { $c->value('UPDATE orla.revocations SET next_attempt_at = now() WHERE ended_at IS NULL'); return }

# ---- again, and in two tabs ------------------------------------------------------------------

# What was consented to and never fetched is an access, too, to the OpenID provider.
my %unused = map { $_ => live($_, $account{$_}) - 1 } qw(dropbox oidc);
for my $provider (@providers)
{
	my $id = $c->column($ada, $provider, 'id');
	my $since = $c->column($ada, $provider, 'connected_at');
	is(ref $c->connect($ada, $provider, $account{$provider}), 'HASH', "$provider: the same account again");
	is($c->column($ada, $provider, 'id'), $id, "$provider: is the same connection");
	is($c->column($ada, $provider, 'connected_at'), $since, "$provider: since the same time");
	is($c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE user_id = '$ada->{id}' AND provider = '$provider'"), '1', "$provider: there is one");

	my @tabs = map { $c->approve($c->begin($ada, $provider), $account{$provider}) } 1, 2;
	my @sessions = map { $c->session } @tabs;
	$sessions[$_]->send($c->as_sql($ada, $c->complete_sql($tabs[$_]))) for 0, 1;
	like($sessions[$_]->answer, qr/"provider": "$provider"/, "$provider: tab $_ connects") for 0, 1;
	$_->leave for @sessions;
	is($c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE user_id = '$ada->{id}' AND provider = '$provider'"), '1', "$provider: there is one");
	# what the newer ones have taken the place of has ended at the provider, where that ends nothing else
	if ($provider =~ /^(?:dropbox|oidc)$/) { ok(Cluster::waits_until(sub { live($provider, $account{$provider}) == 1 + $unused{$provider} }), "$provider: one access is left") }
	else { is($c->value("SELECT count(*) FROM orla.revocations WHERE provider = '$provider'"), '0', "$provider: revoking would end the new one, or cannot be done") }
	$c->expire($ada, $provider);
	is($c->fresh($ada, $provider), 'fresh', "$provider: which works");
}
ok(settled(), 'nothing is left to be revoked');

# another account in the place of the first
for my $provider (qw(google_drive dropbox oidc))
{
	$c->account($provider, "second\@$provider.example");
	is(ref $c->connect($ada, $provider, "second\@$provider.example"), 'HASH', "$provider: another account");
	is($c->column($ada, $provider, 'provider_email'), "second\@$provider.example", "$provider: takes the place of the first");
	ok(Cluster::waits_until(sub { live($provider, $account{$provider}) == ($unused{$provider} // 0) }), "$provider: whose access ends at the provider");
	is(live($provider, "second\@$provider.example"), 1, "$provider: the new one does not");
	$c->expire($ada, $provider);
	is($c->fresh($ada, $provider), 'fresh', "$provider: and works");
	next if $provider ne 'google_drive';
	$c->connect($ben, $provider, "second\@$provider.example");
	my $before = $c->requests($provider, 'revoke');
	$c->connect($ada, $provider, $account{$provider});
	ok(settled(), "$provider: one that Ben has, too");
	is($c->requests($provider, 'revoke'), $before, "$provider: does not end");
	$c->expire($ben, $provider);
	is($c->fresh($ben, $provider), 'fresh', "$provider: and Ben goes on");
	$c->as($ben, "SELECT orla_api.disconnect('$provider')");
}
{
	# a refresh token that stays is not revoked
	$c->control(POST => 'reset', { provider => 'dropbox' });
	$c->account('dropbox', $account{dropbox});
	$c->connect($ada, 'dropbox', $account{dropbox});
	settled();
	my $before = $c->requests('dropbox', 'revoke');
	$c->configure('dropbox', authorize_params => {});
	$c->connect($ada, 'dropbox', $account{dropbox});
	ok(settled(), 'dropbox: an answer without a refresh token');
	is($c->requests('dropbox', 'revoke'), $before, 'dropbox: takes the place of nothing');
	$c->expire($ada, 'dropbox');
	is($c->fresh($ada, 'dropbox'), 'fresh', 'dropbox: and the access goes on');
	$c->configure('dropbox');
}

# the second consent, for which Google gives no refresh token unless it is asked to
{
	my %facts = %{ $c->facts('google_drive') };
	$c->configure('google_drive', authorize_params => { access_type => 'offline' });
	$c->connect($ada, 'google_drive', $account{google_drive});
	is($c->column($ada, 'google_drive', 'refresh_token IS NOT NULL AND last_error IS NULL'), 't', 'no refresh token the second time: that of the same account stays');
	$c->expire($ada, 'google_drive');
	is($c->fresh($ada, 'google_drive'), 'fresh', 'and works');
	$c->account('google_drive', 'other@gmail.example');
	$c->connect($ben, 'google_drive', 'other@gmail.example');
	$c->value("DELETE FROM orla.user_cloud_storage_tokens WHERE user_id = '$ben->{id}' AND provider = 'google_drive'");
	$c->connect($ben, 'google_drive', 'other@gmail.example');
	like(columns($ben, 'google_drive'), qr/The provider gave no refresh token: the connection ends/, 'where there is none, that is said at once');
	$c->expire($ben, 'google_drive');
	my $answer = $c->fresh($ben, 'google_drive');
	is(Custody::error($answer), 'the connection has ended', 'and when it ends');
	like(columns($ben, 'google_drive'), qr/^f\|needs_reconnect\|/, 'the person has to connect again');
	$c->configure('google_drive');
	is(ref $c->connect($ben, 'google_drive', 'other@gmail.example'), 'HASH', 'which works');
	$c->connect($ada, 'google_drive', 'other@gmail.example');
	is($c->column($ada, 'google_drive', 'provider_email'), 'other@gmail.example', 'another account takes the place of the first');
	$c->connect($ada, 'google_drive', $account{google_drive});
}

# ---- disconnecting ---------------------------------------------------------------------------

sub disconnect { my ($who, $provider) = @_; my $answer = $c->as($who, "SELECT orla_api.disconnect('$provider') ->> 'message'"); return $answer =~ /^ERROR/ ? Custody::error($answer) : $answer }

{
	for my $provider (@providers) { $c->control(POST => 'reset', { provider => $provider }); $c->account($provider, $account{$provider}); $c->connect($ada, $provider, $account{$provider}) }
	is(disconnect($ada, 'dropbox'), 'Disconnected.', 'Dropbox');
	is(live('dropbox', $account{dropbox}), 0, 'has ended the grant');
	is($c->column($ada, 'dropbox', 'access_token IS NULL AND refresh_token IS NULL AND previous_refresh_token IS NULL'), 't', 'nothing is kept');
	is(columns($ada, 'dropbox'), "f|disconnected|$account{dropbox}|", 'and it shows');
	is(disconnect($ada, 'dropbox'), 'not connected', 'once is enough');
	is(Custody::error($c->fresh($ada, 'dropbox')), 'not connected', 'there is no token');
	is(Custody::error($c->as($ada, "SELECT * FROM orla_api.files('dropbox')")), 'not connected', 'and no file');
	is(disconnect($ada, 'oidc'), 'Disconnected.', 'the OpenID provider');
	is(live('oidc', $account{oidc}), 0, 'has ended the grant');
	is(disconnect($ada, 'onedrive'), 'Disconnected. The access itself can be ended at https://account.live.com/consent/Manage only, by you.', 'Microsoft has no way to do it');
	is(disconnect($ada, 'google_drive'), 'Disconnected.', 'Google');
	is(live('google_drive', $account{google_drive}), 0, 'has ended the grant');

	# an access token that has run out cannot end a grant
	$c->connect($ada, 'dropbox', $account{dropbox});
	$c->expire($ada, 'dropbox');
	is(disconnect($ada, 'dropbox'), 'Disconnected.', 'one whose token has run out');
	is(live('dropbox', $account{dropbox}), 0, 'is refreshed to end the grant');
	$c->connect($ada, 'dropbox', $account{dropbox});
	$c->control(POST => 'revoke', { provider => 'dropbox', what => 'access', account => $account{dropbox} });
	is(disconnect($ada, 'dropbox'), 'Disconnected.', 'likewise one that was refused before its time');
	is(live('dropbox', $account{dropbox}), 0, 'is refreshed to end the grant');
	$c->connect($ada, 'dropbox', $account{dropbox});
	$c->control(POST => 'revoke', { provider => 'dropbox', what => 'grant', account => $account{dropbox} });
	is(disconnect($ada, 'dropbox'), 'Disconnected.', 'one that has ended at the provider');

	# Ada and Ben have the same Google account
	$c->connect($_, 'google_drive', $account{google_drive}) for $ada, $ben;
	settled();      # what Ben had before
	my $revocations = $c->requests('google_drive', 'revoke');
	like(disconnect($ada, 'google_drive'), qr/^Disconnected\. Another connection uses the same account, .* at https:\/\/myaccount\.google\.com/, 'Ada leaves an account that is Ben\'s, too');
	is($c->requests('google_drive', 'revoke'), $revocations, 'Google is not told');
	$c->expire($ben, 'google_drive');
	is($c->fresh($ben, 'google_drive'), 'fresh', 'and Ben goes on');
	is(disconnect($ben, 'google_drive'), 'Disconnected.', 'Ben is the last');
	is(live('google_drive', $account{google_drive}), 0, 'that ends the grant');

	# a provider that is down
	$c->connect($ada, 'google_drive', $account{google_drive});
	$c->fault('google_drive', endpoint => 'revoke', status => 503);
	is(disconnect($ada, 'google_drive'), 'Disconnected. The provider does not answer; it is asked again to end the access.', 'Google is down');
	is(columns($ada, 'google_drive'), "f|disconnected|$account{google_drive}|", 'disconnected all the same');
	is(live('google_drive', $account{google_drive}), 1, 'for the time being the grant lives');
	is($c->column($ada, 'google_drive', 'access_token IS NULL AND refresh_token IS NULL'), 't', 'the connection has no tokens');
	is($c->value("SELECT count(*) FROM orla.revocations WHERE ended_at IS NULL AND failures = 1 AND next_attempt_at > now() AND last_error LIKE 'The provider does not answer as it should: status 503%'"), '1', 'the worker has');
	$c->reset_provider('google_drive');
	revoke_now();
	ok(Cluster::waits_until(sub { live('google_drive', $account{google_drive}) == 0 }), 'then the worker ends it');
	ok(settled(), 'and forgets the tokens');
	is($c->value("SELECT string_agg(orla.unseal(sealed_grant, NULL, 'revocations|' || id), '') LIKE '%token%' FROM orla.revocations"), 'f', 'all of them');

	# meanwhile Ben has connected to the same account
	$c->connect($ada, 'google_drive', $account{google_drive});
	$c->fault('google_drive', endpoint => 'revoke', status => 503);
	disconnect($ada, 'google_drive');
	$c->connect($ben, 'google_drive', $account{google_drive});
	$c->reset_provider('google_drive');
	$revocations = $c->requests('google_drive', 'revoke');
	revoke_now();
	ok(settled(), 'Ben connected meanwhile: Ada\'s tokens are forgotten');
	is($c->requests('google_drive', 'revoke'), $revocations, 'and not revoked, which would end Ben\'s');

	# Ada connects again while her revocation is under way
	disconnect($ben, 'google_drive');
	$c->connect($ada, 'google_drive', $account{google_drive});
	$c->fault('google_drive', endpoint => 'revoke', hold => JSON::PP::true(), times => 1);
	my $leaving = $c->session;
	$leaving->send($c->as_sql($ada, "SELECT orla_api.disconnect('google_drive') ->> 'message'"));
	$c->held('google_drive', 'revoke');
	my $back = $c->approve($c->begin($ada, 'google_drive'), $account{google_drive});
	my $coming = $c->session;
	$coming->send($c->as_sql($ada, $c->complete_sql($back)));
	my $exchanges = $c->requests('google_drive', 'token');
	ok(Cluster::waits_until(sub { $c->value('SELECT calls >= 1 AND queued = 0 FROM orla.worker_status') eq 't' }), 'the worker has the call');
	is($c->requests('google_drive', 'token'), $exchanges, 'the code waits for the end of the revocation');
	$c->release('google_drive');
	is($leaving->answer, 'Disconnected.', 'which ends the old grant');
	$coming->answer;
	$_->leave for $leaving, $coming;
	is(ref $c->connect($ada, 'google_drive', $account{google_drive}), 'HASH', 'connecting works');
	$c->expire($ada, 'google_drive');
	is($c->fresh($ada, 'google_drive'), 'fresh', 'and lasts');
}

# ---- Ben connects the account that Ada's revocation is about to end ------------------------------
# Way 155.

for my $order ('before the provider has acted', 'after it has')
{
	$c->connect($ada, 'google_drive', $account{google_drive});
	my $tokens = $c->requests('google_drive', 'token');
	my $leaving = $c->session;
	$c->fault('google_drive', endpoint => 'revoke', hold => JSON::PP::true(), times => 1, when => $order =~ /^before/ ? 'before' : 'after');
	$leaving->send($c->as_sql($ada, "SELECT orla_api.disconnect('google_drive') ->> 'message'"));
	$c->held('google_drive', 'revoke');
	my $back = $c->approve($c->begin($ben, 'google_drive'), $account{google_drive});
	my $coming = $c->session;
	my $accounts = $c->requests('google_drive', 'userinfo');
	$coming->send($c->as_sql($ben, $c->complete_sql($back)));
	ok(Cluster::waits_until(sub { $c->requests('google_drive', 'userinfo') > $accounts && $c->value('SELECT in_flight FROM orla.worker_status') eq '1' }), "Ben connects the account $order");
	is($c->column($ben, 'google_drive', 'coalesce(bool_or(is_active), false)'), 'f', 'which waits for the end of the revocation');
	$c->release('google_drive');
	is($leaving->answer, 'Disconnected.', 'that ends all accesses of the account');
	my $answer = $coming->answer;
	is($c->requests('google_drive', 'token') - $tokens, 2, 'what Ben was given is tried');
	if ($order =~ /^before/)
	{
		is(Custody::error($answer), 'the access was ended meanwhile', 'has ended, too, and Ben is told');
		like($answer, qr/^HINT:  Connect again\.$/m, 'what to do');
		is($c->column($ben, 'google_drive', 'coalesce(bool_or(is_active), false)'), 'f', 'at once: there is no connection that does not work');
		is(ref $c->connect($ben, 'google_drive', $account{google_drive}), 'HASH', 'which he does');
	}
	else { like($answer, qr/"provider": "google_drive"/, 'has not ended, and Ben is connected') }
	$c->expire($ben, 'google_drive');
	is($c->fresh($ben, 'google_drive'), 'fresh', 'it works');
	is(disconnect($ben, 'google_drive'), 'Disconnected.', 'till he goes');
	$_->leave for $leaving, $coming;
}
{
	# told, where the end comes later than the answer
	$c->connect($ada, 'google_drive', $account{google_drive});
	disconnect($ada, 'google_drive');
	$c->connect($ben, 'google_drive', $account{google_drive});
	$c->control(POST => 'revoke', { provider => 'google_drive', what => 'grant', account => $account{google_drive} });
	$c->expire($ben, 'google_drive');
	is(Custody::error($c->fresh($ben, 'google_drive')), 'the connection has ended', 'a revocation that takes effect later');
	like(columns($ben, 'google_drive'), qr/^f\|needs_reconnect\|.*invalid_grant\. Another connection of the same account was ended at about the time when this one was made\.$/, 'is said to be one');
	$c->value('DELETE FROM orla.revocations');
	$c->connect($ben, 'google_drive', $account{google_drive});
	$c->control(POST => 'revoke', { provider => 'google_drive', what => 'grant', account => $account{google_drive} });
	$c->expire($ben, 'google_drive');
	$c->fresh($ben, 'google_drive');
	like(columns($ben, 'google_drive'), qr/^f\|needs_reconnect\|.*invalid_grant\.$/, 'and no other is');
	$c->connect($ada, 'google_drive', $account{google_drive});
}

# ---- the account goes ----------------------------------------------------------------------------
# Way 156.

sub delete_account { my ($who) = @_; return $c->as($who, "SELECT orla_api.delete_account('Correct-Horse-42') ->> 'message'") }
my $number = 0;

# Somebody with accounts of his or her own at all providers.
sub newcomer
{
	my $name = 'eve' . ++$number;
	my $eve = $c->sign_up($name);
	for my $provider (@providers) { $c->account($provider, "$name\@$provider.example"); $c->connect($eve, $provider, "$name\@$provider.example") }
	return $eve;
}

{
	my $eve = newcomer();
	my $sealed = $c->column($eve, 'dropbox', 'refresh_token');
	is(live($_, "$eve->{name}\@$_.example"), 1, "$_: Eve has access") for @providers;
	$c->expire($eve, 'dropbox');
	is(delete_account($eve), 'Your account has been deleted.', 'deletes her account');
	is($c->value("SELECT count(*) FROM orla.tenant_keys WHERE user_id = '$eve->{id}'"), '0', 'her key is destroyed');
	like($c->value("SELECT orla.unseal('$sealed', '$eve->{id}', orla.token_purpose('dropbox', 'refresh_token'))"), qr/the tenant has no data key/, 'what it sealed opens for nobody');
	ok(Cluster::waits_until(sub { live($_, "$eve->{name}\@$_.example") == 0 }), "$_: and her access ends at the provider") for qw(google_drive dropbox oidc);
	is(live('onedrive', "$eve->{name}\@onedrive.example"), 1, 'but at Microsoft, which has no way to do it');
	ok(settled(), 'nothing is left of her tokens');

	# providers are down: nobody waits for them
	$eve = newcomer();
	my @revocable = qw(google_drive dropbox oidc);
	$c->fault($_, endpoint => [ 'revoke', 'token' ], status => 503) for @revocable;
	is(delete_account($eve), 'Your account has been deleted.', 'an account is deleted while providers are down');
	ok(Cluster::waits_until(sub { $c->value('SELECT count(*) FROM orla.revocations WHERE ended_at IS NULL AND failures > 0') eq '3' }), 'which are asked');
	is($c->value("SELECT count(*) FROM orla.tenant_keys WHERE user_id = '$eve->{id}'"), '0', 'the key is gone');
	like($c->value("SELECT string_agg(orla.unseal(sealed_grant, NULL, 'revocations|' || id), '') FROM orla.revocations WHERE ended_at IS NULL AND failures > 0"), qr/"refresh_token"/, 'what is to be revoked does not hang on it');
	like($c->value("SELECT orla.unseal(sealed_grant, NULL, 'revocations|' || gen_random_uuid()) FROM orla.revocations WHERE ended_at IS NULL AND failures > 0 LIMIT 1"), qr/^ERROR:  could not open sealed value/, 'and opens in its row alone');
	like($c->sql("SET ROLE $_; SELECT sealed_grant FROM orla.revocations;"), qr/permission denied/, "$_ has nothing of it") for qw(orla_user orla_gateway orla_admin orla_analyst);
	like($c->sql('SET ROLE orla_admin; SELECT DISTINCT failures, last_error FROM orla.revocations WHERE ended_at IS NULL;'), qr/^1\|The provider does not answer as it should: status 503/, 'an operator sees what waits, and why');
	is($c->value('SELECT count(*) FROM orla.rotate_keys() WHERE key_id IS NOT NULL') > 0, 1, 'keys are rotated');
	is($c->value('SELECT orla.reseal()'), '0', 'it is sealed anew');
	$c->reset_provider($_) for @revocable;
	revoke_now();
	ok(Cluster::waits_until(sub { live($_, "$eve->{name}\@$_.example") == 0 }), "$_: later it ends") for @revocable;
	ok(settled(), 'and nothing is left');

	# for ever
	$eve = newcomer();
	$c->fault($_, endpoint => [ 'revoke', 'token' ], status => 503) for @revocable;
	my $given_up = "FROM orla.audit_log AS a WHERE event_type = 'revocation_given_up'";
	my $known = $c->value("SELECT count(*) $given_up");
	delete_account($eve);
	ok(Cluster::waits_until(sub { $c->value('SELECT count(*) FROM orla.revocations WHERE ended_at IS NULL AND failures = 1') eq '3' }), 'providers that stay away');
	$c->value('UPDATE orla.revocations SET failures = 10, next_attempt_at = now() WHERE ended_at IS NULL');
	ok(settled(), 'are asked no more after some hours, and the tokens are forgotten');
	is($c->value("SELECT count(*) - $known $given_up"), '3', 'the trail tells of each');
	is($c->value("SELECT string_agg(DISTINCT concat_ws(' ', event_status, replace(error_message, ', server_error', ''), coalesce(user_id::text, 'nobody'), sealed_personal IS NULL), '; ') $given_up"),
		'failure The provider does not answer as it should: status 503. nobody t', 'why, and of nobody');
	unlike($c->value("SELECT string_agg(to_jsonb(a)::text, ' ') $given_up"), qr/\Q$eve->{id}\E|\Q$eve->{email}\E|@/, 'without a word of whose it was');
	$c->reset_provider($_) for @revocable;
	$eve = newcomer();
	$c->fault($_, endpoint => 'revoke', status => 403) for @revocable;
	$known = $c->value("SELECT count(*) $given_up");
	delete_account($eve);
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) - $known $given_up") eq '3' }), 'one that refuses is not asked again, and the trail tells of it');
	$c->reset_provider($_) for @revocable;

	# an account that Ben has, too
	$eve = $c->sign_up('frank');
	$c->connect($_, 'google_drive', $account{google_drive}) for $eve, $ben;
	disconnect($ada, 'google_drive');
	my $before = $c->requests('google_drive', 'revoke');
	delete_account($eve);
	ok(settled(), 'an account is deleted that shares one with Ben');
	is($c->requests('google_drive', 'revoke'), $before, 'Google is not told');
	$c->expire($ben, 'google_drive');
	is($c->fresh($ben, 'google_drive'), 'fresh', 'and Ben goes on');

	# without the keyring, and with a provider that nobody has configured any more
	$eve = newcomer();
	$c->value("DELETE FROM orla.providers WHERE name = 'oidc'");
	my $revocations = $c->requests('oidc', 'revoke');
	is(delete_account($eve), 'Your account has been deleted.', 'a provider that is not configured is in nobody\'s way');
	ok(settled(), 'the others are told');
	is($c->requests('oidc', 'revoke'), $revocations, 'it is not');
	$c->configure('oidc');
}
{
	my $eve = $c->sign_up('eve');
	$c->connect($eve, 'dropbox', $account{dropbox});
	my $back = $c->approve($c->begin($eve, 'oidc'), $account{oidc});
	$c->fault('oidc', endpoint => 'token', hold => JSON::PP::true(), when => 'after', times => 1);
	my $session = $c->session;
	$session->send($c->as_sql($eve, $c->complete_sql($back)));
	$c->held('oidc', 'token');
	my $live = live('oidc', $account{oidc});
	delete_account($eve);
	$c->release('oidc');
	is(Custody::error($session->answer), 'no tenant', 'an account that is deleted while it connects');
	$session->leave;
	is($c->value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE user_id = '$eve->{id}'") . $c->value("SELECT count(*) FROM orla.tenant_keys WHERE user_id = '$eve->{id}'"), '00', 'leaves nothing, no key either');
	ok(Cluster::waits_until(sub { live('oidc', $account{oidc}) == $live - 1 }), 'and what the provider was about to give ends there');
	ok(settled(), 'wholly');
}
is($c->value("SELECT (SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE claimed_at IS NOT NULL) + (SELECT count(*) FROM orla.revocations WHERE claimed_at IS NOT NULL)"), '0', 'no claim is left');

alarm 0;
done_testing;
