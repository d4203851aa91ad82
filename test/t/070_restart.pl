#!/usr/bin/perl
# What takes a server of one's own: CREATE EXTENSION where it is refused, the
# three ways to load the library, restarts and crashes with prepared transactions
# in between, and DROP EXTENSION with data.
# Way 26 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Cluster;
use Test::More;

my $quiet   = "SET client_min_messages = warning;\n";
my $nothing = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^orla'";
my @prepare = ('max_prepared_transactions=5');
my ($ada, $ben) = ('aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002');

my $c = Cluster->new('restart', @prepare);
$c->sql('CREATE ROLE owner LOGIN CREATEDB CREATEROLE', database => 'postgres');
$c->sql('CREATE DATABASE app OWNER owner', database => 'postgres');

# ---- CREATE EXTENSION that is refused ----------------------------------------------

like($c->sql('CREATE EXTENSION orla CASCADE;', user => 'owner'), qr/ERROR:  permission denied to create extension "orla"/, 'nobody but a superuser installs, not even the database\'s owner');
like($c->sql('CREATE EXTENSION orla;'), qr/ERROR:  required extension "pgcrypto" is not installed\nHINT:  .*CASCADE/, 'without pgcrypto the hint says how');

# The check of the server's version is that of the install script, in a copy in
# which other releases are asked for.
my $config = $ENV{PG_CONFIG} // 'pg_config';
chomp(my $extensions = `$config --sharedir` . '/extension');
$extensions =~ s/\n//g;
my ($version) = Cluster::slurp("$extensions/orla.control") =~ /^default_version = '(.*)'/m;
my $script = Cluster::slurp("$extensions/orla--$version.sql");
my $have = $c->sql('SHOW server_version_num;', database => 'postgres');
my @copies;
END { unlink @copies }

sub copied
{
	my ($name, $from, $to) = @_;
	my $copy = $script;
	$copy =~ s/\Q$from\E/$to/ or die "the script does not say $from\n";
	push @copies, "$extensions/orla--$name.sql";
	open(my $out, '>', $copies[-1]) or die "$copies[-1]: $!\n";
	print {$out} $copy;
	close $out or die $!;
	chmod 0644, $copies[-1];
	return $c->sql("$quiet CREATE EXTENSION orla VERSION '$name' CASCADE;");
}

my ($major) = $have =~ /^(\d\d)/;
my ($asked) = $script =~ /\(VALUES \((.*?)\)\) AS m/ or die;
is($asked, '15, 150020', 'the script asks for 15.20');
like(copied('0.0.1', "($asked)", "($major, " . ($have + 1) . ')'),
	qr/ERROR:  orla needs PostgreSQL $major\.\d+ or a later release of PostgreSQL $major\nDETAIL:  This server is PostgreSQL $major\.\d+.*; earlier releases have known holes in row security\.\nHINT:  Install the latest minor release/,
	'a minor release that is too old is refused');
is($c->sql("$nothing;"), 0, 'and nothing is left behind');
is($c->sql("SELECT count(*) FROM pg_roles WHERE rolname ~ '^orla_';"), 0, 'no role either');
like(copied('0.0.2', 'have < 150000', "have < $have + 1"), qr/ERROR:  orla needs PostgreSQL 15 or later\nDETAIL:  This server is PostgreSQL $major/, 'so is a major release');
is(copied('0.0.3', "($asked)", "($major, $have)"), '', 'the release that is asked for is taken');
$c->sql("$quiet DROP EXTENSION orla;");
is(copied('0.0.4', "($asked)", '(99, 990020)'), '', 'and a major release of which no minor is known to be bad');
is($c->sql("$quiet DROP EXTENSION orla; $nothing;"), 0, 'both go again, as they have no data');

is($c->sql("$quiet CREATE EXTENSION orla CASCADE;"), '', 'a superuser installs');
like($c->sql('CREATE EXTENSION orla;'), qr/ERROR:  extension "orla" already exists/, 'but not twice');
is($c->sql("$quiet CREATE EXTENSION IF NOT EXISTS orla;"), '', 'unless that is meant');
$c->sql('CREATE DATABASE taken', database => 'postgres');
$c->sql('CREATE SCHEMA orla;', database => 'taken');
like($c->sql("$quiet CREATE EXTENSION orla CASCADE;", database => 'taken'), qr/ERROR:  schema "orla" already exists/, 'a schema that is there is not taken over');

# ---- accounts, and who uses them -----------------------------------------------------

$c->sql("$quiet ALTER DATABASE app SET orla.password_memory = 7168;
	CREATE ROLE web LOGIN NOINHERIT; SELECT orla.allow_http_login('web');
	CREATE ROLE tess LOGIN; GRANT orla_user TO tess;");
my %token;
for my $name (qw(ada ben))
{
	$c->sql("SET ROLE orla_anon; SELECT orla_api.register('$name', '$name\@example.org', 'a long password');", user => 'web');
	my $mail = $c->sql("SELECT substring(orla.render_mail(id) FROM 'token=(\\S+)') FROM orla.outbox WHERE to_address = '$name\@example.org';");
	my $answer = $c->sql("SET ROLE orla_anon; SELECT orla_api.verify_email('$mail', 'a long password');", user => 'web');
	($token{$name}) = $answer =~ /"access_token": "([^"]+)"/ or die $answer;
	$c->sql("INSERT INTO orla.content_library (user_id, title) SELECT id, 'of $name' FROM orla.users WHERE name = '$name';");
}

sub as_tenant
{
	my ($name, $sql, $end) = @_;
	return $c->sql("BEGIN;\nDO \$\$ BEGIN PERFORM orla.authenticate('$token{$name}'); END \$\$;\n$sql\n" . ($end // 'COMMIT;'), user => 'tess');
}
my $titles = "SELECT string_agg(title, ', ' ORDER BY title) FROM orla_api.content_library;";

# The boundary, in whatever way the library came to be loaded.
sub boundary_holds
{
	my ($how) = @_;
	my $id = $c->sql("SELECT id FROM orla.users WHERE name = 'ben';");
	is(as_tenant('ada', $titles), 'of ada', "$how: Ada sees what is hers");
	is($c->sql($titles, user => 'tess'), '', "$how: nobody sees nothing, as the first statement of a session");
	unlike($c->sql("SET orla.tenant = '$id';\n$titles", user => 'tess'), qr/of ben/, "$how: a setting from before the library does not count");
	unlike($c->sql("BEGIN; SET LOCAL orla.tenant = '$id';\n$titles", user => 'tess'), qr/of ben/, "$how: nor one in a transaction");
	unlike($c->sql($titles, user => 'tess', options => "-c orla.tenant=$id"), qr/of ben/, "$how: nor one in start-up options");
	like($c->sql("SET ROLE orla_anon; SELECT orla_api.login('ada\@example.org', 'a long password');", user => 'web'), qr/access_token/, "$how: sign-in works");
	like($c->sql("SET ROLE orla_anon; SELECT orla_api.login('ada\@example.org', 'a wrong password');", user => 'web'), qr/ERROR:  sign-in refused/, "$how: with the right password");
	for my $drop ('DROP EXTENSION orla', 'DROP EXTENSION orla CASCADE', 'DROP EXTENSION pgcrypto CASCADE', 'DROP EXTENSION plpgsql CASCADE',
		'DROP SCHEMA orla CASCADE', 'DROP SCHEMA orla_api CASCADE', 'DROP OWNED BY orla_service CASCADE')
	{
		like($c->sql("$quiet $drop;"), qr/ERROR:  cannot drop (?:extension orla because its tables have rows\nDETAIL:  .* account\(s\) and .* would be lost|\w+ \S+ because extension orla requires it)/, "$how: $drop is refused");
	}
}

my $first = 'EXPLAIN ANALYZE SELECT 1;';
my $findings = "SELECT string_agg(problem, '; ') FROM orla.check_isolation() WHERE problem ~ 'library|preload';";

like($c->sql($findings), qr/library is not loaded from a session's first statement on/, 'without preloading check_isolation() says what is weaker');
like($c->sql($first, user => 'tess'), qr/Execution Time/, 'which is: the first statement is not guarded');
like($c->sql("SELECT orla.current_tenant();\n$first", user => 'tess'), qr/ERROR:  permission denied for EXPLAIN ANALYZE/, 'a later one is');
boundary_holds('nothing preloaded');
$c->sql('SELECT orla.harden();');
is($c->sql($findings), '', 'after harden() there is nothing to say');
like($c->sql($first, user => 'tess'), qr/ERROR:  permission denied for EXPLAIN ANALYZE/, 'the first statement is guarded');
boundary_holds('session_preload_libraries');

# ---- prepared transactions over restarts ------------------------------------------------

is(as_tenant('ada', "INSERT INTO orla_api.content_library (title) VALUES ('prepared');", "PREPARE TRANSACTION 'kept';\n$titles"), '', 'after PREPARE TRANSACTION the session has no tenant');
as_tenant('ada', "INSERT INTO orla_api.content_library (title) VALUES ('prepared and undone');", "PREPARE TRANSACTION 'undone';");
as_tenant('ben', "DELETE FROM orla_api.content_library;", "PREPARE TRANSACTION 'deleted';");
$c->sql("BEGIN; SELECT orla.audit('prepared', 'success', NULL); PREPARE TRANSACTION 'audit';");
$c->sql('SELECT orla.audit_seal();');
$c->stop('immediate');
$c->start(@prepare, 'shared_preload_libraries=orla');
is($c->sql('SHOW shared_preload_libraries;'), 'orla', 'after a crash the server preloads the library');
is($c->sql('SELECT count(*) FROM pg_prepared_xacts;'), 4, 'prepared transactions are there');
is(as_tenant('ada', $titles), 'of ada', 'and not done');
like($c->sql("COMMIT PREPARED 'undone';", user => 'web'), qr/ERROR:  permission denied to finish prepared transaction/, 'whoever has no business with one does not finish it');
is($c->sql("COMMIT PREPARED 'kept';\n$titles", user => 'tess'), '', 'who commits one gets no tenant by it');
$c->sql("ROLLBACK PREPARED 'undone';", user => 'tess');
$c->stop('fast');
$c->start(@prepare, 'shared_preload_libraries=orla');
$c->sql("COMMIT PREPARED 'deleted';", user => 'tess');
is(as_tenant('ada', $titles), 'of ada, prepared', 'what was committed is hers who was proven before');
is(as_tenant('ben', $titles), '', 'and his');
$c->sql("INSERT INTO orla.content_library (user_id, title) SELECT id, 'of ben' FROM orla.users WHERE name = 'ben'; DELETE FROM orla.content_library WHERE title = 'prepared';");
$c->sql("COMMIT PREPARED 'audit';");
isnt($c->sql('SELECT orla.audit_seal();'), '', 'a prepared audit row is sealed later');
is($c->sql('SELECT * FROM orla.audit_verify();'), '', 'which is no tampering');

# ---- preloaded by the server ---------------------------------------------------------------

$c->sql('ALTER DATABASE app RESET session_preload_libraries;');
is($c->sql($findings), '', 'with shared_preload_libraries there is nothing to say either');
like($c->sql($first, user => 'tess'), qr/ERROR:  permission denied for EXPLAIN ANALYZE/, 'the first statement is guarded');
boundary_holds('shared_preload_libraries');
is($c->sql('CREATE TABLE t (i int); INSERT INTO t VALUES (1); SELECT * FROM t; DROP TABLE t;', database => 'postgres'), 1, 'a database without orla is as ever');
is($c->sql("$quiet CREATE EXTENSION pgcrypto; DROP EXTENSION pgcrypto;", database => 'postgres'), '', 'and drops what it likes');

# ---- DROP EXTENSION, insisted on --------------------------------------------------------------

like($c->sql("SET orla.allow_drop = on;", user => 'owner'), qr/ERROR:  permission denied to set parameter "orla.allow_drop"/, 'only a superuser insists');
$c->stop('fast');
$c->start(@prepare);
like($c->sql("DROP EXTENSION orla;", user => 'owner'), qr/ERROR:  must be owner of extension orla/, 'a database\'s owner does not drop it');
like($c->sql("DROP EXTENSION orla;"), qr/ERROR:  cannot drop extension orla because its tables have rows\nDETAIL:  .*altogether 2 account\(s\) and 2 content item\(s\) would be lost, and no key can open the sealed ones again\.\nHINT:  Take a dump first/,
	'after a restart without preloading it says what would be lost');
is($c->sql("SELECT orla.current_tenant() IS NULL;\nSET orla.allow_drop = on;\n$quiet DROP EXTENSION orla;\n$nothing;"), "t\n0", 'and does it where a superuser insists');
is($c->sql("$quiet CREATE EXTENSION orla; SELECT count(*) FROM orla.users;"), 0, 'a new install begins anew');
is($c->sql("SELECT orla.ensure_instance() IS NULL; SELECT * FROM orla.audit_verify();"), 'f', 'with the same keyring');
is($c->sql('DROP DATABASE app WITH (FORCE);', database => 'postgres'), '', 'DROP DATABASE is not an extension\'s to refuse');

done_testing();
