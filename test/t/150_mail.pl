#!/usr/bin/perl
# The outbox, handed over to a real mail server: STARTTLS, a user, addresses that
# do not exist, servers that are busy, down, mute, not to be trusted; what a mail
# is on the wire; and that nothing of it is in the way of anything else.
#
# Makes a cluster of its own, since the worker needs shared_preload_libraries.
use strict;
use utf8;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Encode qw(encode_utf8 decode_utf8);
use Test::More;
use Time::HiRes qw(time);

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 300;
binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my $c = Custody->new('mail', tls => 1, only => [qw(dropbox smtp)]);
my $url = $c->{where}{smtp}{url};
my ($user, $password) = @{ $c->{where}{smtp} }{qw(user password)};
my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $worker = $c->worker;

# ---- a mail, without more ado --------------------------------------------------------

my $number = 0;

# Puts a mail with a link into the outbox; its id.
sub mail
{
	my ($address, $name) = @_;
	return $c->value(encode_utf8("SELECT orla.enqueue_mail(NULL, '$address', " . (defined $name ? Custody::literal($name) : 'NULL') . ", 'reset_password', 'token-" . ++$number . "')"));
}

sub of { my ($id, $what) = @_; return $c->value("SELECT $what FROM orla.outbox WHERE id = '$id'") }
sub mails { my ($address) = @_; return @{ $c->control(GET => 'mails', { provider => 'smtp', to => $address }) } }
sub knobs { return $c->knobs('smtp', @_) }
sub configure { my (%with) = (user => $user, password => $password, starttls => 'true', @_); return $c->value("SELECT orla.configure_mail('" . ($with{url} // $url) . "', 'orla\@app.example', '$with{user}', " . Custody::literal($with{password}) . ", $with{starttls})") }

# The worker has tried it, so many times; its last_error.
sub tried
{
	my ($id, $times) = @_;
	$c->nudge;
	Cluster::waits_until(sub { of($id, "attempts = $times AND (last_error IS NOT NULL OR sent_at IS NOT NULL)") eq 't' }) or die "mail $id was not tried\n";
	return of($id, "coalesce(last_error, 'sent')");
}

sub again { my ($id) = @_; $c->value("UPDATE orla.outbox SET next_attempt_at = now(), last_error = NULL WHERE id = '$id'"); return }

# ---- before there is a server -----------------------------------------------------------

my $first = mail('first@x.example');
for my $bad ([ "'http://127.0.0.1:25', 'a\@x.example'", 'invalid url of a mail server' ], [ "'smtp://user:pw\@127.0.0.1', 'a\@x.example'", 'invalid url of a mail server' ],
	[ "'smtp://127.0.0.1:25/path', 'a\@x.example'", 'invalid url of a mail server' ], [ 'NULL, NULL', 'invalid url of a mail server' ],
	[ "'smtp://127.0.0.1', 'nobody'", 'invalid e-mail address' ], [ "'smtp://127.0.0.1', E'a\@x.example\\r\\nBcc: eve\@x.example'", 'invalid e-mail address' ])
{
	my ($arguments, $message) = @$bad;
	is(Custody::error($c->sql("SELECT orla.configure_mail($arguments);")), $message, "no server: $arguments");
}
$c->nudge;
like($c->value("SELECT orla.render_mail('$first')"), qr/token=token-1\b/, 'without a server an operator reads the mails');
is(of($first, 'attempts'), '0', 'and nothing is tried');
like($c->sql("SET ROLE orla_user; SELECT orla.configure_mail('$url', 'a\@x.example');"), qr/permission denied/, 'a tenant configures no server');

# ---- TLS ----------------------------------------------------------------------------------

is(configure(), '', 'a server');
like(tried($first, 1), qr/^no trusted connection: .*(?:self.signed|issuer)/, 'whose certificate nobody knows: nothing is sent');
is(scalar mails('first@x.example'), 0, 'nothing');
is(of($first, "next_attempt_at > now() + interval '20 seconds' AND sealed_token IS NOT NULL"), 't', 'it waits');
$c->value("ALTER SYSTEM SET orla.ca_file = '$c->{tls}/ca.pem'");
chmod 0755, $c->{tls};
chmod 0644, "$c->{tls}/ca.pem";
$c->value('SELECT pg_reload_conf()');
Cluster::waits_until(sub { $c->sql('SHOW orla.ca_file;') =~ /ca\.pem/ });
again($first);
is(tried($first, 2), 'sent', 'an authority that is known');
{
	my ($mail) = mails('first@x.example');
	ok($mail->{secure}, 'it went over TLS');
	is($mail->{user}, $user, 'from a known user');
	is($mail->{from}, 'orla@app.example', 'from the address that was configured');
	like($mail->{text}, qr{^Hello there,\r?\n\r?\nchoose a new password with this link:\r?\n\r?\nhttps://app\.example/reset-password\?token=token-1\r?\n}, 'its text');
	is($mail->{subject}, 'Choose a new password', 'its subject');
	like($mail->{headers}{date}, qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/, 'a date');
	is($mail->{headers}{'message-id'}, "<$first\@app.example>", 'an id of its own');
	is($mail->{headers}{'auto-submitted'}, 'auto-generated', 'nobody is to answer');
	unlike($mail->{raw}, qr/(?<!\r)\n/, 'lines end as they should');
	is((grep { length > 998 } split /\r\n/, $mail->{raw}), 0, 'and are short');
}
is(of($first, 'sealed_token IS NULL AND sent_at IS NOT NULL AND last_error IS NULL'), 't', 'the link is blanked');
like($c->value("SELECT orla.render_mail('$first')"), qr/sent and blanked/, 'and nobody reads it any more');

knobs(starttls => 'none');
my $second = mail('second@x.example');
like(tried($second, 1), qr/does not offer TLS/, 'a server without TLS: nothing is sent');
is($c->requests('smtp', 'auth'), 1, 'and no password told');
again($second);
configure(user => '', password => '', starttls => 'false');
is(tried($second, 2), 'sent', 'unless an operator says so, and it is this machine');
ok(!(mails('second@x.example'))[0]{secure}, 'in plain text');
knobs(starttls => 'offered');
configure(url => 'smtp://192.0.2.1:25', user => '', password => '', starttls => 'false');
$second = mail('second@x.example');
like(tried($second, 1), qr/not allowed|mail without TLS/, 'to another machine it does not go so');
again($second);
configure();
is(tried($second, 2), 'sent', 'over TLS it does');

# ---- what a name can do ------------------------------------------------------------------
# Way 128.

for my $name ("Zoë 秘密 🦊", "Ada\r\nBcc: eve\@x.example\r\n\r\nBuy tea", "Ada\n.\nQUIT", "=?utf-8?b?QWRh?=", 'x' x 1900)
{
	my $id = mail('name@x.example', $name);
	is(tried($id, 1), 'sent', 'a name: ' . substr($name =~ s/[[:cntrl:]]/./gr, 0, 20));
	my $mail = (mails('name@x.example'))[-1];
	my $shown = $name =~ s/[[:cntrl:]]+/ /gr;
	like($mail->{text}, qr/^Hello \Q$shown\E,\r?\n/, 'is in the text, as it was, on one line');
	is("@{ $mail->{to} }", 'name@x.example', 'and goes to nobody else');
	is(join(' ', sort keys %{ $mail->{headers} }), 'auto-submitted content-transfer-encoding content-type date from message-id mime-version subject to', 'no header is added');
}
is(scalar mails('eve@x.example'), 0, 'Eve has nothing');
{
	$c->value("INSERT INTO orla.outbox (to_address, subject, template) VALUES (E'x\@x.example>\\r\\nRCPT TO:<eve\@x.example', 'Choose a new password', 'reset_password')");
	my $id = $c->value("SELECT id FROM orla.outbox WHERE to_address LIKE '%RCPT%'");
	isnt(tried($id, 1), 'sent', 'an address that no function of orla\'s would have let in');
	is(scalar mails('eve@x.example'), 0, 'goes nowhere');
	$c->value("DELETE FROM orla.outbox WHERE id = '$id'");
}

# ---- what does not arrive ---------------------------------------------------------------

knobs(refuse => { 'bad@x.example' => 550, 'later@x.example' => { code => 450, times => 2 } });
{
	my $bad = mail('bad@x.example');
	my @good = map { mail("good$_\@x.example") } 1 .. 12;
	my $later = mail('later@x.example');
	like(tried($bad, 1), qr/^mail server answered 550/, 'an address that does not exist');
	is(tried($_, 1), 'sent', 'is in nobody\'s way') for @good;
	is(of($bad, "next_attempt_at = 'infinity' AND sent_at IS NULL"), 't', 'and is not asked again');
	like(tried($later, 1), qr/^mail server answered 450/, 'one that is busy');
	is(of($later, "next_attempt_at BETWEEN now() + interval '30 seconds' AND now() + interval '3 minutes'"), 't', 'is asked again soon');
	again($later);
	like(tried($later, 2), qr/^mail server answered 450/, 'and again');
	my $wait = of($later, 'extract(epoch FROM next_attempt_at - now())');
	again($later);
	is(tried($later, 3), 'sent', 'until it goes');
	cmp_ok($wait, '>', 45, "the longer, the more often: $wait s");
	$c->value('SELECT orla_api.logout(\'x\')');
	is(of($bad, 'attempts'), '1', 'the bad one was left alone all the while');
}
knobs(refuse => {});

for my $trouble ([ 'a server that is down', { up => $false }, { up => $true }, qr/^could not connect to host 127\.0\.0\.1$/ ],
	[ 'one that is busy', { busy => 421 }, { busy => undef }, qr/^mail server answered 421/ ],
	[ 'one that takes no text', { refuse_data => 451 }, { refuse_data => undef }, qr/^mail server answered 451/ ],
	[ 'one that wants a password that it has not', { password => 'another' }, { password => $password }, qr/^mail server answered 535/ ])
{
	my ($what, $bad, $good, $like) = @$trouble;
	knobs(%$bad);
	my $id = mail('patient@x.example');
	like(tried($id, 1), $like, $what);
	unlike(of($id, 'last_error'), qr/\Q$password\E/, 'of whom no password is told');
	is(of($id, "sealed_token IS NOT NULL AND sent_at IS NULL AND next_attempt_at < now() + interval '2 minutes'"), 't', 'is tried again');
	knobs(%$good);
	again($id);
	is(tried($id, 2), 'sent', 'and sent');
}
{
	# a day
	my $id = mail('patient@x.example');
	$c->value("UPDATE orla.outbox SET last_error = NULL, attempts = 30, created_at = now() - interval '1 day' WHERE id = '$id'");
	knobs(up => $false);
	tried($id, 31);
	is(of($id, "next_attempt_at BETWEEN now() + interval '30 minutes' AND now() + interval '80 minutes'"), 't', 'a server that is down for a day is asked about once an hour');
	$c->value("UPDATE orla.outbox SET created_at = now() - interval '8 days', next_attempt_at = now(), last_error = NULL WHERE id = '$id'");
	tried($id, 32);
	is(of($id, "next_attempt_at = 'infinity'"), 't', 'and no more when no link can be good');
	knobs(up => $true);
	configure();
	is(of($id, "next_attempt_at = 'infinity'"), 't', 'nor when a server is configured');
}
{
	my $id = mail('twice@x.example');
	knobs(lose => 1);
	like(tried($id, 1), qr/closed the connection|makes no sense/, 'a server takes a mail and does not say so');
	again($id);
	is(tried($id, 2), 'sent', 'it is sent again');
	my @both = mails('twice@x.example');
	is(scalar @both, 2, 'and arrives twice');
	is($both[0]{headers}{'message-id'}, $both[1]{headers}{'message-id'}, 'as one and the same');
}
{
	# what was sealed under another key, or changed
	my $broken = mail('broken@x.example');
	$c->value("UPDATE orla.outbox SET sealed_token = set_byte(sealed_token, 40, get_byte(sealed_token, 40) # 1) WHERE id = '$broken'");
	my $good = mail('after@x.example');
	is(tried($good, 1), 'sent', 'a mail whose link does not open is in nobody\'s way');
	like(of($broken, 'last_error'), qr/could not open sealed value/, 'and says why it waits');
	is(scalar mails('broken@x.example'), 0, 'it is not sent');
}

# ---- a server that says nothing ---------------------------------------------------------------

{
	$c->configure('dropbox');
	$c->account('dropbox', 'ada@box.example');
	my $ada = $c->sign_up('ada');
	$c->connect($ada, 'dropbox', 'ada@box.example');
	$c->value('UPDATE orla.outbox SET next_attempt_at = \'infinity\' WHERE sent_at IS NULL');
	knobs(mute => $true);
	my @ids = map { mail("mute$_\@x.example") } 1 .. 20;
	$c->nudge;
	ok(Cluster::waits_until(sub { $c->value('SELECT in_flight FROM orla.worker_status') eq '8' }), 'a server that says nothing has eight connections');
	$c->nudge;
	is($c->value('SELECT in_flight FROM orla.worker_status'), '8', 'and no more');
	$c->expire($ada, 'dropbox');
	my $began = time;
	is($c->fresh($ada, 'dropbox'), 'fresh', 'tokens are refreshed meanwhile');
	cmp_ok(time - $began, '<', 10, 'at once');
	knobs(up => $false);
	knobs(up => $true, mute => $false);
	$c->value('UPDATE orla.outbox SET next_attempt_at = now() WHERE sent_at IS NULL AND to_address LIKE \'mute%\'');
	ok(Cluster::waits_until(sub { $c->nudge; $c->value('SELECT count(*) FROM orla.outbox WHERE to_address LIKE \'mute%\' AND sent_at IS NULL AND attempts < 3') eq '0' }), 'when it speaks again, all are sent');
}

# ---- the whole way ------------------------------------------------------------------------------

{
	$c->value("SELECT orla_api.register(" . encode_utf8("'Zoë'") . ", 'zoe\@x.example', 'Correct-Horse-42')");
	$c->nudge;
	ok(Cluster::waits_until(sub { mails('zoe@x.example') == 1 }), 'Zoë signs up and has a mail');
	my ($link) = (mails('zoe@x.example'))[0]{text} =~ m{https://app\.example/verify-email\?token=(\S+)};
	like($c->value("SELECT orla_api.verify_email('$link', 'Correct-Horse-42')"), qr/access_token/, 'whose link is good');
	my $program = mail('program@x.example');
	$c->value("UPDATE orla.outbox SET next_attempt_at = 'infinity' WHERE id = '$program'");
	is($c->value("SELECT orla.record_delivery('$program')"), '', 'a program of one\'s own may send as well');
	is(of($program, 'sent_at IS NOT NULL AND sealed_token IS NULL'), 't', 'and says so');
}
is($c->worker, $worker, 'it was one worker all the time');

alarm 0;
done_testing;
