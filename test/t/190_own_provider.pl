#!/usr/bin/perl
# docs/providers.md, "A provider of your own": its blocks do what the text says,
# at the certified OpenID provider among the counterparts.  Its address and what
# orla is registered as there take the places of those of the example.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;

use Custody;

BEGIN { $SIG{ALRM} = sub { die "something hangs\n" } }
alarm 120;

my $page = Cluster::slurp("$FindBin::RealBin/../../docs/providers.md");
my ($section) = $page =~ /^## A provider of your own\n(.*?)(?=^## |\z)/ms or die "no section\n";
my ($good, $bad) = $section =~ /^```sql\n(.*?)^```$/gms;
ok($good && $bad, 'the page has its two blocks');

my $c = Custody->new('own', only => ['oidc']);
my $at = $c->{where}{oidc}{main}{http};
my ($host) = $at =~ m{^http://([^:/]+)};

# ---- families ----------------------------------------------------------------------

{
	my ($head) = Cluster::slurp("$FindBin::RealBin/../../sql/install/80_files_fn.sql") =~ /\A((?:--.*\n)+)/;
	my @members = $head =~ /^--\s+F_(\w+)\(/mg;
	cmp_ok(scalar @members, '==', 8, 'the functions of a family stand at the head of the file that the page names');
	my @families = $c->sql("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'orla'::regnamespace AND proname LIKE '%^_list^_request' ESCAPE '^' ORDER BY 1;") =~ /^(\w+)_list_request$/mg;
	is($c->sql("SELECT string_agg(f || '_' || m, ' ') FROM unnest('{@{[ join ',', @families ]}}'::text[]) AS f, unnest('{@{[ join ',', @members ]}}'::text[]) AS m WHERE NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'orla'::regnamespace AND proname = f || '_' || m);"), '', 'each family has them all: ' . join(', ', @families));
	for my $place (qw(file_family provider_problem))
	{
		like($section, qr/`orla\.$place\(\)`/, "the page names $place()");
		my $list = $c->sql(q{SELECT substring(prosrc FROM '''files''[^(]* NOT IN [(]([^)]*)[)]') FROM pg_proc WHERE pronamespace = 'orla'::regnamespace AND proname = '} . "$place';");
		is(join(' ', sort $list =~ /'(\w+)'/g), join(' ', @families), '... which lists them');
	}
}

# ---- as it stands ----------------------------------------------------------------

is($c->sql($good), '', 'the block is taken as it stands');
like($c->value("SELECT overrides ->> 'token_url' FROM orla.providers WHERE name = 'example'"), qr{^https://id\.example\.org/token$}, '... and kept');
my ($error, $detail) = $bad =~ /^-- (ERROR: .*)\n-- (DETAIL: .*)$/m;
like($c->sql($bad), qr/\Q$error\E\n\Q$detail\E/, 'the wrong one is refused with the words of the page');
like($c->value("SELECT overrides ->> 'token_url' FROM orla.providers WHERE name = 'example'"), qr{^https://id\.example\.org/token$}, '... and nothing is changed');

# ---- at the counterpart ----------------------------------------------------------

(my $here = $good) =~ s{https://id\.example\.org}{$at}g;
$here =~ s{"hosts": \["id\.example\.org"\]}{"hosts": ["$host"]} or die "no hosts\n";
$here =~ s{'client id', 'client secret'}{'$c->{where}{client_id}', '$c->{where}{client_secret}'} or die "no client\n";
is($c->sql($here), '', 'the same with the address of the counterpart');

my $ada = $c->sign_up('ada');
$c->account('oidc', 'ada@id.example');
my $url = $c->begin($ada, 'example');
like($url, qr{^\Q$at\E/auth\?.*\bredirect_uri=https%3A%2F%2Fapp\.example%2Foauth%2Fcallback%2Fexample\b}, 'connect() sends the browser there');
like($url, qr/\bcode_challenge_method=S256\b/, '... with PKCE');
my $back = $c->approve($url, 'ada@id.example');
is($back->{iss}, $at, 'the provider says who it is');
my $made = $c->complete($ada, $back, provider => 'example');
is(ref $made, 'HASH', 'the connection is made') or diag($made);
is($made->{provider_email}, 'ada@id.example', '... and named');
is($c->as($ada, 'SELECT connected, status FROM orla_api.connections'), 't|connected', '... and shown');

my $before = $c->requests('oidc', 'token');
for my $turn (1 .. 3)
{
	$c->expire($ada, 'example');
	is($c->fresh($ada, 'example'), 'fresh', "a token that has run out is refreshed, turn $turn, though the provider rotates strictly");
}
is($c->requests('oidc', 'token') - $before, 3, '... with one request each');

like($c->as($ada, "SELECT * FROM orla_api.files('example')"), qr/^ERROR:  provider example has no files/m, 'it has no files');
my $revocations = $c->requests('oidc', 'revoke');
is($c->as($ada, "SELECT orla_api.disconnect('example') ->> 'message'"), 'Disconnected.', 'disconnect() ends it');
is($c->requests('oidc', 'revoke') - $revocations, 1, '... at the provider, too');
is($c->as($ada, 'SELECT connected FROM orla_api.connections'), 'f', '... and here');

# Another provider's code is not taken for this one's (way 115).
$c->sql($here =~ s/"issuer": "[^"]*"/"issuer": "https:\/\/other.example.org"/r);
$back = $c->approve($c->begin($ada, 'example'), 'ada@id.example');
like($c->complete($ada, $back, provider => 'example'), qr/the code is of another provider/, 'an issuer that is not the configured one is refused');

done_testing();
