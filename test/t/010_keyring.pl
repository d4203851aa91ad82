#!/usr/bin/perl
# The keyring's file and command: made once, refused when it is not as it
# should be, replaced as a whole, and never shown.
#
# Makes a cluster of its own, since it breaks the file in every way.
# Way 91 of docs/security.md.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Fcntl qw(:mode);
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(time);

use Cluster;

my $c = Cluster->new('keyring');
my ($dir, $data) = @$c{qw(dir data)};
my $ring = "$data/orla.keyring";

sub sql { return $c->sql(@_) }
sub slurp { return Cluster::slurp(@_) }
# As the server's user would leave it: a new file in the place of the old.
sub put { return $c->put(@_) }

sub key_line
{
	my (@fields) = @_;
	my $line = join(' ', @fields);
	return "$line " . substr(sha256_hex($line), 0, 32) . "\n";
}

# The ring with each key line changed, or left out, by a function of its fields.
sub rewritten
{
	my ($text, $change) = @_;
	my ($head, @lines) = split /\n/, $text;
	pop @lines;
	my @kept = map { my @f = split / /; pop @f; my @new = $change->(@f); @new ? key_line(@new) : () } @lines;
	return "$head\n" . join('', @kept) . 'end ' . @kept . "\n";
}

sub keys_of { return grep { /^(?:seal|sign|mac) / } split /\n/, $_[0] }

# ---- made at first use -------------------------------------------------------

sql('CREATE DATABASE app', database => 'postgres');
is(sql("SET client_min_messages = warning;\nCREATE EXTENSION orla CASCADE;"), '', 'the extension is installed');
ok(!-e $ring, 'installing makes no keyring');
is(sql('SELECT orla_api.jwks(); SELECT count(*) FROM orla.keys();'), "{\"keys\": []}\n0", 'nor does asking for keys');
is(sql("BEGIN READ ONLY;\nSELECT orla.open_keyring();\nROLLBACK;"),
	"ERROR:  keyring file \"$ring\" does not exist\nDETAIL:  Without a keyring nobody can sign in.\n"
	  . 'HINT:  Restore it from a backup, or let orla.keyring_file or orla.keyring_command lead to it.',
	'a read-only transaction makes none');

sql('SELECT orla.ensure_instance();');
my $good = slurp($ring);
my ($ring_id) = $good =~ /^orla-keyring 1 ([0-9a-f-]{36})\n/;
is(S_IMODE((stat $ring)[2]), 0600, 'the first use makes it, for the server\'s user alone');
is(join(' ', map { (split / /)[0] } keys_of($good)), 'seal sign mac', 'a key for each use');
is(sql('SELECT keyring_id FROM orla.instance'), $ring_id, 'the database knows its ring');
sql("INSERT INTO orla.users (id, name, email, password_hash)
     VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'Ada', 'ada\@example.org', '\$argon2id\$test');
     SELECT orla.create_tenant_key('aaaaaaaa-0000-4000-8000-000000000001');
     CREATE TABLE sealed AS SELECT orla.seal('hush', 'aaaaaaaa-0000-4000-8000-000000000001', 'test') AS tenants,
                                   orla.seal('hush', NULL, 'test') AS ours;
     CREATE ROLE somebody LOGIN; GRANT orla_user TO somebody;");
my $unseal = "SELECT orla.unseal(tenants, 'aaaaaaaa-0000-4000-8000-000000000001', 'test') || orla.unseal(ours, NULL, 'test') FROM sealed;";
is(sql($unseal), 'hushhush', 'what is sealed opens');

{
	# Eight processes at once, the file is not there: one ring, no leftovers.
	sql("CREATE DATABASE other; ALTER DATABASE other SET orla.keyring_file = 'other.keyring';", database => 'postgres');
	sql('CREATE EXTENSION orla CASCADE;', database => 'other');
	my @readers = map {
		open(my $out, '-|', $c->psql(database => 'other'), '-c', 'SELECT orla.open_keyring()') or die $!;
		$out
	} 1 .. 8;
	my %ids = map { my $line = readline($_) // 'nothing'; chomp $line; ($line => 1) } @readers;
	is(scalar(keys %ids), 1, 'eight processes that make the ring at once end with one');
	my ($made) = slurp("$data/other.keyring") =~ /^orla-keyring 1 (\S+)/;
	ok($ids{$made}, 'which is the one in the file');
	is(join(' ', glob("$data/*keyring.*")), '', 'and leave nothing behind');
}

# ---- refused -----------------------------------------------------------------

my $session = $c->session(database => 'app');
is($session->ask($unseal), 'hushhush', 'a session has the ring');

sub refused
{
	my ($why, $detail, $hint) = @_;
	my $printed = $session->ask("\\set SHOW_CONTEXT never\n$unseal");
	like($printed, $detail, $why);
	like($printed, $hint, "$why: what to do") if $hint;
	put($ring, $good);
	is($session->ask($unseal), 'hushhush', "$why: mended");
}

for my $mode (0640, 0604, 0660, 0666, 0610)
{
	put($ring, $good, $mode);
	my $printed = sprintf('%04o', $mode);
	refused("mode $printed", qr/is refused\nDETAIL:.*its mode is $printed/, qr/chmod 600, then orla.rotate_keys/);
}
put($ring, '');
refused('empty', qr/keyring file ".*orla.keyring" is damaged\nDETAIL:  Line 1: It is empty/, qr/HINT:  Restore it from a backup/);
put($ring, "hello\n");
refused('another file', qr/Line 1: It does not begin as a keyring does/);
for my $length (1, 20, 51, 52, 60, int(length($good) / 2), length($good) - 7, length($good) - 6, length($good) - 2, length($good) - 1)
{
	put($ring, substr($good, 0, $length));
	refused("cut off after $length bytes", qr/is damaged\nDETAIL:  Line \d: /);
}
{
	my $edited = $good;
	$edited =~ s/^(sign \S+ \S+ \S+) (\d+)/"$1 " . ($2 + 1)/me;
	put($ring, $edited);
	refused('an edited line', qr/Line 3: The line's check value does not match/);
	my @lines = split /^/, $good;
	put($ring, join('', @lines[ 0, 2, 3, 4 ]));
	refused('a line less', qr/Line 4: It ends before its last line/);
	put($ring, join('', @lines[ 0, 1, 1, 2, 3 ], "end 4\n"));
	refused('a line twice', qr/Line 3: A key of this use and id came before/);
	put($ring, $good . "\n");
	refused('something after the end', qr/There is something after the last line/);
	put($ring, rewritten($good, sub { $_[0] eq 'sign' ? (@_[ 0 .. 5 ], 'A' x 200) : @_ }));
	refused('a key that is none', qr/Line 3: The key is not one of its algorithm/);
	put($ring, 'x' x (1024 * 1024 + 1));
	refused('too large', qr/is refused\nDETAIL:  It is larger than a keyring can be/);
}

unlink $ring;
my $missing = $session->ask("\\set SHOW_CONTEXT never\n$unseal");
like($missing, qr/^ERROR:  keyring file "\Q$ring\E" does not exist/, 'missing');
for my $call ('orla.open_keyring()', 'orla.ensure_instance()', 'orla.rotate_keys()', 'orla_api.jwks()', "orla.sign_jwt('{}')", "orla.keyed_digest('x', '')")
{
	sql("SELECT $call;");
	ok(!-e $ring, "$call makes no ring where this database's is missing");
}
like(sql('SELECT orla_api.jwks();'), qr/This database needs keyring $ring_id/, 'missing: which one is needed');
put($ring, $good);

put($ring, slurp("$data/other.keyring"));
like($session->ask("SELECT orla_api.jwks();"), qr/the keyring is not that of this database\nDETAIL:  Found keyring \S+, needed $ring_id/, 'the ring of another database');
like($session->ask($unseal), qr/It was sealed under key "[0-9a-f]{16}", which keyring \S+ does not have/, 'which lacks the key that is needed');
put($ring, $good);

rename $ring, "$ring.aside";
symlink "$ring.aside", $ring;
refused('a symbolic link', qr/is refused\nDETAIL:  It is a symbolic link/, qr/Let orla.keyring_file name the file itself/);
unlink "$ring.aside";
unlink $ring;
mkdir $ring;
chown((stat $data)[ 4, 5 ], $ring);
like($session->ask($unseal), qr/is not a regular file/, 'a folder');
rmdir $ring;
put($ring, $good);
SKIP:
{
	skip 'needs root', 3 unless $> == 0;
	chown 0, 0, $ring;
	chmod 0600, $ring;
	refused('another owner', qr/could not open keyring file|does not belong to the user/);
	chown +(getpwnam('nobody'))[2], 0, $ring;
	like(sql('SELECT orla_api.jwks();'), qr/Permission denied|does not belong/, 'yet another');
	put($ring, $good);
}

# The path is for superusers; a tenant meets the name alone.
unlink $ring;
unlike(sql("SET ROLE orla_user;\nSELECT orla_api.jwks();", user => 'somebody'), qr/\Q$data\E/, 'a tenant is not told the folder');
like(sql("SET ROLE orla_user;\nSELECT orla_api.jwks();", user => 'somebody'), qr/keyring file "orla.keyring" does not exist/, 'but what is the matter');
put($ring, $good);

# ---- rotated -----------------------------------------------------------------

my @before = keys_of($good);
my $rotated = sql("SELECT use || ' ' || round(extract(epoch FROM active_from - now()) / 60) FROM orla.rotate_keys();");
is($rotated, "seal 0\nsign 1\nmac 0", 'rotation adds keys; the one for signing waits for a minute');
like(sql("LISTEN pgrst;\nSELECT count(*) FROM orla.rotate_keys();"), qr/^3\nAsynchronous notification "pgrst" with payload "reload config"/, 'PostgREST hears of it');
put($ring, $good);
sql('SELECT orla.rotate_keys();');
my $after = slurp($ring);
is(scalar(keys_of($after)), 6, 'the old ones stay');
is(S_IMODE((stat $ring)[2]), 0600, 'the file is the server\'s alone');
is($session->ask($unseal), 'hushhush', 'what the old ones sealed opens');
is($session->ask("SELECT jsonb_array_length(orla_api.jwks() -> 'keys');"), '2', 'both signing keys are published');
my ($retire, $active) = map { my @f = split / /; $f[5] || $f[4] } grep { /^sign/ } keys_of($after);
is($retire - $active, 3600 + 60, 'the old one is good until the last token made with it has expired');

{
	my $done = 0;
	my @rotations = map {
		open(my $out, '-|', $c->psql, '-c', 'SELECT count(*) FROM orla.rotate_keys()') or die $!;
		$out
	} 1 .. 6;
	# Somebody who reads meanwhile always finds a whole ring.
	my $failures = 0;
	$failures += $session->ask($unseal) ne 'hushhush' for 1 .. 300;
	$done += (readline($_) // 0) == 3 for @rotations;
	is($done, 6, 'six rotations at once');
	is(scalar(keys_of(slurp($ring))), 6 + 18, 'lose no key of each other');
	is($failures, 0, 'and are never seen half done');
	is(join(' ', glob("$ring?*")), '', 'and leave nothing behind');
}

{
	# A key past its time verifies nothing, is not published and goes at the next rotation.
	my $token = sql("SELECT orla.sign_jwt('{\"sub\": \"x\"}');");
	like(sql("SELECT orla.verify_jwt('$token');"), qr/The token is not an access token/, 'a signature that is good');
	my $kept = slurp($ring);
	put($ring, rewritten($good, sub { $_[0] eq 'sign' ? (@_[ 0 .. 4 ], time - 10 | 0, $_[6]) : @_ }));
	like(sql("SELECT orla.verify_jwt('$token');"), qr/The token names a key that is not in the keyring/, 'and is not when its key has retired');
	is(sql('SELECT orla_api.jwks();'), '{"keys": []}', 'a retired key is not published');
	like(sql("SELECT orla.sign_jwt('{}');"), qr/the keyring has no active signing key/, 'and does not sign');
	sql('SELECT orla.rotate_keys();');
	is(join(' ', map { (split / /)[0] } keys_of(slurp($ring))), 'seal mac seal sign mac', 'it goes at the next rotation');
	# Also not for a session that has seen the token before, though the file is the same.
	put($ring, rewritten($good, sub { $_[0] eq 'sign' ? (@_[ 0 .. 4 ], time + 3 | 0, $_[6]) : @_ }));
	my $whole = sql("SELECT orla.sign_jwt(jsonb_build_object(
		'iss', current_setting('orla.issuer') || ':' || i.id, 'aud', 'orla', 'sub', i.id, 'sid', i.id, 'gen', 1,
		'role', 'orla_user', 'token_use', 'access', 'iat', 1, 'nbf', 1, 'exp', 4000000000)) FROM orla.instance AS i;");
	my $seen = "SELECT orla.verify_jwt('$whole') ->> 'gen';";
	my $before = $session->ask($seen);
	my $tries = 0;
	select(undef, undef, undef, 0.1) while $session->ask($seen) eq '1' && $tries++ < 100;
	is($before, '1', 'a key that is about to retire is good');
	like($session->ask($seen), qr/The token names a key that is not in the keyring/, 'until it does, whoever has seen the token before');
	put($ring, rewritten($good, sub { $_[0] eq 'sign' ? () : @_ }));
	sql('SELECT orla.rotate_keys();');
	# One that becomes active later than one made after it is not preferred.
	my ($sign, $newer) = grep { /^sign/ } keys_of($kept);
	my $now = time | 0;
	put($ring, rewritten($kept, sub {
		my @f = @_;
		return @f if $f[0] ne 'sign';
		return if "@f" ne substr($sign, 0, length "@f") && "@f" ne substr($newer, 0, length "@f");
		return "@f" eq substr($sign, 0, length "@f") ? (@f[ 0 .. 2 ], $now - 50, $now - 5, $now + 900, $f[6]) : (@f[ 0 .. 2 ], $now - 40, $now - 40, 0, $f[6]);
	}));
	my ($expected) = $newer =~ /^sign (\S+)/;
	is(sql("SELECT convert_from(decode(rpad(translate(h, '-_', '+/'), (length(h) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb ->> 'kid'
			  FROM split_part(orla.sign_jwt('{}'), '.', 1) AS h;"), $expected, 'the key made last signs, also if an older one was to wait longer');
	put($ring, rewritten($good, sub { (@_[ 0 .. 3 ], $_[0] eq 'seal' ? time + 1000 | 0 : $_[4], @_[ 5, 6 ]) }));
	like(sql("SELECT orla.seal('x', NULL, 'x');"), qr/the keyring has no active key for sealing/, 'a key that is not active yet does not seal');
	is(sql($unseal), 'hushhush', 'but opens');
	put($ring, $kept);
}

{
	mkdir "$dir/elsewhere";
	put("$dir/elsewhere/ring", slurp($ring));
	sql("ALTER DATABASE app SET orla.keyring_file = '$dir/elsewhere/ring';");
	chmod 0555, "$dir/elsewhere";
	is(sql($unseal), 'hushhush', 'the file may lie elsewhere');
	like(sql('SELECT orla.rotate_keys();'), qr/could not create keyring file "ring\.\d+\.new": Permission denied/, 'a folder that cannot be written to');
	is(slurp("$dir/elsewhere/ring"), slurp($ring), 'leaves the ring as it was');
	sql('ALTER DATABASE app RESET orla.keyring_file;');
}

# ---- printed by a command ----------------------------------------------------

sub with_command
{
	my ($command, @statements) = @_;
	$command =~ s/'/''/g;
	return sql(join("\n", "SET orla.keyring_command = '$command';", @statements));
}

# What a process was started with, by its folder in /proc; it may have ended.
sub command_of
{
	my ($process) = @_;
	open(my $in, '<', "$process/cmdline") or return '';
	return join(' ', split /\0/, readline($in) // '');
}

my $print = "echo run >> $dir/runs; cat $ring";
sub runs { return -e "$dir/runs" ? scalar(split /\n/, slurp("$dir/runs")) : 0 }
chmod 0777, $dir;
is(with_command($print, $unseal, $unseal, $unseal), "hushhush\nhushhush\nhushhush", 'a command may print the ring');
is(runs(), 1, 'which runs once for a session');
my $keeper = $c->session(database => 'app');
$keeper->ask("SET orla.keyring_command = '$print';");
is($keeper->ask($unseal), 'hushhush', 'another session');
sql('SELECT pg_reload_conf();');
# the session hears of it between two statements
my $reread;
Cluster::waits_until(sub { $reread = $keeper->ask($unseal); return runs() > 2 });
is($reread, 'hushhush', 'after the configuration was reloaded');
is(runs(), 3, 'it runs again');
like(with_command('cat /nowhere', $unseal), qr/orla.keyring_command failed\nDETAIL:  Its exit status is not 0/, 'a command that fails');
like(with_command('true', $unseal), qr/output of orla.keyring_command is not a keyring\nDETAIL:  Line 1: It is empty/, 'prints nothing');
like(with_command("head -c 100 $ring", $unseal), qr/output of orla.keyring_command is not a keyring/, 'prints a part');
like(with_command('yes', $unseal), qr/It prints more than a keyring can be/, 'never stops to print');
like(with_command("cat $data/other.keyring", 'SELECT orla_api.jwks();'), qr/not that of this database/, 'prints another ring');
my $start = time;
my $nap = "4711.$$";        # as no other process has it
like(with_command("sleep $nap", "SET statement_timeout = '300ms';", $unseal), qr/canceling statement due to statement timeout/, 'never ends, and can be cancelled');
cmp_ok(time - $start, '<', 30, 'at once');
like(with_command("cat $ring; exec 1>&-; sleep $nap", "SET statement_timeout = '300ms';", $unseal), qr/canceling statement due to statement timeout/, 'likewise after its output has ended');
ok(Cluster::waits_until(sub { !grep { command_of($_) eq "sleep $nap" } glob('/proc/[0-9]*') }), 'and nothing of it is left');
is(with_command("read line; cat $ring", $unseal), 'hushhush', 'it has nothing to read');
sql("ALTER DATABASE app SET orla.keyring_command = 'cat $ring';");
like(sql('SELECT orla.rotate_keys();'), qr/cannot rotate keys that a command prints\nDETAIL:  orla.keyring_command is set\.\nHINT:  Rotate them where the command gets them from/, 'rotation is refused');
sql('ALTER DATABASE app RESET orla.keyring_command;');

# ---- never shown -------------------------------------------------------------

my $log = slurp("$dir/server.log");
my %secret = map { (split / /)[6] => 1 } map { keys_of(slurp($_)) } $ring, "$data/other.keyring";
ok(!(grep { index($log, $_) >= 0 } keys %secret), 'the server log has no key');
like($log, qr/LOG:  made keyring file "\Q$ring\E"/, 'but tells that a ring was made');

done_testing();
