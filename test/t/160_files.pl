#!/usr/bin/perl
# Files at the three providers: one shape of rows, names, pages, shared things,
# imports, documents without bytes, the one step of a download, hostile input.
#
# The other side is test/providers.
use strict;
use warnings;
use utf8;

use Digest::MD5 qw(md5_hex);
use Encode qw(decode_utf8 encode_utf8);
use FindBin;
use lib $FindBin::RealBin;
use HTTP::Tiny;
use JSON::PP;
use Test::More;

use Files;

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);

Files::start('files');

# ---- one shape ---------------------------------------------------------------------

my %shape = (
	google_drive => { hash => qr/^[0-9a-f]{32}$/, id => qr/^1[\w-]{32}$/, web_url => qr{^https://drive\.google\.com/file/d/1[\w-]+/view\?usp=drivesdk$} },
	onedrive => { hash => qr/^[A-Za-z0-9+\/]{27}=$/, id => qr/^01[A-Z2-7]+$/, web_url => qr{^https://contoso-my\.sharepoint\.com/} },
	dropbox => { hash => qr/^[0-9a-f]{64}$/, id => qr/^id:[\w-]{22}$/, web_url => qr{^https://www\.dropbox\.com/home/Brand/notes\.txt$} },
);
for my $p (@all)
{
	my $root = files($ada, $p);
	my $brand = row('Brand', $root);
	is_deeply([ @$brand{qw(provider is_folder size hash next_page_token)} ], [ $p, JSON::PP::true, undef, undef, undef ], "$p: a folder has no size and no hash");
	my $notes = row('notes.txt', files($ada, $p, $brand->{id}));
	is_deeply([ sort keys %$notes ], [ sort qw(provider id name mime_type is_folder size modified_at parent_id web_url hash next_page_token) ], "$p: the columns of a row");
	is_deeply([ @$notes{qw(provider name mime_type is_folder size parent_id next_page_token)} ], [ $p, 'notes.txt', 'text/plain', JSON::PP::false, 250, $brand->{id}, undef ], "$p: a file");
	like($notes->{$_}, $shape{$p}{$_}, "$p: its $_") for qw(id hash web_url);
	like($notes->{modified_at}, qr/^2026-02-03T10:11:\d\d(?:\.\d+)?\+00:00$/, "$p: its time");
	ok(!grep({ $_->{name} eq 'old.txt' } @$root), "$p: what is in the bin is not listed");
	is_deeply(files($ada, $p, 'root'), $root, "$p: root is the root");
	is_deeply(names(files($ada, $p, '')), names($root), "$p: so is nothing");
	my $got = download($ada, $p, $notes->{id});
	is(length $got->{bytes}, 250, "$p: the bytes of a file");
	is_deeply([ @$got{ 'Content-Type', 'Content-Disposition', 'X-Content-Type-Options' } ], [ 'text/plain', q(attachment; filename="notes.txt"; filename*=UTF-8''notes.txt), 'nosniff' ], "$p: and its headers");
	is_deeply([ @$got{ 'Content-Security-Policy', 'Cross-Origin-Resource-Policy', 'Cache-Control' } ], [ "default-src 'none'; sandbox", 'same-origin', 'private, no-cache' ], "$p: it is no page of ours, and nobody else's to keep");
	is_deeply([ map { download($ada, $p, $_->{id})->{'Content-Type'} } @{ files($ada, $p, folder($ada, $p, 'Planted')) } ], [ ('application/octet-stream') x 3 ], "$p: way 142: a script of somebody is none of ours");
	is(download($ada, $p, row('empty.txt', $root)->{id})->{bytes}, '', "$p: an empty file");
	like(download($ada, $p, $brand->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  It is a folder\.$/, "$p: a folder cannot be downloaded");
	is_deeply(files($ada, $p, $brand->{id}, role => 'orla_gateway'), files($ada, $p, $brand->{id}), "$p: a gateway sees the same");
	is(download($ada, $p, $notes->{id}, role => 'orla_gateway')->{bytes}, $got->{bytes}, "$p: and downloads the same");
	is_deeply(names(search($ada, $p, 'notes', role => 'orla_gateway')), ['notes.txt'], "$p: and finds it");
}

# ---- names ----------------------------------------------------------------------------

for my $p (@all)
{
	my %there = map { ($_->{id} => $_) } grep { ($_->{path} // '') =~ m{^/Names/} } @{ look('files', $p, account => 'ada@drive.example') };
	my $listed = files($ada, $p, folder($ada, $p, 'Names'));
	is_deeply([ sort map { "$_->{id} $_->{name}" } @$listed ], [ sort map { "$_->{id} $_->{name}" } values %there ], "$p: all " . @$listed . ' names as they are');
	my @wrong = grep { my $got = download($ada, $p, $_->{id}); !ref $got || decode_utf8($got->{bytes}) ne "in $_->{name}\n"
		|| grep({ /[^\x20-\x7e]/ } @$got{ 'Content-Type', 'Content-Disposition' }) || $got->{'Content-Disposition'} !~ /^attachment; filename="[A-Za-z0-9._ -]+"; filename\*=UTF-8''[A-Za-z0-9._~%-]+$/ } @$listed;
	is_deeply(names(\@wrong), [], "$p: each is downloaded under a name that a header can have");
	ok(grep({ length(encode_utf8($_->{name})) == 255 } @$listed), "$p: one has 255 bytes");
	my $fox = row('räksmörgås 🦊.md', files($ada, $p, folder($ada, $p, 'größer 5 €')));
	my $got = download($ada, $p, $fox->{id});
	is($got->{bytes}, encode_utf8("# 🦊\n"), "$p: no letter is a problem");
	is($got->{'Content-Disposition'}, q(attachment; filename="r_ksm_rg_s _.md"; filename*=UTF-8''r%C3%A4ksm%C3%B6rg%C3%A5s%20%F0%9F%A6%8A.md), "$p: nor in a header");
}
is(scalar(grep { $_->{name} eq 'twice.txt' } @{ files($ada, 'google_drive', folder($ada, 'google_drive', 'Names')) }), 2, 'google_drive: two files of one name are two files');
is(scalar(grep { lc $_->{name} eq 'report.txt' } @{ files($ada, 'google_drive', folder($ada, 'google_drive', 'Names')) }), 2, 'google_drive: so are two that differ in case alone');

# ---- pages ------------------------------------------------------------------------------

for my $p (@all)
{
	my $many = folder($ada, $p, 'Many');
	is_deeply(walk($ada, $p, $many, size => 3), [ [ @seven[ 0 .. 2 ] ], [ @seven[ 3 .. 5 ] ], [ $seven[6] ] ], "$p: pages of three");
	is_deeply(walk($ada, $p, $many, size => 7), [ \@seven ], "$p: one page if they fit");
	is_deeply(walk($ada, $p, $many, size => -1), [ map { [$_] } @seven ], "$p: pages have one entry at least");
	is_deeply(walk($ada, $p, $many, size => 100_000), [ \@seven ], "$p: and no more than the provider gives");
	control('knobs', $p, empty_pages => 4, page_limit => 5);
	requests($p);
	is_deeply(walk($ada, $p, $many), [ [ @seven[ 0 .. 4 ] ], [ @seven[ 5 .. 6 ] ] ], "$p: empty pages are passed over, short ones are not the end");
	is(scalar(my @r = requests($p)), 6, "$p: each of them was asked for");
	control('knobs', $p, empty_pages => 150);
	like(files($ada, $p, $many), qr/^ERROR:  PT503: the provider does not answer\nDETAIL:  100 pages had no entry/, "$p: empty pages without an end are no empty folder");
	control('knobs', $p, empty_pages => 0, page_limit => JSON::PP::null);
	my $token = files($ada, $p, $many, size => 3)->[0]{next_page_token};
	like(files($ada, $p, $many, page => $_, size => 3), qr/^ERROR:  22023: invalid page token\nDETAIL:  .*\nHINT:  Begin with the first page again\.$/, "$p: not a page token: $_")
	  for 'nonsense', '~!!~', "' OR 1=1", 'x' x 8001, ($p eq 'onedrive' ? $token =~ s/skiptoken=\w+/skiptoken=AAAA/r : ());
}
is_deeply(files($ada, 'google_drive', 'nothing'), [], 'google_drive: a folder that is not there has nothing in it');
like(files($ada, 'onedrive', 'nothing'), qr/^ERROR:  PT404: no such file/, 'onedrive: no such folder');
like(files($ada, 'dropbox', 'id:nothing'), qr/^ERROR:  PT404: no such file\nDETAIL:  Status 409, path\/not_found\. It is not there, or this connection may not read it\.$/, 'dropbox: no such folder');

control('knobs', 'dropbox', extra_entries => 2);
is_deeply(walk($ada, 'dropbox', folder($ada, 'dropbox', 'Many'), size => 2), [ [ @seven[ 0 .. 3 ] ], [ @seven[ 4 .. 6 ] ] ], 'dropbox: more entries than were asked for');
control('knobs', 'dropbox', extra_entries => 0, reset_continue => JSON::PP::true);
like(walk($ada, 'dropbox', folder($ada, 'dropbox', 'Many'), size => 2), qr/^ERROR:  22023: invalid page token\nDETAIL:  Status 409, reset\.\nHINT:  Begin with the first page again\.$/, 'dropbox: a list that has to begin anew');
control('knobs', 'dropbox', reset_continue => JSON::PP::false);
{
	my $many = folder($ada, 'onedrive', 'Many');
	my $token = files($ada, 'onedrive', $many, size => 3)->[0]{next_page_token};
	my $api = "$c->{where}{onedrive}{main}{http}/v1.0";
	my $foreign = $c->{where}{onedrive}{foreign}{http};
	requests('onedrive');
	like(files($ada, 'onedrive', $many, page => $_), qr/^ERROR:  22023: invalid page token/, "onedrive: a page elsewhere: " . s/\s+/ /gr)
	  for $token =~ s/^\Q$api\E/$foreign\/v1.0/r, "$api\@127.0.0.2/me/drive/root/children", "$api/me/messages", "$api/me", "$api/drives/../me/messages", "$api/drives/%2e%2E/me/messages",
	  "$api/me/drive/root/children#x", "$api/me/drive/root/children?a\r\nX: y", "/me/drive/root/children";
	control('knobs', 'onedrive', next_link => 'foreign');
	like(files($ada, 'onedrive', $many, size => 3), qr/^ERROR:  PT502: the provider leads to another server\nDETAIL:  The next page is not one of its own\./, 'onedrive: a next page on another host is refused');
	control('knobs', 'onedrive', next_link => JSON::PP::null);
	is_deeply([ map { "$_->{host} $_->{endpoint}" } requests('onedrive') ], ['main list'], 'onedrive: and has seen no request');
}

# ---- what others share --------------------------------------------------------------------

for my $p (qw(google_drive onedrive))
{
	my $drive = row('Marketing', files($ada, $p, 'shared_drives'));
	is_deeply([ @$drive{qw(is_folder size parent_id)} ], [ JSON::PP::true, undef, undef ], "$p: a shared drive");
	my $campaigns = row('Campaigns', files($ada, $p, $drive->{id}));
	my $spring = row('spring.txt', files($ada, $p, $campaigns->{id}));
	is($spring->{parent_id}, $campaigns->{id}, "$p: a file in it knows its folder");
	is_deeply(names(files($ada, $p, $spring->{parent_id})), ['spring.txt'], "$p: by an id that works");
	is(download($ada, $p, $spring->{id})->{bytes}, "Spring campaign\n", "$p: and is downloaded");
	my $plan = row('shared plan.txt', files($ada, $p, 'shared_with_me'));
	is($plan->{parent_id}, undef, "$p: what was shared singly has no folder");
	is(download($ada, $p, $plan->{id})->{bytes}, "A plan that Grace shares\n", "$p: and is downloaded");
	is(row('shared plan.txt', search($ada, $p, 'shared plan'))->{id}, $plan->{id}, "$p: and found");
}
{
	my $link = row('Marketing', files($ada, 'onedrive'));
	like($link->{id}, qr{^b![\w-]+/}, 'onedrive: a link to a drive has the id of what it leads to');
	is_deeply(names(files($ada, 'onedrive', $link->{id})), ['Campaigns'], 'onedrive: and opens like a folder');
	control('knobs', 'onedrive', shared_with_me => JSON::PP::false);
	is_deeply(files($ada, 'onedrive', 'shared_with_me'), [], 'onedrive: nothing is shared once Graph says so no more');
	control('knobs', 'onedrive', shared_with_me => JSON::PP::true);
	my $root = files($ada, 'dropbox');
	is_deeply(names(files($ada, 'dropbox', row('Marketing', $root)->{id})), ['Campaigns'], 'dropbox: a shared folder is one among the others');
	is(download($ada, 'dropbox', row('shared plan.txt', $root)->{id})->{bytes}, "A plan that Grace shares\n", 'dropbox: and a shared file');
	like(files($ada, 'dropbox', $_), qr/^ERROR:  22023: invalid id of a file/, "dropbox: there is no $_") for qw(shared_with_me shared_drives);
}
{
	# A member of a team: her own folder is one in the team's space.
	control('accounts', 'dropbox', email => 'tess@team.example', name => 'Tess', kind => 'team', files => [ { path => '/mine.txt', text => "mine\n" }, { path => '/Plans/ours.txt', text => "ours\n", drive => 'Team' } ]);
	configure('dropbox', 'team_drive', files => 'dropbox', scopes => []);
	connect_to($ada, 'dropbox', 'tess@team.example', as => 'team_drive');
	is_deeply(names(files($ada, 'team_drive')), ['mine.txt'], 'dropbox: without the root a member sees but her own');
	my $root = $json->decode(HTTP::Tiny->new->post("$c->{where}{dropbox}{main}{http}/2/users/get_current_account",
		{ headers => { authorization => 'Bearer ' . control('mint', 'dropbox', account => 'tess@team.example')->{tokens}[0]{access_token} } })->{content})->{root_info}{root_namespace_id};
	for my $known ($root, 7)
	{
		connect_to($ada, 'dropbox', 'tess@team.example', as => 'team_drive', root => $known);
		requests('dropbox');
		my $top = files($ada, 'team_drive');
		is_deeply([ sort @{ names($top) } ], [ 'Team', 'Tess' ], 'dropbox: with it, the team' . ($known eq $root ? '' : ', also where it has moved'));
		is(statuses('dropbox'), $known eq $root ? 'list:200' : 'list:422 list:200', 'dropbox: asked for once more at most');
		my $plans = files($ada, 'team_drive', row('Team', $top)->{id});
		my $ours = row('ours.txt', files($ada, 'team_drive', row('Plans', $plans)->{id}));
		is(download($ada, 'team_drive', $ours->{id})->{bytes}, "ours\n", 'dropbox: a file of the team');
	}
}

# ---- files become material ------------------------------------------------------------------------

my %outcome = (map({ ("import.$_" => 'found') } qw(txt md csv html docx pdf)), 'broken.pdf' => 'damaged', 'import.bin' => 'unknown format');
for my $p (@all)
{
	control('files', $p, account => 'ada@drive.example', files => [ map { { path => "/Imports/$_->[0]", sample => $_->[1] } } [ 'import.txt' => 'text' ], [ 'import.md' => 'markdown' ], [ 'import.csv' => 'csv' ],
		[ 'import.html' => 'html' ], [ 'import.docx' => 'docx' ], [ 'import.pdf' => 'pdf' ], [ 'broken.pdf' => 'pdf_broken' ], [ 'import.bin' => 'binary' ] ]);
	my $listed = files($ada, $p, folder($ada, $p, 'Imports'));
	is_deeply([ sort @{ names($listed) } ], [ sort keys %outcome ], "$p: text, Markdown, CSV, HTML, DOCX, PDF, half a PDF, bytes");
	my %bytes = map { $_->{name} => md5_hex(download($ada, $p, $_->{id})->{bytes}) } @$listed;
	# in one transaction, so that the brand's context has all of them
	my @lines = split /\n/, as_tenant($ada, join('', map { 'SELECT count(*) FROM orla_api.import_file(' . join(', ', literal($p), literal($_->{id}), "'voice_samples'") . ") \\g /dev/null\n" } @$listed)
		. "SELECT concat_ws(' ', filename, md5(content), metadata ->> 'text_outcome') FROM orla.brand_voice_assets;\n"
		. "SELECT string_agg(t ->> 'filename', ' ' ORDER BY t ->> 'filename') FROM jsonb_array_elements(orla_api.brand_context() #> '{assets,voice_samples}') AS t WHERE t ->> 'text' ~ 'the engine does|Babbage';");
	is(pop @lines, 'import.csv import.docx import.html import.md import.pdf import.txt', "$p: imported, the context of the brand has the text of six");
	is_deeply([ sort @lines ], [ sort map { "$_ $bytes{$_} $outcome{$_}" } keys %outcome ], "$p: and all are stored to the byte, with what came of their text");
}

# ---- documents without bytes --------------------------------------------------------------------

{
	my $native = files($ada, 'google_drive', folder($ada, 'google_drive', 'Native'));
	is_deeply([ map { [ @$_{qw(name size hash mime_type)} ] } sort { $a->{name} cmp $b->{name} } @$native ],
		[ [ 'Numbers', undef, undef, 'application/vnd.google-apps.spreadsheet' ], [ 'Pitch', undef, undef, 'application/vnd.google-apps.presentation' ], [ 'Voice', undef, undef, 'application/vnd.google-apps.document' ] ],
		'google_drive: its own documents have no size');
	for my $case ([ Voice => 'docx', 'wordprocessingml.document' ], [ Numbers => 'xlsx', 'spreadsheetml.sheet' ], [ Pitch => 'pptx', 'presentationml.presentation' ])
	{
		my ($name, $extension, $type) = @$case;
		my $got = download($ada, 'google_drive', row($name, $native)->{id});
		like($got->{bytes}, qr/^PK\x03\x04/, "google_drive: $name becomes an office file");
		is_deeply([ @$got{ 'Content-Type', 'Content-Disposition' } ], [ "application/vnd.openxmlformats-officedocument.$type", qq(attachment; filename="$name.$extension"; filename*=UTF-8''$name.$extension) ], 'and says so');
	}
	my $text = as_tenant($ada, "RESET ROLE; SET LOCAL ROLE orla_service;\nSELECT f.mime_type, f.name FROM (SELECT (x.file).* FROM orla.fetch_file('google_drive', '" . row('Voice', $native)->{id} . "', true) AS x) AS f;");
	like($text, qr/permission denied to set role "orla_service"/, 'nobody becomes orla_service');
	control('files', 'google_drive', account => 'ada@drive.example', files => [ { path => '/Native/Map', native => 'map', text => 'x' }, { path => '/to the notes', shortcut_to => '/Brand/notes.txt' }, { path => '/to the brand', shortcut_to => '/Brand' } ]);
	like(download($ada, 'google_drive', row('Map', files($ada, 'google_drive', folder($ada, 'google_drive', 'Native')))->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  It has no content\./, 'google_drive: what cannot be exported');
	control('knobs', 'google_drive', export_limit => 10);
	like(download($ada, 'google_drive', row('Voice', $native)->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  Status 403, exportSizeLimitExceeded\./, 'google_drive: nor what is too large to be');
	control('knobs', 'google_drive', export_limit => 10 << 20);

	my $root = files($ada, 'google_drive');
	is_deeply([ @{ row('to the brand', $root) }{qw(id is_folder)} ], [ folder($ada, 'google_drive', 'Brand'), JSON::PP::true ], 'google_drive: a shortcut to a folder is that folder');
	my ($shortcut) = grep { $_->{name} eq 'to the notes' } @{ look('files', 'google_drive', account => 'ada@drive.example') };
	isnt(row('to the notes', $root)->{id}, $shortcut->{id}, 'google_drive: one to a file has the id of the file');
	is(length download($ada, 'google_drive', $_)->{bytes}, 250, 'google_drive: and either leads to its bytes') for $shortcut->{id}, row('to the notes', $root)->{id};

	# what is shared by a link that has a key
	control('files', 'google_drive', account => 'ada@drive.example', files => [ { path => '/by link.txt', text => "behind a key\n", resource_key => '0-Key_1', shared => JSON::PP::true }, { path => '/Linked/', resource_key => '0-Key_2' },
		{ path => '/Linked/inside.txt', text => "inside\n" }, { path => '/Native/Linked', native => 'document', text => 'x', resource_key => '0-Key_3' }, { path => '/Brand/locked.txt', text => "by a shortcut\n", resource_key => '0-Key_4' }, { path => '/to the locked', shortcut_to => '/Brand/locked.txt' } ]);
	my $linked = row('by link.txt', files($ada, 'google_drive', 'shared_with_me'));
	like($linked->{id}, qr{^1[\w-]{32}/0-Key_1$}, 'google_drive: what is shared by a link with a key has the key in its id');
	is(download($ada, 'google_drive', $linked->{id})->{bytes}, "behind a key\n", 'google_drive: and is downloaded');
	is(row('by link.txt', search($ada, 'google_drive', 'by link'))->{id}, $linked->{id}, 'google_drive: found, it has the same');
	like(download($ada, 'google_drive', $linked->{id} =~ s{/.*}{}r), qr/^ERROR:  PT404: no such file/, 'google_drive: not without the key');
	like(download($ada, 'google_drive', $linked->{id} =~ s{Key}{key}r), qr/^ERROR:  PT404: no such file/, 'google_drive: nor with another');
	my $inside = row('inside.txt', files($ada, 'google_drive', folder($ada, 'google_drive', 'Linked')));
	is($inside->{parent_id}, folder($ada, 'google_drive', 'Linked'), 'google_drive: a folder with a key is listed with it');
	is(download($ada, 'google_drive', $inside->{id})->{bytes}, "inside\n", 'google_drive: and what is in it downloaded');
	is_deeply(files($ada, 'google_drive', $inside->{parent_id} =~ s{/.*}{}r), [], 'google_drive: without, nothing is in it');
	like(download($ada, 'google_drive', row('Linked', files($ada, 'google_drive', folder($ada, 'google_drive', 'Native')))->{id})->{bytes}, qr/^PK/, 'google_drive: a document with a key is exported');
	my ($by_shortcut) = grep { $_->{name} eq 'to the locked' } @{ look('files', 'google_drive', account => 'ada@drive.example') };
	is(download($ada, 'google_drive', $_)->{bytes}, "by a shortcut\n", 'google_drive: a shortcut knows the key of its target') for $by_shortcut->{id}, row('to the locked', files($ada, 'google_drive'))->{id};

	for my $case ([ 'Voice.paper' => 'docx', qr/^PK/ ], [ 'Numbers.gsheet' => 'docx', qr/^PK/ ])
	{
		my $got = download($ada, 'dropbox', row($case->[0], files($ada, 'dropbox', folder($ada, 'dropbox', 'Native')))->{id});
		like($got->{bytes}, $case->[2], "dropbox: $case->[0] is exported");
		like($got->{'Content-Disposition'}, qr/filename="\Q$case->[0].$case->[1]\E"/, 'under a name that says so');
	}
	like(download($ada, 'onedrive', row('Notebook', files($ada, 'onedrive'))->{id}), qr/^ERROR:  22023: file cannot be downloaded\nDETAIL:  It has no content\./, 'onedrive: a notebook has no bytes');
	is(row('Notebook', files($ada, 'onedrive'))->{is_folder}, JSON::PP::false, 'onedrive: and is no folder');
}

# ---- the one step of a download -------------------------------------------------------------------
# Way 123.

{
	my $id = row('large.bin', files($ada, 'onedrive'))->{id};
	requests('onedrive');
	is(length download($ada, 'onedrive', $id)->{bytes}, 2_000_000, 'onedrive: bytes from another host');
	is_deeply([ map { join ' ', $_->{host}, $_->{endpoint}, $_->{status}, $_->{authorization} // 'nobody' } requests('onedrive') ],
		[ 'main metadata 200 bearer', 'main content 302 bearer', 'download download 200 nobody' ], 'onedrive: which gets no token');
	control('knobs', 'onedrive', location => 'foreign');
	like(download($ada, 'onedrive', $id), qr/^ERROR:  PT502: the provider leads to another server\nDETAIL:  Host 127\.0\.0\.2 is not on the list\.$/, 'onedrive: a host that is not on the list');
	is(statuses('onedrive'), 'metadata:200 content:302', 'onedrive: has seen nothing');
	for my $location ('', '/relative', 'file:///etc/passwd', 'http://127.0.0.1:1@127.0.0.2/', 'http://169.254.169.254/latest/')
	{
		control('knobs', 'onedrive', location => $location);
		like(download($ada, 'onedrive', $id), qr/^ERROR:  PT50[23]: the provider (?:leads to another server|does not answer)\n/, "onedrive: nor is this one followed: $location");
	}
	control('knobs', 'onedrive', location => JSON::PP::null);
	fault('onedrive', { endpoint => 'download', status => 403, body => 'html', retry_after => 0 });
	like(download($ada, 'onedrive', $id), qr/^ERROR:  PT503: the provider does not answer\nDETAIL:  The address of the content answers with status 403\./, 'onedrive: an address that has run out');
	is(statuses('onedrive'), 'metadata:200' . ' content:302 download:403' x 6, 'onedrive: is asked for anew, but not for ever');
	fault('onedrive', { endpoint => 'download', status => 403, body => 'html', retry_after => 10 });
	like(as_tenant($ada, "SET LOCAL statement_timeout = '300ms';\nSELECT orla_api.download_file('onedrive', '$id');"), qr/^ERROR:  57014/, 'onedrive: nor for longer than a statement may take');
	fault('onedrive');
	control('knobs', 'onedrive', redirect => JSON::PP::false);
	is(length download($ada, 'onedrive', $id)->{bytes}, 2_000_000, 'onedrive: bytes at once');
	control('knobs', 'onedrive', redirect => JSON::PP::true);
	fault('onedrive', { endpoint => 'download', status => 503, times => 1 });
	is(length download($ada, 'onedrive', $id)->{bytes}, 2_000_000, 'onedrive: a download that fails once');
	is(statuses('onedrive'), 'metadata:200 content:302 download:503 content:302 download:200', 'onedrive: is tried again from the step before');
	fault('onedrive');
	requests('dropbox');
	is(length download($ada, 'dropbox', row('large.bin', files($ada, 'dropbox'))->{id})->{bytes}, 2_000_000, 'dropbox: bytes');
	is(join(' ', map { "$_->{host}:$_->{endpoint}" } requests('dropbox')), 'main:list main:metadata content:download', 'dropbox: from the host of its contents');
}

# ---- hostile input ------------------------------------------------------------------------------------
# Way 125.

for my $p (@all)
{
	for my $text ("' or trashed = true or name contains '", "x' or 'x' = 'x", q(\\' or trashed = true or name contains \\'), '\\', "'", q{')/../../me/messages?q=('}, '%27%29', "'); DROP TABLE orla.users; --",
		'{"a": "b"}', "a\nb", '&q=x&trashed=true#', '🦊', '${jndi:x}', '*', '../..')
	{
		my $found = search($ada, $p, $text);
		# one or two characters may well be in the bytes of a document
		my $wrong = ref $found ? join(', ', grep { $_ eq 'old.txt' || length $text > 2 && index(lc "$_ in $_\n", lc $text) < 0 } @{ names($found) }) : $found;
		is($wrong, '', "$p: a search text stays one: " . ($text =~ s/\n/\\n/r));
	}
	is_deeply(names(search($ada, $p, $p eq 'onedrive' ? "sure'" : "O'Brien's")), $p eq 'onedrive' ? [] : [q(O'Brien's "draft".txt)], "$p: and finds what has it in its name");
	is_deeply(names(search($ada, $p, '100% sure')), ['100% sure.txt'], "$p: with a per cent sign");
	is_deeply(names(search($ada, $p, '#1')), ['hash#1.txt'], "$p: with a number sign");
	like(search($ada, $p, $_), qr/^ERROR:  22023: invalid search text\nDETAIL:  It has 1 to 500 characters\./, "$p: no search text") for '', '   ', undef, 'x' x 501;
	is_deeply(search($ada, $p, 'x' x 500), [], "$p: a long one");
	is_deeply(names(search($ada, $p, 'guide', type => 'pdf')), ['guide.pdf'], "$p: a search by type");
	is_deeply(search($ada, $p, 'guide', type => 'image'), [], "$p: and by another");
	is_deeply(names(search($ada, $p, 'brand', type => 'folder')), ['Brand'], "$p: and for folders") if $p ne 'google_drive';
	like(search($ada, $p, 'guide', type => 'pdf\' or 1=1'), qr/^ERROR:  22023: unknown type of file/, "$p: and by none");

	# What looks like the id that it has in its text must not be read as one.
	is(row('notes.txt', search($ada, $p, 'notes.txt'))->{id}, row('notes.txt', files($ada, $p, folder($ada, $p, 'Brand')))->{id}, "$p: what is found has the id that it has in its folder");
	control('files', $p, account => 'ada@drive.example', files => [ { folder => '/Brand', name => 'x.txt', text => 'word id:word a/b' } ]);
	is(row('x.txt', search($ada, $p, $_))->{id}, row('x.txt', files($ada, $p, folder($ada, $p, 'Brand')))->{id}, "$p: also if the text looks like an id: $_") for $p eq 'google_drive' ? () : ('id:word', 'a/b');
	isnt(row('x.txt', search($ada, $p, 'id:word'))->{parent_id}, 'id:word', "$p: which is not its folder's") if $p eq 'dropbox';

	requests($p);
	for my $id ('', '..', '../me', 'a/../b', '/', 'a/b/c', 'http://127.0.0.2/x', "x\r\nX-Evil: 1", 'y' x 4001, undef)
	{
		like($_, qr/^ERROR:  22023: invalid id of a file\nHINT:  Use an id that orla_api\.files\(\) returned\./, "$p: not an id: " . ($id // 'NULL') =~ s/\s+/ /gr =~ s/y{50,}/yy…/r)
		  for download($ada, $p, $id), defined $id && $id ne '' ? files($ada, $p, $id) : ();
	}
	is(statuses($p), '', "$p: which no server has seen");
	for my $id ("'; DROP TABLE orla.users; --", "' or '1'='1", 'root?fields=*', '%2e%2e%2fme', 'a&b=c', 'x#y', '$(id)', '🦊', 'root:')
	{
		my $tried = $p eq 'dropbox' ? "/$id" : $id;
		like(download($ada, $p, $tried), qr/^ERROR:  PT404: no such file\n/, "$p: no such file: $tried");
		my $listed = files($ada, $p, $tried);
		ok(ref $listed ? !@$listed : $listed =~ /^ERROR:  PT404: no such file\n/, "$p: no such folder: $tried") or diag(explain($listed));
	}
}
like(download($ada, 'dropbox', '/Brand/notes.txt')->{'Content-Type'}, qr{^text/plain$}, 'dropbox: a path is an id there');
is(download($ada, 'dropbox', '/größer 5 €/räksmörgås 🦊.md')->{bytes}, encode_utf8("# 🦊\n"), 'dropbox: whatever is in it');
is($c->sql('SELECT count(*) FROM orla.users;'), 2, 'all users are still there');

is(scalar(() = Cluster::slurp($c->{log}) =~ /PANIC|TRAP|terminated by signal/g), 0, 'the server is well');
is($c->sql('SELECT count(*) FROM orla.worker_status WHERE ready;'), 1, 'and so is the worker');
done_testing();
