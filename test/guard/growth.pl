#!/usr/bin/perl
# What grows in a process that goes on: memory in contexts and outside of them,
# descriptors, children, shared and temporary files.
#
# Something is done a thousand times in one session, or five thousand times in one
# worker, after it was done often enough for every cache to be full.  Noise comes
# and goes, a leak comes with each call: what has grown is done again, and is a
# leak if it grows each time.
#
# GROWTH_CALLS=5 does all of it so often and compares nothing, for a tool that looks.
# GROWTH=name,name takes some of the trials.  GROWTH_SEED=1 adds one that leaks, to
# see that it is seen.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../t";
use Test::More;
use Time::HiRes qw(sleep);

use Custody;

# What a thousand calls may leave: less than 64 bytes each in contexts, less than
# 256 each on the heap, where pages come and go.
our $contexts_max = 64 * 1000;
my $heap_max     = 256 * 1000;
my $tries        = 4;
my $calls        = $ENV{GROWTH_CALLS};

my $c = Custody->new('growth', only => ['dropbox'], server => [ 'dynamic_shared_memory_type=mmap', 'orla.max_requests_in_flight=8', 'log_min_messages=error' ]);
$c->configure('dropbox');
my $pdf = "%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj 3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n";
my $ada = $c->sign_up('ada');
$c->account('dropbox', 'ada@box.example');
$c->control(POST => 'files', { provider => 'dropbox', account => 'ada@box.example', files => [ { path => '/a.txt', text => "some text\n" x 50 }, map { { path => "/many/$_.txt", text => "number $_" } } 1 .. 20 ] });
my $done = $c->connect($ada, 'dropbox', 'ada@box.example');
ref $done or die "not connected: $done\n";
$c->value("SELECT orla.configure_model('default', 'template', NULL, NULL, NULL)");
$c->as($ada, "INSERT INTO orla_api.brand_strategy (brand_voice, messaging_pillars) VALUES ('{\"tone\": \"plain\"}', '{tea}')");
$c->value('CREATE TABLE held AS SELECT orla.seal(\'secret\', NULL, \'growth\') AS sealed, ' . "'$ada->{token}'::text AS token");

# ---- what is measured ------------------------------------------------------------

sub slurp_or_nothing { my ($file) = @_; open(my $in, '<', $file) or return ''; local $/; return <$in> // '' }

# Of a process: what it holds of the machine.
sub held
{
	my ($pid) = @_;
	my ($heap) = slurp_or_nothing("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
	my @children = map { slurp_or_nothing($_) =~ /^(\d+) \(.*\) (\S) $pid /s ? "$1 $2" : () } glob('/proc/[0-9]*/stat');
	return {
		heap        => $heap * 1024,
		descriptors => scalar(() = glob("/proc/$pid/fd/*")),
		threads     => scalar(() = glob("/proc/$pid/task/*")),
		children    => scalar(@children),
		mappings    => scalar(() = slurp_or_nothing("/proc/$pid/maps") =~ /pg_dynshmem/g),
		segments    => scalar(grep { !/mmap\.0*0$/ } glob("$c->{data}/pg_dynshmem/*")),
		files       => scalar(() = glob("$c->{data}/base/pgsql_tmp/*")),
	};
}

my $own = 'SELECT sum(used_bytes) FROM pg_backend_memory_contexts';

# Another process tells it to the log alone.
sub contexts_of
{
	my ($pid) = @_;
	my $from = -s $c->{log};
	my ($bytes, $requests);
	$c->value("SELECT pg_log_backend_memory_contexts($pid)");
	Cluster::waits_until(sub {
		my $new = substr(Cluster::slurp($c->{log}), $from);
		($bytes) = $new =~ /Grand total: .* (\d+) used/;
		$requests = () = $new =~ /orla http transfer|orla task/g;
		return defined $bytes;
	}) or die "process $pid does not tell its contexts\n";
	return ($bytes, $requests);
}

# What has grown by more than it may.
sub grown
{
	my ($before, $after) = @_;
	my %may = (contexts => $contexts_max, heap => $heap_max);
	return map { my $by = $after->{$_} - $before->{$_}; $by > ($may{$_} // 0) ? "$_ by $by" : () } sort keys %$before;
}

# do() does it all once more; measure() says what is held.
sub stays_flat
{
	my ($name, $measure, $do) = @_;
	my @grown;
	$do->();
	return pass("$name were done") if $calls;
	my $before = $measure->();
	for my $try (1 .. $tries)
	{
		$do->();
		my $after = $measure->();
		@grown = grown($before, $after);
		note(sprintf '%s: contexts %+d, heap %+d bytes, %d descriptors', $name, map({ $after->{$_} - $before->{$_} } qw(contexts heap)), $after->{descriptors});
		last unless @grown;
		$before = $after;
	}
	is(join(', ', @grown), '', "$name leaves nothing");
}

# So many times, in one session, whatever it answers.
sub many
{
	my ($s, $n, $call) = @_;
	$n = $calls if $calls && $calls < $n;
	$c->put("$c->{dir}/calls", "$call;\n" x $n, 0644);
	$s->ask("\\o /dev/null\n\\i $c->{dir}/calls\n\\o");
}

# ---- a session ----------------------------------------------------------------------

# Each is a transaction of its own, and there are a thousand.
my $bound = "BEGIN; SET LOCAL ROLE orla_user; SELECT orla.authenticate('$ada->{token}');";
my @calls = (
	authenticate    => "BEGIN; SELECT orla.authenticate('$ada->{token}'); SELECT count(*) FROM orla.content_library; COMMIT",
	'a bad token'   => "SELECT orla.authenticate('x' || '$ada->{token}')",
	verify_jwt      => "SELECT orla.verify_jwt('$ada->{token}')",
	'seal, unseal'  => "SELECT orla.unseal(orla.seal('secret', '$ada->{id}', 'p'), '$ada->{id}', 'p'), orla.unseal(sealed, NULL, 'growth') FROM held",
	'unseal, wrong' => "SELECT orla.unseal(sealed, NULL, 'other') FROM held",
	'password'      => "SELECT orla.verify_password('x', orla.hash_password('x'))",
	'plans'         => "$bound SELECT title FROM orla.content_library WHERE title >= 'M' AND content >= ''; COMMIT",
	'explain'       => "$bound EXPLAIN SELECT title FROM orla.content_library WHERE title >= 'M'; COMMIT",
	'sign in'       => "SELECT orla_api.login('ada\@example.org', 'wrong')",
	files           => "$bound SELECT * FROM orla_api.files('dropbox'); COMMIT",
	search          => "$bound SELECT * FROM orla_api.search_files('dropbox', 'txt'); COMMIT",
	download        => "$bound SELECT orla_api.download_file('dropbox', '/a.txt'); COMMIT",
	'none there'    => "$bound SELECT orla_api.download_file('dropbox', '/none'); COMMIT",
	'import'        => "$bound SELECT orla_api.import_file('dropbox', '/a.txt', 'guidelines'); ROLLBACK",
	text            => "SELECT orla.extract_text('some text', 'text/plain')",
	pdf             => "SELECT orla.extract_text(convert_to(\$o\$$pdf\$o\$, 'UTF8'), 'application/pdf')",
	'out of time'   => "BEGIN; SET LOCAL statement_timeout = '3ms'; SELECT orla.extract_text(convert_to(\$o\$$pdf\$o\$, 'UTF8'), 'application/pdf'); COMMIT",
	'no server'     => "SELECT orla.http_fetch('{\"url\": \"http://127.0.0.1:1/\", \"hosts\": [\"127.0.0.1\"]}')",
);
push @calls, 'a leak' => "SELECT set_config('growth.' || 'n' || nextval('leaking'), repeat('x', 1000), false)" if $ENV{GROWTH_SEED};
$c->value('CREATE SEQUENCE leaking');
my %wanted = map { $_ => 1 } split /,/, $ENV{GROWTH} // '';
sub is_wanted { return !%wanted || $wanted{ $_[0] } }

while (my ($name, $call) = splice @calls, 0, 2)
{
	next unless is_wanted($name);
	my $n = $name =~ /pdf|time/ ? 300 : 1000;
	local $contexts_max = $contexts_max * $n / 1000;
	my $s = $c->session;
	my $measure = sub { my $contexts = $s->ask("$own;"); return { %{ held($s->{backend}) }, contexts => $contexts } };
	my $first = $s->ask("$call;");
	my $refused = $name =~ /bad|wrong|none|time|sign in/;
	ok($refused ? $first =~ /ERROR/ : $first !~ /ERROR/, "$name does what it is to do") or diag($first);
	stays_flat("$n times $name", $measure, sub { many($s, $n, $call) });
	$s->leave;
}

# ---- a worker ------------------------------------------------------------------------

my $worker = $c->worker;
my $other = $c->session;
my $measure_worker = sub {
	Cluster::waits_until(sub { $c->value('SELECT in_flight FROM orla.worker_status') eq '0' });
	my ($contexts, $under_way) = contexts_of($worker);
	return { %{ held($worker) }, contexts => $contexts, tasks => $under_way };
};

# A token that has run out, and is asked for.
if (is_wanted('refresh'))
{
	my $run_out = "UPDATE orla.user_cloud_storage_tokens SET token_expires_at = now() - interval '1 second', next_request_at = now() + interval '1 day'";
	my $before = $c->requests('dropbox', 'token');
	stays_flat('2500 refreshes', $measure_worker, sub { many($other, 2500, "$run_out;\n" . $c->fresh_sql($ada, 'dropbox')) });
	cmp_ok($c->requests('dropbox', 'token') - $before, '>=', $calls // 5000, 'each of which was a request');
}
if (is_wanted('refusals'))
{
	stays_flat('1000 calls that are refused', $measure_worker, sub { many($other, 1000, "SELECT orla.consult('fresh_token', '{}');\nSELECT orla.perform_by_worker('nothing', '{}');\nSELECT orla_api.logout('x')") });
}
if (is_wanted('jobs'))
{
	stays_flat('250 jobs', $measure_worker, sub {
		for (1 .. ($calls ? 1 : 25))
		{
			many($other, 10, "$bound SELECT orla_api.generate_content('social', '{\"topic\": \"tea\"}'); COMMIT");
			Cluster::waits_until(sub { $c->value("SELECT count(*) FROM orla.jobs WHERE status IN ('queued', 'running')") eq '0' }) or die "jobs do not end\n";
		}
	});
	is($c->value("SELECT count(*) >= " . ($calls // 500) . ", string_agg(DISTINCT status, ' ') FROM orla.jobs"), 't|succeeded', 'all of which were done');
}
is($c->worker, $worker, 'the worker is the same');

done_testing();
