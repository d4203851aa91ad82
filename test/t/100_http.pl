#!/usr/bin/perl
# Requests to other servers: where they may lead, what an answer may be, whom
# they trust, and that nobody reads the token.
#
# The other side is Http.mjs.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use MIME::Base64;
use Test::More;

use Http;

Http::start('http');

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
is($db->ask("SELECT count(*) FROM pg_stat_activity WHERE false;"), '0', 'the session is well');

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
	like($db->ask("SELECT * FROM orla.http_fetch('" . $json->encode($request) . "');"), qr/^ERROR:  malformed request\nDETAIL:  .*\Q$why\E/, "malformed: $why");
}
like($db->ask('SELECT * FROM orla.http_fetch(NULL);'), qr/^ERROR:  a request is needed/, 'no request');
like($db->ask("SELECT * FROM orla.http_fetch('{\"url\": \"x\"}', '\\x00', NULL, 'test');"), qr/^ERROR:  could not open sealed value/, 'a token that does not open');
like($db->ask("SELECT * FROM orla.http_fetch('{\"url\": \"x\"}', '\\x00');"), qr/^ERROR:  a purpose is needed/, 'a token without a purpose');
{
	my $nobody = $c->session;
	like($nobody->ask("SET ROLE orla_user;\nSELECT * FROM orla.http_fetch('{}');"), qr/permission denied/, 'tenants may not ask');
	like($nobody->ask("SET ROLE orla_admin;\nSELECT * FROM orla.http_fetch('{}');"), qr/permission denied/, 'nor may operators');
	like($nobody->ask("SET ROLE orla_service;\nSELECT failure FROM orla.http_fetch('{\"url\": \"x\"}');"), qr/^refused$/, 'orla_service may');
}

# ---- answers -----------------------------------------------------------------

like(echoed()->{headers}{'accept-encoding'}, qr/\bgzip\b/, 'compressed answers are asked for');
is(fetch("http/$_")->{body}, 'squeezed', "$_ is decoded") for qw(gzip deflate twice);
is(fetch('http/chunked')->{body}, 'abc', 'chunks are joined');
is(fetch('http/chunked')->{headers}{'x-trailer'}, undef, 'trailers are no headers');
is_deeply([ @{ fetch("http/$_") }{qw(status body failure)} ], [ $_ eq '204' ? 204 : 200, '', undef ], "an empty answer ($_)") for qw(empty 204);
is_deeply([ @{ fetch('http/500') }{qw(status body failure)} ], [ 500, '<h1>Oops</h1>', undef ], 'an error page in HTML');
is_deeply([ @{ fetch('http/nothing-here') }{qw(status failure)} ], [ 404, undef ], 'an error without one');
is($db->ask(fetch_sql('http/big', max_bytes => 10 * 1024 * 1024) =~ s/^SELECT .* FROM/SELECT length(body) FROM/r), 10 * 1024 * 1024, '10 MB where so many are allowed');
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
$db->ask("SET orla.ca_file = '$c->{dir}/authority.crt';");
is(fetch('good/echo')->{status}, 200, 'a good certificate');
is(fetch('h2/echo')->{status}, 200, 'over HTTP/2');
failed(fetch('expired/echo'), 'tls', qr/^no trusted connection: .*expired/, 'an expired one');
failed(fetch('wrong/echo'), 'tls', qr/^no trusted connection: .*(?:subject name|does not match)/, 'that of another host');
failed(fetch('selfsigned/echo'), 'tls', qr/^no trusted connection: .*self[- ]signed/, 'a self-signed one');
failed(fetch('stranger/echo'), 'tls', qr/^no trusted connection: .*local issuer/, 'one of another authority');
failed(fetch('old/echo'), 'tls', qr/^no trusted connection: /, 'TLS 1.1');
failed(fetch('x', url => "https://127.0.0.1:$ports->{http}/"), 'tls', qr/^no trusted connection: /, 'a server that speaks no TLS');
is_deeply([ grep { $_->{at} !~ /^(?:good|h2)$/ } @{ seen() } ], [], 'none of them has seen a request');
$db->ask("SET orla.ca_file = '$c->{dir}/nothing.crt';");
failed(fetch('good/echo'), 'tls', qr/^the file of certificates cannot be read$/, 'a file that is not there, though a connection was');
$db->ask("SET orla.ca_file = '$c->{dir}/stranger-authority.crt';");
failed(fetch('good/echo'), 'tls', qr/^no trusted connection: /, 'a connection from before does not serve another setting');
$db->ask("SET orla.ca_file = '$c->{dir}/authority.crt';");
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
	$db->ask("SET statement_timeout = '150ms';");
	like(fetch('http/hang', sealed => 1)->{error}, qr/canceling statement due to statement timeout/, 'a statement that ends while it is on its way');
	$db->ask('SET statement_timeout = 0;');
	seen();
}

# ---- a proxy -----------------------------------------------------------------

{
	my %drive = (url => 'https://drive.example/echo', hosts => ['drive.example']);
	failed(fetch('x', %drive), 'connect', qr/could not resolve/, 'without a proxy the name is nobody\'s');
	like($db->ask("SET orla.http_proxy = 'proxy.example';"), qr/invalid value.*\nDETAIL:  The value must be a URL/s, 'a proxy that is none');
	$db->ask("SET orla.http_proxy = 'http://127.0.0.1:$ports->{proxy}'; SET orla.allow_loopback_http = off;");
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
	$db->ask("SET orla.http_proxy = 'http://127.0.0.1:$ports->{lockedproxy}';");
	failed(fetch('x', %drive), 'connect', qr/by way of the proxy$/, 'a proxy that wants a password');
	$db->ask("SET orla.http_proxy = 'http://user:p%40ss\@127.0.0.1:$ports->{lockedproxy}';");
	is(fetch('x', %drive)->{status}, 200, 'and gets it');
	$db->ask("SET orla.http_proxy = 'http://127.0.0.1:1';");
	failed(fetch('x', %drive), 'connect', qr/by way of the proxy$/, 'a proxy that is not there, though a connection was');
	$db->ask('RESET orla.http_proxy;');
	seen();
}

no_trace();
done_testing();
