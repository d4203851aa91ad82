#!/usr/bin/perl
# A real PgBouncer with docs/pgbouncer.ini: clients that share one server
# connection never share a tenant.
#
# Uses the cluster that PGHOST names, with PGUSER as a superuser, else makes
# one.  Ends what it started, by pid.
# Ways 11, 18 and 19 of docs/security.md.
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::RealBin;
use IPC::Open2;
use Test::More;
use Time::HiRes qw(sleep);

use Cluster;

my $docs = $ENV{ORLA_DOCS} // dirname(__FILE__) . '/../../docs';
my $os_user = $ENV{ORLA_TEST_OS_USER} // 'postgres';
my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
die "pgbouncer is not installed\n" unless $pgbouncer;

my $dir = tempdir('orla-pgbouncer-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $owner = (getpwnam($os_user))[2];
chown $owner, -1, $dir if $> == 0;

my (@sessions, $bouncer_pid, $own_data, $database, $login);

# ---- processes ---------------------------------------------------------------

sub start_cluster
{
	my $bin = Cluster::bindir();
	$own_data = "$dir/data";
	Cluster::run_quietly(Cluster::as_owner("$bin/initdb", '-D', $own_data, qw(-U postgres -A trust -N --no-instructions)));
	Cluster::run_quietly(Cluster::as_owner("$bin/pg_ctl", 'start', '-D', $own_data, '-w', '-l', "$dir/server.log", '-o',
		"-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off"));
	@ENV{qw(PGHOST PGPORT PGUSER)} = ($dir, 5432, 'postgres');
}

sub stop_pgbouncer
{
	return unless $bouncer_pid;
	kill 'INT', $bouncer_pid;
	for (1 .. 100)
	{
		last unless kill 0, $bouncer_pid;
		sleep 0.05;
	}
	undef $bouncer_pid;
}

END
{
	my $status = $?;
	$_->leave for @sessions;
	stop_pgbouncer();
	if ($own_data)
	{
		Cluster::run_quietly(Cluster::as_owner(Cluster::bindir() . '/pg_ctl', 'stop', '-D', $own_data, qw(-m immediate -w)))
		  if -e "$own_data/postmaster.pid";
	}
	elsif ($database)
	{
		system('psql', '-qX', '-d', 'postgres', '-c', "DROP DATABASE $database WITH (FORCE)", '-c', "DROP ROLE $login");
	}
	$? = $status;
}

# ---- one psql, one client ----------------------------------------------------

package Session;

sub new
{
	my ($class, @arguments) = @_;
	my $self = bless {}, $class;
	# exec, so that the pid is psql's and killing it is killing the client
	$self->{pid} = IPC::Open2::open2($self->{out}, $self->{in}, 'sh', '-c', 'exec "$@" 2>&1', 'sh',
		'psql', '-qAtX', '-v', 'VERBOSITY=sqlstate', @arguments);
	push @sessions, $self;
	return $self;
}

# What a statement prints; an error prints "ERROR:  <sqlstate>".
sub ask
{
	my ($self, $sql) = @_;
	my $answer = '';
	print { $self->{in} } "$sql;\n\\echo --done--\n";
	$self->{in}->flush;
	while (defined(my $line = readline($self->{out})))
	{
		last if $line eq "--done--\n";
		$answer .= $line;
	}
	chomp $answer;
	return $answer;
}

sub leave
{
	my ($self) = @_;
	return unless $self->{pid};
	local $SIG{PIPE} = 'IGNORE';
	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
	undef $self->{pid};
}

sub vanish
{
	my ($self) = @_;
	kill 'KILL', $self->{pid};
	$self->leave;
}

package main;

# ---- PgBouncer with the documented file --------------------------------------

my $secret = join '', map { ('a' .. 'z')[ rand 26 ] } 1 .. 20;
my $port;

# The documented lines, pointed at this cluster; what a test changes comes last.
sub start_pgbouncer
{
	my (%changed) = @_;
	open(my $in, '<', "$docs/pgbouncer.ini") or die "pgbouncer.ini: $!";
	my $ini = join '', <$in>;
	close $in;
	$port = Cluster::free_port();
	my %here = (
		listen_port => $port, unix_socket_dir => $dir, auth_file => "$dir/userlist.txt",
		default_pool_size => 1, %changed);
	$ini =~ s/^app = .*$/app = host=$ENV{PGHOST} port=$ENV{PGPORT} dbname=$database/m or die;
	for my $name (sort keys %here)
	{
		$ini =~ s/^\Q$name\E = .*$/$name = $here{$name}/m or $ini .= "$name = $here{$name}\n";
	}
	$ini .= "logfile = $dir/pgbouncer.log\npidfile = $dir/pgbouncer.pid\n";
	write_file("$dir/pgbouncer.ini", $ini);
	write_file("$dir/userlist.txt", qq("$login" "$secret"\n));
	Cluster::run_quietly($pgbouncer, '-q', '-d', ($> == 0 ? ('-u', $os_user) : ()), "$dir/pgbouncer.ini");
	for (1 .. 100)
	{
		if (open(my $pid, '<', "$dir/pgbouncer.pid"))
		{
			$bouncer_pid = <$pid>;
			last if defined $bouncer_pid && chomp $bouncer_pid;
		}
		sleep 0.05;
	}
	die "pgbouncer did not start\n" unless $bouncer_pid;
}

sub write_file
{
	my ($name, $text) = @_;
	open(my $out, '>', $name) or die "$name: $!";
	print $out $text;
	close $out;
	chown $owner, -1, $name if $> == 0;
	chmod 0600, $name;
}

sub client
{
	local $ENV{PGPASSWORD} = $secret;
	return Session->new("host=127.0.0.1 port=$port user=$login dbname=app");
}

sub admin
{
	my ($sql) = @_;
	my $session = Session->new('-d', $database);
	my $answer = $session->ask($sql);
	$session->leave;
	return $answer;
}

# ---- people ------------------------------------------------------------------

my $password = 'Correct-Horse-42';

# Signs somebody up by SQL, writes one row; the access token.
sub sign_up
{
	my ($name) = @_;
	my $email = lc($name) . '@example.org';
	admin("SELECT orla_api.register('$name', '$email', '$password')");
	my ($token) = admin("SELECT orla.render_mail(id) FROM orla.outbox WHERE to_address = '$email'") =~ /token=([\w.-]+)/;
	die "no mail to $email\n" unless $token;
	my $access = admin("SELECT orla_api.verify_email('$token', '$password') ->> 'access_token'");
	admin("BEGIN; SET LOCAL ROLE orla_user; SELECT orla.authenticate('$access'); "
		  . "INSERT INTO orla_api.competitors (name) VALUES ('of $name'); COMMIT");
	return $access;
}

my $rows = 'SELECT coalesce(string_agg(name, $$,$$), $$none$$) FROM orla_api.competitors';
my $who = 'SELECT coalesce(orla.current_tenant()::text, $$nobody$$)';
my $pid = 'SELECT pg_backend_pid()';

sub begin_as
{
	my ($session, $token) = @_;
	return $session->ask("BEGIN; SET LOCAL ROLE orla_user; SELECT orla.authenticate('$token')");
}

# What a client finds that proves nothing.
sub is_nobody
{
	my ($session, $what) = @_;
	is($session->ask("BEGIN; SET LOCAL ROLE orla_user; $who; $rows; COMMIT"), "nobody\nnone", $what);
}

# ---- set-up ------------------------------------------------------------------

start_cluster() unless defined $ENV{PGHOST};
$ENV{PGPORT} //= 5432;
$database = "orla_pgbouncer_$$";
$login = "${database}_web";
Cluster::run_quietly('psql', '-qX', '-d', 'postgres', '-c', "CREATE DATABASE $database",
	'-c', "CREATE ROLE $login LOGIN NOINHERIT PASSWORD '$secret'");
Cluster::run_quietly('psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $database, '-c', 'CREATE EXTENSION orla CASCADE',
	'-c', 'SELECT orla.harden()', '-c', "SELECT orla.allow_http_login('$login')");
my $ada = sign_up('Ada');
my $ben = sign_up('Ben');

# ---- transaction mode --------------------------------------------------------

start_pgbouncer(idle_transaction_timeout => 2);
{
	my ($one, $two) = (client(), client());

	is($one->ask($pid), $two->ask($pid), 'two clients share one server connection');

	like(begin_as($one, $ada), qr/^[0-9a-f-]{36}$/, 'a client proves itself in its transaction');
	is($one->ask($rows), 'of Ada', 'and sees its rows');
	$one->ask('COMMIT');
	is_nobody($two, 'after COMMIT the next client is nobody');

	begin_as($one, $ada);
	$one->ask('ROLLBACK');
	is_nobody($two, 'nor after ROLLBACK');

	begin_as($one, $ada);
	is($one->ask('SELECT 1/0'), 'ERROR:  22012', 'a transaction fails');
	$one->ask('COMMIT');
	is_nobody($two, 'nor after a failed transaction');

	begin_as($one, $ada);
	$one->ask("SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT");
	is_nobody($two, 'nor after savepoints');

	for my $i (1 .. 10)
	{
		my ($session, $token, $name) = $i % 2 ? ($one, $ada, 'Ada') : ($two, $ben, 'Ben');
		begin_as($session, $token);
		my $seen = $session->ask("$rows; COMMIT");
		is($seen, "of $name", "turn $i: $name sees what is hers or his") if $i > 8 || $seen ne "of $name";
	}

	$one->ask("SET orla.tenant = '$ada'");
	is_nobody($one, 'SET without LOCAL is over with its own transaction');
	is_nobody($two, 'and is not there for the next client');
	$one->ask("BEGIN; SET orla.tenant = '$ada'; COMMIT");
	is_nobody($two, 'nor is SET without LOCAL in a transaction');
	$one->ask("SELECT set_config('orla.tenant', '$ada', false)");
	is_nobody($two, 'nor is set_config(…, false)');
	$one->ask(qq(SELECT set_config('request.headers', '{"authorization":"Bearer $ada"}', false)));
	is_nobody($two, 'headers that were left behind prove nobody');
	is($two->ask("BEGIN; SET LOCAL ROLE orla_user; SELECT set_config('request.headers', '{}', true) IS NOT NULL; "
			. "SELECT orla.pre_request(); $who; COMMIT"),
		"t\n\nnobody", 'nor do they for a layer that hands over its own');
	$one->ask(q(SELECT set_config('request.headers', '', false)));

	$one->ask('SET ROLE orla_user');
	is($two->ask('SELECT current_user'), 'orla_user', 'a role that was left behind is there');
	is($two->ask("$who; $rows"), "nobody\nnone", 'and sees nothing');
	$one->ask('RESET ROLE');

	begin_as($one, $ada);
	$one->ask("SET LOCAL plan_cache_mode = force_generic_plan; PREPARE mine AS $rows");
	is($one->ask('EXECUTE mine; EXECUTE mine; COMMIT'), "of Ada\nof Ada", 'a prepared statement of one client');
	begin_as($two, $ben);
	is($two->ask('SET LOCAL plan_cache_mode = force_generic_plan; EXECUTE mine; COMMIT'), 'of Ben',
		'executed by another returns the other\'s rows');
	is($two->ask('BEGIN; SET LOCAL ROLE orla_user; EXECUTE mine; COMMIT'), 'none', 'and nobody\'s to nobody');

	begin_as($one, $ada);
	is($one->ask("RESET ALL; $rows"), 'none', 'RESET ALL unbinds');
	is($one->ask("SELECT orla.authenticate('$ben')"), 'ERROR:  25001', 'and does not make room for a second tenant');
	$one->ask('ROLLBACK');
	$one->ask('DISCARD ALL');
	is_nobody($two, 'DISCARD ALL by one client harms and helps nobody');
	is($two->ask('EXECUTE mine'), 'ERROR:  26000', 'and it did discard');
	begin_as($two, $ben);
	is($two->ask("$rows; COMMIT"), 'of Ben', 'the boundary works after DISCARD ALL');

	is($one->ask('CREATE TEMP TABLE t ()'), 'ERROR:  42501', 'no temporary table stays behind');
	begin_as($one, $ada);
	like($one->ask("DECLARE c CURSOR WITH HOLD FOR $rows"), qr/^ERROR: /, 'nor a holdable cursor');
	$one->ask('ROLLBACK');

	# A client that is gone in the middle of its transaction.
	begin_as($one, $ada);
	is($one->ask($rows), 'of Ada', 'a client sees its rows');
	$one->vanish;
	is_nobody($two, 'and vanishes: the next is nobody');

	# One that just stops.
	my $three = client();
	begin_as($three, $ada);
	my $began = time;
	is_nobody($two, 'a client that stops in mid-transaction gives way, and leaves nothing');
	cmp_ok(time - $began, '<', 30, 'after idle_transaction_timeout');
	like($three->ask($who), qr/nobody|connection|closed|timeout/i, 'and has no tenant any more');
}
{
	local $ENV{PGOPTIONS} = "-c orla.tenant=$ada";
	unlike(client()->ask("$who; $rows"), qr/of Ada|[0-9a-f]{8}-/, 'a tenant does not arrive as a start-up option');
	my $direct = Session->new("host=$ENV{PGHOST} port=$ENV{PGPORT} user=$ENV{PGUSER} dbname=$database");
	unlike($direct->ask($who), qr/[0-9a-f]{8}-/, 'not past PgBouncer either');
}
stop_pgbouncer();

# ---- session mode, with and without a reset query -----------------------------

for my $reset ('DISCARD ALL', '')
{
	my $said = $reset || 'no reset query';
	start_pgbouncer(pool_mode => 'session', server_reset_query => $reset);
	my $one = client();
	my $server = $one->ask($pid);
	begin_as($one, $ada);
	is($one->ask($rows), 'of Ada', "session mode, $said: a client sees its rows");
	is($one->ask("COMMIT; SET orla.tenant = '$ada'; SET ROLE orla_user; PREPARE mine AS $rows"), '',
		'and leaves a tenant, a role and a statement behind');
	$one->leave;
	my $two = client();
	is($two->ask($pid), $server, 'the next client has the same server connection');
	is_nobody($two, 'and is nobody');
	begin_as($two, $ben);
	is($two->ask($reset ? 'EXECUTE mine' : 'EXECUTE mine; COMMIT'),
		$reset ? 'ERROR:  26000' : 'of Ben', $reset ? 'its statements are discarded' : 'a statement left behind is its own');
	$two->leave;
	stop_pgbouncer();
}

# ---- statement mode -----------------------------------------------------------

start_pgbouncer(pool_mode => 'statement');
{
	my $one = client();
	like($one->ask("SELECT orla.authenticate('$ada')"), qr/^[0-9a-f-]{36}$/, 'statement mode: a proof succeeds');
	is($one->ask($who), 'nobody', 'and is over with its statement');
}
stop_pgbouncer();

# ---- what is in the logs -------------------------------------------------------

# Above, a client sent a token as a start-up option: PgBouncer refuses that, and
# logs what it refused.
open(my $log, '<', "$dir/pgbouncer.log") or die $!;
my @lines = <$log>;
ok((grep { /login attempt/ } @lines), 'PgBouncer has a log');
is_deeply([ grep { /eyJ/ && !/unsupported startup parameter: options/ } @lines ], [], 'it has no token that came another way');

done_testing();
