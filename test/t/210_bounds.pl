#!/usr/bin/perl
# What one tenant may have of what all share: requests to a provider, jobs in
# line, room, the worker's time; and that it stays so when a tenant asks in many
# transactions at once.
#
# Ways 158, 159, 160, 161 and 162 of docs/security.md.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(time);

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 300;

my $c = Custody->new('bounds', only => [qw(oidc)], server => ['orla.max_queued_jobs=3', 'orla.max_material=1MB', 'max_worker_processes=6']);
my ($ada, $ben) = map { $c->sign_up($_) } qw(ada ben);
$c->configure('oidc');
$c->account('oidc', "$_->{name}\@id.example") for $ada, $ben;

sub session_of
{
	my ($who, $begin) = @_;
	my $session = $c->session;
	$session->ask(($begin // 'BEGIN') . "; SET LOCAL ROLE orla_user; SELECT 1 WHERE orla.authenticate('$who->{token}') IS NULL;");
	return $session;
}
sub state_of { my ($answer) = @_; return $answer =~ /[?&]state=([^&"]+)/ ? $1 : '' }

# ---- requests to a provider ---------------------------------------------------------

# Way 158: begun, completed with a code that is none, and begun again.
{
	my $one = session_of($ada);
	my @states = map { state_of($one->ask("SELECT orla_api.connect('oidc');")) } 1 .. 40;
	my $other = session_of($ada);
	push @states, map { state_of($other->ask("SELECT orla_api.connect('oidc');")) } 1 .. 40;
	$_->ask('COMMIT;') for $one, $other;
	is(scalar(grep { length } @states), 80, 'two transactions at the same time begin more than fifty connections');
	$_->leave for $one, $other;
	my $before = $c->requests('oidc', 'token');
	my @answers = map { Custody::error($c->as($ada, "SELECT orla_api.complete_connection('$_', 'no-code')")) } @states;
	is(scalar(grep { /the provider refused the code/ } @answers), 50, 'but fifty of them ask the provider');
	is(scalar(grep { /too many connections were begun/ } @answers), 30, 'and the others are refused');
	is($c->requests('oidc', 'token') - $before, 50, 'it was asked no more often');
	is($c->value("SELECT count(*) FROM orla.oauth_states WHERE code_verifier IS NULL"), '50', 'what is used up has no verifier');
	like(Custody::error($c->begin($ada, 'oidc')), qr/^too many connections were begun/, 'nor is another begun');
	is(ref $c->connect($ben, 'oidc', 'ben@id.example'), 'HASH', 'another tenant connects');
	$c->value("UPDATE orla.oauth_states SET expires_at = now() WHERE user_id = '$ada->{id}'");
	is(ref $c->connect($ada, 'oidc', 'ada@id.example'), 'HASH', 'and so does she, ten minutes later');
}

# ---- jobs in line -------------------------------------------------------------------

# Way 159
{
	$c->sql("SELECT orla.configure_model('default', 'template');");
	$c->as($ada, "INSERT INTO orla_api.brand_strategy (messaging_pillars) VALUES ('{We bake}')");
	my $call = "SELECT count(orla_api.next_keyword()) FROM generate_series(1, 3);";
	my @open = map { session_of($ada) } 1, 2;
	is($open[0]->ask($call), '3', 'as many jobs as there may be, in a transaction that stays open');
	$open[1]->send($call);
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $open[1]{backend} AND wait_event_type = 'Lock'") eq '1' }), 'another of the same tenant waits for it');
	my $owner = $c->sign_in($ada);
	like($c->as($owner, 'SELECT orla_api.logout_everywhere()'), qr/"message"/, 'the owner, who ends all sessions, does not');
	$ada = $c->sign_in($ada);
	is($c->as($ben, "INSERT INTO orla_api.brand_strategy (messaging_pillars) VALUES ('{We brew}'); SELECT orla_api.next_keyword() ->> 'status'"), 'queued', 'nor does another tenant');
	$open[0]->ask("COMMIT;");
	like($open[1]->answer, qr/too many jobs are waiting|^3$/, 'and counts what the first has committed');
	$_->leave for @open;

	# held in line, so that the count is of what was asked for
	$c->sql("DELETE FROM orla.jobs; SELECT orla.configure_model('default', 'openai', 'http://127.0.0.1:9', 'none');");
	@open = map { session_of($ada, 'BEGIN ISOLATION LEVEL REPEATABLE READ') } 1, 2;
	$_->ask('SELECT count(*) FROM orla_api.my_jobs;') for @open;
	is($open[0]->ask($call), '3', 'in REPEATABLE READ');
	$open[0]->ask('COMMIT;');
	like($open[1]->ask($call), qr/could not serialize access/, 'who cannot see them is refused');
	$_->leave for @open;
	is($c->value("SELECT count(*) <= 3 FROM orla.jobs WHERE user_id = '$ada->{id}'"), 't', 'there are no more of them');
}

# ---- room ---------------------------------------------------------------------------

# Way 160: rows that no function of ours writes.
{
	my $bulk = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, %d) AS i)";
	my $big = sprintf $bulk, 100000;
	my $half = sprintf $bulk, 20000;
	my $preview = sprintf $bulk, 1900;
	my $put = 'INSERT INTO orla_api.brand_voice_assets (filename';
	like(Custody::error($c->as($ada, "$put, metadata) SELECT 'a', jsonb_build_object('full_text', $big)")), qr/^no room for this file/, 'text without end in metadata');
	like(Custody::error($c->as($ada, "$put, content_preview) SELECT 'a', $preview FROM generate_series(1, 40)")), qr/^no room for this file/, 'many rows with a preview');
	is($c->as($ada, "$put, metadata) SELECT 'a', jsonb_build_object('full_text', $half); SELECT count(*) FROM orla_api.brand_voice_assets"), '1', 'what there is room for is stored');
	like(Custody::error($c->as($ada, "UPDATE orla_api.brand_voice_assets SET metadata = jsonb_build_object('full_text', $big)")), qr/^no room for this file/, 'nor does it grow later');
	$c->value("ALTER DATABASE app SET orla.max_material = '1kB'");
	is($c->as($ada, "UPDATE orla_api.brand_voice_assets SET category = 'voice_samples' RETURNING filename"), 'a', 'what does not grow is changed, whatever the limit is now');
	is($c->as($ada, "UPDATE orla_api.brand_voice_assets SET metadata = '{}' RETURNING filename"), 'a', 'and may get smaller');
	$c->value('ALTER DATABASE app RESET orla.max_material');

	my @open = map { session_of($ada) } 1, 2;
	$_->ask("SELECT 1;") for @open;
	my $three = "INSERT INTO orla_api.brand_voice_assets (filename, metadata) SELECT 'b', jsonb_build_object('full_text', $half);";
	is($open[0]->ask($three), '', 'at the same time');
	$open[1]->send($three);
	ok(Cluster::waits_until(sub { $c->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $open[1]{backend} AND wait_event_type = 'Lock'") eq '1' }), 'the second waits');
	$open[0]->ask('COMMIT;');
	like($open[1]->answer, qr/no room for this file/, 'and is counted after the first');
	$_->leave for @open;
}

# ---- processes of one call ----------------------------------------------------------

# Way 162: there are three, and eight sessions of one tenant that need one.
{
	my $cid = $c->sign_up('cid');
	my $holder = $c->session;
	$holder->ask("BEGIN; SELECT count(*) FROM (SELECT FROM orla.users WHERE id = '$cid->{id}' FOR UPDATE) AS u;");
	my @sessions = map { session_of($cid) } 1 .. 8;
	$_->send("SELECT orla_api.delete_account('Correct-Horse-42');") for @sessions;
	my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'orla call' AND wait_event_type = 'Lock'";
	ok(Cluster::waits_until(sub { $c->value($waiting) > 0 }), 'a process waits for a lock on the account that it is to delete');
	like($c->value("SELECT orla_api.login('$ben->{email}', 'Correct-Horse-42') ->> 'token_type'"), qr/^bearer$/i, 'another signs in');
	cmp_ok($c->value($waiting), '<=', 1, 'for all sessions of the tenant there is one');
	is(scalar(grep { $_->answer =~ /^ERROR:/m } @sessions), 8, 'and none of them waits for ever');
	$_->leave for $holder, @sessions;
	like($c->as($c->sign_in($cid), "SELECT orla_api.change_password('Correct-Horse-42', 'Correct-Horse-43')"), qr/"message"/, 'afterwards it works');
}

# ---- the worker's time --------------------------------------------------------------

# Way 161: what is composed without a model is composed by the worker.  Such texts
# took ten times as long as they do now, at 150,000 characters; that they take no
# longer than the beginning of them does, is told without a clock.
{
	my $material = sub { my ($n, $text, $length) = @_; return "jsonb_build_object('material', (SELECT jsonb_agg(jsonb_build_object('text', 'We bake bread ' || i || '. ' || left(repeat($text, $length), $length))) FROM generate_series(1, $n) AS i))" };
	for my $text ("'. '", "'we x. '", "'#aabbcc! '", "E'\\n'")
	{
		is($c->value('SELECT orla.template_strategy(' . $material->(5, $text, 30000) . ') = orla.template_strategy(' . $material->(3, $text, 8000) . ')'), 't', "of material that is $text without end the beginning is read");
	}
	my $began = time;
	$c->value('SELECT orla.template_strategy(' . $material->(5, "'we x. '", 30000) . ') IS NULL');
	cmp_ok(time - $began, '<', 1, 'which takes no time');
}

done_testing;
