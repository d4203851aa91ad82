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
delete @ENV{ grep { /^(?:PG|MAKE|MFLAGS|POSTGREST)/ && $_ ne 'PG_CONFIG' } keys %ENV };

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

# The process that the demo keeps as that: providers, http.
sub kept
{
	my ($name) = @_;
	open(my $in, '<', "$folder/$name.pid") or return 0;
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
my $first_providers = kept('providers');
ok(runs($first_providers), 'the stand-ins run');
my $first_pages = kept('http');
ok(runs($first_pages), 'the pages run');
my $installed = grep { -x "$_/postgrest" } split /:/, $ENV{PATH};
like($printed, $installed ? qr{^starting the pages on port \d+ of 127\.0\.0\.1, with PostgREST \(}m : qr{^starting the pages on port \d+ of 127\.0\.0\.1, with the tests' gateway, which stands in for PostgREST}m,
	'and it says what serves them');
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
	is(sprintf('%o', (stat "$folder/$_")[2] & 0777), '600', "$_ is the reader's alone") for qw(people.psql ada.token ada.cookies ben.cookies);
	my ($curl) = $printed =~ /^    (curl -X POST .*\/control\/.*)$/m;
	like((run('sh', '-c', "$curl -sS"))[1], qr/"delay_ms": ?5000/, 'the stand-ins do what they are told');
	like((run('cat', "$folder/postgrest.conf"))[1], qr{^db-uri = "postgresql://web\@127\.0\.0\.1:\d+/app"$}m, 'PostgREST\'s file names the server');
	my ($as_program) = $printed =~ /^    (curl -s http.*Authorization.*)$/m;
	my $content = (run('sh', '-c', $as_program))[1];
	like($content, qr/First flush/, 'a program reads over HTTP as Ada');
	unlike($content, qr/tune-up/, '... and nothing of Ben\'s');
}

# ---- the pages ---------------------------------------------------------------

# What curl prints with the cookies of a session of its own.
sub web
{
	my ($cookies, @arguments) = @_;
	return (run('curl', '-sS', '-b', "$dir/$cookies", '-c', "$dir/$cookies", @arguments))[1];
}

sub page { return web($_[0], '-H', 'Accept: text/html', '-w', '%{http_code}', $_[1]) }

# Whoever reads the end of what is printed signs in with it.
sub signs_in
{
	my ($said, $name) = @_;
	my ($pages) = $said =~ m{In the browser:  (http://127\.0\.0\.1:\d+/rpc)/sign-in$}m or return fail('an address is printed');
	my ($email, $password) = $said =~ /^    \Q$name\E +(\S+\@\S+) +(\S+)$/m or return fail("the sign-in of $name is printed");
	like(page($name, "$pages/sign-in"), qr{^<!doctype html>.*</html>\s*200\z}s, 'the sign-in page is there');
	like(web($name, '-H', 'Sec-Fetch-Site: same-origin', '-H', 'Content-Type: application/json', '-d', qq({"email": "$email", "password": "$password"}), "$pages/sign_in"),
		qr/"name": ?"$name"/, "$name signs in as printed");
	like(page($name, "$pages/dashboard"), qr{^<!doctype html>.*<h1 id="hello">.*</html>\s*200\z}s, '... and sees the dashboard');
	return $pages;
}

my %own = (Ada => [ 'First flush', 'second flush' ], Ben => [ 'Spring tune-up', 'spring' ]);
my %drive = (Ada => ['google_drive ada@gmail.example'], Ben => [ 'dropbox ben@bikes.example', 'google_drive ben@gmail.example' ]);
for my $name (qw(Ada Ben))
{
	my $pages = signs_in($printed, $name) or next;
	my $api = $pages =~ s{/rpc$}{}r;
	is_deeply([ web($name, "$api/content_library?select=title&order=created_at") =~ /"title": ?"([^"]*)"/g ], $own{$name}, "$name has what $name saved and had written, and nothing else");
	is_deeply([ map { s/".*?:"/ /r } web($name, "$api/connections?select=provider,provider_email&connected=is.true&order=provider") =~ /"provider": ?"([^"]*","provider_email": ?"[^"]*)"/g ],
		$drive{$name}, '... and the own drives');
}

{
	# A person in a browser who connects one more drive: consent there, back here.
	my $pages = signs_in($printed, 'Ada');
	my $answer = web('Ada', '-H', 'Sec-Fetch-Site: same-origin', '-H', 'Content-Type: application/json', '-d', '{"provider": "dropbox"}', "$pages/connect");
	my ($url) = $answer =~ /"authorization_url": ?"([^"]+)"/;
	like($url, qr{^http://localhost:\d+/.*redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A\d+%2Frpc%2Foauth-callback\.dropbox&}, 'the provider is another site, and sends people back to the page');
	like((run('curl', '-sS', $url))[1], qr{<button name="account" value="ada\@teas\.example">}, '... where a page asks who it is');
	my $back = (run('curl', '-sS', '-o', '/dev/null', '-w', '%{redirect_url}', '--data-urlencode', 'account=ada@teas.example', $url))[1];
	like($back, qr{^\Q$pages\E/oauth-callback\.dropbox\?code=}, '... and sends her back');
	like(page('Ada', $back), qr{^<!doctype html>.*</html>\s*200\z}s, '... to a page that is there');
}

($status, $printed) = run("$root/test/demo");
is($status, 0, 'a second demo succeeds') or diag($printed);
ok(ends($first), '... in the place of the first');
ok(ends($first_providers), '... with stand-ins of its own');
ok(ends($first_pages), '... and pages of its own');
my $second = postmaster();
ok(runs($second), '... and runs itself');
my $second_providers = kept('providers');
my $second_pages = kept('http');
ok(runs($second_pages), '... with its pages');

{
	# A number that is somebody else's by now is left alone.
	my $other = fork() // die $!;
	exec 'sleep', '600' if $other == 0;
	open(my $out, '>', "$folder/http.pid") or die $!;
	print {$out} "$other\n";
	close $out or die $!;
	is((run("$root/test/demo", 'stop'))[0], 0, 'demo-stop with a number that is another process\'s');
	ok(runs($other), '... leaves that alone');
	kill TERM => $other;
	waitpid $other, 0;
	kill TERM => $second_pages;
	ok(ends($second_pages), 'the pages end on a signal');
}

# ---- with PostgREST ----------------------------------------------------------

# Whatever POSTGREST names is started with the file, and is said.
open(my $played, '>', "$dir/postgrest") or die $!;
print {$played} "#!/bin/sh\n[ -z \"\$PGPASSWORD\" ] || echo started >'$dir/started'\nNODE_PATH=/usr/share/nodejs exec node '$root/test/http/gateway.mjs' \"\$1\"\n";
close $played or die $!;
chmod 0755, "$dir/postgrest";
{
	local $ENV{POSTGREST} = "$dir/postgrest";
	($status, $printed) = run("$root/test/demo");
	is($status, 0, 'a demo with a program that POSTGREST names succeeds') or diag($printed);
}
ok(-e "$dir/started", '... the program serves');
like($printed, qr{^starting the pages on port \d+ of 127\.0\.0\.1, with PostgREST \(\Q$dir\E/postgrest\)$}m, '... and it says so');
signs_in($printed, 'Ben');
$second = postmaster();
$second_providers = kept('providers');
$second_pages = kept('http');

($status, $printed) = run('make', '-s', '-C', $root, 'demo-stop');
is($status, 0, 'demo-stop succeeds') or diag($printed);
ok(ends($second), '... the cluster has ended');
ok(ends($second_providers), '... and the stand-ins');
ok(ends($second_pages), '... and the pages');
ok(!-e $folder, '... the folder is gone');
($status, $printed) = run("$root/test/demo", 'stop');
is("$status $printed", "0 no demo in $folder\n", 'without a demo there is nothing to end');

# ---- a step that does not give what it says ----------------------------------

{
	# The tree as it is, but for a demo that expects Ben to change Ada's post.
	my $tree = "$dir/tree";
	mkdir $_ for $tree, "$tree/test";
	symlink $_, "$tree/" . ($_ =~ s{.*/}{}r) for grep { !m{/(?:test|build)$} } glob("$root/*");
	symlink "$root/test/$_", "$tree/test/$_" for qw(cluster providers http);
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
	is(kept($_), 0, "... no $_ either") for qw(providers http);
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
