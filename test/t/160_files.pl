#!/usr/bin/perl
# Files at the three providers: one shape of rows, pages, names, shared things,
# exports, hostile input, refusals, throttling, limits, and that nobody reaches
# what is another's.
#
# The other side is test/providers.  Connections are put into the table as they
# are: how they come there is the business of other tests.
use strict;
use warnings;
use utf8;

use Encode qw(decode_utf8 encode_utf8);
use FindBin;
use lib $FindBin::RealBin;
use Cluster;
use Digest::MD5 qw(md5_hex);
use HTTP::Tiny;
use IPC::Open2;
use JSON::PP;
use MIME::Base64;
use Test::More;
use Time::HiRes qw(time);

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);
my $json = JSON::PP->new->canonical->utf8;
my ($ada, $ben) = ('aaaaaaaa-0000-4000-8000-00000000000a', 'bbbbbbbb-0000-4000-8000-00000000000b');
my @all = qw(google_drive onedrive dropbox);

# ---- the other side ------------------------------------------------------------

my $c = Cluster->new('files', 'shared_preload_libraries=orla', 'orla.databases=app', 'orla.allow_loopback_http=on');
my $node = open2(my $told, my $hold, 'node', "$FindBin::RealBin/../providers/serve.mjs", '--with-parent', map { ('--only', $_) } @all);
END { if ($node) { my $status = $?; close $hold; waitpid $node, 0; $? = $status } }
my $at = $json->decode(scalar readline($told) // die "the providers did not start\n");
my $http = HTTP::Tiny->new(timeout => 30);

sub control
{
	my ($name, $provider, %with) = @_;
	my $answer = $http->post("$at->{control}/$name", { content => $json->encode({ provider => $provider, %with }) });
	die "$name: $answer->{content}" if !$answer->{success};
	return $json->decode($answer->{content});
}

sub look
{
	my ($name, $provider, %with) = @_;
	my $answer = $http->get("$at->{control}/$name?" . $http->www_form_urlencode({ provider => $provider, %with }));
	die "$name: $answer->{content}" if !$answer->{success};
	return $json->decode($answer->{content});
}

# What has come in since the last time, as "endpoint status".
my %seen = map { $_ => 0 } @all;
sub requests { my ($p) = @_; my $log = look('log', $p); my @new = @$log[ $seen{$p} .. $#$log ]; $seen{$p} = @$log; return @new }
sub statuses { return join ' ', map { "$_->{endpoint}:" . ($_->{status} // 'none') } requests(@_) }
sub fault { my ($p, @faults) = @_; control('knobs', $p, faults => \@faults); requests($p) }

# ---- this side -------------------------------------------------------------------

$c->sql('CREATE DATABASE app', database => 'postgres');
is($c->sql("SET client_min_messages = warning; CREATE EXTENSION orla CASCADE; SELECT orla.ensure_instance() IS NULL;
	INSERT INTO orla.users (id, name, email, password_hash, email_verified)
	VALUES ('$ada', 'Ada', 'ada\@example.org', '\$argon2id\$test', true), ('$ben', 'Ben', 'ben\@example.org', '\$argon2id\$test', true);
	SELECT count(orla.create_tenant_key(id)) FROM orla.users;
	CREATE ROLE door LOGIN NOINHERIT; GRANT orla_gateway, orla_user, orla_anon TO door;
	CREATE ROLE ann LOGIN; GRANT orla_analyst TO ann; CREATE ROLE olga LOGIN; GRANT orla_admin TO olga;"), "f\n2", 'the extension is installed');

my %facts = (
	google_drive => sub { my $u = shift->{main}{http}; return { token_url => "$u/token", api_url => "$u/drive/v3", account_url => "$u/v1/userinfo", authorize_url => "$u/o/oauth2/v2/auth", revoke_url => "$u/revoke" } },
	onedrive => sub { my $u = shift->{main}{http}; return { token_url => "$u/common/oauth2/v2.0/token", api_url => "$u/v1.0", account_url => "$u/v1.0/me", authorize_url => "$u/common/oauth2/v2.0/authorize", download_hosts => ['127.0.0.1'] } },
	dropbox => sub { my $u = $_[0]{main}{http}; return { token_url => "$u/oauth2/token", api_url => "$u/2", content_url => "$_[0]{content}{http}/2", account_url => "$u/2/users/get_current_account", authorize_url => "$u/oauth2/authorize", revoke_url => "$u/2/auth/token/revoke" } },
);
sub configure
{
	my ($name, $provider, %more) = @_;
	my $overrides = $json->encode({ %{ $facts{$provider}->($at->{$provider}) }, hosts => ['127.0.0.1'], %more });
	is($c->sql("SELECT orla.configure_provider('$name', '$at->{client_id}', '$at->{client_secret}', \$o\$$overrides\$o\$);"), '', "$name is configured");
}

# A connection as connect() makes one.
sub connect_to
{
	my ($who, $provider, $account, %with) = @_;
	my $name   = $with{as} // $provider;
	my $tokens = control('mint', $provider, account => $account, $with{scopes} ? (scopes => $with{scopes}) : ())->{tokens}[0];
	my $root   = $with{root} ? "'{\"root_namespace_id\": \"$with{root}\"}'" : "'{}'";
	return $c->sql("INSERT INTO orla.user_cloud_storage_tokens AS t (user_id, provider, provider_user_id, provider_email, access_token, refresh_token, token_expires_at, metadata)
		VALUES ('$who', '$name', '$account', '$account',
		orla.seal('$tokens->{access_token}', '$who', 'user_cloud_storage_tokens|$name|access_token'),
		orla.seal('$tokens->{refresh_token}', '$who', 'user_cloud_storage_tokens|$name|refresh_token'), now() + interval '1 hour', $root)
		ON CONFLICT (user_id, provider) DO UPDATE SET access_token = excluded.access_token, refresh_token = excluded.refresh_token, provider_email = excluded.provider_email,
			token_expires_at = excluded.token_expires_at, metadata = excluded.metadata, status = 'connected', is_active = true, claimed_at = NULL, last_error = NULL;");
}

for my $p (@all)
{
	configure($p, $p);
	my @own = $p ne 'onedrive' ? 'sample' : ((map { { path => "/Brand/$_->[0]", sample => $_->[1] } } [ 'notes.txt' => 'text' ], [ 'guide.pdf' => 'pdf' ], [ 'brand voice.md' => 'markdown' ]),
		{ path => '/old.txt', text => "thrown away\n", trashed => JSON::PP::true }, { path => '/empty.txt', text => '' }, { path => '/Notebook', package => JSON::PP::true },
		{ path => '/shared plan.txt', text => "A plan that Grace shares\n", shared => JSON::PP::true }, { path => '/Campaigns/spring.txt', text => "Spring campaign\n", drive => 'Marketing' });
	control('accounts', $p, email => 'ada@drive.example', kind => $p eq 'onedrive' ? 'work' : 'personal',
		files => [ @own, 'names', 'many:7', { path => '/größer 5 €/räksmörgås 🦊.md', text => "# 🦊\n" }, { path => '/large.bin', bytes => 2_000_000 },
			map { { path => "/Planted/$_->[0]", text => "x\n", mime => $_->[1] } } [ 'a.js' => 'text/javascript' ], [ 'b.mjs' => 'application/x-javascript' ], [ 'c.css' => 'text/css' ] ]);
	control('accounts', $p, email => 'ben@drive.example', files => [ { path => '/Ben/secret plan.txt', text => "Ben's alone\n" }, map { { path => "/Ben/$_.txt", text => "number $_" } } 1 .. 5 ]);
	is(connect_to($ada, $p, 'ada@drive.example'), '', "Ada is connected to $p");
	is(connect_to($ben, $p, 'ben@drive.example'), '', "and Ben");
}

our $session = $c->session(user => 'door');
$session->ask('\set VERBOSITY verbose');

sub literal { my ($v) = @_; return 'NULL' if !defined $v; $v =~ s/'/''/g; $v =~ s/\\/\\\\/g; return "E'$v'" }

# What a statement returns to a tenant; a text that begins with ERROR if it is refused.
sub as_tenant
{
	my ($who, $sql, %with) = @_;
	my $role = $with{role} // 'orla_user';
	my $begin = $with{begin} // 'BEGIN';
	my $answer = decode_utf8($session->ask(encode_utf8("$begin;\nSELECT set_config('orla.tenant', '$who', true) \\g /dev/null\nSET LOCAL ROLE $role;\n$sql\nROLLBACK;")));
	$answer =~ s/^LOCATION:.*\n?//mg;
	$answer =~ s/\n?CONTEXT:  (?:.*\n?)*//;
	$answer =~ s/\n(?:ERROR:  25P02.*\n?)+\z//;
	chomp $answer;
	return $answer;
}

sub rows_of { my ($answer) = @_; return $answer =~ /^ERROR/m ? $answer : $answer eq '' ? [] : $json->decode(encode_utf8($answer)) }
sub files
{
	my ($who, $provider, $folder, %with) = @_;
	return rows_of(as_tenant($who, 'SELECT jsonb_agg(f) FROM orla_api.files(' . join(', ', map { literal($_) } $provider, $folder, $with{page}) . ', ' . ($with{size} // 100) . ') AS f;', %with));
}
sub search
{
	my ($who, $provider, $text, %with) = @_;
	return rows_of(as_tenant($who, 'SELECT jsonb_agg(f) FROM orla_api.search_files(' . join(', ', map { literal($_) } $provider, $text, $with{type}, $with{page}) . ') AS f;', %with));
}
# The bytes and the headers.
sub download
{
	my ($who, $provider, $id, %with) = @_;
	my $answer = as_tenant($who, 'SELECT translate(encode(orla_api.download_file(' . literal($provider) . ', ' . literal($id) . "), 'base64'), E'\\n', '');\nSELECT current_setting('response.headers', true);", %with);
	return $answer if $answer =~ /^ERROR/;
	my ($bytes, $headers) = $answer =~ /^([A-Za-z0-9+\/=]*)\n(\[.*\])$/s or return "odd: $answer";
	my %headers = map { %$_ } @{ $json->decode(encode_utf8($headers)) };
	return { bytes => decode_base64($bytes), %headers };
}
# What the connection says of itself.
sub noted { my ($p) = @_; return $c->sql("SELECT status || ' ' || coalesce(last_error, '') FROM orla.user_cloud_storage_tokens WHERE user_id = '$ada' AND provider = '$p';") . '' }
sub names { my ($rows) = @_; return ref $rows ? [ map { $_->{name} } @$rows ] : $rows }
sub row { my ($name, $rows) = @_; ref $rows or return { error => $rows }; return (grep { $_->{name} eq $name } @$rows)[0] // { missing => $name } }
sub folder { my ($who, $p, $name) = @_; return row($name, files($who, $p))->{id} }

# ---- one shape ---------------------------------------------------------------------

my %shape = (
	google_drive => { hash => qr/^[0-9a-f]{32}$/, id => qr/^1[\w-]{32}$/, web_url => qr{^https://drive\.google\.com/file/d/1[\w-]+/view\?usp=drivesdk$} },
	onedrive => { hash => qr/^[A-Za-z0-9+\/]{27}=$/, id => qr/^01[A-Z2-7]+$/, web_url => qr{^https://contoso-my\.sharepoint\.com/} },
	dropbox => { hash => qr/^[0-9a-f]{64}$/, id => qr/^id:[\w-]{22}$/, web_url => qr{^https://www\.dropbox\.com/home/Brand/notes\.txt$} },
);
for my $p (@all)
{
	my $root = files($ada, $p);
	my $brand = row('Brand', $root);
	is_deeply([ @$brand{qw(provider is_folder size hash next_page_token)} ], [ $p, JSON::PP::true, undef, undef, undef ], "$p: a folder has no size and no hash");
	my $notes = row('notes.txt', files($ada, $p, $brand->{id}));
	is_deeply([ sort keys %$notes ], [ sort qw(provider id name mime_type is_folder size modified_at parent_id web_url hash next_page_token) ], "$p: the columns of a row");
	is_deeply([ @$notes{qw(provider name mime_type is_folder size parent_id next_page_token)} ], [ $p, 'notes.txt', 'text/plain', JSON::PP::false, 250, $brand->{id}, undef ], "$p: a file");
	like($notes->{$_}, $shape{$p}{$_}, "$p: its $_") for qw(id hash web_url);
	like($notes->{modified_at}, qr/^2026-02-03T10:11:\d\d(?:\.\d+)?\+00:00$/, "$p: its time");
	ok(!grep({ $_->{name} eq 'old.txt' } @$root), "$p: what is in the bin is not listed");
	is_deeply(files($ada, $p, 'root'), $root, "$p: root is the root");
	is_deeply(names(files($ada, $p, '')), names($root), "$p: so is nothing");
	my $got = download($ada, $p, $notes->{id});
	is(length $got->{bytes}, 250, "$p: the bytes of a file");
	is_deeply([ @$got{ 'Content-Type', 'Content-Disposition', 'X-Content-Type-Options' } ], [ 'text/plain', q(attachment; filename="notes.txt"; filename*=UTF-8''notes.txt), 'nosniff' ], "$p: and its headers");
	is_deeply([ @$got{ 'Content-Security-Policy', 'Cross-Origin-Resource-Policy', 'Cache-Control' } ], [ "default-src 'none'; sandbox", 'same-origin', 'private, no-cache' ], "$p: it is no page of ours, and nobody else's to keep");
	is_deeply([ map { download($ada, $p, $_->{id})->{'Content-Type'} } @{ files($ada, $p, folder($ada, $p, 'Planted')) } ], [ ('application/octet-stream') x 3 ], "$p: way 142: a script of somebody is none of ours");
	is(download($ada, $p, row('empty.txt', $root)->{id})->{bytes}, '', "$p: an empty file");
	like(download($ada, $p, $brand->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  It is a folder\.$/, "$p: a folder cannot be downloaded");
	is_deeply(files($ada, $p, $brand->{id}, role => 'orla_gateway'), files($ada, $p, $brand->{id}), "$p: a gateway sees the same");
	is(download($ada, $p, $notes->{id}, role => 'orla_gateway')->{bytes}, $got->{bytes}, "$p: and downloads the same");
	is_deeply(names(search($ada, $p, 'notes', role => 'orla_gateway')), ['notes.txt'], "$p: and finds it");
}

# ---- names ----------------------------------------------------------------------------

for my $p (@all)
{
	my %there = map { ($_->{id} => $_) } grep { ($_->{path} // '') =~ m{^/Names/} } @{ look('files', $p, account => 'ada@drive.example') };
	my $listed = files($ada, $p, folder($ada, $p, 'Names'));
	is_deeply([ sort map { "$_->{id} $_->{name}" } @$listed ], [ sort map { "$_->{id} $_->{name}" } values %there ], "$p: all " . @$listed . ' names as they are');
	my @wrong = grep { my $got = download($ada, $p, $_->{id}); !ref $got || decode_utf8($got->{bytes}) ne "in $_->{name}\n"
		|| grep({ /[^\x20-\x7e]/ } @$got{ 'Content-Type', 'Content-Disposition' }) || $got->{'Content-Disposition'} !~ /^attachment; filename="[A-Za-z0-9._ -]+"; filename\*=UTF-8''[A-Za-z0-9._~%-]+$/ } @$listed;
	is_deeply(names(\@wrong), [], "$p: each is downloaded under a name that a header can have");
	ok(grep({ length(encode_utf8($_->{name})) == 255 } @$listed), "$p: one has 255 bytes");
	my $fox = row('räksmörgås 🦊.md', files($ada, $p, folder($ada, $p, 'größer 5 €')));
	my $got = download($ada, $p, $fox->{id});
	is($got->{bytes}, encode_utf8("# 🦊\n"), "$p: no letter is a problem");
	is($got->{'Content-Disposition'}, q(attachment; filename="r_ksm_rg_s _.md"; filename*=UTF-8''r%C3%A4ksm%C3%B6rg%C3%A5s%20%F0%9F%A6%8A.md), "$p: nor in a header");
}
is(scalar(grep { $_->{name} eq 'twice.txt' } @{ files($ada, 'google_drive', folder($ada, 'google_drive', 'Names')) }), 2, 'google_drive: two files of one name are two files');
is(scalar(grep { lc $_->{name} eq 'report.txt' } @{ files($ada, 'google_drive', folder($ada, 'google_drive', 'Names')) }), 2, 'google_drive: so are two that differ in case alone');

# ---- pages ------------------------------------------------------------------------------

sub walk
{
	my ($who, $p, $folder, %with) = @_;
	my (@pages, $token);
	do
	{
		my $rows = files($who, $p, $folder, page => $token, %with);
		return $rows if !ref $rows;
		push @pages, names($rows);
		my %tokens = map { (($_->{next_page_token} // '') => 1) } @$rows;
		return 'several tokens in a page' if keys %tokens > 1;
		$token = @$rows ? $rows->[0]{next_page_token} : undef;
	} while (defined $token && @pages < 20);
	return \@pages;
}
my @seven = map { sprintf 'file %05d.txt', $_ } 1 .. 7;
for my $p (@all)
{
	my $many = folder($ada, $p, 'Many');
	is_deeply(walk($ada, $p, $many, size => 3), [ [ @seven[ 0 .. 2 ] ], [ @seven[ 3 .. 5 ] ], [ $seven[6] ] ], "$p: pages of three");
	is_deeply(walk($ada, $p, $many, size => 7), [ \@seven ], "$p: one page if they fit");
	is_deeply(walk($ada, $p, $many, size => -1), [ map { [$_] } @seven ], "$p: pages have one entry at least");
	is_deeply(walk($ada, $p, $many, size => 100_000), [ \@seven ], "$p: and no more than the provider gives");
	control('knobs', $p, empty_pages => 4, page_limit => 5);
	requests($p);
	is_deeply(walk($ada, $p, $many), [ [ @seven[ 0 .. 4 ] ], [ @seven[ 5 .. 6 ] ] ], "$p: empty pages are passed over, short ones are not the end");
	is(scalar(my @r = requests($p)), 6, "$p: each of them was asked for");
	control('knobs', $p, empty_pages => 150);
	like(files($ada, $p, $many), qr/^ERROR:  PT503: the provider does not answer\nDETAIL:  100 pages had no entry/, "$p: empty pages without an end are no empty folder");
	control('knobs', $p, empty_pages => 0, page_limit => JSON::PP::null);
	my $token = files($ada, $p, $many, size => 3)->[0]{next_page_token};
	like(files($ada, $p, $many, page => $_, size => 3), qr/^ERROR:  22023: invalid page token\nDETAIL:  .*\nHINT:  Begin with the first page again\.$/, "$p: not a page token: $_")
	  for 'nonsense', '~!!~', "' OR 1=1", 'x' x 8001, ($p eq 'onedrive' ? $token =~ s/skiptoken=\w+/skiptoken=AAAA/r : ());
}
is_deeply(files($ada, 'google_drive', 'nothing'), [], 'google_drive: a folder that is not there has nothing in it');
like(files($ada, 'onedrive', 'nothing'), qr/^ERROR:  PT404: no such file/, 'onedrive: no such folder');
like(files($ada, 'dropbox', 'id:nothing'), qr/^ERROR:  PT404: no such file\nDETAIL:  Status 409, path\/not_found\. It is not there, or this connection may not read it\.$/, 'dropbox: no such folder');

control('knobs', 'dropbox', extra_entries => 2);
is_deeply(walk($ada, 'dropbox', folder($ada, 'dropbox', 'Many'), size => 2), [ [ @seven[ 0 .. 3 ] ], [ @seven[ 4 .. 6 ] ] ], 'dropbox: more entries than were asked for');
control('knobs', 'dropbox', extra_entries => 0, reset_continue => JSON::PP::true);
like(walk($ada, 'dropbox', folder($ada, 'dropbox', 'Many'), size => 2), qr/^ERROR:  22023: invalid page token\nDETAIL:  Status 409, reset\.\nHINT:  Begin with the first page again\.$/, 'dropbox: a list that has to begin anew');
control('knobs', 'dropbox', reset_continue => JSON::PP::false);
{
	my $many = folder($ada, 'onedrive', 'Many');
	my $token = files($ada, 'onedrive', $many, size => 3)->[0]{next_page_token};
	my $api = "$at->{onedrive}{main}{http}/v1.0";
	my $foreign = $at->{onedrive}{foreign}{http};
	requests('onedrive');
	like(files($ada, 'onedrive', $many, page => $_), qr/^ERROR:  22023: invalid page token/, "onedrive: a page elsewhere: " . s/\s+/ /gr)
	  for $token =~ s/^\Q$api\E/$foreign\/v1.0/r, "$api\@127.0.0.2/me/drive/root/children", "$api/me/messages", "$api/me", "$api/drives/../me/messages", "$api/drives/%2e%2E/me/messages",
	  "$api/me/drive/root/children#x", "$api/me/drive/root/children?a\r\nX: y", "/me/drive/root/children";
	control('knobs', 'onedrive', next_link => 'foreign');
	like(files($ada, 'onedrive', $many, size => 3), qr/^ERROR:  PT502: the provider leads to another server\nDETAIL:  The next page is not one of its own\./, 'onedrive: a next page on another host is refused');
	control('knobs', 'onedrive', next_link => JSON::PP::null);
	is_deeply([ map { "$_->{host} $_->{endpoint}" } requests('onedrive') ], ['main list'], 'onedrive: and has seen no request');
}

# ---- what others share --------------------------------------------------------------------

for my $p (qw(google_drive onedrive))
{
	my $drive = row('Marketing', files($ada, $p, 'shared_drives'));
	is_deeply([ @$drive{qw(is_folder size parent_id)} ], [ JSON::PP::true, undef, undef ], "$p: a shared drive");
	my $campaigns = row('Campaigns', files($ada, $p, $drive->{id}));
	my $spring = row('spring.txt', files($ada, $p, $campaigns->{id}));
	is($spring->{parent_id}, $campaigns->{id}, "$p: a file in it knows its folder");
	is_deeply(names(files($ada, $p, $spring->{parent_id})), ['spring.txt'], "$p: by an id that works");
	is(download($ada, $p, $spring->{id})->{bytes}, "Spring campaign\n", "$p: and is downloaded");
	my $plan = row('shared plan.txt', files($ada, $p, 'shared_with_me'));
	is($plan->{parent_id}, undef, "$p: what was shared singly has no folder");
	is(download($ada, $p, $plan->{id})->{bytes}, "A plan that Grace shares\n", "$p: and is downloaded");
	is(row('shared plan.txt', search($ada, $p, 'shared plan'))->{id}, $plan->{id}, "$p: and found");
}
{
	my $link = row('Marketing', files($ada, 'onedrive'));
	like($link->{id}, qr{^b![\w-]+/}, 'onedrive: a link to a drive has the id of what it leads to');
	is_deeply(names(files($ada, 'onedrive', $link->{id})), ['Campaigns'], 'onedrive: and opens like a folder');
	control('knobs', 'onedrive', shared_with_me => JSON::PP::false);
	is_deeply(files($ada, 'onedrive', 'shared_with_me'), [], 'onedrive: nothing is shared once Graph says so no more');
	control('knobs', 'onedrive', shared_with_me => JSON::PP::true);
	my $root = files($ada, 'dropbox');
	is_deeply(names(files($ada, 'dropbox', row('Marketing', $root)->{id})), ['Campaigns'], 'dropbox: a shared folder is one among the others');
	is(download($ada, 'dropbox', row('shared plan.txt', $root)->{id})->{bytes}, "A plan that Grace shares\n", 'dropbox: and a shared file');
	like(files($ada, 'dropbox', $_), qr/^ERROR:  22023: invalid id of a file/, "dropbox: there is no $_") for qw(shared_with_me shared_drives);
}
{
	# A member of a team: her own folder is one in the team's space.
	control('accounts', 'dropbox', email => 'tess@team.example', name => 'Tess', kind => 'team', files => [ { path => '/mine.txt', text => "mine\n" }, { path => '/Plans/ours.txt', text => "ours\n", drive => 'Team' } ]);
	configure('team_drive', 'dropbox', files => 'dropbox', scopes => []);
	connect_to($ada, 'dropbox', 'tess@team.example', as => 'team_drive');
	is_deeply(names(files($ada, 'team_drive')), ['mine.txt'], 'dropbox: without the root a member sees but her own');
	my $root = $json->decode($http->post("$at->{dropbox}{main}{http}/2/users/get_current_account",
		{ headers => { authorization => 'Bearer ' . control('mint', 'dropbox', account => 'tess@team.example')->{tokens}[0]{access_token} } })->{content})->{root_info}{root_namespace_id};
	for my $known ($root, 7)
	{
		connect_to($ada, 'dropbox', 'tess@team.example', as => 'team_drive', root => $known);
		requests('dropbox');
		my $top = files($ada, 'team_drive');
		is_deeply([ sort @{ names($top) } ], [ 'Team', 'Tess' ], 'dropbox: with it, the team' . ($known eq $root ? '' : ', also where it has moved'));
		is(statuses('dropbox'), $known eq $root ? 'list:200' : 'list:422 list:200', 'dropbox: asked for once more at most');
		my $plans = files($ada, 'team_drive', row('Team', $top)->{id});
		my $ours = row('ours.txt', files($ada, 'team_drive', row('Plans', $plans)->{id}));
		is(download($ada, 'team_drive', $ours->{id})->{bytes}, "ours\n", 'dropbox: a file of the team');
	}
}

# ---- files become material ------------------------------------------------------------------------

my %outcome = (map({ ("import.$_" => 'found') } qw(txt md csv html docx pdf)), 'broken.pdf' => 'damaged', 'import.bin' => 'unknown format');
for my $p (@all)
{
	control('files', $p, account => 'ada@drive.example', files => [ map { { path => "/Imports/$_->[0]", sample => $_->[1] } } [ 'import.txt' => 'text' ], [ 'import.md' => 'markdown' ], [ 'import.csv' => 'csv' ],
		[ 'import.html' => 'html' ], [ 'import.docx' => 'docx' ], [ 'import.pdf' => 'pdf' ], [ 'broken.pdf' => 'pdf_broken' ], [ 'import.bin' => 'binary' ] ]);
	my $listed = files($ada, $p, folder($ada, $p, 'Imports'));
	is_deeply([ sort @{ names($listed) } ], [ sort keys %outcome ], "$p: text, Markdown, CSV, HTML, DOCX, PDF, half a PDF, bytes");
	my %bytes = map { $_->{name} => md5_hex(download($ada, $p, $_->{id})->{bytes}) } @$listed;
	# in one transaction, so that the brand's context has all of them
	my @lines = split /\n/, as_tenant($ada, join('', map { 'SELECT count(*) FROM orla_api.import_file(' . join(', ', literal($p), literal($_->{id}), "'voice_samples'") . ") \\g /dev/null\n" } @$listed)
		. "SELECT concat_ws(' ', filename, md5(content), metadata ->> 'text_outcome') FROM orla.brand_voice_assets;\n"
		. "SELECT string_agg(t ->> 'filename', ' ' ORDER BY t ->> 'filename') FROM jsonb_array_elements(orla_api.brand_context() #> '{assets,voice_samples}') AS t WHERE t ->> 'text' ~ 'the engine does|Babbage';");
	is(pop @lines, 'import.csv import.docx import.html import.md import.pdf import.txt', "$p: imported, the context of the brand has the text of six");
	is_deeply([ sort @lines ], [ sort map { "$_ $bytes{$_} $outcome{$_}" } keys %outcome ], "$p: and all are stored to the byte, with what came of their text");
}

# ---- documents without bytes --------------------------------------------------------------------

{
	my $native = files($ada, 'google_drive', folder($ada, 'google_drive', 'Native'));
	is_deeply([ map { [ @$_{qw(name size hash mime_type)} ] } sort { $a->{name} cmp $b->{name} } @$native ],
		[ [ 'Numbers', undef, undef, 'application/vnd.google-apps.spreadsheet' ], [ 'Pitch', undef, undef, 'application/vnd.google-apps.presentation' ], [ 'Voice', undef, undef, 'application/vnd.google-apps.document' ] ],
		'google_drive: its own documents have no size');
	for my $case ([ Voice => 'docx', 'wordprocessingml.document' ], [ Numbers => 'xlsx', 'spreadsheetml.sheet' ], [ Pitch => 'pptx', 'presentationml.presentation' ])
	{
		my ($name, $extension, $type) = @$case;
		my $got = download($ada, 'google_drive', row($name, $native)->{id});
		like($got->{bytes}, qr/^PK\x03\x04/, "google_drive: $name becomes an office file");
		is_deeply([ @$got{ 'Content-Type', 'Content-Disposition' } ], [ "application/vnd.openxmlformats-officedocument.$type", qq(attachment; filename="$name.$extension"; filename*=UTF-8''$name.$extension) ], 'and says so');
	}
	my $text = as_tenant($ada, "RESET ROLE; SET LOCAL ROLE orla_service;\nSELECT f.mime_type, f.name FROM (SELECT (x.file).* FROM orla.fetch_file('google_drive', '" . row('Voice', $native)->{id} . "', true) AS x) AS f;");
	like($text, qr/permission denied to set role "orla_service"/, 'nobody becomes orla_service');
	control('files', 'google_drive', account => 'ada@drive.example', files => [ { path => '/Native/Map', native => 'map', text => 'x' }, { path => '/to the notes', shortcut_to => '/Brand/notes.txt' }, { path => '/to the brand', shortcut_to => '/Brand' } ]);
	like(download($ada, 'google_drive', row('Map', files($ada, 'google_drive', folder($ada, 'google_drive', 'Native')))->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  It has no content\./, 'google_drive: what cannot be exported');
	control('knobs', 'google_drive', export_limit => 10);
	like(download($ada, 'google_drive', row('Voice', $native)->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  Status 403, exportSizeLimitExceeded\./, 'google_drive: nor what is too large to be');
	control('knobs', 'google_drive', export_limit => 10 << 20);

	my $root = files($ada, 'google_drive');
	is_deeply([ @{ row('to the brand', $root) }{qw(id is_folder)} ], [ folder($ada, 'google_drive', 'Brand'), JSON::PP::true ], 'google_drive: a shortcut to a folder is that folder');
	my ($shortcut) = grep { $_->{name} eq 'to the notes' } @{ look('files', 'google_drive', account => 'ada@drive.example') };
	isnt(row('to the notes', $root)->{id}, $shortcut->{id}, 'google_drive: one to a file has the id of the file');
	is(length download($ada, 'google_drive', $_)->{bytes}, 250, 'google_drive: and either leads to its bytes') for $shortcut->{id}, row('to the notes', $root)->{id};

	# what is shared by a link that has a key
	control('files', 'google_drive', account => 'ada@drive.example', files => [ { path => '/by link.txt', text => "behind a key\n", resource_key => '0-Key_1', shared => JSON::PP::true }, { path => '/Linked/', resource_key => '0-Key_2' },
		{ path => '/Linked/inside.txt', text => "inside\n" }, { path => '/Native/Linked', native => 'document', text => 'x', resource_key => '0-Key_3' }, { path => '/Brand/locked.txt', text => "by a shortcut\n", resource_key => '0-Key_4' }, { path => '/to the locked', shortcut_to => '/Brand/locked.txt' } ]);
	my $linked = row('by link.txt', files($ada, 'google_drive', 'shared_with_me'));
	like($linked->{id}, qr{^1[\w-]{32}/0-Key_1$}, 'google_drive: what is shared by a link with a key has the key in its id');
	is(download($ada, 'google_drive', $linked->{id})->{bytes}, "behind a key\n", 'google_drive: and is downloaded');
	is(row('by link.txt', search($ada, 'google_drive', 'by link'))->{id}, $linked->{id}, 'google_drive: found, it has the same');
	like(download($ada, 'google_drive', $linked->{id} =~ s{/.*}{}r), qr/^ERROR:  PT404: no such file/, 'google_drive: not without the key');
	like(download($ada, 'google_drive', $linked->{id} =~ s{Key}{key}r), qr/^ERROR:  PT404: no such file/, 'google_drive: nor with another');
	my $inside = row('inside.txt', files($ada, 'google_drive', folder($ada, 'google_drive', 'Linked')));
	is($inside->{parent_id}, folder($ada, 'google_drive', 'Linked'), 'google_drive: a folder with a key is listed with it');
	is(download($ada, 'google_drive', $inside->{id})->{bytes}, "inside\n", 'google_drive: and what is in it downloaded');
	is_deeply(files($ada, 'google_drive', $inside->{parent_id} =~ s{/.*}{}r), [], 'google_drive: without, nothing is in it');
	like(download($ada, 'google_drive', row('Linked', files($ada, 'google_drive', folder($ada, 'google_drive', 'Native')))->{id})->{bytes}, qr/^PK/, 'google_drive: a document with a key is exported');
	my ($by_shortcut) = grep { $_->{name} eq 'to the locked' } @{ look('files', 'google_drive', account => 'ada@drive.example') };
	is(download($ada, 'google_drive', $_)->{bytes}, "by a shortcut\n", 'google_drive: a shortcut knows the key of its target') for $by_shortcut->{id}, row('to the locked', files($ada, 'google_drive'))->{id};

	for my $case ([ 'Voice.paper' => 'docx', qr/^PK/ ], [ 'Numbers.gsheet' => 'docx', qr/^PK/ ])
	{
		my $got = download($ada, 'dropbox', row($case->[0], files($ada, 'dropbox', folder($ada, 'dropbox', 'Native')))->{id});
		like($got->{bytes}, $case->[2], "dropbox: $case->[0] is exported");
		like($got->{'Content-Disposition'}, qr/filename="\Q$case->[0].$case->[1]\E"/, 'under a name that says so');
	}
	like(download($ada, 'onedrive', row('Notebook', files($ada, 'onedrive'))->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  It has no content\./, 'onedrive: a notebook has no bytes');
	is(row('Notebook', files($ada, 'onedrive'))->{is_folder}, JSON::PP::false, 'onedrive: and is no folder');
}

# ---- the one step of a download -------------------------------------------------------------------
# Way 123.

{
	my $id = row('large.bin', files($ada, 'onedrive'))->{id};
	requests('onedrive');
	is(length download($ada, 'onedrive', $id)->{bytes}, 2_000_000, 'onedrive: bytes from another host');
	is_deeply([ map { join ' ', $_->{host}, $_->{endpoint}, $_->{status}, $_->{authorization} // 'nobody' } requests('onedrive') ],
		[ 'main metadata 200 bearer', 'main content 302 bearer', 'download download 200 nobody' ], 'onedrive: which gets no token');
	control('knobs', 'onedrive', location => 'foreign');
	like(download($ada, 'onedrive', $id), qr/^ERROR:  PT502: the provider leads to another server\nDETAIL:  Host 127\.0\.0\.2 is not on the list\.$/, 'onedrive: a host that is not on the list');
	is(statuses('onedrive'), 'metadata:200 content:302', 'onedrive: has seen nothing');
	for my $location ('', '/relative', 'file:///etc/passwd', 'http://127.0.0.1:1@127.0.0.2/', 'http://169.254.169.254/latest/')
	{
		control('knobs', 'onedrive', location => $location);
		like(download($ada, 'onedrive', $id), qr/^ERROR:  PT50[23]: the provider (?:leads to another server|does not answer)\n/, "onedrive: nor is this one followed: $location");
	}
	control('knobs', 'onedrive', location => JSON::PP::null);
	fault('onedrive', { endpoint => 'download', status => 403, body => 'html', retry_after => 0 });
	like(download($ada, 'onedrive', $id), qr/^ERROR:  PT503: the provider does not answer\nDETAIL:  The address of the content answers with status 403\./, 'onedrive: an address that has run out');
	is(statuses('onedrive'), 'metadata:200' . ' content:302 download:403' x 6, 'onedrive: is asked for anew, but not for ever');
	fault('onedrive', { endpoint => 'download', status => 403, body => 'html', retry_after => 10 });
	like(as_tenant($ada, "SET LOCAL statement_timeout = '300ms';\nSELECT orla_api.download_file('onedrive', '$id');"), qr/^ERROR:  57014/, 'onedrive: nor for longer than a statement may take');
	fault('onedrive');
	control('knobs', 'onedrive', redirect => JSON::PP::false);
	is(length download($ada, 'onedrive', $id)->{bytes}, 2_000_000, 'onedrive: bytes at once');
	control('knobs', 'onedrive', redirect => JSON::PP::true);
	fault('onedrive', { endpoint => 'download', status => 503, times => 1 });
	is(length download($ada, 'onedrive', $id)->{bytes}, 2_000_000, 'onedrive: a download that fails once');
	is(statuses('onedrive'), 'metadata:200 content:302 download:503 content:302 download:200', 'onedrive: is tried again from the step before');
	fault('onedrive');
	requests('dropbox');
	is(length download($ada, 'dropbox', row('large.bin', files($ada, 'dropbox'))->{id})->{bytes}, 2_000_000, 'dropbox: bytes');
	is(join(' ', map { "$_->{host}:$_->{endpoint}" } requests('dropbox')), 'main:list main:metadata content:download', 'dropbox: from the host of its contents');
}

# ---- hostile input ------------------------------------------------------------------------------------
# Way 125.

for my $p (@all)
{
	for my $text ("' or trashed = true or name contains '", "x' or 'x' = 'x", q(\\' or trashed = true or name contains \\'), '\\', "'", q{')/../../me/messages?q=('}, '%27%29', "'); DROP TABLE orla.users; --",
		'{"a": "b"}', "a\nb", '&q=x&trashed=true#', '🦊', '${jndi:x}', '*', '../..')
	{
		my $found = search($ada, $p, $text);
		# one or two characters may well be in the bytes of a document
		my $wrong = ref $found ? join(', ', grep { $_ eq 'old.txt' || length $text > 2 && index(lc "$_ in $_\n", lc $text) < 0 } @{ names($found) }) : $found;
		is($wrong, '', "$p: a search text stays one: " . ($text =~ s/\n/\\n/r));
	}
	is_deeply(names(search($ada, $p, $p eq 'onedrive' ? "sure'" : "O'Brien's")), $p eq 'onedrive' ? [] : [q(O'Brien's "draft".txt)], "$p: and finds what has it in its name");
	is_deeply(names(search($ada, $p, '100% sure')), ['100% sure.txt'], "$p: with a per cent sign");
	is_deeply(names(search($ada, $p, '#1')), ['hash#1.txt'], "$p: with a number sign");
	like(search($ada, $p, $_), qr/^ERROR:  22023: invalid search text\nDETAIL:  It has 1 to 500 characters\./, "$p: no search text") for '', '   ', undef, 'x' x 501;
	is_deeply(search($ada, $p, 'x' x 500), [], "$p: a long one");
	is_deeply(names(search($ada, $p, 'guide', type => 'pdf')), ['guide.pdf'], "$p: a search by type");
	is_deeply(search($ada, $p, 'guide', type => 'image'), [], "$p: and by another");
	is_deeply(names(search($ada, $p, 'brand', type => 'folder')), ['Brand'], "$p: and for folders") if $p ne 'google_drive';
	like(search($ada, $p, 'guide', type => 'pdf\' or 1=1'), qr/^ERROR:  22023: unknown type of file/, "$p: and by none");

	# What looks like the id that it has in its text must not be read as one.
	is(row('notes.txt', search($ada, $p, 'notes.txt'))->{id}, row('notes.txt', files($ada, $p, folder($ada, $p, 'Brand')))->{id}, "$p: what is found has the id that it has in its folder");
	control('files', $p, account => 'ada@drive.example', files => [ { folder => '/Brand', name => 'x.txt', text => 'word id:word a/b' } ]);
	is(row('x.txt', search($ada, $p, $_))->{id}, row('x.txt', files($ada, $p, folder($ada, $p, 'Brand')))->{id}, "$p: also if the text looks like an id: $_") for $p eq 'google_drive' ? () : ('id:word', 'a/b');
	isnt(row('x.txt', search($ada, $p, 'id:word'))->{parent_id}, 'id:word', "$p: which is not its folder's") if $p eq 'dropbox';

	requests($p);
	for my $id ('', '..', '../me', 'a/../b', '/', 'a/b/c', 'http://127.0.0.2/x', "x\r\nX-Evil: 1", 'y' x 4001, undef)
	{
		like($_, qr/^ERROR:  22023: invalid id of a file\nHINT:  Use an id that orla_api\.files\(\) returned\./, "$p: not an id: " . ($id // 'NULL') =~ s/\s+/ /gr =~ s/y{50,}/yy…/r)
		  for download($ada, $p, $id), defined $id && $id ne '' ? files($ada, $p, $id) : ();
	}
	is(statuses($p), '', "$p: which no server has seen");
	for my $id ("'; DROP TABLE orla.users; --", "' or '1'='1", 'root?fields=*', '%2e%2e%2fme', 'a&b=c', 'x#y', '$(id)', '🦊', 'root:')
	{
		my $tried = $p eq 'dropbox' ? "/$id" : $id;
		like(download($ada, $p, $tried), qr/^ERROR:  PT404: no such file\n/, "$p: no such file: $tried");
		my $listed = files($ada, $p, $tried);
		ok(ref $listed ? !@$listed : $listed =~ /^ERROR:  PT404: no such file\n/, "$p: no such folder: $tried") or diag(explain($listed));
	}
}
like(download($ada, 'dropbox', '/Brand/notes.txt')->{'Content-Type'}, qr{^text/plain$}, 'dropbox: a path is an id there');
is(download($ada, 'dropbox', '/größer 5 €/räksmörgås 🦊.md')->{bytes}, encode_utf8("# 🦊\n"), 'dropbox: whatever is in it');
is($c->sql('SELECT count(*) FROM orla.users;'), 2, 'all users are still there');

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
	fault($p, { endpoint => 'list', status => 302, headers => { location => $at->{onedrive}{foreign}{http} }, body => {} });
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
like(noted('dropbox'), qr/^connected The provider did not grant what this needs, connect again and allow all that is asked for: status 401, missing_scope\.$/, 'which the connection says, and goes on for the rest');
ok(ref files($ada, 'dropbox'), 'as it does');
connect_to($ada, 'dropbox', 'ada@drive.example');

# ---- limits -------------------------------------------------------------------------------------------------------

is($c->sql('SHOW orla.max_download;'), '100MB', 'files have 100 MB, unless an operator says something else');
$c->sql("ALTER ROLE door SET orla.max_download = '1MB';");
{
	local $session = $c->session(user => 'door');
	$session->ask('\set VERBOSITY verbose');
	like($session->ask("SET orla.max_download = '1GB';"), qr/permission denied/, 'a tenant does not raise the limit');
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
configure('dropbox', 'dropbox');
$c->sql("UPDATE orla.providers SET overrides = overrides || '{\"hosts\": [\"drive.example\"]}' WHERE name = 'dropbox';");
requests('dropbox');
like(files($ada, 'dropbox'), qr/^ERROR:  PT502: the provider leads to another server\nDETAIL:  Host 127\.0\.0\.1 is not on the list\.$/, 'a provider whose host is not on its list');
is(statuses('dropbox'), '', 'which has seen nothing');
configure('dropbox', 'dropbox');

# ---- size and speed ----------------------------------------------------------------------------------------------------------

sub kilobytes { my ($what, $pid) = @_; my ($kb) = Cluster::slurp("/proc/$pid/status") =~ /^$what:\s+(\d+) kB/m; return $kb }
for my $p (@all)
{
	my $size = 100_000_000;
	control('files', $p, account => 'ada@drive.example', files => [ { path => '/huge.bin', bytes => $size } ]);
	my $id = row('huge.bin', files($ada, $p))->{id};
	local $session = $c->session(user => 'door');
	$session->ask('\set VERBOSITY verbose');
	files($ada, $p);
	my $before = kilobytes('VmRSS', $session->{backend});
	my $answer = as_tenant($ada, "SELECT octet_length(orla_api.download_file('$p', '$id'));");
	is($answer, $size, "$p: 100 MB");
	my $peak = (kilobytes('VmHWM', $session->{backend}) - $before) * 1024 / $size;
	my $left = (kilobytes('VmRSS', $session->{backend}) - $before) * 1024 / $size;
	cmp_ok($peak, '<', 2.6, "$p: take no more than two and a half times as much");
	cmp_ok($left, '<', 0.2, "$p: and nothing afterwards");
	note(sprintf '%s: peak %.2f times its size, %.2f afterwards', $p, $peak, $left);
}

is(scalar(() = Cluster::slurp($c->{log}) =~ /PANIC|TRAP|terminated by signal/g), 0, 'the server is well');
is($c->sql('SELECT count(*) FROM orla.worker_status WHERE ready;'), 1, 'and so is the worker');
done_testing();
