#!/usr/bin/perl
# What the owner of the database, and of schema public, plants there for the worker,
# the processes for one call, functions with orla's rights, or a superuser's check:
# triggers on tables of his own, settings, functions and operators, extensions.
#
# Ways 163, 164, 165, 166 and 167 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 300;

my $c = Custody->new('planted', only => [qw(dropbox)], server => ['max_worker_processes=24']);
my ($ada, $ben) = map { $c->sign_up($_) } qw(ada ben);
$c->configure('dropbox');
$c->account('dropbox', 'ben@box.example');
$c->connect($ben, 'dropbox', 'ben@box.example');

# A table as the documentation has it, whose owner is no superuser.
is($c->sql(<<'SQL'), '', 'a database, a table and schema public of somebody who is no superuser');
CREATE ROLE landlord LOGIN;
ALTER DATABASE app OWNER TO landlord;
CREATE SCHEMA loot AUTHORIZATION landlord;
CREATE TABLE loot.notes (
    user_id uuid NOT NULL DEFAULT orla.current_tenant() REFERENCES orla.users (id) ON DELETE CASCADE,
    id      uuid NOT NULL DEFAULT gen_random_uuid(),
    PRIMARY KEY (user_id, id)
);
INSERT INTO loot.notes (user_id) SELECT id FROM orla.users;
ALTER TABLE loot.notes OWNER TO landlord;
DO $$ BEGIN PERFORM orla.protect('loot.notes'); END $$;
GRANT USAGE ON SCHEMA loot TO PUBLIC;
SQL
# past what he will set for sessions of this database
my $past = '-c role=none -c statement_timeout=0 -c default_transaction_read_only=off';
sub landlord { my ($sql) = @_; return $c->sql($sql, user => 'landlord', options => $past) }
sub findings { return $c->value("SELECT coalesce(string_agg(concat_ws(': ', object, problem), E'\n'), '') FROM orla.check_isolation() WHERE concat(object, problem) ~ '$_[0]'") }

is(landlord(<<'SQL'), '', 'he notes who runs what he has planted');
CREATE TABLE loot.seen (who text, what text);
GRANT INSERT ON loot.seen TO PUBLIC;
CREATE FUNCTION loot.on_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    BEGIN
        SELECT count(*) INTO found FROM orla.users WHERE password_hash <> '';
    EXCEPTION WHEN insufficient_privilege THEN
        found := 'nothing';
    END;
    INSERT INTO loot.seen VALUES (current_user, TG_NAME || ': ' || found);
    RETURN CASE WHEN TG_WHEN = 'BEFORE' THEN OLD END;
END
$$;
SQL
sub seen { my $seen = $c->value("SELECT coalesce(string_agg(who || ' ' || what, ', ' ORDER BY what), '') FROM loot.seen"); landlord('DELETE FROM loot.seen;'); return $seen }

# ---- triggers that wait for the end of a deletion --------------------------------------

# Way 163
my @planted = (
	'AFTER DELETE ON loot.notes FOR EACH ROW', 'AFTER DELETE ON loot.notes FOR EACH STATEMENT',
	'AFTER DELETE ON loot.notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW');
for my $when (@planted)
{
	my $kind = $when =~ /DEFERRED/ ? 'CONSTRAINT TRIGGER' : 'TRIGGER';
	is(landlord("CREATE $kind planted $when EXECUTE FUNCTION loot.on_row();"), '', "a trigger $when");
	like(findings('planted'), qr/^loot\.notes: trigger "planted" would run as orla_service where a key deletes or changes rows, which is refused$/, 'is reported');
	like($c->as($ada, "SELECT orla_api.delete_account('Correct-Horse-42')"), qr/^ERROR:  permission denied to run a trigger as orla_service\nDETAIL:  Its function does not belong to a superuser\./m, 'and does not run when an account is deleted');
	is(seen(), '', 'nor leaves anything');
	is($c->value("SELECT count(*) FROM orla.users WHERE id = '$ada->{id}'"), '1', 'the account is there');
	landlord('DROP TRIGGER planted ON loot.notes;');
}
like(Cluster::slurp($c->{log}), qr/LOG:  orla refused to run trigger function loot\.on_row\(\) as orla_service/, 'the log names the function');
is(landlord('CREATE TRIGGER planted AFTER INSERT OR DELETE ON loot.notes FOR EACH ROW EXECUTE FUNCTION loot.on_row();
             ALTER TABLE loot.notes DROP CONSTRAINT notes_user_id_fkey;'), '', 'without the key');
is(findings('planted'), '', 'there is nothing to report');
$c->sql('ALTER TABLE loot.notes ADD CONSTRAINT notes_user_id_fkey FOREIGN KEY (user_id) REFERENCES orla.users (id) ON DELETE CASCADE;');
$c->sql('ALTER FUNCTION loot.on_row() OWNER TO postgres;');
is(findings('planted'), '', 'nor where a superuser owns the function');
$c->sql('ALTER FUNCTION loot.on_row() OWNER TO landlord; DROP TRIGGER planted ON loot.notes;');
landlord('CREATE TRIGGER before BEFORE DELETE ON loot.notes FOR EACH ROW EXECUTE FUNCTION loot.on_row();');
like($c->as($ada, "SELECT orla_api.delete_account('Correct-Horse-42')"), qr/Your account has been deleted/, 'a BEFORE trigger');
is(seen(), 'landlord before: nothing', 'runs as the table\'s owner');
is($c->value("SELECT count(*) FROM loot.notes WHERE user_id = '$ada->{id}'"), '0', 'and the rows go');
landlord('DROP TRIGGER before ON loot.notes;');

# ---- names and settings ------------------------------------------------------------------

# Ways 164 and 165: each function says that it was called, and goes on as PostgreSQL's.
is(landlord(<<'SQL'), '', 'functions, operators, types, a cast, a collation and a configuration for words, with names of PostgreSQL\'s');
CREATE FUNCTION public.saw(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN INSERT INTO loot.seen VALUES (current_user, what); RETURN true; END $$;
CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM public.saw('now'); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM public.saw('clock'); RETURN pg_catalog.clock_timestamp(); END $$;
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.saw('lower'); RETURN pg_catalog.lower($1); END $$;
CREATE FUNCTION public.same(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN public.saw('uuid ='); END $$;
CREATE OPERATOR public.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = public.same);
CREATE FUNCTION public.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN public.saw('text ='); END $$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.same);
CREATE FUNCTION public.member(jsonb, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.saw('->>'); RETURN $1 OPERATOR(pg_catalog.->>) $2; END $$;
CREATE OPERATOR public.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = public.member);
CREATE DOMAIN public.jsonb AS pg_catalog.jsonb CHECK (public.saw('jsonb'));
CREATE DOMAIN public.uuid AS pg_catalog.uuid CHECK (public.saw('uuid type'));
CREATE TYPE public.own AS (a int);
CREATE FUNCTION public.to_text(public.own) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.saw('cast'); RETURN ''; END $$;
CREATE CAST (public.own AS text) WITH FUNCTION public.to_text(public.own) AS IMPLICIT;
CREATE COLLATION public."C" (locale = 'C.UTF-8');
CREATE TEXT SEARCH CONFIGURATION public.simple (COPY = pg_catalog.english);
SQL
my @settings = (
	"search_path = public, loot, pg_catalog", "role = landlord", "row_security = off", "transform_null_equals = on", "array_nulls = off",
	"default_transaction_isolation = serializable", "default_transaction_read_only = on", "synchronous_commit = off", "bytea_output = escape",
	"\"DateStyle\" = 'German'", "\"IntervalStyle\" = sql_standard", "\"TimeZone\" = 'Asia/Kathmandu'", "extra_float_digits = -15", "xmloption = document",
	"default_text_search_config = 'public.simple'", "standard_conforming_strings = off", "quote_all_identifiers = on", "gin_fuzzy_search_limit = 1",
	"debug_print_plan = on", "statement_timeout = '1ms'", "plan_cache_mode = force_custom_plan", "jit_above_cost = 0");
like(landlord("ALTER DATABASE app SET $_;"), qr/^ERROR:  permission denied to set parameter/, "he may not set $_")
  for q(session_preload_libraries = 'x'), 'session_replication_role = replica', q(dynamic_library_path = '/tmp'), 'plpgsql.variable_conflict = use_column', 'orla.allow_loopback_http = on';
is(landlord(join '', map { "ALTER DATABASE app SET $_;\n" } @settings), '', 'but all others that a database can have');
is($c->sql('SELECT now() IS NOT NULL;', options => $past), 't', 'whoever comes now and names no schema');
like(seen(), qr/^postgres now$/, 'runs what is his');

sub quiet { return $c->sql("SET search_path = pg_catalog; $_[0]", options => $past) }

# by the worker, which starts anew with these settings
{
	my $before = $c->worker;
	$c->value("SELECT pg_terminate_backend($before)");
	ok(Cluster::waits_until(sub { $c->value("SELECT ready AND pid <> $before FROM orla.worker_status") eq 't' }), 'the worker starts under them');
}
like(quiet("SELECT orla_api.login('ben\@example.org', 'Correct-Horse-42') -> 'user' ->> 'name';"), qr/^ben$/, 'people sign in');
like(quiet("SELECT orla_api.login('ben\@example.org', 'Wrong-Horse-42');"), qr/^ERROR:  sign-in refused|^ERROR:  .*(password|sign)/mi, 'with their own password alone');
$c->set($ben, 'dropbox', "token_expires_at = now() - interval '1 second', next_request_at = now()");
ok(Cluster::waits_until(sub { $c->column($ben, 'dropbox', 'token_expires_at > now()') eq 't' }), 'connections are refreshed');
is(quiet("SELECT orla.do_keep_house('{}') ->> 'answer' IS NULL;"), 't', 'the house is kept');
is(seen(), '', 'and nothing of his has run');

# by a process for one call
$c->sql("ALTER SYSTEM SET orla.databases = '';", database => 'postgres');
$c->sql('SELECT pg_reload_conf();', database => 'postgres');
ok(Cluster::waits_until(sub { $c->value('SELECT pid IS NULL FROM orla.worker_status') eq 't' }), 'without a worker');
like(quiet("SELECT orla_api.login('ben\@example.org', 'Correct-Horse-42') -> 'user' ->> 'name';"), qr/^ben$/, 'people sign in');
is(seen(), '', 'and nothing of his has run');
like(quiet('BEGIN; SET LOCAL ROLE orla_user; SELECT count(*) FROM orla_api.brand_strategy;'), qr/^ERROR:  query would be affected by row-level security/, 'row_security = off is an error');
is(quiet('BEGIN; SET LOCAL ROLE orla_user; SET row_security = on; SELECT count(*) FROM orla_api.brand_strategy;'), '0', 'and no row without a tenant');
$c->sql('ALTER DATABASE app RESET ALL;', database => 'postgres');
$c->sql('ALTER DATABASE app SET orla.password_memory = 7168; ALTER DATABASE app SET orla.sign_in_floor = 0;', database => 'postgres');
$c->sql("ALTER SYSTEM SET orla.databases = 'app';", database => 'postgres');
$c->sql('SELECT pg_reload_conf();', database => 'postgres');
$c->wait_for_worker;

# ---- what PostgreSQL refuses --------------------------------------------------------------

# Way 166
my @refused = (
	['CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION loot.on_event()', 'permission denied to create event trigger'],
	['ALTER ROLE orla_service IN DATABASE app SET search_path = loot', 'permission denied'],
	['ALTER ROLE orla_service SET search_path = loot', 'permission denied'],
	['ALTER DEFAULT PRIVILEGES FOR ROLE orla_service GRANT ALL ON TABLES TO landlord', 'must be member of role "orla_service"'],
	['CREATE FUNCTION orla.do_steal(pg_catalog.jsonb) RETURNS pg_catalog.jsonb LANGUAGE sql AS $$ SELECT NULL::pg_catalog.jsonb $$', 'permission denied for schema orla'],
	['CREATE FUNCTION pg_catalog.own() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', 'permission denied for schema pg_catalog'],
	['ALTER SCHEMA orla RENAME TO mine', 'must be owner of schema orla'],
	['CREATE CAST (pg_catalog.jsonb AS int) WITHOUT FUNCTION AS IMPLICIT', 'must be owner of type'],
	['CREATE OPERATOR CLASS loot.c DEFAULT FOR TYPE pg_catalog.uuid USING btree AS STORAGE pg_catalog.uuid', 'must be superuser to create an operator class'],
	['CREATE PUBLICATION p FOR ALL TABLES', 'must be superuser'],
	['CREATE PUBLICATION p FOR TABLES IN SCHEMA orla', 'must be superuser'],
	(map { [$_, 'permission denied for schema orla'] } 'CREATE PUBLICATION p FOR TABLE orla.users', 'CREATE STATISTICS loot.st ON id, email FROM orla.users',
		'CREATE RULE r AS ON INSERT TO orla.sessions DO ALSO NOTHING', 'CREATE INDEX ON orla.users ((email || loot.x()))', 'CREATE TABLE loot.child () INHERITS (orla.users)',
		'CREATE TABLE loot.key (id uuid REFERENCES orla.users ON DELETE CASCADE)', 'CREATE TRIGGER t AFTER INSERT ON orla.sessions FOR EACH ROW EXECUTE FUNCTION loot.on_row()'),
	['SECURITY LABEL ON SCHEMA orla IS $$x$$', 'no security label providers have been loaded'],
	['CREATE FOREIGN DATA WRAPPER w', 'permission denied to create foreign-data wrapper']);
landlord("CREATE FUNCTION loot.on_event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';");
like(landlord("SET search_path = pg_catalog; $_->[0];"), qr/^ERROR:  \Q$_->[1]\E/m, $_->[0] =~ s/ AS .*//r) for @refused;
is($c->sql('CREATE ROLE operator LOGIN IN ROLE orla_admin;', database => 'postgres'), '', 'an operator');
like($c->sql($_, user => 'operator'), qr/^ERROR:  (?:permission denied|must be owner)/m, "may not: $_")
  for q(SELECT orla.do_keep_house('{}');), 'CREATE FUNCTION orla.do_steal(jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT NULL::jsonb $$;', 'SET ROLE orla_service;',
  'ALTER FUNCTION orla.do_keep_house(jsonb) SET search_path = loot;', q(SELECT orla.perform('keep_house', '{}');), 'ALTER DATABASE app SET search_path = loot;';

# ---- extensions that PostgreSQL trusts -------------------------------------------------------

# Way 167: PostgreSQL does not ask whether he may create anything in the schema.
for my $schema (qw(orla orla_api pg_catalog))
{
	is(landlord("SET client_min_messages = error; CREATE EXTENSION citext SCHEMA $schema;"), '', "an extension in $schema");
	is(findings('^extension citext'), qq(extension citext: was put into schema $schema by "landlord", who may not create anything there), 'is reported');
	landlord('DROP EXTENSION citext;');
}
landlord('CREATE EXTENSION citext SCHEMA loot;');
is(findings('^extension citext'), '', 'elsewhere it is his own');

done_testing();
