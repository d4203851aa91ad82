#!/usr/bin/perl
# kill -9 of the caller, the worker, the postmaster while tokens are refreshed:
# before the provider has acted, after it has answered, before and after what it
# said is stored. Three connections at once: to a provider that does not rotate,
# one that keeps the old token good, one that rotates strictly and ends the whole
# grant when an old token comes again (way 121).
#
# Makes a cluster of its own, since it kills the server.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep);

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 600;

my $c = Custody->new('crashes', only => [qw(google_drive onedrive dropbox smtp)], server => [ 'fsync=on', 'synchronous_commit=on' ]);
my %account = (google_drive => 'ada@gmail.example', onedrive => 'ada@outlook.example', dropbox => 'ada@box.example');
my @providers = sort keys %account;
my %rotation = (google_drive => 'none', onedrive => 'keep', dropbox => 'strict');
my $ada = $c->sign_up('ada');
my $true = JSON::PP::true();
for my $provider (@providers)
{
	$c->configure($provider);
	$c->account($provider, $account{$provider});
	$c->knobs($provider, rotation => $rotation{$provider});
	$c->connect($ada, $provider, $account{$provider});
}

sub alive { return kill 0, $_[0] }

# The victim dies; the server is there again, or started.
sub strike
{
	my ($victim, $callers) = @_;
	my $worker = $c->worker;
	my ($postmaster) = Cluster::slurp("$c->{data}/postmaster.pid") =~ /^(\d+)/;
	my %pid = (caller => @$callers ? $callers->[0]{backend} : undef, worker => $worker, postmaster => $postmaster);
	kill 'KILL', $pid{$victim} or die "no $victim\n";
	Cluster::waits_until(sub { !alive($worker) }) or die "the worker lives\n";
	$_->leave for @$callers;
	if ($victim eq 'postmaster')
	{
		$c->{control_session}->leave;
		$c->{control_session} = undef;
		Cluster::waits_until(sub { !alive($postmaster) && !grep { alive($_->{backend}) } @$callers }) or die "the server lives\n";
		Cluster::waits_until(sub { eval { $c->start(@{ $c->{options} }); 1 } }) or die "the server does not start\n";
	}
	$c->renew;
	return;
}

sub status { my ($provider) = @_; return $c->column($ada, $provider, 'status') }

# Where each stands when the blow falls.
my %fault = (
	'before the provider has acted' => { hold => $true, close => $true, when => 'before' },
	'after the provider has answered' => { hold => $true, when => 'after' },
	'before the answer is stored' => { hold => $true, when => 'after' },
	'after the answer is stored' => undef);

for my $victim (qw(caller worker postmaster))
{
	for my $when ('before the provider has acted', 'after the provider has answered', 'before the answer is stored', 'after the answer is stored')
	{
		$c->expire($ada, $_) for @providers;
		my $fault = $fault{$when};
		if ($fault) { $c->fault($_, endpoint => 'token', times => 1, %$fault) for @providers }
		my @callers = map { $c->session } @providers;
		$callers[$_]->send($c->fresh_sql($ada, $providers[$_]) . ';') for 0 .. 2;
		if ($fault) { $c->held($_, 'token') for @providers }
		else { $_->answer for @callers }
		my $lock;
		if ($when eq 'before the answer is stored')
		{
			$lock = $c->session;
			$lock->ask("BEGIN; SELECT FROM orla.user_cloud_storage_tokens FOR UPDATE;");
			$c->release($_) for @providers;
			$c->control(GET => 'wait', { provider => $_, endpoint => 'token', idle => 1 }) for @providers;
			# the worker has all three, and tries to store them
			Cluster::waits_until(sub { $c->value('SELECT in_flight FROM orla.worker_status') eq '0' }) or die "the answers do not arrive\n";
		}
		strike($victim, \@callers);
		$lock->leave if $lock;
		$c->release($_) for @providers;
		$c->control(GET => 'wait', { provider => $_, endpoint => 'token', idle => 1 }) for @providers;

		is($c->value('SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE claimed_at IS NOT NULL'), '0', "kill -9 of the $victim $when: no claim is left");
		for my $provider (@providers)
		{
			# What nothing on this side can mend: the provider has used up the old
			# token, and the only copy of the new one was in a process that is no more.
			my $is_lost = $rotation{$provider} eq 'strict' && $when =~ /has answered|before the answer/;
			is(Custody::error($c->fresh($ada, $provider)), $is_lost ? 'the connection has ended' : 'fresh', "rotation $rotation{$provider}: " . ($is_lost ? 'is lost, and says so' : 'goes on'));
			is(status($provider), $is_lost ? 'needs_reconnect' : 'connected', 'its status');
			if ($is_lost)
			{
				is(ref $c->connect($ada, $provider, $account{$provider}), 'HASH', 'connecting again mends it');
				is($c->fresh($ada, $provider), 'fresh', 'wholly');
			}
			$c->expire($ada, $provider);
			is($c->fresh($ada, $provider), 'fresh', 'and lasts');
		}
	}
}

# ---- connecting and disconnecting -----------------------------------------------------

for my $when ('before', 'after')
{
	my $back = $c->approve($c->begin($ada, 'google_drive'), $account{google_drive});
	my $caller = $c->session;
	$c->fault('google_drive', endpoint => 'token', times => 1, hold => $true, when => $when, $when eq 'before' ? (close => $true) : ());
	$caller->send($c->as_sql($ada, $c->complete_sql($back)));
	$c->held('google_drive', 'token');
	strike('worker', [$caller]);
	$c->release('google_drive');
	is(Custody::error($c->complete($ada, $back)), 'unknown state', "the worker dies $when a code is exchanged: the state is used up");
	is($c->fresh($ada, 'google_drive'), 'fresh', 'the connection there was works');
	is(ref $c->connect($ada, 'google_drive', $account{google_drive}), 'HASH', 'and connecting again does');
}
sub live { my ($provider) = @_; return scalar grep { $_->{account} eq $account{$provider} && !$_->{revoked} } @{ $c->control(GET => 'counts', { provider => $provider })->{grants} } }
for my $provider (qw(google_drive dropbox))
{
	# without the accesses that the worker's deaths have made an end of knowing
	$c->control(POST => 'reset', { provider => $provider });
	$c->account($provider, $account{$provider});
	$c->connect($ada, $provider, $account{$provider});
	Cluster::waits_until(sub { $c->value('SELECT count(*) FROM orla.revocations WHERE ended_at IS NULL') eq '0' }) or die "revocations do not end\n";
	is(live($provider), 1, "$provider: an access");
	my $caller = $c->session;
	$c->fault($provider, endpoint => 'revoke', times => 1, hold => $true, close => $true, when => 'before');
	$caller->send($c->as_sql($ada, "SELECT orla_api.disconnect('$provider')"));
	$c->held($provider, 'revoke');
	strike('worker', [$caller]);
	$c->release($provider);
	is($c->as($ada, "SELECT connected FROM orla_api.connections WHERE provider = '$provider'"), 'f', "$provider: the worker dies while it revokes: disconnected all the same");
	ok(Cluster::waits_until(sub { live($provider) == 0 }), 'the next one revokes');
	is($c->column($ada, $provider, 'access_token IS NULL AND refresh_token IS NULL'), 't', 'the connection has no token');
	$c->connect($ada, $provider, $account{$provider});
}

# The account is deleted, and then the worker, or the server, dies while it ends the access.
for my $victim (qw(worker postmaster))
{
	my $eve = $c->sign_up("eve$victim");
	$c->connect($eve, 'dropbox', $account{dropbox});
	$c->fault('dropbox', endpoint => 'revoke', times => 1, hold => $true, close => $true, when => 'before');
	$c->as($eve, "SELECT orla_api.delete_account('Correct-Horse-42')");
	$c->held('dropbox', 'revoke');
	my $before = live('dropbox');
	strike($victim, []);
	$c->release('dropbox');
	is($c->value("SELECT count(*) FROM orla.users WHERE id = '$eve->{id}'") . $c->value("SELECT count(*) FROM orla.tenant_keys WHERE user_id = '$eve->{id}'"), '00', "the $victim dies after an account was deleted: it stays so");
	ok(Cluster::waits_until(sub { live('dropbox') == $before - 1 }), 'and its access is ended all the same');
	ok(Cluster::waits_until(sub { $c->value('SELECT count(*) FROM orla.revocations WHERE ended_at IS NULL') eq '0' }), 'nothing is left of it');
}

# ---- mail ---------------------------------------------------------------------------------

{
	is($c->value("SELECT orla.configure_mail('$c->{where}{smtp}{url}', 'orla\@app.example')"), '', 'a mail server') or diag 'no STARTTLS to this machine';
	$c->knobs('smtp', delay_ms => 30_000);
	$c->value("SELECT orla_api.forgot_password('ada\@example.org')");
	$c->value('UPDATE orla.outbox SET next_attempt_at = now() WHERE sent_at IS NULL');
	ok(Cluster::waits_until(sub { $c->value('SELECT bool_or(attempts > 0) FROM orla.outbox WHERE sent_at IS NULL') eq 't' }), 'a mail is on its way');
	strike('worker', []);
	is($c->value('SELECT count(*) > 0 FROM orla.outbox WHERE sent_at IS NULL AND sealed_token IS NOT NULL'), 't', 'when the worker dies: it waits, with its link');
}

alarm 0;
done_testing;
