# A cluster whose server log says everything, and servers beside it that answer in
# every way (Http.mjs): requests by orla.http_fetch(), and many at once (Http.c).
#
#   Http::start('name', many => 1);                       a cluster, $c; a session, $db; $ports of the servers
#   fetch('good/echo', sealed => 1, timeout_ms => …)      the response, or { error => … }
#   many([ { url => …, hosts => … }, … ])                 likewise of each
#   failed($response, 'tls', qr/…/, 'what'); seen();      what the other side has seen since it was asked last
#   no_trace();                                           $token, which is sealed, stands nowhere
#
# Certificates are made here, for this run.
package Http;

use strict;
use warnings;

use Exporter qw(import);
use FindBin;
use IPC::Open2;
use JSON::PP;
use MIME::Base64;
use Test::More;

use Cluster;

our @EXPORT = qw($c $db $ports $token $json allow fetch_sql fetch many failed seen no_trace);
our ($c, $db, $ports);
our $token = 'sl.planted-' . join('', map { chr(ord('a') + int rand 26) } 1 .. 40);
our $json  = JSON::PP->new->canonical->utf8;
my $other;

END
{
	my $status = $?;
	if ($other) { close $other->{in}; waitpid($other->{pid}, 0) }
	$? = $status;
}

sub run_or_die { my ($printed, $status) = $c->run(@_); die "@_ failed: $printed\n" if $status != 0; return }

# ---- certificates ------------------------------------------------------------

sub openssl { return run_or_die('openssl', @_) }

sub make_authority
{
	my ($name) = @_;
	openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2), '-subj', "/CN=$name",
		'-keyout', "$c->{dir}/$name.key", '-out', "$c->{dir}/$name.crt");
}

sub make_certificate
{
	my ($name, $authority, $days, @names) = @_;
	open(my $out, '>', "$c->{dir}/$name.ext") or die $!;
	print {$out} 'subjectAltName = ' . join(', ', @names) . "\n";
	close $out;
	openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes), '-subj', "/CN=$name",
		'-keyout', "$c->{dir}/$name.key", '-out', "$c->{dir}/$name.csr");
	openssl(qw(x509 -req), '-in', "$c->{dir}/$name.csr", '-days', $days, '-extfile', "$c->{dir}/$name.ext", '-out', "$c->{dir}/$name.crt",
		$authority ? ('-CA', "$c->{dir}/$authority.crt", '-CAkey', "$c->{dir}/$authority.key", '-CAcreateserial') : ('-signkey', "$c->{dir}/$name.key"));
}

sub make_certificates
{
	make_authority($_) for qw(authority stranger-authority);
	my @here = qw(DNS:localhost DNS:drive.example DNS:files.drive.example IP:127.0.0.1);
	make_certificate('good', 'authority', 2, @here);
	make_certificate('expired', 'authority', -1, @here);
	make_certificate('wrong', 'authority', 2, 'DNS:elsewhere.example');
	make_certificate('selfsigned', undef, 2, @here);
	make_certificate('stranger', 'stranger-authority', 2, @here);
	return;
}

# ---- both sides --------------------------------------------------------------

sub start
{
	my ($name, %with) = @_;
	$c = Cluster->new($name, qw(shared_preload_libraries=pg_stat_statements log_min_messages=debug5 log_statement=all
		log_min_duration_statement=0 log_error_verbosity=verbose log_parameter_max_length_on_error=-1));
	make_certificates();
	$other->{pid} = open2($other->{out}, $other->{in}, 'node', "$FindBin::RealBin/Http.mjs", $c->{dir});
	$ports = $json->decode(scalar readline($other->{out}) // die "the servers did not start\n");
	$c->put("$c->{dir}/token", $token, 0644);
	$c->sql('CREATE DATABASE app', database => 'postgres');
	$c->sql("ALTER DATABASE app SET session_preload_libraries = 'orla'");
	is($c->sql("SET client_min_messages = warning; CREATE EXTENSION orla CASCADE; CREATE EXTENSION pg_stat_statements;
	    SELECT orla.ensure_instance() IS NULL;"), 'f', 'the extension is installed');
	is($c->sql("CREATE TABLE sealed AS SELECT orla.seal(pg_read_file('$c->{dir}/token'), NULL, 'test') AS bearer;"), '', 'a token is sealed');
	build_many() if $with{many};
	$db = $c->session;
	return;
}

sub build_many
{
	chomp(my $include = `@{[ $ENV{PG_CONFIG} // 'pg_config' ]} --includedir-server`);
	# A private copy of the server has no headers.
	chomp($include = `/usr/lib/postgresql/15/bin/pg_config --includedir-server`) if !-d $include;
	run_or_die('gcc', qw(-std=gnu99 -shared -fPIC -O1 -w -D_GNU_SOURCE), '-isystem', $include, "-I$FindBin::RealBin/../../src",
		"$FindBin::RealBin/Http.c", '-o', "$c->{dir}/many.so");
	chmod 0755, "$c->{dir}/many.so";
	is($c->sql("CREATE FUNCTION many(jsonb[], int DEFAULT 60000) RETURNS jsonb[] LANGUAGE C AS '$c->{dir}/many', 'many';"), '', 'many requests can be made at once');
	return;
}

# ---- requests ------------------------------------------------------------------

sub allow { $db->ask('SET orla.allow_loopback_http = ' . ($_[0] ? 'on' : 'off') . ';') }

my $columns = "jsonb_build_object('status', status, 'headers', headers, 'body', encode(body, 'base64'), 'failure', failure, 'message', message)";

# The whole response, or the error, of a request to /path at a server, or to a url.
sub fetch_sql
{
	my ($to, %with) = @_;
	my $bearer = delete $with{sealed} ? ", (SELECT bearer FROM sealed), NULL, 'test'" : '';
	my ($at, $path) = $to =~ m{^(\w+)(/.*)?$};
	my $scheme = ($at // '') =~ /^(?:http|garbage|blank|dying|bad\w+)$/ ? 'http' : 'https';
	my $url = delete $with{url} // ($at ? "$scheme://127.0.0.1:$ports->{$at}" . ($path // '/') : $to);
	my $request = $json->encode({ url => $url, hosts => ['127.0.0.1'], %with });
	return "SELECT $columns FROM orla.http_fetch(\$q\$$request\$q\$$bearer);";
}

sub fetch
{
	my $printed = $db->ask(fetch_sql(@_));
	return { error => $printed } if $printed !~ /^\{/;
	my $response = $json->decode($printed);
	$response->{body} = decode_base64($response->{body});
	return $response;
}

sub many
{
	my ($requests, $give_up) = @_;
	my @list = map { my %r = %$_; delete $r{at}; '$q$' . $json->encode(\%r) . '$q$' } @$requests;
	my $printed = $db->ask('SELECT to_json(many(ARRAY[' . join(', ', @list) . ']::jsonb[]' . (defined $give_up ? ", $give_up" : '') . '));');
	return $printed =~ /^\[/ ? $json->decode($printed) : [ { error => $printed } ];
}

sub failed
{
	my ($response, $failure, $message, $what) = @_;
	my ($got, $said) = map { $_ // 'none' } $response->{failure}, $response->{message} // $response->{error};
	ok($got eq $failure && $said =~ $message && $response->{body} eq '', $what) or diag("failure $got: $said");
}

# What the other side has seen since it was asked last.
sub seen { my $was = fetch('http/seen'); return $json->decode($was->{body}) }

# At the end of a test.
sub no_trace
{
	my $log = Cluster::slurp("$c->{dir}/server.log");
	like($log, qr/http_fetch/, 'the log tells of the statements');
	unlike($log, qr/\Q$token\E/, 'and of no token');
	unlike($log, qr/planted-password\W+$/m, 'nor of what a server repeats');
	my $watch = $c->session;
	like($watch->ask("SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE '%http_fetch%';"), qr/^t$/, 'statistics have the statements');
	is($watch->ask("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%' || pg_read_file('$c->{dir}/token') || '%';"), '0', 'and not the token');
	is($watch->ask("SELECT count(*) FROM pg_settings WHERE setting LIKE '%' || pg_read_file('$c->{dir}/token') || '%';"), '0', 'nor has a setting');
	unlike($log, qr/PANIC|TRAP|was terminated by signal/, 'no process has crashed');
}

1;
