#!/usr/bin/perl
# Requests to other servers: that nobody waits for one that does not answer, many
# at a time, mail, and that nothing of them is left.
#
# The other side is Http.mjs.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use MIME::Base64;
use Test::More;
use Time::HiRes qw(time);

use Http;

Http::start('engine', many => 1);
allow(1);
$db->ask("SET orla.ca_file = '$c->{dir}/authority.crt';");

# ---- waiting -----------------------------------------------------------------

# Milliseconds that the session takes.
sub clocked { my ($sql) = @_; my $began = time; my $answer = $db->ask($sql); return ((time - $began) * 1000, $answer) }
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
		return $db->ask("SET statement_timeout = '200ms';\nDO \$\$ DECLARE began timestamptz := statement_timestamp();
			BEGIN PERFORM orla.http_fetch('$request'); EXCEPTION WHEN query_canceled THEN
			RAISE INFO '%', 1000 * extract(epoch FROM clock_timestamp() - began) - 200; END \$\$;\nSET statement_timeout = 0;") =~ /INFO:  (-?[\d.]+)/ ? $1 : 9999;
	};
	for my $path ('/hang', '/drip')
	{
		my $ms = $late->($path);
		cmp_ok($ms, '<', 5000, "statement_timeout ends it ($path)");
		diag("$path: $ms ms late") if $ENV{VERBOSE};
	}
	is($db->ask("SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'orla http transfer';"), '0', 'nothing is left of requests whose error was caught');
	is(fetch('http/echo')->{status}, 200, 'and the next one is well');

	my $killer = $c->session;
	my $pid = $db->ask('SELECT pg_backend_pid();');
	for my $call ('pg_cancel_backend', 'pg_terminate_backend')
	{
		$db->send(fetch_sql('http/hang', sealed => 1, timeout_ms => 60000));
		ok(Cluster::waits_until(sub { $killer->ask("SELECT wait_event FROM pg_stat_activity WHERE pid = $pid AND state = 'active';") eq 'Extension' }), "$call: it waits");
		unlike($killer->ask('SELECT query FROM pg_stat_activity;'), qr/\Q$token\E/, "$call: and does not show its token");
		my $began = time;
		$killer->ask("SELECT $call($pid);");
		my $answer = $db->answer;
		cmp_ok(time - $began, '<', 5, "$call ends it at once");
		like($answer, $call eq 'pg_cancel_backend' ? qr/canceling statement due to user request/ : qr/terminating connection/, "$call: told");
	}
	$db = $c->session;
	allow(1);
	$db->ask("SET orla.ca_file = '$c->{dir}/authority.crt';");
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
	my $pid = $db->ask('SELECT pg_backend_pid();');
	my $round = join("\n", map({ fetch_sql("http/$_", timeout_ms => 20, max_bytes => 1000, sealed => 1) } qw(echo hang cut close endless bomb badgzip redirect)),
		map({ fetch_sql("$_/echo", timeout_ms => 500) } qw(good expired wrong h2 dumb garbage)), "SET statement_timeout = '10ms';", fetch_sql('http/hang'), 'SET statement_timeout = 0;',
		fetch_sql('http://127.0.0.1:1/'), fetch_sql('https://10.1.2.3/', hosts => ['10.1.2.3']), fetch_sql('https://nobody.invalid/', hosts => ['nobody.invalid']));
	$round =~ s/"timeout_ms":500/"timeout_ms":60/g;
	my $count = sub { my @fds = glob("/proc/$pid/fd/*"); return scalar @fds };
	my $memory = sub { return Cluster::slurp("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 };
	$db->ask($round) for 1 .. 3;
	$db->ask("SELECT count(*) FROM unnest(many(ARRAY['{\"url\": \"http://127.0.0.1:$ports->{http}/hang\", \"hosts\": [\"127.0.0.1\"]}']::jsonb[], 5));");
	my $fds = $count->();
	$db->ask($round) for 1 .. 12;
	$db->ask("SELECT count(many(ARRAY['{\"url\": \"http://127.0.0.1:$ports->{http}/hang\", \"hosts\": [\"127.0.0.1\"]}', '{\"url\": \"https://127.0.0.1:$ports->{good}/hang\", \"hosts\": [\"127.0.0.1\"]}']::jsonb[], 5)) FROM generate_series(1, 20);");
	cmp_ok($count->(), '<=', $fds + 4, 'no descriptor is left by requests that fail');
	is($db->ask("SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'orla http transfer';"), '0', 'nothing of theirs');
	is($db->ask("SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'orla http engine';"), '1', 'one engine serves the session');

	# In a session whose heap has no room from before.
	my $fresh  = $c->session;
	my $nobody = "SELECT count(*) FROM generate_series(1, %d) AS i,
		LATERAL orla.http_fetch(jsonb_build_object('url', 'http://127.0.0.1:1/' || i, 'hosts', '[\"127.0.0.1\"]'::jsonb,
			'headers', jsonb_build_object('X-Long', repeat('x', 1000)))) WHERE failure = 'connect';";
	$pid = $fresh->ask("SET orla.allow_loopback_http = on;\nSELECT pg_backend_pid();");
	$fresh->ask(sprintf($nobody, 200));
	my $kilobytes = $memory->();
	is($fresh->ask(sprintf($nobody, 2000)), 2000, 'thousands of them');
	cmp_ok($memory->(), '<', $kilobytes + 1024 * ($ENV{ORLA_TEST_PATIENCE} // 1), 'leave no memory');
	diag($memory->() - $kilobytes . ' kB') if $ENV{VERBOSE};
}

no_trace();
done_testing();
