#!/usr/bin/perl
# The text in files: each kind, each way in which a file or a program fails, and
# what a program that a file has taken over can reach.
#
# Makes a cluster of its own, since a backend of it is killed.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Cluster;
use Test::More;
use Time::HiRes qw(time);

# Nothing here takes a minute; what hangs fails.
$SIG{ALRM} = sub { die "hangs\n" };
alarm 120;

my $c     = Cluster->new('extract');
my $dir   = $c->{dir};
my $data  = $c->{data};
my $files = "$dir/files";

sub slurp { return Cluster::slurp(@_) }
sub until_true { return Cluster::waits_until(@_) }

sub quoted { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" }

# What comes of a file, asked for in a session with settings.
my $session;

sub call
{
	my ($name, $type) = @_;
	return sprintf 'orla.extract_text(pg_read_binary_file(%s), %s)', quoted("$files/$name"), defined $type ? quoted($type) : 'NULL';
}

sub outcome { return $session->ask('SELECT outcome, found_type FROM ' . call(@_) . ';') }
sub text_of { return $session->ask('SELECT full_text FROM ' . call(@_) . ';') }

sub with
{
	my ($settings, $code) = @_;
	$session->ask(join '', map { "SET orla.$_ = " . quoted($settings->{$_}) . ';' } sort keys %$settings);
	my $result = $code->();
	$session->ask(join '', map { "RESET orla.$_;" } sort keys %$settings);
	return $result;
}

sub put
{
	my ($file, $bytes, $mode) = @_;
	open(my $out, '>:raw', $file) or die "$file: $!\n";
	print {$out} $bytes;
	close $out or die $!;
	chmod $mode // 0644, $file;
}

# A length of sleep that no other process has, and that ends by itself.
sub nap { return sprintf '60.%d%02d', $$, $_[0] }

# The processes whose command line has the word.
sub processes_with
{
	my ($word) = @_;
	return grep { (eval { slurp("/proc/$_/cmdline") } // '') =~ /\b\Q$word\E\b/ } grep { $_ != $$ } map { m{(\d+)} } glob('/proc/[0-9]*');
}

# What is killed takes a moment to go.
sub gone { my ($word) = @_; return until_true(sub { processes_with($word) == 0 }) }

sub children_of
{
	my ($pid) = @_;
	return grep { (eval { slurp("/proc/$_/stat") } // '') =~ /^\d+ \(.*\) \S $pid /s } map { m{(\d+)} } glob('/proc/[0-9]*');
}

# A program in the place of pdftotext.
sub fake
{
	my ($name, $script) = @_;
	put("$dir/$name", $script, 0755);
	return "$dir/$name";
}

sub with_fake { my ($program, $code) = @_; return with({ extract_pdf => $program }, $code) }

# ---- files -------------------------------------------------------------------

my $word = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

mkdir $files;
put("$dir/secret", "the secret of the machine\n");
put("$dir/make.mjs", <<'END');
import { writeFileSync } from 'node:fs';
const [root, files, secret] = process.argv.slice(2);
const { SAMPLES } = await import(`file://${root}/test/providers/lib/samples.mjs`);
const { docx, docxBomb, docxForeignEntity, pdf } = await import(`file://${root}/test/providers/lib/documents.mjs`);
const { zip } = await import(`file://${root}/test/providers/lib/zip.mjs`);
for (const [name, make] of Object.entries(SAMPLES)) writeFileSync(`${files}/${name}`, make());
const W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"';
const body = (xml) => docx([], `<?xml version="1.0"?><w:document ${W}><w:body>${xml}</w:body></w:document>`);
const more = {
  docx_foreign: docxForeignEntity(secret),
  docx_bomb_below: docxBomb(100 << 20),
  docx_parts: body('<w:p><w:r><w:t>One</w:t><w:tab/><w:t>two</w:t><w:br/><w:t xml:space="preserve"> three &lt;b&gt; &amp;amp; &#233;</w:t></w:r></w:p>'
    + '<w:p><w:del><w:r><w:delText>struck out</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>'
    + '<mc:AlternateContent><mc:Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Choice><mc:Fallback><w:p><w:r><w:t>box again</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>'),
  docx_blank: body('<w:p/>'),
  docx_not_xml: docx([], 'no XML at all'),
  docx_utf7: docx([], `<?xml version="1.0" encoding="UTF-7"?>+ADw-!DOCTYPE d+AD4-<w:document ${W}/>`),
  zip: zip([{ name: 'notes.txt', data: 'notes' }]),
  zip_empty: Buffer.from('504b0506' + '00'.repeat(18), 'hex'),
  pdf_blank: pdf([]),
  pdf_rubbish: Buffer.concat([Buffer.from('rubbish\n'), pdf(['behind rubbish'])]),
};
for (const [name, bytes] of Object.entries(more)) writeFileSync(`${files}/${name}`, bytes);
END
chomp(my $root = `pwd`);
Cluster::run_quietly('node', "$dir/make.mjs", $root, $files, "$dir/secret");
put("$files/empty", '');
put("$files/formulas.csv", "name,value\n=cmd|' /C calc'!A0,=HYPERLINK(\"http://evil.example/\",\"x\")\n\@SUM(1),+1\n");
put("$files/hostile.html", <<'END');
<!doctype html><html><head><title>A &lt;b&gt; title</title><script>var s = "</p>stolen"; alert(1)</script>
<style>body { background: url(http://evil.example/) }</style></head>
<body onload="alert(2)"><p>One   line<br>two &amp;amp; &#x3C;script&#x3E;alert(3)&lt;/script&gt; &#0;&#xD800;&eacute;</p>
<noscript>no script</noscript><template>no template</template><iframe src="file:///etc/passwd">no frame</iframe>
<img src="file:///etc/passwd" alt="x"><a href="javascript:alert(4)">link</a>
<table><tr><th>a<th>b</tr><tr><td>1<td>2</table><pre>  kept
    as it is</pre></p></div></span></script><p>unclosed <b>bold
END
put("$files/latin1.html", "<html><head><meta charset=iso-8859-1></head><body>Stra\xdfe \x80</body></html>");
put("$files/utf16.html", "\xff\xfe" . join('', map { "$_\0" } split //, '<html><p>Hello</p></html>'));
put("$files/kanji.html", "<html><meta http-equiv='Content-Type' content='text/html; charset=Shift_JIS'><p>\x93\xfa\x96{</p></html>");
put("$files/odd.html", "<html><meta charset='unicode_escape'><p>\\u0041 \xe9</p></html>");
put("$files/unclosed.html", '<html>seen<a ' . 'b ' x 100000);
put("$files/logo.svg", '<?xml version="1.0"?><!-- a logo --><svg xmlns="http://www.w3.org/2000/svg"><style>.a { fill: red }</style><text>Lovelace</text><script>x</script></svg>');
put("$files/locked.docx", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" . "\0" x 504 . join('', map { "$_\0" } split //, 'EncryptedPackage'));
put("$files/old.doc", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" . "\0" x 504 . join('', map { "$_\0" } split //, 'WordDocument'));
# A kB ends within a character.
my $fox = "\xf0\x9f\xa6\x8a";
put("$files/long.txt", 'a' . $fox x 3000);
put("$files/long.html", '<html><p>a' . $fox x 3000);
put("$files/edge.txt", 'a' x 1022 . "\xe2\x82\xac" x 2);
put("$files/nul.txt", 'a' x 300 . "\0b\0");

$c->sql('CREATE DATABASE app', database => 'postgres');
is($c->sql("SET client_min_messages = warning; CREATE EXTENSION orla CASCADE;"), '', 'the extension is installed');
$session = $c->session;

# ---- each kind ---------------------------------------------------------------

my $brand = text_of('text');
like($brand, qr/^Brand voice of Lovelace Analytical\n.*5 \x{e2}\x{82}\x{ac} a month/s, 'text');
is(outcome('text'), 'found|text/plain', 'is text');
is(outcome('markdown', 'text/markdown'), 'found|text/markdown', 'Markdown');
is(text_of('markdown', 'text/markdown'), slurp("$files/markdown"), 'stays as it is');
is(outcome('csv', 'text/csv; header=present'), 'found|text/csv', 'CSV');
is(text_of('formulas.csv', 'text/csv'), slurp("$files/formulas.csv"), 'formulas in it stay text');
is(text_of('latin1'), "Stra\xc3\x9fe, caf\xc3\xa9, \xc2\xa3 5\n", 'Latin-1');
is(text_of('utf16') =~ s/\r//gr, $brand =~ s/\n\z//r, 'UTF-16');
is(text_of('nul.txt'), 'a' x 300 . 'b', 'NULs are left out');
is(outcome('pdf'), 'found|application/pdf', 'PDF');
is(text_of('pdf'), "$brand\n", 'has the text');
like(text_of('pdf_long'), qr/^Line 1 of a long report\n.*\nLine 2000 of a long report\n/s, 'a long one, all of it');
is(outcome('docx'), "found|$word", 'DOCX');
is(text_of('docx'), $brand, 'has the text');
is(text_of('docx_parts'), "One\ttwo\n three <b> &amp; \xc3\xa9\n\nbox\n", 'with tabs and breaks, without what is deleted, computed or there twice');
is(outcome('html'), 'found|text/html', 'HTML');
is(text_of('html'), "About us\nAbout us\n$brand" =~ s/\n\z//r, 'has the text, without scripts, styles and comments');
is(text_of('hostile.html'), "A <b> title\nOne line\ntwo &amp; <script>alert(3)</script> \xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\nlink\na\tb\n1\t2\n  kept\n    as it is\nunclosed bold",
	'hostile HTML is text');
is(text_of('latin1.html'), "Stra\xc3\x9fe \xe2\x82\xac", 'HTML that says which character set it is in');
is(text_of('kanji.html'), "\xe6\x97\xa5\xe6\x9c\xac", 'another one');
is(text_of('utf16.html', 'text/html'), 'Hello', 'or has a mark');
is(text_of('odd.html'), "\\u0041 \xc3\xa9", 'a character set that is none is not used');
is(outcome('logo.svg', 'image/svg+xml'), 'found|image/svg+xml', 'SVG');
is(text_of('logo.svg'), 'Lovelace', 'has text, too');
is(outcome('unclosed.html'), 'found|text/html', 'a tag that is never closed');

# ---- the bytes decide ----------------------------------------------------------

is(outcome('pdf', 'text/plain'), 'found|application/pdf', 'a PDF that is said to be text');
is(outcome('pdf', $word), 'found|application/pdf', 'or a DOCX');
is(outcome('docx', 'application/pdf'), "found|$word", 'a DOCX that is said to be a PDF');
is(outcome('html', 'image/png'), 'found|text/html', 'HTML that is said to be an image');
is(outcome('text', 'application/pdf'), 'found|text/plain', 'text that is said to be a PDF');
is(outcome('pdf_rubbish', 'application/pdf'), 'found|application/pdf', 'a PDF behind rubbish');
is(outcome('binary', 'text/plain'), 'unknown format|', 'bytes that are said to be text');
is(outcome('zip', $word), 'unknown format|application/zip', 'a ZIP that is said to be a DOCX');
is(outcome('xlsx'), 'unknown format|application/zip', 'a spreadsheet');
is(outcome('pptx'), 'unknown format|application/zip', 'a presentation');
is(outcome('old.doc', 'application/msword'), 'unknown format|', 'an old Word document');

# ---- no text -------------------------------------------------------------------

sub has_none
{
	my ($name, $outcome, $what) = @_;
	is($session->ask('SELECT outcome, full_text IS NULL FROM ' . call($name) . ';'), "$outcome|t", $what);
}
has_none('empty', 'no text', 'an empty file');
has_none('pdf_blank', 'no text', 'a PDF without text');
has_none('docx_blank', 'no text', 'a DOCX without text');
has_none('pdf_password', 'encrypted', 'a PDF with a password');
has_none('locked.docx', 'encrypted', 'a DOCX with a password');
has_none('pdf_broken', 'damaged', 'half a PDF');
has_none('pdf_loop', 'damaged', 'a PDF whose pages go round in a circle');
has_none('docx_broken', 'damaged', 'half a DOCX');
has_none('docx_not_xml', 'damaged', 'a DOCX without XML');
has_none('docx_utf7', 'damaged', 'a DOCX whose character set hides its beginning');
has_none('docx_lying', 'damaged', 'a DOCX that lies about its size');
has_none('docx_entities', 'damaged', 'a DOCX with entities of entities');
has_none('docx_foreign', 'damaged', 'a DOCX with an entity that reads a file');
has_none('docx_bomb', 'too large', 'a DOCX that unpacks to 300 MB');
has_none('zip_empty', 'unknown format', 'an empty ZIP');
is($session->ask('SELECT * FROM orla.extract_text(NULL, NULL);'), '|no text|', 'nothing at all');

# ---- limits --------------------------------------------------------------------

is(with({ extract_size => '1kB' }, sub { $session->ask("SELECT outcome, octet_length(full_text), replace(full_text, '$fox', '') FROM " . call('long.txt') . ';') }),
	'cut|1021|a', 'text beyond the limit is cut between characters');
is(with({ extract_size => '1kB' }, sub { $session->ask("SELECT outcome, octet_length(full_text), replace(full_text, '$fox', '') FROM " . call('long.html') . ';') }),
	'cut|1021|a', 'likewise what a program prints');
is(with({ extract_size => '1kB' }, sub { text_of('edge.txt') }), 'a' x 1022, 'the one character that is cut off does not decide which set it is');
is(with_fake(fake('endless', "#!/bin/sh\nexec yes endless-$$\n"), sub { $session->ask('SELECT outcome, octet_length(full_text) FROM ' . call('pdf') . ';') }),
	'cut|4194304', 'a program that never stops to print');
ok(gone("endless-$$"), 'is ended');

sub memory_of { return slurp("/proc/$_[0]/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 : die "no memory\n" }
{
	my $fresh = $c->session;
	$fresh->ask('SELECT outcome FROM ' . call('docx') . ';');
	my $before = memory_of($fresh->{backend});
	my $start  = time;
	is($fresh->ask('SELECT outcome, octet_length(full_text) FROM ' . call('docx_bomb_below') . ';'), 'cut|4194304', 'a DOCX that unpacks to 100 MB');
	cmp_ok(time - $start, '<', 30, 'is over soon');
	cmp_ok(memory_of($fresh->{backend}) - $before, '<', 24 * 1024 * ($ENV{ORLA_TEST_PATIENCE} // 1), 'and the server stays small');
}

my $hog = fake('hog', "#!/usr/bin/python3 -IS\nkeep = []\nwhile True: keep.append(bytearray(1 << 20))\n");
is(with({ extract_pdf => $hog, extract_memory => '64MB' }, sub { outcome('pdf') }), 'too large|application/pdf', 'a program that takes ever more memory');
is(with({ extract_memory => '64MB' }, sub { outcome('docx') }), "found|$word", 'which is enough for a plain file');

my $hang = fake('hang', sprintf "#!/bin/sh\nsleep %1\$s &\nsleep %1\$s\n", nap(2));
{
	my $start = time;
	is(with({ extract_pdf => $hang, extract_timeout => '300ms' }, sub { outcome('pdf') }), 'took too long|application/pdf', 'a program that hangs');
	cmp_ok(time - $start, '<', 20, 'is given up');
	ok(gone(nap(2)), 'with what it has started');
	my $silent = fake('silent', '#!/bin/sh' . "\nexec 1>&-\nexec sleep " . nap(3) . "\n");
	is(with({ extract_pdf => $silent, extract_timeout => '300ms' }, sub { outcome('pdf') }), 'took too long|application/pdf', 'also one that has closed its output');
	ok(gone(nap(3)), 'is ended');
	my $daemon = fake('daemon', '#!/bin/sh' . "\nsleep " . nap(4) . " 1>&- 2>&- &\necho text\n");
	is(with_fake($daemon, sub { text_of('pdf') }), "text\n", 'one that leaves another behind');
	ok(gone(nap(4)), 'has it ended');
	my $busy = fake('busy', "#!/bin/sh\nwhile :; do :; done\n");
	is(with({ extract_pdf => $busy, extract_timeout => '300ms' }, sub { outcome('pdf') }), 'took too long|application/pdf', 'one that computes for ever');
}

# ---- programs that fail ----------------------------------------------------------

is(with_fake('/nowhere/pdftotext', sub { outcome('pdf') }), 'no tool|application/pdf', 'a program that is not there');
is(with_fake("$files/pdf", sub { outcome('pdf') }), 'no tool|application/pdf', 'one that cannot be run');
is(with_fake('', sub { outcome('pdf') }), 'no tool|application/pdf', 'none');
is(with({ extract_python => '/nowhere/python3' }, sub { outcome('docx') }), 'no tool|application/zip', 'no Python');
is(with({ extract_python => fake('bare', "#!/bin/sh\necho no module >&2\nexit 1\n") }, sub { outcome('html') }), 'no tool|text/html', 'a Python without its library');
is(with({ extract_python => '' }, sub { outcome('text') }), 'found|text/plain', 'text needs none');
like(slurp($c->{log}), qr{LOG:  could not read a file with "/nowhere/pdftotext"}, 'the log tells the operator');
like(slurp($c->{log}), qr{LOG:  could not read a file with "\Q$dir\E/bare"\n.*DETAIL:  no module}, 'and why');
is(with_fake(fake('crash', "#!/usr/bin/python3 -IS\nimport ctypes\nctypes.string_at(0)\n"), sub { outcome('pdf') }), 'damaged|application/pdf', 'one that crashes');
is(with_fake(fake('garbage', "#!/bin/sh\nprintf 'a\\377\\000\\355\\240\\200b'\n"), sub { text_of('pdf') }), 'a' . "\xef\xbf\xbd" x 4 . 'b', 'one that prints what is no text');
is(with_fake(fake('loud', "#!/bin/sh\nhead -c 300000 /dev/zero >&2\necho text\n" =~ s{/dev/zero}{/usr/bin/python3}r), sub { text_of('pdf') }), "text\n", 'one that complains at length');
like($session->ask("SET orla.extract_pdf = 'pdftotext';"), qr/invalid value for parameter "orla.extract_pdf": "pdftotext"\nDETAIL:  The value must be an absolute path/, 'a program is named in full');

# The file is kept whatever happens, with what there is to say.
$session->ask("INSERT INTO orla.users (id, name, email, password_hash) VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'Ada', 'ada\@example.org', '\$argon2id\$test');
	GRANT orla_gateway TO postgres;");
sub stored
{
	my ($name) = @_;
	return $session->ask("BEGIN; SET LOCAL orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
		WITH made AS MATERIALIZED (SELECT orla.store_asset('f', 'guidelines', 'application/pdf', 'test', pg_read_binary_file('$files/$name'), '{\"a\": null, \"b\": 1}') AS id) SELECT FROM made;
		SELECT octet_length(content), content_preview, metadata FROM orla.brand_voice_assets; ROLLBACK;") =~ s/^\n//r;
}
my $size = -s "$files/pdf";
is(with_fake('/nowhere/pdftotext', sub { stored('pdf') }), "$size||{\"b\": 1, \"found_type\": \"application/pdf\", \"text_outcome\": \"no tool\"}", 'a file that could not be read is stored');
is(stored('empty'), '0||{"b": 1, "text_outcome": "no text"}', 'so is an empty one');
is(with({ extract_pdf => fake('short', "#!/bin/sh\necho text\n") }, sub { stored('pdf') }),
	"$size|text\n|{\"b\": 1, \"fonts\": [], \"colors\": [], \"full_text\": \"text\\n\", \"found_type\": \"application/pdf\", \"text_outcome\": \"found\"}", 'and one with its text');

# ---- what a program has and can do ------------------------------------------------

{
	my $look = fake('look', <<'END');
#!/usr/bin/python3 -IS
import os, resource, sys
print(sorted(os.environ), os.getcwd())
def is_open(fd):
    try:
        return os.fstat(fd) and True
    except OSError:
        return False
print([fd for fd in range(1000) if is_open(fd)])
print([resource.getrlimit(r) for r in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)])
print(len(sys.stdin.buffer.read()))
END
	is(with_fake($look, sub { text_of('pdf') }), "['LC_ALL', 'PATH'] /\n[0, 1, 2]\n[(536870912, 536870912), (64, 64), (0, 0), (65536, 65536)]\n" . (-s "$files/pdf") . "\n",
		'a program has the file, and nothing of the server');
}
my $try = fake('try', <<END);
#!/usr/bin/python3 -IS
import os, socket, ctypes
def attempt(name, what):
    try:
        what()
        print(name, 'done')
    except OSError as error:
        print(name, error.strerror)
server = os.getppid()
attempt('socket', lambda: socket.socket(socket.AF_INET))
attempt('server', lambda: socket.socket(socket.AF_UNIX).connect('$dir/.s.PGSQL.5432'))
attempt('signal', lambda: os.kill(server, 0))
attempt('group', lambda: os.setsid())
attempt('input', lambda: os.write(0, b'x'))
attempt('privileges', lambda: open('/proc/self/status') and None)
attempt('keyring', lambda: open('$data/PG_VERSION'))
attempt('folder', lambda: os.listdir('$data'))
attempt('new file', lambda: open('$dir/planted', 'w'))
attempt('change', lambda: os.chmod('$dir/secret', 0o600) if os.getuid() == 0 else open('$dir/server.log', 'a'))
attempt('environment', lambda: open('/proc/%d/environ' % server))
attempt('users', lambda: open('/etc/passwd'))
attempt('library', lambda: os.listdir('/usr/lib'))
END
{
	my %did = with_fake($try, sub { text_of('pdf') }) =~ /^([\w ]+?) ((?:done|[A-Z]).*)$/mg;
	is($did{$_}, 'Operation not permitted', "refused: $_") for 'socket', 'server', 'signal', 'group';
	like($did{input}, qr/not permitted|Bad file/, 'refused: to change its input');
	# landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)
	if (syscall(444, 0, 0, 1) >= 1)
	{
		is($did{$_}, 'Permission denied', "refused: $_") for 'keyring', 'folder', 'new file', 'change', 'environment', 'users', 'privileges';
		ok(!-e "$dir/planted", 'nothing was made');
		unlike(slurp($c->{log}), qr/not confined/, 'there is nothing to tell');
	}
	else
	{
		diag('this kernel has no Landlock: what files a program reaches is not tried');
		like(slurp($c->{log}), qr/programs that read files are not confined as they could be/, 'the log tells what the kernel lacks');
	}
	is($did{library}, 'done', 'what programs are made of can be read');
}

# ---- so many at a time ----------------------------------------------------------------

{
	my $nap = nap(8);
	my $slow = fake('slow', "#!/bin/sh\nexec sleep $nap\n");
	my @many = map { $c->session } 1 .. 3;
	# whatever their databases: the bound is the cluster's
	$c->sql('CREATE DATABASE other', database => 'postgres');
	$c->sql('SET client_min_messages = warning; CREATE EXTENSION orla CASCADE;', database => 'other');
	my $other = $c->session(database => 'other');
	$_->ask("SET orla.max_concurrent_extracts = 2; SET orla.extract_pdf = '$slow'; SET orla.extract_timeout = '60s';") for @many, $other;
	$_->send('SELECT outcome FROM ' . call('pdf') . ';') for $many[0], $other;
	ok(until_true(sub { processes_with($nap) == 2 }), 'two programs run');
	$many[1]->ask("SET orla.extract_timeout = '200ms';");
	like($many[1]->ask("\\set VERBOSITY verbose\nSELECT outcome FROM " . call('pdf') . ';'),
		qr/^ERROR:  PT503: too many files are read at once\nHINT:  Try again in a moment\.  Operators may raise orla\.max_concurrent_extracts\.$/m, 'a third waits for as long as a program may run, and is refused');
	is($many[1]->ask('SELECT outcome FROM orla.extract_text(\'plain\', \'text/plain\');'), 'found', 'what needs no program needs no place');
	$many[1]->ask("SET statement_timeout = '200ms'; SET orla.extract_timeout = '60s';");
	like($many[1]->ask('SELECT outcome FROM ' . call('pdf') . ';'), qr/canceling statement due to statement timeout/, 'who waits can be cancelled');
	$many[2]->send("RESET orla.extract_pdf; SELECT outcome FROM " . call('pdf') . ';');
	ok(until_true(sub { $c->sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $many[2]->{backend};") eq 'Extension' }), 'one waits');
	is(scalar(processes_with($nap)), 2, 'and two still run');
	$c->sql("SELECT pg_terminate_backend($other->{backend}, 30000);");
	is($many[2]->answer, 'found', 'until the end of another makes room');
	kill 'INT', $many[0]->{backend};
	like($many[0]->answer, qr/canceling statement due to user request/, 'an error gives the place back');
	is($c->sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = 0;"), '0', 'and none is left taken');
	$_->leave for @many, $other;
	$c->sql('DROP DATABASE other', database => 'postgres');
}

# ---- cancelled, terminated, killed ---------------------------------------------

sub start_hanging
{
	my ($s, $number) = @_;
	my $nap = nap($number);
	fake("hang$number", "#!/bin/sh\nsleep $nap &\nsleep $nap\n");
	$s->ask("SET orla.extract_pdf = '$dir/hang$number';");
	$s->send('SELECT outcome FROM ' . call('pdf') . ';');
	return until_true(sub { processes_with($nap) == 2 });
}

{
	ok(start_hanging($session, 5), 'a program hangs');
	my $start = time;
	kill 'INT', $session->{backend};
	like($session->answer, qr/canceling statement due to user request/, 'the statement is cancelled');
	cmp_ok(time - $start, '<', 5, 'at once');
	ok(gone(nap(5)), 'nothing of the program is left');
	is(scalar(children_of($session->{backend})), 0, 'and nothing that waits for its parent');
	$session->ask('RESET orla.extract_pdf;');
	is(outcome('pdf'), 'found|application/pdf', 'the session goes on');
	$session->ask("SET statement_timeout = '200ms'; SET orla.extract_pdf = '$hang';");
	like(outcome('pdf'), qr/canceling statement due to statement timeout/, 'a time limit counts');
	$session->ask('RESET statement_timeout; RESET orla.extract_pdf;');
	ok(gone(nap(2)), 'likewise');
	# A caller may catch the cancel: no program then, either.
	my $open = () = glob("/proc/$session->{backend}/fd/*");
	for (1 .. 30)
	{
		$session->ask("SET statement_timeout = '20ms'; SET orla.extract_pdf = '$hang';");
		outcome('pdf');
		$session->ask('RESET statement_timeout; RESET orla.extract_pdf;');
	}
	my $now = () = glob("/proc/$session->{backend}/fd/*");
	cmp_ok($now, '<=', $open + 2, 'thirty cancels leave no descriptor open');
	is(scalar(children_of($session->{backend})), 0, 'and no process');
}
{
	my $s = $c->session;
	ok(start_hanging($s, 6), 'a program hangs');
	kill 'TERM', $s->{backend};
	ok(until_true(sub { !-e "/proc/$s->{backend}" }), 'its session is terminated');
	ok(gone(nap(6)), 'nothing of the program is left');
}
{
	my $s = $c->session;
	fake('alone', "#!/bin/sh\nexec sleep " . nap(7) . "\n");
	$s->ask("SET orla.extract_pdf = '$dir/alone';");
	$s->send('SELECT outcome FROM ' . call('pdf') . ';');
	ok(until_true(sub { processes_with(nap(7)) == 1 }), 'a program hangs');
	kill 'KILL', $s->{backend};
	ok(until_true(sub { processes_with(nap(7)) == 0 }), 'its session is killed, and it with it');
}

done_testing();
