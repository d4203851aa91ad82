#!/usr/bin/perl
# docs/api.md is what the catalogue says.  A comment, a signature, a column or a
# grant that has changed since it was written fails this, as does an object that
# people may use and that has no place in it.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Cluster;
use File::Temp qw(tempdir);
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $quiet = "SET client_min_messages = warning;\n";
my $dir = tempdir('orla-reference-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $cluster = Cluster->new('reference');
$cluster->sql('CREATE DATABASE app', database => 'postgres');
is($cluster->sql("$quiet CREATE EXTENSION orla CASCADE;"), '', 'installed');

sub slurp
{
	open(my $in, '<', $_[0]) or die "$_[0]: $!\n";
	local $/;
	return scalar readline($in);
}

# Status, what is printed, and what is complained about.
sub reference
{
	my (%option) = @_;
	local $ENV{ORLA_API_TEMPLATE} = $option{template} if $option{template};
	my $status = system("'$root/test/docs/reference' -h '$cluster->{dir}' -p 5432 -U postgres -d app >'$dir/printed' 2>'$dir/complaints'");
	return ($status >> 8, slurp("$dir/printed"), slurp("$dir/complaints"));
}

my $kept = slurp("$root/docs/api.md");
my ($status, $printed, $complaints) = reference();
is("$status $complaints", '0 ', 'everything has its place');
ok($printed eq $kept, 'docs/api.md says what the catalogue says')
  or diag("run make docs; what would change:\n" . qx(diff -u '$root/docs/api.md' '$dir/printed' | head -n 40));

# ---- it can fail -------------------------------------------------------------

sub differs
{
	my ($what, $change, $wanted) = @_;
	is($cluster->sql("$quiet $change"), '', $what);
	my ($ended, $answer) = reference();
	is($ended, 0, '... is printed');
	isnt($answer, $kept, '... and differs');
	like($answer, $wanted, '... in its place');
}

differs('another comment', "COMMENT ON FUNCTION orla_api.me() IS 'Somebody else.';", qr/^### `orla_api\.me\(\)`\n\n[^\n]+\n\nSomebody else\.$/m);
differs('another grant', 'GRANT EXECUTE ON FUNCTION orla_api.me() TO orla_analyst;', qr/^### `orla_api\.me\(\)`\n\n[^\n]*`orla_analyst`$/m);
differs('another column', "COMMENT ON COLUMN orla_api.competitors.name IS 'Told by job().';", qr/^\| name \| text \| required \| Told by \[`job`\]\(#orla_apijobjob_id-uuid\)\. \|$/m);

is($cluster->sql("$quiet CREATE FUNCTION orla_api.forgotten(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW orla_api.overlooked AS SELECT 1 AS one;
	CREATE FUNCTION orla.hidden() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION orla.hidden() TO orla_admin;"), '', 'objects without a place');
($status, $printed, $complaints) = reference();
is($status, 1, '... are an error');
is($complaints, join('', map { "reference: $_ has no line in docs/api.template\n" } qw(orla.hidden orla_api.forgotten orla_api.overlooked)), '... that names them');
is($printed, '', '... and nothing is printed');

my $template = slurp("$root/docs/api.template");
$template =~ s/^\{\{function orla_api\.me\}\}$/{{function orla_api.thee}}/m or die;
open(my $out, '>', "$dir/template") or die $!;
print {$out} $template;
close $out or die $!;
$complaints = (reference(template => "$dir/template"))[2];
like($complaints, qr/^reference: docs\/api\.template has a function orla_api\.thee, which does not exist$/m, 'a line for what does not exist is one');
like($complaints, qr/^reference: orla_api\.me has no line in docs\/api\.template$/m, '... and what it stood for is missed');

is($cluster->sql("$quiet COMMENT ON COLUMN orla_api.competitors.name IS NULL;"), '', 'a column without a comment');
like((reference())[2], qr/^reference: orla_api\.competitors\.name has no comment$/m, '... is missed, too');

done_testing();
