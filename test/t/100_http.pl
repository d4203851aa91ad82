#!/usr/bin/perl
# Requests to other servers: where they may lead, what an answer may be, and
# that nobody waits for a server that does not answer, or reads the token.
#
# The other side is 100_http.mjs; certificates are made here, for this run.
# Makes a cluster of its own, since it reads the server's log.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use IPC::Open2;
use JSON::PP;
use MIME::Base64;
use Test::More;
use Time::HiRes qw(sleep time);

my $os_user = $ENV{ORLA_TEST_OS_USER} // 'postgres';
my ($uid, $gid) = $> == 0 ? (getpwnam($os_user))[ 2, 3 ] : ($>, (split ' ', $))[0]);
my $dir = tempdir('orla-http-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
chown $uid, $gid, $dir;

$SIG{INT} = $SIG{TERM} = sub { exit 1 };    # by way of END
$SIG{PIPE} = 'IGNORE';                     # a session that is gone

my $token = 'sl.planted-' . join('', map { chr(ord('a') + int rand 26) } 1 .. 40);
my $json  = JSON::PP->new->canonical->utf8;
my (@sessions, $other, $ports);

# ---- the cluster -------------------------------------------------------------

my $config = $ENV{PG_CONFIG} // 'pg_config';
chomp(my $bin     = `$config --bindir`);
chomp(my $include = `$config --includedir-server`);
# A private copy of the server has no headers.
chomp($include = `/usr/lib/postgresql/15/bin/pg_config --includedir-server`) if !-d $include;

sub as_owner { return $> == 0 ? ('runuser', '-u', $os_user, '--', @_) : @_ }

sub run_quietly
{
	my $pid = fork() // die $!;
	if ($pid == 0)
	{
		open(STDOUT, '>', '/dev/null') or die $!;
		open(STDERR, '>', "$dir/errors") or die $!;
		exec @_ or die $!;
	}
	waitpid($pid, 0);
	die "@_ failed: " . slurp("$dir/errors") . "\n" if $? != 0;
}

sub start_cluster
{
	run_quietly(as_owner("$bin/initdb", '-D', "$dir/data", qw(-U postgres -A trust -N --no-instructions)));
	run_quietly(as_owner("$bin/pg_ctl", 'start', '-D', "$dir/data", '-w', '-l', "$dir/server.log", '-o',
		"-c port=5432 -c listen_addresses= -c unix_socket_directories=$dir -c fsync=off -c max_worker_processes=16"
		. ' -c shared_preload_libraries=pg_stat_statements -c log_min_messages=debug5 -c log_statement=all'
		. ' -c log_min_duration_statement=0 -c log_error_verbosity=verbose -c log_parameter_max_length_on_error=-1'));
	delete @ENV{ grep { /^PG/ && $_ ne 'PG_CONFIG' } keys %ENV };
	@ENV{qw(PGHOST PGPORT PGUSER PGDATABASE PGCLIENTENCODING)} = ($dir, 5432, 'postgres', 'app', 'UTF8');
}

END
{
	my $status = $?;
	close $_->{in} for @sessions;
	close $other->{in} if $other;
	run_quietly(as_owner("$bin/pg_ctl", 'stop', '-D', "$dir/data", qw(-m immediate -w))) if -e "$dir/data/postmaster.pid";
	waitpid($_->{pid}, 0) for grep { defined } @sessions, $other;
	$? = $status;
}

sub session
{
	my $self = {};
	$self->{pid} = open2($self->{out}, $self->{in}, 'sh', '-c', 'exec "$@" 2>&1', 'sh', 'psql', '-qAtX', @_);
	push @sessions, $self;
	return $self;
}

sub send_to { my ($self, $sql) = @_; print { $self->{in} } "$sql\n\\echo --done--\n"; $self->{in}->flush }

sub answer_of
{
	my ($self) = @_;
	my $answer = '';
	while (defined(my $line = readline($self->{out})))
	{
		last if $line eq "--done--\n";
		$answer .= $line;
	}
	chomp $answer;
	return $answer;
}

sub ask { send_to(@_); return answer_of($_[0]) }

sub slurp
{
	my ($file) = @_;
	open(my $in, '<:raw', $file) or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

# Until the condition holds; it must within 10 seconds.
sub eventually
{
	my ($what, $condition) = @_;
	my $until = time + 10;
	until ($condition->())
	{
		return fail($what) if time > $until;
		sleep 0.02;
	}
	return pass($what);
}

# ---- certificates ------------------------------------------------------------

sub openssl { run_quietly('openssl', @_) }

sub make_authority
{
	my ($name) = @_;
	openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2), '-subj', "/CN=$name",
		'-keyout', "$dir/$name.key", '-out', "$dir/$name.crt");
}

sub make_certificate
{
	my ($name, $authority, $days, @names) = @_;
	open(my $out, '>', "$dir/$name.ext") or die $!;
	print {$out} 'subjectAltName = ' . join(', ', @names) . "\n";
	close $out;
	openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes), '-subj', "/CN=$name",
		'-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
	openssl(qw(x509 -req), '-in', "$dir/$name.csr", '-days', $days, '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt",
		$authority ? ('-CA', "$dir/$authority.crt", '-CAkey', "$dir/$authority.key", '-CAcreateserial') : ('-signkey', "$dir/$name.key"));
}

make_authority($_) for qw(authority stranger-authority);
my @here = qw(DNS:localhost DNS:drive.example DNS:files.drive.example IP:127.0.0.1);
make_certificate('good', 'authority', 2, @here);
make_certificate('expired', 'authority', -1, @here);
make_certificate('wrong', 'authority', 2, 'DNS:elsewhere.example');
make_certificate('selfsigned', undef, 2, @here);
make_certificate('stranger', 'stranger-authority', 2, @here);

# ---- both sides --------------------------------------------------------------

start_cluster();
$other = {};
$other->{pid} = open2($other->{out}, $other->{in}, 'node', "$FindBin::RealBin/100_http.mjs", $dir);
$ports = $json->decode(scalar readline($other->{out}) // die "the servers did not start\n");

run_quietly('gcc', qw(-std=gnu99 -shared -fPIC -O1 -w -D_GNU_SOURCE), '-isystem', $include, "-I$FindBin::RealBin/../../src",
	"$FindBin::RealBin/100_http.c", '-o', "$dir/many.so");
chmod 0755, "$dir/many.so";
{
	open(my $out, '>', "$dir/token") or die $!;
	print {$out} $token;
	close $out;
	chmod 0644, "$dir/token";
	my $setup = session('-d', 'postgres');
	is(ask($setup, "SET client_min_messages = warning; CREATE DATABASE app;\n\\c app\nSET client_min_messages = warning;
	    ALTER DATABASE app SET session_preload_libraries = 'orla'; CREATE EXTENSION orla CASCADE; CREATE EXTENSION pg_stat_statements;
	    SELECT orla.ensure_instance() IS NULL;\n\\c app\n
	    CREATE FUNCTION many(jsonb[], int DEFAULT 60000) RETURNS jsonb[] LANGUAGE C AS '$dir/many', 'many';
	    CREATE TABLE sealed AS SELECT orla.seal(pg_read_file('$dir/token'), NULL, 'test') AS bearer;"), 'f', 'the extension is installed');
}
my $db = session('-d', 'app');

sub allow { ask($db, 'SET orla.allow_loopback_http = ' . ($_[0] ? 'on' : 'off') . ';') }

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
	my $printed = ask($db, fetch_sql(@_));
	return { error => $printed } if $printed !~ /^\{/;
	my $response = $json->decode($printed);
	$response->{body} = decode_base64($response->{body});
	return $response;
}

sub many
{
	my ($requests, $give_up) = @_;
	my @list = map { my %r = %$_; delete $r{at}; '$q$' . $json->encode(\%r) . '$q$' } @$requests;
	my $printed = ask($db, 'SELECT to_json(many(ARRAY[' . join(', ', @list) . ']::jsonb[]' . (defined $give_up ? ", $give_up" : '') . '));');
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

# ---- where requests may lead -------------------------------------------------
# Ways 123 and 124.

failed(fetch('http/echo'), 'refused', qr/^url is not https$/, 'plain http is refused');
failed(fetch('good/echo'), 'refused', qr/^url has a port that is not allowed$/, 'another port is refused');
for my $url ('https://127.0.0.1/', 'https://127.8.9.10/', 'https://[::1]/', 'https://10.1.2.3/', 'https://192.168.0.1/', 'https://172.20.0.1/',
	'https://169.254.169.254/latest/meta-data/', 'https://100.100.100.200/', 'https://0.0.0.0/', 'https://224.0.0.1/', 'https://255.255.255.255/',
	'https://[fe80::1]/', 'https://[fd00::1]/', 'https://[::ffff:127.0.0.1]/', 'https://[::ffff:8.8.8.8]/', 'https://[64:ff9b::7f00:1]/', 'https://[::]/', 'https://[ff02::1]/')
{
	my ($host) = $url =~ m{//([^/]*)};
	failed(fetch($url, hosts => [$host]), 'refused', qr/^host \S+ has an address that is not allowed$/, "$host is refused, also when it is on the list");
}
failed(fetch('https://localhost/', hosts => ['localhost']), 'refused', qr/^host localhost has an address that is not allowed$/,
	'a name that stands for loopback is refused when it has been resolved');
{
	# As seen by the resolver, whatever the machine is called.
	chomp(my $name = `hostname`);
	my ($private) = grep { /^(?:127|10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\./ } map { $_->[0] ? join('.', unpack('C4', $_->[4])) : () } [ gethostbyname($name) ];
	my $answer = fetch("https://\L$name\E/", hosts => [ lc $name ], timeout_ms => 2000);
	isnt($answer->{failure} // 'none', 'none', 'this machine\'s own name leads nowhere');
}
is(ask($db, "SELECT count(*) FROM pg_stat_activity WHERE false;"), '0', 'the session is well');

allow(1);
is_deeply(seen(), [], 'none of these requests has reached a server');

my $ok = fetch('http/echo?a=b%20c', headers => { 'X-One' => '1', 'X-Empty' => '', 'X-Nothing' => undef });
my $echo = $json->decode($ok->{body});
is_deeply([ @$ok{qw(status failure message)} ], [ 200, undef, undef ], 'where an operator allows it, plain http to this machine works');
is($ok->{headers}{'x-many'}, 'one, two', 'headers of one name are joined');
is_deeply([ $echo->{method}, $echo->{url}, @{ $echo->{headers} }{qw(x-one x-empty x-nothing user-agent)} ], [ 'GET', '/echo?a=b%20c', '1', '', undef, 'orla' ], 'the request is as asked');
is(fetch('http/echo', url => "HTTP://LocalHost:$ports->{http}/echo", hosts => ['localhost'])->{status}, 200, 'capitals in scheme and host');
failed(fetch('http/echo', hosts => []), 'refused', qr/^host 127\.0\.0\.1 is not on the list$/, 'an empty list');
failed(fetch('http/echo', hosts => [ 'localhost', '*.0.0.1', '*', '127.0.0.1:' . $ports->{http} ]), 'refused', qr/is not on the list/, 'lists that do not have it');
failed(fetch('http/echo', hosts => undef), 'refused', qr/is not on the list/, 'no list');
for my $host ('10.1.2.3', '169.254.169.254', '[::ffff:127.0.0.1]', '[fd00::1]')
{
	failed(fetch("https://$host/", hosts => [$host]), 'refused', qr/has an address that is not allowed/, "$host is refused all the same");
	failed(fetch("http://$host/", hosts => [$host]), 'refused', qr/has an address that is not allowed/, "$host over plain http is");
}
failed(fetch('http://8.8.8.8/', hosts => ['8.8.8.8']), 'refused', qr/has an address that is not allowed/, 'plain http to somebody else is');
failed(fetch('https://8.8.8.8:8443/', hosts => ['8.8.8.8']), 'refused', qr/has an address that is not allowed/, 'another port of somebody else is');

my $port = $ports->{http};
for my $case (
	[ "http://user\@127.0.0.1:$port/" => qr/^url has a user name$/ ],
	[ "http://127.0.0.1:$port\@evil.example/" => qr/^url has a user name$/ ],
	[ "http://127.0.0.1:$port\\\@evil.example/" => qr/^url has a character/ ],
	[ "http://127.0.0.1:$port/#\@evil.example/" => qr/^url has a fragment$/ ],
	[ "http://evil.example#\@127.0.0.1:$port/" => qr/^host evil\.example is not|^url has a fragment$/ ],
	[ "http://127.1:$port/" => qr/^url has no good host$/ ],
	[ "http://2130706433:$port/" => qr/^url has no good host$/ ],
	[ "http://0177.0.0.1:$port/" => qr/^url has no good host$/ ],
	[ "http://0x7f000001:$port/" => qr/^url has no good host$/ ],
	[ "http://127.0.0.1.:$port/" => qr/^url has no good host$/ ],
	[ "http://localhost.:$port/" => qr/^url has no good host$/ ],
	[ "http://127.0.0.1:$port/a b" => qr/^url has a character/ ],
	[ " http://127.0.0.1:$port/" => qr/^url has a character/ ],
	[ "http://127.0.0.1:$port/\r\nX-Injected: 1" => qr/^url has a character/ ],
	[ "http://127.0.0.1:$port/\x{e4}" => qr/^url has a character/ ],
	[ "http://\x{ff11}27.0.0.1:$port/" => qr/^url has a character/ ],
	[ "http://127.0.0.1:$port/../seen" => qr/^url has a dot segment$/ ],
	[ "http://127.0.0.1:$port/%2e%2e/seen" => qr/^url has a dot segment$/ ],
	[ "http://127.0.0.1:0$port/" => qr/^url has no good port$/ ],
	[ "http://127.0.0.1:/" => qr/^url has no good port$/ ],
	[ "file:///etc/passwd" => qr/^url has no scheme/ ],
	[ "gopher://127.0.0.1:$port/_GET" => qr/^url has no scheme/ ],
	[ "127.0.0.1:$port/" => qr/^url has no scheme/ ],
	[ '' => qr/^url has no scheme/ ],
	[ 'http://127.0.0.1:' . $port . '/' . 'x' x 20000 => qr/^url is too long$/ ])
{
	my ($url, $why) = @$case;
	my $shown = substr($json->encode([$url]), 1, 60);
	failed(fetch('x', url => $url, hosts => [ '127.0.0.1', 'localhost' ]), 'refused', $why, "url $shown is refused");
}
for my $header ([ 'X-A', "a\r\nX-Injected: 1" ], [ 'X-A', "a\nb" ], [ "X-A\r\nX-Injected", 'a' ], [ 'X A', 'a' ], [ '', 'a' ],
	[ 'Host', 'evil.example' ], [ 'content-length', '5' ], [ 'Transfer-Encoding', 'chunked' ], [ 'Proxy-Authorization', 'x' ])
{
	failed(fetch('http/echo', headers => { $header->[0] => $header->[1] }), 'refused', qr/^header has a (?:name|value) that is not allowed$/,
		'header ' . $json->encode($header) . ' is refused');
}
failed(fetch('http/echo', method => $_), 'refused', qr/^method is not allowed$/, 'method ' . $json->encode([$_])) for 'CONNECT', 'TRACE', 'get', "GET /x HTTP/1.1\r\nX: y", '';
failed(fetch('http/echo', method => 'GET', body => 'x'), 'refused', qr/^method has no body$/, 'a GET has no body');
is_deeply(seen(), [ map { { at => 'http', path => '/echo', method => 'GET', authorization => undef } } 1, 2 ], 'none of these has reached a server either');

# ---- requests as they are asked for --------------------------------------------

sub echoed { my $r = fetch('http/echo', @_); return $r->{failure} ? $r : $json->decode($r->{body}) }
{
	my $got = echoed(form => { grant_type => 'refresh_token', secret => "~+/=&%\x{e4} *!\$" });
	is($got->{body}, 'secret=~%2B%2F%3D%26%25%C3%A4%20%2A%21%24&grant_type=refresh_token', 'a form is encoded whole');
	is_deeply([ $got->{method}, $got->{headers}{'content-type'} ], [ 'POST', 'application/x-www-form-urlencoded' ], 'and says so');
	$got = echoed(body => "{\"q\": \"\x{1f600}\"}", headers => { 'Content-Type' => 'application/json' });
	is_deeply([ $got->{body}, $got->{headers}{'content-type'} ], [ "{\"q\": \"\x{1f600}\"}", 'application/json' ], 'a text in UTF-8');
	$got = echoed(method => 'POST');
	is_deeply([ @$got{qw(method body)}, @{ $got->{headers} }{qw(content-type content-length)} ], [ 'POST', '', undef, '0' ], 'a POST without a body has no type');
	$got = echoed(method => $_, body_base64 => encode_base64('x' x 3000, ''))
	  and is_deeply([ $got->{method}, length $got->{body}, $got->{headers}{expect} ], [ $_, 3000, undef ], "$_ with bytes") for qw(PUT PATCH DELETE);
	$got = fetch('http/echo', method => 'HEAD');
	is_deeply([ $got->{status}, $got->{body} ], [ 200, '' ], 'HEAD');
	$got = echoed(body => 'x' x 300_000);
	is(length $got->{body}, 300_000, 'a large body');
}
for my $case ([ {} => 'no member "url"' ], [ { url => 1 } => 'member "url" is of another type' ], [ { url => 'x', bearer => 'x' } => 'has a member "bearer"' ],
	[ { url => 'x', username => 'x' } => 'has a member "username"' ], [ { url => 'x', mail => {} } => 'has a member "mail"' ], [ { url => 'x', host => [] } => 'has a member "host"' ],
	[ { url => 'x', hosts => 'x' } => 'member "hosts" is of another type' ], [ { url => 'x', hosts => [1] } => 'member "hosts" is of another type' ],
	[ { url => 'x', hosts => {} } => 'member "hosts" is of another type' ],
	[ { url => 'x', headers => [] } => 'member "headers" is of another type' ], [ { url => 'x', headers => { a => 1 } } => 'member "headers" has a value that is not a text' ],
	[ { url => 'x', body => 'x', form => {} } => 'more than one body' ], [ { url => 'x', body_base64 => '!' } => 'not base64' ],
	[ { url => 'x', max_bytes => 0 } => 'member "max_bytes" is out of range' ], [ { url => 'x', timeout_ms => 1e12 } => 'member "timeout_ms" is out of range' ], [ [] => 'not an object' ])
{
	my ($request, $why) = @$case;
	like(ask($db, "SELECT * FROM orla.http_fetch('" . $json->encode($request) . "');"), qr/^ERROR:  malformed request\nDETAIL:  .*\Q$why\E/, "malformed: $why");
}
like(ask($db, 'SELECT * FROM orla.http_fetch(NULL);'), qr/^ERROR:  a request is needed/, 'no request');
like(ask($db, "SELECT * FROM orla.http_fetch('{\"url\": \"x\"}', '\\x00', NULL, 'test');"), qr/^ERROR:  could not open sealed value/, 'a token that does not open');
like(ask($db, "SELECT * FROM orla.http_fetch('{\"url\": \"x\"}', '\\x00');"), qr/^ERROR:  a purpose is needed/, 'a token without a purpose');
{
	my $nobody = session('-d', 'app');
	like(ask($nobody, "SET ROLE orla_user;\nSELECT * FROM orla.http_fetch('{}');"), qr/permission denied/, 'tenants may not ask');
	like(ask($nobody, "SET ROLE orla_admin;\nSELECT * FROM orla.http_fetch('{}');"), qr/permission denied/, 'nor may operators');
	like(ask($nobody, "SET ROLE orla_service;\nSELECT failure FROM orla.http_fetch('{\"url\": \"x\"}');"), qr/^refused$/, 'orla_service may');
}

# ---- answers -----------------------------------------------------------------

like(echoed()->{headers}{'accept-encoding'}, qr/\bgzip\b/, 'compressed answers are asked for');
is(fetch("http/$_")->{body}, 'squeezed', "$_ is decoded") for qw(gzip deflate twice);
is(fetch('http/chunked')->{body}, 'abc', 'chunks are joined');
is(fetch('http/chunked')->{headers}{'x-trailer'}, undef, 'trailers are no headers');
is_deeply([ @{ fetch("http/$_") }{qw(status body failure)} ], [ $_ eq '204' ? 204 : 200, '', undef ], "an empty answer ($_)") for qw(empty 204);
is_deeply([ @{ fetch('http/500') }{qw(status body failure)} ], [ 500, '<h1>Oops</h1>', undef ], 'an error page in HTML');
is_deeply([ @{ fetch('http/nothing-here') }{qw(status failure)} ], [ 404, undef ], 'an error without one');
is(ask($db, fetch_sql('http/big', max_bytes => 10 * 1024 * 1024) =~ s/^SELECT .* FROM/SELECT length(body) FROM/r), 10 * 1024 * 1024, '10 MB where so many are allowed');
failed(fetch('http/big', max_bytes => 10 * 1024 * 1024 - 1), 'too_large', qr/^answer of host 127\.0\.0\.1 is too large$/, 'not one byte more');
failed(fetch('http/endless', max_bytes => 1_000_000), 'too_large', qr/too large/, 'an answer without an end');
failed(fetch('http/endless'), 'too_large', qr/too large/, 'likewise where the request has no limit of its own');
failed(fetch('http/liar', max_bytes => 1_000_000), 'too_large', qr/too large/, 'a length that is too large is believed');
failed(fetch('http/bomb', max_bytes => 1_000_000), 'too_large', qr/too large/, 'what was compressed counts at its full size');
failed(fetch('http/heavy'), 'too_large', qr/too large/, 'too many headers');
# Way 154.
failed(fetch('badmany'), 'too_large', qr/too large/, 'nor ever so many short ones, which would take long to sort');
is(fetch('http/latin1')->{body}, "M\xfcller", 'bytes that are not UTF-8 stay as they are');
is(fetch('http/latin1')->{headers}{'x-name'}, 'M?ller', 'but not in a header');
is(fetch('http/nul')->{body}, "a\0b", 'a zero byte');
failed(fetch('http/cut'), 'protocol', qr/^answer of host 127\.0\.0\.1 is cut off$/, 'an answer that is cut off');
failed(fetch('http/cutchunk'), 'protocol', qr/cut off|closed the connection/, 'in its chunks');
failed(fetch('http/badgzip'), 'protocol', qr/badly compressed/, 'not compressed at all');
failed(fetch('http/close'), 'protocol', qr/closed the connection before its answer was complete/, 'no answer');
failed(fetch('garbage'), 'protocol', qr/makes no sense/, 'no HTTP');
failed(fetch('blank'), 'protocol', qr/closed the connection/, 'nothing at all');
failed(fetch('badlength'), 'protocol', qr/makes no sense|closed the connection/, 'a length that is none');
failed(fetch('badline'), 'protocol', qr/makes no sense/, 'a header that is none');
is_deeply([ @{ fetch('badheader') }{qw(status body)} ], [ 200, 'ok' ], 'one with a name that is none is passed over');
is(fetch('badheader')->{headers}{'x-z'}, 'a b', 'control characters in headers become spaces');
is(fetch('http/early')->{headers}{'x-final'}, 'yes', 'the final answer counts');
is(fetch('http/early')->{headers}{link}, undef, 'and not the one before it');
fetch('http/cookie');
is($json->decode(fetch('http/echo')->{body})->{headers}{cookie}, undef, 'cookies are not kept');
seen();

# ---- never twice -------------------------------------------------------------

sub asked { return scalar grep { $_->{path} eq '/die' } @{ seen() } }
is(fetch('dying/die')->{body}, 'alive', 'a connection that will be closed on its second request');
failed(fetch('dying/die', method => 'POST', body => 'refresh'), 'protocol', qr/closed the connection/, 'a POST that was perhaps seen');
is(asked(), 2, 'is not sent again');
is(fetch('dying/die')->{body}, 'alive', 'a connection again');
failed(fetch('dying/die', method => 'POST'), 'protocol', qr/closed the connection/, 'nor is one without a body');
is(asked(), 2, 'not sent again');
is(fetch('dying/die')->{body}, 'alive', 'and again');
is(fetch('dying/die')->{body}, 'alive', 'a GET is');
is(asked(), 3, 'on a connection of its own');

# ---- TLS ---------------------------------------------------------------------

failed(fetch('good/echo'), 'tls', qr/^no trusted connection: .*(?:unable to get local issuer|self-signed)/, 'an authority that is not the system\'s');
ask($db, "SET orla.ca_file = '$dir/authority.crt';");
is(fetch('good/echo')->{status}, 200, 'a good certificate');
is(fetch('h2/echo')->{status}, 200, 'over HTTP/2');
failed(fetch('expired/echo'), 'tls', qr/^no trusted connection: .*expired/, 'an expired one');
failed(fetch('wrong/echo'), 'tls', qr/^no trusted connection: .*(?:subject name|does not match)/, 'that of another host');
failed(fetch('selfsigned/echo'), 'tls', qr/^no trusted connection: .*self[- ]signed/, 'a self-signed one');
failed(fetch('stranger/echo'), 'tls', qr/^no trusted connection: .*local issuer/, 'one of another authority');
failed(fetch('old/echo'), 'tls', qr/^no trusted connection: /, 'TLS 1.1');
failed(fetch('x', url => "https://127.0.0.1:$ports->{http}/"), 'tls', qr/^no trusted connection: /, 'a server that speaks no TLS');
is_deeply([ grep { $_->{at} !~ /^(?:good|h2)$/ } @{ seen() } ], [], 'none of them has seen a request');
ask($db, "SET orla.ca_file = '$dir/nothing.crt';");
failed(fetch('good/echo'), 'tls', qr/^the file of certificates cannot be read$/, 'a file that is not there, though a connection was');
ask($db, "SET orla.ca_file = '$dir/stranger-authority.crt';");
failed(fetch('good/echo'), 'tls', qr/^no trusted connection: /, 'a connection from before does not serve another setting');
ask($db, "SET orla.ca_file = '$dir/authority.crt';");
is(fetch('good/echo')->{status}, 200, 'a good one again');
is(fetch('http/echo')->{status}, 200, 'and a plain one');
allow(0);
failed(fetch('http/echo'), 'refused', qr/is not https/, 'a connection from before does not outlive the permission');
failed(fetch('x', url => 'https://127.0.0.1/'), 'refused', qr/not allowed/, 'in any form');
allow(1);

# ---- the token -----------------------------------------------------------------

{
	my $got = $json->decode(fetch('http/echo', sealed => 1)->{body});
	is($got->{headers}{authorization}, "Bearer $token", 'a sealed token arrives');
	$got = $json->decode(fetch('http/echo')->{body});
	is($got->{headers}{authorization}, undef, 'and is not there the next time, on the same connection');
	seen();
	my $moved = fetch('good/redirect', sealed => 1);
	is_deeply([ @$moved{qw(status body)}, $moved->{headers}{location} ], [ 302, 'elsewhere', "http://127.0.0.1:$ports->{http}/echo" ], 'a redirect is told');
	is_deeply([ map { "$_->{at} $_->{path}" } @{ seen() } ], ['good /redirect'], 'and not followed');
	failed(fetch('http/echo', sealed => 1, headers => { authorization => 'Basic x' }), 'refused', qr/two authorizations/, 'there is no second one');
	fetch('http/echo', sealed => 1, hosts => ['elsewhere.example']);
	fetch("$_/echo", sealed => 1) for qw(expired wrong selfsigned stranger);
	is_deeply(seen(), [], 'nobody else gets it');
	fetch("http/$_", sealed => 1) for qw(cut close badgzip endless bomb);
	fetch('http/hang', sealed => 1, timeout_ms => 150);
	ask($db, "SET statement_timeout = '150ms';");
	like(fetch('http/hang', sealed => 1)->{error}, qr/canceling statement due to statement timeout/, 'a statement that ends while it is on its way');
	ask($db, 'SET statement_timeout = 0;');
	seen();
}

# ---- waiting -----------------------------------------------------------------

# Milliseconds that the session takes.
sub clocked { my ($sql) = @_; my $began = time; my $answer = ask($db, $sql); return ((time - $began) * 1000, $answer) }
{
	my ($ms, $answer) = clocked(fetch_sql('http/hang', timeout_ms => 300));
	like($answer, qr/"timeout"/, 'a server that does not answer');
	cmp_ok($ms, '>=', 299, 'is waited for');
	cmp_ok($ms, '<', 5000, 'no longer than asked for');
	($ms, $answer) = clocked(fetch_sql('http/drip', timeout_ms => 300));
	like($answer, qr/"host 127.0.0.1 did not answer in time"/, 'nor is one that goes on and on');
	cmp_ok($ms, '<', 5000, 'no longer than asked for');
	($ms, $answer) = clocked("SET orla.http_connect_timeout = 300; SET orla.http_timeout = '20s';\n" . fetch_sql('dumb/echo'));
	like($answer, qr/"could not connect to host 127.0.0.1 in time"/, 'a server that does not come to terms');
	cmp_ok($ms, '<', 5000, 'in the time for connecting');
	($ms, $answer) = clocked("SET orla.http_timeout = 250;\n" . fetch_sql('http/hang') . "\nRESET orla.http_timeout; RESET orla.http_connect_timeout;");
	like($answer, qr/"timeout"/, 'the setting counts');
	cmp_ok($ms, '<', 5000, 'where the request says nothing');
	failed(fetch('http/echo', url => 'http://127.0.0.1:1/echo'), 'connect', qr/^could not connect to host 127\.0\.0\.1$/, 'nobody there');
	failed(fetch('x', url => 'https://nobody.invalid/', hosts => ['nobody.invalid']), 'connect', qr/^could not resolve host nobody\.invalid$/, 'no such name');

	# From the moment of the timeout to the error, by the server's clock.
	my $late = sub {
		my ($path) = @_;
		my $request = $json->encode({ url => "http://127.0.0.1:$ports->{http}$path", hosts => ['127.0.0.1'], max_bytes => 500_000_000 });
		return ask($db, "SET statement_timeout = '200ms';\nDO \$\$ DECLARE began timestamptz := statement_timestamp();
			BEGIN PERFORM orla.http_fetch('$request'); EXCEPTION WHEN query_canceled THEN
			RAISE INFO '%', 1000 * extract(epoch FROM clock_timestamp() - began) - 200; END \$\$;\nSET statement_timeout = 0;") =~ /INFO:  (-?[\d.]+)/ ? $1 : 9999;
	};
	for my $path ('/hang', '/drip')
	{
		my $ms = $late->($path);
		cmp_ok($ms, '<', 5000, "statement_timeout ends it ($path)");
		diag("$path: $ms ms late") if $ENV{VERBOSE};
	}
	is(ask($db, "SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'orla http transfer';"), '0', 'nothing is left of requests whose error was caught');
	is(fetch('http/echo')->{status}, 200, 'and the next one is well');

	my $killer = session('-d', 'app');
	my $pid = ask($db, 'SELECT pg_backend_pid();');
	for my $call ('pg_cancel_backend', 'pg_terminate_backend')
	{
		send_to($db, fetch_sql('http/hang', sealed => 1, timeout_ms => 60000));
		eventually("$call: it waits", sub { ask($killer, "SELECT wait_event FROM pg_stat_activity WHERE pid = $pid AND state = 'active';") eq 'Extension' });
		unlike(ask($killer, 'SELECT query FROM pg_stat_activity;'), qr/\Q$token\E/, "$call: and does not show its token");
		my $began = time;
		ask($killer, "SELECT $call($pid);");
		my $answer = answer_of($db);
		cmp_ok(time - $began, '<', 5, "$call ends it at once");
		like($answer, $call eq 'pg_cancel_backend' ? qr/canceling statement due to user request/ : qr/terminating connection/, "$call: told");
	}
	$db = session('-d', 'app');
	allow(1);
	ask($db, "SET orla.ca_file = '$dir/authority.crt';");
}

# ---- many at once ------------------------------------------------------------

sub to { my ($to, %with) = @_; my ($at, $path) = $to =~ m{^(\w+)(/.*)$}; return { url => ($at eq 'http' ? 'http' : 'https') . "://127.0.0.1:$ports->{$at}$path", hosts => ['127.0.0.1'], %with } }
seen();
for my $at (qw(http good h2))
{
	my $all = many([ map { to("$at/slow?$_", bearer => "token$_") } 1 .. 200 ]);
	is(scalar(grep { ($_->{response}{status} // 0) == 200 && $_->{response}{body} eq 'slow' } @$all), 200, "200 requests at once ($at)");
	my $last = (sort { $b <=> $a } map { $_->{ms} // 99999 } @$all)[0];
	cmp_ok($last, '<', 20000, "which take no longer than one after the other would ($at)");
	my %tokens = map { ($_->{authorization} // '') => 1 } @{ seen() };
	is(scalar(keys %tokens), 200, "each with its own token ($at)");
}
{
	my $all = many([ (map { to('http/hang', timeout_ms => 4000) } 1 .. 50), (map { to('http/echo') } 1 .. 50), to('dumb/echo', timeout_ms => 4000) ]);
	is(scalar(grep { ($_->{response}{failure} // '') eq 'timeout' } @$all), 51, 'those that hang time out');
	my @quick = grep { !$_->{response}{failure} } @$all;
	is(scalar(@quick), 50, 'the others do not');
	cmp_ok((sort { $b->{ms} <=> $a->{ms} } @quick)[0]{ms}, '<', 3000, 'and are not delayed');
	for my $at (qw(http good h2))
	{
		my $began = time;
		$all = many([ map { to("$at/hang") } 1 .. 100 ], 300);
		is(scalar(grep { defined } @$all), 0, "all can be given up ($at)");
		cmp_ok(time - $began, '<', 10, 'which takes no time');
	}
	$all = many([ to('http/latin1'), to('http/nul'), to('http/gzip'), to('http/hang', timeout_ms => 100), to('http/echo', hosts => []), to('http/echo', bearer => "a\r\nX: y") ]);
	is_deeply([ map { $_->{response}{body_base64} // $_->{response}{body} } @$all[ 0 .. 2 ] ], [ encode_base64("M\xfcller", ''), encode_base64("a\0b", ''), 'squeezed' ], 'what is not text comes in base64');
	is_deeply([ map { [ @{ $_->{response} }{qw(status failure sent)} ] } @$all[ 3 .. 5 ] ],
		[ [ undef, 'timeout', JSON::PP::true ], [ undef, 'refused', JSON::PP::false ], [ undef, 'refused', JSON::PP::false ] ], 'failures say whether something was sent');
	seen();
}

# ---- a proxy -----------------------------------------------------------------

{
	my %drive = (url => 'https://drive.example/echo', hosts => ['drive.example']);
	failed(fetch('x', %drive), 'connect', qr/could not resolve/, 'without a proxy the name is nobody\'s');
	like(ask($db, "SET orla.http_proxy = 'proxy.example';"), qr/invalid value.*\nDETAIL:  The value must be a URL/s, 'a proxy that is none');
	ask($db, "SET orla.http_proxy = 'http://127.0.0.1:$ports->{proxy}'; SET orla.allow_loopback_http = off;");
	my $got = fetch('x', %drive, sealed => 1);
	is($json->decode($got->{body})->{headers}{authorization}, "Bearer $token", 'through a proxy, which may be anywhere');
	is(fetch('x', url => 'https://files.drive.example/echo', hosts => ['*.drive.example'])->{status}, 200, 'a name below');
	failed(fetch('x', url => 'https://other.example/echo', hosts => ['other.example']), 'tls', qr/^no trusted connection: .*(?:subject name|does not match)/, 'TLS is with the host, not with the proxy');
	failed(fetch('x', url => 'https://closed.example/', hosts => ['closed.example'], sealed => 1), 'connect', qr/by way of the proxy$/, 'a proxy that refuses');
	failed(fetch('x', url => 'https://hanging.example/', hosts => ['hanging.example'], timeout_ms => 300), 'timeout', qr/could not connect/, 'a proxy that does not answer');
	for my $host ('10.1.2.3', '127.0.0.1', '169.254.169.254')
	{
		failed(fetch('x', url => "https://$host/", hosts => [$host]), 'refused', qr/^address is not public$/, "$host is not left to a proxy");
	}
	failed(fetch('x', url => 'http://drive.example/echo', hosts => ['drive.example']), 'refused', qr/not https/, 'plain http is not either');
	allow(1);
	is(fetch('http/echo')->{status}, 200, 'this machine is reached without one');
	my @proxied = grep { $_->{at} eq 'proxy' } @{ seen() };
	is_deeply([ map { $_->{connect} } @proxied ], [ map { "$_:443" } qw(drive.example files.drive.example other.example closed.example hanging.example) ], 'the proxy has seen where requests go');
	unlike($json->encode(\@proxied), qr/\Q$token\E|authorization/i, 'and no token');
	ask($db, "SET orla.http_proxy = 'http://127.0.0.1:$ports->{lockedproxy}';");
	failed(fetch('x', %drive), 'connect', qr/by way of the proxy$/, 'a proxy that wants a password');
	ask($db, "SET orla.http_proxy = 'http://user:p%40ss\@127.0.0.1:$ports->{lockedproxy}';");
	is(fetch('x', %drive)->{status}, 200, 'and gets it');
	ask($db, "SET orla.http_proxy = 'http://127.0.0.1:1';");
	failed(fetch('x', %drive), 'connect', qr/by way of the proxy$/, 'a proxy that is not there, though a connection was');
	ask($db, 'RESET orla.http_proxy;');
	seen();
}

# ---- mail --------------------------------------------------------------------

sub mail_to
{
	my ($at, $to, %with) = @_;
	my $scheme = $at eq 'smtps' ? 'smtps' : 'smtp';
	return { url => "$scheme://127.0.0.1:$ports->{$at}", hosts => ['127.0.0.1'], timeout_ms => 10000,
		mail => { from => 'orla@example.org', to => $to, text => "Subject: hello\n\n.dot\n..\nend\r\n" }, %with };
}
{
	my $all = many([ mail_to('smtp', 'ada@example.org'), mail_to('smtps', [ 'ada@example.org', 'ben@example.org' ]),
		mail_to('smtpauth', 'ada@example.org', username => 'mailer', password => 'pass word'), mail_to('smtpplain', 'ada@example.org', starttls => JSON::PP::false) ]);
	is_deeply([ map { [ @{ $_->{response} }{qw(status failure message sent)} ] } @$all ], [ map { [ 250, undef, undef, JSON::PP::true ] } 1 .. 4 ], 'mail is taken, with STARTTLS, TLS, a password, and plain where that is allowed');
	cmp_ok($_->{ms}, '<', 5000, 'nobody waits for an answer to QUIT') for @$all;
	my $mailed = seen();
	my @mails = grep { defined $_->{data} } @$mailed;
	is(scalar(grep { $_->{quit} } @$mailed), 4, 'though everybody says it');
	is(scalar(grep { $_->{data} eq "Subject: hello\r\n\r\n..dot\r\n...\r\nend\r\n" } @mails), 4, 'as it was, with its dots doubled');
	is_deeply([ sort map { scalar @{ $_->{to} } } @mails ], [ 1, 1, 1, 2 ], 'to everybody who was named');
	is(scalar(grep { $_->{secure} } @mails), 3, 'three of them over TLS');

	# The library takes the end of a text in one of two ways, with dots and without.
	$all = many([ map { mail_to('smtp', 'ada@example.org', mail => { from => 'orla@example.org', to => 'ada@example.org', text => $_ }) } 'x', "Subject: x\n\nplain\n", 'x' x 200_000 ]);
	is_deeply([ map { [ @{ $_->{response} }{qw(status failure sent)} ] } @$all ], [ map { [ 250, undef, JSON::PP::true ] } 1 .. 3 ], 'short and long mail');
	cmp_ok($_->{ms}, '<', 5000, 'at once') for @$all;
	is_deeply([ sort { $a <=> $b } map { length $_->{data} } grep { defined $_->{data} } @{ seen() } ], [ 3, 21, 200_002 ], 'arrives whole');

	$all = many([ mail_to('smtp', 'unknown@example.org'), mail_to('smtp', 'later@example.org'),
		mail_to('smtpauth', 'ada@example.org', username => 'mailer', password => 'planted-password'), mail_to('smtpauth', 'ada@example.org') ]);
	is_deeply([ map { [ @{ $_->{response} }{qw(status failure message)} ] } @$all ],
		[ [ 550, undef, 'mail server answered 550 5.1.1' ], [ 450, undef, 'mail server answered 450 4.2.1' ], [ 535, undef, 'mail server answered 535 5.7.8' ], [ 530, undef, 'mail server answered 530 5.7.0' ] ],
		'what a server refuses is told by its codes, without a word that it repeats');
	cmp_ok($_->{ms}, '<', 5000, 'at once') for @$all[ 0, 1 ];

	$all = many([ mail_to('smtpplain', 'ada@example.org'), mail_to('smtpsilent', 'ada@example.org', timeout_ms => 300), mail_to('smtp', 'silent@example.org', timeout_ms => 300),
		mail_to('smtp', 'ada@example.org', url => 'smtp://127.0.0.1:1'), mail_to('smtp', "a\@x>\r\nRCPT TO:<b\@y"), mail_to('smtp', []), mail_to('smtp', 'ada@example.org', hosts => []),
		mail_to('smtpplain', 'ada@example.org', username => 'x', password => 'y', starttls => JSON::PP::false), mail_to('http', 'ada@example.org', timeout_ms => 300) ]);
	is_deeply([ map { $_->{response}{failure} } @$all ], [qw(tls timeout timeout connect refused refused refused refused timeout)], 'what does not get so far');
	is($all->[0]{response}{message}, 'host 127.0.0.1 does not offer TLS', 'STARTTLS is not optional');
	cmp_ok($_->{ms}, '<', 5000, 'in time') for @$all;
	allow(0);
	$all = many([ mail_to('smtp', 'ada@example.org'), mail_to('smtpplain', 'ada@example.org', starttls => JSON::PP::false), mail_to('smtp', 'ada@example.org', url => 'smtp://127.0.0.1'),
		mail_to('smtp', 'ada@example.org', url => 'smtp://169.254.169.254:587', hosts => ['169.254.169.254']) ]);
	is_deeply([ map { $_->{response}{failure} } @$all ], [ ('refused') x 4 ], 'mail to this machine and plain mail need the setting');
	# That there is nobody is seen by waiting, or told by the network.
	$all = many([ mail_to('smtp', 'ada@example.org', url => 'smtp://10.255.255.1:587', hosts => ['10.255.255.1'], timeout_ms => 300) ]);
	like($all->[0]{response}{failure}, qr/^(?:timeout|connect)$/, 'a mail server may have a private address');
	allow(1);
}

# ---- nothing is left -----------------------------------------------------------

{
	my $pid = ask($db, 'SELECT pg_backend_pid();');
	my $round = join("\n", map({ fetch_sql("http/$_", timeout_ms => 20, max_bytes => 1000, sealed => 1) } qw(echo hang cut close endless bomb badgzip redirect)),
		map({ fetch_sql("$_/echo", timeout_ms => 500) } qw(good expired wrong h2 dumb garbage)), "SET statement_timeout = '10ms';", fetch_sql('http/hang'), 'SET statement_timeout = 0;',
		fetch_sql('http://127.0.0.1:1/'), fetch_sql('https://10.1.2.3/', hosts => ['10.1.2.3']), fetch_sql('https://nobody.invalid/', hosts => ['nobody.invalid']));
	$round =~ s/"timeout_ms":500/"timeout_ms":60/g;
	my $count = sub { my @fds = glob("/proc/$pid/fd/*"); return scalar @fds };
	my $memory = sub { return slurp("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 };
	ask($db, $round) for 1 .. 3;
	ask($db, "SELECT count(*) FROM unnest(many(ARRAY['{\"url\": \"http://127.0.0.1:$ports->{http}/hang\", \"hosts\": [\"127.0.0.1\"]}']::jsonb[], 5));");
	my $fds = $count->();
	ask($db, $round) for 1 .. 12;
	ask($db, "SELECT count(many(ARRAY['{\"url\": \"http://127.0.0.1:$ports->{http}/hang\", \"hosts\": [\"127.0.0.1\"]}', '{\"url\": \"https://127.0.0.1:$ports->{good}/hang\", \"hosts\": [\"127.0.0.1\"]}']::jsonb[], 5)) FROM generate_series(1, 20);");
	cmp_ok($count->(), '<=', $fds + 4, 'no descriptor is left by requests that fail');
	is(ask($db, "SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'orla http transfer';"), '0', 'nothing of theirs');
	is(ask($db, "SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'orla http engine';"), '1', 'one engine serves the session');

	# In a session whose heap has no room from before.
	my $fresh  = session('-d', 'app');
	my $nobody = "SELECT count(*) FROM generate_series(1, %d) AS i,
		LATERAL orla.http_fetch(jsonb_build_object('url', 'http://127.0.0.1:1/' || i, 'hosts', '[\"127.0.0.1\"]'::jsonb,
			'headers', jsonb_build_object('X-Long', repeat('x', 1000)))) WHERE failure = 'connect';";
	$pid = ask($fresh, "SET orla.allow_loopback_http = on;\nSELECT pg_backend_pid();");
	ask($fresh, sprintf($nobody, 200));
	my $kilobytes = $memory->();
	is(ask($fresh, sprintf($nobody, 2000)), 2000, 'thousands of them');
	cmp_ok($memory->(), '<', $kilobytes + 1024 * ($ENV{ORLA_TEST_PATIENCE} // 1), 'leave no memory');
	diag($memory->() - $kilobytes . ' kB') if $ENV{VERBOSE};
}

{
	my $log = slurp("$dir/server.log");
	like($log, qr/http_fetch/, 'the log tells of the statements');
	unlike($log, qr/\Q$token\E/, 'and of no token');
	unlike($log, qr/planted-password\W+$/m, 'nor of what a server repeats');
	my $watch = session('-d', 'app');
	like(ask($watch, "SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE '%http_fetch%';"), qr/^t$/, 'statistics have the statements');
	is(ask($watch, "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%' || pg_read_file('$dir/token') || '%';"), '0', 'and not the token');
	is(ask($watch, "SELECT count(*) FROM pg_settings WHERE setting LIKE '%' || pg_read_file('$dir/token') || '%';"), '0', 'nor has a setting');
	unlike($log, qr/PANIC|TRAP|was terminated by signal/, 'no process has crashed');
}

done_testing();
