#!/usr/bin/perl
# docs/tutorial.md and README's walkthrough: every block does what the text
# around it says.
#
# The blocks run as they stand, in one shell and in a cluster of their own.  What
# they install and who they become by sudo is played: those commands are scripts
# in front of the PATH, and PostgREST is the tests' stand-in.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(time);

use Cluster;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $os_user = $ENV{ORLA_TEST_OS_USER} // 'postgres';
my $dir = tempdir('orla-tutorial-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
chown scalar(getpwnam($os_user)), -1, $dir if $> == 0;
my $data = "$dir/data";
my $bin = Cluster::bindir();

my ($port, $http_port) = map { Cluster::free_port() } 1, 2;

# ---- the cluster -------------------------------------------------------------

delete @ENV{ grep { /^PG/ && $_ ne 'PG_CONFIG' } keys %ENV };
Cluster::run_quietly(Cluster::as_owner("$bin/initdb", '-D', $data, qw(-U postgres -A trust --auth-host=scram-sha-256 -N --no-instructions --encoding=UTF8 --locale=C.UTF-8)));
{
	open(my $conf, '>>', "$data/postgresql.conf") or die $!;
	print {$conf} "include_dir = '$dir/conf.d'\n";
	close $conf or die $!;
}
mkdir "$dir/conf.d";
Cluster::run_quietly(Cluster::as_owner("$bin/pg_ctl", 'start', '-D', $data, '-w', '-l', "$dir/server.log", '-o',
	"-c port=$port -c listen_addresses=localhost -c unix_socket_directories=$dir -c fsync=off -c max_worker_processes=16"));

END
{
	my $status = $?;
	Cluster::run_quietly(Cluster::as_owner("$bin/pg_ctl", 'stop', '-D', $data, qw(-m immediate -w))) if -e "$data/postmaster.pid";
	$? = $status;
}

# ---- what is played ----------------------------------------------------------

sub write_file
{
	my ($name, $text) = @_;
	open(my $out, '>', $name) or die "$name: $!\n";
	print {$out} $text;
	close $out or die $!;
	chmod 0755, $name;
}

mkdir "$dir/played";
write_file("$dir/played/sudo", <<'SH');
#!/bin/sh
case "$1 $2" in
    '-u postgres') shift 2; PGUSER=postgres exec "$@" ;;
    'apt-get install' | 'make '*) exit 0 ;;
    'tee /etc/postgresql/15/main/conf.d/orla.conf') exec tee "$PLAYED_CONF" ;;
    'rm /etc/postgresql/15/main/conf.d/orla.conf') exec rm "$PLAYED_CONF" ;;
    'pg_ctlcluster 15') exec $PLAYED_RESTART >/dev/null ;;
esac
echo "sudo: not played: $*"
SH
write_file("$dir/played/make", "#!/bin/sh\n");
write_file("$dir/played/postgrest", "#!/bin/sh\nexec node $root/test/http/gateway.mjs \"\$1\"\n");
# Debian's folder for additions to the configuration.
$ENV{PLAYED_CONF} = "$dir/conf.d/orla.conf";
$ENV{PLAYED_RESTART} = join(' ', Cluster::as_owner("$bin/pg_ctl", 'restart', '-D', $data, qw(-w -m fast -l), "$dir/server.log"));
$ENV{PATH} = "$dir/played:$bin:$ENV{PATH}";
$ENV{HOME} = $dir;
@ENV{qw(PGHOST PGPORT PGRST_SERVER_PORT)} = ($dir, $port, $http_port);
$ENV{PGRST_DB_URI} = "postgresql://web\@localhost:$port/app";

# ---- the blocks --------------------------------------------------------------

sub blocks_of
{
	my ($file, $language) = @_;
	open(my $in, '<', "$root/$file") or die "$file: $!\n";
	local $/;
	my @blocks = <$in> =~ /^```\Q$language\E\n(.*?)^```$/gms;
	s/localhost:3000/localhost:$http_port/g for @blocks;
	return @blocks;
}

# What a shell prints for the blocks, one string each, errors included.
sub run_blocks
{
	my (@blocks) = @_;
	my $script = "set -m\nexec 2>&1 </dev/null\n" . join('', map { "$_\nprintf '\\n--end--\\n'\n" } @blocks);
	write_file("$dir/script", $script);
	# One that waits for ever is one that fails.
	open(my $out, '-|', 'timeout', '--foreground', '300', 'bash', "$dir/script") or die $!;
	local $/;
	my $printed = <$out> // '';
	close $out;
	$printed =~ s/^\[\d+\][+ -].*\n//mg;
	my @printed = split /\n--end--\n/, $printed, -1;
	pop @printed;
	return @printed;
}

chdir $root or die $!;
my @blocks = blocks_of('docs/tutorial.md', 'sh');
my ($install) = grep { $blocks[$_] =~ /apt-get/ } 0 .. $#blocks;
my ($real_layer) = grep { $blocks[$_] =~ /^PGRST_DB_URI=.* postgrest / } 0 .. $#blocks;
ok(defined $install && defined $real_layer, 'the tutorial has its blocks');
# Either layer will do, and here it is the second.
splice(@blocks, $real_layer, 1);
my $began = time;
my @printed = run_blocks(@blocks);
my $took = time - $began;
is(scalar(@printed), scalar(@blocks), 'every block of the tutorial ends');

# A block, by a part of it, and what it prints.
sub prints
{
	my ($part, $wanted, $what) = @_;
	my ($n) = grep { index($blocks[$_], $part) >= 0 } 0 .. $#blocks;
	return fail("$what: no block has: $part") unless defined $n;
	return like($printed[$n], $wanted, $what) if ref $wanted;
	return is($printed[$n], $wanted, $what);
}

prints('apt-get install', '', 'installing is played');
prints('CREATE EXTENSION', qr/^CREATE EXTENSION\n.*^\(0 rows\)\n/ms, 'the extension is made, and nothing is left to do');
prints('orla_api.register', qr/("message".*\n)\{"message".*\n[0-9a-f-]{36}\|ada\@example.org\|Confirm your address\n[0-9a-f-]{36}\|ben\@example.org\|Confirm/, 'two people register');
prints('orla_api.verify_email', qr/\AeyJ[\w-]+\.[\w-]+\.[\w-]+\n\z/, 'they verify, and there is a token');
prints('allow_http_login', qr/^ERROR:  permission denied for schema orla_api\n|^ERROR:  permission denied for view competitors\n/m, 'the login has no rights of its own');
prints("'Ada''s rival'", qr/\A[0-9a-f-]{36}\nAda's rival\n[0-9a-f-]{36}\nBen's rival\n\z/, 'each their own rows');
prints('-- forged', qr/\AERROR:  permission denied to name a tenant\n.*^[0-9a-f-]{36}\nERROR:  new row violates row-level security policy[^\n]*\n[0-9a-f-]{36}\n0\n\z/ms, 'no way round');
prints('curl -s localhost:' . $http_port . '/competitors -H "Authorization: Bearer $BEN"',
	qr/^\[\{[^]]*Ada's rival[^]]*\}\]\n?\[\{[^]]*Ben's rival[^]]*\}\]\n?\[\{[^]]*Another rival[^]]*\}\]\n?\{[^}]*PGRST301[^}]*\}\n?\{[^}]*42501[^}]*\}/m, 'the same over HTTP');
prints('logout_everywhere', qr/"message".*PT401/s, 'after the sign-out the token is worth nothing');
prints('conf.d/orla.conf <<', "shared_preload_libraries = 'orla'\norla.databases = 'app'\n", 'the worker is configured');
prints('INSERT INTO orla_api.brand_strategy', "{origin,craft,patience}\n", 'Ada has a strategy');
prints('save_asset', "voice.md|found\n", 'Ben has material');
prints('configure_model(', "\n", 'a model is configured, and the worker is there');
prints("generate_content('blog'", "succeeded\n", 'the first post is written');
my ($library) = grep { $blocks[$_] =~ /\Aas "\$ADA" <<'SQL'\nSELECT title, status, content/ } 0 .. $#blocks;
like($printed[$library], qr/\Asecond flush\|draft\|> Draft composed by a template.*Written for: People who take ten minutes for a cup of tea\..*## Leaves of a single garden.*Slowly, and to the brim/s,
	'... and is in the library, in Ada\'s voice');
unlike($printed[$library], qr/bike/, '... and nothing of Ben\'s');
prints('analyze_brand', qr/\Asucceeded\nsucceeded\nspring\|draft\|Draft composed by a template.*bike/s, 'Ben\'s is in his');
my ($of_ben) = grep { $blocks[$_] =~ /analyze_brand/ } 0 .. $#blocks;
unlike($printed[$of_ben], qr/flush|brim|garden/, '... and nothing of Ada\'s in it');
prints('/rpc/sign-in', "200\n", 'the pages are there');
prints('dropdb app', '', 'all is tidied up');
ok(!-e "$dir/conf.d/orla.conf", '... the configuration, too');
my @first = grep { $_ <= $library } 0 .. $#blocks;
note(sprintf('%d blocks up to the first generated post, %d in all', scalar @first, scalar @blocks));
diag(sprintf('the tutorial took %.1f s, without what installing takes', $took));
cmp_ok($took, '<', 600, 'ten minutes are enough');

# ---- README ------------------------------------------------------------------

my @sql = blocks_of('README.md', 'sql');
my ($demo, @shell) = blocks_of('README.md', 'sh');
like($demo, qr/^make demo .*\nmake test /, 'README has two commands');
is(scalar(@sql), 2, 'README has two blocks of SQL');
my ($commands, $request) = @shell;
my ($as_superuser) = $sql[0] =~ /\A-- (.*)\n/;
my ($as_web) = $sql[1] =~ /\A-- (.*)\n/;
my ($before, $verify) = $sql[0] =~ /\A(.*?)^(SELECT orla_api\.verify_email.*)\z/ms;
$verify =~ s/<token of the link>/\$link/;
(my $as_ada = $sql[1]) =~ s/<access token>/\$TOKEN/;

my $done;
($done, @printed) = run_blocks($commands, <<"SH", "echo \$TOKEN", <<"SH2", $request, 'kill %1; sudo -u postgres dropdb --force app; sudo -u postgres dropuser web');
answer=\$($as_superuser -X -A -t <<'SQL'
$before
SQL
)
echo "\$answer"
link=\$(sed -n 's/.*token=//p' <<<"\$answer")
TOKEN=\$($as_superuser -X -A -t -c "$verify")
SH
export PGPASSWORD='change me'
$as_web -X -A -t <<SQL
$as_ada
SQL
SH2
is($done, '', 'README installs');
like($printed[0], qr/CREATE EXTENSION\nCREATE ROLE\n.*^To: ada\@example.org$/ms, 'README\'s first block goes through to the mail');
unlike($printed[0], qr/ERROR/, '... without an error');
like($printed[1], qr/\AeyJ[\w-]+\.[\w-]+\.[\w-]+\n\z/, '... and ends with a token');
like($printed[2], qr/^INSERT 0 1\nRival\nCOMMIT\nERROR:  permission denied/m, 'README\'s second block shows a row of Ada, and none after the end');
like($printed[3], qr/\[\{[^]]*Rival[^]]*\}\]/, 'README\'s request gets it over HTTP');

done_testing();
