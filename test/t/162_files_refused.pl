#!/usr/bin/perl
# Files at the three providers that do not answer, throttle, refuse or give too
# much; and that nobody reaches what is another's.
#
# The other side is test/providers.
use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(time);

use Files;

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);

Files::start('refused');

# ---- refresh ---------------------------------------------------------------------------------------------

for my $p (@all)
{
	my $id = folder($ada, $p, 'Many');
	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		control('revoke', $p, what => 'access', account => 'ada@drive.example');
		requests($p);
		is_deeply(names(files($ada, $p, $id, begin => $begin)), \@seven, "$p: $begin: a token that was revoked is noticed by nobody");
		is(statuses($p), 'list:401 token:200 list:200', "$p: one refresh, one more try");
		$c->sql("UPDATE orla.user_cloud_storage_tokens SET token_expires_at = now() WHERE user_id = '$ada' AND provider = '$p';");
		is_deeply(names(files($ada, $p, $id, begin => $begin)), \@seven, "$p: $begin: so is one that has run out");
		is(statuses($p), 'token:200 list:200', "$p: that is not even tried");
		is_deeply(names(files($ada, $p, $id, begin => $begin)), \@seven, "$p: $begin: and the ROLLBACK has lost nothing");
		is(statuses($p), 'list:200', "$p: the new token is kept");
	}
	fault($p, { endpoint => 'list', status => 401, body => $p eq 'dropbox' ? { error_summary => 'invalid_access_token/..', error => { '.tag' => 'invalid_access_token' } } : {} });
	like(files($ada, $p, $id), qr/^ERROR:  PT409: the provider refuses the connection\nDETAIL:  Status 401.*So it says to a fresh token, too\.\nHINT:  Connect again\.$/, "$p: a provider that accepts no token");
	is(statuses($p), 'list:401 token:200 list:401', "$p: gets no third request");
	like(noted($p), qr/^needs_reconnect The provider refuses a token that it has just given: status 401\b[^.]*\.$/, "$p: the connection says so, though the transaction was rolled back");
	like(files($ada, $p, $id), qr/^ERROR:  PT409: the connection has ended\nDETAIL:  The provider refuses a token that it has just given: status 401.*\nHINT:  Connect again\.$/, "$p: whoever comes next is told the same");
	is(statuses($p), '', "$p: without a request");
	fault($p);
	$c->sql("UPDATE orla.user_cloud_storage_tokens SET next_request_at = now() WHERE user_id = '$ada' AND provider = '$p';");
	ok(Cluster::waits_until(sub { noted($p) eq 'connected ' }), "$p: an hour later the worker has another token, and that is tried");
	is_deeply(names(files($ada, $p, $id)), \@seven, "$p: if the provider only had a bad moment, all is well");
	requests($p);
	fault($p, { endpoint => [ 'list', 'token' ], status => 503, body => 'html', retry_after => 0 }, { endpoint => 'list', status => 401 });
	$c->sql("UPDATE orla.user_cloud_storage_tokens SET token_expires_at = now() WHERE user_id = '$ada' AND provider = '$p';");
	like(files($ada, $p, $id), qr/^ERROR:  PT503: the provider does not answer/, "$p: no token, no files");
	fault($p);
	$c->sql("UPDATE orla.user_cloud_storage_tokens SET next_request_at = NULL WHERE user_id = '$ada' AND provider = '$p';");
	connect_to($ada, $p, 'ada@drive.example');
}

# ---- throttling and trouble ----------------------------------------------------------------------------------

for my $p (@all)
{
	my $id = folder($ada, $p, 'Many');
	for my $case ([ '429 with Retry-After' => { throttle => JSON::PP::true, retry_after => 0 } ], [ '429 without' => { throttle => JSON::PP::true, $p eq 'dropbox' ? (retry_after_body => 0) : () } ],
		[ '429 with a date' => { throttle => JSON::PP::true, retry_after => { date => 0 } } ], [ '503 in HTML' => { status => 503, body => 'html' } ],
		[ 'a lost answer' => { close => JSON::PP::true } ], [ 'nothing' => { status => 200, body => 'empty' } ], [ 'HTML with 200' => { status => 200, body => 'html' } ], [ 'half an answer' => { body => 'truncated' } ],
		$p eq 'google_drive' ? map { [ "403 $_" => { throttle => $_, status => 403 } ] } qw(rateLimitExceeded userRateLimitExceeded) : (),
		$p eq 'dropbox' ? ([ '429 in a text' => { throttle => 'text', retry_after => 0 } ], [ 'internal_error' => { status => 409, body => { error_summary => 'internal_error/', error => { '.tag' => 'internal_error' } } } ]) : ())
	{
		my ($what, $fault) = @$case;
		fault($p, { endpoint => 'list', times => 1, %$fault });
		is_deeply(names(files($ada, $p, $id)), \@seven, "$p: $what: is asked again");
		is(scalar(my @r = requests($p)), 2, "$p: $what: once");
	}
	fault($p, { endpoint => 'list', throttle => JSON::PP::true, retry_after => 0 });
	like(files($ada, $p, $id), qr/^ERROR:  PT503: the provider asks to wait\nDETAIL:  Status 4\d\d.*It asks to wait 0 seconds\.\nHINT:  Try again later\.$/, "$p: always 429");
	is(scalar(my @r = requests($p)), 6, "$p: six requests and no more");
	fault($p, { endpoint => 'list', throttle => JSON::PP::true, retry_after => 3600 });
	my $began = time;
	like(files($ada, $p, $id), qr/^ERROR:  PT503: the provider asks to wait\nDETAIL:  Status 4\d\d.*It asks to wait 3600 seconds\./, "$p: an hour");
	cmp_ok(time - $began, '<', 5, "$p: is waited for by nobody");
	is(scalar(@r = requests($p)), 1, "$p: nor asked again");
	fault($p, { endpoint => 'list', throttle => JSON::PP::true, retry_after => 1, times => 1 });
	$began = time;
	is_deeply(names(files($ada, $p, $id)), \@seven, "$p: one second");
	cmp_ok(time - $began, '>=', 0.99, "$p: is waited for");
	fault($p, { endpoint => 'list', status => 200, retry_after => 0, body => $_ eq 'huge' ? 'huge' : $_, $_ eq 'huge' ? (bytes => 17 << 20, status => JSON::PP::null) : () }),
	  like(files($ada, $p, $id), qr/^ERROR:  PT503: the provider does not answer\nDETAIL:  (?:An answer that makes no sense|Answer of host 127\.0\.0\.1 is too large)\./, "$p: an answer that is $_") for qw(html huge);
	fault($p, { endpoint => 'list', body => 'latin1', times => 1 });
	is_deeply(names(files($ada, $p, $id)), \@seven, "$p: so is one that is not UTF-8, and asked for again");
	fault($p, { endpoint => 'list', status => 418, body => { error => 'odd' } });
	like(files($ada, $p, $id), qr/^ERROR:  PT502: the provider refuses the request\nDETAIL:  Status 418\.$/, "$p: a refusal that nobody knows");
	is(scalar(@r = requests($p)), 1, "$p: is not asked again");
	is(noted($p), 'connected ', "$p: and is nothing against the connection");
	fault($p, { endpoint => 'list', status => 302, headers => { location => $c->{where}{onedrive}{foreign}{http} }, body => {} });
	requests('onedrive');
	like(files($ada, $p, $id), qr/^ERROR:  PT502: the provider refuses the request\nDETAIL:  Status 302\.$/, "$p: a redirect of a list");
	is_deeply([ grep { $_->{host} eq 'foreign' } requests('onedrive') ], [], "$p: is not followed");
	fault($p);
}
for my $case ([ insufficientPermissions => 'PT409: the connection has no right to do this' ], [ accessNotConfigured => 'PT502: the provider refuses this installation' ],
	[ dailyLimitExceeded => 'PT502: the provider refuses this installation' ], [ cannotDownloadAbusiveFile => '22023: file cannot be downloaded' ], [ insufficientFilePermissions => 'PT404: no such file' ])
{
	my ($reason, $error) = @$case;
	fault('google_drive', { endpoint => 'list', status => 403, body => { error => { code => 403, message => 'x', errors => [ { domain => 'global', reason => $reason, message => 'x' } ] } } });
	like(files($ada, 'google_drive'), qr/^ERROR:  \Q$error\E\nDETAIL:  Status 403, $reason\./, "google_drive: $reason");
	is(scalar(my @r = requests('google_drive')), 1, 'and no second request');
	like(noted('google_drive'), $error =~ /installation/ ? qr/^needs_operator The provider refuses this installation: status 403, $reason\.$/
		: $error =~ /no right/ ? qr/^connected The provider did not grant what this needs, connect again and allow all that is asked for: status 403, $reason\.$/ : qr/^connected $/, 'which the connection says where somebody has to act');
	connect_to($ada, 'google_drive', 'ada@drive.example');
}
fault('google_drive');
control('knobs', 'dropbox', cannot_tell => JSON::PP::true);
like(files($ada, 'dropbox', 'id:nothing'), qr/^ERROR:  PT502: the provider refuses the request\nDETAIL:  Status 409, something_new\.$/, 'dropbox: a tag that nobody knows');
control('knobs', 'dropbox', cannot_tell => JSON::PP::false);
connect_to($ada, 'dropbox', 'ada@drive.example', scopes => [ 'account_info.read', 'files.metadata.read' ]);
like(download($ada, 'dropbox', '/Brand/notes.txt'), qr/^ERROR:  PT409: the connection has no right to do this\nDETAIL:  Status 401, missing_scope\.\nHINT:  Connect again, and allow all that is asked for\./, 'dropbox: a scope that was not granted');
like(noted('dropbox'), qr/^needs_reconnect The provider did not grant what this needs, connect again and allow all that is asked for: status 401, missing_scope\.$/, 'which the connection says, and that somebody has to connect again');
like(files($ada, 'dropbox'), qr/^ERROR:  PT409: the connection has ended\nDETAIL:  The provider did not grant what this needs/, 'as does the next call');
my $revocations = $c->requests('dropbox', 'revoke');
unlike(as_tenant($ada, "SELECT orla_api.disconnect('dropbox');"), qr/ERROR/, 'it is disconnected');
is($c->requests('dropbox', 'revoke') - $revocations, 1, 'and its access is ended at the provider, since that lives');
connect_to($ada, 'dropbox', 'ada@drive.example');

# ---- limits -------------------------------------------------------------------------------------------------------

is($c->sql('SHOW orla.max_download;'), '100MB', 'files have 100 MB, unless an operator says something else');
$c->sql("ALTER ROLE door SET orla.max_download = '1MB';");
{
	local $Files::session = Files::open_session();
	like($Files::session->ask("SET orla.max_download = '1GB';"), qr/permission denied/, 'a tenant does not raise the limit');
	for my $p (@all)
	{
		my $id = row('large.bin', files($ada, $p))->{id};
		requests($p);
		like(download($ada, $p, $id), qr/^ERROR:  PT413: file is too large\nDETAIL:  The limit is 1MB\.\nHINT:  An operator can raise orla\.max_download\.$/, "$p: a file over the limit");
		is(statuses($p), 'metadata:200', "$p: is not even begun");
		fault($p, { endpoint => [ 'download', 'content' ], body => 'huge', bytes => 3 << 20, $p eq 'onedrive' ? (endpoint => 'download') : () });
		like(download($ada, $p, row('empty.txt', files($ada, $p))->{id}), qr/^ERROR:  PT413: file is too large/, "$p: nor is one taken that is larger than it said");
		fault($p);
	}
}
$c->sql('ALTER ROLE door RESET orla.max_download;');

for my $p (@all)
{
	my $id = folder($ada, $p, 'Many');
	fault($p, { endpoint => 'list', hold => JSON::PP::true, times => 2 });
	my $began = time;
	like(as_tenant($ada, "SET LOCAL statement_timeout = '200ms';\nSELECT * FROM orla_api.files('$p', '$id');"), qr/^ERROR:  57014: canceling statement due to statement timeout/, "$p: statement_timeout ends a list that hangs");
	cmp_ok(time - $began, '<', 10, "$p: in time");
	my $other = $c->session(user => 'door');
	$other->send("BEGIN; SELECT set_config('orla.tenant', '$ada', true); SET LOCAL ROLE orla_user; SELECT * FROM orla_api.files('$p', '$id');");
	look('wait', $p, endpoint => 'list', held => 2);
	$c->sql("SELECT pg_cancel_backend($other->{backend});");
	like($other->answer, qr/ERROR:  canceling statement due to user request/, "$p: so does a cancel");
	control('release', $p);
	fault($p);
	is_deeply(names(files($ada, $p, $id)), \@seven, "$p: and the next list is well");
	$other->leave;
}
fault('google_drive', { endpoint => 'list', throttle => JSON::PP::true, retry_after => 10 });
like(as_tenant($ada, "SET LOCAL statement_timeout = '200ms';\nSELECT * FROM orla_api.files('google_drive');"), qr/^ERROR:  57014/, 'a wait ends with the statement, too');
fault('google_drive');

# ---- whose it is --------------------------------------------------------------------------------------------------------
# Way 122.

for my $p (@all)
{
	my $secret = row('secret plan.txt', files($ben, $p, folder($ben, $p, 'Ben')));
	is(download($ben, $p, $secret->{id})->{bytes}, "Ben's alone\n", "$p: Ben reads what is his");
	like(download($ada, $p, $secret->{id}), qr/^ERROR:  PT404: no such file/, "$p: Ada does not, by its id");
	my $hers = files($ada, $p, $secret->{parent_id});
	ok(ref $hers ? !@$hers : $hers =~ /^ERROR:  PT404/, "$p: nor by its folder's");
	is_deeply(search($ada, $p, 'secret plan'), [], "$p: nor by a search");
	my $token = files($ben, $p, $secret->{parent_id}, size => 2)->[0]{next_page_token};
	my $page = files($ada, $p, $secret->{parent_id}, page => $token, size => 2);
	ok(ref $page ? !@$page : $page =~ /^ERROR:  (?:22023: invalid page token|PT404)/, "$p: nor by the token of his next page") or diag(explain($page));
	$page = files($ada, $p, undef, page => $token, size => 2);
	ok(ref $page ? !grep({ $_->{name} =~ /^\d\.txt$/ } @$page) : 1, "$p: in any folder");
	for my $name ("$p ", uc $p, "$p' OR '1'='1", "$ben", "$p|$ben")
	{
		like(files($ada, $name), qr/^ERROR:  22023: unknown provider/, "no such provider: $name");
	}
}
$c->sql("DELETE FROM orla.user_cloud_storage_tokens WHERE user_id = '$ada' AND provider = 'dropbox';");
like($_, qr/^ERROR:  PT409: not connected\nHINT:  Connect first\.$/, 'without a connection of her own there is none') for files($ada, 'dropbox'), search($ada, 'dropbox', 'x'), download($ada, 'dropbox', '/x'),
  as_tenant($ada, "SELECT orla_api.import_file('dropbox', '/x', 'guidelines');");
ok(@{ files($ben, 'dropbox') }, 'while Ben has his');
connect_to($ada, 'dropbox', 'ada@drive.example');
for my $case ([ "status = 'needs_reconnect', last_error = 'The provider said so.'" => "PT409: the connection has ended\nDETAIL:  The provider said so.\nHINT:  Connect again." ], [ "status = 'needs_reconnect', last_error = NULL" => "PT409: the connection has ended\nDETAIL:  The provider accepts its token no longer." ],
	[ "status = 'disconnected', is_active = false" => "PT409: not connected\nHINT:  Connect first." ])
{
	$c->sql("UPDATE orla.user_cloud_storage_tokens SET $case->[0] WHERE user_id = '$ada' AND provider = 'dropbox';");
	requests('dropbox');
	like(files($ada, 'dropbox'), qr/^ERROR:  \Q$case->[1]\E/, $case->[0]);
	is(statuses('dropbox'), '', 'nobody is asked');
}
connect_to($ada, 'dropbox', 'ada@drive.example');
for my $status (qw(retrying needs_operator))
{
	$c->sql("UPDATE orla.user_cloud_storage_tokens SET status = '$status', last_error = 'x' WHERE user_id = '$ada' AND provider = 'dropbox';");
	ok(ref files($ada, 'dropbox'), "$status: files are read as long as the token is good");
}
connect_to($ada, 'dropbox', 'ada@drive.example');

like(as_tenant('', "SELECT * FROM orla_api.files('dropbox');"), qr/^ERROR:  28000:/, 'nobody has no files');
like(as_tenant('', "SELECT * FROM orla_api.files('nothing');"), qr/^ERROR:  28000:/, 'and is told nothing about providers');
like(as_tenant('', "SELECT orla_api.download_file('dropbox', '/x');"), qr/^ERROR:  28000:/, 'nor bytes');
for my $who (qw(ann olga))
{
	like($c->sql("SELECT $_;", user => $who), qr/ERROR:  permission denied/, "$who: $_") for "* FROM orla_api.files('dropbox')", "* FROM orla_api.search_files('dropbox', 'x')", "orla_api.download_file('dropbox', '/x')", "orla_api.import_file('dropbox', '/x', 'guidelines')";
}
like(as_tenant($ada, "SELECT * FROM orla_api.files('dropbox');", role => 'orla_anon'), qr/^ERROR:  42501: permission denied/, 'nor has a request without a token');
like(as_tenant($ada, "SELECT $_;"), qr/^ERROR:  42501: permission denied/, "tenants do not call $_")
  for "orla.fetch_file('dropbox', '/x', false)", "* FROM orla.list_files('dropbox', NULL, NULL, NULL, NULL, 1)", "orla.sealed_token(NULL)", "orla.connection_of_caller('dropbox')", "orla.call_provider(NULL, NULL, NULL, 'list')";
$c->sql("DELETE FROM orla.user_cloud_storage_tokens WHERE provider = 'team_drive'; DELETE FROM orla.providers WHERE name = 'team_drive';");
$c->sql("INSERT INTO orla.providers (name, client_id, overrides) VALUES ('plain', 'x', '{\"token_url\": \"https://x.example/\", \"authorize_url\": \"https://x.example/\", \"hosts\": [\"x.example\"], \"scopes\": []}');");
like(files($ada, 'plain'), qr/^ERROR:  0A000: provider plain has no files/, 'a provider whose files orla does not speak of');
$c->sql("DELETE FROM orla.providers WHERE name = 'dropbox';");
like(files($ada, 'dropbox'), qr/^ERROR:  55000: provider dropbox is not configured\nHINT:  /, 'a provider that is not configured');
configure('dropbox');
$c->sql("UPDATE orla.providers SET overrides = overrides || '{\"hosts\": [\"drive.example\"]}' WHERE name = 'dropbox';");
requests('dropbox');
like(files($ada, 'dropbox'), qr/^ERROR:  PT502: the provider leads to another server\nDETAIL:  Host 127\.0\.0\.1 is not on the list\.$/, 'a provider whose host is not on its list');
is(statuses('dropbox'), '', 'which has seen nothing');
configure('dropbox');

# ---- size and speed ----------------------------------------------------------------------------------------------------------

sub kilobytes { my ($what, $pid) = @_; my ($kb) = Cluster::slurp("/proc/$pid/status") =~ /^$what:\s+(\d+) kB/m; return $kb }
for my $p (@all)
{
	my $size = 100_000_000;
	control('files', $p, account => 'ada@drive.example', files => [ { path => '/huge.bin', bytes => $size } ]);
	my $id = row('huge.bin', files($ada, $p))->{id};
	local $Files::session = Files::open_session();
	files($ada, $p);
	my $before = kilobytes('VmRSS', $Files::session->{backend});
	my $answer = as_tenant($ada, "SELECT octet_length(orla_api.download_file('$p', '$id'));");
	is($answer, $size, "$p: 100 MB");
	my $peak = (kilobytes('VmHWM', $Files::session->{backend}) - $before) * 1024 / $size;
	my $left = (kilobytes('VmRSS', $Files::session->{backend}) - $before) * 1024 / $size;
	cmp_ok($peak, '<', 2.6, "$p: take no more than two and a half times as much");
	cmp_ok($left, '<', 0.2, "$p: and nothing afterwards");
	note(sprintf '%s: peak %.2f times its size, %.2f afterwards', $p, $peak, $left);
}

is(scalar(() = Cluster::slurp($c->{log}) =~ /PANIC|TRAP|terminated by signal/g), 0, 'the server is well');
is($c->sql('SELECT count(*) FROM orla.worker_status WHERE ready;'), 1, 'and so is the worker');
done_testing();
