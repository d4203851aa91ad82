# A cluster with a worker, the counterparts of test/providers beside it, people
# who sign up and connect.
#
#   my $c = Custody->new('name', only => [ 'dropbox', 'smtp' ], server => [ 'log_min_messages=debug5' ]);
#   $c->configure('dropbox', more => 'overrides');
#   my $ada = $c->sign_up('ada');
#   $c->connect($ada, 'dropbox', 'ada@box.example');       what complete_connection() answers, or the error
#   $c->knobs('dropbox', rotation => 'strict'); $c->control(GET => 'counts', { provider => … });
#   $c->sql($statements); $c->as($ada, $statements); $c->fresh($ada, 'dropbox'); $c->value("SELECT …")
package Custody;

use strict;
use warnings;

use FindBin;
use HTTP::Tiny;
use IPC::Open2;
use JSON::PP;
use Test::More ();

use Cluster;

our @ISA = ('Cluster');
my $json = JSON::PP->new->canonical->utf8(0)->allow_nonref;
my @nodes;

my $hint = 'the counterparts did not start: npm ci in test/providers';

sub new
{
	my ($class, $name, %with) = @_;
	my @options = ('shared_preload_libraries=' . ($with{preload} // 'orla'), 'orla.allow_loopback_http=on', 'max_connections=150', @{ $with{server} // [] });
	my $self = $class->SUPER::new($name, @options);
	$self->{options} = \@options;
	$self->start_providers($with{tls}, @{ $with{only} // [] });
	$self->sql("CREATE DATABASE app; ALTER DATABASE app SET orla.password_memory = 7168; ALTER DATABASE app SET orla.sign_in_floor = 0;
	    ALTER DATABASE app SET orla.public_url = 'https://app.example';", database => 'postgres');
	# not on the command line, which nothing could change
	$self->sql("ALTER SYSTEM SET orla.databases = 'app';", database => 'postgres');
	$self->sql('SELECT pg_reload_conf();', database => 'postgres');
	$self->sql('SET client_min_messages = warning; CREATE EXTENSION orla CASCADE;');
	$self->{control_session} = $self->session;
	$self->wait_for_worker;
	$self->value('SELECT orla.ensure_instance() IS NULL');
	return $self;
}

sub start_again { my ($self) = @_; $self->start(@{ $self->{options} }); $self->renew; return }

# The session that outlives no restart of the server.
sub renew
{
	my ($self) = @_;
	$self->{control_session}->leave if $self->{control_session};
	$self->{control_session} = undef;
	Cluster::waits_until(sub { $self->sql('SELECT 1') eq '1' }) or die "the server is not there again\n";
	$self->{control_session} = $self->session;
	$self->wait_for_worker;
}

sub wait_for_worker
{
	my ($self) = @_;
	Cluster::waits_until(sub { $self->value('SELECT ready FROM orla.worker_status') eq 't' }) or die "no worker\n";
}

# Has the worker look for what is due, which it does after each call.
sub nudge { $_[0]->value("SELECT orla_api.logout('x')"); return }

sub worker { return $_[0]->value('SELECT pid FROM orla.worker_status') }

# ---- the counterparts ------------------------------------------------------------

sub start_providers
{
	my ($self, $tls, @only) = @_;
	$self->{tls} = "$self->{dir}/tls";
	my $pid = open2(my $out, my $in, 'node', "$FindBin::RealBin/../providers/serve.mjs", '--with-parent', $tls ? ('--tls', $self->{tls}) : (), map { ('--only', $_) } @only);
	push @nodes, { pid => $pid, in => $in };
	my $line = readline($out) // die "$hint\n";
	$self->{where} = $json->decode($line);
	$self->{node_out} = $out;
}

END
{
	my $status = $?;
	for (@nodes) { close $_->{in}; waitpid $_->{pid}, 0 }
	$? = $status;
}

sub control
{
	my ($self, $method, $name, $given) = @_;
	my $http = $self->{http} //= HTTP::Tiny->new(timeout => 70);
	my $url = "$self->{where}{control}/$name";
	if ($method eq 'GET' && $given)
	{
		my %query = %$given;
		$url .= '?' . $http->www_form_urlencode(\%query);
	}
	my $answer = $http->request($method, $url, $method eq 'POST' ? { content => JSON::PP->new->utf8->encode($given // {}) } : {});
	die "$method $name: $answer->{content}\n" if $answer->{status} != 200;
	return JSON::PP->new->utf8->decode($answer->{content});
}

sub knobs { my ($self, $provider, %knobs) = @_; return $self->control(POST => 'knobs', { provider => $provider, %knobs }) }
sub fault { my ($self, $provider, %fault) = @_; return $self->control(POST => 'faults', { provider => $provider, %fault }) }
sub reset_provider { my ($self, $provider) = @_; $self->knobs($provider, faults => []) }
sub release { my ($self, $provider, $endpoint) = @_; return $self->control(POST => 'release', { provider => $provider, $endpoint ? (endpoint => $endpoint) : () })->{released} }

# So many requests that an endpoint has had.
sub requests
{
	my ($self, $provider, $endpoint) = @_;
	return $self->control(GET => 'counts', { provider => $provider, brief => 1 })->{requests}{$endpoint} // 0;
}

sub held { my ($self, $provider, $endpoint, $n) = @_; return $self->control(GET => 'wait', { provider => $provider, endpoint => $endpoint, held => $n // 1 }) }

# ---- providers, people, connections -------------------------------------------------

sub facts
{
	my ($self, $provider) = @_;
	my $at = $self->{where}{$provider}{main}{http};
	my %facts = (hosts => ['127.0.0.1']);
	if ($provider eq 'google_drive')
	{
		%facts = (%facts, authorize_url => "$at/o/oauth2/v2/auth", token_url => "$at/token", revoke_url => "$at/revoke",
			account_url => "$at/v1/userinfo", api_url => "$at/drive/v3");
	}
	elsif ($provider eq 'onedrive')
	{
		%facts = (%facts, authorize_url => "$at/common/oauth2/v2.0/authorize", token_url => "$at/common/oauth2/v2.0/token",
			account_url => "$at/v1.0/me", api_url => "$at/v1.0", download_hosts => ['127.0.0.1']);
	}
	elsif ($provider eq 'dropbox')
	{
		%facts = (%facts, authorize_url => "$at/oauth2/authorize", token_url => "$at/oauth2/token", revoke_url => "$at/2/auth/token/revoke",
			account_url => "$at/2/users/get_current_account", api_url => "$at/2", content_url => "$self->{where}{dropbox}{content}{http}/2");
	}
	else
	{
		%facts = (%facts, label => 'OpenID', authorize_url => "$at/auth", token_url => "$at/token", issuer => $at, revoke_url => "$at/token/revocation",
			revoke_with => 'client', revoke_reach => 'grant', account_url => "$at/me", account_id => ['sub'], account_email => ['email'],
			scopes => [ 'openid', 'offline_access', 'email' ], authorize_params => { prompt => 'consent' });
	}
	return \%facts;
}

sub literal { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" }

sub configure
{
	my ($self, $provider, %more) = @_;
	my $secret = delete $more{client_secret} // $self->{where}{client_secret};
	my $overrides = $json->encode({ %{ $self->facts($provider) }, %more });
	return $self->value("SELECT orla.configure_provider('$provider', 'orla-test-client', " . literal($secret) . ', ' . literal($overrides) . ')');
}

# Somebody with an account; a tenant's sessions have no cache of it.
sub sign_up
{
	my ($self, $name, $email) = @_;
	$email //= "$name\@example.org";
	$self->value('SELECT orla_api.register(' . literal($name) . ", '$email', 'Correct-Horse-42')");
	my ($link) = $self->value("SELECT orla.render_mail(id) FROM orla.outbox WHERE to_address = '$email' AND sent_at IS NULL ORDER BY created_at DESC LIMIT 1") =~ /token=(\S+)/
	  or die "no link for $email\n";
	my $signed_in = $json->decode($self->value("SELECT orla_api.verify_email('$link', 'Correct-Horse-42')"));
	return { id => $signed_in->{user}{id}, token => $signed_in->{access_token}, email => $email, name => $name };
}

# Another session of the same person.
sub sign_in
{
	my ($self, $who) = @_;
	my $signed_in = $json->decode($self->value("SELECT orla_api.login('$who->{email}', 'Correct-Horse-42')"));
	return { %$who, token => $signed_in->{access_token} };
}

# Statements that a tenant runs in one transaction.
sub as_sql
{
	my ($self, $who, $sql, $begin) = @_;
	return ($begin // 'BEGIN') . "; SET LOCAL ROLE orla_user; SELECT 1 WHERE orla.authenticate('$who->{token}') IS NULL; $sql; COMMIT;";
}

sub as
{
	my ($self, $who, $sql, %with) = @_;
	return $self->sql($self->as_sql($who, $sql, $with{begin}), %with);
}

# One value, in the session of the test itself.
sub value
{
	my ($self, $sql) = @_;
	return $self->{control_session} ? $self->{control_session}->ask("$sql;") : $self->sql("$sql;");
}

sub account { my ($self, $provider, $email, %more) = @_; return $self->control(POST => 'accounts', { provider => $provider, email => $email, files => [], %more }) }

# The address that connect() gives, and what the provider sends back to it.
sub begin
{
	my ($self, $who, $provider, $return_to) = @_;
	my $answer = $self->as($who, "SELECT orla_api.connect('$provider'" . (defined $return_to ? ', ' . literal($return_to) : '') . ')');
	return $answer =~ /^\{/ ? $json->decode($answer)->{authorization_url} : $answer;
}

sub approve
{
	my ($self, $url, $account, %more) = @_;
	return $self->control(POST => 'approve', { authorization_url => $url, account => $account, %more });
}

sub complete_sql
{
	my ($self, $back, %more) = @_;
	my %given = (state => $back->{state}, code => $back->{code} // '', map({ $_ => $back->{$_} } grep { defined $back->{$_} } qw(iss error)), %more);
	return 'SELECT orla_api.complete_connection(' . join(', ', map { "$_ => " . literal($given{$_}) } sort keys %given) . ')';
}

sub complete
{
	my ($self, $who, $back, %more) = @_;
	my $answer = $self->as($who, $self->complete_sql($back, %more));
	return $answer =~ /^\{/ ? $json->decode($answer) : $answer;
}

sub connect
{
	my ($self, $who, $provider, $account, %more) = @_;
	return $self->complete($who, $self->approve($self->begin($who, $provider), $account, %more));
}

sub column
{
	my ($self, $who, $provider, $expression) = @_;
	return $self->value("SELECT $expression FROM orla.user_cloud_storage_tokens WHERE user_id = '$who->{id}' AND provider = '$provider'");
}

sub set
{
	my ($self, $who, $provider, $assignments) = @_;
	return $self->value("UPDATE orla.user_cloud_storage_tokens SET $assignments WHERE user_id = '$who->{id}' AND provider = '$provider'");
}

# The access token has run out, and the worker does not see to it by itself.
sub expire { my ($self, $who, $provider) = @_; $self->set($who, $provider, "token_expires_at = now() - interval '1 second', next_request_at = now() + interval '1 day'") }

# What a session does that needs a token: 'fresh', or the error's message.
sub fresh_sql
{
	my ($self, $who, $provider, $more) = @_;
	return "SELECT CASE WHEN orla.consult('fresh_token', '" . $json->encode({ user_id => $who->{id}, provider => $provider, %{ $more // {} } })
	  . "') ->> 'sealed' IS NOT NULL THEN 'fresh' END";
}

sub fresh
{
	my ($self, $who, $provider, %with) = @_;
	my $answer = $self->sql($self->fresh_sql($who, $provider, $with{args}) . ';');
	return $answer;
}

# The message and SQLSTATE alone.
sub error
{
	my ($text) = @_;
	return $text =~ /^(?:psql:\S+ )?ERROR:  (.*)/m ? $1 : $text;
}

1;
