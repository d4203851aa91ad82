# Files of two people, Ada and Ben, at the three providers' counterparts: what is
# there, what a tenant sees of it, what the providers were asked.
#
#   Files::start('name');                                 a cluster, $c, of Custody
#   files($ada, 'dropbox', $folder, page => …, size => …) search($ada, 'dropbox', 'text', type => …)
#   download($ada, 'dropbox', $id)                        the bytes and the headers, or the error
#   statuses('dropbox')                                   what it was asked since, and answered
#   fault('dropbox', { endpoint => 'list', status => 503 }, …)
#
# Connections are put into the table as they are: how they come there is the
# business of other tests.
package Files;

use strict;
use warnings;
use utf8;

use Encode qw(decode_utf8 encode_utf8);
use Exporter qw(import);
use JSON::PP;
use MIME::Base64;
use Test::More ();

use Custody;

our @EXPORT = qw($c $ada $ben @all @seven $json control look requests statuses fault configure connect_to literal as_tenant files search download noted names row folder walk);
our ($c, $session);
our ($ada, $ben) = ('aaaaaaaa-0000-4000-8000-00000000000a', 'bbbbbbbb-0000-4000-8000-00000000000b');
our @all = qw(google_drive onedrive dropbox);
our @seven = map { sprintf 'file %05d.txt', $_ } 1 .. 7;
our $json = JSON::PP->new->canonical->utf8;

# ---- the other side ------------------------------------------------------------

sub control { my ($name, $provider, %with) = @_; return $c->control(POST => $name, { provider => $provider, %with }) }
sub look { my ($name, $provider, %with) = @_; return $c->control(GET => $name, { provider => $provider, %with }) }

# What has come in since the last time, as "endpoint status".
my %seen = map { $_ => 0 } @all;
sub requests { my ($p) = @_; my $log = look('log', $p); my @new = @$log[ $seen{$p} .. $#$log ]; $seen{$p} = @$log; return @new }
sub statuses { return join ' ', map { "$_->{endpoint}:" . ($_->{status} // 'none') } requests(@_) }
sub fault { my ($p, @faults) = @_; control('knobs', $p, faults => \@faults); requests($p) }

# ---- this side -------------------------------------------------------------------

sub start
{
	my ($name) = @_;
	$c = Custody->new($name, only => \@all);
	$c->sql("INSERT INTO orla.users (id, name, email, password_hash, email_verified)
		VALUES ('$ada', 'Ada', 'ada\@example.org', '\$argon2id\$test', true), ('$ben', 'Ben', 'ben\@example.org', '\$argon2id\$test', true);
		SELECT count(orla.create_tenant_key(id)) FROM orla.users;
		CREATE ROLE door LOGIN NOINHERIT; GRANT orla_gateway, orla_user, orla_anon TO door;
		CREATE ROLE ann LOGIN; GRANT orla_analyst TO ann; CREATE ROLE olga LOGIN; GRANT orla_admin TO olga;");
	for my $p (@all)
	{
		configure($p);
		put_files($p);
		connect_to($ada, $p, 'ada@drive.example');
		connect_to($ben, $p, 'ben@drive.example');
	}
	$session = open_session();
	return;
}

# As a tenant's HTTP layer has one; errors with their codes.
sub open_session { my $opened = $c->session(user => 'door'); $opened->ask('\set VERBOSITY verbose'); return $opened }

# name: of a provider that speaks as another one does.
sub configure
{
	my ($provider, $name, %more) = @_;
	my $overrides = $json->encode({ %{ $c->facts($provider) }, %more });
	$name //= $provider;
	Test::More::is($c->sql("SELECT orla.configure_provider('$name', '$c->{where}{client_id}', '$c->{where}{client_secret}', \$o\$$overrides\$o\$);"), '', "$name is configured");
	return;
}

sub put_files
{
	my ($p) = @_;
	my @own = $p ne 'onedrive' ? 'sample' : ((map { { path => "/Brand/$_->[0]", sample => $_->[1] } } [ 'notes.txt' => 'text' ], [ 'guide.pdf' => 'pdf' ], [ 'brand voice.md' => 'markdown' ]),
		{ path => '/old.txt', text => "thrown away\n", trashed => JSON::PP::true }, { path => '/empty.txt', text => '' }, { path => '/Notebook', package => JSON::PP::true },
		{ path => '/shared plan.txt', text => "A plan that Grace shares\n", shared => JSON::PP::true }, { path => '/Campaigns/spring.txt', text => "Spring campaign\n", drive => 'Marketing' });
	control('accounts', $p, email => 'ada@drive.example', kind => $p eq 'onedrive' ? 'work' : 'personal',
		files => [ @own, 'names', 'many:7', { path => '/größer 5 €/räksmörgås 🦊.md', text => "# 🦊\n" }, { path => '/large.bin', bytes => 2_000_000 },
			map { { path => "/Planted/$_->[0]", text => "x\n", mime => $_->[1] } } [ 'a.js' => 'text/javascript' ], [ 'b.mjs' => 'application/x-javascript' ], [ 'c.css' => 'text/css' ] ]);
	control('accounts', $p, email => 'ben@drive.example', files => [ { path => '/Ben/secret plan.txt', text => "Ben's alone\n" }, map { { path => "/Ben/$_.txt", text => "number $_" } } 1 .. 5 ]);
	return;
}

# A connection as connect() makes one.
sub connect_to
{
	my ($who, $provider, $account, %with) = @_;
	my $name   = $with{as} // $provider;
	my $tokens = control('mint', $provider, account => $account, $with{scopes} ? (scopes => $with{scopes}) : ())->{tokens}[0];
	my $root   = $with{root} ? "'{\"root_namespace_id\": \"$with{root}\"}'" : "'{}'";
	my $put = $c->sql("INSERT INTO orla.user_cloud_storage_tokens AS t (user_id, provider, provider_user_id, provider_email, access_token, refresh_token, token_expires_at, metadata)
		VALUES ('$who', '$name', '$account', '$account',
		orla.seal('$tokens->{access_token}', '$who', 'user_cloud_storage_tokens|$name|access_token'),
		orla.seal('$tokens->{refresh_token}', '$who', 'user_cloud_storage_tokens|$name|refresh_token'), now() + interval '1 hour', $root)
		ON CONFLICT (user_id, provider) DO UPDATE SET access_token = excluded.access_token, refresh_token = excluded.refresh_token, provider_email = excluded.provider_email,
			token_expires_at = excluded.token_expires_at, metadata = excluded.metadata, status = 'connected', is_active = true, claimed_at = NULL, last_error = NULL;");
	Test::More::is($put, '', "a connection to $name, $account");
	return;
}

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

# The names on each page.
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

1;
