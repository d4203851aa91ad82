# A cluster of a test's own, sessions in it, and what psql prints.
#
#   my $c = Cluster->new('name', 'shared_preload_libraries=orla');
#   $c->sql($statements, database => …, user => …, options => …)
#   my $s = $c->session(…); $s->ask($sql); $s->send($sql); $s->answer;
#   $c->stop('immediate'); $c->start; Cluster::waits_until(sub { … });
#
# Whatever is still running ends with the test, by pid.
package Cluster;

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use IPC::Open2;
use Time::HiRes qw(sleep time);

my $os_user = $ENV{ORLA_TEST_OS_USER} // 'postgres';
my ($uid, $gid) = $> == 0 ? (getpwnam($os_user))[ 2, 3 ] : ($>, (split ' ', $))[0]);
my @clusters;
# a signal ends the clusters, too
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP PIPE);

sub as_owner { return $> == 0 ? ('runuser', '-u', $os_user, '--', @_) : @_ }

sub run_quietly
{
	my $pid = fork() // die $!;
	if ($pid == 0)
	{
		open(STDOUT, '>', '/dev/null') or die $!;
		exec @_ or die $!;
	}
	waitpid($pid, 0);
	die "@_ failed\n" if $? != 0;
}

sub bindir
{
	my $config = $ENV{PG_CONFIG} // 'pg_config';
	chomp(my $found = `$config --bindir`);
	return $found;
}

sub free_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $!;
	return $socket->sockport;
}

sub new
{
	my ($class, $name, @options) = @_;
	my $dir = tempdir("orla-$name-XXXXXX", TMPDIR => 1, CLEANUP => 1);
	chmod 0755, $dir;
	chown $uid, $gid, $dir;
	my $self = bless { dir => $dir, data => "$dir/data", log => "$dir/server.log", sessions => [] }, $class;
	push @clusters, $self;
	run_quietly(as_owner(bindir() . '/initdb', '-D', $self->{data}, qw(-U postgres -A trust -N -E UTF8 --no-locale --no-instructions)));
	$self->start(@options);
	return $self;
}

sub start
{
	my ($self, @options) = @_;
	run_quietly(as_owner(bindir() . '/pg_ctl', 'start', '-D', $self->{data}, '-w', '-l', $self->{log}, '-o',
		"-c port=5432 -c listen_addresses= -c unix_socket_directories=$self->{dir} -c fsync=off -c max_worker_processes=16 "
		  . join(' ', map { "-c $_" } @options)));
}

sub stop
{
	my ($self, $mode) = @_;
	run_quietly(as_owner(bindir() . '/pg_ctl', 'stop', '-D', $self->{data}, '-w', '-m', $mode // 'fast'))
	  if -e "$self->{data}/postmaster.pid";
}

# The environment of a client of this cluster.
sub here
{
	my ($self) = @_;
	delete @ENV{ grep { /^PG/ && $_ ne 'PG_CONFIG' } keys %ENV };
	@ENV{qw(PGHOST PGPORT PGCLIENTENCODING)} = ($self->{dir}, 5432, 'UTF8');
	return $self;
}

sub psql
{
	my ($self, %with) = @_;
	$self->here;
	$ENV{PGOPTIONS} = $with{options} if $with{options};
	return ('psql', '-qAtX', '-d', $with{database} // 'app', '-U', $with{user} // 'postgres');
}

# What psql prints for the statements of a session of their own, errors included.
sub sql
{
	my ($self, $sql, %with) = @_;
	local $SIG{PIPE} = 'IGNORE';	# psql ends at once where there is no server
	my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh', $self->psql(%with));
	print {$in} "\\set SHOW_CONTEXT never\n$sql";
	close $in;
	local $/;
	my $printed = <$out> // '';
	waitpid($pid, 0);
	$printed =~ s/\n\z//;
	return $printed;
}

# What a program prints; a failure of it is a failure of the test.
sub run
{
	my ($self, @command) = @_;
	$self->here;
	local $ENV{PGUSER} = 'postgres';
	my $pid = open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command) // die $!;
	local $/;
	my $printed = <$out> // '';
	close $out;
	return ($printed, $? >> 8);
}

sub put
{
	my ($self, $file, $text, $mode) = @_;
	open(my $out, '>:raw', "$file.tmp") or die "$file: $!\n";
	print {$out} $text;
	close $out or die $!;
	chmod $mode // 0600, "$file.tmp";
	chown $uid, $gid, "$file.tmp";
	rename "$file.tmp", $file or die $!;
}

sub slurp
{
	my ($file) = @_;
	open(my $in, '<:raw', $file) or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

# Asks again until the answer is true; false after a minute, or so many times as
# long as a tool that is slow asks for.
sub waits_until
{
	my ($question) = @_;
	my $until = time + 60 * ($ENV{ORLA_TEST_PATIENCE} // 1);
	while (time < $until)
	{
		return 1 if $question->();
		sleep 0.02;
	}
	return 0;
}

END
{
	my $status = $?;
	for my $cluster (@clusters)
	{
		$_->leave for @{ $cluster->{sessions} };
		$cluster->stop('immediate');
	}
	$? = $status;
}

# ---- a session that stays ------------------------------------------------------

sub session
{
	my ($self, %with) = @_;
	my $session = bless {}, 'Cluster::Session';
	$session->{pid} = open2($session->{out}, $session->{in}, 'sh', '-c', 'exec "$@" 2>&1', 'sh', $self->psql(%with));
	push @{ $self->{sessions} }, $session;
	$session->ask('\set SHOW_CONTEXT never');
	$session->{backend} = $session->ask('SELECT pg_backend_pid();');
	return $session;
}

package Cluster::Session;

sub send
{
	my ($self, $sql) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$sql\n\\echo --done--\n";
	$self->{in}->flush;
}

sub answer
{
	my ($self) = @_;
	my $answer = '';
	while (defined(my $line = readline($self->{out})))
	{
		last if $line eq "--done--\n";
		$answer .= $line;
	}
	chomp $answer;
	return $answer;
}

sub ask
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->answer;
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

1;
