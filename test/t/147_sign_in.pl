#!/usr/bin/perl
# The worker's part in sign-ins: what is counted and written it does itself, hashes
# are computed by other processes, and nobody waits meanwhile.
#
# Makes a cluster of its own: with a worker, and two places for other processes.
# Way 139 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;

use Cluster;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 200;

# The server's own launcher, ours and the worker have places, too.
my $c = Cluster->new('sign_in', 'shared_preload_libraries=orla', 'orla.databases=app', 'max_worker_processes=5', 'max_parallel_workers=0',
	'orla.sign_in_floor=0', 'orla.refresh_grace=0', 'orla.max_failed_sign_ins=3');
$c->sql('CREATE DATABASE app;', database => 'postgres');
$c->sql(<<'SQL');
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
CREATE TABLE public.writes (place text, pid int);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.writes VALUES (TG_OP || ' ' || TG_TABLE_NAME, pg_backend_pid());
    RETURN NULL;
END $$;
DO $$
BEGIN
    FOR i IN 1 .. 7 LOOP
        EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON orla.%I FOR EACH ROW EXECUTE FUNCTION public.note()',
                       ('{users,sessions,refresh_tokens,sign_in_attempts,pending_registrations,audit_log,outbox}'::text[])[i]);
    END LOOP;
END $$;
-- What a test has the worker do: each returns a step.
CREATE FUNCTION orla.do_hold(args jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"answer": "late", "hold_ms": 1500}'::jsonb $$;
CREATE FUNCTION orla.do_give_away(args jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('apart', 'wait_for_lock', 'args', args) || CASE WHEN args ? 'next' THEN '{"next": "tell", "state": {"of": "mine"}}' ELSE '{}'::jsonb END $$;
CREATE FUNCTION orla.do_wait_for_lock(args jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND granted) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF args ? 'fail' THEN
        RAISE EXCEPTION 'as it was asked to' USING ERRCODE = 'PT418', DETAIL = 'A detail.', HINT = 'A hint.';
    END IF;
    RETURN jsonb_build_object('answer', jsonb_build_object('name', args ->> 'name', 'pid', pg_backend_pid()));
END $$;
CREATE FUNCTION orla.do_tell(args jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('answer', args || jsonb_build_object('pid', pg_backend_pid()))
$$;
CREATE FUNCTION orla.do_costs(args jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('answer', format('%s %s', current_setting('orla.password_passes'), (SELECT s.setting FROM pg_settings AS s WHERE s.name = 'orla.password_memory')))
$$;
CREATE FUNCTION orla.do_costs_apart(args jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"apart": "costs", "args": {}}'::jsonb $$;
CREATE FUNCTION orla.do_nonsense(args jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"apart": "wait_for_lock"}'::jsonb $$;
SQL

sub is_ready { return Cluster::waits_until(sub { $c->sql('SELECT ready FROM orla.worker_status;') eq 't' }) }
is_ready() or die "no worker\n";
my $worker = $c->sql('SELECT pid FROM orla.worker_status;');
my $n = 0;

sub lets { my ($call) = @_; $n++; return $c->sql("SELECT orla_api.$call;") }
sub token { my ($answer) = @_; return $answer =~ /"refresh_token": "([^"]+)"/ ? $1 : "none in: $answer" }
sub access { my ($answer) = @_; return $answer =~ /"access_token": "([^"]+)"/ ? $1 : "none in: $answer" }
sub link_of { return $c->sql("SELECT substring(orla.render_mail(id) FROM 'token=([^[:space:]]+)') FROM orla.outbox WHERE template = '$_[0]' ORDER BY created_at DESC LIMIT 1;") }
# What was written since, and whether by the worker alone.
sub written
{
	my $said = $c->sql("SELECT coalesce(string_agg(DISTINCT place, ', ' ORDER BY place), '') || CASE WHEN coalesce(bool_and(pid = $worker), true) THEN '' ELSE ' by others' END FROM public.writes;");
	$c->sql('TRUNCATE public.writes;');
	return $said;
}
# What the worker and a process that has stayed heed, too.
sub set_costs
{
	my ($passes, $memory) = @_;
	$c->sql("ALTER SYSTEM SET orla.password_passes = $passes;");
	$c->sql("ALTER SYSTEM SET orla.password_memory = $memory;");
	$c->sql('SELECT pg_reload_conf();');
	my $costs = "\"$passes $memory\"";
	Cluster::waits_until(sub { $c->sql("SELECT orla.perform('costs', '{}'), orla.perform('costs_apart', '{}');") eq "$costs|$costs" }) or die "no new settings\n";
	return;
}
sub as { my ($answer, $call) = @_; my $token = access($answer); return $c->sql("BEGIN; SET LOCAL ROLE orla_user; SELECT 1 WHERE orla.authenticate('$token') IS NULL; SELECT orla_api.$call; COMMIT;") }

# ---- who writes ------------------------------------------------------------------------

set_costs(1, 46080);
lets("register('Ada', 'ada\@example.org', 'Correct-Horse-42')");
is(written(), 'INSERT audit_log, INSERT outbox, INSERT pending_registrations', 'the worker notes a sign-up');
my $link = link_of('verify_email');
written();
my $ada = lets("verify_email('$link', 'Correct-Horse-42')");
is(written(), 'DELETE pending_registrations, INSERT audit_log, INSERT refresh_tokens, INSERT sessions, INSERT users, UPDATE outbox', 'makes the account');
like(lets("login('ada\@example.org', 'Wrong-Horse-42')"), qr/^ERROR:  sign-in refused$/m, 'a wrong password is refused');
is(written(), 'INSERT audit_log, INSERT sign_in_attempts, UPDATE sign_in_attempts', 'and counted by it');
$ada = lets("login('ada\@example.org', 'Correct-Horse-42')");
like(written(), qr/^DELETE sign_in_attempts, INSERT audit_log, INSERT refresh_tokens, INSERT sessions, (?:INSERT|UPDATE) sign_in_attempts, (?:UPDATE sign_in_attempts, )?UPDATE users$/, 'a sign-in is its work, but for the hash');
my $first = token($ada);
my $next = lets("refresh('$first')");
is(written(), 'INSERT audit_log, INSERT refresh_tokens, UPDATE refresh_tokens, UPDATE sessions', 'so is a rotation');
like(lets("refresh('$first')"), qr/^ERROR:  refresh refused$/m, 'a token used again is refused');
is(written(), 'INSERT audit_log, UPDATE refresh_tokens, UPDATE sessions', 'and ends the session');
$ada = lets("login('ada\@example.org', 'Correct-Horse-42')");
written();
like(as($ada, "change_password('Wrong-Horse-42', 'Correct-Horse-43')"), qr/^ERROR:  password refused$/m, 'a guess at an open session is refused');
is(written(), 'INSERT audit_log, INSERT sign_in_attempts, UPDATE sign_in_attempts', 'and counted');
like(as($ada, "change_password('Correct-Horse-42', 'Correct-Horse-43')"), qr/Your password has been changed/, 'a new password');
like(written(), qr/^DELETE sign_in_attempts, INSERT audit_log, .*UPDATE users$/, 'is its work');
lets("forgot_password('ada\@example.org')");
$link = link_of('reset_password');
written();
like(lets("reset_password('$link', 'Correct-Horse-44')"), qr/Your password has been changed/, 'likewise');
like(written(), qr/^INSERT audit_log, .*UPDATE users$/, 'by a link');

# Hashes of other costs are made anew on the way.
set_costs(2, 46080);
$ada = lets("login('ada\@example.org', 'Correct-Horse-44')");
is($c->sql("SELECT password_hash ~ ',t=2,' FROM orla.users;"), 't', 'a sign-in brings the hash to the costs of today');
like(written(), qr/UPDATE users$/, 'and the worker writes it');
$ada = lets("login('ada\@example.org', 'Correct-Horse-44')");
like($ada, qr/"name": "Ada"/, 'which the password still goes with');

# ---- who computes ------------------------------------------------------------------------

written();
set_costs(64, 131072);
my ($slow, $other) = ($c->session, $c->session);
sub computing { return $c->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla call' AND state = 'active' AND query = 'compare_password';") }
$slow->send("SELECT orla_api.login('nobody\@example.org', 'Wrong-Horse-42');");
ok(Cluster::waits_until(sub { computing() eq '1' }), 'a hash is computed by another process');
is($other->ask("SELECT orla_api.logout('x') ->> 'message';"), 'You are signed out.', 'the worker answers others');
is(computing(), '1', 'meanwhile');
ok(kill('INT', $slow->{backend}), 'whoever signs in cancels');
like($slow->answer, qr/57014|canceling statement/, 'and has the prompt back');
is(computing(), '1', 'before the hash is computed');
ok(Cluster::waits_until(sub { $c->sql('SELECT sum(failed) FROM orla.sign_in_attempts;') eq '1' }), 'it is counted all the same');
is(written(), 'INSERT audit_log, INSERT sign_in_attempts, UPDATE sign_in_attempts', 'by the worker');

$slow->send("SELECT orla_api.login('nobody\@example.org', 'Wrong-Horse-42');");
ok(Cluster::waits_until(sub { computing() eq '1' }), 'once more');
$c->sql("SELECT pg_terminate_backend($worker);");
like($slow->answer, qr/^ERROR:  too busy, try again\nDETAIL:  The worker (?:was stopped|ended before it was done)\./m, 'a worker that ends meanwhile tells who waits');
ok(is_ready(), 'and comes again');
$worker = $c->sql('SELECT pid FROM orla.worker_status;');
set_costs(2, 46080);

# ---- what is held -------------------------------------------------------------------------

$slow->send("SELECT orla.perform('hold', '{}');");
ok(Cluster::waits_until(sub { $c->sql("SELECT state FROM pg_stat_activity WHERE pid = $slow->{backend};") eq 'active' }), 'an answer that is held');
is($other->ask("SELECT orla_api.logout('x') ->> 'message';"), 'You are signed out.', 'keeps nobody waiting');
is($c->sql("SELECT state FROM pg_stat_activity WHERE pid = $slow->{backend};"), 'active', 'but who asked');
is($slow->answer, '"late"', 'until its time has come');

# ---- other processes -------------------------------------------------------------------------

my $lock = $c->session;
sub hold_lock { $lock->ask('SELECT pg_advisory_lock(4711);'); return }
sub release { $lock->ask('SELECT pg_advisory_unlock(4711);'); return }
sub away { my ($name, $more) = @_; return "SELECT orla.perform('give_away', '{\"name\": \"$name\"" . ($more // '') . "}');" }
sub at_it { return $c->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla call' AND state = 'active';") }

like($other->ask(away('a')), qr/^\{"pid": (?!$worker\})\d+, "name": "a"\}$/, 'what another process returns is the answer');
like($other->ask(away('a', ', "next": true')), qr/^\{"pid": $worker, "state": \{"of": "mine"\}, "response": \{"answer": \{"pid": (?!$worker\b)\d+, "name": "a"\}\}\}$/, 'or is handed to the next step');
is($other->ask('\set VERBOSITY verbose' . "\n" . away('a', ', "fail": true')) =~ s/\nLOCATION.*//r, "ERROR:  PT418: as it was asked to\nDETAIL:  A detail.\nHINT:  A hint.", 'its error is the caller\'s');
like($other->ask("SELECT orla.perform('nonsense', '{}');"), qr/malformed step/, 'a step that is none is an error');

# Both places are taken: a third waits.
written();
my @sessions = map { $c->session } 1 .. 3;
Cluster::waits_until(sub { at_it() eq '0' });
hold_lock();
$sessions[$_]->send(away("n$_")) for 0, 1;
ok(Cluster::waits_until(sub { at_it() eq '2' }), 'all places are taken');
like($other->ask('\set VERBOSITY verbose' . "\nSELECT orla_api.login('nobody\@example.org', 'Wrong-Horse-42');"), qr/^ERROR:  PT503: too busy, try again\nDETAIL:  No background worker slot is free\.\nHINT:  Raise max_worker_processes\./, 'who finds none waits for a while');
is(written(), '', 'and is not counted');
$sessions[2]->send(away('n2'));
ok(Cluster::waits_until(sub { $c->sql("SELECT state FROM pg_stat_activity WHERE pid = $sessions[2]{backend};") eq 'active' }), 'the next waits');
release();
like($sessions[$_]->answer, qr/"name": "n$_"\}$/, "n$_ has its answer") for 0 .. 2;

# ---- guesses at the same time --------------------------------------------------------------

# From one origin, more at a time than there are places and than may fail.
push @sessions, map { $c->session } 1 .. 3;
$c->sql('TRUNCATE orla.sign_in_attempts;');
$_->send("SELECT orla_api.login('ada\@example.org', 'Wrong-Horse-42');") for @sessions;
is($_->answer, 'ERROR:  sign-in refused', 'one of six guesses') for @sessions;
is($c->sql('SELECT failed, locked_until > now() FROM orla.sign_in_attempts;'), '3|t', 'each is counted, until the origin is locked out');
is(lets("login('ada\@example.org', 'Correct-Horse-44')"), 'ERROR:  sign-in refused', 'where the right one is worth nothing');
$c->sql('TRUNCATE orla.sign_in_attempts;');

# ---- killed --------------------------------------------------------------------------------

hold_lock();
$sessions[0]->send(away('x'));
ok(Cluster::waits_until(sub { at_it() eq '1' }), 'a process is at it');
$c->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'orla call' AND state = 'active';");
my $ended = $sessions[0]->answer;
like($ended, qr/^ERROR:  (?:PT503: )?(?:too busy, try again|terminating background worker)/, 'one that is ended answers that, and the caller does not hang');
release();
like($other->ask(away('b')), qr/"name": "b"\}$/, 'the next has another');
is($c->sql('SELECT pid FROM orla.worker_status;'), $worker, 'the worker goes on');

# ---- deletion -----------------------------------------------------------------------------------

written();
$ada = lets("login('ada\@example.org', 'Correct-Horse-44')");
written();
like(as($ada, "delete_account('Wrong-Horse-42')"), qr/^ERROR:  password refused$/m, 'a wrong password deletes nothing');
is(written(), 'INSERT audit_log, INSERT sign_in_attempts, UPDATE sign_in_attempts', 'and is counted by the worker');
like(as($ada, "delete_account('Correct-Horse-44')"), qr/Your account has been deleted/, 'the right one deletes');
is($c->sql('SELECT count(*) FROM orla.users;'), '0', 'the account');
like(written(), qr/DELETE users.* by others$/, 'by another process, since rows may be many');

done_testing();
