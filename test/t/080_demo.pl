#!/usr/bin/perl
# make demo and make demo-stop: what they show is so, the commands that they
# print work, and nothing is left.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $dir = tempdir('orla-demo-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $folder = "$dir/demo";
$ENV{ORLA_DEMO_DIR} = $folder;
delete @ENV{ grep { /^(?:PG|MAKE|MFLAGS)/ && $_ ne 'PG_CONFIG' } keys %ENV };

# Status and output, errors included.
sub run
{
	my (@command) = @_;
	open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command) or die $!;
	local $/;
	my $printed = <$out> // '';
	close $out;
	return ($? >> 8, $printed);
}

sub postmaster
{
	open(my $in, '<', "$folder/cluster/data/postmaster.pid") or return 0;
	my $pid = <$in>;
	return $pid + 0;
}

sub providers
{
	open(my $in, '<', "$folder/providers.pid") or return 0;
	my $pid = <$in>;
	return $pid + 0;
}

# One that has ended and waits for its parent does not run.
sub runs
{
	my ($pid) = @_;
	open(my $in, '<', "/proc/$pid/stat") or return 0;
	return readline($in) !~ /\) Z/;
}

# The server takes its file away shortly before it ends.
sub ends
{
	my ($pid) = @_;
	for (1 .. 200)
	{
		return 1 unless runs($pid);
		sleep 0.05;
	}
	return 0;
}

END
{
	my $status = $?;
	run("$root/test/demo", 'stop');
	$? = $status;
}

my ($status, $printed) = run('make', '-s', '-C', $root, 'demo');
is($status, 0, 'the demo succeeds') or diag($printed);
like($printed, qr/^All \d+ steps gave what they say/m, 'and says so');
my $first = postmaster();
ok(runs($first), 'the cluster runs');
my $first_providers = providers();
ok(runs($first_providers), 'the stand-ins run');
unlike($printed, qr/eyJ\w{10}/, 'no token is shown');
unlike($printed, qr/\e/, 'no colours in a file');

{
	# Each command that it prints is one that works.
	my @commands = $printed =~ /^    (\S.*?psql -X .* app)$/mg;
	is(scalar(@commands), 3, 'it prints how to connect, three ways');
	for my $command (@commands)
	{
		my ($user) = $command =~ /-U (\w+)/;
		my ($ended, $answer) = run('sh', '-c', "$command -Atc 'SELECT current_user'");
		is("$ended $answer", "0 $user\n", "... as $user");
	}
	my ($password) = $printed =~ /PGPASSWORD=(\w+) psql/;
	(my $wrong = $commands[1]) =~ s/\Q$password\E/guessed/;
	my ($ended, $answer) = run('sh', '-c', $wrong);
	like($answer, qr/password authentication failed/, '... and not without the password');
	my ($rows) = (run('sh', '-c', "printf '\\\\i $folder/people.psql\\nSELECT name FROM orla.users WHERE id = :'\"'ada_id'\"';' | $commands[0] -At"))[1];
	is($rows, "Ada\n", 'the ids are kept for the reader');
	is(sprintf('%o', (stat "$folder/$_")[2] & 0777), '600', "$_ is the reader's alone") for qw(people.psql ada.token);
	my ($curl) = $printed =~ /^    (curl -X POST .*\/control\/.*)$/m;
	like((run('sh', '-c', "$curl -sS"))[1], qr/"delay_ms": ?5000/, 'the stand-ins do what they are told');
	like((run('cat', "$folder/postgrest.conf"))[1], qr{^db-uri = "postgresql://web\@127\.0\.0\.1:\d+/app"$}m, 'PostgREST\'s file names the server');
}

($status, $printed) = run("$root/test/demo");
is($status, 0, 'a second demo succeeds') or diag($printed);
ok(ends($first), '... in the place of the first');
ok(ends($first_providers), '... with stand-ins of its own');
my $second = postmaster();
ok(runs($second), '... and runs itself');
my $second_providers = providers();

($status, $printed) = run('make', '-s', '-C', $root, 'demo-stop');
is($status, 0, 'demo-stop succeeds') or diag($printed);
ok(ends($second), '... the cluster has ended');
ok(ends($second_providers), '... and the stand-ins');
ok(!-e $folder, '... the folder is gone');
($status, $printed) = run("$root/test/demo", 'stop');
is("$status $printed", "0 no demo in $folder\n", 'without a demo there is nothing to end');

# ---- a step that does not give what it says ----------------------------------

{
	# The tree as it is, but for a demo that expects Ben to change Ada's post.
	my $tree = "$dir/tree";
	mkdir $_ for $tree, "$tree/test";
	symlink $_, "$tree/" . ($_ =~ s{.*/}{}r) for grep { !m{/(?:test|build)$} } glob("$root/*");
	symlink "$root/test/$_", "$tree/test/$_" for qw(cluster providers);
	open(my $in, '<', "$root/test/demo") or die $!;
	local $/;
	my $script = <$in>;
	$script =~ s/says '\^UPDATE 0'/says '^UPDATE 1'/ or die;
	open(my $out, '>', "$tree/test/demo") or die $!;
	print {$out} $script;
	close $out or die $!;
	my ($ended, $answer) = run('bash', "$tree/test/demo");
	is($ended, 1, 'a step that answers something else fails the demo');
	like($answer, qr/^demo: step 9 should have answered: \^UPDATE 1$/m, '... loudly');
	unlike($answer, qr/^All/m, '... and it goes no further');
	is(postmaster(), 0, '... nothing runs');
	is(providers(), 0, '... no stand-in either');
	is((run("$root/test/demo", 'stop'))[0], 0, '... and demo-stop tidies up');
}

# ---- folders that are none of ours -------------------------------------------

sub keeps_off
{
	my ($what) = @_;
	for my $action ([], ['stop'])
	{
		my ($ended, $answer) = run("$root/test/demo", @$action);
		is($ended, 1, join(' ', 'demo', @$action, 'keeps off', $what));
		like($answer, qr/let ORLA_DEMO_DIR name another/, '... and says so');
	}
}

mkdir $folder;
run('touch', "$folder/thesis");
keeps_off('a folder with something else in it');
ok(-e "$folder/thesis", '... which stays');
rename $folder, "$dir/other";
unlink "$dir/other/thesis";
symlink "$dir/other", $folder;
keeps_off('a link');
unlink $folder;
SKIP:
{
	skip 'giving a folder away needs root', 4 if $> != 0;
	mkdir $folder;
	chown scalar(getpwnam('nobody')), -1, $folder;
	keeps_off("somebody else's folder");
	rmdir $folder;
}

done_testing();
