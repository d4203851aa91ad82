#!/usr/bin/perl
# Dump and restore into another cluster: with the keyring everything is as it
# was and goes on; without it, or with another, the error says what is missing.
# Ways 78 and 95 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Cluster;
use File::Copy qw(copy);
use Test::More;

my $quiet = "SET client_min_messages = warning;\n";
my @speed = ('max_connections=50');

# ---- the original ------------------------------------------------------------

my $one = Cluster->new('original', @speed);
$one->sql('CREATE DATABASE app', database => 'postgres');
is($one->sql("$quiet CREATE EXTENSION orla CASCADE; ALTER DATABASE app SET orla.password_memory = 7168;"), '', 'installed');
$one->sql("$quiet CREATE ROLE web LOGIN NOINHERIT; CREATE ROLE olga LOGIN; GRANT orla_admin TO olga;
	CREATE ROLE anna LOGIN; GRANT orla_analyst TO anna; CREATE ROLE tess LOGIN; GRANT orla_user TO tess;
	SELECT orla.allow_http_login('web');
	CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO orla_user;
	CREATE TABLE mine.notes (user_id uuid NOT NULL DEFAULT orla.current_tenant(), note text);
	GRANT SELECT, INSERT ON mine.notes TO orla_user; SELECT orla.protect('mine.notes');");
is($one->sql('SELECT * FROM orla.harden();'), '', 'and hardened: nothing is left to do');

# What an account's functions answer, as an HTTP layer's login.
sub api
{
	my ($c, $call) = @_;
	return $c->sql("SET ROLE orla_anon;\nSELECT orla_api.$call;", user => 'web');
}

sub field
{
	my ($json, $name) = @_;
	return $json =~ /"$name": "([^"]*)"/ ? $1 : '';
}

sub as_tenant
{
	my ($c, $token, $sql) = @_;
	return $c->sql("BEGIN;\nDO \$\$ BEGIN PERFORM orla.authenticate('$token'); END \$\$;\n$sql\nCOMMIT;", user => 'tess');
}

my %of;
for my $name (qw(ada ben))
{
	like(api($one, "register('$name', '$name\@example.org', '${name}s password')"), qr/message/, "$name registers");
	my $mail = $one->sql("SELECT substring(orla.render_mail(id) FROM 'token=(\\S+)') FROM orla.outbox WHERE to_address = '$name\@example.org';", user => 'olga');
	my $answer = api($one, "verify_email('$mail', '${name}s password')");
	$of{$name} = { id => field($answer, 'id'), token => field($answer, 'access_token'), refresh => field($answer, 'refresh_token') };
	is(as_tenant($one, $of{$name}{token}, "INSERT INTO orla_api.content_library (title, content, tags) VALUES ('of $name', 'words', '{tag}');
		INSERT INTO orla_api.competitors (name) VALUES ('rival of $name'); INSERT INTO mine.notes (note) VALUES ('note of $name');"), '', "and has content");
}
$one->sql("INSERT INTO orla_api.competitor_analyses (user_id, competitor_id) SELECT user_id, id FROM orla.competitors;
	INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, access_token)
	VALUES ('$of{ada}{id}', 'dropbox', orla.seal('a token of a cloud', '$of{ada}{id}', 'test'));");
$one->sql("SELECT orla.grant_tenant('anna', '$of{ada}{id}'); SELECT orla.audit_seal();", user => 'olga');
my $old_ring = Cluster::slurp("$one->{data}/orla.keyring");
$one->sql('SELECT orla.rotate_keys();', user => 'olga');
like(api($one, "login('ben\@example.org', 'wrong')"), qr/ERROR:  sign-in refused/, 'a refusal, under the new keys');
$one->sql("INSERT INTO orla.outbox (to_address, subject, template, sealed_token) VALUES ('x\@example.org', 'x', 'verify_email', orla.seal('sealed by the new key', NULL, 'test'));
	SELECT orla.audit_seal();");
# some of the trail was pruned
$one->sql("SELECT orla.audit_prune((SELECT max(sealed_at) FROM orla.audit_batches));");
my ($seq, $digest) = split /\|/, $one->sql('SELECT seq, digest FROM orla.audit_head();', user => 'olga');
cmp_ok($seq, '>', 2, 'there is a head to keep');
is($one->sql('SELECT * FROM orla.audit_verify();'), '', 'of a whole trail');

# Each table's rows; policies, grants, owners, functions, triggers, settings of tables.
my $rows = q{SELECT format('SELECT %L, count(*), md5(string_agg(md5(x::text), '''' ORDER BY md5(x::text))) FROM %s AS x;', oid::regclass, oid::regclass)
	FROM pg_class WHERE relnamespace IN ('orla'::regnamespace, 'mine'::regnamespace) AND relkind = 'r' ORDER BY oid::regclass::text \gexec};
my $catalogue = q{SELECT polrelid::regclass, polname, polcmd, polpermissive, array(SELECT r::regrole::text FROM unnest(polroles) AS r ORDER BY 1), pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
	FROM pg_policy ORDER BY 1::text, 2;
	SELECT oid::regclass, relowner::regrole, relrowsecurity, relforcerowsecurity, reloptions, array(SELECT a::text FROM unnest(relacl) AS a ORDER BY 1)
	FROM pg_class WHERE relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace, 'mine'::regnamespace) AND relkind IN ('r', 'v', 'i') ORDER BY oid::regclass::text;
	SELECT attrelid::regclass, attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid::regclass::text ~ '^(orla|mine)' ORDER BY attrelid::regclass::text, attname;
	SELECT oid::regprocedure, proowner::regrole, prosecdef, proconfig, array(SELECT a::text FROM unnest(proacl) AS a ORDER BY 1)
	FROM pg_proc WHERE pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) ORDER BY oid::regprocedure::text;
	SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1::text, 2;
	SELECT evtname, evtenabled FROM pg_event_trigger;
	SELECT r.rolname, m.rolname FROM pg_auth_members JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member ORDER BY 1, 2;
	SELECT obj_description(oid, 'pg_class') FROM pg_class WHERE relnamespace = 'orla'::regnamespace ORDER BY oid::regclass::text;};
my %was = (rows => $one->sql($rows), catalogue => $one->sql($catalogue));
like($was{rows}, qr/^orla\.users\|2\|/m, 'two accounts');
unlike($was{rows} . $was{catalogue}, qr/ERROR/, 'and a catalogue to compare with');

# The lines that one has and the other has not.
sub same
{
	my ($got, $wanted, $name) = @_;
	my %got    = map { $_ => 1 } split /\n/, $got;
	my %wanted = map { $_ => 1 } split /\n/, $wanted;
	is(join("\n", (map { "only there: $_" } grep { !$wanted{$_} } sort keys %got), (map { "missing: $_" } grep { !$got{$_} } sort keys %wanted)), '', $name);
}

my $dir = $one->{dir};
is_deeply([ $one->run('pg_dumpall', '--roles-only', '-f', "$dir/roles.sql") ], [ '', 0 ], 'roles are dumped');
is_deeply([ $one->run('pg_dump', '-Fc', '-f', "$dir/app.dump", 'app') ], [ '', 0 ], 'and the database');
is_deeply([ $one->run('pg_dump', '-f', "$dir/app.sql", 'app') ], [ '', 0 ], 'also as a script');
my ($script, $ring) = (Cluster::slurp("$dir/app.sql"), Cluster::slurp("$one->{data}/orla.keyring"));
for my $key (grep { defined } map { (split / /)[6] } grep { /^(?:seal|sign|mac) / } split /\n/, $ring)
{
	ok(index($script, $key) < 0, 'without a key in it');
}

# ---- another cluster, without the keyring ----------------------------------------

my $two = Cluster->new('copy', @speed);
my ($said) = $two->run('psql', '-qX', '-d', 'postgres', '-f', "$dir/roles.sql");
is(join("\n", grep { !/role "postgres" already exists/ } split /\n/, $said), '', 'roles are restored');
# One table after the other: pg_restore -j does not know that the tables of an
# extension refer to each other.  What is not rows may be parallel.
$two->run('createdb', 'app');
is_deeply([ $two->run('pg_restore', '-d', 'app', "$dir/app.dump") ], [ '', 0 ], 'the database is restored without an error');
same($two->sql($rows), $was{rows}, 'with the same rows in every table');
same($two->sql($catalogue), $was{catalogue}, 'and the same policies, grants, owners, functions, triggers, comments');
$two->run('createdb', 'sections');
is_deeply([ map { $two->run('pg_restore', @$_, '-d', 'sections', "$dir/app.dump") } [qw(--section=pre-data -j 2)], [qw(--section=data)], [qw(--section=post-data -j 2)] ],
	[ ('', 0) x 3 ], 'likewise by sections');
same($two->sql($rows, database => 'sections'), $was{rows}, 'the same rows');
$two->run('createdb', 'script');
is_deeply([ $two->run('psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', 'script', '-f', "$dir/app.sql") ], [ '', 0 ], 'likewise from the script');
same($two->sql($rows, database => 'script'), $was{rows}, 'the same rows');
same($two->sql($catalogue, database => 'script'), $was{catalogue}, 'and all the rest');

my ($ring_id) = $ring =~ /^orla-keyring 1 (\S+)/;
my $lacking = qr/ERROR:  keyring file "orla\.keyring" does not exist\nDETAIL:  This database needs keyring $ring_id: .*\nHINT:  Restore it from a backup/;
like(api($two, "login('ada\@example.org', 'adas password')"), $lacking, 'without the keyring, sign-in says which file and which ring is missing, and what to do');
like(api($two, "refresh('$of{ada}{refresh}')"), $lacking, 'so does a refresh');
like(as_tenant($two, $of{ada}{token}, 'SELECT;'), $lacking, 'a token');
like($two->sql('SELECT * FROM orla.audit_verify();', user => 'olga'), $lacking, 'the audit trail');
like($two->sql("SELECT orla.unseal(access_token, user_id, 'test') FROM orla.user_cloud_storage_tokens;"),
	qr/ERROR:  keyring file "\Q$two->{data}\E\/orla\.keyring" does not exist/, 'and what is sealed');
ok(!-e "$two->{data}/orla.keyring", 'none of them makes another keyring');
like($two->sql('SELECT count(*) FROM orla.harden();'), qr/^\d+$/, 'harden() does what it can');
ok(!-e "$two->{data}/orla.keyring", 'and makes none either');
is($two->sql('SELECT title FROM orla_api.content_library;', user => 'anna'), 'of ada', 'an analyst needs no key');

# ---- with a ring that is not it ----------------------------------------------------

$two->sql("$quiet CREATE DATABASE other;", database => 'postgres');
$two->sql("$quiet CREATE EXTENSION orla CASCADE; SELECT orla.ensure_instance();", database => 'other');
my ($other_id) = Cluster::slurp("$two->{data}/orla.keyring") =~ /^orla-keyring 1 (\S+)/;
my $foreign = qr/ERROR:  the keyring is not that of this database\nDETAIL:  .*(?:$other_id.*$ring_id|$ring_id.*$other_id)/;
like(api($two, "login('ada\@example.org', 'adas password')"), $foreign, 'with the keyring of another cluster, sign-in names both');
like($two->sql('SELECT * FROM orla.audit_verify();', user => 'olga'), $foreign, 'so does the audit trail');
like($two->sql("SELECT orla.unseal(access_token, user_id, 'test') FROM orla.user_cloud_storage_tokens;"),
	qr/DETAIL:  It was sealed under key "[0-9a-f]{16}", which keyring $other_id does not have/, 'and what is sealed, its key');
is($two->sql('SELECT keyring_id FROM orla.instance;'), $ring_id, 'the database remembers its own');

my ($new_seal) = grep { index($old_ring, $_) < 0 } map { (split / /)[1] } grep { /^seal / } split /\n/, $ring;
my ($new_mac)  = grep { index($old_ring, $_) < 0 } map { (split / /)[1] } grep { /^mac / } split /\n/, $ring;
$two->put("$two->{data}/orla.keyring", $old_ring);
like($two->sql("SELECT orla.unseal(sealed_token, NULL, 'test') FROM orla.outbox WHERE subject = 'x';"), qr/key "$new_seal"/, 'with a copy from before a rotation, the key that it lacks is named');
like($two->sql('SELECT * FROM orla.audit_verify();', user => 'olga'), qr/^row \S+\|has a digest under key "$new_mac", which is not in the keyring$/, 'in the audit trail, too');

# ---- with the keyring ----------------------------------------------------------------

$two->put("$two->{data}/orla.keyring", $ring);
is($two->sql('SELECT * FROM orla.audit_verify();', user => 'olga'), '', 'with its keyring the audit trail is whole');
is($two->sql("SELECT * FROM orla.audit_verify($seq, '$digest');", user => 'olga'), '', 'and ends as it did');
like(as_tenant($two, $of{ada}{token}, 'SELECT title FROM orla_api.content_library;'), qr/^of ada$/, 'a token of the original is good');
like(as_tenant($two, $of{ada}{token}, 'SELECT note FROM mine.notes;'), qr/^note of ada$/, 'for one\'s own rows in a table of one\'s own');
is(as_tenant($two, $of{ben}{token}, "SELECT title FROM orla_api.search_content('words');"), 'of ben', 'found by index');
my $again = api($two, "login('ada\@example.org', 'adas password')");
is(field($again, 'id'), $of{ada}{id}, 'Ada signs in');
is(as_tenant($two, field($again, 'access_token'), 'SELECT title FROM orla_api.content_library;'), 'of ada', 'and sees what is hers');
like(api($two, "login('ada\@example.org', 'bens password')"), qr/ERROR:  sign-in refused/, 'with her password only');
is(field(api($two, "refresh('$of{ben}{refresh}')"), 'id'), $of{ben}{id}, 'Ben\'s refresh token is good');
is($two->sql("SELECT orla.unseal(access_token, user_id, 'test') FROM orla.user_cloud_storage_tokens;"), 'a token of a cloud', 'what is sealed opens');
is($two->sql('SELECT DISTINCT user_id FROM orla_api.content_library;', user => 'anna'), $of{ada}{id}, 'an analyst has her grants');
is($two->sql('SELECT count(*) FROM orla.check_isolation();'), 0, 'and nothing is left to do');
is($two->sql('SHOW session_preload_libraries;'), 'orla', 'since harden() has set what belongs to the database itself');
like($two->sql("DROP EXTENSION orla CASCADE;"), qr/cannot drop extension orla because its tables have rows/, 'it is guarded');
$two->sql('SELECT orla.audit_seal();', user => 'olga');
is($two->sql("SELECT * FROM orla.audit_verify($seq, '$digest');", user => 'olga'), '', 'the trail goes on from where it was');

# ---- a copy that is not the original ----------------------------------------------------

my $fresh = api($two, "login('ben\@example.org', 'bens password')");
my $before = $two->sql('SELECT id FROM orla.instance;');
isnt($two->sql('SELECT orla.new_instance();', user => 'olga'), $before, 'the copy becomes an installation of its own');
like(as_tenant($two, $of{ada}{token}, 'SELECT;'), qr/ERROR:  access token refused\nDETAIL:  .*iss/, 'it refuses the original\'s tokens');
like(as_tenant($two, field($fresh, 'access_token'), 'SELECT;'), qr/ERROR:  access token refused/, 'and its own from before');
like(api($two, "refresh('$_')"), qr/ERROR:  refresh refused/, 'no refresh token is good') for $of{ada}{refresh}, field($fresh, 'refresh_token');
my $own = api($two, "login('ada\@example.org', 'adas password')");
is(as_tenant($two, field($own, 'access_token'), 'SELECT title FROM orla_api.content_library;'), 'of ada', 'sign-in works');
is($two->sql("SELECT * FROM orla.audit_verify($seq, '$digest');", user => 'olga'), '', 'the trail is whole');
like($two->sql("SELECT metadata ->> 'by' FROM orla.audit_log WHERE event_type = 'new_instance';"), qr/^olga$/, 'and says who did it');
is(as_tenant($one, $of{ada}{token}, 'SELECT title FROM orla_api.content_library;'), 'of ada', 'the original goes on as before');
like(as_tenant($one, field($own, 'access_token'), 'SELECT;'), qr/ERROR:  access token refused\nDETAIL:  .*iss/, 'and refuses the copy\'s tokens');

done_testing();
